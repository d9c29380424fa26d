"""Sessions in memory, for the tests of programs that use this package: no repository, no file, nothing to clean up.

    from git_agent_session import memory

    store = memory.open()
    session = store.start(goal="Add rate limiting")
    store.log(session.id, "note", "it works")

The same checks, redaction and folding as in a repository, and the same errors; `work` and `aio.over` take it too. What
only git knows is not there: commits are the full ids that a test gives them, nothing is drained, shared or archived,
and no command can be run in a session. `SessionStore` is what both kinds of store promise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from git_agent_session import codec
from git_agent_session.errors import (
    AgentSessionError,
    BrokenSession,
    CommitNotFound,
    SessionNotFound,
    SessionState,
    UsageError,
)
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import Repository
from git_agent_session.ids import is_object_id
from git_agent_session.model import PAUSED, SNAPSHOT_TYPES, Agent, Doc, Event, Link, Session, State, fold
from git_agent_session.redact.engine import Redactor
from git_agent_session.store import entries
from git_agent_session.store.reader import Filter, Summary, Which
from git_agent_session.store.store import Store

# a place where nothing can be: whatever would write a file by mistake fails
_NOWHERE = os.path.join(os.devnull, "memory", ".git")

Sessions = list[Session]
Events = list[Event]
Links = list[Link]
Texts = list[str]
Ids = set[str]
Snapshots = list[tuple[Event, Doc]]


class SessionStore(Protocol):
    """What a store of sessions does, wherever it keeps them; the methods are described at `Store` and `Reader`."""

    def is_off(self) -> bool: ...
    def ids(self) -> set[str]: ...
    def current_id(self) -> str | None: ...
    def current(self) -> Session | None: ...
    def resolve(self, text: str | None = None) -> str: ...
    def get(self, session: str | None = None) -> Session: ...
    def history(
        self,
        session: str | None = None,
        *,
        kinds: Sequence[str] = (),
        limit: int | None = None,
        reverse: bool = False,
    ) -> Events: ...
    def commits(self, session: str | None = None) -> Links: ...
    def which(self, revision: str) -> Sequence[Which]: ...
    def contexts(self, session: str | None = None) -> Snapshots: ...
    def summary(self, session: str | None = None) -> Summary: ...
    def start(
        self,
        *,
        goal: str = "",
        title: str = "",
        type: str = "",
        project: str = "",
        user: str = "",
        parent: str = "",
        workflow: str = "",
        phase: str = "",
        agent: Agent | str = "",
        tags: Sequence[str] = (),
        meta: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        forked_from: Mapping[str, str] | None = None,
        activate: bool = True,
    ) -> Session: ...
    def end(
        self, session: str | None = None, *, status: str = "completed", message: str = "", phase: str = ""
    ) -> Session: ...
    def pause(self, session: str | None = None) -> Session: ...
    def resume(self, session: str | None = None, *, activate: bool = True) -> Session: ...
    def switch(self, session: str) -> Session: ...
    def delete(self, session: str) -> Session: ...
    def append(
        self, session: str | None, kind: str, data: Mapping[str, Any] | None = None, *, id: str = ""
    ) -> Event: ...
    def log(
        self, session: str | None, type: str, text: str, *, role: str = "", meta: Mapping[str, Any] | None = None
    ) -> Event: ...
    def metric(
        self, session: str | None, name: str, value: int | float, *, meta: Mapping[str, Any] | None = None
    ) -> Event: ...
    def usage(self, session: str | None = None, **amounts: int | float) -> Event: ...
    def tag(self, session: str | None, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Event: ...
    def add_context(self, session: str | None, snapshot: Mapping[str, Any], *, type: str = "update") -> Event: ...
    def link(self, session: str | None, revisions: Sequence[str], *, primary: bool = False) -> Texts: ...
    def unlink(self, session: str | None, revisions: Sequence[str]) -> Texts: ...
    def drain(self, session: str | None = None) -> None: ...
    # last, for their names are those of types above
    def set(self, session: str | None = None, **changes: Any) -> Event: ...
    def list(self, where: Filter | None = None, *, limit: int | None = None) -> Sessions: ...


def open(*, user: str = "Ada Tester <ada@example.org>", config: Mapping[str, str] | None = None) -> MemoryStore:
    """A store without sessions. `config` holds settings such as `{"agentSession.resumeMinutes": "5"}`."""
    return MemoryStore(_NoRepository(user, config or {}))


@dataclass(slots=True)
class _Kept:
    """A session: its events in order, what they fold into, and its snapshots by the id of their event."""

    events: Events = field(default_factory=list)
    state: State = field(default_factory=State)
    snapshots: dict[str, Doc] = field(default_factory=dict)
    open: bool = True


class MemoryStore(Store):
    """A Store that keeps all in memory and forgets it with itself; one thread at a time."""

    def __init__(self, repo: _NoRepository) -> None:
        super().__init__(cast(Repository, repo))
        self._kept: dict[str, _Kept] = {}
        self._active: str | None = None
        self._recent: Texts = []
        self._redact = Redactor()

    # -- which session

    def ids(self) -> Ids:
        """The ids of all sessions here."""
        return {*self._kept}

    def current_id(self) -> str | None:
        """The id of the active session, or None."""
        return self._active if self._active in self._kept else None

    def resolve(self, text: str | None = None) -> str:
        """As `Reader.resolve`."""
        if isinstance(text, str) and text.startswith("@{-") and text[3:-1].isdigit():
            before = [i for i in dict.fromkeys(reversed(self._recent)) if i != self._active and i in self._kept]
            n = int(text[3:-1])
            if not 1 <= n <= len(before):
                raise SessionNotFound(f"this worktree has had no session {text}", hint="see `git agent-session list`")
            return before[n - 1]
        return super().resolve(text)

    def _exists(self, session_id: str) -> bool:
        return session_id in self._kept

    # -- reading

    def _state(self, session_id: str) -> State:
        return self._at(session_id).state

    def _at(self, session_id: str) -> _Kept:
        try:
            return self._kept[session_id]
        except KeyError:
            raise SessionNotFound(f"no session {session_id}", hint="see `git agent-session list`") from None

    def list(self, where: Filter | None = None, *, limit: int | None = None) -> Sessions:
        """As `Reader.list`; nothing is ever broken."""
        found = [s for k in self._kept.values() if (where or Filter()).takes(s := k.state.session())]
        found.sort(key=lambda s: (s.started_at, s.id), reverse=True)
        return found if limit is None else found[:limit]

    def refresh(self) -> None:
        """Nothing is cached."""

    def broken_archives(self) -> Sequence[BrokenSession]:
        """There are no archives."""
        return []

    def history(
        self,
        session: str | None = None,
        *,
        kinds: Sequence[str] = (),
        limit: int | None = None,
        reverse: bool = False,
    ) -> Events:
        """As `Reader.history`."""
        events = self._at(self.resolve(session)).events
        found = [e for e in events if not kinds or e.kind in kinds or e.data.get("type") in kinds]
        found = found if limit is None else found[max(0, len(found) - limit) :]
        return found[::-1] if reverse else found

    def _links(self, session_id: str) -> dict[str, Link]:
        return self._at(session_id).state.links

    def which(self, revision: str) -> Sequence[Which]:
        """As `Reader.which`, from the sessions themselves: there are no notes."""
        commit = self.repo.resolve(revision)
        found = []
        for kept in self._kept.values():
            link = kept.state.links.get(commit)
            if link is not None and not link.replaced_by:
                found.append((not link.primary, link.at, Which(kept.state.session(), link)))
        found.sort(key=lambda row: row[:2])
        return [replace(w, link=replace(w.link, primary=n == 0)) for n, (_, _, w) in enumerate(found)]

    def contexts(self, session: str | None = None) -> Snapshots:
        """As `Reader.contexts`."""
        kept = self._kept.get(self.resolve(session), _Kept())
        return [(e, kept.snapshots[e.id]) for e in kept.events if e.id in kept.snapshots]

    def settle(self) -> None:
        """There are no hooks that could have left anything."""

    # -- writing

    def _start(
        self, session_id: str, who: Agent, events: Events, context: Mapping[str, Any] | None, activate: bool
    ) -> Session:
        if session_id in self._kept:
            raise SessionState(
                f"session {session_id[:8]} of {who.type} exists already",
                hint=f"`git agent-session resume {session_id[:8]}` reopens it",
            )
        self._kept[session_id] = _Kept()
        try:
            self._append(session_id, events)
            if context:
                self.add_context(session_id, context, type="initial")
        except AgentSessionError:
            del self._kept[session_id]
            raise
        self._open(session_id, who.type, activate=activate)
        return self.get(session_id)

    def _record(self, session: str | None, kind: str, data: Mapping[str, Any], id: str = "") -> Event:
        session_id = self.resolve(session)
        self._at(session_id)
        event = self._event(session_id, kind, data, id)
        self._append(session_id, [event])
        return event

    def _append(self, session_id: str, events: Sequence[Event]) -> None:
        kept = self._at(session_id)
        known = {e.id for e in kept.events}
        for event in events:
            if event.id not in known:
                known.add(event.id)
                numbered = replace(event, clock=len(kept.events) + 1)
                kept.events.append(numbered)
                kept.state = fold(session_id, [numbered], kept.state if kept.state.doc else None)

    def _redactor(self, session_id: str) -> Redactor:
        return self._redact

    def resume(self, session: str | None = None, *, activate: bool = True) -> Session:
        """As `Store.resume`."""
        current = self.get(session)
        kept = self._at(current.id)
        if current.ended or current.status == PAUSED:
            self._append(current.id, [self._event(current.id, "resume", {})])
        elif kept.open and (not activate or self._active == current.id):
            raise SessionState(f"session {current.id[:8]} is active already", hint="nothing to do")
        self._open(current.id, current.agent.type, activate=activate)
        return self.get(current.id)

    def delete(self, session: str) -> Session:
        """Forget a session; returns what it was."""
        session_id = self.resolve(session)
        gone = self._at(session_id).state.session()
        del self._kept[session_id]
        return gone

    def add_context(self, session: str | None, snapshot: Mapping[str, Any], *, type: str = "update") -> Event:
        """As `Store.add_context`."""
        if entries.text(type, "type") not in SNAPSHOT_TYPES:
            raise UsageError(f"{codec.clean(type, 40)!r} is no snapshot type", hint=f"use {', '.join(SNAPSHOT_TYPES)}")
        kept = self._at(self.resolve(session))
        events: Events = []
        files = self._add_snapshot(kept.state.session().id, events, snapshot, type)
        self._append(kept.state.session().id, events)
        kept.snapshots[events[0].id] = codec.loads(next(iter(files.values())))
        return events[0]

    def link(self, session: str | None, revisions: Sequence[str], *, primary: bool = False) -> Texts:
        """Link commits, each by its full id; returns those that were not linked so before."""
        current = self.get(session)
        known, new = self._links(current.id), []
        for commit in dict.fromkeys(self.repo.resolve(r) for r in entries.texts(revisions, "revisions")):
            if commit not in known or (primary and not known[commit].primary):
                data: Doc = {"commit": commit, "via": "manual", **({"primary": True} if primary else {})}
                new.append(self._event(current.id, "commit", data))
        return self._write_links(current.id, new)

    def drain(self, session: str | None = None) -> None:
        """Nothing waits."""
        self.resolve(session)

    def drain_all(self) -> list[AgentSessionError]:  # type: ignore[valid-type]
        """Nothing waits."""
        return []

    def _open(self, session_id: str, agent_type: str | None, *, activate: bool) -> None:
        if agent_type is not None:
            self._at(session_id).open = True
        if activate:
            self._active = session_id
            self._recent.append(session_id)

    def _close(self, session_id: str, *, stays_active: bool = False) -> None:
        self._at(session_id).open = False
        if not stays_active and self._active == session_id:
            self._active = None

    def _prepare(self) -> None:
        pass


class _NoRepository:
    """What a Store asks of a Repository, where there is none: who the user is, settings, and what a commit's id is."""

    def __init__(self, user: str, config: Mapping[str, str]) -> None:
        name, _, mail = user.partition(" <")
        self.identity = (name, mail.removesuffix(">"))
        self.location = Location(_NOWHERE, _NOWHERE, None)
        self._config = {k.lower(): v for k, v in config.items()}

    def config(self, key: str) -> str | None:
        return self._config.get(key.lower())

    def config_bool(self, key: str, default: bool) -> bool:
        found = self.config(key)
        return default if found is None else found.lower() in ("true", "yes", "on", "1")

    def resolve(self, revision: str) -> str:
        if isinstance(revision, str) and is_object_id(revision):
            return revision
        raise CommitNotFound(f"no commit is named {str(revision)[:60]!r}", hint="in memory, give its full id")

    def head(self) -> None:
        return None

    def commit_facts(self, commit: str) -> dict[str, object]:
        return {}

    def changed_paths(self, commit: str) -> tuple[list[str], str]:
        return [], ""
