"""Templates: how a session of some kind begins, as a TOML file that a team keeps in its repository.

    description = "A review of one pull request"
    goal = "Review the pull request"
    type = "quick"
    tags = ["review"]
    workflow = "investigate"
    context = ["docs/review.md", "CONTRIBUTING.md"]
    [agent]
    type = "claude-code"
    [meta]
    team = "core"

`<worktree>/.agent-session/templates/NAME.toml`, after those in the folder that `agentSession.templates` names and in
`<user's configuration>/git-agent-session/templates`, which a repository cannot replace. What a repository brings is
untrusted: the file is bounded, its keys are checked, and the context files are files of the worktree that git does not
ignore, never followed out of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from git_agent_session import codec
from git_agent_session.context import Snapshot, budget, gather, reading
from git_agent_session.context.model import Document
from git_agent_session.errors import AgentSessionError, GitError, UsageError
from git_agent_session.git.repository import Repository
from git_agent_session.git.run import git
from git_agent_session.model import Agent, Doc, Session
from git_agent_session.redact import redact
from git_agent_session.store.store import Store
from git_agent_session.term import clean
from git_agent_session.work import small_file, workflows

IN_REPOSITORY = os.path.join(".agent-session", "templates")
FOLDER_KEY = "agentSession.templates"
# bytes of a file, context files of a template, characters of a text
MAX_FILE = 64 * 1024
MAX_CONTEXT = 32
MAX_TEXT = 4000
_TEXTS = ("description", "goal", "title", "type", "project", "workflow")
_AGENT = ("type", "version", "model")
_KEYS = frozenset({*_TEXTS, "tags", "context", "agent", "meta"})


class BrokenTemplate(AgentSessionError):
    """The file of a template cannot be read, or holds what a template cannot."""

    code = "broken-template"


@dataclass(frozen=True, slots=True)
class Template:
    """What a session begins with. `context` are paths in the worktree, `source` is config, user or repository."""

    name: str
    goal: str = ""
    title: str = ""
    type: str = ""
    project: str = ""
    workflow: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    agent: Agent = field(default_factory=Agent)
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    def to_dict(self) -> Doc:
        """The keys of the file, and `name` and `source`; those without a value left out."""
        out: Doc = {"name": self.name, "source": self.source}
        out |= {key: getattr(self, key) for key in _TEXTS}
        out |= {"tags": [*self.tags], "context": [*self.context], "meta": dict(self.meta)}
        out["agent"] = {k: v for k in _AGENT if (v := getattr(self.agent, k))}
        return {k: v for k, v in out.items() if v}


def start(store: Store, name: str, *, snapshot: Snapshot | None = None, **given: Any) -> Session:
    """`Store.start` with what a template says; what is in `given` and not empty wins, tags and metadata add up.

    `snapshot` becomes the initial context, with the template's files in it. Raises what `load`, `workflows.start` and
    `Store.start` raise, before anything is written.
    """
    template = load(store.repo, name)
    how = merged(template, given)
    if snapshot is not None:
        how["context"] = with_files(store.repo, template, snapshot).to_dict()
    workflow = str(how.pop("workflow", ""))
    return workflows.start(store, workflow, **how) if workflow else store.start(**how)


def merged(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for a start: those of the template, with those that are given in their place."""
    out: dict[str, Any] = {k: v for k in _TEXTS if k != "description" and (v := getattr(template, k))}
    out |= {k: v for k, v in given.items() if v or k not in out}
    out["tags"] = list(dict.fromkeys((*template.tags, *given.get("tags", ()))))
    out["meta"] = {**template.meta, **(given.get("meta") or {})}
    agent = given.get("agent") or Agent()
    who = Agent(type=agent) if isinstance(agent, str) else agent
    # a version or a model is that of its agent
    same = not who.type or who.type == template.agent.type
    out["agent"] = replace(
        who,
        type=who.type or template.agent.type,
        version=who.version or (template.agent.version if same else ""),
        model=who.model or (template.agent.model if same else ""),
    )
    return out


def load(repo: Repository, name: str) -> Template:
    """The template of this name. Raises UsageError where there is none, BrokenTemplate with the file and the reason."""
    if not isinstance(name, str) or not small_file.NAME.fullmatch(name):
        raise UsageError(
            f"{codec.clean(str(name), 60)!r} is no name of a template", hint="use small letters, digits, . _ and -"
        )
    for folder, source in _folders(repo):
        path = os.path.join(folder, f"{name}.toml")
        if os.path.lexists(path):
            return parse(name, _text(path), source, path)
    raise UsageError(
        f"there is no template {name!r}", hint=f"`start --list-templates` names them; write {IN_REPOSITORY}/{name}.toml"
    )


def names(repo: Repository) -> tuple[str, ...]:
    """The names of all templates that are here, sorted."""
    return small_file.names(folder for folder, _ in _folders(repo))


