"""Full text search over all that sessions hold: what a person types, with its filters, and the events that fit.

    from git_agent_session.answers import search

    for hit in search.search(store, 'limiter "token bucket" agent:codex -test'): ...
    for session in search.touching(store, "src/*.py"): ...

The index does the work (`git_agent_session.index`); here a query is read, and the index is brought up to date first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from git_agent_session import index
from git_agent_session.errors import CommitNotFound, UsageError
from git_agent_session.git.run import git, run
from git_agent_session.ids import is_kind, is_object_id, is_timestamp
from git_agent_session.index.derived import Index
from git_agent_session.index.refresh import Progress
from git_agent_session.index.search import Hit, Where
from git_agent_session.model import STATUSES, Session
from git_agent_session.store.reader import Reader

# how a date is read: the name of the filter and what was typed -> RFC 3339
Moment = Callable[[str, str], str]

FILTERS = (
    *("agent", "file", "since", "until", "tag", "commit", "branch", "user", "status", "project", "session", "kind"),
)
# what a query of filters alone finds, where it does not say which kinds
SAID = ("message",)
# characters of a query
MAX_QUERY = 4000

_PART = re.compile(r'-?(?:([a-z]+):(?:"[^"]*"|\S*)|"[^"]*"|\S+)')


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was understood: the words to find, those that may not be there, and the filters by name."""

    words: str
    without: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)


def parse(query: str) -> Asked:
    """Read a query: words, `"phrases"`, `begin*`, `-without`, and filters such as `agent:codex` or `file:src/`.

    Raises UsageError for a filter without a value, or one that is given twice.
    """
    if len(query) > MAX_QUERY:
        raise UsageError(f"the query is longer than {MAX_QUERY} characters", hint="search for less")
    words: list[str] = []
    without: list[str] = []
    filters: dict[str, str] = {}
    for match in _PART.finditer(query.replace("\0", " ")):
        part, name = match[0], match[1]
        if name in FILTERS and not part.startswith("-"):
            value = part[len(name) + 1 :].strip('"')
            if not value:
                raise UsageError(
                    f"{name}: has no value", hint=f"write it without a space, as in {name}:{_EXAMPLES[name]}"
                )
            if name in filters:
                raise UsageError(f"{name}: is given twice", hint="give one")
            filters[name] = value
        elif part.startswith("-") and len(part) > 1:
            without.append(part[1:])
        else:
            words.append(part)
    return Asked(" ".join(words), tuple(without), filters)


_EXAMPLES = {
    "agent": "codex",
    "file": "src/app.py",
    "since": "yesterday",
    "until": "2026-01-31",
    "tag": "api",
    "commit": "HEAD",
    "branch": "topic",
    "user": "ada",
    "status": "completed",
    "project": "web",
    "session": "3f2a9c1e",
    "kind": "message",
}


def search(
    store: Reader,
    query: str,
    *,
    filters: Mapping[str, str] | None = None,
    limit: int = 20,
    moment: Moment | None = None,
    progress: Progress | None = None,
) -> list[Hit]:
    """The events that fit `query`, the best first; `filters` has more of FILTERS, which win over the query's own.

    Filters without a word find what was said in the sessions that fit, or the events of the kinds that are named, the
    youngest first. The index is brought up to date first, `progress` as for `Index.refresh`. `moment` reads the dates
    of `since` and `until`; without it they must be RFC 3339. Raises UsageError for a query that cannot be,
    CommitNotFound, SessionNotFound, StorageError.
    """
    asked = parse(query)
    named = {**asked.filters, **(filters or {})}
    where = _where(store, named, asked.without, moment or _exact)
    wordless = not any(c.isalnum() for c in asked.words)
    if wordless and (asked.words or not named):
        raise UsageError("there is no word to search for", hint="give words, or filters such as agent:codex")
    found = index.open(store)
    found.refresh(progress)
    if "branch" in named:
        where = replace(where, among=_on(store, found, named["branch"]))
    if wordless:
        return found.youngest(where if where.kinds else replace(where, kinds=SAID), limit=limit)
    return found.search(asked.words, where, limit=limit)


