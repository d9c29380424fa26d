"""Forks: a new session that begins where another one stood at some point, to try something else from there.

A fork copies no events. Its start says where it comes from, `forked_from = {session, event, commit}`, and `lineage`
reads what went before out of the sessions it came from. It inherits what a session is about (goal, title, type,
project, tags, metadata, agent, phase) as it was at that point. The commit in force there is what its worktree or branch
is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session import ids
from git_agent_session.errors import AgentSessionError, CommitNotFound, SessionNotFound, UsageError
from git_agent_session.git import worktree as worktrees
from git_agent_session.git.repository import Repository
from git_agent_session.ids import is_object_id, is_session_id
from git_agent_session.model import Agent, Doc, Event, Session, State, fold
from git_agent_session.store.reader import Reader
from git_agent_session.store.store import Store

# forks of forks that are followed back
MAX_DEPTH = 16
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a session: the events until then (the last one is it), and the commit in force, "" for none known."""

    session: str
    events: tuple[Event, ...]
    commit: str = ""

    @property
    def event(self) -> str:
        """The id of the last event."""
        return self.events[-1].id if self.events else ""

    def state(self) -> State:
        """The session as it was."""
        return _folded(self.session, self.events)


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork that was made: the new session, the commit it stands on, and its worktree and branch where it has them."""

    session: Session
    commit: str
    worktree: str = ""
    branch: str = ""

    def to_dict(self) -> Doc:
        """The session's keys, and `commit`, `worktree`, `branch` where there are such."""
        more = {"commit": self.commit, "worktree": self.worktree, "branch": self.branch}
        return {**self.session.to_dict(), **{k: v for k, v in more.items() if v}}


def point(reader: Reader, session: str | None = None, at: str = "") -> Point:
    """The moment `at` of a session: an event's id or its start, a commit of the session's, or a time (RFC 3339).

    Without `at` it is now. Raises UsageError for what is none of these, and for the start of several ids.
    """
    session_id = reader.resolve(session)
    events = reader.history(session_id)
    end = _index(reader, session_id, events, at) + 1 if at else len(events)
    return Point(session_id, tuple(events[:end]), _commit_at(reader, session_id, events, end))


def fork(
    store: Store,
    session: str | None = None,
    *,
    at: str = "",
    goal: str | None = None,
    worktree: str = "",
    branch: str = "",
    activate: bool = True,
) -> Forked:
    """Open a session that goes on from `at` (see `point`) of another one.

    `worktree`: a folder that is made at the commit in force, on the new `branch` or detached; the fork becomes its
    active session. `branch` alone is made there and not checked out. `goal` instead of the inherited one. Raises what
    `point` raises, CommitNotFound where a worktree or branch is asked for and there is no commit, StorageError for a
    folder that is not empty, GitError.
    """
    start = point(store, session, at)
    folder, made = _checked_out(store.repo, start, worktree, branch)
    try:
        there = Store(Repository.find(made, _author(store.env)), store.env) if made else store
        new = _open(there, start, goal, activate)
    except BaseException:
        if made:
            worktrees.remove(folder, made, branch)
        raise
    return Forked(new, start.commit, made, branch)


def lineage(reader: Reader, session: str | None = None) -> list[tuple[str, list[Event]]]:
    """What led to a session: (session id, events until its fork) of each it came from, the oldest first, then its own.

    An ancestor that is not here, or was changed so that the point is gone, ends the walk.
    """
    session_id = reader.resolve(session)
    found = [(session_id, reader.history(session_id))]
    seen = {session_id}
    origin = origin_of(reader.get(session_id))
    while origin and origin["session"] not in seen and len(found) < MAX_DEPTH:
        seen.add(origin["session"])
        try:
            before = reader.history(origin["session"])
            end = next((n for n, e in enumerate(before, 1) if e.id == origin["event"]), 0)
            parent = reader.get(origin["session"])
        except AgentSessionError:
            break
        if not end:
            break
        found.append((origin["session"], before[:end]))
        origin = origin_of(parent)
    return found[::-1]


def origin_of(session: Session) -> Mapping[str, str]:
    """Where a session was forked: `session`, `event` and, where known, `commit`; empty for one that is no fork."""
    given = session.doc.get("forked_from")
    if not isinstance(given, dict) or not is_session_id(given.get("session")) or not given.get("event"):
        return {}
    return {k: str(v) for k, v in given.items()}


