"""Reads a small file that a repository may have brought: no link is followed, no pipe waited for, no end is without
end."""

from __future__ import annotations

import os
import stat


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
