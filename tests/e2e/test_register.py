"""The list of repositories where a user has the plugin in use: who gets on it, off it, and what a damaged one does."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from git_agent_session.hooks import everywhere, installer
from git_agent_session.store import register
from tests.e2e.claude import Claude
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def common(repo: Repo) -> str:
    return os.path.realpath(repo.path / ".git")


def test_an_install_puts_the_repository_on_and_an_uninstall_takes_it_off(repo: Repo, env: dict[str, str]) -> None:
    installer.install(str(repo.path), dry_run=True)
    assert register.listed(env) == []
    installer.install(str(repo.path))
    installer.install(str(repo.path))
    assert register.listed(env) == [common(repo)]
    installer.uninstall(str(repo.path), dry_run=True)
    assert register.listed(env) == [common(repo)]
    installer.uninstall(str(repo.path))
    assert register.listed(env) == [] and not Path(register.state_folder(env), register.NAME).exists()


def test_a_linked_worktree_is_its_repository(repo: Repo, env: dict[str, str], tmp_path: Path) -> None:
    repo.commit("first")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    installer.install(str(tmp_path / "linked"))
    assert register.listed(env) == [common(repo)]


def test_start_and_enable_put_it_on(repo: Repo, env: dict[str, str]) -> None:
    Cli(repo)("start", "--goal", "x", "--no-context")
    assert register.listed(env) == [common(repo)]
    register.forget(common(repo), env)
    Cli(repo)("enable", "claude-code")
    assert register.listed(env) == [common(repo)]


def test_an_agents_session_puts_it_on_where_the_install_is_for_all(repo: Repo, home: Path, env: dict[str, str]) -> None:
    everywhere.install()
    agent = Claude(repo, home)
    agent.prompt()
    agent.settled()
    assert register.listed(env) == [common(repo)]


def test_many_at_once_lose_nobody(env: dict[str, str], tmp_path: Path) -> None:
    paths = [os.path.realpath(tmp_path / f"r{n}" / ".git") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: register.note(path, env), paths))
        list(pool.map(lambda path: register.forget(path, env), paths[:20]))
    assert sorted(register.listed(env)) == sorted(paths[20:])


def test_a_path_that_is_no_text_comes_back(env: dict[str, str], tmp_path: Path) -> None:
    path = os.path.realpath(os.fsencode(tmp_path) + b"/caf\xe9\n/.git")
    register.note(os.fsdecode(path), env)
    assert register.listed(env) == [os.fsdecode(path)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"repositories": 1}', '{"repositories": [1, "x", "/a\\u0000b"]}'])
def test_a_damaged_list_is_an_empty_one(env: dict[str, str], tmp_path: Path, text: str) -> None:
    path = Path(register.state_folder(env), register.NAME)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert register.listed(env) == []
    register.note(str(tmp_path), env)
    assert json.loads(path.read_text()) == {"repositories": [os.path.realpath(tmp_path)]}


def test_where_nothing_can_be_written_an_install_works(repo: Repo, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    assert installer.install(str(repo.path)).changed
    assert register.listed(env) == []


def test_the_list_is_the_users_own(repo: Repo, env: dict[str, str]) -> None:
    installer.install(str(repo.path))
    path = Path(register.state_folder(env), register.NAME)
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_a_state_folder_that_is_not_absolute_counts_as_unset(home: Path) -> None:
    found = register.state_folder({"XDG_STATE_HOME": "relative"})
    assert found == os.path.join(os.path.expanduser("~"), ".local", "state", "git-agent-session")
