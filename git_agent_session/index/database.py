"""The file of the index: opening it, knowing a good one from a damaged or an older one, and dropping it.

`<common dir>/agent-session/index.sqlite` is derived: whatever is wrong with it, it is deleted and made anew. It is
written under the lock `index`, by one process at a time, and read by any number (WAL, where the file system takes it).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from git_agent_session import lock
from git_agent_session.errors import StorageError
from git_agent_session.index import schema

NAME = "index.sqlite"
LOCK = "index"
# SQLite's own files beside the database
BESIDE = ("-wal", "-shm", "-journal")
# how long a statement waits for another connection's
BUSY_SECONDS = 10.0
# pages that are kept in memory while the index is written, in KiB
CACHE_KIB = 64 * 1024
# pages that the log may hold while the index is built: what is written often goes into the file once
BUILD_PAGES = 16_000


class Stale(Exception):
    """The file is of another version, or damaged: drop it."""


def path(shared: str) -> str:
    """Where the index of a repository lies; `shared` is the plugin's folder in the common git directory."""
    return os.path.join(shared, NAME)


def drop(shared: str) -> None:
    """Delete the index; the caller holds its lock. What is not there is fine."""
    # the log last: behind another database it would be taken for that one's
    for beside in ("", *BESIDE):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path(shared) + beside)


def drop_unless_busy(shared: str) -> None:
    """Delete the index, unless somebody is at work on it or it cannot be deleted."""
    with contextlib.suppress(OSError, StorageError), lock.held(shared, LOCK, wait=0.0):
        drop(shared)


def connect(shared: str, *, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection for writing, without transactions of Python's making; the file is for its owner's eyes alone."""
    name = path(shared)
    # the sessions of a private repository: SQLite gives its other files the same mode
    with contextlib.suppress(FileExistsError):
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        # the log of a file that somebody deleted without it would be written into this one
        for beside in BESIDE:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + beside)
    return sqlite3.connect(name, timeout=timeout, isolation_level=None)


def reading(shared: str) -> sqlite3.Connection:
    """A connection that can only read; raises sqlite3.OperationalError where there is no index."""
    # three slashes also before a drive's letter (sqlite.org/uri.html)
    name = path(shared).replace(os.sep, "/").replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    uri = f"file:{name if name.startswith('/') else '/' + name}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        if version(db) != schema.VERSION or not _has(db, "sessions"):
            raise sqlite3.OperationalError("no index yet")
        db.set_authorizer(_permit)
    except BaseException:
        db.close()
        raise
    return db


def _permit(action: int, *_: object) -> int:
    # the rest is the connection's mode's to refuse
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def version(db: sqlite3.Connection) -> int:
    """The version of the tables, 0 for a new file; raises sqlite3.DatabaseError where the file is none."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def prepare(db: sqlite3.Connection) -> bool:
    """Make what is missing of the tables; True when the full text index is there. Raises Stale."""
    found = version(db)
    if found not in (0, schema.VERSION):
        raise Stale(f"version {found}")
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", f"cache_size = -{CACHE_KIB}", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    if not _has(db, "meta"):
        with transaction(db):
            for table in schema.TABLES:
                for statement in table.statements():
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {schema.VERSION}")
    return end_build(db) if meta(db, "build") == "unfinished" else _prepare_search(db)


def begin_build(db: sqlite3.Connection) -> None:
    """Before many rows are written into empty tables: without indexes, which cost the most when they grow row by row.

    What a kill leaves is made good by `prepare`.
    """
    db.execute(f"PRAGMA wal_autocheckpoint = {BUILD_PAGES}")
    with transaction(db):
        set_meta(db, "build", "unfinished")
        set_meta(db, "search", "behind")
        names = db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for (name,) in names:
            db.execute(f"DROP INDEX {name}")


def end_build(db: sqlite3.Connection) -> bool:
    """Make the indexes that `begin_build` has dropped; True when the full text index is there."""
    with transaction(db):
        for table in schema.TABLES:
            for statement in table.statements():
                db.execute(statement)
        set_meta(db, "build", "finished")
    return _prepare_search(db)


def _prepare_search(db: sqlite3.Connection) -> bool:
    """The full text index; one that fell behind, under a Python without FTS5, is made anew."""
    try:
        there = _has(db, "search")
        with transaction(db):
            if not there:
                db.execute(schema.SEARCH)
            if not there or meta(db, "search") == "behind":
                db.execute("INSERT INTO search (search) VALUES ('rebuild')")
                set_meta(db, "search", "good")
        db.execute("SELECT rowid FROM search LIMIT 0")
    except sqlite3.OperationalError as e:
        if "no such module" not in str(e):
            raise
        set_meta(db, "search", "behind")
        return False
    return True


def _has(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def meta(db: sqlite3.Connection, name: str) -> str:
    """What the index knows of itself under a name, "" for nothing."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def set_meta(db: sqlite3.Connection, name: str, value: str) -> None:
    """Keep something under a name."""
    db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # after some errors SQLite has rolled back already
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
