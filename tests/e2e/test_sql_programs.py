"""Programs that are not ours on the index and on a copy: DuckDB and Datasette, as docs/sql.md says to call them."""

from __future__ import annotations

import importlib
import json
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import index, sql
from git_agent_session.index.schema import TABLES
from git_agent_session.store.store import Store
from tests.e2e.test_index import worked
from tests.harness import Repo

pytestmark = pytest.mark.sql


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    store = git_agent_session.open(str(repo.path))
    session = worked(store)
    store.metric(session, "seconds", 1.5)
    store.tag(session, add=["api"])
    return store


@pytest.fixture(params=["index", "copy"])
def file(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Path:
    """The index, or what `export --to sqlite:` makes of it."""
    found = index.open(store)
    found.refresh()
    if request.param == "index":
        return Path(found.path)
    sql.copy(found, f"sqlite:{tmp_path / 'copy.db'}")
    return tmp_path / "copy.db"


def tables(file: Path) -> list[str]:
    with sqlite3.connect(file) as db:
        found = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    return [t.name for t in TABLES if t.name in found]


@pytest.fixture
def duck(file: Path) -> Any:
    """DuckDB with the file attached as `s`; its reader of SQLite comes from PyPI, not from its own site."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_extension_sqlite_scanner")
    importlib.import_module("duckdb_extensions").import_extension("sqlite_scanner")
    db = duckdb.connect()
    db.execute("LOAD sqlite")
    db.execute(f"ATTACH '{file}' AS s (TYPE sqlite)")
    return db


def test_duckdb_reads_every_table_and_view(duck: Any, file: Path) -> None:
    names = tables(file)
    assert {"sessions", "events", "commits", "tools", "agents", "snapshots", "usage", "tags"} <= set(names)
    with sqlite3.connect(file) as db:
        for name in names:
            (count,) = db.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert duck.execute(f"SELECT count(*) FROM s.{name}").fetchall() == [(count,)]
            assert len(duck.execute(f"SELECT * FROM s.{name}").fetchall()) == count


QUERIES = {
    "messages": "SELECT role, text FROM {}messages ORDER BY 2, 1",
    "metrics": "SELECT name, value FROM {}metrics",
    "texts": "SELECT text FROM {}texts ORDER BY 1",
}


def test_duckdb_reads_texts_and_numbers_as_sqlite_does(duck: Any, file: Path) -> None:
    there = QUERIES.keys() & set(tables(file))
    assert "messages" in there
    with sqlite3.connect(file) as db:
        for name in there:
            found = duck.execute(QUERIES[name].format("s.")).fetchall()
            assert found == db.execute(QUERIES[name].format("")).fetchall() != []


@pytest.fixture
def datasette(file: Path) -> Iterator[str]:
    pytest.importorskip("datasette")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "datasette", "-p", str(port), str(file)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/{file.stem}"
    finally:
        process.terminate()
        process.wait()


def asked(url: str) -> Any:
    """The JSON at `url`, once its server has begun to answer."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers at {url}"
            time.sleep(0.1)


def test_datasette_shows_every_table_and_view(datasette: str, file: Path, store: Store) -> None:
    (session,) = store.list()
    (row,) = asked(f"{datasette}/sessions.json?_shape=array")
    assert session.id in row.values()
    with sqlite3.connect(file) as db:
        for name in tables(file):
            (count,) = db.execute(f"SELECT count(*) FROM {name}").fetchone()
            assert len(asked(f"{datasette}/{name}.json?_shape=array")) == count
