"""A lock between processes that dies with its holder: flock(2) where there is one, the Windows lock where not.

Kept on a file of its own that is never removed. It orders draining; nothing's safety rests on it alone, since refs are
updated by compare-and-swap.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from git_agent_session.errors import StorageError

if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try(fd: int) -> bool:
    try:
        _lock(fd)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def held(shared: str, name: str, *, wait: float = 10.0) -> Iterator[None]:
    """Hold the lock `name` of a repository; waits at most `wait` seconds, then raises StorageError."""
    path = os.path.join(shared, "lock", name)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as e:
        raise StorageError(f"cannot lock {path}: {e.strerror}", hint="make the repository writable") from e
    try:
        deadline = time.monotonic() + wait
        while not _try(fd):
            if time.monotonic() >= deadline:
                raise StorageError(f"{path} is held by another process", hint="wait for it to finish, then try again")
            import random

            time.sleep(0.002 + random.random() * 0.01)
        yield
    finally:
        os.close(fd)
