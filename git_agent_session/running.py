"""Which process an agent's session belongs to, where the agent tells its hooks: so that it can be seen to be gone.

    <common dir>/agent-session/lock/agent-<id>   the process, the machine, and on Linux the namespace of its number

A process's number means something on its own machine only, and there within its own namespace (a container's). Standard
library only: agents' hooks write this.
"""

from __future__ import annotations

import os

from git_agent_session import live


def note(shared: str, session_id: str, pid: str) -> None:
    """Remember the process of a session that begins; what is no number is not remembered."""
    if pid.isascii() and pid.isdigit() and len(pid) < 12:
        live.replace(_path(shared, session_id), f"{pid}\n{_here()}\n")


def forget(shared: str, session_id: str) -> None:
    """The session ended, or somebody else goes on with it."""
    try:
        os.unlink(_path(shared, session_id))
    except OSError:
        return


def gone(shared: str, session_id: str) -> int | None:
    """The number of the session's process when it is gone for sure; None where it runs, or nobody can tell."""
    try:
        with open(_path(shared, session_id), encoding="utf-8", errors="replace") as f:
            pid, here = f.read(1024).split("\n")[:2]
        number = int(pid)
    except (OSError, ValueError):
        return None
    # on Windows signal 0 is control-C
    if os.name == "nt" or here != _here() or number < 2:
        return None
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return number
    except (OSError, OverflowError):
        return None
    return None


def _path(shared: str, session_id: str) -> str:
    return os.path.join(shared, "lock", f"agent-{session_id}")


def _here() -> str:
    """This machine, and the namespace of its processes' numbers (pid_namespaces(7))."""
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    try:
        return f"{name} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return name
