"""Worktrees and branches made at a commit, by git itself, without touching the worktree that is there.

The commit may have come with somebody else's session. So no hook runs while it is checked out: with a relative
`core.hooksPath`, which husky and others set, the hooks would be those of the commit.
"""

from __future__ import annotations

import os

from git_agent_session.errors import GitError, StorageError, UsageError
from git_agent_session.git.run import git, run


def add(cwd: str, folder: str, commit: str, branch: str = "") -> str:
    """Make a worktree of `commit` in `folder`, on a new `branch` or detached; returns its absolute path.

    `folder` is relative to the current folder; it is made, or is empty. Raises StorageError for one that holds
    anything, UsageError for a branch that cannot be made, GitError.
    """
    path = os.path.abspath(folder)
    refuse_filled(path)
    if branch:
        _check(cwd, branch)
    how = ["-b", branch] if branch else ["--detach"]
    git("-c", f"core.hooksPath={os.devnull}", "worktree", "add", "-q", *how, "--", path, commit, cwd=cwd)
    return path


def remove(cwd: str, folder: str, branch: str = "") -> None:
    """Undo `add`; what cannot be undone stays."""
    run("worktree", "remove", "--force", "--", folder, cwd=cwd, check=False)
    if branch:
        run("branch", "-q", "-D", "--", branch, cwd=cwd, check=False)


def add_branch(cwd: str, branch: str, commit: str) -> None:
    """Make a branch at `commit`; nothing is checked out. Raises UsageError, GitError."""
    _check(cwd, branch)
    git("branch", "--no-track", "--", branch, commit, cwd=cwd)


def refuse_filled(path: str) -> None:
    """Raise StorageError unless `path` is not there, or is an empty folder."""
    try:
        filled = bool(os.listdir(path))
    except FileNotFoundError:
        return
    except OSError as e:
        raise StorageError(f"cannot make a worktree in {path}: {e.strerror}", hint="name another folder") from e
    if filled:
        raise StorageError(f"{path} is not empty", hint="name a folder that is empty or not there yet")


def _check(cwd: str, branch: str) -> None:
    if branch.startswith("-") or run("check-ref-format", "--branch", branch, cwd=cwd, check=False).returncode:
        raise UsageError(f"{branch!r} cannot be the name of a branch", hint="see git-check-ref-format(1)")
    if run("show-ref", "--verify", "--quiet", f"refs/heads/{branch}", cwd=cwd, check=False).returncode == 0:
        raise GitError(f"there is a branch {branch} already", hint="give it another name")
