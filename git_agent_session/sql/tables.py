"""The tables of a shared database, for SQLAlchemy. The migrations make them; a test compares both.

Texts that have no bound here are in no b-tree: PostgreSQL refuses rows of an index past 2,700 bytes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from git_agent_session.index import schema
from git_agent_session.sql.selects import SELECTS

metadata = MetaData()

JSON_TEXT: TypeEngine[Any] = Text().with_variant(JSONB(), "postgresql")
_TYPES: dict[str, TypeEngine[Any]] = {"TEXT": Text(), "INTEGER": BigInteger(), "REAL": Float(53)}
_KEYS = {"sessions": (), "tags": ("tag",), "events": ("id",), "commits": ("commit_id",), "agents": ("agent_id",)}
_OF_EVENT = ("messages", "tools", "snapshots", "usage")

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("copied_at", Text, nullable=False),
)


def _kind(table: schema.Table, column: str) -> TypeEngine[Any]:
    if column == "data":
        return JSON_TEXT
    if column == "event":
        return Text()
    return next(_TYPES[c.type.partition(" ")[0]] for c in table.columns if c.name == column)


def _nullable(table: schema.Table, column: str) -> bool:
    return any(c.name == column and "NOT NULL" not in c.type for c in table.columns) and column not in ("event", "id")


def _table(table: schema.Table) -> Table:
    name = table.name
    keys = ("event",) if name in _OF_EVENT else _KEYS.get(name)
    owner: Column[int] = Column(
        "repository", ForeignKey("repositories.id"), primary_key=keys is not None, nullable=False
    )
    session: Column[str] = Column("session", Text, primary_key=keys is not None, nullable=False)
    columns = [
        Column(n, _kind(table, n), primary_key=n in (keys or ()), nullable=_nullable(table, n))
        for n in SELECTS[name][0]
    ]
    if name == "sessions":
        columns += [Column("clone", Text, nullable=False), Column("version", Text, nullable=False)]
    return Table(name, metadata, owner, session, *columns)


tables = {t.name: _table(t) for t in schema.TABLES if t.name in SELECTS}

Index("files_session", tables["files"].c.repository, tables["files"].c.session)
Index("commits_commit", tables["commits"].c.commit_id)
Index("files_path", tables["files"].c.path, postgresql_using="hash")
Index("tools_name", tables["tools"].c.name, postgresql_using="hash")
Index("events_kind", tables["events"].c.kind)
Index("sessions_started", tables["sessions"].c.started_at)
