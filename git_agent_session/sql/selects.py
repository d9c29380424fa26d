"""What a copy takes of a session: for each table the query that reads it from the index, and its columns.

Events have numbers in the index that mean nothing elsewhere; in a copy they have their ids.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from git_agent_session.index import schema

_EVENT = "JOIN events e ON e.key = t.event WHERE t.session = ?"


def _named(table: schema.Table, without: Sequence[str]) -> tuple[str, ...]:
    return tuple(c.name for c in table.columns if c.name not in without)


def _of_event(table: schema.Table) -> tuple[tuple[str, ...], str]:
    names = _named(table, ("event", "session"))
    return ("event", *names), f"SELECT e.id, {', '.join(f't.{n}' for n in names)} FROM {table.name} t {_EVENT}"


def _plain(table: schema.Table) -> tuple[tuple[str, ...], str]:
    names = _named(table, ("key", "session"))
    return names, f"SELECT {', '.join(names)} FROM {table.name} WHERE session = ?"


_SESSION = _named(schema.SESSIONS, ("id", "tip", "journal"))

# table -> its columns but for repository and session, and the query, whose one value is a session's id
SELECTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "sessions": (_SESSION, f"SELECT {', '.join(_SESSION)} FROM sessions WHERE id = ?"),
    "tags": _plain(schema.TAGS),
    "events": _plain(schema.EVENTS),
    "commits": _plain(schema.COMMITS),
    "agents": _plain(schema.AGENTS),
    "files": (
        ("path", "event", "commit_id"),
        "SELECT DISTINCT t.path, coalesce(e.id, ''), t.commit_id FROM files t LEFT JOIN events e ON e.key = t.event "
        "WHERE t.session = ?",
    ),
    **{t.name: _of_event(t) for t in (schema.MESSAGES, schema.TOOLS, schema.SNAPSHOTS, schema.USAGE)},
}


def versions(db: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Session id -> (a digest of what the index has of it, when it last changed)."""
    rows = db.execute("SELECT id, tip, journal, updated_at FROM sessions").fetchall()
    return {i: (_digest(tip, look), at) for i, tip, look, at in rows}


def _digest(tip: str, look: str) -> str:
    return hashlib.sha256(f"{schema.VERSION}|{tip}|{look}".encode("utf-8", "replace")).hexdigest()[:32]


def rows(db: sqlite3.Connection, table: str, session_id: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a session, texts without the NULs that no database but SQLite takes."""
    for row in db.execute(SELECTS[table][1], (session_id,)):
        yield tuple(v.replace("\0", "") if isinstance(v, str) and "\0" in v else v for v in row)
