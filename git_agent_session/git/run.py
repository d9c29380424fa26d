"""The one place that runs the `git` command: typed, quiet, with a clean environment.

It exists for what libgit2 does not do (config with scopes, patch ids, hooks' paths, the network). It never lets an
inherited `GIT_DIR` or `GIT_INDEX_FILE` reach a command that is meant for another folder (git-rev-parse(1),
`--local-env-vars`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from git_agent_session.errors import GitError
from git_agent_session.git.environment import clean_env as clean_env


def git(
    *args: str,
    cwd: str,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> bytes:
    """Run `git ARGS` in the folder `cwd` and return its standard output, bytes as git wrote them.

    `input` is its standard input (default: none), `env` is added to a clean environment. Raises GitError when git is
    missing or, with `check`, exits with anything but 0.
    """
    return run(*args, cwd=cwd, input=input, env=env, check=check).stdout


def run(
    *args: str,
    cwd: str,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Like `git`, but returns the finished process, for callers that need its exit status."""
    try:
        done = subprocess.run(
            ["git", *args], cwd=cwd, env=clean_env(env), capture_output=True, check=False, input=input or b""
        )
    except (FileNotFoundError, NotADirectoryError) as e:
        if not os.path.isdir(cwd):
            raise GitError(f"there is no folder {cwd}") from e
        raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e
    if check and done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GitError(f"git {args[0]} failed: {_cause(said, done.returncode)}", stderr=said, status=done.returncode)
    return done


def _cause(said: str, status: int) -> str:
    lines = said.splitlines() or [f"exit status {status}"]
    return next((ln for ln in lines if ln.startswith(("fatal:", "error:"))), lines[-1])
