"""A git process that runs beside us: started at once, read later, or asked again and again.

By posix_spawn(3) where there is one: importing `subprocess` takes as long as git needs to find a line's commit.
"""

from __future__ import annotations

import os

from git_agent_session.errors import GitError
from git_agent_session.git.environment import clean_env, of_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

    from git_agent_session.git.discover import Location

_BUFFER = 1 << 18
# Python ignores it and git must not, nor what git starts; the number is the same wherever posix_spawn is
_SIGPIPE = 13
_SIGKILL = 9


class Running:
    """`git ARGS` in the folder `cwd`; `stdin` is there where it was asked for, else git's is empty. Raises GitError.

    Whoever starts one calls `close`, which ends it.
    """

    def __init__(self, args: Sequence[str], cwd: str, env: Mapping[str, str], *, stdin: bool = False) -> None:
        self.stdin: IO[bytes] | None
        self.stdout: IO[bytes]
        self.stderr: IO[bytes]
        self._status: int | None = None
        argv = ("git", "-C", cwd, *args)
        try:
            if hasattr(os, "posix_spawnp"):
                self._spawn(argv, env, stdin)
            else:
                self._popen(argv, env, stdin)
        except OSError as e:
            raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e

    def _spawn(self, argv: tuple[str, ...], env: Mapping[str, str], stdin: bool) -> None:
        pipes = [os.pipe() for _ in range(3 if stdin else 2)]
        (out, err), given = pipes[:2], pipes[2] if stdin else None
        actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_DUP2, given[0], 0) if given else (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out[1], 1),
            (os.POSIX_SPAWN_DUP2, err[1], 2),
        ]
        try:
            self.pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsigdef=[_SIGPIPE])
        except OSError:
            for pipe in pipes:
                os.close(pipe[0])
                os.close(pipe[1])
            raise
        os.close(out[1])
        os.close(err[1])
        self.stdout, self.stderr = os.fdopen(out[0], "rb", _BUFFER), os.fdopen(err[0], "rb")
        self.stdin = None
        if given:
            os.close(given[0])
            self.stdin = os.fdopen(given[1], "wb", _BUFFER)

    def _popen(self, argv: Sequence[str], env: Mapping[str, str], stdin: bool) -> None:
        import subprocess

        pipe = subprocess.PIPE
        given = pipe if stdin else subprocess.DEVNULL
        self._popened = done = subprocess.Popen(argv, env=env, stdin=given, stdout=pipe, stderr=pipe, bufsize=_BUFFER)
        assert done.stdout is not None and done.stderr is not None
        self.pid, self.stdin, self.stdout, self.stderr = done.pid, done.stdin, done.stdout, done.stderr

    @property
    def ready(self) -> bool:
        """True once git has written something; never where that cannot be told."""
        import select

        try:
            return bool(select.select([self.stdout], [], [], 0)[0])
        except (OSError, ValueError):
            return False  # Windows knows this of sockets alone

    def wait(self) -> int:
        """Its exit status once it has ended; negative for a signal."""
        if self._status is None:
            if hasattr(self, "_popened"):
                self._status = self._popened.wait()
            else:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def close(self) -> None:
        """End it, whatever it is at, and leave nothing behind."""
        try:
            if self._status is None and hasattr(self, "_popened"):
                self._popened.kill()
            elif self._status is None:
                os.kill(self.pid, _SIGKILL)
        except OSError:
            pass  # it has ended meanwhile
        for stream in (self.stdin, self.stdout, self.stderr):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # what was not written yet is nobody's any more
        self.wait()


def blame(location: Location, cwd: str, arguments: Sequence[str]) -> Running:
    """A running `git blame --porcelain` (git-blame(1), THE PORCELAIN FORMAT), for `git.blame.Blame` to read."""
    return Running(["blame", "--porcelain", *arguments], cwd, clean_env(of_location(location)))
