"""Takes sessions in that were fetched: checks them, then moves the local ref forward or joins two chains.

A fetched tip is anybody's. Nothing of it becomes a session here before every batch that is new to us was read and found
within bounds; what fails stays where it was fetched to, is named, and hinders no other. Where both sides have written,
the join is a commit with two parents, an empty `events.toml`, and the state folded anew from the events of both
(docs/format.md, section 2). It comes out the same on every machine, so two that join at once agree at once.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from git_agent_session import codec
from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git import joining
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.model import Event, fold
from git_agent_session.store import checking
from git_agent_session.store.checking import Checked, check
from git_agent_session.store.order import in_order
from git_agent_session.store.seen import chain_events

NEW, UPDATED, MERGED, SAME, AHEAD, BROKEN = "new", "updated", "merged", "up-to-date", "ahead", "broken"

# sessions whose refs are made at once, and links in them: what was checked of those is checked anew after a kill
_CHUNK, _LINKS = 20_000, 100_000
_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one fetched session: `status`, its local tip afterwards, and the events that are new to us.

    `linking` are those of them that make or take back links, `agent` the type of its agent; `error` says why it was not
    taken.
    """

    session_id: str
    status: str
    tip: str = ""
    linking: tuple[Event, ...] = ()
    agent: str = ""
    error: AgentSessionError | None = None


def take(repo: Repository, fetched: Mapping[str, str], local: Mapping[str, str]) -> Iterator[Taken]:
    """Take in fetched tips (session id -> tip), each by itself; `local` is what `Repository.sessions` said just now.

    One that cannot be read, or would not fit, comes back as `broken` with its error. Raises nothing for a session.
    """
    ready: dict[str, Checked] = {}
    fresh: dict[str, str] = {}
    links = 0
    for session_id, theirs in fetched.items():
        ours = local.get(session_id)
        if theirs == ours:
            yield Taken(session_id, SAME, theirs)
        elif ours is None:
            fresh[session_id] = theirs
        elif repo.descends(ours, theirs):
            yield Taken(session_id, AHEAD, ours)
        else:
            yield _joined(repo, session_id, theirs)
    for session_id, found in checking.checked(repo, fresh):
        if isinstance(found, AgentSessionError):
            yield Taken(session_id, BROKEN, error=found)
            continue
        ready[session_id] = found
        links += len(found.linking)
        if len(ready) >= _CHUNK or links >= _LINKS:
            yield from _forward(repo, ready)
            ready, links = {}, 0
    yield from _forward(repo, ready)


def _forward(repo: Repository, ready: Mapping[str, Checked]) -> Iterator[Taken]:
    """Move refs that only go forward, all at once where nobody writes meanwhile."""
    if not ready:
        return
    moved = _moved_at_once(repo, ready)
    for session_id, checked in ready.items():
        if session_id not in moved:
            yield _joined(repo, session_id, checked.theirs)
            continue
        if checked.joins:
            _forget_seen(repo, session_id)
        yield Taken(session_id, UPDATED if checked.ours else NEW, checked.theirs, checked.linking, checked.agent)


def _moved_at_once(repo: Repository, ready: Mapping[str, Checked]) -> Collection[str]:
    if len(ready) >= joining.MANY:
        made = joining.make_refs(repo, {SESSIONS + i: c.theirs for i, c in ready.items() if c.ours is None})
        if made:
            return {ref[len(SESSIONS) :] for ref in made}
    moves = [(SESSIONS + i, c.theirs, c.ours) for i, c in ready.items()]
    return ready if joining.move_refs(repo, moves, "fetch") else ()


def _joined(repo: Repository, session_id: str, theirs: str) -> Taken:
    """One session by itself, tried again while others write."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    ref = SESSIONS + session_id
    try:
        while True:
            ours = repo.tip(ref)
            checked = check(repo, session_id, theirs, ours)
            status, new = _target(repo, session_id, ours, theirs)
            if status in (SAME, AHEAD):
                return Taken(session_id, status, ours or "")
            with contextlib.suppress(Moved):
                repo.swap(ref, new, ours, "merge" if status == MERGED else "fetch")
                break
            if time.monotonic() > deadline:
                raise StorageError(f"session {session_id[:8]} is written by others again and again", hint="try again")
            time.sleep(random.random() * 0.02)
    except AgentSessionError as e:
        return Taken(session_id, BROKEN, repo.tip(ref) or "", error=e)
    if status == MERGED or checked.joins:
        _forget_seen(repo, session_id)
    return Taken(session_id, status, new, checked.linking, checked.agent)


def _target(repo: Repository, session_id: str, ours: str | None, theirs: str) -> tuple[str, str]:
    """What to do with a checked tip, and where the ref must point then."""
    if ours is None:
        return NEW, theirs
    if ours == theirs:
        return SAME, ours
    if repo.descends(ours, theirs):
        return AHEAD, ours
    if repo.descends(theirs, ours):
        return UPDATED, theirs
    return MERGED, join(repo, session_id, (ours, theirs))


def join(repo: Repository, session_id: str, tips: Iterable[str]) -> str:
    """Write the commit that joins two chains and return its id: the same whoever writes it; no ref moves.

    Raises BrokenSession when a batch of either cannot be read, StorageError.
    """
    parents = sorted(set(tips))
    chains = (chain_events(repo, tip, session_id, until=parents[0] if n else None) for n, tip in enumerate(parents))
    events = in_order(event for chain in chains for _, event in chain)
    state = fold(session_id, events)
    files = {"session.toml": codec.dumps(state.doc), "events.toml": b""}
    return joining.write_joining(repo, files, parents, "merge")


def _forget_seen(repo: Repository, session_id: str) -> None:
    """Drop what was known of the chain: of one id in both chains another event may count now."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(repo.location.shared, "seen", session_id))
