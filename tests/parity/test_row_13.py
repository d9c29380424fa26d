"""Row 13: tasks and plans in a session, their statuses and times, the totals, the rate of success, the average time."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

TASKS = ("Create component", "Add tests", "Update documentation")


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    return git_agent_session.open(str(repo.path))


def test_row_13_by_python(store: Store) -> None:
    session = store.start(goal="feature x").id
    for name in ("the component", "its tests"):
        work.plans.set(store, session, f"plan for {name}")
    for title in TASKS:
        task = work.tasks.add(store, session, title)
        work.tasks.start(store, session, task.id)
        work.tasks.done(store, session, task.id, outcome="ok")
    found = store.get(session)
    numbers = work.tasks.stats(found)
    assert [t.title for t in work.tasks.of(found)] == list(TASKS)
    assert len(work.plans.history(store, session)) == found.counts["plans"] == 2
    assert (numbers.total, numbers.done, numbers.failed, numbers.success_rate) == (3, 3, 0, 100.0)
    spent = [t.duration_ms for t in work.tasks.of(found)]
    assert None not in spent and numbers.total_ms == sum(s for s in spent if s is not None)
    assert numbers.average_ms == round(numbers.total_ms / 3)


def test_row_13_by_command(repo: Repo, store: Store) -> None:
    cli = Cli(repo)
    session = cli.start("--goal", "feature x")
    cli("plan", "set", "-", input=b"1. component\n2. tests\n")
    for title in TASKS[:2]:
        task = cli("task", "add", title, "--start").out.strip()
        cli("task", "done", task)
    failed = cli("task", "add", TASKS[2], "--start").out.strip()
    cli("task", "fail", failed, "--outcome", "no time")
    rows = cli("task", "list", "--json").json
    assert [r["status"] for r in rows] == ["done", "done", "failed"]
    assert all({"created_at", "started_at", "ended_at", "duration_ms"} <= r.keys() for r in rows)
    numbers = cli("task", "list", "--stats", "--json").json
    assert (numbers["total"], numbers["done"], numbers["failed"], numbers["success_rate"]) == (3, 2, 1, 66.7)
    # the same after the end, and for whoever reads it by its id
    cli("end")
    assert cli("task", "list", "--session", session, "--json").json == rows
    assert cli("plan", "show", session).out == "1. component\n2. tests\n"
