"""A repository with our hooks in it, its store, and an open session."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session.hooks import installer
from git_agent_session.store.store import Store
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
