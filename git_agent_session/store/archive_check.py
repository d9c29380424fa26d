"""Looks into an archive that was fetched: which of its sessions cannot be read.

An archive comes in whole, or not at all: left out of ours, a session would have to be left out by everybody, or two
archives would never agree. So one that is broken comes along, is named here, and again by whatever reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from git_agent_session.errors import AgentSessionError
from git_agent_session.git.repository import Repository
from git_agent_session.store import checking

# sessions that are looked into in one fetch; the others are when they are read
MOST = 1000


class Look:
    """A look into the archives of one fetch, at `most` sessions in all. Use it in a `with`."""

    def __init__(self, repo: Repository, *, most: int = MOST) -> None:
        self._repo = repo
        self._left = most
        self._new: list[tuple[str, str]] = []
        self._helper: checking.Helper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._helper is not None:
            self._helper.end()

    def add(self, before: str | None, after: str) -> dict[str, AgentSessionError]:
        """As `unreadable`, but where that takes long it is put off: `begin` has another process do it."""
        known, fresh = self._fresh(before, after)
        if before is None and len(fresh) >= checking.FEW:
            self._new += fresh
            return {}
        return self._looked(known, fresh)

    def begin(self) -> None:
        """Have all that was put off looked into, by one process for all archives."""
        if self._new:
            self._helper = checking.Helper(self._repo, self._new)

    def rest(self) -> dict[str, AgentSessionError]:
        """What was found by what `begin` has begun, once that has ended."""
        found = self._helper.found() if self._helper is not None else ()
        return {session_id: one for session_id, one in found if isinstance(one, AgentSessionError)}

    def unreadable(self, before: str | None, after: str) -> dict[str, AgentSessionError]:
        """Of the sessions that the archive commit `after` has and `before` has not, those that cannot be read, and why.

        Raises ValueError when either is no archive.
        """
        return self._looked(*self._fresh(before, after))

    def _fresh(self, before: str | None, after: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
        known = self._repo.archives.index(before) if before else {}
        fresh = [(i, tip) for i, tip in sorted(self._repo.archives.index(after).items()) if known.get(i) != tip]
        fresh = fresh[: self._left]
        self._left -= len(fresh)
        return known, fresh

    def _looked(self, known: Mapping[str, str], fresh: Iterable[tuple[str, str]]) -> dict[str, AgentSessionError]:
        found: dict[str, AgentSessionError] = {}
        for session_id, tip in fresh:
            ours = known.get(session_id)
            until = ours if ours and self._repo.descends(tip, ours) else None
            try:
                checking.check(self._repo, session_id, tip, until)
            except AgentSessionError as e:
                found[session_id] = e
        return found
