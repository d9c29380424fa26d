"""Sessions that are to go: one by one, or those in which nothing has happened for so long.

Nothing here talks to a remote, and nothing is unmade in git's own store: see `purge` for that.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session import live
from git_agent_session.errors import AgentSessionError, BrokenSession, SessionNotFound, StorageError
from git_agent_session.git.archives import drop_refs
from git_agent_session.git.ref_files import TRACKING
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.ids import timestamp
from git_agent_session.model import Session
from git_agent_session.store import archive, left_open, links

if TYPE_CHECKING:
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc
    from git_agent_session.store.store import Store

CLOSED, DELETED = "abandoned", "deleted"
_TRIES = 20


def delete(store: Store, session_id: str, *, archived: bool = True) -> Session:
    """Remove a session from this repository: its ref, what was fetched of it, its journal, its lines in notes. Returns
    what it was.

    Not `archived`: archives and what was fetched are left to the caller, who has many to take out at once. Raises
    SessionNotFound, StorageError.
    """
    repo = store.repo
    try:
        gone = store.get(session_id)
        commits = store.commits(session_id)
        store.drain(session_id)
    except BrokenSession:
        # what cannot be read can still go; lines in notes stay behind
        gone, commits = Session(session_id, "unknown", "", "", doc={"id": session_id, "status": "unknown"}), []
    close(repo.location, session_id)
    if gone.agent.native_id:
        live.forget_native(store.shared, gone.agent.type, gone.agent.native_id)
    drop_ref(repo, session_id)
    if archived:
        _forget_elsewhere(repo, [session_id])
    left_open.forget(store.shared, session_id)
    for path in files(repo.location, session_id):
        with contextlib.suppress(OSError):
            os.unlink(path)
    edits = {link.commit: [links.Edit(session_id, False)] for link in commits}
    links.project(repo, edits, "delete")
    return gone


def drop_ref(repo: Repository, session_id: str) -> None:
    """Remove a session's own ref wherever it points. Raises StorageError when others write it again and again."""
    ref = SESSIONS + session_id
    for _ in range(_TRIES):
        with contextlib.suppress(Moved):
            return repo.swap(ref, None, repo.tip(ref), "delete")
    raise StorageError(f"session {session_id[:8]} is written by others again and again", hint="try again")


def _forget_elsewhere(repo: Repository, ids: Sequence[str]) -> None:
    """Take deleted sessions out of archives, and drop the refs that tell what remotes had: a fetch makes them again
    where a remote still has the session, and would else bring back one that no remote has.
    """
    archive.forget(repo, ids)
    gone = set(ids)
    tracked = repo.refs(TRACKING).items() if gone else ()
    drop_refs(repo, {ref: tip for ref, tip in tracked if ref.rpartition("/")[2] in gone}, "delete")


def close(location: Location, session_id: str) -> None:
    """From now on no commit links to a session, in no worktree."""
    with contextlib.suppress(OSError):
        live.set_closed(location.shared, session_id)
    for private in privates(location):
        with contextlib.suppress(OSError):
            live.forget_offers(private, session_id)
            if live.active(private) == session_id:
                live.set_active(private, None)


def privates(location: Location) -> list[str]:
    """The plugin's folder of every worktree of the repository, that of the main one first."""
    found = [os.path.join(location.common_dir, "agent-session")]
    worktrees = os.path.join(location.common_dir, "worktrees")
    with contextlib.suppress(OSError):
        found += [os.path.join(worktrees, name, "agent-session") for name in sorted(os.listdir(worktrees))]
    return found


def files(location: Location, session_id: str) -> list[str]:
    """What lies on this machine of a session: what waits, what was captured or found out, what its tools wrote."""
    folders = [os.path.join(location.shared, name) for name in ("journal", "capture", "seen", "answers")]
    folders += [os.path.join(private, "traces") for private in privates(location)]
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            found += [os.path.join(folder, name) for name in os.listdir(folder) if session_id in name]
    return found


# -- cleanup


@dataclass(frozen=True, slots=True)
class Swept:
    """A session that was swept, as it was before, and what became of it: `abandoned` or `deleted`.

    `reason` says why one is closed however young it is: it was left open by a crash.
    """

    session: Session
    action: str
    reason: str = ""

    def to_dict(self) -> Doc:
        """For `--json`."""
        found = {"session": self.session.id, "action": self.action, "status": self.session.status}
        found["updated_at"] = self.session.updated_at
        return {**found, **({"reason": self.reason} if self.reason else {})}


def due(
    store: Store, *, hours: float | None = None, statuses: Sequence[str] = (), deletes: bool = False
) -> list[Swept]:
    """What `sweep` would do: open sessions without an event for `hours`, with `deletes` those that have ended too.

    Those that a crash left open, as far as that is known (`left_open.why`), are closed whatever their age, and with
    `hours` None only they. `statuses` names those to look at; none: all. The one that has waited longest comes first.
    """
    limit = timestamp(max(0, time.time_ns() - int(hours * 3600e9))) if hours is not None else ""
    found = []
    for session in store.list():
        if statuses and session.status not in statuses:
            continue
        if reason := left_open.why(store.shared, session):
            found.append(Swept(session, CLOSED, reason))
        elif session.updated_at > limit:
            continue
        elif not session.ended:
            found.append(Swept(session, CLOSED))
        elif deletes:
            found.append(Swept(session, DELETED))
    return sorted(found, key=lambda swept: (swept.session.updated_at, swept.session.id))


def sweep(
    store: Store, chosen: Sequence[Swept], progress: Callable[[int, int], None] | None = None
) -> tuple[list[Swept], list[AgentSessionError]]:
    """Do what `due` has found, and return what was done and what could not be.

    A session that has had an event since is left alone; one of an agent that is still there goes on with its next one.
    `progress` is called with how many sessions are done, and how many there are.
    """
    done: list[Swept] = []
    errors: list[AgentSessionError] = []
    for number, swept in enumerate(chosen):
        if progress is not None:
            progress(number, len(chosen))
        try:
            now = store.get(swept.session.id)
            if now.updated_at != swept.session.updated_at or now.status != swept.session.status:
                continue
            if swept.action == CLOSED:
                reason = f"left open by a crash: {swept.reason}" if swept.reason else ""
                store.end(now.id, status=CLOSED, message=reason or f"no event since {now.updated_at}")
                left_open.forget(store.shared, now.id)
            else:
                delete(store, now.id, archived=False)
            done.append(swept)
        except SessionNotFound:
            continue
        except AgentSessionError as e:
            errors.append(e)
    _forget_elsewhere(store.repo, [swept.session.id for swept in done if swept.action == DELETED])
    return done, errors
