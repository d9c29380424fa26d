"""The append-only journal: where hot paths leave events until a batch commit takes them in.

One file a session, `<common dir>/agent-session/journal/<id>.toml`, and beside it `<id>.<commit>.toml` for each commit
that a git hook linked. An append is one write to a file opened for appending; it counts as done only when the file that
was written still stands under its name, so a reader that renamed it meanwhile cannot lose it. Nothing here knows git
objects; draining is the store's.
"""

from __future__ import annotations

import errno
import os
import time

from git_agent_session import codec
from git_agent_session.errors import StorageError
from git_agent_session.ids import is_session_id, timestamp
from git_agent_session.live import listed, opened

# agent hooks import this: dataclasses and model would cost them 25 ms
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_agent_session.model import Event

# past this a turn is drained even before it ends
DRAIN_BYTES = 64 * 1024
# enough for the id of the last event, and more
TAIL_BYTES = 512
# a commit's file that a killed hook left unfinished is set aside after this many seconds
UNFINISHED_SECONDS = 60


# a file's path, number, size in bytes and time of change in ns
Stat = tuple[str, int, int, int]
# the files that were set aside, or left by git hooks, and the live one
Look = tuple[tuple[Stat, ...], "Stat | None"]


class Pending:
    """What waits in the journal: the events in order, the pieces that are torn, and the files they came from.

    `mark` is where the live file ended, for `read_on`; None where it cannot be read on from there.
    """

    __slots__ = ("events", "files", "mark", "torn")

    def __init__(
        self, events: tuple[Event, ...], torn: tuple[bytes, ...], files: tuple[str, ...], mark: Mark | None
    ) -> None:
        self.events = events
        self.torn = torn
        self.files = files
        self.mark = mark


class Mark:
    """How far a live journal was read: the file, its size in bytes, and its last bytes.

    The number of a file is given anew once it is gone; the last bytes hold the id of an event.
    """

    __slots__ = ("file", "size", "tail")

    def __init__(self, file: tuple[int, int], size: int, tail: bytes) -> None:
        self.file = file
        self.size = size
        self.tail = tail


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
    fd = opened(path, os.O_APPEND)
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
    hooked: list[Event] = []
    torn: list[bytes] = []
    files: list[str] = []
    mark = Mark((0, 0), 0, b"")
    for path in _files(shared, session_id):
        try:
            with open(path, "rb") as f:
                data = f.read()
                stat = os.fstat(f.fileno())
        except FileNotFoundError:
            continue
        # a hook cannot tell the time without starting a process: its file's own is as good
        stamp = timestamp(stat.st_mtime_ns) if _is_hook_file(path) else ""
        found, pieces = _events(data, stamp)
        if stamp and (pieces or not found) and _is_fresh(stat.st_mtime_ns):
            continue  # its hook is still at it
        files.append(path)
        torn += pieces
        if stamp:
            hooked += found
        else:
            events += found
            mark = Mark((stat.st_dev, stat.st_ino), len(data), data[-TAIL_BYTES:])
    is_live = bool(files) and os.path.basename(files[-1]) == f"{session_id}.toml"
    return Pending(_in_order(events, hooked), tuple(torn), tuple(files), mark if is_live and not torn else None)


def read_on(shared: str, session_id: str, mark: Mark) -> tuple[list[Event], Mark] | None:
    """What was appended to the live journal since `mark`, and the new mark.

    None when that cannot be told without reading all of it: it is another file, or what was added is torn.
    """
    try:
        with open(os.path.join(folder(shared), f"{session_id}.toml"), "rb") as f:
            stat = os.fstat(f.fileno())
            if (stat.st_dev, stat.st_ino) != mark.file or stat.st_size < mark.size:
                return None
            f.seek(mark.size - len(mark.tail))
            data = f.read()
    except OSError:
        return None
    if not data.startswith(mark.tail):
        return None
    added = data[len(mark.tail) :]
    events, torn = _events(added, "")
    if torn:
        return None
    return events, Mark(mark.file, mark.size + len(added), data[-TAIL_BYTES:])


def signature(shared: str, session_id: str) -> Look:
    """What the journal's files look like from outside, the live one apart: the same as long as nothing changed."""
    import contextlib

    found: list[Stat] = []
    live = None
    for path in _files(shared, session_id):
        with contextlib.suppress(OSError):
            stat = os.stat(path)
            row = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if os.path.basename(path) == f"{session_id}.toml":
                live = row
            else:
                found.append(row)
    return tuple(found), live


def waiting(shared: str) -> set[str]:
    """The ids of the sessions that have anything in the journal."""
    return {name[:36] for name in listed(folder(shared)) if name.endswith(".toml") and is_session_id(name[:36])}


def linked(shared: str) -> set[str]:
    """The commits that a git hook has linked and whose notes are still to be written: `<session>.<commit>.toml`."""
    return {name[37:-5] for name in listed(folder(shared)) if name[36:37] == "." and name.endswith(".toml")}


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
    import contextlib

    live = f"{session_id}.toml"
    torn = b"".join(piece + b"\n" for piece in pending.torn)
    if torn:
        fd = opened(os.path.join(folder(shared), f"{session_id}.torn"), os.O_APPEND)
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
    return [os.path.join(folder(shared), n) for n in listed(folder(shared)) if n.endswith(".torn")]


def _files(shared: str, session_id: str) -> list[str]:
    names = (n for n in listed(folder(shared)) if n.startswith(session_id + ".") and n.endswith(".toml"))
    mine = [os.path.join(folder(shared), n) for n in names]
    # files set aside come before the live one, which is younger
    live = os.path.join(folder(shared), f"{session_id}.toml")
    return mine if len(mine) < 2 else sorted(mine, key=lambda path: (path == live, _modified(path), path))


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _is_hook_file(path: str) -> bool:
    name = os.path.basename(path)
    return name.count(".") == 2 and not name[37:].startswith("drain-")


def _is_fresh(modified_ns: int) -> bool:
    return time.time_ns() - modified_ns < UNFINISHED_SECONDS * 1_000_000_000


def _in_order(events: list[Event], hooked: list[Event]) -> tuple[Event, ...]:
    """The journal's events as they were written, whatever their times say, with those of git hooks put in by time."""
    import bisect

    if not hooked:
        return tuple(events)
    # where a hook's event goes: behind the last event that is not younger
    earliest = [e.at for e in events]
    for i in range(len(earliest) - 2, -1, -1):
        earliest[i] = min(earliest[i], earliest[i + 1])
    places = [(bisect.bisect_right(earliest, e.at), e) for e in sorted(hooked, key=lambda e: e.at)]
    out: list[Event] = []
    done = 0
    for place, event in places:
        out += [*events[done:place], event]
        done = place
    return (*out, *events[done:])


def _events(data: bytes, stamp: str) -> tuple[list[Event], list[bytes]]:
    """The events in a journal's text, and the pieces that are none."""
    pieces = list(codec.split_blocks(data))
    if len(pieces) > 1 and all(whole for _, whole in pieces):
        # one parse of all costs a third of one for each
        try:
            events = codec.events_in(data)
        except ValueError:
            events = []
        if len(events) == len(pieces):
            return events, []
    found = [(piece, _event(piece, stamp) if whole else None) for piece, whole in pieces]
    return [e for _, e in found if e is not None], [piece for piece, e in found if e is None]


def _event(piece: bytes, stamp: str) -> Event | None:
    from git_agent_session.model import Event

    try:
        doc = codec.loads(piece)["event"][0]
        if stamp:
            doc.setdefault("at", stamp)
        return Event.from_dict(doc)
    except (ValueError, KeyError, IndexError, TypeError):
        return None
