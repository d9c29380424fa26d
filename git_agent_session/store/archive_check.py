"""Looks into an archive that was fetched: which of its sessions cannot be read.

An archive comes in whole, or not at all: left out of ours, a session would have to be left out by everybody, or two
archives would never agree. So one that is broken comes along, is named here, and again by whatever reads it.
"""

from __future__ import annotations

from git_agent_session.errors import AgentSessionError
from git_agent_session.git.repository import Repository
from git_agent_session.store import checking

# sessions of one archive that are looked into when it comes in; the others are when they are read
MOST = 1000


def unreadable(repo: Repository, before: str | None, after: str, *, most: int = MOST) -> dict[str, AgentSessionError]:
    """Of the sessions that the archive commit `after` has and `before` has not, those that cannot be read, and why.

    Raises ValueError when either is no archive.
    """
    known = repo.archives.index(before) if before else {}
    fresh = [(i, tip) for i, tip in sorted(repo.archives.index(after).items()) if known.get(i) != tip]
    found: dict[str, AgentSessionError] = {}
    for session_id, tip in fresh[:most]:
        ours = known.get(session_id)
        try:
            checking.check(repo, session_id, tip, ours if ours and repo.descends(tip, ours) else None)
        except AgentSessionError as e:
            found[session_id] = e
    return found
