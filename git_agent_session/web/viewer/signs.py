"""What changes when there is something new to show, as a short text: a page carries the one of its making, so that what
happens before it listens is not missed."""

from __future__ import annotations

import hashlib

from git_agent_session import journal
from git_agent_session.git.repository import SESSIONS
from git_agent_session.index.look import look
from git_agent_session.store.reader import Reader


def of_session(reader: Reader, session_id: str) -> str:
    """The sign of one session: how its journal looks, and its tip."""
    return _short((journal.signature(reader.shared, session_id), reader.repo.tip(SESSIONS + session_id)))


def of_all(reader: Reader) -> str:
    """The sign of all sessions: how refs and journals look."""
    seen = look(reader.repo.location)
    # what is young has no look; what waits grows
    shared = sorted((k, v) for k, v in seen.shared.items() if v)
    loose = sorted((k, v) for k, v in seen.loose.items() if v)
    waiting = [(i, journal.signature(reader.shared, i)) for i in seen.waiting]
    return _short((shared, loose, len(seen.loose), waiting))


def _short(seen: object) -> str:
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
