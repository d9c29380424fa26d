"""A copy as JSON lines: sessions, each followed by its events and its commits, for `jq`, log stores and loaders.

A file is written whole and then takes its name, so a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from git_agent_session.sql import selects
from git_agent_session.sql.target import Copied, Identity, Place, unwritable

if TYPE_CHECKING:
    from git_agent_session.index.derived import Index


def copy(index: Index, place: Place, who: Identity, out: TextIO | None = None) -> Copied:
    """Write the file, or to `out` (default: standard output) for `-`."""
    with index.connection() as db:
        db.execute("BEGIN")
        count = len(selects.versions(db))
        if place.where == "-":
            (out or sys.stdout).writelines(records(db, who))
        else:
            _save(place.where, records(db, who))
    return Copied(str(place), who.name, count, 0, count)


def _save(path: str, lines: Iterator[str]) -> None:
    aside = f"{path}.{os.getpid()}.{os.urandom(3).hex()}"
    try:
        # what a session says is not for everybody on the machine
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with open(fd, "w", encoding="utf-8", newline="\n") as f:
                f.writelines(lines)
            os.replace(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as e:
        raise unwritable(path, e) from e


def records(db: sqlite3.Connection, who: Identity) -> Iterator[str]:
    """The lines: objects with `type`, `repository`, and under the type's name what it is."""
    for (session_id,) in db.execute("SELECT id FROM sessions ORDER BY started_at, id").fetchall():
        for kind, value in _of(db, session_id):
            told = {"type": kind, "repository": who.name, "session_id": session_id, kind: value}
            yield json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"


def _of(db: sqlite3.Connection, session_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for (data,) in db.execute("SELECT data FROM sessions WHERE id = ?", (session_id,)):
        yield "session", json.loads(data)
    query = "SELECT id, at, kind, clock, data FROM events WHERE session = ? ORDER BY clock, id"
    for event_id, at, kind, clock, data in db.execute(query, (session_id,)):
        yield "event", {"id": event_id, "at": at, "kind": kind, "clock": clock, **json.loads(data)}
    for row in selects.rows(db, "commits", session_id):
        told = dict(zip(selects.SELECTS["commits"][0], row, strict=True))
        yield "commit", {k: v for k, v in told.items() if v}
