"""Which repository a folder belongs to, as git itself says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from git_agent_session.git.discover import Location, discover
from tests.harness import Repo


@pytest.fixture
def tree(repo: Repo) -> Repo:
    """A linked worktree of `repo`."""
    repo.commit("one", files={"sub/f": "x\n"})
    repo.git("worktree", "add", "-q", "../tree")
    return Repo(repo.path.parent / "tree")


def places(found: Location | None) -> list[str]:
    assert found is not None
    return [os.path.realpath(p) for p in (found.git_dir, found.common_dir, found.worktree or "")]


@pytest.mark.parametrize("given", [".git", "{tree}/.git", "../tree/.git"])
def test_git_dir_may_name_the_file_of_a_worktree(
    repo: Repo, tree: Repo, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.path)
    found = discover(None, {"GIT_DIR": given.format(tree=tree.path)})
    assert places(found) == [str(repo.path / ".git/worktrees/tree"), str(repo.path / ".git"), str(tree.path)]


def test_git_dir_may_name_a_file_that_leads_nowhere(repo: Repo) -> None:
    (repo.path / "file").write_text("gitdir: ../nowhere\n")
    assert discover(str(repo.path), {"GIT_DIR": "file"}) is None
    (repo.path / "file").write_text("no git file\n")
    assert discover(str(repo.path), {"GIT_DIR": "file"}) is None


def test_the_common_folder_that_is_given_is_seen_from_where_we_are(
    repo: Repo, tree: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.path)
    common = os.path.relpath(repo.path / ".git")
    assert places(discover(None, {"GIT_COMMON_DIR": common}))[1] == str(repo.path / ".git")


def test_a_link_to_the_git_folder_of_a_worktree(repo: Repo, tree: Repo, tmp_path: Path) -> None:
    folder = tmp_path / "further" / "linked"
    folder.mkdir(parents=True)
    (folder / ".git").symlink_to(repo.path / ".git/worktrees/tree")
    assert places(discover(str(folder)))[1:] == [str(repo.path / ".git"), str(folder)]


def test_a_folder_behind_a_link_belongs_to_where_it_leads(repo: Repo, tree: Repo, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "other")
    for folder in (other.path, tmp_path):
        (folder / "below").symlink_to(repo.path / "sub")
        assert places(discover(str(folder / "below")))[2] == str(repo.path)
    # one of its own stays as it was named
    (tmp_path / "top").symlink_to(repo.path)
    found = discover(str(tmp_path / "top" / "sub"))
    assert found is not None and found.worktree == str(tmp_path / "top")
