"""Workflows: what comes with the package, what a user's file may say, and what one from anybody cannot do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import BrokenWorkflow, UsageError
from git_agent_session.store.store import Store
from git_agent_session.work import workflows
from tests.harness import Repo

SMALL = 'phases = ["open", "shut"]\n[final]\nover = "completed"\ngone = "abandoned"\n'


@pytest.fixture
def store(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def in_repository(repo: Repo, name: str, text: str) -> None:
    repo.write({f".agent-session/workflows/{name}.toml": text})


def test_two_workflows_come_with_the_package(store: Store) -> None:
    assert workflows.names(store.repo) == ("investigate", "spec-build")
    investigate, spec = (workflows.load(store.repo, n) for n in workflows.names(store.repo))
    assert investigate.known() == (
        *("initializing", "investigating", "planning", "approval", "executing", "validating"),
        *("completed", "failed", "abandoned"),
    )
    assert spec.known() == ("created", "spec", "plan", "build", "docs", "complete", "failed")
    assert {*investigate.rules.phases} == {"approval", "investigating", "planning"}
    assert (investigate.rules.minutes, investigate.rules.errors) == (30, 3)


@pytest.mark.parametrize("name", ["investigate", "spec-build"])
@pytest.mark.parametrize("type", ["", "full", "quick", "research"])
def test_every_phase_is_reached_and_leads_to_success(store: Store, name: str, type: str) -> None:
    flow = workflows.load(store.repo, name)
    found, rest = set(), [flow.initial]
    while rest:
        phase = rest.pop()
        if phase not in found:
            found.add(phase)
            rest += [] if phase in flow.final else flow.allowed(phase, type)
    assert found == set(flow.known(type))


def test_a_type_leaves_phases_out_and_goes_on_with_what_follows_them(store: Store) -> None:
    spec = workflows.load(store.repo, "spec-build")
    assert spec.allowed("spec", "full") == ("plan", "failed")
    assert spec.allowed("spec", "quick") == ("build", "failed")
    assert spec.allowed("build", "quick") == ("spec", "complete", "failed")
    assert spec.allowed("spec", "research") == ("docs", "failed")


def test_without_transitions_any_phase_follows_any_other(store: Store) -> None:
    flow = workflows.parse("small", SMALL.encode())
    assert flow.allowed("shut") == ("open", "over", "gone")
    assert flow.initial == "open"


def test_a_session_that_was_reopened_goes_on_in_any_phase(store: Store) -> None:
    assert workflows.load(store.repo, "spec-build").allowed("complete") == ("created", "spec", "plan", "build", "docs")


def test_a_file_in_the_repository_comes_before_the_package_and_the_users_folder_before_both(
    repo: Repo, store: Store, tmp_path: os.PathLike[str]
) -> None:
    in_repository(repo, "investigate", SMALL)
    assert workflows.load(store.repo, "investigate").source == "repository"
    own = repo.path.parent / "own"
    own.mkdir()
    (own / "investigate.toml").write_text(SMALL.replace("open", "begun"))
    repo.git("config", "agentSession.workflows", str(own))
    found = workflows.load(store.repo, "investigate")
    assert (found.source, found.initial) == ("config", "begun")


def test_a_file_that_changes_is_read_again(repo: Repo, store: Store) -> None:
    in_repository(repo, "mine", SMALL)
    assert workflows.load(store.repo, "mine").initial == "open"
    in_repository(repo, "mine", SMALL.replace("open", "reopened"))
    assert workflows.load(store.repo, "mine").initial == "reopened"


def test_a_workflow_that_is_nowhere_is_said_with_those_that_are(repo: Repo, store: Store) -> None:
    in_repository(repo, "mine", SMALL)
    with pytest.raises(UsageError, match="no workflow 'odd'") as e:
        workflows.load(store.repo, "odd")
    assert "investigate, mine, spec-build" in e.value.line()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".hidden", "UPPER", "x" * 65, "a\nb"])
def test_a_name_is_no_path(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a workflow"):
        workflows.load(store.repo, name)


BROKEN = {
    "no TOML": "phases = [",
    "no phases": 'initial = "a"\n',
    "phases that are no list": 'phases = "a"\n',
    "a phase that is no text": "phases = [1]\n",
    "a phase with spaces": 'phases = ["a b"]\n',
    "a phase with an escape": 'phases = ["\\u001b[31m"]\n',
    "too many phases": f"phases = {json.dumps([f'p{n}' for n in range(101)])}\n",
    "an initial that is unknown": 'initial = "b"\nphases = ["a"]\n',
    "an initial of a wrong type": 'initial = ["a"]\nphases = ["a"]\n',
    "a status that is none": SMALL.replace("completed", "great"),
    "a status of a wrong type": SMALL.replace('"completed"', "[]"),
    "a final phase that is a phase too": SMALL.replace("over", "open"),
    "a transition from nowhere": SMALL + '[transitions]\nodd = ["open"]\n',
    "a transition to nowhere": SMALL + '[transitions]\nopen = ["odd"]\n',
    "transitions that are no table": "transitions = 1\n" + SMALL,
    "minutes that are no number": SMALL + '[resume]\nminutes = "long"\n',
    "minutes without end": SMALL + "[resume]\nminutes = inf\n",
    "no errors at all": SMALL + "[resume]\nerrors = 0\n",
    "true errors": SMALL + "[resume]\nerrors = true\n",
    "a phase to resume in that is final": SMALL + '[resume]\nphases = ["over"]\n',
    "a type that leaves out the first phase": SMALL + '[skip]\nquick = ["open"]\n',
    "an unknown key": "execute = 1\n" + SMALL,
    "a later schema": "schema = 2\n" + SMALL,
    "a schema that is true": "schema = true\n" + SMALL,
    "a description that is none": "description = 1\n" + SMALL,
    "deep nesting": "phases = " + "[" * 5000,
    "too much": SMALL + "#" * (64 * 1024),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_with_the_reason(repo: Repo, store: Store, text: str) -> None:
    in_repository(repo, "odd", text)
    with pytest.raises(BrokenWorkflow) as e:
        work.start(store, "odd")
    assert "odd.toml cannot be used: " in e.value.message
    assert e.value.line().isprintable() and len(e.value.line()) < 800
    assert store.list() == []


@pytest.mark.parametrize("line", ["minutes = -1", "minutes = 0", "errors = 0", "errors = -3", "errors = 1.5"])
def test_a_number_that_cannot_be_is_named(repo: Repo, store: Store, line: str) -> None:
    in_repository(repo, "odd", f"{SMALL}[resume]\n{line}\n")
    with pytest.raises(BrokenWorkflow, match=re.escape(f"resume.{line.replace('=', 'is')}, which is no ")):
        workflows.load(store.repo, "odd")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="there is no such flag here")
def test_a_link_is_not_followed(repo: Repo, store: Store) -> None:
    secret = repo.path.parent / "secret.toml"
    secret.write_text(SMALL)
    (repo.path / ".agent-session/workflows").mkdir(parents=True)
    (repo.path / ".agent-session/workflows/odd.toml").symlink_to(secret)
    with pytest.raises(BrokenWorkflow, match="cannot be used"):
        workflows.load(store.repo, "odd")


def test_a_folder_in_place_of_a_file_is_said(repo: Repo, store: Store) -> None:
    (repo.path / ".agent-session/workflows/odd.toml").mkdir(parents=True)
    with pytest.raises(BrokenWorkflow, match="cannot be used"):
        workflows.load(store.repo, "odd")


def test_the_names_of_the_package_are_all_there() -> None:
    assert all(getattr(work, name) for name in work.__all__)
    with pytest.raises(AttributeError, match="no attribute 'odd'"):
        _ = work.odd  # type: ignore[attr-defined]


def test_the_package_itself_imports_nothing_heavy() -> None:
    code = "import sys, git_agent_session.work; print(*[m for m in ('pygit2', 'click', 'tomli') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
