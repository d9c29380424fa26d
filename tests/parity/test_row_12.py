"""Row 12: a session opens by itself when none is given, and knows the folder it works in."""

from __future__ import annotations

import sys
from pathlib import Path

import git_agent_session
from git_agent_session.work import execute
from tests.e2e.cli import Cli
from tests.harness import Repo

PROGRAM = "import os; print(os.environ['GIT_AGENT_SESSION'], os.getcwd())"


def test_row_12_by_python(repo: Repo) -> None:
    repo.commit("one")
    (repo.path / "feature-x").mkdir()
    store = git_agent_session.open(str(repo.path))
    ran = execute.run(
        store, [sys.executable, "-c", PROGRAM], task="Build a todo app", folder=str(repo.path / "feature-x")
    )
    session, folder = ran.tail.split(" ", 1)
    made = store.get(session)
    assert ran.opened and made.goal == "Build a todo app" and made.status == "completed"
    assert Path(folder) == repo.path / "feature-x"
    assert store.history(session, kinds=("exec",))[0].data["folder"] == "feature-x"


def test_row_12_by_command(repo: Repo) -> None:
    repo.commit("one")
    out = Cli(repo)("exec", "--task", "Build a todo app", "--", sys.executable, "-c", PROGRAM).out
    session, folder = out.strip().split(" ", 1)
    made = git_agent_session.open(str(repo.path)).get(session)
    assert made.goal == "Build a todo app" and Path(folder) == repo.path
    assert Cli(repo)("list", "--json").json[0]["id"] == session
