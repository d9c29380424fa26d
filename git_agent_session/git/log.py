"""git's own log, line by line as it comes: git walks, draws and formats, at its own speed and by its own options.

The process is that of `git log`; what it writes is not looked into here.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from git_agent_session.errors import GitError
from git_agent_session.git.discover import Location
from git_agent_session.git.run import clean_env

# what git says when it fails is a few lines
_SAID = 64 * 1024


class Log:
    """A running `git log ARGUMENTS` in the folder `cwd`; iterate once over its lines, bytes without their line ends.

    `env` may hold what `git -c` passes on (`GIT_CONFIG…`). Raises GitError at the end where git fails.
    """

    def __init__(
        self, location: Location, cwd: str, arguments: Sequence[str], env: Mapping[str, str] | None = None
    ) -> None:
        given = {k: v for k, v in (env or {}).items() if k.startswith(("GIT_CONFIG_", "GIT_LITERAL_", "GIT_ICASE_"))}
        place = {"GIT_DIR": location.git_dir, "GIT_OPTIONAL_LOCKS": "0"}
        if location.git_dir != location.common_dir:
            place["GIT_COMMON_DIR"] = location.common_dir
        if location.worktree:
            place["GIT_WORK_TREE"] = location.worktree
        # a file, not a pipe: nobody reads it while lines come
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed with the process
        try:
            self._process = subprocess.Popen(
                ["git", "--no-pager", "log", *arguments],
                cwd=cwd,
                env=clean_env({**given, **place}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                bufsize=1 << 16,
            )
        except OSError as e:
            self._said.close()
            raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        self._wait()
        self._said.close()

    def __iter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.removesuffix(b"\n")
        status = self._wait()
        if status != 0:
            self._said.seek(0)
            said = self._said.read(_SAID).decode("utf-8", "replace").strip()
            raise _error(said, status)

    def _wait(self) -> int:
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait()


def _error(said: str, status: int) -> GitError:
    lines = said.splitlines() or [f"exit status {status}"]
    cause = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0])
    message = cause.partition(": ")[2] or cause
    return GitError(f"git log failed: {message}", hint="see git-log(1) and gitrevisions(7)", stderr=said, status=status)
