"""Where OpenCode keeps its messages: a database or, before 1.2, folders of JSON files. Nothing is ever written.

The schema is that of OpenCode 1.18.33, seen live. One message at a time is held in memory. Times are ms since 1970.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from git_agent_session.agents import payload as read_
from git_agent_session.ids import timestamp
from git_agent_session.live import listed
from git_agent_session.model import Doc

if TYPE_CHECKING:
    import sqlite3

# characters; a longer message is passed over
MESSAGE = 32 * 1024 * 1024
# seconds to wait for OpenCode to finish a write
BUSY = 2.0


class Row(NamedTuple):
    """A message without its content: when it was made, its id, when it or a part of it last changed."""

    created: int
    id: str
    changed: int


class Store(Protocol):
    """Where messages are."""

    def rows(self, session: str) -> list[Row]:
        """The messages of a session, in the order in which they were made."""

    def load(self, session: str, row: Row) -> Doc | None:
        """A message as a record, None for one that is gone, broken or too large."""

    def children(self, session: str) -> list[str]:
        """The sessions of the subagents that a session started."""

    def sessions(self) -> Iterator[tuple[str, str, int]]:
        """Id, folder and last change of each session that no other session started."""


class Database:
    """OpenCode's SQLite database, opened for reading alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, session: str) -> list[Row]:
        """See `Store`."""
        found = self.connection.execute(
            "SELECT m.time_created, m.id, max(m.time_updated,"
            " coalesce((SELECT max(p.time_updated) FROM part p WHERE p.message_id = m.id), 0))"
            " FROM message m WHERE m.session_id = ? ORDER BY m.time_created, m.id",
            (session,),
        )
        return [Row(ms(created), str(id), ms(changed)) for created, id, changed in found]

    def load(self, session: str, row: Row) -> Doc | None:
        """See `Store`."""
        one = (row.id,)
        size = self.connection.execute("SELECT coalesce(sum(length(data)), 0) FROM part WHERE message_id = ?", one)
        if size.fetchone()[0] > MESSAGE:
            return None
        found = self.connection.execute("SELECT data FROM message WHERE id = ? AND length(data) <= ?", (*one, MESSAGE))
        info = _object(next((data for (data,) in found), None))
        parts = self.connection.execute("SELECT id, data FROM part WHERE message_id = ? ORDER BY id", one)
        read = [{"id": id, **part} for id, data in parts if (part := _object(data)) is not None]
        return None if info is None else _record(row, info, read)

    def children(self, session: str) -> list[str]:
        """See `Store`."""
        found = self.connection.execute("SELECT id FROM session WHERE parent_id = ? ORDER BY id", (session,))
        return [str(id) for (id,) in found]

    def sessions(self) -> Iterator[tuple[str, str, int]]:
        """See `Store`."""
        found = self.connection.execute("SELECT id, directory, time_updated FROM session WHERE parent_id IS NULL")
        for id, directory, changed in found:
            yield str(id), str(directory), ms(changed)


class Folder:
    """JSON files of older versions: `session/PROJECT/ID.json`, `message/SESSION/ID.json`, `part/MESSAGE/ID.json`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def rows(self, session: str) -> list[Row]:
        """See `Store`."""
        rows = []
        for path in self._files("message", session):
            info = _file(path)
            id = os.path.basename(path).removesuffix(".json")
            changed = max(_changed(p) for p in (path, *self._files("part", id)))
            rows.append(Row(ms(read_.table((info or {}).get("time")).get("created")), id, changed))
        return sorted(rows)

    def load(self, session: str, row: Row) -> Doc | None:
        """See `Store`."""
        info = _file(os.path.join(self.path, "message", session, f"{row.id}.json"))
        parts = [part for path in self._files("part", row.id) if (part := _file(path)) is not None]
        return None if info is None else _record(row, info, parts)

    def children(self, session: str) -> list[str]:
        """See `Store`."""
        return [_id(info) for _, info in self._sessions() if info.get("parentID") == session and _id(info)]

    def sessions(self) -> Iterator[tuple[str, str, int]]:
        """See `Store`."""
        for path, info in self._sessions():
            if _id(info) and not info.get("parentID") and isinstance(info.get("directory"), str):
                yield _id(info), info["directory"], _changed(path)

    def _sessions(self) -> Iterator[tuple[str, Doc]]:
        for project in listed(os.path.join(self.path, "session")):
            for path in self._files("session", project):
                if (info := _file(path)) is not None:
                    yield path, info

    def _files(self, *below: str) -> list[str]:
        folder = os.path.join(self.path, *below)
        return [os.path.join(folder, name) for name in listed(folder) if name.endswith(".json")]


@contextlib.contextmanager
def opened(base: str, session: str) -> Iterator[Store]:
    """Where a session is: the database, or the JSON files beside it when only these know it. Raises OSError."""
    folder = base if os.path.basename(base) == "storage" else os.path.join(os.path.dirname(base), "storage")
    if base == folder or (not os.path.exists(base) and os.path.isdir(folder)):
        yield Folder(folder)
        return
    with _database(base) as store:
        known = store.connection.execute("SELECT 1 FROM session WHERE id = ?", (session,)).fetchone()
        older = not known and os.path.isdir(os.path.join(folder, "message", session))
        yield Folder(folder) if older else store


@contextlib.contextmanager
def _database(path: str) -> Iterator[Database]:
    import sqlite3

    if not os.path.exists(path):
        raise FileNotFoundError(f"OpenCode's database is not there: {path}")
    try:
        address = f"{Path(os.path.abspath(path)).as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY)) as connection:
            # what is no UTF-8 is no reason to lose the rest
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            yield Database(connection)
    except sqlite3.Error as e:
        raise OSError(f"OpenCode's database cannot be read ({e}): {path}") from e


def sessions(base: str) -> list[tuple[str, str, int]]:
    """The sessions in a store; none in one that cannot be read, so that the others still are."""
    with contextlib.suppress(OSError):
        if os.path.basename(base) == "storage":
            return list(Folder(base).sessions())
        with _database(base) as store:
            return list(store.sessions())
    return []


def _record(row: Row, info: Doc, parts: list[Doc]) -> Doc:
    at = timestamp(row.created * 1_000_000) if row.created else ""
    return {"type": "message", "id": row.id, "timestamp": at, "info": info, "parts": parts}


# -- values


def ms(value: object) -> int:
    """A time in ms since 1970, 0 for what is none."""
    number = read_.whole(value) or 0
    # the year 9999
    return number if number < 253_402_300_800_000 else 0


def _id(info: Mapping[str, Any]) -> str:
    return read_.word(info.get("id"))


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns // 1_000_000
    except OSError:
        return 0


def _file(path: str) -> Doc | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return _object(f.read(MESSAGE))
    except OSError:
        return None


def _object(text: object) -> Doc | None:
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
