"""A copy in a database that many repositories share: sessions that changed are written anew, those gone are deleted.

A session is written whole in one transaction, with a digest of what it was made from; so a copy that was killed goes on
where it was, and one with nothing to do writes nothing. Clones of one repository share its name: each deletes only what
it has brought, and none overwrites what another knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from git_agent_session.errors import UsageError
from git_agent_session.ids import timestamp
from git_agent_session.sql import selects
from git_agent_session.sql.target import Copied, Identity, Place

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine, Table

    from git_agent_session.index.derived import Index
    from git_agent_session.index.refresh import Progress

# sessions in a transaction
CHUNK = 25


def copy(index: Index, place: Place, who: Identity, *, reset: bool, progress: Progress | None) -> Copied:
    """Bring the database in line with the index."""
    import os

    from git_agent_session.sql import database

    if place.kind == "sqlite" and os.path.realpath(place.where) == os.path.realpath(index.path):
        raise UsageError("that file is the index itself", hint="name another file")
    with database.opened(place) as engine, index.connection() as db:
        if reset:
            database.reset(engine)
        else:
            database.upgrade(engine)
        # one state of the index, whoever refreshes it meanwhile
        db.execute("BEGIN")
        return _Copy(engine, db, who).run(str(place), progress)


class _Copy:
    """One run for one repository."""

    def __init__(self, engine: Engine, db: sqlite3.Connection, who: Identity) -> None:
        from git_agent_session.sql import tables

        self.engine = engine
        self.db = db
        self.who = who
        self.repositories = tables.repositories
        self.tables: dict[str, Table] = tables.tables
        self.sessions = self.tables["sessions"]
        self.repository = 0

    def run(self, shown: str, progress: Progress | None) -> Copied:
        """Write and delete what differs."""
        import sqlalchemy

        with self.engine.begin() as target:
            self.repository = self._repository(target)
            columns = [self.sessions.c[n] for n in ("session", "version", "clone", "updated_at")]
            query = sqlalchemy.select(*columns).where(self.sessions.c.repository == self.repository)
            there = {row[0]: (row[1], row[2], row[3]) for row in target.execute(query)}
        here = selects.versions(self.db)
        changed = sorted(i for i, (version, at) in here.items() if self._differs(there.get(i), version, at))
        gone = sorted(i for i, (_, clone, _) in there.items() if clone == self.who.clone and i not in here)
        for start in range(0, len(changed), CHUNK):
            part = changed[start : start + CHUNK]
            self._write(part, {i: here[i][0] for i in part})
            if progress is not None:
                progress(start + len(part), len(changed))
        for start in range(0, len(gone), CHUNK):
            with self.engine.begin() as target:
                self._delete(target, gone[start : start + CHUNK])
        held = len((there.keys() | here.keys()) - set(gone))
        return Copied(shown, self.who.name, len(changed), len(gone), held)

    def _differs(self, there: tuple[str, str, str] | None, version: str, at: str) -> bool:
        if there is None:
            return True
        known, clone, known_at = there
        # another clone may have what this one did not fetch yet
        return known != version and (clone == self.who.clone or at > known_at)

    def _repository(self, target: Connection) -> int:
        """The number of the repository's row, made where it is new; its time of copying is now."""
        import sqlalchemy
        from sqlalchemy.dialects import postgresql, sqlite

        dialect: Any = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        row = {"name": self.who.name, "copied_at": timestamp()}
        new = dialect.insert(self.repositories).values(row)
        target.execute(new.on_conflict_do_update(index_elements=["name"], set_={"copied_at": row["copied_at"]}))
        query = sqlalchemy.select(self.repositories.c.id).where(self.repositories.c.name == self.who.name)
        return int(target.execute(query).scalar_one())

    def _write(self, ids: Sequence[str], versions: dict[str, str]) -> None:
        with self.engine.begin() as target:
            self._delete(target, ids)
            for name, table in self.tables.items():
                rows = [row for i in ids for row in self._rows(name, i, versions[i])]
                if rows:
                    target.execute(table.insert(), rows)

    def _rows(self, name: str, session_id: str, version: str) -> list[dict[str, Any]]:
        own: dict[str, Any] = {"repository": self.repository, "session": session_id}
        if name == "sessions":
            own |= {"clone": self.who.clone, "version": version}
        columns = selects.SELECTS[name][0]
        texts = {c.name for c in self.tables[name].columns if str(c.type) == "TEXT"}
        return [
            own | {c: str(v) if c in texts and v is not None else v for c, v in zip(columns, row, strict=True)}
            for row in selects.rows(self.db, name, session_id)
        ]

    def _delete(self, target: Connection, ids: Sequence[str]) -> None:
        import sqlalchemy

        # of two copies of one repository at once, one waits here
        lock = sqlalchemy.select(self.repositories.c.id).where(self.repositories.c.id == self.repository)
        target.execute(lock.with_for_update())
        for table in self.tables.values():
            mine = (table.c.repository == self.repository) & table.c.session.in_(ids)
            target.execute(table.delete().where(mine))
