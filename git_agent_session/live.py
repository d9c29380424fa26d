"""Which sessions are open here, and which one a process belongs to: small files that hooks read without a process.

    <common dir>/agent-session/live/<id>                 an open session: its agent's type, then its trailer setting
    <common dir>/agent-session/native/<agent>/<own id>   an agent's own session id -> ours
    <git dir>/agent-session/active                       this worktree's active session
    <git dir>/agent-session/recent                       the sessions this worktree has had, the latest last

Standard library only. The sh hooks read the same files (githooks/agent-session.sh): change both or neither.
"""

from __future__ import annotations

import os
import sys

from git_agent_session.ids import is_session_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDERS = ("live", "journal", "native", "rewrites", "lock", "seen")
RECENT = 50
RECENT_BYTES = 64 * 1024

# the agent's own session id in the environment of the shell it runs, and what marks that shell as the agent's own
# (an IDE's terminal has the id alone)
AGENT_VARIABLES = (
    ("claude-code", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_CHILD_SESSION"),
    ("codex", "CODEX_THREAD_ID", "CODEX_THREAD_ID"),
    ("copilot", "COPILOT_AGENT_SESSION_ID", "COPILOT_AGENT_SESSION_ID"),
    # set by our plugin
    ("opencode", "OPENCODE_SESSION_ID", "OPENCODE_SESSION_ID"),
    ("pi", "PI_SESSION_ID", "PI_SESSION_ID"),
)


def prepare(shared: str) -> None:
    """Make the folders that hooks write to, for hooks make none, and note the Python that hooks may start."""
    for name in FOLDERS:
        os.makedirs(os.path.join(shared, name), mode=0o700, exist_ok=True)
    if not os.path.exists(os.path.join(shared, "python")):
        note_python(shared)


def note_python(shared: str) -> None:
    """Write down the interpreter and the package that git hooks start, detached, for what takes more than a shell."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    replace(os.path.join(shared, "python"), f"{sys.executable}\n{package}\n")


def set_open(shared: str, session_id: str, agent_type: str, *, trailer: bool = True) -> None:
    """Mark a session as open: from now on commits link to it. `trailer`: whether hooks offer the trailer."""
    path = os.path.join(shared, "live", session_id)
    replace(path, f"{agent_type or 'unknown'}\n{'true' if trailer else 'false'}\n")


def set_closed(shared: str, session_id: str) -> None:
    """Take the mark off; a session that has none stays as it is."""
    import contextlib

    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(shared, "live", session_id))


def is_open(shared: str, session_id: str) -> bool:
    """True while commits link to this session."""
    return os.path.exists(os.path.join(shared, "live", session_id))


def open_sessions(shared: str) -> set[str]:
    """The ids of all sessions that are open in this repository."""
    try:
        return {name for name in os.listdir(os.path.join(shared, "live")) if is_session_id(name)}
    except OSError:
        return set()


def native(shared: str, agent_type: str, native_id: str) -> str | None:
    """Our id for an agent's own session id, if its hooks opened one here."""
    path = _native_path(shared, agent_type, native_id)
    return _read_id(path) if path else None


def set_native(shared: str, agent_type: str, native_id: str, session_id: str) -> None:
    """Remember our id for an agent's own; an id that is no plain name is not remembered."""
    if path := _native_path(shared, agent_type, native_id):
        replace(path, session_id + "\n")


def forget_native(shared: str, agent_type: str, native_id: str) -> None:
    """Undo `set_native`."""
    import contextlib

    if path := _native_path(shared, agent_type, native_id):
        with contextlib.suppress(OSError):
            os.unlink(path)


def active(private: str) -> str | None:
    """This worktree's active session."""
    return _read_id(os.path.join(private, "active"))


def set_active(private: str, session_id: str | None) -> None:
    """Make a session this worktree's active one, or none."""
    import contextlib

    path = os.path.join(private, "active")
    if session_id is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        replace(path, session_id + "\n")
        push_recent(private, session_id)


def forget_offers(private: str, session_id: str) -> None:
    """Drop what prepare-commit-msg kept in this worktree for a session's commits."""
    import contextlib

    with contextlib.suppress(OSError):
        for name in os.listdir(private):
            if name.startswith(f"offered.{session_id}"):
                os.unlink(os.path.join(private, name))


def recent(private: str) -> list[str]:
    """The sessions this worktree has had, the latest first."""
    try:
        with open(os.path.join(private, "recent"), encoding="utf-8", errors="replace") as f:
            ids = [line.strip() for line in f]
    except OSError:
        return []
    return list(dict.fromkeys(i for i in reversed(ids) if is_session_id(i)))


def push_recent(private: str, session_id: str) -> None:
    """Put a session at the end of this worktree's list."""
    path = os.path.join(private, "recent")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(private, mode=0o700, exist_ok=True)
        fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, f"{session_id}\n".encode())
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    if size > RECENT_BYTES:
        replace(path, "".join(f"{i}\n" for i in reversed(recent(private)[:RECENT])))


def of_agent(shared: str, env: Mapping[str, str]) -> str | None:
    """The session that the agent running this process has opened, by the agent's own id in the environment.

    An agent that another one started inherits the other's ids: the one that came last counts, if it is open.
    """
    best, newest = None, -1
    for agent_type, variable, mark in AGENT_VARIABLES:
        if env.get(mark) and env.get(variable) and (found := native(shared, agent_type, env[variable])):
            path = _native_path(shared, agent_type, env[variable])
            came = os.stat(path).st_mtime_ns if path else 0
            if best is None or (came > newest and is_open(shared, found)):
                best, newest = found, came
    return best


def _native_path(shared: str, agent_type: str, native_id: str) -> str | None:
    # both may come from a session that somebody else has pushed
    return (
        os.path.join(shared, "native", agent_type, native_id) if _is_name(agent_type) and _is_name(native_id) else None
    )


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 200 and text[0] != "." and all(c.isascii() and (c.isalnum() or c in "._-") for c in text)


def _read_id(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read(64).strip()
    except OSError:
        return None
    return text if is_session_id(text) else None


def listed(folder: str) -> list[str]:
    """The names in a folder, sorted; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def opened(path: str, flags: int) -> int:
    """A descriptor to write to a file of ours, which is made with its folder where it is missing, for its owner alone.

    `flags`: O_APPEND or O_EXCL. Raises OSError.
    """
    flags |= os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)


def replace(path: str, text: str) -> None:
    """Write a small file whole: readers see the old one or the new one."""
    import contextlib

    aside = f"{path}.{os.getpid()}.{os.urandom(3).hex()}"
    fd = opened(aside, os.O_EXCL)
    try:
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
        os.replace(aside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
