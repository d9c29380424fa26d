"""Opening a repository with libgit2, and what to say where it cannot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from git_agent_session.errors import NotARepository, UnsupportedRepository
from git_agent_session.git.discover import SUPPORTED, Location, foreign_format

if TYPE_CHECKING:
    import pygit2
else:
    from git_agent_session.git.lazily import pygit2


def opened(location: Location) -> pygit2.Repository:
    """libgit2's repository there. Raises UnsupportedRepository, NotARepository."""
    if location.met:
        _check_met(location)
    try:
        return pygit2.Repository(location.git_dir)
    except (pygit2.GitError, KeyError, ValueError, OSError) as e:
        reason = foreign_format(location.common_dir)
        if reason:
            raise UnsupportedRepository(
                f"this repository uses {reason}, which libgit2 {pygit2.LIBGIT2_VERSION} cannot open", hint=SUPPORTED
            ) from e
        if "own" in str(e):
            raise UnsupportedRepository(
                f"git refuses this repository: {one_line(e)}",
                hint=f"if you trust it: git config --global --add safe.directory {_top(location)}",
            ) from e
        raise NotARepository(f"cannot open the repository {location.git_dir}: {one_line(e)}") from e


def _check_met(location: Location) -> None:
    """Raise UnsupportedRepository for a bare repository that git takes only where `GIT_DIR` names it: its files may
    have come as part of another's. libgit2 does not know of safe.bareRepository (git-config(1)).
    """
    from git_agent_session.errors import GitError
    from git_agent_session.git.run import run

    given = {name: value for name, value in os.environ.items() if name.startswith("GIT_CONFIG_")}
    try:
        said = run("rev-parse", "--git-dir", cwd=location.git_dir, env=given, check=False).stderr
    except GitError:
        return  # without git nothing is run that a configuration names
    if b"safe.bareRepository" in said:
        import shlex

        raise UnsupportedRepository(
            f"git refuses this repository: safe.bareRepository is explicit, and {location.git_dir} is bare",
            hint=f"if you trust it: export GIT_DIR={shlex.quote(os.path.abspath(location.git_dir))}",
        )


def _top(location: Location) -> str:
    """What git wants to be named in safe.directory, quoted for a shell where it must be."""
    import shlex

    return shlex.quote(os.path.abspath(location.worktree or location.git_dir))


def one_line(error: Exception) -> str:
    """What libgit2 said, as one line."""
    return " ".join(str(error).split())
