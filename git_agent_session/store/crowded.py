"""Whether so many sessions have refs that they slow git down, and when that was looked into last.

`<common dir>/agent-session/sync/archived` holds the day of that look and how many refs were left by it. Standard
library only: a push asks this before it opens the repository.
"""

from __future__ import annotations

import contextlib
import os

from git_agent_session import live
from git_agent_session.ids import timestamp

# with more refs than this every push and fetch of the code takes noticeably longer
MOST_REFS = 2000


def due(shared: str, count: int, most: int = MOST_REFS) -> bool:
    """True where `count` sessions with refs are more than `most`.

    Where it was looked at today already, and there are hardly more by now, once more would find nothing.
    """
    if count <= most:
        return False
    day, _, before = _looked(shared).partition(" ")
    return day != _today() or not before.isdecimal() or count > int(before) + most // 10


def note(shared: str, count: int) -> None:
    """Remember that it was looked at just now, and that `count` refs are left."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(_mark(shared)), mode=0o700, exist_ok=True)
        live.replace(_mark(shared), f"{_today()} {count}\n")


def _looked(shared: str) -> str:
    try:
        with open(_mark(shared), encoding="ascii", errors="replace") as f:
            return f.read(100).strip()
    except OSError:
        return ""


def _mark(shared: str) -> str:
    return os.path.join(shared, "sync", "archived")


def _today() -> str:
    return timestamp()[:10]
