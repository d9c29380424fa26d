"""Tells the secrets of one session apart: the first of a kind is `[redacted: kind]`, the next one `[redacted: kind 2]`.

The numbers must be the same in every hook call of a session, each a process of its own, several at once. They are not
stored: `<shared>/capture/<session id>.secrets` has a line for each secret, its kind and a keyed digest, and a secret's
number is its place among those of its kind. Lines are only ever appended, so a number never changes and no lock is
needed. The key is 32 random bytes in `<shared>/redact.key`; without it a digest tells nothing, and no secret is kept.
"""

from __future__ import annotations

import os

from git_agent_session import live

KEY = "redact.key"
KEY_BYTES = 32
# past this no more is told apart: an agent that makes up secrets cannot fill the disk
FILE_BYTES = 512 * 1024
_TRIES = 3


class SessionNames:
    """Called with a kind and a secret, it gives the words of the mark; just the kind where it cannot read or write."""

    __slots__ = ("_counts", "_key", "_known", "_path", "_place", "_rest", "_shared")

    def __init__(self, shared: str, session_id: str) -> None:
        self._shared = shared
        self._path = os.path.join(shared, "capture", f"{session_id}.secrets")
        self._known: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        # of the file: how many bytes were read, and the line that was not whole then
        self._place = 0
        self._rest = b""
        self._key = b""

    def __call__(self, kind: str, secret: str) -> str:
        try:
            number = self._number(f"{kind} {self._digest(secret)}")
        except OSError:
            number = 1
        return kind if number < 2 else f"{kind} {number}"

    def _number(self, line: str) -> int:
        """The secret's number; 1 where it could not be written down."""
        for _ in range(_TRIES):
            if line in self._known:
                return self._known[line]
            self._read_on()
            if line in self._known or self._place >= FILE_BYTES:
                break
            # the first newline ends a line that a full disk has cut short
            _append(self._path, f"\n{line}\n".encode())
        return self._known.get(line, 1)

    def _read_on(self) -> None:
        """Number what was added to the file: each secret costs its own line, not the whole file."""
        data = _read(self._path, FILE_BYTES - self._place, self._place)
        self._place += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in (raw.decode("ascii", "replace") for raw in lines):
            kind, _, digest = line.partition(" ")
            if len(digest) == 32 and line not in self._known:
                self._counts[kind] = self._known[line] = self._counts.get(kind, 0) + 1

    def _digest(self, secret: str) -> str:
        from _blake2 import blake2b

        self._key = self._key or _key(os.path.join(self._shared, KEY))
        return blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).hexdigest()


def _append(path: str, data: bytes) -> None:
    fd = live.opened(path, os.O_APPEND)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _read(path: str, most: int, place: int = 0) -> bytes:
    try:
        with open(path, "rb") as f:
            f.seek(place)
            return f.read(most)
    except FileNotFoundError:
        return b""


def _key(path: str) -> bytes:
    """The repository's key, made when there is none; of several processes that make one, the first wins."""
    key = _read(path, KEY_BYTES)
    if len(key) == KEY_BYTES:
        return key
    aside = f"{path}.{os.getpid()}.{os.urandom(3).hex()}"
    fd = live.opened(aside, os.O_EXCL)
    try:
        try:
            os.write(fd, os.urandom(KEY_BYTES))
        finally:
            os.close(fd)
        # both refuse to replace what is there: rename on Windows, link elsewhere
        (os.rename if os.name == "nt" else os.link)(aside, path)
    except FileExistsError:
        pass
    finally:
        if os.path.exists(aside):
            os.unlink(aside)
    key = _read(path, KEY_BYTES)
    if len(key) != KEY_BYTES:
        raise OSError(f"{path} holds no key")
    return key