def _on(store: Reader, found: Index, branch: str) -> list[str]:
    """The sessions with a commit that a branch reaches, or a range such as `main..topic` holds."""
    git_dir = store.repo.location.git_dir
    args = ("rev-list", "--end-of-options", branch.replace("\0", " "), "--")
    done = run(*args, cwd=git_dir, env={"GIT_DIR": git_dir}, check=False)
    if done.returncode:
        raise CommitNotFound(f"no branch is named {branch[:60]!r}", hint="see `git branch --all`")
    reached = set(done.stdout.decode("ascii", "replace").split())
    links = found.query("SELECT session, commit_id FROM commits")
    return sorted({session for session, commit in links if commit in reached})


def nothing(query: str) -> str:
    """What to say of a query that nothing fits."""
    for match in _PART.finditer(query):
        if match[1] and match[1] not in FILTERS:
            return f"nothing has all of that; {match[1][:20]}: is no filter: these are {', '.join(FILTERS)}"
    return "nothing has all of that; fewer words find more"


def touching(
    store: Reader, path: str, *, follow: bool = False, limit: int | None = None, progress: Progress | None = None
) -> list[Session]:
    """The sessions that had to do with a file, a folder or what a pattern fits, the youngest first.

    With `follow` under the names too that the file had before (git-log(1), --follow). Paths are relative to the top of
    the worktree. Raises UsageError for an empty path, StorageError.
    """
    if not path.strip() or "\0" in path:
        raise UsageError("no path is given", hint="give a file, a folder or a pattern, as git names them")
    found = index.open(store)
    found.refresh(progress)
    ids = {i for name in (names(store, path) if follow else [path]) for i in found.touched(name)}
    sessions = sorted(found.those(ids), key=lambda s: (s.started_at, s.id), reverse=True)
    return sessions if limit is None else sessions[:limit]


def names(store: Reader, path: str) -> list[str]:
    """The names that a file has had, the latest first."""
    location = store.repo.location
    args = ("-c", "core.quotePath=false", "log", "--follow", "--name-only", "--format=", "-z", "--", path)
    said = git(*args, cwd=location.worktree or location.git_dir, env={"GIT_DIR": location.git_dir}, check=False)
    listed = said.decode("utf-8", "backslashreplace").replace("\n", "\0").split("\0")
    return list(dict.fromkeys([path, *filter(None, listed)]))


def _where(store: Reader, filters: Mapping[str, str], without: Sequence[str], moment: Moment) -> Where:
    values: dict[str, Any] = {"without": tuple(without)}
    for name, value in filters.items():
        if name in ("agent", "tag", "user", "project"):
            values[name] = value
        elif name == "file":
            values["path"] = value
        elif name in ("since", "until"):
            values[name] = moment(name, value)
        elif name == "commit":
            values["commit"] = value if is_object_id(value) else store.repo.resolve(value)
        elif name == "session":
            values["session"] = store.resolve(value)
        elif name == "status":
            values["statuses"] = _statuses(value)
        elif name == "kind":
            values["kinds"] = _kinds(value)
        elif name != "branch":
            raise UsageError(f"{name[:60]!r} is no filter", hint=f"use {', '.join(FILTERS)}")
    return Where(**values)


def _statuses(value: str) -> tuple[str, ...]:
    wanted = tuple(word for word in value.split(",") if word)
    for word in wanted:
        if word not in STATUSES:
            raise UsageError(f"{word[:60]!r} is no status", hint=f"use {', '.join(STATUSES)}")
    return wanted


def _kinds(value: str) -> tuple[str, ...]:
    wanted = tuple(word for word in value.split(",") if word)
    for word in wanted:
        if not is_kind(word):
            raise UsageError(f"{word[:60]!r} is no kind of event", hint="such as message, tool or decision")
    return wanted


def _exact(name: str, text: str) -> str:
    if not is_timestamp(text):
        raise UsageError(f"{name}: {text[:60]!r} is no time", hint="give one such as 2026-01-31T00:00:00.000Z")
    return text
