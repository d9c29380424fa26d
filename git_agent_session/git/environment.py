"""The environment that the `git` command is run in: nothing of the caller's that ties it to another repository.

Standard library only, and little of it: who wants git at work at once imports this and nothing else before.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_agent_session.git.discover import Location

# `git rev-parse --local-env-vars` of git 2.30 to 2.55, so that no process is needed to ask
LOCAL_ENV = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
        "GIT_OBJECT_DIRECTORY",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_REPLACE_REF_BASE",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_COMMON_DIR",
        "GIT_INTERNAL_SUPER_PREFIX",
    }
)


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what ties git to a repository, plus `extra`."""
    env = {k: v for k, v in os.environ.items() if k not in LOCAL_ENV}
    env["LC_ALL"] = "C"
    env.update(extra or {})
    return env


def of_location(location: Location) -> dict[str, str]:
    """What makes git work in this repository wherever it is run, taking no locks of its own."""
    env = {"GIT_DIR": location.git_dir, "GIT_OPTIONAL_LOCKS": "0"}
    if location.git_dir != location.common_dir:
        env["GIT_COMMON_DIR"] = location.common_dir
    if location.worktree:
        env["GIT_WORK_TREE"] = location.worktree
    return env


def of_objects(location: Location) -> dict[str, str]:
    """The same for reading objects as libgit2 does, as they are: nothing put in their place, nothing fetched."""
    return {**of_location(location), "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1"}
