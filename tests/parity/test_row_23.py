"""Row 23: tool invocations belong to a session, with name and duration, and are found both ways."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import index
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

TOOLS = ("git_tool", "log_analysis", "knowledge_indexer")


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    return git_agent_session.open(str(repo.path))


def investigate(store: Store) -> str:
    """The workflow with several tools of text 003."""
    session = store.start(goal="Investigate production issue", tags=["production", "urgent"]).id
    for n, name in enumerate(TOOLS):
        store.append(session, "tool", {"name": name, "duration_ms": 100 + n}, id=f"inv_{name}")
        store.append(session, "message", {"role": "tool", "text": "Analysis complete", "name": name})
    return session


def test_row_23_from_a_session_to_its_tools(store: Store) -> None:
    session = investigate(store)
    summary = store.summary(session)
    assert dict(summary.tools) == dict.fromkeys(TOOLS, 1)
    found = index.open(store)
    found.refresh()
    rows = found.query("SELECT name, duration_ms FROM tools WHERE session = ? ORDER BY event", (session,))
    assert rows == [("git_tool", 100.0), ("log_analysis", 101.0), ("knowledge_indexer", 102.0)]


def test_row_23_from_a_tool_to_its_sessions(store: Store) -> None:
    first, second = investigate(store), investigate(store)
    store.start(goal="Without tools")
    found = index.open(store)
    found.refresh()
    rows = found.query("SELECT session FROM tools WHERE name = ? ORDER BY session", ("log_analysis",))
    assert rows == sorted([(first,), (second,)])
    (invocation,) = found.query("SELECT session FROM events WHERE id = 'inv_git_tool' AND session = ?", (second,))
    assert invocation == (second,)


def test_row_23_by_command(repo: Repo, store: Store) -> None:
    session = investigate(store)
    cli = Cli(repo)
    told = cli("history", session, "--type", "tool", "--json").json
    assert [(e["name"], e["duration_ms"]) for e in told] == [(n, 100 + k) for k, n in enumerate(TOOLS)]
    assert cli("index", "--json").json["events"] == 7
