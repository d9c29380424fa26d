"""Row 16: sessions are listed, one is switched to, and work goes on in it."""

from __future__ import annotations

import sys

import git_agent_session
from git_agent_session.work import brief, execute
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_16_by_python(repo: Repo) -> None:
    repo.commit("one")
    store = git_agent_session.open(str(repo.path))
    first = store.start(goal="the first").id
    store.end(store.start(goal="the second").id)
    assert [s.goal for s in store.list()] == ["the second", "the first"]
    store.switch(first)
    assert store.current_id() == first
    assert execute.run(store, [sys.executable, "-c", ""], task="Add new feature").session == first
    store.end(first)
    assert "goal: the first" in brief.of_session(store, first).text
    assert store.resume(first).status == "active"


def test_row_16_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    first = cli.start("--goal", "the first")
    second = cli.start("--goal", "the second")
    assert [r["id"] for r in cli("list", "--json").json] == [second, first]
    cli("switch", first)
    cli("exec", "--task", "Add new feature", "--", sys.executable, "-c", "")
    assert [t["title"] for t in cli("task", "list", "--session", first, "--json").json] == ["Add new feature"]
    cli("end")
    done = cli("resume", first)
    assert "goal: the first" in done.out and "Resumed session" in done.err
    assert cli("status", "--json").json["id"] == first
