"""Reading sessions: state, lists, history, links. What waits in the journal and what is on the ref are one.

Reading writes caches, and works in what git hooks left about rewritten commits; where it cannot write, it only reads.
Nothing here knows where sessions come from or how they are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from git_agent_session import bounds, journal, live
from git_agent_session.errors import AgentSessionError, BrokenSession, SessionNotFound, UsageError
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_session_id
from git_agent_session.model import Doc, Event, Link, Session, State, fold
from git_agent_session.store import links, lookup, rewrites
from git_agent_session.store.asked import Filter as Filter
from git_agent_session.store.drain import read_state, unseen
from git_agent_session.store.order import in_order
from git_agent_session.store.seen import Seen, chain_events

# `list` is a method's name below
Sessions = list[Session]
Events = list[Event]
Links = list[Link]
Snapshots = list[tuple[Event, Doc]]


class Excerpts(Protocol):
    """A cache of states by tip; losing it, or having none, only costs time."""

    def load(self) -> dict[str, tuple[str, Doc]]:
        """Session id -> (tip, state at that tip)."""

    def save(self, rows: Mapping[str, tuple[str, Doc]], gone: Iterable[str]) -> None:
        """Keep newer rows, drop those of sessions that are gone."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A state as it was last read, and from what: how the journal looked, the ref's tip, the ids of all its events."""

    look: journal.Look
    tip: str | None
    state: State
    ids: set[str] | None = None
    mark: journal.Mark | None = None


@dataclass(frozen=True, slots=True)
class Which:
    """A session that a commit belongs to."""

    session: Session
    link: Link


@dataclass(frozen=True, slots=True)
class Summary:
    """A session with what it did, in one object: the session, its links, and how long it was open in ms."""

    session: Session
    commits: tuple[Link, ...]
    duration_ms: int
    tools: Mapping[str, int] = field(default_factory=dict)


