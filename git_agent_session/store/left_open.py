"""Sessions that a crash left open: what can be known of it on this machine, and nothing that is guessed.

    <common dir>/agent-session/lock/run-<id>   held while `exec` runs a command in a session that it opened itself

The lock dies with its holder, whatever killed it; the file stays. So a file that nobody holds says that its `exec` was
killed. Of an agent's session two more things can be known: its process is gone (`running`; some agents tell their hooks
which it is), and a machine that was started after the session's last event has no agent of that session any more. Any
other agent that was killed while the machine went on leaves no trace: `why` says nothing then. Neither does it of a
session that a person opened by hand, which a restart does not end.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime

from git_agent_session import live, lock, running
from git_agent_session.errors import StorageError
from git_agent_session.ids import timestamp
from git_agent_session.model import ACTIVE, Session

# seconds; clocks are set while a machine starts
_MARGIN = 120.0


@contextlib.contextmanager
def held(shared: str, session_id: str) -> Iterator[None]:
    """Mark a session as one that lasts as long as this process; the mark goes when the block is left."""
    try:
        with lock.held(shared, _name(session_id), wait=0.0):
            yield
    finally:
        # not before it is let go: Windows removes no open file
        forget(shared, session_id)


def forget(shared: str, session_id: str) -> None:
    """Take the marks off: it ended, or somebody else goes on with it."""
    running.forget(shared, session_id)
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(shared, "lock", _name(session_id)))


def why(shared: str, session: Session, *, booted: float | None = None) -> str:
    """Why an open session must have been left by a crash, in words; "" where that is not known.

    `booted` is when this machine was started, in seconds since the epoch (default: what it says itself).
    """
    if session.status != ACTIVE or not live.is_open(shared, session.id):
        return ""
    if _orphaned(shared, session.id):
        return "`exec` was killed while its command ran"
    if not session.agent.native_id:
        return ""
    if pid := running.gone(shared, session.id):
        return f"its agent, process {pid}, is gone"
    booted = boot_time() if booted is None else booted
    if booted is None or _seconds(session.updated_at) > booted - _MARGIN:
        return ""
    return f"this machine was started at {timestamp(int(booted * 1e9))}, after its last event"


def boot_time() -> float | None:
    """When this machine was started, in seconds since the epoch; None where it does not tell.

    Clocks that go on while the machine sleeps: CLOCK_BOOTTIME of Linux, CLOCK_MONOTONIC of macOS (clock_gettime(3)),
    GetTickCount64 of Windows, which is Python's monotonic clock there.
    """
    name = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform, "")
    try:
        if name:
            return time.time() - time.clock_gettime(getattr(time, name))
        return time.time() - time.monotonic() if os.name == "nt" else None
    except (OSError, AttributeError):
        return None


def _name(session_id: str) -> str:
    return f"run-{session_id}"


def _orphaned(shared: str, session_id: str) -> bool:
    if not os.path.exists(os.path.join(shared, "lock", _name(session_id))):
        return False
    try:
        with lock.held(shared, _name(session_id), wait=0.0):
            return True
    except StorageError:
        return False


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
