"""The git configuration that the hooks need: reading it with its scopes, and computing changed files without writing
them.

`git config` itself edits a scratch copy, so that quoting, sections and comments come out as git would have them; the
bytes then become one step of a plan. Nothing here touches the repository.
"""

from __future__ import annotations

import fnmatch
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from git_agent_session.git.run import git, run
from git_agent_session.hooks.manifest import ConfigChange, KeyChange, digest
from git_agent_session.hooks.steps import Action, Step

HOOKS_PATH = "core.hooksPath"
REWRITE_REF = "notes.rewriteRef"
REWRITE_MODE = "notes.rewriteMode"
NOTES_REF = "refs/notes/agent-sessions"
NOTES_MODE = "cat_sort_uniq"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a configuration key and the scope it comes from (git-config(1), `--show-scope`)."""

    scope: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All that git reads for a repository, in its order: the last value of a key wins."""

    all: tuple[Setting, ...]
    hooks_paths: tuple[Setting, ...]

    def values(self, key: str) -> list[str]:
        """Every value of `key`."""
        return [s.value for s in self.all if s.key == key.lower()]


def read(cwd: str, env: dict[str, str]) -> Settings:
    """The configuration of the repository at `cwd`; the values in `hooks_paths` have `~` expanded. Raises GitError."""
    every = _pairs(git("config", "--null", "--show-scope", "--list", cwd=cwd, env=env))
    settings = tuple(Setting(scope, *_key_and_value(entry)) for scope, entry in every)
    paths: tuple[Setting, ...] = ()
    if any(s.key == HOOKS_PATH.lower() for s in settings):
        found = git("config", "--null", "--show-scope", "--type=path", "--get-all", HOOKS_PATH, cwd=cwd, env=env)
        paths = tuple(Setting(scope, HOOKS_PATH.lower(), value) for scope, value in _pairs(found))
    return Settings(settings, paths)


def _pairs(output: bytes) -> list[tuple[str, str]]:
    parts = os.fsdecode(output).split("\0")[:-1]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _key_and_value(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition("\n")
    return key, value


def values_in(file: str, key: str) -> list[str]:
    """The values of `key` that stand in `file` itself, includes left aside, as they are written."""
    if not os.path.isfile(file):
        return []
    found = run(
        "config", "--file", os.path.abspath(file), "--null", "--get-all", key, cwd=os.path.dirname(file), check=False
    )
    return os.fsdecode(found.stdout).split("\0")[:-1]


def notes_wanted(settings: Settings) -> tuple[list[KeyChange], list[Step]]:
    """What `notes.*` lacks for notes to follow a rewrite (git-notes(1)), and warnings about what the user set."""
    changes: list[KeyChange] = []
    warnings: list[Step] = []
    refs = settings.values(REWRITE_REF)
    if not any(fnmatch.fnmatchcase(NOTES_REF, ref) for ref in refs):
        changes.append(KeyChange(REWRITE_REF, NOTES_REF))
    modes = settings.values(REWRITE_MODE)
    if not modes:
        changes.append(KeyChange(REWRITE_MODE, NOTES_MODE))
    elif modes[-1] != NOTES_MODE:
        warnings.append(
            Step(
                "warn",
                REWRITE_MODE,
                f"is {modes[-1]} and was left so; notes of squashed commits are cleaner with {NOTES_MODE}",
            )
        )
    for command in ("amend", "rebase"):
        asked = settings.values(f"notes.rewrite.{command}")
        if asked and asked[-1].lower() in {"false", "no", "off", "0"}:
            warnings.append(
                Step(
                    "warn",
                    f"notes.rewrite.{command}",
                    f"is {asked[-1]} and was left so; notes do not follow a commit through {command}",
                )
            )
    return changes, warnings


def with_changes(data: bytes, changes: Sequence[KeyChange]) -> bytes:
    """The configuration `data` with `changes` made: `notes.rewriteRef` added, the others set. Raises GitError."""
    commands = [
        ("--add", c.key, c.value) if c.key == REWRITE_REF else ("--replace-all", c.key, c.value) for c in changes
    ]
    return _edited(data, commands)


def without_changes(data: bytes, changes: Sequence[KeyChange]) -> bytes:
    """The configuration `data` with `changes` taken out again, and nothing else; values set since are left alone."""
    commands: list[tuple[str, ...]] = []
    for c in changes:
        if c.before is None:
            commands.append(("--fixed-value", "--unset-all", c.key, c.value))
        else:
            commands.append(("--fixed-value", "--replace-all", c.key, c.before, c.value))
    return _edited(data, commands)


def restored(now: bytes, entry: ConfigChange) -> bytes:
    """The configuration that holds `now` as it was before `entry`: whole if it is as we left it, else less our keys."""
    if entry.before is not None and digest(now) == entry.after:
        return entry.before
    return without_changes(now, entry.keys)


def contents(file: str) -> bytes:
    """The bytes of a configuration file; none when there is no file. Raises OSError."""
    try:
        with open(file, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def _edited(data: bytes, commands: Sequence[tuple[str, ...]]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="agent-session-") as scratch:
        file = os.path.join(scratch, "config")
        with open(file, "wb") as f:
            f.write(data)
        for command in commands:
            if "--fixed-value" in command and not _holds(file, command):
                continue
            git("config", "--file", file, *command, cwd=scratch)
        with open(file, "rb") as f:
            return f.read()


def _holds(file: str, command: tuple[str, ...]) -> bool:
    # `--replace-all` would add the value where the one to replace is not there any more
    return command[-1] in values_in(file, command[2])


def says(changes: Sequence[KeyChange], *, undone: bool) -> tuple[Action, ...]:
    """The report's lines for a configuration file."""
    if not undone:
        return tuple(Action("config", c.key, f"set to {c.value}") for c in changes)
    return tuple(
        Action("config", c.key, f"{c.value} taken out" if c.before is None else f"set back to {c.before}")
        for c in changes
    )