class Reader:
    """Sessions of one repository, to be read."""

    def __init__(
        self, repo: Repository, env: Mapping[str, str] | None = None, excerpts: Excerpts | None = None
    ) -> None:
        self.repo = repo
        self.env = env if env is not None else {}
        self.excerpts = excerpts
        self._cache: dict[str, tuple[str, Doc]] | None = None
        self._made: dict[str, Session] = {}
        self._states: dict[str, _Known] = {}
        self.broken: list[BrokenSession] = []

    @property
    def shared(self) -> str:
        """The plugin's folder in the common git directory."""
        return self.repo.location.shared

    @property
    def private(self) -> str:
        """The plugin's folder of this worktree."""
        return self.repo.location.private

    # -- which session

    def ids(self) -> set[str]:
        """The ids of all sessions here."""
        return set(self.repo.sessions()) | {i for i in journal.waiting(self.shared) if live.is_open(self.shared, i)}

    def current_id(self) -> str | None:
        """The id of the current session: `GIT_AGENT_SESSION`, else the running agent's, else this worktree's."""
        return lookup.current(self.repo.location, self.env, self.ids, self._exists)

    def _exists(self, session_id: str) -> bool:
        return self.repo.tip(SESSIONS + session_id) is not None or session_id in journal.waiting(self.shared)

    def resolve(self, text: str | None = None) -> str:
        """The full id that `text` names (default `@`, the current one). Raises SessionNotFound, AmbiguousSession."""
        if text is not None and not isinstance(text, str):
            raise UsageError(f"{type(text).__name__} is no session id", hint="give the id as a text")
        if text is None or text == "@":
            found = self.current_id()
            if found is None:
                raise SessionNotFound(
                    "there is no current session here", hint="`git agent-session start` opens one, `list` shows all"
                )
            return found
        if text.startswith("@{"):
            before = lookup.previous(text, self.repo.location, self.current_id(), self._exists)
            if before is not None:
                return before
        if is_session_id(text):
            return text
        return lookup.expand(text, self.ids())

    # -- state

    def get(self, session: str | None = None) -> Session:
        """The state of a session, its journal included. Raises SessionNotFound, BrokenSession."""
        session_id = self.resolve(session)
        self.settle()
        return self._state(session_id).session()

    def current(self) -> Session | None:
        """The current session, or None."""
        session_id = self.current_id()
        try:
            return self._state(session_id).session() if session_id else None
        except SessionNotFound:
            return None

    def _state(self, session_id: str) -> State:
        # taken before anything is read: what comes in between makes the next look differ
        look = journal.signature(self.shared, session_id)
        tip = self.repo.tip(SESSIONS + session_id)
        known = self._states.get(session_id)
        if known is None or known.look != look or known.tip != tip:
            grown = self._fold_on(session_id, known, look) if known is not None and known.tip == tip else None
            known = self._states[session_id] = grown or self._read_state(session_id, look, tip)
        return known.state

    def _fold_on(self, session_id: str, known: _Known, look: journal.Look) -> _Known | None:
        """What is known, with what was appended to the live journal since; None where more than that has changed."""
        if known.ids is None or known.mark is None or known.look[0] != look[0]:
            return None
        more = journal.read_on(self.shared, session_id, known.mark)
        if more is None:
            return None
        fresh = unseen(more[0], known.ids)
        state = fold(session_id, _numbered(fresh, known.state.doc), known.state)
        known.ids.update(e.id for e in fresh)
        return _Known(look, known.tip, state, known.ids, more[1])

    def _read_state(self, session_id: str, look: journal.Look, looked: str | None) -> _Known:
        pending = journal.read(self.shared, session_id)
        tip = self.repo.tip(SESSIONS + session_id)
        if tip is None and not any(e.kind == "start" for e in pending.events):
            raise SessionNotFound(f"no session {session_id}", hint="see `git agent-session list`")
        doc = read_state(self.repo, session_id, tip) if tip else None
        if not pending.events:
            return _Known(look, looked, State(doc))
        seen = Seen.load(self.shared, self.repo, session_id, tip)
        fresh = unseen(pending.events, seen.ids)
        state = fold(session_id, _numbered(fresh, doc), State(doc, seen.links()))
        return _Known(look, looked, state, seen.ids | {e.id for e in fresh}, pending.mark)

    def list(self, where: Filter | None = None, *, limit: int | None = None) -> Sessions:
        """Sessions, the youngest first. Those that cannot be read are left out and stand in `broken`."""
        where = where or Filter()
        self.broken = []
        self.settle()
        found = self._committed()
        self.broken_archives()
        for session_id in journal.waiting(self.shared):
            try:
                session = self._state(session_id).session()
                found[session_id] = session.doc
                self._made[session_id] = session
            except BrokenSession as e:
                self._report(e)
            except SessionNotFound:
                found.pop(session_id, None)
        fit = [(doc.get("started_at", ""), session_id) for session_id, doc in found.items() if where.takes_doc(doc)]
        fit.sort(reverse=True)
        return [self._session(i, found[i]) for _, i in (fit if limit is None else fit[:limit])]

    def _session(self, session_id: str, doc: Doc) -> Session:
        made = self._made.get(session_id)
        if made is None or made.doc is not doc:
            made = self._made[session_id] = Session.from_doc(doc)
        return made

    def _committed(self) -> dict[str, Doc]:
        tips = self.repo.sessions()
        if self._cache is None:
            rows = self.excerpts.load() if self.excerpts else {}
            self._cache = dict(rows)
        cache = self._cache
        fresh: dict[str, tuple[str, Doc]] = {}
        for session_id, tip in tips.items():
            if session_id in cache and cache[session_id][0] == tip:
                continue
            try:
                doc = read_state(self.repo, session_id, tip)
            except BrokenSession as e:
                self._report(e)
                cache.pop(session_id, None)
                continue
            fresh[session_id] = (tip, doc)
            cache[session_id] = (tip, doc)
        gone = cache.keys() - tips.keys()
        for session_id in gone:
            del cache[session_id]
            self._made.pop(session_id, None)
        if self.excerpts and (fresh or gone):
            self.excerpts.save(fresh, gone)
        return {i: doc for i, (_, doc) in cache.items()}

    def broken_archives(self) -> Sequence[BrokenSession]:
        """The archives that cannot be read, which now stand in `broken` too."""
        found = [
            BrokenSession(f"the archive {month} cannot be read: {why}", hint="other sessions still work")
            for month, why in self.repo.archives.broken().items()
        ]
        for error in found:
            self._report(error)
        return found

    def _report(self, error: BrokenSession) -> None:
        if all(error.message != e.message for e in self.broken):
            self.broken.append(error)

    def refresh(self) -> None:
        """Forget what was read, and read what a list needs anew."""
        self._cache, self._states, self._made = None, {}, {}
        self.list()

    # -- history

    def history(
        self,
        session: str | None = None,
        *,
        kinds: Sequence[str] = (),
        limit: int | None = None,
        reverse: bool = False,
    ) -> Events:
        """The events of a session in their order; `kinds` are kinds or the types of interactions.

        `limit` keeps the last so many; `reverse` puts the youngest first.
        """
        session_id = self.resolve(session)
        # in this order: what is drained in between is then in both
        pending = journal.read(self.shared, session_id).events
        tip = self.repo.tip(SESSIONS + session_id)
        stored = in_order(e for _, e in chain_events(self.repo, tip, session_id))
        if tip is None and not any(e.kind == "start" for e in pending):
            raise SessionNotFound(f"no session {session_id}", hint="see `git agent-session list`")
        ordered = unseen([*stored, *pending], set())
        if kinds:
            ordered = [e for e in ordered if e.kind in kinds or e.data.get("type") in kinds]
        if limit is not None:
            ordered = ordered[max(0, len(ordered) - limit) :]
        return ordered[::-1] if reverse else ordered

    def commits(self, session: str | None = None) -> Links:
        """The commits linked to a session, the oldest link first."""
        session_id = self.resolve(session)
        self.settle()
        found = self._links(session_id)
        head = self.repo.head()

        def stands(commit: str) -> bool:
            return head is not None and self.repo.descends(head, commit)

        # a replaced commit counts again where the replacing was undone, and then its replacement does not
        back = {c for c, link in found.items() if link.replaced_by and stands(c) and not stands(link.replaced_by)}
        gone = {found[c].replaced_by for c in back}
        shown = [k for c, k in found.items() if c in back or not (k.replaced_by or c in gone)]
        return sorted(shown, key=lambda link: link.at)

    def _links(self, session_id: str) -> dict[str, Link]:
        pending = journal.read(self.shared, session_id).events
        tip = self.repo.tip(SESSIONS + session_id)
        if tip is None and not any(e.kind == "start" for e in pending):
            raise SessionNotFound(f"no session {session_id}", hint="see `git agent-session list`")
        seen = Seen.load(self.shared, self.repo, session_id, tip)
        if not pending:
            return seen.links()
        return fold(session_id, _numbered(unseen(pending, seen.ids)), State(None, seen.links())).links

    def which(self, revision: str) -> Sequence[Which]:
        """The sessions that a commit belongs to, the primary one first. Raises CommitNotFound.

        `via` of a link is `note` where only the note says so: the session, or that event of it, is not here.
        """
        commit = self.repo.resolve(revision)
        self.settle()
        noted = {n.session_id: n.primary for n in links.parse(notes.read(self.repo, commit))}
        for session_id in self._waiting_for(commit):
            noted.setdefault(session_id, not noted)
        found = []
        for session_id, primary in noted.items():
            try:
                session = self._state(session_id).session()
                link = self._links(session_id).get(commit) or Link(commit, "note", "")
            except SessionNotFound:
                session = Session(session_id, "unknown", "", "", doc={"id": session_id, "status": "unknown"})
                link = Link(commit, "note", "")
            except AgentSessionError:
                continue
            found.append(Which(session, replace(link, primary=primary)))
        return sorted(found, key=lambda w: (not w.link.primary, w.session.started_at, w.session.id))

    def _waiting_for(self, commit: str) -> Sequence[str]:
        try:
            names = os.listdir(journal.folder(self.shared))
        except OSError:
            return []
        return [n[:36] for n in names if n[36:] == f".{commit}.toml" and is_session_id(n[:36])]

    def contexts(self, session: str | None = None) -> Snapshots:
        """The context snapshots of a session, the oldest first, each with its event."""
        from git_agent_session import codec

        session_id = self.resolve(session)
        tip = self.repo.tip(SESSIONS + session_id)
        found: dict[str, tuple[Event, Doc]] = {}
        for batch, event in sorted(chain_events(self.repo, tip, session_id), key=lambda pair: pair[1].order):
            if event.kind == "context" and event.id not in found:
                name = f"context/{event.id}.toml"
                try:
                    data = self.repo.files(batch, name).get(name)
                    found[event.id] = (event, bounds.plain(codec.loads(data)) if data else {})
                except ValueError as e:
                    raise BrokenSession(
                        f"session {session_id[:8]}: {name} cannot be read: {e}",
                        hint="the session's other snapshots are not affected",
                    ) from e
        return list(found.values())

    def summary(self, session: str | None = None) -> Summary:
        """A session with its commits, tools and duration."""
        session_id = self.resolve(session)
        commits = tuple(self.commits(session_id))
        state = self._state(session_id).session()
        tools: dict[str, int] = {}
        for event in self.history(session_id, kinds=("tool",)):
            name = str(event.data.get("name", ""))
            tools[name] = tools.get(name, 0) + 1
        return Summary(state, commits, duration_ms(state), tools)

    def settle(self) -> None:
        """Work in what git hooks left for later: rewritten commits, and those that they found no session for.

        Where the repository cannot be written, do nothing.
        """
        try:
            rewrites.settle(self.repo)
            if os.path.isdir(os.path.join(self.private, "traces")):
                from git_agent_session.store import evidence  # hardly ever needed

                evidence.settle(self.repo)
        except (AgentSessionError, OSError):
            return


def duration_ms(session: Session) -> int:
    """From the first to the last that is known of a session, in milliseconds."""
    from datetime import datetime

    first, last = session.started_at, session.ended_at or session.updated_at
    try:
        delta: Any = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    except ValueError:
        return 0
    return int(delta.total_seconds() * 1000)


def _numbered(events: Iterable[Event], doc: Doc | None = None) -> list[Event]:
    """Events of the journal with the clocks that a batch would give them."""
    clock = doc.get("clock", 0) if doc else 1 << 62
    return [replace(event, clock=clock + n) for n, event in enumerate(events, 1)]
