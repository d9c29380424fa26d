"""`resume --agent`: the agent's own command, printed or run, and never a stranger's words."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from git_agent_session.cli import resume
from tests.e2e.cli import Cli
from tests.e2e.kept import NATIVE, Kept
from tests.harness import Repo


@pytest.fixture
def kept(repo: Repo) -> Kept:
    repo.commit("one")
    kept = Kept(repo)
    kept.store.end(kept.id)
    return kept


@pytest.fixture
def cli(kept: Kept) -> Cli:
    return Cli(kept.repo)


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH whose `claude` says where it is and what it was given."""
    if sys.platform == "win32":
        pytest.skip("the stand-in is a shell script")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\nexit 7\n')
    (folder / "claude").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_the_agents_own_command_is_printed(cli: Cli, kept: Kept) -> None:
    done = cli("resume", "--agent", "-n", kept.id[:8])
    assert (done.out, done.err) == (f"claude --resume {NATIVE}\n", "")


def test_printing_it_opens_nothing(cli: Cli, kept: Kept) -> None:
    before = kept.store.get(kept.id).to_dict()
    cli("resume", "--agent", "--dry-run", kept.id)
    assert kept.store.get(kept.id).to_dict() == before
    assert kept.store.current_id() is None


def test_one_that_was_paused_by_hand_goes_on(repo: Repo) -> None:
    repo.commit("one")
    kept = Kept(repo)
    kept.store.pause(kept.id)
    assert Cli(repo)("resume", kept.id, "--json").json["command"] == f"claude --resume {NATIVE}"
    assert kept.store.get(kept.id).status == "active"


def test_without_an_id_it_is_the_last_one_of_the_worktree(cli: Cli) -> None:
    assert cli("resume", "--agent", "-n").out == f"claude --resume {NATIVE}\n"


def test_json_has_the_parts(cli: Cli, kept: Kept, repo: Repo) -> None:
    assert cli("resume", "--agent", "-n", kept.id, "--json").json == {
        "id": kept.id,
        "command": f"claude --resume {NATIVE}",
        "argv": ["claude", "--resume", NATIVE],
        "folder": str(repo.path),
    }


def test_from_another_worktree_the_command_goes_to_the_sessions_own(kept: Kept, repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "b", str(tmp_path / "it's another"))
    other = Repo(tmp_path / "it's another")
    printed = Cli(other)("resume", "--agent", "-n", kept.id).out
    assert printed == f"cd {shlex.quote(str(repo.path))} && claude --resume {NATIVE}\n"
    there = Kept(other, native_id="5d0c")
    assert Cli(other)("resume", "--agent", "-n", there.id).out == "claude --resume 5d0c\n"
    out = Cli(repo)("resume", "--agent", "-n", there.id).out
    assert shlex.split(out) == ["cd", str(other.path), "&&", "claude", "--resume", "5d0c"]


@pytest.mark.parametrize("agent", ["codex", "gemini", "copilot", "opencode", "droid", "pi", "cursor"])
def test_every_agents_command_names_the_session(repo: Repo, agent: str) -> None:
    from git_agent_session.model import Agent

    repo.commit("one")
    store = Kept(repo).store
    made = store.start(agent=Agent(agent, "", "", "ses_1"))
    words = Cli(repo)("resume", made.id, "--json").json["argv"]
    assert len(words) > 1 and any("ses_1" in word for word in words[1:])


HOSTILE = ["--help", "-x", "a b", "$(touch x)", "a;b", "`x`", "a\nb", "a'b", "../x", "\x1b[31ma b\x07", "ä", "x" * 201]


@pytest.mark.parametrize("native_id", HOSTILE)
@pytest.mark.parametrize("how", [["--agent"], ["--agent", "-n"], ["--agent", "-n", "--json"]])
def test_an_id_that_is_no_plain_word_is_neither_printed_nor_run(repo: Repo, native_id: str, how: list[str]) -> None:
    repo.commit("one")
    kept = Kept(repo)
    # as it would stand in somebody else's push
    kept.store.append(kept.id, "start", {"agent": {"type": "claude-code", "native_id": native_id}})
    done = Cli(repo)("resume", kept.id, *how, code=1)
    assert done.out == "" and "no plain word" in done.err and "--resume" not in done.err
    assert "command" not in Cli(repo)("resume", kept.id, "--json").json


def test_exec_runs_it_in_the_sessions_worktree(kept: Kept, repo: Repo, tmp_path: Path, programs: str) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    done = Repo(tmp_path / "other").cli("resume", "--exec", kept.id, env={"PATH": programs})
    assert done.stdout.splitlines() == [str(repo.path), "--resume", NATIVE]
    assert (done.returncode, done.stderr) == (7, "")


def test_exec_says_when_the_agent_is_not_installed(cli: Cli, kept: Kept) -> None:
    line = cli.fails("resume", "--exec", kept.id, env={"PATH": "/nonexistent"})
    assert "claude is not installed" in line and f"claude --resume {NATIVE}" in line


def test_exec_says_when_no_agent_can_resume_it(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    session_id = cli.start("--agent-type", "claude-code")
    cli("end")
    assert "no agent that can be resumed" in cli.fails("resume", "--exec", session_id)
    assert cli("resume", session_id, "--json").json["status"] == "active"


def test_a_session_of_an_unknown_agent_is_opened_again(repo: Repo) -> None:
    from git_agent_session.model import Agent

    repo.commit("one")
    store = Kept(repo).store
    made = store.start(agent=Agent("nobody-knows-it", "", "", "5d0c"))
    store.end(made.id)
    assert Cli(repo)("resume", made.id).err.startswith(f"Resumed session {made.id[:8]}")


def test_exec_and_json_do_not_go_together(cli: Cli) -> None:
    assert cli("resume", "--exec", "--json", code=2).out == ""


def test_a_command_line_can_be_copied_into_a_shell(repo: Repo) -> None:
    text = resume.shell(["printf", "%s\n", "a b"], str(repo.path))
    assert repo.run("sh", "-c", text, check=True).stdout == "a b\n"
