"""git's own blame, read as it comes: git finds the commit of each line, at its own speed and by its own rules.

The format is that of `git blame --porcelain` (git-blame(1), THE PORCELAIN FORMAT). `running.blame` starts the process,
so that a caller does its own work, and its imports, meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

from git_agent_session.errors import GitError
from git_agent_session.git.discover import Location
from git_agent_session.git.running import Running

# the commit of lines that are in none yet
ZERO = "0000000000000000000000000000000000000000"


class Group(NamedTuple):
    """Lines that follow each other, here as in their commit's file: `before` and `number` are the first one's numbers.

    `path` is the file's in the commit. For each line `heads` has what git wrote before its text, without the last line
    end, and `texts` the text without the line end, behind git's tab.
    """

    commit: str
    path: str
    before: int
    number: int
    heads: list[bytes]
    texts: list[bytes]


class Blame:
    """A running `git blame`. Iterate once over it; `heads` has what git says of each commit, filled meanwhile.

    `heads` is by commit, the keys are git's (`author`, `author-time`, `filename` …); a `boundary` has "". Raises
    GitError at the end where git fails.
    """

    def __init__(self, running: Running) -> None:
        self.heads: dict[str, dict[str, str]] = {}
        self.filenames: dict[str, str] = {}
        self._running = running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def ready(self) -> bool:
        """True once git has written something, which it does when it has found all; never where that cannot be told."""
        return self._running.ready

    def __iter__(self) -> Iterator[Group]:
        """The lines in their order, those together that git tells of together."""
        # git writes when it has found all of them: there is nothing to be had from reading line by line
        rows = self._read().split(b"\n")
        n, end = 0, len(rows) - 1
        while n < end:
            words = rows[n].split(b" ")
            commit, first, count = words[0].decode("ascii"), n, int(words[3])
            n += 1
            while rows[n][:1] != b"\t":
                self._head(commit, rows[n])
                n += 1
            after = n + 2 * count - 1
            heads = [b"\n".join(rows[first:n]), *rows[n + 1 : after : 2]]
            yield Group(commit, self.filenames[commit], int(words[1]), int(words[2]), heads, rows[n:after:2])
            n = after

    def _read(self) -> bytes:
        """All that git writes; raises GitError where it fails."""
        found = self._running.stdout.read()
        # a few lines at most, which a pipe holds while nobody reads
        said = self._running.stderr.read(64 * 1024).decode("utf-8", "replace").strip()
        status = self._running.wait()
        if status != 0:
            raise _error(said, status)
        return found

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
