"""Row 11: several agents on one project, replay, what each cost, templates, going on by itself, branching off."""

from __future__ import annotations

from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.hooks import installer
from git_agent_session.report import replay
from git_agent_session.store.store import Store
from git_agent_session.work import brief, fork, templates
from tests.e2e.cli import Cli
from tests.e2e.test_left_open import killed
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    installer.install(str(repo.path))
    repo.commit("one", files={"README.md": "# API\n"})
    return git_agent_session.open(str(repo.path))


def test_row_11_several_agents_with_what_each_cost(repo: Repo, store: Store) -> None:
    session = store.start(goal="Add API rate limiting").id
    first = work.subagents.start(store, session, "spec", model="m1")
    second = work.subagents.start(store, session, "build", model="m2")
    work.subagents.stop(store, session, first.id, tokens=1200, cost_usd=0.02)
    work.subagents.stop(store, session, second.id, tokens=9000, cost_usd=0.31)
    rows = Cli(repo)("agent", "list", "--json").json
    assert [(r["type"], r["tokens"], r["cost_usd"]) for r in rows] == [("spec", 1200, 0.02), ("build", 9000, 0.31)]
    assert store.get(session).usage["cost_usd"] == 0.33


def test_row_11_replay(repo: Repo, store: Store, tmp_path: Path) -> None:
    session = store.start(goal="Add API rate limiting").id
    store.log(session, "user_message", "Add the limiter", role="user")
    commits = [repo.commit(n, files={"limit.py": n}, env={"GIT_AGENT_SESSION": session}) for n in ("one", "two")]
    assert [s.subject for s in replay.steps(store, session) if s.commit] == ["one", "two"]
    out = Cli(repo)("replay", session).out
    assert out.index("Add the limiter") < out.index("+one") < out.index("+two")
    Cli(repo)("replay", session, "--until", commits[0], "--worktree", str(tmp_path / "then"))
    assert (tmp_path / "then/limit.py").read_text() == "one"


def test_row_11_templates(repo: Repo, store: Store) -> None:
    text = 'goal = "Limit the rates"\ntags = ["api"]\ncontext = ["README.md"]\n'
    repo.write({".agent-session/templates/limiting.toml": text})
    by_python = templates.start(store, "limiting")
    by_command = store.get(Cli(repo)("start", "--template", "limiting", "-q").out.strip())
    for made in (by_python, by_command):
        assert (made.goal, made.tags) == ("Limit the rates", ("api",))
    assert store.contexts(by_command.id)[0][1]["documents"][0]["path"] == "README.md"


def test_row_11_going_on_after_a_crash(repo: Repo, store: Store) -> None:
    session = store.start(goal="Limit the rates").id
    killed(store, session)
    cli = Cli(repo)
    assert "Left open by a crash" in cli("status").out
    assert "left open by a crash" in brief.of_session(store, session).text
    assert "goal: Limit the rates" in cli("resume", session).out
    killed(store, session)
    cli("cleanup")
    assert store.get(session).status == "abandoned"


def test_row_11_branching_off(repo: Repo, store: Store, tmp_path: Path) -> None:
    session = store.start(goal="Limit the rates").id
    commit = repo.commit("one", files={"limit.py": "1"}, env={"GIT_AGENT_SESSION": session})
    repo.commit("two", files={"limit.py": "2"}, env={"GIT_AGENT_SESSION": session})
    by_python = fork.fork(store, session, at=commit, worktree=str(tmp_path / "a"), branch="try/a")
    by_command = Cli(repo)("fork", session, "--at", commit, "--worktree", str(tmp_path / "b"), "--json").json
    assert by_python.session.parent == by_command["parent"] == session
    assert (tmp_path / "a/limit.py").read_text() == (tmp_path / "b/limit.py").read_text() == "1"
