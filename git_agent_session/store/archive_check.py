"""Looks into an archive that was fetched: which of its sessions cannot be read.

An archive comes in whole, or not at all: left out of ours, a session would have to be left out by everybody, or two
archives would never agree. So one that is broken comes along, is named here, and again by whatever reads it.
"""

from __future__ import annotations

from git_agent_session.errors import AgentSessionError
from git_agent_session.git.repository import Repository
from git_agent_session.store import checking

# sessions that are looked into in one fetch; the others are when they are read
MOST = 1000


class Look:
    """A look into the archives of one fetch, at `most` sessions in all."""

    def __init__(self, repo: Repository, *, most: int = MOST) -> None:
        self._repo = repo
        self._left = most

    def unreadable(self, before: str | None, after: str) -> dict[str, AgentSessionError]:
        """Of the sessions that the archive commit `after` has and `before` has not, those that cannot be read, and why.

        Raises ValueError when either is no archive.
        """
        known = self._repo.archives.index(before) if before else {}
        fresh = [(i, tip) for i, tip in sorted(self._repo.archives.index(after).items()) if known.get(i) != tip]
        fresh = fresh[: self._left]
        self._left -= len(fresh)
        found: dict[str, AgentSessionError] = {}
        for session_id, tip in fresh:
            ours = known.get(session_id)
            until = ours if ours and self._repo.descends(tip, ours) else None
            try:
                checking.check(self._repo, session_id, tip, until)
            except AgentSessionError as e:
                found[session_id] = e
        return found
