"""Lines that sessions added and how many of them are still there, counted while the page is open.

The first count blames every file at HEAD, which may take minutes, so a page does not wait for it: it is told how far
the count is and asks again. What was found is kept by `answers.alive`, so a later count takes what has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from git_agent_session.aio import AsyncStore
from git_agent_session.answers import alive
from git_agent_session.answers.alive import Lines
from git_agent_session.index.derived import Index
from git_agent_session.store.reader import Reader
from git_agent_session.store.store import Store
from git_agent_session.web.viewer import look

# seconds that a request waits for a count, and that a count is good for
PATIENCE, GOOD = 0.8, 5.0
# agents that are named
NAMED = 12


class Ending(Exception):
    """The server ends, and a count with it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The lines of an agent's sessions; `slot` is the class of its colour."""

    name: str
    slot: str
    lines: Lines


@dataclass(frozen=True, slots=True)
class Counted:
    """What a count found: of all sessions, and by agent, those that added most first."""

    all: Lines
    agents: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a count is: files that are done, of how many; none are known at its start."""

    done: int = 0
    total: int = 0


def count(store: Reader, found: Index, progress: Callable[[int, int], None] | None = None) -> Counted:
    """Count now. `progress` gets how many files are done, and how many there are."""
    lines = alive.of_sessions(store, found, progress)
    agents = dict(found.query("SELECT id, agent FROM sessions"))
    sums: dict[str, Lines] = {}
    for session_id, own in lines.items():
        agent = agents.get(session_id, "")
        sums[agent] = sums.get(agent, Lines()) + own
    most = sorted(sums.items(), key=lambda item: (-item[1].added, item[0]))[:NAMED]
    rows = tuple(Row(look.agent(name), look.slot(name), own) for name, own in most if own.added)
    return Counted(sum(lines.values(), Lines()), rows)


class Counting:
    """One count at a time, in a thread of its own, for all pages that ask."""

    def __init__(self, make: Callable[[], Store], find: Callable[[Store], Index], ending: Callable[[], bool]) -> None:
        """`find` gives the index of a store; `ending` says when a count is to be given up."""
        self._stores = AsyncStore(make)
        self._find, self._ending = find, ending
        self._task: asyncio.Task[Counted] | None = None
        self._ended_at = 0.0
        self._progress = Progress()

    async def ask(self) -> Counted | Progress:
        """What the count found, or how far it is; starts one where none is under way. Raises AgentSessionError."""
        if self._task is None or (self._task.done() and time.monotonic() - self._ended_at > GOOD):
            self._progress = Progress()
            self._task = asyncio.create_task(self._stores.run(self._count))
        task = self._task
        await asyncio.wait([task], timeout=PATIENCE)
        if not task.done():
            return self._progress
        if task.exception() is not None:
            self._task = None
        return task.result()

    def _count(self, store: Store) -> Counted:
        try:
            return count(store, self._find(store), self._told)
        finally:
            self._ended_at = time.monotonic()

    def _told(self, done: int, total: int) -> None:
        if self._ending():
            raise Ending
        self._progress = Progress(done, total)

    async def aclose(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])
            with contextlib.suppress(BaseException):
                # an error that nobody asked for
                self._task.result()
        await self._stores.aclose()
