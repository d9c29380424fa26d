"""Decisions by the command line, and ending in the workflow's own last phase."""

from __future__ import annotations

import json

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one")
    found = git_agent_session.open(str(repo.path))
    work.start(found, "investigate", goal="pods crash")
    return found


@pytest.fixture
def cli(repo: Repo, store: Store) -> Cli:
    return Cli(repo)


def test_a_decision_has_a_reason_and_files(cli: Cli, store: Store) -> None:
    cli("decide", "keep the limit", "--reason", "it is the node", "--path", "deploy.yaml")
    (event,) = store.history(kinds=("decision",))
    assert event.data == {"text": "keep the limit", "reason": "it is the node", "paths": ["deploy.yaml"]}
    assert store.get().counts["decisions"] == 1


def test_a_decision_comes_from_standard_input_and_goes_out_as_json(cli: Cli) -> None:
    said = cli("decide", "-", "--json", input=b"raise it\n").out
    assert json.loads(said)["text"].strip() == "raise it"


def test_an_empty_decision_is_refused(cli: Cli, store: Store) -> None:
    said = cli("decide", "  ", code=2)
    assert "the decision is empty" in said.err
    assert not store.history(kinds=("decision",))


def test_a_session_ends_in_the_phase_of_its_status(cli: Cli, store: Store) -> None:
    session = store.get()
    cli("end", "--status", "failed")
    assert (store.get(session.id).status, store.get(session.id).phase) == ("failed", "failed")
