"""The append-only journal: where hot paths leave events until a batch commit takes them in.

One file a session, `<common dir>/agent-session/journal/<id>.toml`, and beside it `<id>.<commit>.toml` for each commit
that a git hook linked. An append is one write to a file opened for appending; it counts as done only when the file that
was written still stands under its name, so a reader that renamed it meanwhile cannot lose it. Nothing here knows git
objects; draining is the store's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from git_agent_session import codec
from git_agent_session.errors import StorageError
from git_agent_session.ids import is_session_id, timestamp

# agent hooks import this: dataclasses and model would cost them 25 ms
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_agent_session.model import Event

# past this a turn is drained even before it ends
DRAIN_BYTES = 64 * 1024
# a commit's file that a killed hook left unfinished is set aside after this many seconds
UNFINISHED_SECONDS = 60


class Pending:
    """What waits in the journal: the events in order, the pieces that are torn, and the files they came from."""

    __slots__ = ("events", "files", "torn")

    def __init__(self, events: tuple[Event, ...], torn: tuple[bytes, ...], files: tuple[str, ...]) -> None:
        self.events = events
        self.torn = torn
        self.files = files


def folder(shared: str) -> str:
    """The journal's folder below the plugin's shared folder."""
    return os.path.join(shared, "journal")


def append(shared: str, session_id: str, events: Iterable[codec.Writable]) -> int:
    """Append events to a session's journal; returns its size in bytes afterwards.

    When this returns, the events survive the death of the process. Raises StorageError when they could not be written.
    """
    # the newline closes off whatever a write that was cut short has left
    data = b"\n" + codec.join(events)
    path = os.path.join(folder(shared), f"{session_id}.toml")
    try:
        for _ in range(100):
            size = _append_once(path, data)
            if size >= 0:
                return size
    except OSError as e:
        raise StorageError(
            f"cannot write the journal {path}: {e.strerror}", hint="free disk space or make the repository writable"
        ) from e
    raise StorageError(f"the journal {path} is replaced again and again", hint="try again")


def _append_once(path: str, data: bytes) -> int:
    """One append; the size, or -1 when the file was taken away while it was written."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, flags, 0o600)
    try:
        written = os.write(fd, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, "no space left on the device")
        mine = os.fstat(fd)
    finally:
        os.close(fd)
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return -1
    return mine.st_size if (now.st_ino, now.st_dev) == (mine.st_ino, mine.st_dev) else -1


def read(shared: str, session_id: str) -> Pending:
    """What waits for this session. Reads only; a missing journal is an empty one."""
    events: list[Event] = []
    torn: list[bytes] = []
    files: list[str] = []
    hooked = False
    for path in _files(shared, session_id):
        try:
            with open(path, "rb") as f:
                data = f.read()
                modified = os.fstat(f.fileno()).st_mtime_ns
        except FileNotFoundError:
            continue
        # a hook cannot tell the time without starting a process: its file's own is as good
        stamp = timestamp(modified) if _is_hook_file(path) else ""
        pieces = [(piece, _event(piece, stamp) if whole else None) for piece, whole in codec.split_blocks(data)]
        if stamp and (not pieces or any(e is None for _, e in pieces)) and _is_fresh(modified):
            continue  # its hook is still at it
        hooked = hooked or bool(stamp)
        files.append(path)
        events += [e for _, e in pieces if e is not None]
        torn += [piece for piece, e in pieces if e is None]
    if hooked:
        events.sort(key=lambda e: e.at)
    return Pending(tuple(events), tuple(torn), tuple(files))


def signature(shared: str, session_id: str) -> tuple[tuple[str, int, int, int], ...]:
    """What the journal's files look like from outside: the same as long as nothing was added or taken."""
    found = []
    for path in _files(shared, session_id):
        with contextlib.suppress(OSError):
            stat = os.stat(path)
            found.append((path, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def waiting(shared: str) -> set[str]:
    """The ids of the sessions that have anything in the journal."""
    try:
        names = os.listdir(folder(shared))
    except OSError:
        return set()
    return {name[:36] for name in names if name.endswith(".toml") and is_session_id(name[:36])}


def take(shared: str, session_id: str) -> Pending:
    """Move the journal aside for draining and read it. The caller holds the session's lock.

    Writers start a new file from now on. What is returned stays on disk, and is read by everyone, until `discard`.
    """
    path = os.path.join(folder(shared), f"{session_id}.toml")
    aside = os.path.join(folder(shared), f"{session_id}.drain-{os.urandom(4).hex()}.toml")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        pass
    except OSError as e:
        raise StorageError(f"cannot move the journal {path}: {e.strerror}", hint="make the repository writable") from e
    return read(shared, session_id)


def discard(shared: str, session_id: str, pending: Pending) -> None:
    """Drop the files of a drained journal; torn pieces are kept in `<id>.torn` for a person to read."""
    live = f"{session_id}.toml"
    torn = b"".join(piece + b"\n" for piece in pending.torn)
    if torn:
        fd = os.open(os.path.join(folder(shared), f"{session_id}.torn"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, torn)
        finally:
            os.close(fd)
    for path in pending.files:
        # not the live file: an append may be under way in it
        if os.path.basename(path) != live:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def torn_files(shared: str) -> list[str]:
    """The files that hold torn pieces, for a report."""
    try:
        names = sorted(os.listdir(folder(shared)))
    except OSError:
        return []
    return [os.path.join(folder(shared), n) for n in names if n.endswith(".torn")]


def _files(shared: str, session_id: str) -> list[str]:
    try:
        names = os.listdir(folder(shared))
    except OSError:
        return []
    # files set aside come before the live one, which is younger
    mine = sorted(n for n in names if n.startswith(session_id + ".") and n.endswith(".toml"))
    mine.sort(key=lambda n: n == f"{session_id}.toml")
    return [os.path.join(folder(shared), n) for n in mine]


def _is_hook_file(path: str) -> bool:
    name = os.path.basename(path)
    return name.count(".") == 2 and not name[37:].startswith("drain-")


def _is_fresh(modified_ns: int) -> bool:
    return time.time_ns() - modified_ns < UNFINISHED_SECONDS * 1_000_000_000


def _event(piece: bytes, stamp: str) -> Event | None:
    from git_agent_session.model import Event

    try:
        doc = codec.loads(piece)["event"][0]
        if stamp:
            doc.setdefault("at", stamp)
        return Event.from_dict(doc)
    except (ValueError, KeyError, IndexError, TypeError):
        return None
