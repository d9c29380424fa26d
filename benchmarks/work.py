"""What it costs to orchestrate: phases, tasks, agents, and whether to resume, beside what another design has said.

The figures beside are those of a manager of sessions that kept a JSON file a session, as its authors gave them: of
their machine, and rounded. They are no measurement of ours, and show only what size of number a user knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Failed, Row, Table, Target, Variant, measure
from benchmarks.world import Repo, World

if TYPE_CHECKING:
    from git_agent_session import Session, Store
    from git_agent_session.work import Task

WORKFLOW = "investigate"
# call -> (the authors' figure in ms, our target in ms; 0 for none)
SAID = {
    "start with a workflow": (5, 0.0),
    "phase": (3, 1.0),
    "should-resume": (2, 1.0),
    "get": (1, 0.0),
    "end, in its final phase": (5, 0.0),
    "list of {listed}, by status": (10, 0.0),
    "cleanup of {many}, one due": (50, 0.0),
    "task add": (0, 1.0),
    "task start": (0, 1.0),
    "task done": (0, 1.0),
    "agent start": (0, 1.0),
    "list of {many}, by agent and status": (0, 10.0),
}


def work(world: World) -> Iterator[Table]:
    """Calls by the API in one process, on the file system of the world and in memory."""
    for root, kind in world.file_systems():
        times = measure(_variants(world, root), world.scale.api_rounds)
        rows = [_row(name, own, world) for name, own in times.items()]
        note = (
            f"One call each in one process, on {kind}, in a session that has {TASKS} tasks. In brackets: the figure "
            "that the authors of a session manager with JSON files give for the same call, on their machine."
        )
        yield Table(f"A session that orchestrates, on {kind}", note, rows)


# tasks that the session has before the first call
TASKS = 20


def _row(name: str, own: list[float], world: World) -> Row:
    sizes = {"listed": f"{world.scale.listed:,}", "many": f"{world.scale.sessions:,}"}
    said, target = next(v for k, v in SAID.items() if k.format(**sizes) == name)
    listed = "Every ref is looked at, whether it has moved."
    why = (
        listed if name.startswith("list") else "What waits in the journal, up to 64 KB, is read again after each event."
    )
    shown = f"{name} ({said} ms)" if said else name
    return Row(shown, own, target=Target(ms=target) if target else None, why=why)


def _variants(world: World, root: Path) -> list[Variant]:
    from git_agent_session import Filter, work

    store = world.repo("work", root).store()
    session = work.start(store, WORKFLOW, goal="The session that is measured", agent="claude-code")
    for n in range(TASKS):
        work.tasks.add(store, session.id, f"Task number {n}")
    moves = cycle(("planning", "approval"))
    listed, many = world.scale.listed, world.scale.sessions
    few_store, many_store = _many(world, root, listed).store(), _many(world, root, many).store()
    open_ones, some = Filter(status=("active",)), Filter(agent_type="claude-code", status=("active",))
    begun = world.repo("begun", root).store()
    sweeping = _Sweeping(_many(world, root, many, ended=True).store())
    ending, steps = _Ending(world.repo("ending", root).store()), _Steps(store, session.id)
    return [
        Variant("start with a workflow", lambda: work.start(begun, WORKFLOW, goal="Find out", agent="claude-code")),
        Variant("phase", lambda: work.move_phase(store, session.id, next(moves))),
        Variant("should-resume", lambda: work.should_resume(store, session.id)),
        Variant("get", lambda: store.get(session.id)),
        Variant("end, in its final phase", ending.end, ending.begin),
        Variant("task add", lambda: work.tasks.add(store, session.id, "Raise the memory limit")),
        Variant("task start", steps.start, steps.add),
        Variant("task done", steps.done, steps.begin),
        Variant("agent start", lambda: work.subagents.start(store, session.id, "build", model="opus")),
        Variant(f"list of {listed:,}, by status", lambda: few_store.list(open_ones)),
        Variant(f"list of {many:,}, by agent and status", lambda: many_store.list(some)),
        Variant(f"cleanup of {many:,}, one due", sweeping.sweep, sweeping.begin),
    ]


class _Ending:
    """A session, begun anew before each end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: Session | None = None

    def begin(self) -> None:
        from git_agent_session import work

        self._session = work.start(self._store, WORKFLOW, agent="claude-code")

    def end(self) -> None:
        from git_agent_session import work

        assert self._session is not None
        work.finish(self._store, self._session.id, message="done")


class _Sweeping:
    """A session that nobody has ended, beside many that have ended."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self) -> None:
        self._store.start(goal="Left open", agent="codex", activate=False)

    def sweep(self) -> None:
        from git_agent_session.store.sweep import due, sweep

        done, failed = sweep(self._store, due(self._store, hours=0))
        if len(done) != 1 or failed:
            raise Failed(f"cleanup closed {len(done)} sessions, {len(failed)} not")


class _Steps:
    """A task, brought before each step to where the step begins."""

    def __init__(self, store: Store, session: str) -> None:
        self._store, self._session = store, session
        self._task: Task | None = None

    def add(self) -> None:
        from git_agent_session import work

        self._task = work.tasks.add(self._store, self._session, "Raise the memory limit")

    def begin(self) -> None:
        self.add()
        self.start()

    def start(self) -> None:
        self._step("start")

    def done(self) -> None:
        self._step("done")

    def _step(self, name: str) -> None:
        from git_agent_session import work

        assert self._task is not None
        step: Callable[[Store, str | None, str], Task] = getattr(work.tasks, name)
        step(self._store, self._session, self._task.id)


def _many(world: World, root: Path, sessions: int, *, ended: bool = False) -> Repo:
    from git_agent_session import work

    repo = world.repo("ended" if ended else "orchestrated", root)
    store = repo.store()
    for n in range(sessions):
        begun = work.start(store, WORKFLOW, goal=f"Goal number {n}", agent=("claude-code", "codex")[n % 3 > 1])
        if ended or n % 4 == 0:
            store.end(begun.id)
    repo.call("pack-refs", "--all")
    store.list()
    return repo
