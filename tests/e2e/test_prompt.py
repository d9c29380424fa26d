"""The session in the prompt of real shells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("one")
    return Cli(repo)


def argv(shell: str, script: str) -> list[str]:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    return [shell, *flags, "-c", script]


def prompt(repo: Repo, cli: Cli, shell: str, cwd: Path | None = None, before: str = "", **env: str) -> str:
    """What the prompt shows in a folder."""
    show = "fish_agent_session_prompt" if shell == "fish" else '__git_agent_session_ps1; printf %s "$AGENT_SESSION_PS1"'
    script = f"{cli('prompt', '--shell', shell).out}\ncd '{cwd or repo.path}'\n{before}\n{show}"
    done = repo.run(*argv(shell, script), env=env)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_it_shows_the_active_session_and_its_agent_anywhere_in_the_worktree(repo: Repo, cli: Cli, shell: str) -> None:
    assert prompt(repo, cli, shell) == ""
    session_id = cli.start("--agent-type", "claude-code")
    (repo.path / "a b/c").mkdir(parents=True)
    assert prompt(repo, cli, shell) == f" ({session_id[:8]} claude-code)"
    assert prompt(repo, cli, shell, repo.path / "a b/c") == f" ({session_id[:8]} claude-code)"
    assert prompt(repo, cli, shell, Path("/")) == ""
    cli("pause")
    assert prompt(repo, cli, shell) == f" ({session_id[:8]} paused)"
    cli("end")
    assert prompt(repo, cli, shell) == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_each_worktree_has_its_own(repo: Repo, cli: Cli, shell: str, tmp_path: Path) -> None:
    here = cli.start("--agent-type", "codex")
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    assert prompt(repo, cli, shell, tmp_path / "other") == ""
    there = Cli(Repo(tmp_path / "other")).start("--agent-type", "gemini")
    assert prompt(repo, cli, shell, tmp_path / "other") == f" ({there[:8]} gemini)"
    assert prompt(repo, cli, shell) == f" ({here[:8]} codex)"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_variable_wins_and_a_format_of_ones_own_is_used(repo: Repo, cli: Cli, shell: str) -> None:
    first, second = cli.start("--agent-type", "codex"), cli.start("--agent-type", "pi")
    assert prompt(repo, cli, shell, GIT_AGENT_SESSION=first) == f" ({first[:8]} codex)"
    assert prompt(repo, cli, shell, GIT_AGENT_SESSION="none") == ""
    assert prompt(repo, cli, shell, Path("/"), GIT_DIR=str(repo.path / ".git")) == f" ({second[:8]} pi)"
    if shell != "fish":
        assert prompt(repo, cli, shell, AGENT_SESSION_PS1_FORMAT="<%s>") == f"<{second[:8]} pi>"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "text", ["$(touch pwned)", "`touch pwned`", "%n", "3f2a9c1e-$(touch pwned)-aaaa-aaaa-aaaaaaaaaaaa"]
)
def test_files_that_say_something_else_show_nothing_of_it(repo: Repo, cli: Cli, shell: str, text: str) -> None:
    session_id = cli.start("--agent-type", "codex")
    folder = repo.path / ".git/agent-session"
    (folder / "live" / session_id).write_text(f"{text}\n")
    assert prompt(repo, cli, shell) == f" ({session_id[:8]} unknown)"
    (folder / "active").write_text(f"{text}\n")
    assert prompt(repo, cli, shell) == ""
    assert not (repo.path / "pwned").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_exit_status_of_the_last_command_stays(repo: Repo, cli: Cli, shell: str) -> None:
    script = f"{cli('prompt', '--shell', shell).out}\n(exit 7)\n__git_agent_session_ps1\necho $?"
    assert repo.run(*argv(shell, script)).stdout == "7\n"


def test_bash_and_zsh_call_it_before_each_prompt(repo: Repo, cli: Cli) -> None:
    text = cli("prompt", "--shell", "bash").out
    twice = f"PROMPT_COMMAND='echo mine'\n{text}\n{text}\necho \"$PROMPT_COMMAND\""
    assert repo.run(*argv("bash", twice)).stdout == "__git_agent_session_ps1; echo mine\n"
    zsh = cli("prompt", "--shell", "zsh").out
    assert "__git_agent_session_ps1" in repo.run(*argv("zsh", f"{zsh}\n{zsh}\necho $precmd_functions")).stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_no_process_is_started(repo: Repo, cli: Cli, shell: str) -> None:
    cli.start("--agent-type", "codex")
    nothing = "set -e PATH" if shell == "fish" else "PATH="
    assert "codex" in prompt(repo, cli, shell, before=nothing)


def test_the_shell_is_the_users_own_unless_named(cli: Cli) -> None:
    assert "fish_agent_session_prompt" in cli("prompt", env={"SHELL": "/usr/bin/fish"}).out
    assert cli("prompt", "--json", env={"SHELL": "/bin/bash"}).json["shell"] == "bash"
    assert "name one with --shell: bash, zsh, fish" in cli.fails("prompt", code=2, env={"SHELL": "/bin/tcsh"})
    assert "tcsh" in cli.fails("prompt", "--shell", "tcsh", code=2)


@pytest.mark.parametrize("name", ["prompt", "completion"])
def test_shellcheck_finds_nothing_in_what_bash_reads(cli: Cli, repo: Repo, name: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    text = cli("completion", "bash").out if name == "completion" else cli("prompt", "--shell", "bash").out
    done = repo.run("shellcheck", "-s", "bash", "-", input=text)
    assert done.returncode == 0, done.stdout


def test_the_lines_of_the_documentation_are_those_of_the_snippets(cli: Cli) -> None:
    text = (ROOT / "docs/terminal.md").read_text(encoding="utf-8")
    for shell, line in (("bash", r"PS1='\w$AGENT_SESSION_PS1\$ '"), ("zsh", "PS1='%~$AGENT_SESSION_PS1%# '")):
        assert line in text and line in cli("prompt", "--shell", shell).out
