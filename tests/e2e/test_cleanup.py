"""`cleanup`: sessions in which nothing has happened for long are closed, and where asked deleted."""

from __future__ import annotations

import time

import pytest

import git_agent_session
from git_agent_session import journal, live
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import timestamp
from git_agent_session.model import Event
from git_agent_session.store import archive, sweep
from git_agent_session.store import drain as draining
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.test_archive import ended
from tests.harness import Repo

HOUR_NS = 3600 * 1_000_000_000


def waiting(repo: Repo, name: str, *, hours: float) -> str:
    """An open session whose last event was so many hours ago."""
    store = git_agent_session.open(str(repo.path))
    at = timestamp(time.time_ns() - int(hours * HOUR_NS))
    session_id = f"{name * 8}-0000-4000-8000-000000000000"
    journal.append(store.shared, session_id, [Event("start", at, "start", {"goal": name})])
    draining.drain(store.repo, session_id)
    live.set_open(store.shared, session_id, "codex")
    return session_id


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("root")
    return Cli(repo)


def read(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def test_open_sessions_without_an_event_for_so_long_are_closed_as_abandoned(repo: Repo, cli: Cli) -> None:
    old, young = waiting(repo, "a", hours=30), waiting(repo, "b", hours=20)
    assert "Closed session aaaaaaaa (a), last event" in cli("cleanup", "--days", "1").out
    closed = read(repo).get(old)
    assert closed.status == "abandoned" and closed.message.startswith("no event since 20")
    assert not live.is_open(read(repo).shared, old)
    assert read(repo).get(young).status == "active"


def test_events_that_wait_count(repo: Repo, cli: Cli) -> None:
    session_id = waiting(repo, "a", hours=30)
    read(repo).log(session_id, "note", "still here")
    assert cli("cleanup", "--hours", "1").err == "no session has waited that long\n"
    assert read(repo).get(session_id).status == "active"


def test_paused_sessions_are_closed_unless_only_others_are_asked_for(repo: Repo, cli: Cli) -> None:
    session_id = waiting(repo, "a", hours=30)
    cli("pause", session_id)
    assert cli("cleanup", "--hours", "0", "--status", "active", "--json").json == []
    assert [row["session"] for row in cli("cleanup", "--hours", "0", "--status", "paused", "--json").json] == [
        session_id
    ]


def test_a_dry_run_names_them_and_changes_nothing(repo: Repo, cli: Cli) -> None:
    waiting(repo, "a", hours=30)
    ended(repo, "old")
    before = repo.git("for-each-ref")
    said = cli("cleanup", "--days", "1", "--delete", "--dry-run").out
    assert "Would close session aaaaaaaa" in said and "Would delete session" in said
    assert repo.git("for-each-ref") == before


def test_sessions_that_have_ended_stay_without_delete(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "old")
    cli("cleanup", "--days", "1")
    assert read(repo).get(session_id).status == "completed"


def test_with_delete_old_ended_sessions_go_archived_or_not(repo: Repo, cli: Cli) -> None:
    gone = [ended(repo, "a", days=200), ended(repo, "b", days=100)]
    archive.run(read(repo), older_than=150)
    kept = ended(repo, "c", days=10)
    rows = cli("cleanup", "--days", "30", "--delete", "--yes", "--json").json
    assert [(row["session"], row["action"]) for row in rows] == [(i, "deleted") for i in gone]
    assert [s.id for s in read(repo).list()] == [kept]
    assert repo.lines("for-each-ref", "--format=%(refname)", SESSIONS) == [SESSIONS + kept]


def test_nothing_is_deleted_without_a_word(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    assert "add --yes" in cli.fails("cleanup", "--days", "1", "--delete", code=2)
    assert "nothing was done" in cli("cleanup", "--days", "1", "--delete", input=b"n\n", tty=True).err
    assert read(repo).get(session_id)


def test_a_session_that_goes_on_meanwhile_is_left_alone(repo: Repo, cli: Cli) -> None:
    session_id = waiting(repo, "a", hours=30)
    store = read(repo)
    chosen = sweep.due(store, hours=1)
    read(repo).log(session_id, "note", "just now")
    assert sweep.sweep(store, chosen) == ([], [])
    assert read(repo).get(session_id).status == "active"


def test_how_long_must_be_said_once(repo: Repo, cli: Cli) -> None:
    for args in (["--delete"], ["--hours", "1", "--days", "1"]):
        assert "give --hours N or --days N" in cli.fails("cleanup", *args, code=2)
    assert "is no status" in cli.fails("cleanup", "--hours", "1", "--status", "asleep", code=2)
