"""The index of one repository, as callers see it: refresh it, then ask.

What it answers is what the last refresh saw. A refresh with nothing to do looks at the files of refs and journal alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from git_agent_session import lock
from git_agent_session.errors import BrokenSession, StorageError, UsageError
from git_agent_session.index import database
from git_agent_session.index.look import Look, look
from git_agent_session.index.search import Hit, Where, at, search, youngest
from git_agent_session.model import Doc, Session
from git_agent_session.store.reader import Filter, Reader

if TYPE_CHECKING:
    from git_agent_session.index.refresh import Progress, Refresher

# the machine's troubles, for which a new file is no cure (sqlite.org/rescode.html)
_OUTSIDE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM),
}


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: how many sessions it took in, how many events, and how long it took."""

    sessions: int
    events: int
    seconds: float
    broken: tuple[BrokenSession, ...] = ()

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        return {"sessions": self.sessions, "events": self.events, "seconds": round(self.seconds, 3)}


class Index:
    """The derived index of the repository of `store`. Open one with `git_agent_session.index.open`."""

    def __init__(self, store: Reader) -> None:
        self.store = store

    @property
    def path(self) -> str:
        """The SQLite file; any program may read it, none but this one should write it."""
        return database.path(self.store.shared)

    # -- keeping it

    def refresh(
        self, progress: Progress | None = None, *, rebuild: bool = False, wait: float = 10.0, most: int | None = None
    ) -> Refreshed:
        """Take in what changed since the last refresh; with `rebuild`, from nothing.

        `progress` is called with how many of the changed sessions are done, and how many there are. Where another
        process is at it, waits up to `wait` seconds, then raises StorageError; so it does where nothing can be written,
        and where there is no index yet or more than `most` sessions have changed.
        """
        begun = time.perf_counter()
        self.store.settle()
        # before anything is read: what comes in between makes the next look differ
        now = look(self.store.repo.location)
        before = None if rebuild else self._last_look()
        among = before.changed(now) if before is not None else None
        if among is not None and not among:
            return Refreshed(0, 0, time.perf_counter() - begun)
        if most is not None and ((before is None and not self._is_there()) or len(among or ()) > most):
            raise StorageError("the index is not up to date", hint="`git agent-session index` brings it up to date")
        with lock.held(self.store.shared, database.LOCK, wait=wait):
            run = self._refresh(now, progress, rebuild, most)
        return Refreshed(run.sessions, run.events, time.perf_counter() - begun, tuple(run.broken))

    def _last_look(self) -> Look | None:
        try:
            with contextlib.closing(database.reading(self.store.shared)) as db:
                return Look.from_json(database.meta(db, "look"))
        except (sqlite3.Error, OSError):
            return None

    def _is_there(self) -> bool:
        try:
            with contextlib.closing(database.reading(self.store.shared)) as db:
                return database.meta(db, "build") != "unfinished" and bool(database.meta(db, "search"))
        except (sqlite3.Error, OSError):
            return False

    def _refresh(self, now: Look, progress: Progress | None, rebuild: bool, most: int | None) -> Refresher:
        try:
            if not rebuild:
                try:
                    return self._run(now, progress, most)
                except (database.Stale, sqlite3.Error) as e:
                    _refuse_outside(e)
            database.drop(self.store.shared)
            return self._run(now, progress, most)
        except (sqlite3.Error, OSError) as e:
            _refuse_outside(e)
            raise StorageError(f"cannot write the index {self.path}: {e}", hint="delete it, and try again") from e

    def _run(self, now: Look, progress: Progress | None, most: int | None) -> Refresher:
        # who only asks does without
        from git_agent_session.index.refresh import Refresher

        with contextlib.closing(database.connect(self.store.shared)) as db:
            run = Refresher(self.store, db, database.prepare(db), most)
            # that of who held the lock before, by now
            before = Look.from_json(database.meta(db, "look"))
            run.run(before.changed(now) if before is not None else None, progress)
            # what is broken is looked at, and said, each time
            database.set_meta(db, "look", "" if run.broken else now.to_json())
            return run

    # -- asking

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that can only read. Raises StorageError where there is no index yet, or it is damaged."""
        try:
            with contextlib.closing(database.reading(self.store.shared)) as db:
                yield db
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as e:
            raise StorageError(
                f"the index cannot be read: {e}", hint="`git agent-session index` makes it, and mends it"
            ) from e

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query of one's own gives; docs/sql.md has the tables. Raises UsageError for a bad one."""
        with self.connection() as db:
            try:
                return db.execute(sql, params).fetchall()
            except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as e:
                if _is_damage(e):
                    raise
                raise UsageError(f"the query fails: {e}", hint="docs/sql.md has the tables") from e

    def sessions(self, where: Filter | None = None, *, limit: int | None = None) -> list[Session]:
        """The sessions that fit, the youngest first: what `Store.list` gives, in less time."""
        where = where or Filter()
        conditions, values = _conditions(where)
        query = f"SELECT data FROM sessions{conditions} ORDER BY started_at DESC, id DESC"
        # names compare as `Filter` does it, which SQLite cannot
        if limit is not None and not where.user:
            query, values = f"{query} LIMIT ?", [*values, max(0, limit)]
        with self.connection() as db:
            found = [row[0] for row in db.execute(query, values)]
        # one parse of all costs half of one for each
        sessions = map(Session.from_doc, json.loads(f"[{','.join(found)}]"))
        fit = [s for s in sessions if where.takes(s)] if where.user else list(sessions)
        return fit if limit is None else fit[:limit]

    def those(self, ids: Collection[str]) -> list[Session]:
        """The sessions of these ids that are there."""
        with self.connection() as db:
            query = "SELECT data FROM sessions WHERE id = ?"
            found = [row[0] for i in ids for row in db.execute(query, (i,))]
        return [Session.from_doc(json.loads(data)) for data in found]

    def near(self, ids: Sequence[str]) -> frozenset[str]:
        """These ids and those next to each: all that is needed to shorten them."""
        found = set(ids)
        with self.connection() as db:
            for session_id in ids:
                found.update(
                    i
                    for query in (
                        "SELECT max(id) FROM sessions WHERE id < ?",
                        "SELECT min(id) FROM sessions WHERE id > ?",
                    )
                    for (i,) in db.execute(query, (session_id,))
                    if i is not None
                )
        return frozenset(found)

    def search(self, text: str, where: Where | None = None, *, limit: int = 20) -> list[Hit]:
        """The events that hold all words of `text`, the best first. Raises UsageError for a text without words."""
        with self.connection() as db:
            full = database.meta(db, "search") == "good" and _has_fts(db)
            return search(db, text, where or Where(), max(0, limit), full=full)

    def youngest(self, where: Where, *, limit: int = 20) -> list[Hit]:
        """The events that fit, whatever they say, the youngest first."""
        with self.connection() as db:
            return youngest(db, where, max(0, limit))

    def committed(self, tips: Mapping[str, str], kind: str) -> dict[str, list[Doc]]:
        """The data of the events of a kind up to these tips, session id -> tip, in their order.

        What the index does not have so is left out: a session at another tip, one that cannot be read. None is left in
        an index that is being built, where to look for anything is to go through all.
        """
        found: dict[str, list[Doc]] = {}
        rows = "SELECT data FROM events WHERE session = ? AND kind = ? AND waits = 0 ORDER BY clock, id"
        whole = "SELECT 1 FROM sessions WHERE id = ? AND tip = ? AND EXISTS "
        whole += "(SELECT 1 FROM events WHERE session = sessions.id AND waits = 0)"
        with self.connection() as db:
            for session_id, tip in tips.items() if database.meta(db, "build") != "unfinished" else ():
                if db.execute(whole, (session_id, tip)).fetchone():
                    data = [text for (text,) in db.execute(rows, (session_id, kind))]
                    found[session_id] = json.loads(f"[{','.join(data)}]") if data else []
        return found

    def touched(self, path: str) -> list[str]:
        """The ids of the sessions that had to do with a file, anything below a folder, or with what a pattern with
        `*`, `?` or `[…]` fits; the youngest first."""
        condition, values = at(path)
        query = f"SELECT id FROM sessions WHERE id IN (SELECT session FROM files WHERE {condition})"
        return [i for (i,) in self.query(f"{query} ORDER BY started_at DESC, id DESC", values)]


def _conditions(where: Filter) -> tuple[str, list[Any]]:
    found: list[tuple[str, list[Any]]] = []
    for column, value in (("project", where.project), ("agent", where.agent_type)):
        if value:
            found.append((f"{column} = ?", [value]))
    if where.status:
        found.append((f"status IN ({','.join('?' * len(where.status))})", list(where.status)))
    if where.since:
        found.append(("started_at >= ?", [where.since]))
    if where.until:
        found.append(("started_at <= ?", [where.until]))
    found += [("id IN (SELECT session FROM tags WHERE tag = ?)", [tag]) for tag in where.tags]
    if not found:
        return "", []
    return f" WHERE {' AND '.join(c for c, _ in found)}", [v for _, values in found for v in values]


def _has_fts(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT rowid FROM search LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _refuse_outside(error: Exception) -> None:
    """Raise StorageError for what no new file mends: a full disk, a folder that cannot be written."""
    if isinstance(error, OSError) or _code(error) in _OUTSIDE:
        said = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise StorageError(
            f"cannot write the index: {said}", hint="free disk space or make the repository writable"
        ) from error
