"""What a commit changed, as git itself shows it, read only as far as it is wanted."""

from __future__ import annotations

import subprocess

from git_agent_session.errors import GitError
from git_agent_session.git.run import clean_env

# against the first parent, a merge's too; no program of the user's takes part
_SHOW = ("--format=", "--patch", "--no-color", "--no-ext-diff", "--no-textconv", "--diff-merges=first-parent")


def patch(cwd: str, commit: str, limit: int) -> tuple[str, bool]:
    """The patch of a commit (a full id), at most `limit` bytes of it, and whether that is all.

    `cwd` is a folder of the repository. Raises GitError where the commit is not here or git is not.
    """
    words = ["git", "show", *_SHOW, commit, "--"]
    try:
        with subprocess.Popen(
            words, cwd=cwd, env=clean_env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            found = process.stdout.read(limit + 1)
            process.kill() if len(found) > limit else process.wait()
    except OSError as e:
        raise GitError(f"git cannot be run in {cwd}: {e.strerror}", hint="install git 2.31 or newer") from e
    if process.returncode and len(found) <= limit:
        raise GitError(f"commit {commit[:10]} is not in this repository", status=process.returncode)
    return found[:limit].decode("utf-8", "replace"), len(found) <= limit
