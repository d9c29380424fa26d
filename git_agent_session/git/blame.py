"""git's own blame, read as it comes: git finds the commit of each line, at its own speed and by its own rules.

The format is that of `git blame --porcelain` (git-blame(1), THE PORCELAIN FORMAT). The process is started at once and
read later, so that a caller does its own work meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

from git_agent_session.errors import GitError
from git_agent_session.git.discover import Location
from git_agent_session.git.run import clean_env

# the commit of lines that are in none yet
ZERO = "0000000000000000000000000000000000000000"


class Line(NamedTuple):
    """A line: its commit, its numbers in that commit's file and in this one, and its text without the line end.

    `head` is what git wrote before the text, without the last line end.
    """

    commit: str
    before: int
    number: int
    text: bytes
    head: bytes


class Blame:
    """A running `git blame`. Iterate once over its lines; `heads` has what git says of each commit, filled meanwhile.

    `heads` is by commit, the keys are git's (`author`, `author-time`, `filename` …); a `boundary` has "". Raises
    GitError at the end where git fails.
    """

    def __init__(self, location: Location, cwd: str, arguments: Sequence[str]) -> None:
        self.heads: dict[str, dict[str, str]] = {}
        self.filenames: dict[str, str] = {}
        place = {"GIT_DIR": location.git_dir, "GIT_OPTIONAL_LOCKS": "0"}
        if location.git_dir != location.common_dir:
            place["GIT_COMMON_DIR"] = location.common_dir
        if location.worktree:
            place["GIT_WORK_TREE"] = location.worktree
        try:
            self._process = subprocess.Popen(
                ["git", "blame", "--porcelain", *arguments],
                cwd=cwd,
                env=clean_env(place),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=1 << 18,
            )
        except OSError as e:
            raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is at."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._finish()

    @property
    def ready(self) -> bool:
        """True once git has written something, which it does when it has found all; never where that cannot be told."""
        import select

        assert self._process.stdout is not None
        try:
            return bool(select.select([self._process.stdout], [], [], 0)[0])
        except (OSError, ValueError):
            return False  # Windows knows this of sockets alone

    def _finish(self) -> int:
        assert self._process.stdout is not None and self._process.stderr is not None
        self._process.stdout.close()
        if not self._process.stderr.closed:
            # a few lines at most, which a pipe holds while nobody reads
            self._error = self._process.stderr.read(64 * 1024).decode("utf-8", "replace").strip()
            self._process.stderr.close()
        return self._process.wait()

    def __iter__(self) -> Iterator[tuple[Line, str]]:
        """The lines in their order, each with the path that its commit's file had."""
        assert self._process.stdout is not None
        # git writes when it has found all of them: there is nothing to be had from reading line by line
        rows = self._process.stdout.read().split(b"\n")
        status = self._finish()
        if status != 0:
            raise _error(self._error, status)
        n, end = 0, len(rows) - 1
        while n < end:
            head = rows[n]
            words = head.split(b" ", 3)
            commit, first = words[0].decode("ascii"), n
            n += 1
            while rows[n][:1] != b"\t":
                self._head(commit, rows[n])
                n += 1
            if n > first + 1:
                head = b"\n".join(rows[first:n])
            yield Line(commit, int(words[1]), int(words[2]), rows[n][1:], head), self.filenames[commit]
            n += 1

    def _head(self, commit: str, raw: bytes) -> None:
        key, _, value = raw.decode("utf-8", "surrogateescape").partition(" ")
        if key == "filename":
            self.filenames[commit] = _unquoted(value)
        self.heads.setdefault(commit, {})[key] = value


def _unquoted(path: str) -> str:
    """A path as git prints it, without the C quoting of unusual ones (git-config(1), core.quotePath)."""
    if not (path.startswith('"') and path.endswith('"') and len(path) > 1):
        return path
    out, data, n = bytearray(), path[1:-1].encode("utf-8", "surrogateescape"), 0
    while n < len(data):
        if data[n] != 0x5C:
            out.append(data[n])
            n += 1
        elif data[n + 1 : n + 4].isdigit():
            out.append(int(data[n + 1 : n + 4], 8) & 0xFF)
            n += 4
        else:
            out.append(_ESCAPES.get(data[n + 1 : n + 2], data[n + 1 : n + 2] or b"\\")[0])
            n += 2
    return out.decode("utf-8", "surrogateescape")


_ESCAPES: Mapping[bytes, bytes] = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
}


def _error(said: str, status: int) -> GitError:
    lines = said.splitlines() or [f"exit status {status}"]
    cause = next((ln for ln in lines if ln.startswith(("fatal:", "error:"))), lines[0])
    message = cause.partition(": ")[2] or cause
    return GitError(f"git blame failed: {message}", hint=_hint(message), stderr=said, status=status)


def _hint(message: str) -> str:
    if "no such path" in message or "cannot stat" in message:
        return "name a file that is in git, from this folder on"
    if "has only" in message:
        return "give a line that the file has"
    return "see git-blame(1)"


def folder_of(location: Location) -> str:
    """Where git runs when nobody says: the top of the worktree, or the git folder."""
    return location.worktree or os.fspath(location.git_dir)
