"""States by tip in SQLite, so that a list needs neither packs nor TOML. Derived and disposable.

A table of its own in the file of the index, made here where there is no index yet: a list must not wait for one to be
built. Any trouble with the file (locked, damaged, another version, a read-only folder) counts as not having it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from git_agent_session.model import Doc

if TYPE_CHECKING:
    import sqlite3

_TABLE = "CREATE TABLE IF NOT EXISTS excerpt (id TEXT PRIMARY KEY, tip TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID"
# the first build of an index writes for minutes, and what is not kept now is kept by the next list
_WAIT_SECONDS = 0.1


class SqliteExcerpts:
    """The cache of one repository."""

    def __init__(self, shared: str) -> None:
        self._shared = shared

    def load(self) -> dict[str, tuple[str, Doc]]:
        """Session id -> (tip, state at that tip)."""
        if not os.path.exists(os.path.join(self._shared, "index.sqlite")):
            return {}
        import json
        import sqlite3

        try:
            with self._open() as db:
                rows = db.execute("SELECT id, tip, doc FROM excerpt").fetchall()
                docs = json.loads(f"[{','.join(doc for _, _, doc in rows)}]")
                return {i: (tip, doc) for (i, tip, _), doc in zip(rows, docs, strict=True)}
        except (sqlite3.OperationalError, OSError):
            return {}
        except (sqlite3.Error, ValueError):
            self._drop()
            return {}

    def save(self, rows: Mapping[str, tuple[str, Doc]], gone: Iterable[str]) -> None:
        """Keep newer rows, drop those of sessions that are gone."""
        import json
        import sqlite3

        kept = []
        for session_id, (tip, doc) in rows.items():
            # what JSON cannot hold is read from the ref each time
            with contextlib.suppress(TypeError, ValueError):
                kept.append((session_id, tip, json.dumps(doc, allow_nan=False)))
        try:
            with self._open() as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR REPLACE INTO excerpt (id, tip, doc) VALUES (?, ?, ?)", kept)
                db.executemany("DELETE FROM excerpt WHERE id = ?", [(i,) for i in gone])
                db.execute("COMMIT")
        except (sqlite3.OperationalError, OSError):
            return  # locked, or the folder cannot be written
        except sqlite3.Error:
            self._drop()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        from git_agent_session.index import database, schema

        db = database.connect(self._shared, timeout=_WAIT_SECONDS)
        try:
            found = database.version(db)
            if found not in (0, schema.VERSION):
                raise sqlite3.DatabaseError(f"version {found}")
            db.execute(_TABLE)
            if found == 0:
                db.execute(f"PRAGMA user_version = {schema.VERSION}")
            yield db
        finally:
            db.close()

    def _drop(self) -> None:
        from git_agent_session.index import database

        database.drop_unless_busy(self._shared)