# -- the point


def _index(reader: Reader, session_id: str, events: Sequence[Event], at: str) -> int:
    if moment := ids.moment(at, strict=True):
        # a second without a fraction, as times are shown, is meant with all that happened in it
        last = moment if "." in at else moment.replace(".000Z", ".999Z")
        until = [n for n, e in enumerate(events) if e.at <= last]
        if not until:
            raise UsageError(f"session {session_id[:8]} began after {at}", hint="give a later time")
        return until[-1]
    found = [n for n, e in enumerate(events) if e.id == at]
    if not found and len(at) >= _SHORTEST:
        found = [n for n, e in enumerate(events) if e.id.startswith(at)]
    if len(found) > 1:
        raise UsageError(f"{at!r} fits {len(found)} events of session {session_id[:8]}", hint="give more of the id")
    return found[0] if found else _commit_index(reader, session_id, events, at)


def _commit_index(reader: Reader, session_id: str, events: Sequence[Event], at: str) -> int:
    try:
        commit = reader.repo.resolve(at)
    except CommitNotFound:
        commit = ""
    for n, event in enumerate(events):
        keys = {"commit": "commit", "rewrite": "new"}
        if commit and event.kind in keys and event.data.get(keys[event.kind]) == commit:
            return n
    raise UsageError(
        f"{at!r} is no event and no commit of session {session_id[:8]}",
        hint=f"`git agent-session history {session_id[:8]} --json` has the ids",
    )


def _commit_at(reader: Reader, session_id: str, events: Sequence[Event], end: int) -> str:
    """The commit in force after `events[:end]`: the session's last one, else what its first one was made on."""
    standing = [k.commit for k in _folded(session_id, events[:end]).links.values() if not k.replaced_by]
    if standing:
        return standing[-1]
    later = [e.data for e in events[end:] if e.kind == "commit"]
    parents = later[0].get("parents") if later else None
    if isinstance(parents, list) and parents and is_object_id(str(parents[0])):
        return str(parents[0])
    ids = {e.id for e in events[:end] if e.kind == "context"}
    heads = [doc.get("head") for event, doc in (reader.contexts(session_id) if ids else ()) if event.id in ids]
    found = str(heads[-1].get("id", "")) if heads and isinstance(heads[-1], dict) else ""
    return found if is_object_id(found) else ""


def _folded(session_id: str, events: Sequence[Event]) -> State:
    """The state after events that stand in their order; what waits in the journal has no clock yet."""
    return fold(session_id, (replace(e, clock=n) for n, e in enumerate(events, 1)))


# -- the new session


def _checked_out(repo: Repository, start: Point, worktree: str, branch: str) -> tuple[str, str]:
    """A folder of the repository, and that of the worktree that was made ("" for none)."""
    location = repo.location
    folder = location.worktree or location.git_dir
    if not worktree and not branch:
        return folder, ""
    commit = start.commit or repo.head()
    if not commit or not repo.commit_facts(commit):
        raise CommitNotFound(
            f"the commit of that point is not in this repository{f': {commit[:10]}' if commit else ''}",
            hint="fetch it, or fork without --worktree and --branch",
        )
    if not worktree:
        worktrees.add_branch(folder, branch, commit)
        return folder, ""
    return folder, worktrees.add(folder, worktree, commit, branch)


def _author(env: Mapping[str, str]) -> dict[str, str]:
    """Who the user is, and nothing that would name another repository than the one asked for."""
    return {k: v for k, v in env.items() if k.startswith("GIT_AUTHOR_")}


def _open(store: Store, start: Point, goal: str | None, activate: bool) -> Session:
    if not start.events:
        raise SessionNotFound(f"session {start.session[:8]} has no events", hint="see `git agent-session list`")
    was = start.state().session()
    origin = {"session": start.session, "event": start.event, "commit": start.commit}
    return store.start(
        goal=was.goal if goal is None else goal,
        title=was.title,
        type=was.type if was.type.isascii() else "",
        project=was.project,
        parent=start.session,
        workflow=was.workflow,
        phase=was.phase,
        agent=replace(was.agent, native_id="") if was.agent.type else Agent(),
        tags=was.tags,
        meta=was.meta,
        forked_from={k: v for k, v in origin.items() if v},
        activate=activate,
    )
