"""A repository with our hooks in it, its store, and an open session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.hooks import installer
from git_agent_session.store.store import Store
from tests.e2e.claude import Claude, free, until
from tests.harness import Repo


@pytest.fixture
def hooked(repo: Repo) -> Repo:
    installer.install(str(repo.path))
    repo.commit("before any session", files={"f": "0\n"})
    return repo


@pytest.fixture
def store(hooked: Repo) -> Store:
    return git_agent_session.open(str(hooked.path))


@pytest.fixture
def session(store: Store) -> str:
    return store.start(goal="test the hooks", agent="codex").id


@pytest.fixture
def claude(repo: Repo, home: Path) -> Iterator[Claude]:
    repo.commit("init")
    found = Claude(repo, home)
    yield found
    # nothing may be at work when the folder goes
    until(lambda: not (found.shared / "lock").exists() or free(found.shared, found.id), 5.0)
