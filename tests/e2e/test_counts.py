"""Work that may take long says how far it is: how many are done, and how many there are."""

from __future__ import annotations

import os

import pytest

import git_agent_session
from git_agent_session.report.examine import examine, mend
from git_agent_session.report.verify import verify
from git_agent_session.store import archive, purge, sweep
from git_agent_session.store.store import Store
from tests.harness import Repo

SESSIONS = 3


@pytest.fixture
def told() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("first")
    store = git_agent_session.open(str(repo.path))
    for n in range(SESSIONS):
        store.end(store.start(goal=f"number {n}", activate=False).id)
    store.drain_all()
    return store


def test_verify_counts_commits(repo: Repo, store: Store, told: list[tuple[int, int]]) -> None:
    repo.commit("second")
    verify(store, "HEAD", lambda *n: told.append(n))
    assert told == [(1, 2), (2, 2)]


def test_archive_counts_sessions(store: Store, told: list[tuple[int, int]]) -> None:
    archive.run(store, older_than=0, progress=lambda *n: told.append(n))
    assert told == [(0, SESSIONS)]


def test_cleanup_counts_sessions(store: Store, told: list[tuple[int, int]]) -> None:
    sweep.sweep(store, sweep.due(store, hours=0, deletes=True), lambda *n: told.append(n))
    assert told == [(0, 3), (1, 3), (2, 3)] and list(store.list()) == []


def test_purge_counts_sessions(store: Store, told: list[tuple[int, int]]) -> None:
    ids = [s.id for s in store.list()]
    purge.purge(store, ids, lambda *n: told.append(n))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)] and list(store.list()) == []


def test_doctor_counts_agents_and_checks(repo: Repo, store: Store, told: list[tuple[int, int]]) -> None:
    found = examine(store, dict(os.environ), str(repo.path), limit=0, progress=lambda *n: told.append(n))
    assert told == [(n, len(found.agents)) for n in range(1, len(found.agents) + 1)]
    told.clear()
    mend(store, str(repo.path), progress=lambda *n: told.append(n))
    assert told[0][0] == 1 and told[-1][0] == told[-1][1] == len(told) > 5
