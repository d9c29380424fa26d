"""Row 25: sessions by user, status, tags and limit; what a session used and how long; delete; cleanup by days."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import Filter, index
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    return git_agent_session.open(str(repo.path))


def several(store: Store) -> dict[str, str]:
    """Sessions of two users, one of them done, by a word for each."""
    found = {
        "urgent": store.start(goal="Login fails", user="user123", tags=["bug-fix", "urgent"]).id,
        "bug": store.start(goal="Typo", user="user123", tags=["bug-fix"]).id,
        "feature": store.start(goal="Search", user="user456").id,
    }
    store.end(found["bug"])
    return found


def test_row_25_queries_by_the_index_and_by_list(store: Store) -> None:
    ids = several(store)
    found = index.open(store)
    found.refresh()
    asked = {
        Filter(status=("active",)): {"urgent", "feature"},
        Filter(user="user123"): {"urgent", "bug"},
        Filter(tags=("bug-fix",)): {"urgent", "bug"},
        Filter(tags=("bug-fix", "urgent"), status=("active",)): {"urgent"},
    }
    for where, expected in asked.items():
        assert {s.id for s in found.sessions(where, limit=10)} == {ids[name] for name in expected}
        assert found.sessions(where, limit=10) == store.list(where, limit=10)
    assert len(found.sessions(limit=2)) == 2


def test_row_25_statistics_of_a_session(store: Store) -> None:
    session = several(store)["urgent"]
    for name, took in (("git_tool", 150.5), ("log_analysis", 100), ("git_tool", 49.5)):
        store.append(session, "tool", {"name": name, "duration_ms": took})
    found = index.open(store)
    found.refresh()
    query = "SELECT count(*), count(DISTINCT name), sum(duration_ms) FROM tools WHERE session = ?"
    assert found.query(query, (session,)) == [(3, 2, 300.0)]


def test_row_25_deleted_sessions_are_gone_everywhere(store: Store) -> None:
    ids = several(store)
    found = index.open(store)
    found.refresh()
    store.delete(ids["bug"])
    found.refresh()
    assert {s.id for s in found.sessions()} == {ids["urgent"], ids["feature"]}
    assert found.search("Typo") == []


def test_row_25_by_command(repo: Repo, store: Store) -> None:
    ids = several(store)
    cli = Cli(repo)
    told = cli("list", "--tag", "bug-fix", "--tag", "urgent", "--status", "active", "-n", "10", "--json").json
    assert [s["id"] for s in told] == [ids["urgent"]]
    cli("delete", ids["bug"], "--yes")
    assert len(cli("list", "--user", "user123", "--json").json) == 1
