"""Completion in real shells, each with its own way to ask, for both names of the program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from git_agent_session.cli import completion
from git_agent_session.cli.main import main
from git_agent_session.git.discover import discover
from git_agent_session.index import glimpse
from tests.e2e.cli import Cli
from tests.e2e.terminal import Terminal
from tests.harness import Repo

GOAL = "Add $(touch pwned) `touch pwned` * rates"


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("one")
    return Cli(repo)


@pytest.fixture
def ids(cli: Cli) -> list[str]:
    """Two sessions, both known to the index."""
    found = [cli.start("--goal", GOAL), cli.start("--goal", "Another goal")]
    cli("list")
    return found


@pytest.fixture
def env(repo: Repo, home: Path) -> dict[str, str]:
    """An environment in which the program is on PATH."""
    program = home / "bin/git-agent-session"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m git_agent_session "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


# -- bash


def bash(repo: Repo, cli: Cli, env: Mapping[str, str], setting: str) -> list[str]:
    """What bash would offer where `setting` says what was typed."""
    ask = f'\n{setting}\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n'
    done = repo.run(need("bash"), "--norc", "-c", cli("completion", "bash").out + ask, env=env)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_lists_ids_with_their_goals(repo: Repo, cli: Cli, env: dict[str, str], ids: list[str]) -> None:
    asked = "COMP_WORDS=(git-agent-session show ''); COMP_CWORD=2; COLUMNS=60; _git_agent_session_alone"
    assert bash(repo, cli, env, asked) == [f"{ids[1][:8]}  Another goal", f"{ids[0][:8]}  {GOAL}"]
    narrow = asked.replace("COLUMNS=60", "COLUMNS=20")
    assert bash(repo, cli, env, narrow) == [f"{ids[1][:8]}  Another g", f"{ids[0][:8]}  Add $(tou"]
    assert not (repo.path / "pwned").exists()


def test_bash_inserts_the_bare_id(repo: Repo, cli: Cli, env: dict[str, str], ids: list[str]) -> None:
    one = f"COMP_WORDS=(git-agent-session show {ids[0][:6]}); COMP_CWORD=2; _git_agent_session_alone"
    assert bash(repo, cli, env, one) == [ids[0][:8]]
    # bash(1), COMP_TYPE: menu completion puts a whole candidate into the line
    menu = "COMP_TYPE=37; COMP_WORDS=(git-agent-session show ''); COMP_CWORD=2; _git_agent_session_alone"
    assert bash(repo, cli, env, menu) == [ids[1][:8], ids[0][:8]]


def test_bash_completes_the_value_of_an_option_with_an_equals_sign(repo: Repo, cli: Cli, env: dict[str, str]) -> None:
    asked = "COMP_WORDS=(git-agent-session end --status = aban); COMP_CWORD=4; _git_agent_session_alone"
    assert bash(repo, cli, env, asked) == ["abandoned"]
    gits = (
        "words=(git -C . agent-session end --status=aban); cword=5; __git_cmd_idx=3;"
        "COMP_WORDS=(${words[@]}); COMP_CWORD=5; _git_agent_session"
    )
    assert bash(repo, cli, env, gits) == ["abandoned "]


def test_a_real_bash_completes_git_agent_session(repo: Repo, cli: Cli, env: dict[str, str], ids: list[str]) -> None:
    gits = next((p for p in _GITS if p.exists()), None)
    if gits is None:
        pytest.skip("git's own completion for bash is not installed")
    repo.write({"../c.bash": cli("completion", "bash").out})
    with Terminal([need("bash"), "--norc", "--noprofile", "-i"], cwd=repo.path, env=env) as t:
        t.type(f"PS1='> '; source '{gits}'; source ../c.bash; echo rea''dy\n")
        t.until("ready\n> ")
        # Meta-? lists, whatever the candidates have in common; ^U empties the line
        t.type("git agent-session show \033?")
        listed = t.until("Another goal")
        assert ids[1][:8] in listed
        t.type(f"\025git agent-session show {ids[0][:7]}\t")
        t.until(f"show {ids[0][:8]} ")


_GITS = [
    Path(p) for p in ("/usr/share/bash-completion/completions/git", "/usr/local/share/bash-completion/completions/git")
]


# -- zsh


def ready_to_edit(t: Terminal, folder: Path) -> None:
    """Load the completions of `folder` and wait for zsh's editor: before it runs, ^D is the terminal's end of file."""
    t.type(f"PS1='> '; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D\n")
    t.type("zle-line-init() { print -n rea''dy }; zle -N zle-line-init\n")
    t.until("ready")


@pytest.mark.parametrize("name", ["git agent-session", "git-agent-session"])
def test_a_real_zsh_shows_goals_beside_ids(
    repo: Repo, cli: Cli, env: dict[str, str], ids: list[str], home: Path, name: str
) -> None:
    folder = home / "functions"
    folder.mkdir()
    (folder / "_git-agent-session").write_text(cli("completion", "zsh").out)
    with Terminal([need("zsh"), "-f", "-i"], cwd=repo.path, env=env) as t:
        ready_to_edit(t, folder)
        # ^D lists, whatever the candidates have in common
        t.type(f"{name} show \004")
        listed = t.until(GOAL)
        assert f"{ids[0][:8]}  -- {GOAL}" in listed and f"{ids[1][:8]}  -- " in listed
    assert not (repo.path / "pwned").exists()


def test_zsh_keeps_the_option_before_its_value(repo: Repo, cli: Cli, env: dict[str, str], home: Path) -> None:
    folder = home / "functions"
    folder.mkdir()
    (folder / "_git-agent-session").write_text(cli("completion", "zsh").out)
    with Terminal([need("zsh"), "-f", "-i"], cwd=repo.path, env=env) as t:
        ready_to_edit(t, folder)
        t.type("git agent-session end --status=aba\t")
        t.until("--status=abandoned")


# -- fish


def fish(repo: Repo, cli: Cli, env: dict[str, str], line: str) -> list[str]:
    repo.write({"../c.fish": cli("completion", "fish").out})
    done = repo.run(need("fish"), "--no-config", "-c", f"source ../c.fish; complete -C '{line}'", env=env)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["git agent-session", "git-agent-session", "git -C . agent-session"])
def test_fish_shows_goals_and_completes_under_every_name(
    repo: Repo, cli: Cli, env: dict[str, str], ids: list[str], name: str
) -> None:
    assert sorted(fish(repo, cli, env, f"{name} show ")) == sorted(
        [f"{ids[0][:8]}\t{GOAL}", f"{ids[1][:8]}\tAnother goal"]
    )
    assert fish(repo, cli, env, f"{name} end --status=aban") == ["--status=abandoned"]
    assert not (repo.path / "pwned").exists()


@pytest.mark.parametrize("words", ["why", "blame", "import", "search --files", "export -o", "show"])
def test_fish_offers_files_where_one_is_wanted(repo: Repo, cli: Cli, env: dict[str, str], words: str) -> None:
    repo.write({"lantern.py": "x = 1\n"})
    offered = fish(repo, cli, env, f"git-agent-session {words} lant")
    assert any("lantern.py" in line for line in offered) == (words != "show")


def test_fish_completes_git_agent_session_from_its_conf_d(
    repo: Repo, cli: Cli, env: dict[str, str], home: Path
) -> None:
    (home / ".config/fish/conf.d").mkdir(parents=True)
    (home / ".config/fish/conf.d/git-agent-session.fish").write_text(cli("completion", "fish").out)
    done = repo.run(need("fish"), "-c", "complete -C 'git agent-session hist'", env=env)
    assert "history\t" in done.stdout, done.stderr


# -- ids


def asked(
    repo: Repo, start: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> list[str]:
    """What the program answers bash."""
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("COMP_WORDS", f"git-agent-session show {start}")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_GIT_AGENT_SESSION_COMPLETE", "bash_complete")
    assert main([]) == 0
    return capsysbinary.readouterr().out.decode().splitlines()


def test_ids_are_told_without_opening_the_repository(repo: Repo, ids: list[str]) -> None:
    code = (
        "import sys; from git_agent_session.cli.main import main; main([]);"
        "sys.exit(1 if 'pygit2' in sys.modules else 0)"
    )
    words = {"COMP_WORDS": "git-agent-session show ", "COMP_CWORD": "2"}
    done = repo.run(sys.executable, "-c", code, env={**words, "_GIT_AGENT_SESSION_COMPLETE": "bash_complete"})
    assert done.returncode == 0
    assert done.stdout.splitlines() == [f"plain\t{ids[1][:8]}\tAnother goal", f"plain\t{ids[0][:8]}\t{GOAL}"]


def test_a_session_that_the_index_does_not_know_is_offered_all_the_same(
    repo: Repo, cli: Cli, ids: list[str], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    new = cli.start("--goal", "Brand new")
    location = discover(str(repo.path))
    assert location is not None and glimpse.sessions(location, "") is None
    assert f"plain\t{new[:8]}\tBrand new" in asked(repo, "", monkeypatch, capsysbinary)


def test_a_session_that_was_deleted_is_offered_no_more(
    repo: Repo, cli: Cli, ids: list[str], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli("end", ids[0])
    cli("delete", ids[0], "--yes")
    assert asked(repo, "", monkeypatch, capsysbinary) == [f"plain\t{ids[1][:8]}\tAnother goal"]


def test_packed_refs_and_archives_count(repo: Repo, cli: Cli, ids: list[str]) -> None:
    repo.git("pack-refs", "--all")
    location = discover(str(repo.path))
    assert location is not None
    assert [s.id for s in glimpse.sessions(location, "") or []] == ids[::-1]
    assert [s.id for s in glimpse.sessions(location, ids[0][:5]) or []] == [ids[0]]
    for session_id in ids:
        cli("end", session_id)
    cli("archive", "--days", "0")
    cli("list")
    assert {s.id for s in glimpse.sessions(location, "") or []} == set(ids)


def test_two_ids_with_one_beginning_are_offered_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    from git_agent_session.cli import params

    twins = [glimpse.Glimpse(f"3f2a9c1e-0000-4000-8000-00000000000{n}", "", "active", "") for n in (1, 2)]
    monkeypatch.setattr(params, "_begun", lambda start: twins)
    ctx = click.Context(completion.command)
    offered = params.complete_id(ctx, completion.command.params[0], "3f2a")
    assert [item.value for item in offered] == [t.id for t in twins]


def test_an_error_offers_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert asked(Repo(tmp_path), "", monkeypatch, capsysbinary) == [""]
    assert completion.complete("bash_source") == 1


@pytest.mark.parametrize("text", ["*", "%", "zz", "Z"])
def test_what_starts_no_id_offers_none(
    repo: Repo, ids: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert asked(repo, text, monkeypatch, capsysbinary) == [""]
