"""A glance at whether git would run our post-commit hook here: two small reads and no process.

`installer.status` knows it all, and why; this is for commands that must not cost more because of it.
"""

from __future__ import annotations

import os

from git_agent_session.git.discover import Location

# ours, and what pre-commit and lefthook call it when they put theirs in its place
_NAMES = ("post-commit", "post-commit.legacy", "post-commit.old")
_MARK = b"git-agent-session hook"
# the configuration key to ask for `command`
COMMAND = "hook.agent-session-post-commit.command"


def in_place(location: Location, hooks_path: str | None, command: str | None = None) -> bool:
    """True when our hook lies where git looks: in `hooks_path` (core.hooksPath, None for not set), else in `hooks`.

    `command` is the value of COMMAND, which an install for all repositories sets where git is new enough.
    """
    folder = os.path.join(location.common_dir, "hooks")
    if hooks_path is not None:
        # a relative one is relative to where hooks run (git-config(1), core.hooksPath)
        folder = os.path.join(location.worktree or location.git_dir, os.path.expanduser(hooks_path))
    return any(_is_ours(os.path.join(folder, name)) for name in _NAMES) or (command is not None and _works(command))


def _works(command: str) -> bool:
    from git_agent_session.hooks.reach import works

    return works(command, "post-commit")


def _is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as f:
            return _MARK in f.read(256)
    except OSError:
        return False
