"""States by tip in SQLite, so that a list needs neither packs nor TOML. Derived and disposable.

`<common dir>/agent-session/index.sqlite`: delete it and everything still works, slower once. Any trouble with it
(locked, damaged, an older version, a read-only folder) counts as not having it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from git_agent_session.model import Doc

if TYPE_CHECKING:
    import sqlite3

# also to be raised when what `bounds.sane` lets pass changes: rows hold states that are sane
VERSION = 2


class SqliteExcerpts:
    """The cache of one repository."""

    def __init__(self, shared: str) -> None:
        self._path = os.path.join(shared, "index.sqlite")

    def load(self) -> dict[str, tuple[str, Doc]]:
        """Session id -> (tip, state at that tip)."""
        if not os.path.exists(self._path):
            return {}
        import json
        import sqlite3

        try:
            with self._open() as db:
                rows = db.execute("SELECT id, tip, doc FROM excerpt").fetchall()
                docs = json.loads(f"[{','.join(doc for _, _, doc in rows)}]")
                return {i: (tip, doc) for (i, tip, _), doc in zip(rows, docs, strict=True)}
        except (sqlite3.Error, ValueError, OSError):
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
                db.executemany("INSERT OR REPLACE INTO excerpt (id, tip, doc) VALUES (?, ?, ?)", kept)
                db.executemany("DELETE FROM excerpt WHERE id = ?", [(i,) for i in gone])
        except sqlite3.OperationalError:
            return  # locked, or the folder cannot be written
        except (sqlite3.Error, OSError):
            self._drop()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        fresh = not os.path.exists(self._path)
        db = sqlite3.connect(self._path, timeout=1.0)
        try:
            if fresh:
                with contextlib.suppress(OSError):
                    os.chmod(self._path, 0o600)
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                db.executescript(
                    "BEGIN IMMEDIATE; DROP TABLE IF EXISTS excerpt;"
                    "CREATE TABLE excerpt (id TEXT PRIMARY KEY, tip TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;"
                    f"PRAGMA user_version = {VERSION}; COMMIT;"
                )
            with db:
                yield db
        finally:
            db.close()

    def _drop(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._path)
