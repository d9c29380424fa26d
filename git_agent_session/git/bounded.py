"""What a git command prints, up to a size: for output that may be larger than anybody wants to see."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from git_agent_session.errors import GitError
from git_agent_session.git.run import clean_env


def output(*args: str, cwd: str, limit: int, env: Mapping[str, str] | None = None) -> tuple[bytes, bool]:
    """The first `limit` bytes of what `git ARGS` prints, and whether there was more; the process is then ended.

    Raises GitError where git is missing or fails before the limit.
    """
    try:
        process = subprocess.Popen(
            ["git", *args],
            cwd=cwd,
            env=clean_env({"GIT_OPTIONAL_LOCKS": "0", **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as e:
        raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e
    assert process.stdout is not None
    with process.stdout as stream:
        data = stream.read(limit + 1)
        if len(data) > limit:
            process.kill()
    status = process.wait()
    if len(data) <= limit and status != 0:
        raise GitError(f"git {args[0]} failed with exit status {status}", status=status)
    return data[:limit], len(data) > limit
