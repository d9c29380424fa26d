"""Row 30: SQL to query it all, a database for where there is much, migrations up and down, reset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import git_agent_session
from git_agent_session import index, sql
from git_agent_session.store.store import Store
from tests import postgres
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    return git_agent_session.open(str(repo.path))


def auth_feature(store: Store) -> str:
    """The create, agent, log example of text 004."""
    session = store.start(title="Add authentication", type="full", meta={"slug": "auth-feature"}).id
    agent = {"agent_id": "spec-1", "type": "spec", "model": "large", "alias": "medium", "native_id": "sess_abc123"}
    store.append(session, "agent", {"action": "start", **agent})
    store.append(session, "tool", {"name": "Read", "paths": ["src/auth.py"], "agent": "spec-1", "category": "hook"})
    store.usage(session, cost_usd=0.5)
    return session


def test_row_30_sql_to_query_it_all(store: Store) -> None:
    session = auth_feature(store)
    found = index.open(store)
    found.refresh()
    assert found.query("SELECT id, title, type, cost_usd FROM sessions") == [
        (session, "Add authentication", "full", 0.5)
    ]
    assert found.query("SELECT agent_id, type, native_id, status FROM agents") == [
        ("spec-1", "spec", "sess_abc123", "executing")
    ]
    query = "SELECT t.name, f.path, json_extract(e.data, '$.category') FROM tools t JOIN events e ON e.key = t.event"
    assert found.query(f"{query} JOIN files f ON f.event = t.event") == [("Read", "src/auth.py", "hook")]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    bin = postgres.programs()
    if bin is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.running(bin) as found:
        yield found


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(url) as connection:
        return list(connection.execute(query.encode()).fetchall())


@pytest.mark.sql
def test_row_30_in_postgresql(repo: Repo, store: Store, server: postgres.Server) -> None:
    session = auth_feature(store)
    url = server.database()
    told = Cli(repo)("export", "--to", url, "--as", "lai", "--json").json
    assert (told["repository"], told["written"]) == ("lai", 1)
    query = "SELECT s.session, a.native_id, t.name, e.data ->> 'category' FROM sessions s"
    joined = "JOIN agents a USING (repository, session) JOIN tools t USING (repository, session)"
    event = "JOIN events e ON e.repository = t.repository AND e.session = t.session AND e.id = t.event"
    assert ask(url, f"{query} {joined} {event}") == [(session, "sess_abc123", "Read", "hook")]
    data = ask(url, "SELECT data FROM sessions")[0][0]
    assert data == store.get(session).to_dict(), json.dumps(data)


@pytest.mark.sql
def test_row_30_migrations_and_reset(repo: Repo, store: Store, server: postgres.Server) -> None:
    auth_feature(store)
    url = server.database()
    found = index.open(store)
    found.refresh()
    assert sql.migrate(url, "head", up=True) == "0002"
    assert sql.migrate(url, "-1", up=False) == "0001"
    assert sql.migrate(url, "+1", up=True) == "0002"
    sql.copy(found, url, name="one")
    Cli(repo)("export", "--to", url, "--as", "two", "--reset")
    assert ask(
        url, "SELECT r.name, count(*) FROM repositories r JOIN sessions s ON s.repository = r.id GROUP BY 1"
    ) == [("two", 1)]
