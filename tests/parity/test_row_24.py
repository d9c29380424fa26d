"""Row 24: storage behind an interface, one in memory for tests; enabled, path and days of keeping by settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import memory
from git_agent_session.hooks import installer
from git_agent_session.memory import SessionStore
from tests.e2e.claude import Claude
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("root", files={"f": "1\n"})
    return Cli(repo)


def investigate(store: SessionStore) -> tuple[str, list[str]]:
    """What a program does with a store, of whatever kind."""
    session = store.start(goal="Investigate production issue", tags=["production", "urgent"])
    for tool in ("git_tool", "log_analysis", "knowledge_indexer"):
        store.append(session.id, "tool", {"name": tool, "duration_ms": 100, "outcome": "ok"})
        store.log(session.id, "message", "Analysis complete", role="tool", meta={"tool_name": tool})
    return store.end(session.id).status, sorted(store.summary(session.id).tools)


def test_a_program_works_with_either_store(repo: Repo) -> None:
    wanted = ("completed", ["git_tool", "knowledge_indexer", "log_analysis"])
    assert investigate(git_agent_session.open(str(repo.path))) == wanted
    assert investigate(memory.open()) == wanted


def test_what_records_does_nothing_where_it_is_off(cli: Cli, repo: Repo) -> None:
    repo.git("config", "agentSession.enabled", "false")
    for call in (("start", "--goal", "x"), ("log", "note", "x"), ("metric", "m", "1"), ("task", "add", "x"), ("end",)):
        done = cli(*call)
        assert (done.out, done.err) == ("", ""), call
    assert cli("list", "--json").json == []
    assert not (repo.path / ".git/agent-session/live").exists()


def test_what_reads_goes_on_where_it_is_off_and_all_does_again_where_it_is_on(cli: Cli, repo: Repo) -> None:
    session = cli.start("--goal", "kept")
    repo.git("config", "agentSession.enabled", "false")
    cli("log", "note", "lost")
    cli("end")
    assert cli("show", "--json").json["goal"] == "kept"
    assert [e["kind"] for e in cli("history", "--json").json] == ["start"]
    assert "Usage" in cli("start", "--help").out
    repo.git("config", "agentSession.enabled", "true")
    cli("end")
    assert git_agent_session.open(str(repo.path)).get(session).ended


def test_a_command_is_run_and_not_recorded_where_it_is_off(cli: Cli, repo: Repo) -> None:
    repo.git("config", "agentSession.enabled", "false")
    done = repo.cli("exec", "--task", "t", "--", sys.executable, "-c", "print('said'); raise SystemExit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "")
    assert repo.cli("exec", "--", "no-such-program").returncode == 127
    assert cli("list", "--json").json == []


def test_no_commit_is_linked_where_it_is_off(cli: Cli, repo: Repo) -> None:
    installer.install(str(repo.path))
    session = cli.start("--goal", "open")
    linked = repo.commit("two")
    # the file of the settings must be younger than the session
    subprocess.run(["git", "config", "agentSession.enabled", "false"], cwd=repo.path, check=True)
    repo.commit("three")
    assert "Agent-Session" not in repo.git("log", "-1", "--format=%B")
    repo.git("config", "agentSession.enabled", "true")
    again = repo.commit("four")
    store = git_agent_session.open(str(repo.path))
    assert [k.commit for k in store.commits(session)] == [linked, again]


def test_an_agent_s_hooks_record_nothing_where_it_is_off(cli: Cli, repo: Repo, home: Path) -> None:
    repo.git("config", "agentSession.enabled", "off")
    claude = Claude(repo, home)
    claude.prompt("one")
    assert git_agent_session.open(str(repo.path)).list() == []
    repo.git("config", "--unset", "agentSession.enabled")
    claude.prompt("two", 2)
    assert [s.id for s in git_agent_session.open(str(repo.path)).list()] == [claude.id]


def test_days_of_keeping_are_a_setting(cli: Cli, repo: Repo) -> None:
    session = cli.start()
    cli("end")
    repo.git("config", "agentSession.archiveDays", "0")
    cli("archive")
    assert f"refs/agent-sessions/{session}" not in repo.git("for-each-ref", "--format=%(refname)")
    assert [row["id"] for row in cli("list", "--json").json] == [session]


def test_the_path_is_that_of_the_repository(repo: Repo, tmp_path: Path) -> None:
    env = {"GIT_DIR": str(repo.path / ".git")}
    store = git_agent_session.open(str(tmp_path), env=env)
    store.start(goal="x")
    assert repo.git("for-each-ref", "refs/agent-sessions")
