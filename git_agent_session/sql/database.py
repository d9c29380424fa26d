"""A shared database: connecting to it, and its migrations up and down.

One transaction for a whole migration: SQLite and PostgreSQL both take back the making of tables. No error that is
raised here repeats a password.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.extras import lacking
from git_agent_session.sql.target import Place, shown, unwritable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

# the table in which Alembic keeps the revision; a database may hold somebody else's `alembic_version`
LEDGER = "agent_session_version"
# a number of our own, for the lock under which one process migrates
_LOCK = 0x6A9F7F2E5B1C
BUSY_SECONDS = 30


@contextlib.contextmanager
def opened(place: Place) -> Iterator[Engine]:
    """An engine for the database at `place`. Raises AgentSessionError for what is missing, and for what goes wrong."""
    try:
        import alembic  # noqa: F401
        import sqlalchemy
    except ImportError as e:
        raise lacking("SQLAlchemy or Alembic", "sql") from e
    try:
        engine = _engine(place)
        try:
            yield engine
        finally:
            engine.dispose()
    except sqlalchemy.exc.SQLAlchemyError as e:
        raise AgentSessionError(f"the database {place}: {_said(e)}", hint="see docs/sql.md") from e


def _said(error: Exception) -> str:
    """What a database said, as one line without a statement's values."""
    cause = getattr(error, "orig", None) or error
    return shown(" ".join(str(cause).split()))


def _engine(place: Place) -> Engine:
    import sqlalchemy

    if place.kind == "sqlite":
        return _sqlite_engine(place.where)
    try:
        import psycopg  # noqa: F401
    except ImportError as e:
        raise lacking("psycopg", "sql") from e
    try:
        url = sqlalchemy.make_url(place.where).set(drivername="postgresql+psycopg")
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # what it says may repeat the URL
        raise UsageError("the database's URL cannot be read", hint="postgresql://user@host:5432/database") from None
    # the index has its JSON as text already
    return sqlalchemy.create_engine(url, json_serializer=str, connect_args={"application_name": "git-agent-session"})


def _sqlite_engine(path: str) -> Engine:
    import sqlalchemy

    try:
        # sessions of a private repository are for its owner's eyes alone
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as e:
        raise unwritable(path, e) from e
    url = sqlalchemy.URL.create("sqlite", database=path)
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @sqlalchemy.event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        # Python's own transactions leave out the making of tables
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def revision(engine: Engine) -> str:
    """The revision that a database is at, "" before the first."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        found = MigrationContext.configure(connection, opts={"version_table": LEDGER}).get_current_revision()
    return found or ""


def upgrade(engine: Engine, to: str = "head") -> str:
    """Run the migrations up to a revision; returns the one that the database is at then."""
    from alembic import command

    return _migrate(engine, lambda config: command.upgrade(config, to))


def downgrade(engine: Engine, to: str) -> str:
    """Take migrations back down to a revision, `-1` for the last one, `base` for all, with what their tables hold."""
    from alembic import command

    return _migrate(engine, lambda config: command.downgrade(config, to))


def reset(engine: Engine) -> str:
    """Delete all that the database has of us, and make the tables anew."""

    def both(config: Config) -> None:
        from alembic import command

        command.downgrade(config, "base")
        command.upgrade(config, "head")

    return _migrate(engine, both)


def _migrate(engine: Engine, change: Callable[[Config], None]) -> str:
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # a percent sign is the start of a reference there
    place = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", place)
    config.set_main_option("path_separator", "newline")
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            change(config)
    except CommandError as e:
        known = revision(engine)
        if known and f"Can't locate revision identified by {known!r}" in str(e):
            raise AgentSessionError(
                f"the database is at migration {shown(known)!r}, which this version does not have",
                hint="copy with the newer version that made it, or to another place",
            ) from e
        raise UsageError(f"no such migration: {shown(str(e))}", hint="use a revision, head, base, +1 or -1") from e
    return revision(engine)
