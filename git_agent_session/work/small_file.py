"""Small files of TOML that a repository may have brought, by name from one of several folders.

No link is followed, no pipe waited for, and nothing is read that has no end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# files of one folder that are looked at
MAX_FILES = 200


def names(folders: Iterable[str]) -> tuple[str, ...]:
    """The names of the files `NAME.toml` in any of these folders, sorted."""
    found: set[str] = set()
    for folder in folders:
        try:
            files = sorted(os.listdir(folder))[:MAX_FILES]
        except OSError:
            continue
        found.update(f[:-5] for f in files if f.endswith(".toml") and NAME.fullmatch(f[:-5]))
    return tuple(sorted(found))


def read(path: str, limit: int) -> bytes:
    """The bytes of a plain file. Raises OSError, and ValueError for one that is none or larger than `limit` bytes."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    with open(os.open(path, flags), "rb") as f:
        if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
            raise ValueError("it is no plain file")
        data = f.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit // 1024} KiB")
    return data
