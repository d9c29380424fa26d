"""A copy as Parquet: a folder a table, a file a repository in each, for DuckDB, pandas, Spark and their kin.

A file cannot be changed in place, so it is written anew when anything of its repository has changed; one that is up to
date, by the digest it carries, is left alone.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from git_agent_session.extras import lacking
from git_agent_session.index import schema
from git_agent_session.sql import selects
from git_agent_session.sql.target import Copied, Identity, Place, unwritable

if TYPE_CHECKING:
    from git_agent_session.index.derived import Index

ROWS = 50_000
_STATE = b"git-agent-session"
_LINES = {t.name: t for t in schema.TABLES}


def copy(index: Index, place: Place, who: Identity, *, reset: bool) -> Copied:
    """Write the files of this repository where they differ; with `reset`, delete those of all others first."""
    try:
        import pyarrow  # noqa: F401
        import pyarrow.parquet as pq
    except ImportError as e:
        raise lacking("pyarrow", "parquet") from e
    name = hashlib.sha256(who.name.encode()).hexdigest()[:16] + ".parquet"
    try:
        with index.connection() as db:
            db.execute("BEGIN")
            here = {i: version for i, (version, _) in selects.versions(db).items()}
            state = hashlib.sha256(repr(sorted(here.items())).encode()).hexdigest().encode()
            if reset:
                _reset(place.where)
            known, there = _known(pq, os.path.join(place.where, "sessions", name))
            if known != state:
                # the sessions last: their file says that all are written
                for table in sorted(selects.SELECTS, key=lambda t: t == "sessions"):
                    _write(pq, db, os.path.join(place.where, table, name), table, who, state)
    except OSError as e:
        raise unwritable(place.where, e) from e
    written = 0 if known == state else len(here)
    return Copied(str(place), who.name, written, len(there - here.keys()), len(here))


def _known(pq: Any, path: str) -> tuple[bytes, set[str]]:
    """The state that a file was made from, and its sessions; nothing for one that is not there or is damaged."""
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.schema_arrow.metadata or {}
            return metadata.get(_STATE, b""), set(file.read(["session"])["session"].to_pylist())
    except (OSError, ValueError, KeyError):
        return b"", set()


def _reset(folder: str) -> None:
    for table in selects.SELECTS:
        place = os.path.join(folder, table)
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if name.endswith(".parquet"):
                os.unlink(os.path.join(place, name))


def _write(pq: Any, db: sqlite3.Connection, path: str, table: str, who: Identity, state: bytes) -> None:
    import pyarrow as pa

    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    fields = [pa.field("repository", pa.string()), pa.field("session", pa.string())]
    fields += [pa.field(c, _type(pa, table, c)) for c in selects.SELECTS[table][0]]
    form = pa.schema(fields, metadata={_STATE: state})
    aside = f"{path}.{os.getpid()}"
    try:
        with pq.ParquetWriter(aside, form, compression="zstd") as writer:
            for rows in _parts(db, table, who):
                columns = [
                    pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), form, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=form))
        os.chmod(aside, 0o600)
        os.replace(aside, path)
    except BaseException:
        if os.path.exists(aside):
            os.unlink(aside)
        raise


def _type(pa: Any, table: str, column: str) -> Any:
    known = {c.name: c.type.partition(" ")[0] for c in _LINES[table].columns}
    if column == "event":
        return pa.string()
    return {"TEXT": pa.string(), "INTEGER": pa.int64(), "REAL": pa.float64()}[known[column]]


def _parts(db: sqlite3.Connection, table: str, who: Identity) -> Iterator[list[tuple[Any, ...]]]:
    texts = [_LINES[table].name == "messages"] * len(selects.SELECTS[table][0])
    part: list[tuple[Any, ...]] = []
    for (session_id,) in db.execute("SELECT id FROM sessions ORDER BY started_at, id").fetchall():
        for row in selects.rows(db, table, session_id):
            # a view gives what the JSON has
            told = (str(v) if t else v for t, v in zip(texts, row, strict=True))
            part.append((who.name, session_id, *told))
        if len(part) >= ROWS:
            yield part
            part = []
    if part:
        yield part