def parse(name: str, data: bytes, source: str = "", path: str = "") -> Template:
    """The template in the text of a file. Raises BrokenTemplate."""
    try:
        return _template(name, codec.loads(data), source)
    except ValueError as e:
        raise _broken(path or name, str(e)) from e


def with_files(repo: Repository, template: Template, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the heads of the template's context files before the other documents, in its budget.

    A file that is not there, is ignored by git, or is no plain file is named with a note and not read.
    """
    top = repo.location.worktree
    if not template.context or top is None:
        return snapshot
    listed = _listed(top, template.context)
    folders = gather.Folders(top)
    wanted = [gather.File(p, folders.size(p), "", False) for p in template.context if p in listed]
    heads = reading.heads(gather.Place(top, bare=False), wanted, folders)
    sizes = {f.path: f.size for f in wanted}
    first = tuple(_document(p, sizes.get(p), heads.get(p)) for p in template.context)
    rest = tuple(d for d in snapshot.documents if d.path not in template.context)
    more = replace(snapshot, documents=(*first, *rest))
    return budget.fit(more, {"documents": len(more.documents)})


def _document(path: str, size: int | None, head: bytes | None) -> Document:
    name = redact(clean(path))
    if size is None:
        return Document(name, 0, note="not there, or ignored by git")
    text = reading.decode(head) if head is not None else None
    if text is None:
        return Document(name, size, note="no plain file" if head is None else "not text")
    note = "head only" if size > reading.HEAD_BYTES else ""
    return Document(name, size, redact(clean(text, newlines=True)).strip("\n"), note)


def _listed(top: str, paths: Sequence[str]) -> set[str]:
    """Those of the paths that git tracks or would take, as they are written."""
    words = ("--literal-pathspecs", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
    try:
        return set(os.fsdecode(git(*words, *paths, cwd=top)).split("\0"))
    except GitError:
        return set()


def _template(name: str, doc: Doc, source: str) -> Template:
    if unknown := sorted(doc.keys() - _KEYS):
        raise ValueError(f"it has the key {codec.clean(unknown[0], 40)!r}, which no template has")
    texts = {key: _line(doc, key) for key in _TEXTS}
    if texts["workflow"] and not small_file.NAME.fullmatch(texts["workflow"]):
        raise ValueError("its workflow is no name of one")
    paths = _texts(doc, "context", MAX_CONTEXT)
    for path in paths:
        if not _is_inside(path):
            raise ValueError(f"its context file {codec.clean(path, 60)!r} is no path below the worktree")
    agent = _table(doc, "agent")
    if unknown := sorted(agent.keys() - set(_AGENT)):
        raise ValueError(f"its agent has the key {codec.clean(unknown[0], 40)!r}; it can have {', '.join(_AGENT)}")
    return Template(
        name,
        **texts,
        tags=tuple(_texts(doc, "tags", 100)),
        context=tuple(dict.fromkeys(paths)),
        agent=Agent(**{key: _line(agent, key) for key in _AGENT}),
        meta=_table(doc, "meta"),
        source=source,
    )


def _is_inside(path: str) -> bool:
    """True for a path that can only name something below the worktree, on every system."""
    parts = path.split("/")
    strange = any(c in path for c in "\\:\0") or any(c < " " for c in path)
    return bool(path) and not strange and not any(p in ("", ".", "..") or p.lower() == ".git" for p in parts)


def _line(doc: Mapping[str, Any], key: str) -> str:
    value = doc.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"its {key} is no text of at most {MAX_TEXT} characters")
    return value


def _texts(doc: Mapping[str, Any], key: str, most: int) -> list[str]:
    value = doc.get(key, [])
    if not isinstance(value, list) or len(value) > most or not all(isinstance(v, str) and len(v) < 1000 for v in value):
        raise ValueError(f"its {key} is no list of at most {most} texts")
    return value


def _table(doc: Mapping[str, Any], key: str) -> Doc:
    value = doc.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"its {key} is no table")
    return value


def _folders(repo: Repository) -> list[tuple[str, str]]:
    top = repo.location.worktree
    found = []
    if given := repo.config(FOLDER_KEY):
        found.append((os.path.join(top or repo.location.git_dir, os.path.expanduser(given)), "config"))
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    found.append((os.path.join(home, "git-agent-session", "templates"), "user"))
    # a repository may bring a symbolic link in place of the folder
    if top and gather.Folders(top).real(IN_REPOSITORY.replace(os.sep, "/")):
        found.append((os.path.join(top, IN_REPOSITORY), "repository"))
    return found


def _text(path: str) -> bytes:
    try:
        return small_file.read(path, MAX_FILE)
    except (OSError, ValueError) as e:
        raise _broken(path, getattr(e, "strerror", None) or str(e)) from e


def _broken(path: str, reason: str) -> BrokenTemplate:
    return BrokenTemplate(f"the template {path} cannot be used: {reason}", hint="mend the file, or start without it")
