"""The pre-push hook: sends what belongs to the commits of a push where that was asked for, and never stops a push."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from git_agent_session import sync
from tests.harness import ROOT
from tests.sync.team import SESSIONS, Clone, Team


@pytest.fixture
def pushing(ada: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Ada's clone with the hook in it, and `git-agent-session` on PATH."""
    hooks = ada.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    shutil.copy(ROOT / "githooks/pre-push", hooks / "pre-push")
    launcher = tmp_path / "bin/git-agent-session"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m git_agent_session "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launcher.parent}{os.pathsep}{os.environ['PATH']}")
    return ada


def worked(clone: Clone) -> str:
    """A session with a new commit of its own."""
    session = clone.store.start(goal="x", agent="codex").id
    clone.store.link(session, [clone.commit("work")])
    return session


def push(clone: Clone, *args: str) -> str:
    """`git push`, which succeeds; what it said."""
    done = clone.run("git", "push", "origin", "main", *args)
    assert done.returncode == 0, done.stderr
    return done.stderr


def on(team: Team) -> set[str]:
    """The sessions that the server has."""
    return {r.removeprefix(SESSIONS) for r in team.server.lines("for-each-ref", "--format=%(refname)", SESSIONS)}


def test_nothing_is_sent_unless_asked_for(team: Team, pushing: Clone) -> None:
    worked(pushing)
    assert "agent-session" not in push(pushing)
    assert on(team) == set()


def test_always_sends_the_sessions_of_the_pushed_commits_and_no_others(team: Team, pushing: Clone) -> None:
    pushing.git("config", "agentSession.autoShare", "always")
    first = worked(pushing)
    sync.push(pushing.store, "origin")
    second = worked(pushing)
    other = pushing.store.start(goal="no commit", agent="codex").id
    said = push(pushing)
    assert "git agent-session: sent 1 session to origin" in said
    assert on(team) == {first, second}
    assert other not in on(team)


def test_always_sends_nothing_where_nobody_has_shared_by_hand(team: Team, pushing: Clone) -> None:
    pushing.git("config", "--global", "agentSession.autoShare", "always")
    worked(pushing)
    assert "nobody has shared sessions with it by hand" in push(pushing)
    assert on(team) == set()
    pushing.commit("more")
    worked(pushing)
    # said once
    assert "by hand" not in push(pushing)


def test_a_fork_gets_nothing_although_the_first_remote_was_chosen(team: Team, pushing: Clone, tmp_path: Path) -> None:
    fork = Team(tmp_path, tmp_path / "fork.git")
    pushing.git("config", "agentSession.autoShare", "always")
    sync.push(pushing.store, "origin")
    pushing.store.start(goal="y", agent="codex")
    pushing.sync()
    pushing.git("remote", "add", "fork", str(fork.server.path))
    worked(pushing)
    done = pushing.run("git", "push", "fork", "main")
    assert done.returncode == 0
    assert on(fork) == set()


def test_another_remote_for_sessions_beside_a_public_project(team: Team, pushing: Clone, tmp_path: Path) -> None:
    private = Team(tmp_path, tmp_path / "private.git")
    pushing.git("remote", "add", "private", str(private.server.path))
    pushing.git("config", "agentSession.remote", "private")
    pushing.git("config", "agentSession.autoShare", "always")
    worked(pushing)
    assert sync.push(pushing.store).remote.shown == "private"
    session = worked(pushing)
    push(pushing)
    assert session in on(private)
    assert on(team) == set()


def test_a_server_that_refuses_does_not_stop_the_push(team: Team, pushing: Clone) -> None:
    pushing.git("config", "agentSession.autoShare", "always")
    worked(pushing)
    sync.push(pushing.store, "origin")
    team.server.git("config", "receive.hideRefs", "refs/agent-sessions")
    worked(pushing)
    assert "sessions were not sent" in push(pushing)
    assert team.server.git("rev-parse", "main") == pushing.git("rev-parse", "main")


@pytest.mark.sync
def test_a_server_that_hangs_is_left_when_the_time_is_up(team: Team, pushing: Clone) -> None:
    pushing.git("config", "agentSession.autoShare", "always")
    pushing.git("config", "agentSession.shareTimeout", "1")
    worked(pushing)
    sync.push(pushing.store, "origin")
    wait = team.server.path / "hooks/pre-receive"
    wait.parent.mkdir(exist_ok=True)
    wait.write_text("#!/bin/sh\ncase $(cat) in *refs/agent-sessions/*) sleep 60;; esac\n")
    wait.chmod(0o755)
    worked(pushing)
    begun = time.monotonic()
    said = push(pushing)
    assert "it takes too long" in said
    assert time.monotonic() - begun < 50
    assert team.server.git("rev-parse", "main") == pushing.git("rev-parse", "main")


def test_the_hook_that_was_there_gets_its_input_and_its_word_counts(team: Team, pushing: Clone) -> None:
    before = pushing.path / ".git/hooks/pre-push.before-agent-session"
    before.write_text('#!/bin/sh\ncat >"$PWD/.git/heard"\necho "$1" >>"$PWD/.git/heard"\nexit 1\n')
    before.chmod(0o755)
    pushing.git("config", "agentSession.autoShare", "always")
    worked(pushing)
    done = pushing.run("git", "push", "origin", "main")
    assert done.returncode != 0
    assert "refs/heads/main" in (pushing.path / ".git/heard").read_text()
    assert on(team) == set()


def test_a_mirror_push_is_warned_of_once(team: Team, pushing: Clone) -> None:
    worked(pushing)
    assert "sends every session" in pushing.run("git", "push", "--mirror", "origin").stderr
    worked(pushing)
    assert "sends every session" not in pushing.run("git", "push", "--mirror", "origin").stderr


def test_who_takes_a_session_off_a_remote_by_git_is_not_warned_of_sending_all(team: Team, pushing: Clone) -> None:
    session = worked(pushing)
    pushing.cli("push", "origin", check=True)
    assert "sends every" not in pushing.run("git", "push", "origin", f":{SESSIONS}{session}", check=True).stderr
    assert on(team) == set()
    assert "sends every session" in pushing.run("git", "push", "--mirror", "origin").stderr


def test_ask_without_a_person_sends_nothing_and_says_how(team: Team, pushing: Clone) -> None:
    pushing.git("config", "agentSession.autoShare", "ask")
    worked(pushing)
    assert "nobody could be asked" in push(pushing)
    assert on(team) == set()


def test_a_missing_program_does_not_stop_the_push(pushing: Clone, tmp_path: Path) -> None:
    pushing.git("config", "agentSession.autoShare", "always")
    (tmp_path / "bin/git-agent-session").unlink()
    worked(pushing)
    push(pushing)
