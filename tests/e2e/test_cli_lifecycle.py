"""The life of a session on the command line, from start to delete, and which one is current."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from git_agent_session.ids import is_session_id
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


def test_start_prints_the_id_what_was_opened_and_the_line_to_export(repo: Repo) -> None:
    repo.commit(files={"a.py": "x = 1\n"})
    done = repo.cli("start", "--goal", "Add rate limiting", "--agent-type", "claude-code", "--agent-version", "2.1")
    lines = done.stdout.splitlines()
    session_id = lines[0].rpartition(" ")[2]
    assert is_session_id(session_id)
    assert "  goal:     Add rate limiting" in lines
    assert "  agent:    claude-code 2.1" in lines
    assert any(line.startswith("  context:  1 file, about ") for line in lines)
    assert lines[-1] == f"export GIT_AGENT_SESSION={session_id}"
    assert repo.git("rev-parse", "--verify", f"refs/agent-sessions/{session_id}")


def test_start_keeps_everything_that_is_given(cli: Cli) -> None:
    parent = cli.start()
    given = ["--goal", "g", "--agent-type", "codex", "--agent-version", "1", "--model", "m", "--user", "Bo <b@x>"]
    given += [
        "--tag",
        "b",
        "--tag",
        "a",
        "--project",
        "p",
        "--type",
        "quick",
        "--meta",
        "k=v=w",
        "--parent",
        parent[:8],
    ]
    session = cli("start", *given, "--non-interactive", "--no-context", "--json").json
    assert session["agent"] == {"type": "codex", "version": "1", "model": "m"}
    wanted = {"goal": "g", "user": "Bo <b@x>", "tags": ["a", "b"], "project": "p", "type": "quick", "parent": parent}
    assert {key: session[key] for key in wanted} == wanted
    assert session["meta"] == {"k": "v=w"}
    assert not session["counts"].get("snapshots")


def test_start_takes_an_initial_snapshot_unless_told_not_to(cli: Cli) -> None:
    session_id = cli("start", "-q").out.strip()
    assert [e["type"] for e in cli("history", "--type", "context", "--json").json] == ["initial"]
    assert cli("context", session_id, "--json").json["file_count"] == 0


def test_start_quiet_prints_the_id_alone(cli: Cli) -> None:
    done = cli("start", "--quiet")
    assert is_session_id(done.out.removesuffix("\n"))


def test_start_says_when_the_hooks_are_not_installed(cli: Cli) -> None:
    assert "run `git agent-session install`" in cli("start", "--no-context").err
    cli("install")
    assert "install" not in cli("start", "--no-context").err


def test_start_asks_on_a_terminal_for_what_is_not_given(cli: Cli) -> None:
    done = cli("start", "--no-context", tty=True, input=b"Mend the parser\ncodex\n")
    assert "Goal: " in done.err and "Agent type" in done.err
    session = cli("status", "--json").json
    assert session["goal"] == "Mend the parser" and session["agent"]["type"] == "codex"


def test_start_asks_again_for_an_agent_type_that_cannot_be(cli: Cli) -> None:
    done = cli("start", "--no-context", tty=True, input=b"g\nNo Such!\ncodex\n")
    assert done.err.count("Agent type") == 2 and "is no agent type" in done.err
    assert cli("status", "--json").json["agent"]["type"] == "codex"


@pytest.mark.parametrize("input", [b"", b"a goal\n"])
def test_the_end_of_input_at_a_question_starts_nothing(cli: Cli, input: bytes) -> None:
    assert cli("start", "--no-context", tty=True, input=input, code=130).out == ""
    assert cli("list", "--json").json == []


def test_start_does_not_ask_for_what_is_given(cli: Cli) -> None:
    done = cli("start", "--no-context", "--goal", "g", "--agent-type", "codex", tty=True)
    assert "Goal: " not in done.err and "Agent type" not in done.err


@pytest.mark.parametrize("option", ["--non-interactive", "--quiet", "--json"])
def test_start_never_asks_where_it_is_told_not_to(cli: Cli, option: str) -> None:
    assert "Goal: " not in cli("start", "--no-context", option, tty=True, input=b"no\n").err
    assert "goal" not in cli("status", "--json").json


def test_start_on_a_real_terminal_asks_and_waits_for_the_answer(repo: Repo) -> None:
    main, sub = pty.openpty()
    argv = [sys.executable, "-m", "git_agent_session", "start", "--no-context", "--agent-type", "codex"]
    with subprocess.Popen(argv, cwd=repo.path, stdin=sub, stdout=subprocess.PIPE, stderr=sub) as process:
        os.write(main, b"From the terminal\n")
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(sub)
    os.close(main)
    assert process.returncode == 0
    assert "goal:     From the terminal" in out


def test_start_makes_the_new_session_the_current_one_and_names_the_one_before(cli: Cli) -> None:
    first = cli.start()
    done = cli("start", "--no-context")
    second = cli("status", "--json").json["id"]
    assert second != first
    assert f"session {first[:8]} is still open" in done.err


def test_start_warns_when_the_environment_names_another_session(cli: Cli) -> None:
    first = cli.start()
    done = cli("start", "--no-context", "-q", env={"GIT_AGENT_SESSION": first})
    assert "GIT_AGENT_SESSION names another session" in done.err


@pytest.mark.parametrize("status", ["completed", "failed", "error", "aborted", "abandoned"])
def test_end_takes_every_final_status(cli: Cli, status: str) -> None:
    session_id = cli.start()
    done = cli("end", "--status", status, "--message", "so be it", "--json").json
    assert (done["id"], done["status"], done["message"]) == (session_id, status, "so be it")
    assert done["ended_at"] >= done["started_at"]


def test_end_without_a_status_completes_the_session_and_says_what_was_recorded(cli: Cli) -> None:
    cli.start("--goal", "A goal")
    cli("log", "note", "one")
    out = cli("end").out
    assert "completed" in out and "(A goal)" in out and "1 interaction" in out


def test_end_takes_an_id_or_the_session_option(cli: Cli) -> None:
    first, second = cli.start(), cli.start()
    assert cli("end", first[:8], "--json").json["id"] == first
    assert cli("end", "--session", second, "--json").json["id"] == second


def test_end_says_that_the_variable_still_names_the_session(cli: Cli) -> None:
    session_id = cli.start()
    assert "unset GIT_AGENT_SESSION" in cli("end", env={"GIT_AGENT_SESSION": session_id}).err


def test_pause_and_resume(cli: Cli) -> None:
    session_id = cli.start()
    assert cli("pause", "--json").json["status"] == "paused"
    assert "commits are not linked" in cli("status").out
    assert cli("resume", "--json").json["status"] == "active"
    assert cli("status", "--json").json["id"] == session_id


def test_resume_without_an_id_reopens_the_last_session_of_the_worktree(cli: Cli) -> None:
    session_id = cli.start()
    cli("end")
    assert cli("resume", "--json").json["id"] == session_id
    assert "ended_at" not in cli("status", "--json").json


def test_switch_goes_to_another_session_and_back(cli: Cli) -> None:
    first, second = cli.start(), cli.start()
    assert cli("switch", first[:4] if first[:4] != second[:4] else first).out.startswith("Switched to session")
    assert cli("status", "--json").json["id"] == first
    assert cli("switch", "-", "--json").json["id"] == second
    assert cli("switch", "@{-1}", "--json").json["id"] == first


def test_set_changes_what_is_given_and_nothing_else(cli: Cli) -> None:
    cli.start("--goal", "old", "--meta", "a=1")
    done = cli(
        "set", "--goal", "new", "--title", "t", "--type", "full", "--project", "p", "--meta", "b=2", "--json"
    ).json
    wanted = {"goal": "new", "title": "t", "type": "full", "project": "p", "meta": {"a": "1", "b": "2"}}
    assert {key: done[key] for key in wanted} == wanted


def test_tag_adds_removes_and_lists(cli: Cli) -> None:
    cli.start()
    assert cli("tag", "b", "a", "--json").json == ["a", "b"]
    assert cli("tag").out == "a\nb\n"
    assert cli("tag", "-d", "a", "--json").json == ["b"]
    assert cli("tag", "--delete", "b").out == ""
    assert cli("tag", "--json").json == []


def test_tag_refuses_to_remove_what_is_not_there(cli: Cli) -> None:
    cli.start()
    assert "has no tag 'a'" in cli.fails("tag", "-d", "a", code=2)


def test_delete_needs_a_word_where_nobody_can_be_asked(cli: Cli, repo: Repo) -> None:
    session_id = cli.start()
    assert "--yes" in cli.fails("delete", session_id[:8], code=2)
    assert repo.git("for-each-ref", "refs/agent-sessions")
    assert cli("delete", session_id[:8], "--yes", "--json").json["id"] == session_id
    assert not repo.git("for-each-ref", "refs/agent-sessions")


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"", 1)])
def test_delete_asks_on_a_terminal(cli: Cli, answer: bytes, left: int) -> None:
    session_id = cli.start("--goal", "Precious")
    done = cli("delete", session_id, tty=True, input=answer)
    assert "Precious" in done.err and "[y/N]" in done.err
    assert len(cli("list", "--json").json) == left


def test_the_session_option_wins_over_the_variable_and_the_variable_over_the_worktree(cli: Cli) -> None:
    first, second, third = cli.start(), cli.start(), cli.start()
    env = {"GIT_AGENT_SESSION": second}
    assert cli("status", "--json").json["id"] == third
    assert cli("status", "--json", env=env).json["id"] == second
    assert cli("status", "--session", first, "--json", env=env).json["id"] == first


def test_a_worktree_has_a_current_session_of_its_own(cli: Cli, repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    first = cli.start()
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = Cli(Repo(tmp_path / "other"))
    second = other.start()
    assert cli("status", "--json").json["id"] == first
    assert other("status", "--json").json["id"] == second


@pytest.mark.parametrize("command", ["status", "show", "history", "commits", "tag"])
def test_reading_without_a_current_session_shows_the_last_one_and_says_so(cli: Cli, command: str) -> None:
    session_id = cli.start()
    cli("end")
    done = cli(command)
    assert session_id[:8] in done.out + done.err
    assert "last one" in done.out + done.err


@pytest.mark.parametrize("args", [["log", "note", "x"], ["metric", "a", "1"], ["tag", "a"], ["end"], ["pause"]])
def test_writing_needs_a_current_session(cli: Cli, args: list[str]) -> None:
    cli.start()
    cli("end")
    assert "no current session" in cli.fails(*args)
