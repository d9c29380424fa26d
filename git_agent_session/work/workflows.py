"""Workflows: the phases of a session and which may follow which, as TOML.

    schema = 1
    description = "…"
    initial = "created"
    phases = ["created", "build"]            # those in which work goes on
    [final]                                  # a phase that ends the session -> the status it ends with
    complete = "completed"
    [transitions]                            # absent: any phase may follow any other
    created = ["build"]
    [resume]                                 # see work.deciding
    phases = ["build"]
    minutes = 30
    errors = 3
    [skip]                                   # the type of a session -> the phases that it leaves out
    quick = ["created"]

A workflow NAME is the file NAME.toml in the folder that `agentSession.workflows` names, else in the worktree's
`.agent-session/workflows`, else in this package. Anybody may have written a file of the repository: it is bounded and
links are not followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session import bounds, codec
from git_agent_session.errors import BrokenWorkflow, UsageError
from git_agent_session.git.repository import Repository
from git_agent_session.model import END_STATUSES, Session
from git_agent_session.store.entries import shown
from git_agent_session.store.store import Store
from git_agent_session.work import small_file

PHASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
IN_REPOSITORY = os.path.join(".agent-session", "workflows")
FOLDER_KEY = "agentSession.workflows"
# bytes of a file, phases of a workflow
MAX_FILE = 64 * 1024
MAX_PHASES = 100

_BUILT_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workflows")
_KEYS = frozenset({"schema", "name", "description", "initial", "phases", "final", "transitions", "resume", "skip"})

# `list` is a function's name below
Places = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Rules:
    """When work is resumed: the phases, the minutes since the last event, the errors that are too many."""

    phases: tuple[str, ...] = ("approval", "investigating", "planning")
    minutes: float = 30
    errors: int = 3


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow. `phases` do not hold the final ones; `final` maps these to the status that a session ends with."""

    name: str
    initial: str
    phases: tuple[str, ...]
    final: Mapping[str, str]
    transitions: Mapping[str, tuple[str, ...]]
    rules: Rules
    skips: Mapping[str, frozenset[str]]
    description: str = ""
    source: str = ""

    def known(self, type: str = "") -> tuple[str, ...]:
        """All phases of a session of this type, the final ones last."""
        skipped = self.skips.get(type, frozenset())
        return (*(p for p in self.phases if p not in skipped), *self.final)

    def allowed(self, phase: str, type: str = "") -> tuple[str, ...]:
        """The phases that may follow `phase`, in the workflow's order.

        A phase that ends the session without success may always follow. After a final phase (the session was reopened)
        and after one that the workflow does not know, work may go on in any.
        """
        known = self.known(type)
        if phase in self.final or phase not in self.phases:
            return tuple(p for p in known if p not in self.final)
        if not self.transitions:
            return tuple(p for p in known if p != phase)
        next_ = self._next(phase, self.skips.get(type, frozenset()), {phase})
        next_ |= {p for p, status in self.final.items() if status != "completed"}
        return tuple(p for p in known if p in next_ and p != phase)

    def _next(self, phase: str, skipped: frozenset[str], met: set[str]) -> set[str]:
        """What follows a phase; for one that is left out, what follows that."""
        found: set[str] = set()
        for after in self.transitions.get(phase, ()):
            if after not in skipped:
                found.add(after)
            elif after not in met:
                met.add(after)
                found |= self._next(after, skipped, met)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The keys of the file, and `name` and `source`."""
        out: dict[str, Any] = {"name": self.name, "source": self.source}
        if self.description:
            out["description"] = self.description
        out |= {"initial": self.initial, "phases": [*self.phases], "final": dict(self.final)}
        out["transitions"] = {k: [*v] for k, v in self.transitions.items()}
        rules = self.rules
        out["resume"] = {"phases": [*rules.phases], "minutes": rules.minutes, "errors": rules.errors}
        out["skip"] = {k: sorted(v) for k, v in self.skips.items()}
        return out


def start(store: Store, workflow: str, **given: Any) -> Session:
    """`Store.start(**given)` with a workflow: the session begins in the workflow's first phase.

    Raises what `load` and `Store.start` raise, before anything is written.
    """
    found = load(store.repo, workflow)
    return store.start(workflow=found.name, phase=found.initial, **given)


def load(repo: Repository, name: str) -> Workflow:
    """The workflow of this name. Raises UsageError where there is none, BrokenWorkflow with the file and the reason."""
    if not isinstance(name, str) or not small_file.NAME.fullmatch(name):
        raise UsageError(
            f"{codec.clean(str(name), 60)!r} is no name of a workflow", hint="use small letters, digits, . _ and -"
        )
    for folder, source in _folders(repo):
        path = os.path.join(folder, f"{name}.toml")
        try:
            seen = os.lstat(path)
        except OSError:
            continue
        key = (path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
        known = _read.get(path)
        if known is None or known[0] != key:
            known = _read[path] = (key, parse(name, _text(path), source, path))
            if len(_read) > small_file.MAX_FILES:
                _read.clear()
        return known[1]
    raise UsageError(
        f"there is no workflow {name!r}",
        hint=f"use {', '.join(names(repo))}, or write {IN_REPOSITORY}/{name}.toml",
    )


# path -> (how the file looked, what it said): a phase is moved far more often than a file changes
_read: dict[str, tuple[tuple[str, int, int, int], Workflow]] = {}


def names(repo: Repository) -> tuple[str, ...]:
    """The names of all workflows that can be used here, sorted."""
    return small_file.names(folder for folder, _ in _folders(repo))


def _folders(repo: Repository) -> Places:
    found: Places = []
    top = repo.location.worktree
    if given := repo.config(FOLDER_KEY):
        found.append((os.path.join(top or repo.location.git_dir, os.path.expanduser(given)), "config"))
    if top:
        found.append((os.path.join(top, IN_REPOSITORY), "repository"))
    found.append((_BUILT_IN, "built-in"))
    return found


def _text(path: str) -> bytes:
    try:
        return small_file.read(path, MAX_FILE)
    except OSError as e:
        raise _broken(path, e.strerror or "it cannot be read") from e
    except ValueError as e:
        raise _broken(path, str(e)) from e


def parse(name: str, data: bytes, source: str = "", path: str = "") -> Workflow:
    """The workflow in a document. Raises BrokenWorkflow, which names `path` and the reason."""
    try:
        return _workflow(name, codec.loads(data), source)
    except ValueError as e:
        raise _broken(path or name, str(e)) from e


def _broken(path: str, reason: str) -> BrokenWorkflow:
    return BrokenWorkflow(
        f"the workflow {codec.clean(path, 300)} cannot be used: {codec.clean(reason, 300)}",
        hint="docs/workflows.md tells its form",
    )


def _workflow(name: str, doc: Mapping[str, Any], source: str) -> Workflow:
    if unknown := sorted(doc.keys() - _KEYS):
        raise ValueError(f"it has a key {unknown[0][:60]!r}, which is none of {', '.join(sorted(_KEYS))}")
    if type(doc.get("schema", 1)) is not int or doc.get("schema", 1) != 1:
        raise ValueError("its schema is not 1")
    phases = _words(doc.get("phases"), "phases")
    if not phases:
        raise ValueError("it has no phases")
    final = dict(_final(_table(doc, "final"), phases))
    every = {*phases, *final}
    initial = doc.get("initial", phases[0])
    if initial not in phases:
        raise ValueError(f"initial is {shown(initial)}, which is none of its phases")
    transitions = dict(_named(_table(doc, "transitions"), "transitions", phases, every))
    skips = {k: frozenset(v) for k, v in _named(_table(doc, "skip"), "skip", None, phases)}
    if any(initial in skipped for skipped in skips.values()):
        raise ValueError(f"the first phase, {initial}, cannot be left out")
    description = doc.get("description", "")
    if not isinstance(description, str):
        raise ValueError("description is no text")
    description = " ".join(codec.clean(description, 300).split())
    rules = _rules(_table(doc, "resume"), phases)
    return Workflow(name, initial, phases, final, transitions, rules, skips, description, source)


def _table(doc: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = doc.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} is no table")
    return value


def _words(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_PHASES:
        raise ValueError(f"{what} is no list of up to {MAX_PHASES} phases")
    for word in value:
        if not isinstance(word, str) or not PHASE.fullmatch(word):
            raise ValueError(f"{what} holds {shown(word)}, which is no name of a phase")
    return tuple(dict.fromkeys(value))


def _final(table: Mapping[str, Any], phases: Iterable[str]) -> Iterator[tuple[str, str]]:
    if len(table) > MAX_PHASES:
        raise ValueError(f"it has more than {MAX_PHASES} final phases")
    for phase, status in table.items():
        if not PHASE.fullmatch(phase) or phase in phases:
            raise ValueError(f"final holds {shown(phase)}, which is no name of a phase or stands among phases too")
        if status not in END_STATUSES:
            raise ValueError(f"the final phase {phase} has the status {shown(status)}: use {', '.join(END_STATUSES)}")
        yield phase, status


def _named(
    table: Mapping[str, Any], what: str, heads: Iterable[str] | None, takes: Iterable[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of `transitions` or `skip`: the heads among `heads` (None: any word), the values among `takes`."""
    if len(table) > MAX_PHASES:
        raise ValueError(f"{what} has more than {MAX_PHASES} rows")
    for head, value in table.items():
        if not PHASE.fullmatch(head) or (heads is not None and head not in heads):
            raise ValueError(f"{what} has a row {shown(head)}, which is none of its phases")
        words = _words(value, f"{what}.{head}")
        for word in words:
            if word not in takes:
                raise ValueError(f"{what}.{head} holds {shown(word)}, which is none of its phases")
        yield head, words


def _rules(table: Mapping[str, Any], phases: Iterable[str]) -> Rules:
    usual = Rules()
    minutes, errors = table.get("minutes", usual.minutes), table.get("errors", usual.errors)
    if not bounds.is_amount(minutes) or minutes <= 0:
        raise ValueError(f"resume.minutes is {minutes!r:.40}, which is no number above 0")
    if type(errors) is not int or errors <= 0:
        raise ValueError(f"resume.errors is {errors!r:.40}, which is no whole number above 0")
    found = _words(table.get("phases", []), "resume.phases")
    for word in found:
        if word not in phases:
            raise ValueError(f"resume.phases holds {shown(word)}, which is none of its phases")
    return Rules(found, minutes, errors)
