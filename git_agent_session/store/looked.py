"""How far HEAD's reflog was read at the last look for copied commits: `<git dir>/agent-session/looked`.

It holds the reflog's size in bytes and the commit that stood there last. What the reflog says is `relink_reflog`'s,
which every command that reads sessions does without as long as HEAD has not moved.
"""

from __future__ import annotations

import os

from git_agent_session.git.discover import Location

MARK = "looked"


def has_moved(location: Location) -> bool:
    """True when HEAD's reflog is longer, or shorter, than at the last look: two system calls."""
    try:
        size = os.stat(os.path.join(location.git_dir, "logs", "HEAD")).st_size
    except OSError:
        return False
    return read_mark(os.path.join(location.private, MARK))[0] != size


def read_mark(path: str) -> tuple[int, str]:
    """The size and the commit; 0 and "" where there was no look yet."""
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            size, _, last = f.read(200).strip().partition(" ")
    except OSError:
        return 0, ""
    return (int(size) if size.isdecimal() and len(size) < 16 else 0), last
