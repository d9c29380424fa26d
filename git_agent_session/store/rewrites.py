"""Works in what the post-rewrite hook left: which commit an amend or a rebase replaced by which.

The hook only keeps git's own pairs; here each becomes a `rewrite` event of every session that the old commit's note
names. Read before links are shown or written, so that nobody sees a commit that is gone.
"""

from __future__ import annotations

import contextlib
import os

from git_agent_session import journal, live
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import timestamp
from git_agent_session.model import Event, Session
from git_agent_session.store import links
from git_agent_session.store.drain import read_state
from git_agent_session.store.seen import Seen

_HEX = frozenset("0123456789abcdef")


def settle(repo: Repository) -> set[str]:
    """Turn what waits into journal events; returns the ids of the sessions that got some.

    Git copies notes on an amend or a rebase without looking whether its own view of them is still true, and so may
    undo what a hook wrote in the same moment: the notes of open sessions are gone over too.
    """
    folder = os.path.join(repo.location.shared, "rewrites")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return set()
    touched: set[str] = set()
    for name in names:
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                lines = f.read(64 * 1024 * 1024).splitlines()
                at = timestamp(os.fstat(f.fileno()).st_mtime_ns)
        except OSError:
            continue
        if len(lines) < 2 or lines[-1] != "end":
            continue  # its hook is still at it, or was killed; git has copied the notes all the same
        touched |= _settle_one(repo, lines[0], lines[1:-1], at)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    if touched:
        for session_id in touched | live.open_sessions(repo.location.shared):
            restore_notes(repo, session_id)
    return touched


def restore_notes(repo: Repository, session_id: str) -> None:
    """Bring the notes of all links that are in a session's ref in line; those that are cost a look each."""
    tip = repo.tip(SESSIONS + session_id)
    if tip is None:
        return
    agent = Session.from_doc(read_state(repo, session_id, tip)).agent.type or "unknown"
    found = Seen.load(repo.location.shared, repo, session_id, tip).links()
    links.project(repo, {commit: [links.Edit(session_id, True, agent)] for commit in found}, "restore")


def _settle_one(repo: Repository, operation: str, pairs: list[str], at: str) -> set[str]:
    events: dict[str, list[Event]] = {}
    for pair in pairs:
        old, _, rest = pair.partition(" ")
        new = rest.split(" ")[0]
        if old == new or not (_is_commit(old) and _is_commit(new)):
            continue
        data = {"old": old, "new": new, "operation": operation if operation.isalpha() else "rewrite"}
        for noted in links.parse(notes.read(repo, old)):
            events.setdefault(noted.session_id, []).append(Event(f"rewrite-{old}-{new}", at, "rewrite", data))
    known = {i for i in events if repo.tip(SESSIONS + i) or i in journal.waiting(repo.location.shared)}
    for session_id in known:
        journal.append(repo.location.shared, session_id, events[session_id])
    return known


def _is_commit(text: str) -> bool:
    return len(text) == 40 and _HEX.issuperset(text)
