"""Sessions that a crash left open: `status` says so, `cleanup` closes them with the reason; nothing is guessed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from git_agent_session import live
from git_agent_session.ids import timestamp
from git_agent_session.model import Agent
from git_agent_session.store import left_open
from git_agent_session.store.store import Store
from tests.e2e.claude import Claude, free, until
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo

HOLDER = """import sys
sys.path.insert(0, sys.argv[1])
from git_agent_session.store import left_open
with left_open.held(sys.argv[2], sys.argv[3]):
    print("held", flush=True)
    sys.stdin.read()
"""


def killed(store: Store, session: str) -> None:
    """Let another process hold a session, and kill it."""
    argv = [sys.executable, "-c", HOLDER, str(ROOT), store.shared, session]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == b"held"
        assert left_open.why(store.shared, store.get(session)) == ""
        process.kill()


@pytest.fixture
def crashed(store: Store, session: str) -> str:
    killed(store, session)
    return session


@pytest.fixture
def cli(hooked: Repo) -> Cli:
    return Cli(hooked)


def test_status_says_that_a_crash_left_it_open(cli: Cli, crashed: str) -> None:
    out = cli("status").out
    assert "Left open by a crash: `exec` was killed while its command ran.\n" in out
    assert '"cleanup" to close it as abandoned' in out
    assert cli("status", "--json").json["left_open"] == "`exec` was killed while its command ran"


def test_cleanup_closes_it_with_the_reason_however_young_it_is(cli: Cli, store: Store, crashed: str) -> None:
    young = store.start(goal="alive").id
    out = cli("cleanup").out
    assert out.startswith(f"Closed session {crashed[:8]} ") and "left open by a crash: `exec` was killed" in out
    closed = store.get(crashed)
    assert closed.status == "abandoned"
    assert closed.message == "left open by a crash: `exec` was killed while its command ran"
    assert store.get(young).status == "active"
    assert cli("cleanup").err == "no session is known to be left open by a crash\n"
    assert not (Path(store.shared) / "lock" / f"run-{crashed}").exists()


def test_a_dry_run_says_so_and_closes_nothing(cli: Cli, store: Store, crashed: str) -> None:
    assert cli("cleanup", "-n").out.startswith(f"Would close session {crashed[:8]} ")
    assert cli("cleanup", "-n", "--hours", "1000", "--json").json[0]["reason"].startswith("`exec` was killed")
    assert store.get(crashed).status == "active"


def test_one_that_ended_by_itself_leaves_no_mark(store: Store, session: str) -> None:
    with left_open.held(store.shared, session):
        pass
    assert left_open.why(store.shared, store.get(session)) == ""


def test_one_that_is_paused_or_ended_was_left_by_nobody(store: Store, crashed: str) -> None:
    store.pause(crashed)
    assert left_open.why(store.shared, store.get(crashed)) == ""
    store.end(crashed)
    assert left_open.why(store.shared, store.get(crashed)) == ""


def test_deleting_takes_the_mark_along(store: Store, crashed: str) -> None:
    store.delete(crashed)
    assert not (Path(store.shared) / "lock" / f"run-{crashed}").exists()


def test_after_it_was_resumed_it_is_no_longer_left(cli: Cli, store: Store, crashed: str) -> None:
    cli("resume", crashed)
    assert "crash" not in cli("status").out
    assert cli("cleanup").out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there nobody can ask whether a process is gone")
def test_an_agent_whose_process_is_gone_without_an_end_has_crashed(repo: Repo, home: Path) -> None:
    repo.commit("one")
    claude = Claude(repo, home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as agent:
        claude.env["CLAUDE_PID"] = str(agent.pid)
        claude.call("SessionStart", source="startup")
        claude.prompt()
        shared = str(claude.shared)
        assert left_open.why(shared, claude.session()) == ""
        agent.kill()
    assert left_open.why(shared, claude.session()) == f"its agent, process {agent.pid}, is gone"
    # it goes on in a new process
    claude.env["CLAUDE_PID"] = str(os.getpid())
    claude.call("SessionStart", source="resume")
    assert left_open.why(shared, claude.session()) == ""
    claude.end()
    assert not (claude.shared / "lock" / f"agent-{claude.id}").exists()
    assert until(lambda: free(claude.shared, claude.id))


@pytest.mark.parametrize("here", ["another-machine 1", "", "x\ny"])
def test_a_process_of_another_machine_or_container_is_not_judged(store: Store, here: str) -> None:
    agents = store.start(agent=Agent("claude-code", "", "", "5d0c"))
    live.replace(str(Path(store.shared) / "lock" / f"agent-{agents.id}"), f"99999999\n{here}\n")
    assert left_open.why(store.shared, agents, booted=0) == ""


def test_an_agent_does_not_outlive_a_restart_of_its_machine(store: Store) -> None:
    agents = store.start(agent=Agent("codex", "", "", "5d0c"))
    later, earlier = time.time() + 3600, time.time() - 3600
    why = left_open.why(store.shared, agents, booted=later)
    assert why == f"this machine was started at {timestamp(int(later * 1e9))}, after its last event"
    assert left_open.why(store.shared, agents, booted=earlier) == ""
    assert left_open.why(store.shared, agents, booted=time.time() + 30) == ""


def test_a_session_opened_by_hand_outlives_one(store: Store, session: str) -> None:
    assert left_open.why(store.shared, store.get(session), booted=time.time() + 3600) == ""


def test_a_session_that_is_open_elsewhere_is_not_judged(store: Store) -> None:
    agents = store.start(agent=Agent("codex", "", "", "5d0c"))
    live.set_closed(store.shared, agents.id)
    assert left_open.why(store.shared, agents, booted=time.time() + 3600) == ""


def test_the_machine_says_when_it_was_started() -> None:
    booted = left_open.boot_time()
    if booted is not None:
        assert 0 < booted <= time.time()
    elif sys.platform in ("linux", "darwin", "win32"):
        pytest.fail("this system does tell")
