"""Where what serves all repositories of a user lives: a folder of data, and git's configuration file of the user.

The folder is laid out like a git folder, so that the hooks find their functions there: `hooks/` has the hooks,
`agent-session/hooks/` the functions and what the install wrote down. `hooks-path/` is there where git is too old for
hooks in its configuration. Reads only.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from dataclasses import dataclass

from git_agent_session.errors import GitError, HookConflict, StorageError
from git_agent_session.git.run import git
from git_agent_session.hooks import config, manifest
from git_agent_session.hooks.sources import EVERYWHERE, HOOKS, PREVIOUS

NAME = "git-agent-session"
HOOKS_PATH = "hooks-path"
RECORD = ("agent-session", "hooks")
# how the command of a hook begins
TOP = "agent_session_top="
# Documentation/RelNotes/2.54.0: hook commands in the configuration; 2.32.0: GIT_CONFIG_GLOBAL
CONFIG_HOOKS = (2, 54)
CONFIG_GLOBAL = (2, 32)


@dataclass(frozen=True, slots=True)
class User:
    """The user's folder `top`, the configuration file, and and the version of git on PATH."""

    top: str
    config_file: str
    version: tuple[int, int]

    @property
    def hooks_path(self) -> str:
        """The folder that core.hooksPath is pointed at, as git writes paths."""
        return _slashed(os.path.join(self.top, HOOKS_PATH))

    @property
    def record(self) -> str:
        """The folder of the functions that the hooks share, and of the manifest."""
        return os.path.join(self.top, *RECORD)

    def hook_keys(self) -> tuple[tuple[str, str], ...]:
        """The configuration of our hooks (git-config(1), `hook.<friendly-name>.*`).

        A command whose file is gone would fail every commit, so it looks first; what it reads must not be a process of
        its own, for the hooks know git by the number of their parent.
        """
        top = shlex.quote(_slashed(self.top))
        found = []
        for hook in HOOKS:
            file = f'"$agent_session_top/hooks/{EVERYWHERE}"'
            command = f"{TOP}{top} agent_session_event={hook}; [ ! -r {file} ] || . {file}"
            found += [(command_key(hook), command), (event_key(hook), hook)]
        return tuple(found)

    def previous(self) -> str | None:
        """The value of core.hooksPath that ours took the place of, `~` expanded; None when there was none."""
        try:
            with open(os.path.join(self.top, HOOKS_PATH, PREVIOUS), "rb") as f:
                return os.fsdecode(f.read().removesuffix(b"\n"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def manifest(self) -> manifest.Manifest | None:
        """What the last install wrote down."""
        try:
            with open(os.path.join(self.record, manifest.NAME), "rb") as f:
                return manifest.parse(f.read())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def settings(self) -> config.Settings:
        """What git reads for this user in any repository, included files and the system's too. Raises GitError."""
        with tempfile.TemporaryDirectory(prefix="agent-session-") as nowhere:
            around = os.path.dirname(os.path.realpath(nowhere))
            return config.read(nowhere, {"GIT_CEILING_DIRECTORIES": around})


def command_key(hook: str) -> str:
    """The key of the command of our hook `hook`. The friendly name may not be the event's (githooks(5))."""
    return f"hook.agent-session-{hook}.command"


def event_key(hook: str) -> str:
    """The key that says on which event it runs."""
    return f"hook.agent-session-{hook}.event"


def is_ours(hooks_path: str) -> bool:
    """Whether a value of core.hooksPath names the folder of an install for all repositories, there still or not."""
    return os.path.normpath(hooks_path).split(os.sep)[-2:] == [NAME, HOOKS_PATH]


def find() -> User:
    """The user who runs this. Raises StorageError where git would not read a configuration of theirs, GitError."""
    version = _git_version()
    home = os.environ.get("HOME") or (os.environ.get("USERPROFILE") if os.name == "nt" else None)
    if not home:
        raise StorageError("HOME is not set, so git has no configuration for all repositories", hint="set HOME")
    data = os.environ.get("XDG_DATA_HOME", "")
    # a relative one is to be ignored (XDG Base Directory Specification)
    if not os.path.isabs(data):
        data = os.path.join(home, ".local", "share")
    top = os.path.join(os.path.abspath(data), NAME)
    if "\n" in top:
        raise HookConflict("the folder for data has a line break in its name", hint="set XDG_DATA_HOME to another")
    return User(top, _config_file(home, version), version)


def _config_file(home: str, version: tuple[int, int]) -> str:
    """The file that `git config --global` writes (git-config(1), FILES)."""
    named = os.environ.get("GIT_CONFIG_GLOBAL")
    if named is not None and version >= CONFIG_GLOBAL:
        if not named or (os.path.exists(named) and not os.path.isfile(named)):
            raise StorageError(
                f"GIT_CONFIG_GLOBAL is {named or 'empty'}: git reads no configuration for all repositories",
                hint="unset it, or let it name a file",
            )
        return os.path.abspath(named)
    plain = os.path.join(home, ".gitconfig")
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    other = os.path.join(base, "git", "config")
    return os.path.abspath(other if os.path.exists(other) and not os.path.exists(plain) else plain)


def _git_version() -> tuple[int, int]:
    said = git("version", cwd=os.path.abspath(os.sep)).decode("utf-8", "replace")
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None:
        raise GitError(f"git does not say its version: {said.strip()[:80]}", hint="install git 2.30 or newer")
    return int(found[1]), int(found[2])


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")
