"""Runs of the one command that this server may run: started by a request, recorded in a session, told as they go.

A run belongs to its session and not to the client that started it: a client that goes away loses the stream, and the
command goes on to its end, which is recorded. What ends it is asking for that, and the end of the server. Each run has
a thread and a Store of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from git_agent_session.errors import UsageError
from git_agent_session.git.run import git
from git_agent_session.ids import timestamp
from git_agent_session.store.store import Store
from git_agent_session.web.problems import Refused
from git_agent_session.work.execute import Execution, Output, Ran, Started, Step

KEY = "agentSession.execute"
PLACE = "{task}"
# runs at once
MOST = 4
# steps that wait for a slow client, and seconds until it counts as gone
_WAITING = 256
_PATIENCE = 30.0


def command(worktree: str, git_dir: str) -> list[str]:
    """The words of the command that the user's configuration allows. Raises UsageError where there is none.

    The value may come from any file but one in the worktree: what a repository brings along (by `include.path`, say)
    must not name what runs here.
    """
    told = git("config", "--show-origin", "-z", "--get-all", KEY, cwd=worktree or git_dir, check=False)
    parts = told.decode("utf-8", "surrogateescape").split("\0")
    pairs = [(origin, value) for origin, value in zip(parts[::2], parts[1::2], strict=False)]
    allowed = [value for origin, value in pairs if not _is_of_worktree(origin, worktree, git_dir)]
    if not allowed:
        why = f"{KEY} is set in a file of the repository's own" if pairs else "this server may run nothing"
        raise UsageError(why, hint=f"`git config --global {KEY} 'claude -p'` names the command that it may run")
    try:
        words = shlex.split(allowed[-1])
    except ValueError as e:
        raise UsageError(f"{KEY} cannot be read: {e}", hint="quote it as for a shell") from e
    if not words:
        raise UsageError(f"{KEY} is empty", hint=f"`git config --global {KEY} 'claude -p'` names a command")
    return words


def _is_of_worktree(origin: str, worktree: str, git_dir: str) -> bool:
    """True for a file that git tracks or could track: in the worktree and not in its git folder."""
    if not origin.startswith("file:") or not worktree:
        return not origin.startswith(("file:", "command line:"))
    path = os.path.realpath(os.path.join(worktree, origin.removeprefix("file:")))

    def within(folder: str) -> bool:
        with contextlib.suppress(ValueError):
            return os.path.commonpath([path, os.path.realpath(folder)]) == os.path.realpath(folder)
        return False

    return within(worktree) and not within(git_dir)


def with_task(words: list[str], task: str) -> list[str]:
    """The words with the task in the place of `{task}`, else last. Raises Refused for one that could be an option.

    A batch file of Windows hands its words to a shell, for which nothing can be quoted safely: it gets none.
    """
    program = shutil.which(words[0]) or words[0]
    if sys.platform == "win32" and program.lower().endswith((".bat", ".cmd")):
        raise Refused(409, f"{words[0]} is a batch file, which cannot take a task", hint="name a program")
    if PLACE in words:
        return [task if word == PLACE else word for word in words]
    if task.startswith("-"):
        raise Refused(400, "the task begins with -, as an option does", hint="say it in words")
    return [*words, task]


@dataclass(slots=True)
class Run:
    """A run that goes on: what it was asked to do, its session and its id (once it has them)."""

    task: str
    execution: Execution
    steps: asyncio.Queue[Step | Exception | None] = field(default_factory=lambda: asyncio.Queue(_WAITING))
    heard: bool = True
    session: str = ""
    began: str = field(default_factory=timestamp)

    def to_dict(self) -> dict[str, str]:
        """The keys `run, session, task, began`."""
        return {"run": self.execution.run, "session": self.session, "task": self.task, "began": self.began}


class Runs:
    """The runs of one server."""

    def __init__(self, make: Callable[[], Store], folder: str) -> None:
        self._make, self._folder = make, folder
        self._going: dict[str, Run] = {}
        self._threads: set[threading.Thread] = set()
        self._starting = 0
        self._closed = False

    def going(self) -> list[Run]:
        """The runs that have not ended."""
        return list(self._going.values())

    async def start(self, task: str, session: str | None, task_id: str, argv: list[str]) -> Run:
        """Start a run. Raises Refused where there are too many, and what Execution raises."""
        if self._closed or len(self._going) + self._starting >= MOST:
            raise Refused(503, f"{MOST} commands run already", hint="try again later", headers={"Retry-After": "5"})
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Run] = loop.create_future()
        thread = threading.Thread(
            target=self._work, args=(loop, ready, task, session, task_id, argv), name="agent-session-run", daemon=True
        )
        self._starting += 1
        self._threads.add(thread)
        thread.start()
        try:
            return await asyncio.shield(ready)
        finally:
            self._starting -= 1

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        ready: asyncio.Future[Run],
        task: str,
        session: str | None,
        task_id: str,
        argv: list[str],
    ) -> None:
        run: Run | None = None
        try:
            execution = Execution(self._make(), argv, session=session, task=task_id or task, folder=self._folder)
            run = Run(task, execution)
            for step in execution:
                if isinstance(step, Started):
                    run.session = step.session
                    loop.call_soon_threadsafe(self._began, ready, run)
                self._tell(loop, run, step)
        except Exception as e:  # for whoever waits: a request, or the stream
            if run is None or not run.session:
                loop.call_soon_threadsafe(_fail, ready, e)
            else:
                self._tell(loop, run, e)
        finally:
            if run is not None and run.session:
                self._tell(loop, run, None)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ended, run, threading.current_thread())

    def _began(self, ready: asyncio.Future[Run], run: Run) -> None:
        self._going[run.execution.run] = run
        if not ready.done():
            ready.set_result(run)
        if self._closed:
            run.execution.send(signal.SIGTERM)

    def _ended(self, run: Run | None, thread: threading.Thread) -> None:
        self._threads.discard(thread)
        if run is not None:
            self._going.pop(run.execution.run, None)

    def _tell(self, loop: asyncio.AbstractEventLoop, run: Run, step: Step | Exception | None) -> None:
        """Hand a step to whoever hears; a client that does not take it in time counts as gone."""
        if not run.heard:
            return
        try:
            asyncio.run_coroutine_threadsafe(run.steps.put(step), loop).result(_PATIENCE)
        except (TimeoutError, RuntimeError):
            run.heard = False

    async def steps(self, run: Run, *, beat: float = 15.0) -> AsyncIterator[Step | None]:
        """The steps of a run to its end, None for each `beat` seconds of silence. Raises what ended it early.

        Who stops listening lets the run go on unheard.
        """
        try:
            while True:
                try:
                    step = await asyncio.wait_for(run.steps.get(), beat)
                except TimeoutError:
                    yield None
                    continue
                if step is None:
                    return
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            run.heard = False
            while not run.steps.empty():
                run.steps.get_nowait()

    def stop(self, run_id: str) -> Run:
        """Ask a run to end (SIGTERM). Raises Refused where there is none of this id."""
        run = self._going.get(run_id)
        if run is None:
            raise Refused(404, "no such run goes on", hint="GET /api/v1/runs lists those that do")
        run.execution.send(signal.SIGTERM)
        return run

    async def aclose(self, seconds: float = 10.0) -> None:
        """End all runs, and wait for their ends to be recorded."""
        self._closed = True
        for run in self.going():
            run.heard = False
            run.execution.send(signal.SIGTERM)
        deadline = asyncio.get_running_loop().time() + seconds
        while self._threads and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)


def _fail(ready: asyncio.Future[Run], error: Exception) -> None:
    if not ready.done():
        ready.set_exception(error)


__all__ = ["KEY", "MOST", "Output", "Ran", "Run", "Runs", "Started", "command", "with_task"]
