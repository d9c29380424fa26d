"""Row 14: a task is executed in a session, with its output as it comes."""

from __future__ import annotations

import sys

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.store.store import Store
from git_agent_session.work import execute
from tests.e2e.cli import Cli
from tests.harness import Repo

TASKS = ("Create component", "Add tests", "Update documentation")
PROGRAM = "import sys; print('doing', sys.argv[1])"


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    return git_agent_session.open(str(repo.path))


def test_row_14_by_python(store: Store) -> None:
    session = store.start(goal="feature x").id
    for title in TASKS:
        argv = [sys.executable, "-c", PROGRAM, title]
        steps = list(execute.stream(store, argv, session=session, task=title))
        started, *outputs, ran = steps
        assert isinstance(started, execute.Started) and started.session == session
        assert all(isinstance(o, execute.Output) for o in outputs)
        assert isinstance(ran, execute.Ran) and ran.exit == 0 and ran.tail == f"doing {title}"
    found = store.end(session)
    assert [(t.title, t.status) for t in work.tasks.of(found)] == [(title, "done") for title in TASKS]
    assert work.tasks.stats(found).success_rate == 100.0


def test_row_14_by_command(repo: Repo, store: Store) -> None:
    cli = Cli(repo)
    cli.start("--goal", "feature x")
    for title in TASKS:
        assert cli("exec", "--task", title, "--", sys.executable, "-c", PROGRAM, title).out == f"doing {title}\n"
    cli("exec", "--task", "Break it", "--", sys.executable, "-c", "raise SystemExit(3)", code=3)
    rows = cli("task", "list", "--json").json
    assert [(r["title"], r["status"]) for r in rows] == [*((t, "done") for t in TASKS), ("Break it", "failed")]
