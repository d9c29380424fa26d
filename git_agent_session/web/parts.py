"""What an application is made of: stores in workers, the lists, the runs. Made once, closed once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from git_agent_session.aio import AsyncStore
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import Repository
from git_agent_session.index.excerpts import SqliteExcerpts
from git_agent_session.model import Session
from git_agent_session.store.store import Store
from git_agent_session.web import problems, runs
from git_agent_session.web.lists import Lists, Watching

# calls of stores at once: more would wait for the interpreter's lock
WORKERS = 4

Row = Callable[[Session], Mapping[str, Any]]


class Parts:
    """The parts of one server, for the repository at `location`.

    Every worker has a Store of its own: none is used by two threads at once. `env` says who the user is; of the
    sessions that it names, none is current here, only the worktree's active one.
    """

    def __init__(self, location: Location, env: Mapping[str, str], classic: Callable[[Session, str], Any]) -> None:
        self.location = location
        self._user = {k: v for k, v in env.items() if k.startswith("GIT_AUTHOR_")}
        self.store = AsyncStore(lambda: self.open(Store), workers=WORKERS)
        self._watching = AsyncStore(lambda: self.open(Watching))
        self.lists = Lists(self._watching, location)
        top = location.worktree or location.git_dir
        self.runs = runs.Runs(lambda: self.open(Store), top)
        self.classic_row: Row = lambda session: classic(session, top)
        self.row: Row = Session.to_dict

    def open(self, kind: type[Store]) -> Store:
        """A Store of its own for a thread."""
        return kind(Repository(self.location, self._user), None, SqliteExcerpts(self.location.shared))

    async def allowed(self) -> list[str]:
        """The command that may be run, as the configuration has it now. Raises Refused where there is none."""
        place = self.location
        try:
            return await asyncio.to_thread(runs.command, place.worktree or "", place.git_dir)
        except AgentSessionError as e:
            raise problems.Refused(403, e.message, hint=e.hint, code="execute-off") from e

    def problem(self, error: Exception) -> dict[str, Any]:
        """An error as the document of a problem."""
        if isinstance(error, AgentSessionError):
            error = problems.of_error(error)
        if isinstance(error, problems.Refused):
            return problems.body(error.status, error.code, error.message, error.hint)
        return problems.body(500, "bug", "this is a bug of the server's", "its log has the traceback")

    async def aclose(self) -> None:
        """End what runs, and let what was begun come to its end."""
        await self.runs.aclose()
        await self.store.aclose()
        await self._watching.aclose()
