"""Copies in SQLite, PostgreSQL and Parquet: what they hold, that they keep up, and that nothing stops them halfway."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import codec, index, sql
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.index.derived import Index
from git_agent_session.model import Event, fold
from git_agent_session.sql.target import Copied
from git_agent_session.store.store import Store
from tests import postgres
from tests.e2e.cli import Cli
from tests.e2e.test_index import AT, ID, hostile, table, worked
from tests.harness import ROOT, Repo

pytestmark = pytest.mark.sql
KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    bin = postgres.programs()
    if bin is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.running(bin) as found:
        yield found


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'copy.db'}"
    server: postgres.Server = request.getfixturevalue("server")
    return server.database()


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def found(store: Store) -> Index:
    return index.open(store)


def ask(place: str, query: str) -> list[tuple[Any, ...]]:
    """What a database gives, asked by a client of its own."""
    if place.startswith("sqlite:"):
        db = sqlite3.connect(place.removeprefix("sqlite:"))
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()
    import psycopg

    with psycopg.connect(place) as connection:
        return list(connection.execute(query.encode()).fetchall())


def copied(found: Index, place: str, **more: Any) -> Copied:
    found.refresh()
    return sql.copy(found, place, **more)


def agrees(found: Index, place: str, name: str) -> None:
    """Check that a database has of a repository what the index has."""
    own = f"JOIN repositories r ON r.id = t.repository WHERE r.name = '{name}'"
    events = found.query("SELECT session, id, at, kind, clock, waits FROM events ORDER BY 1, 2")
    there = ask(place, f"SELECT session, t.id, at, kind, clock, waits FROM events t {own}")
    assert sorted(there) == events
    for counted in ("tags", "tools", "files", "commits", "agents", "snapshots", "usage", "messages"):
        (number,) = ask(place, f"SELECT count(*) FROM {counted} t {own}")[0]
        assert number == found.query(f"SELECT count(*) FROM {counted}")[0][0], counted
    states = ask(place, f"SELECT session, data FROM sessions t {own}")
    plain = {i: json.loads(data) if isinstance(data, str) else data for i, data in states}
    assert plain == {s.id: s.doc for s in found.sessions()}


def test_a_copy_holds_what_the_index_holds(store: Store, found: Index, place: str) -> None:
    worked(store)
    store.end(worked(store, goal="Second"))
    done = copied(found, place, name="one")
    assert (done.repository, done.written, done.deleted, done.sessions) == ("one", 2, 0, 2)
    agrees(found, place, "one")


def test_a_copy_writes_only_what_changed(store: Store, found: Index, place: str) -> None:
    first, second = worked(store), worked(store, goal="Second")
    copied(found, place, name="one")
    assert copied(found, place, name="one").written == 0
    store.append(first, "message", {"role": "user", "text": "More"})
    assert copied(found, place, name="one").written == 1
    store.drain(second)
    assert copied(found, place, name="one").written == 1
    agrees(found, place, "one")


def test_what_is_deleted_here_is_deleted_there(store: Store, found: Index, place: str) -> None:
    gone, kept = worked(store), worked(store)
    copied(found, place, name="one")
    store.delete(gone)
    done = copied(found, place, name="one")
    assert (done.written, done.deleted, done.sessions) == (0, 1, 1)
    assert ask(place, "SELECT DISTINCT session FROM events") == [(kept,)]
    agrees(found, place, "one")


def test_many_repositories_share_a_database(store: Store, found: Index, place: str, tmp_path: Path) -> None:
    worked(store)
    other = Repo.init(tmp_path / "other")
    other.commit("x")
    elsewhere = index.open(git_agent_session.open(str(other.path)))
    assert isinstance(elsewhere.store, Store)
    worked(elsewhere.store)
    copied(found, place, name="one")
    copied(elsewhere, place, name="two")
    agrees(found, place, "one")
    agrees(elsewhere, place, "two")
    assert sorted(ask(place, "SELECT name FROM repositories")) == [("one",), ("two",)]


def test_a_clone_deletes_only_what_it_has_brought(
    repo: Repo, store: Store, found: Index, place: str, tmp_path: Path
) -> None:
    worked(store)
    clone = Repo(tmp_path / "clone")
    repo.git("clone", "-q", str(repo.path), str(clone.path))
    second = git_agent_session.open(str(clone.path))
    worked(second)
    repo.git("remote", "add", "origin", str(repo.path))
    mine, theirs = copied(found, place), copied(index.open(second), place)
    assert mine.repository == theirs.repository
    assert theirs.deleted == 0 and copied(found, place).deleted == 0
    assert ask(place, "SELECT count(*) FROM sessions") == [(2,)]


def test_an_older_clone_overwrites_nothing(repo: Repo, store: Store, found: Index, place: str, tmp_path: Path) -> None:
    session = worked(store)
    store.drain(session)
    shutil.copytree(repo.path, tmp_path / "copy")
    older = index.open(git_agent_session.open(str(tmp_path / "copy")))
    copied(older, place, name="one")
    store.append(session, "message", {"role": "user", "text": "Later"})
    copied(found, place, name="one")
    assert copied(older, place, name="one").written == 0
    agrees(found, place, "one")


def test_reset_leaves_this_repository_alone(store: Store, found: Index, place: str) -> None:
    worked(store)
    copied(found, place, name="one")
    copied(found, place, name="renamed", reset=True)
    assert ask(place, "SELECT name FROM repositories") == [("renamed",)]
    agrees(found, place, "renamed")


def test_migrations_go_up_and_down(store: Store, found: Index, place: str) -> None:
    worked(store)
    copied(found, place)
    assert sql.migrate(place, "-1", up=False) == "0001"
    assert ask(place, "SELECT count(*) FROM sessions") == [(1,)]
    assert sql.migrate(place, "base", up=False) == ""
    with pytest.raises(Exception, match="sessions"):
        ask(place, "SELECT count(*) FROM sessions")
    assert sql.migrate(place, "head", up=True) == "0002"
    assert copied(found, place).written == 1


def test_the_migrations_make_the_tables_that_are_written(place: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from git_agent_session.sql import database, tables
    from git_agent_session.sql.target import Place

    with database.opened(Place.parse(place)) as engine:
        database.upgrade(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": database.LEDGER, "compare_type": True}
            )
            assert compare_metadata(context, tables.metadata) == []


@pytest.mark.parametrize("revision", ["nonsense", "-9", "0001:0002"])
def test_a_revision_that_is_none_is_refused(place: str, revision: str) -> None:
    sql.migrate(place, "head", up=True)
    with pytest.raises(UsageError):
        sql.migrate(place, revision, up=False)


def test_what_a_hostile_session_holds_is_stored(store: Store, found: Index, place: str) -> None:
    big = "x" * 5_000_000
    text = b"".join(
        [
            table("message", role="[[1]]", text='"nul \\u0000 \\U0010FFFF"'),
            table("tool", name=f'"{"n" * 5000}"', paths=f'["{"p" * 5000}", "é\\u0000"]', duration_ms="inf"),
            table("decision", text=f'"{big}"'),
            table("usage", model=f'"{"m" * 5000}"', input_tokens="9223372036854775807"),
            table("agent", agent_id=f'"{"a" * 5000}"', action='"start"'),
        ]
    )
    hostile(store, ID, text)
    other = ID.replace("3f", "4f")
    doc = fold(other, [Event("s", AT, "start", {"goal": "nul \0 goal", "tags": ["t\0", "é" * 200]}, 1)]).doc
    files = {"session.toml": codec.dumps(doc), "events.toml": b""}
    store.repo.swap(SESSIONS + other, store.repo.write_batch(files, [], "x"), None, "x")
    assert copied(found, place, name="it's; DROP TABLE sessions").written == 2
    assert ask(place, "SELECT count(*) FROM events") == [(5,)]
    assert ask(place, f"SELECT goal FROM sessions WHERE session = '{other}'") == [("nul  goal",)]


_COPY = (
    "import sys, git_agent_session\nfrom git_agent_session import index, sql\n"
    "from git_agent_session.sql import replicate\n"
    "replicate.CHUNK = 1\nfound = index.open(git_agent_session.open(sys.argv[1]))\n"
    "sql.copy(found, sys.argv[2], name='one', progress=lambda done, all: print(done, flush=True))\n"
)


def test_a_copy_that_was_killed_is_completed_by_the_next(repo: Repo, store: Store, found: Index, place: str) -> None:
    for n in range(8):
        worked(store, goal=f"Goal {n}")
    found.refresh()
    for chunks in (1, 3):
        child = subprocess.Popen([sys.executable, "-c", _COPY, str(repo.path), place], stdout=subprocess.PIPE)
        assert child.stdout is not None
        # so many sessions are there, and others are not
        for _ in range(chunks):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    done = copied(found, place, name="one")
    assert 0 < done.written <= 4
    assert done.sessions == 8
    agrees(found, place, "one")


def test_two_copies_at_once_agree(repo: Repo, store: Store, found: Index, place: str) -> None:
    for n in range(6):
        worked(store, goal=f"Goal {n}")
    found.refresh()
    argv = [sys.executable, "-c", _COPY, str(repo.path), place]
    children = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(2)]
    for child in children:
        child.communicate(timeout=60)
    assert [c.returncode for c in children] == [0, 0]
    agrees(found, place, "one")


def test_a_copy_in_sqlite_is_for_its_owner_alone(store: Store, found: Index, tmp_path: Path) -> None:
    worked(store)
    copied(found, f"sqlite:{tmp_path / 'copy.db'}")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


def test_the_index_is_no_place_for_a_copy(store: Store, found: Index) -> None:
    worked(store)
    with pytest.raises(UsageError, match="index itself"):
        copied(found, f"sqlite:{found.path}")


def test_no_password_is_printed(repo: Repo, store: Store, server: postgres.Server) -> None:
    worked(store)
    cli = Cli(repo)
    for url in (
        server.url("nowhere", password="hunter2"),
        f"postgresql://x:hunter2@127.0.0.1:1/x?password=hunter2&host={server.folder}/none",
        "postgresql://x:hunter2@[broken/x",
        "postgresql:x:hunter2",
        f"{server.url(password='hunter2')}&nonsense=hunter2",
    ):
        done = cli("export", "--to", url, code=None)
        assert done.code in (1, 2) and "hunter2" not in done.out + done.err, done
        assert done.err.count("\n") == 1, done.err
    done = cli("export", "--to", server.url(password="hunter2"), "--json")
    assert done.json["written"] == 1 and "hunter2" not in done.out + done.err


def test_the_command_copies_and_migrates(repo: Repo, store: Store, tmp_path: Path) -> None:
    worked(store)
    cli = Cli(repo)
    to = f"sqlite:{tmp_path / 'copy.db'}"
    assert cli("export", "--to", to, "--as", "site").out == f"{to}: 1 session of site written, 0 deleted, 1 there\n"
    assert cli("export", "--to", to, "--downgrade", "-1").out == "0001\n"
    assert cli("export", "--to", to, "--upgrade", "--json").json == {"revision": "0002"}
    told = cli("export", "--to", to, "--as", "other", "--reset", "--json").json
    assert told == {"to": to, "repository": "other", "written": 1, "deleted": 0, "sessions": 1}


@pytest.mark.parametrize("asked", ["", "--upgrade", "--reset", "--downgrade=base"])
def test_a_copy_by_a_newer_version_is_left_as_it_is(repo: Repo, store: Store, tmp_path: Path, asked: str) -> None:
    worked(store)
    to = f"sqlite:{tmp_path / 'copy.db'}"
    Cli(repo)("export", "--to", to)
    with sqlite3.connect(tmp_path / "copy.db") as db:
        db.execute("UPDATE agent_session_version SET version_num = '9999'")
    db.close()
    err = Cli(repo).fails("export", "--to", to, *filter(None, [asked]), code=1)
    assert "is at migration '9999', which this version does not have" in err
    assert ask(to, "SELECT count(*) FROM sessions") == [(1,)]


def test_a_database_that_is_none_is_said_in_a_line(repo: Repo, store: Store, tmp_path: Path) -> None:
    worked(store)
    (tmp_path / "copy.db").write_bytes(b"garbage" * 1000)
    done = Cli(repo)("export", "--to", f"sqlite:{tmp_path / 'copy.db'}", code=1)
    assert "file is not a database" in done.err and done.err.count("\n") == 1


# -- Parquet


def test_parquet_holds_what_the_index_holds(store: Store, found: Index, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    worked(store)
    to = f"parquet:{tmp_path / 'copy'}"
    assert copied(found, to, name="one").written == 1
    assert copied(found, to, name="one").written == 0
    gone = worked(store, goal="Second")
    assert copied(found, to, name="one").written == 2
    store.delete(gone)
    assert copied(found, to, name="one").deleted == 1
    copied(found, to, name="two")
    rows = pq.read_table(tmp_path / "copy" / "events").to_pylist()
    for name in ("one", "two"):
        mine = [(r["session"], r["id"], r["data"]) for r in rows if r["repository"] == name]
        assert sorted(mine) == found.query("SELECT session, id, data FROM events ORDER BY 1, 2")
    copied(found, to, name="three", reset=True)
    assert pq.read_table(tmp_path / "copy" / "sessions")["repository"].to_pylist() == ["three"]


def test_parquet_takes_what_a_hostile_session_holds(store: Store, found: Index, tmp_path: Path) -> None:
    hostile(store, ID, table("message", role="[[1]]", text="7") + table("usage", input_tokens="9223372036854775807"))
    assert copied(found, f"parquet:{tmp_path / 'copy'}").written == 1


def test_a_damaged_parquet_file_is_written_anew(store: Store, found: Index, tmp_path: Path) -> None:
    worked(store)
    to = f"parquet:{tmp_path / 'copy'}"
    copied(found, to)
    (file,) = (tmp_path / "copy" / "sessions").iterdir()
    file.write_bytes(b"PAR1")
    assert copied(found, to).written == 1


def test_a_place_that_cannot_be_written_is_said(store: Store, found: Index, tmp_path: Path) -> None:
    worked(store)
    (tmp_path / "file").write_text("")
    for to in ("parquet", "jsonl", "sqlite"):
        with pytest.raises(AgentSessionError, match="cannot write"):
            copied(found, f"{to}:{tmp_path / 'file' / 'below'}")


def test_the_queries_of_the_document_run(store: Store, found: Index, place: str) -> None:
    worked(store)
    copied(found, place, name="one")
    queries = re.findall(r"```sql copy\n(.*?)```", (ROOT / "docs/sql.md").read_text(encoding="utf-8"), re.S)
    assert len(queries) == 2
    assert all(ask(place, query.strip().rstrip(";")) for query in queries)
