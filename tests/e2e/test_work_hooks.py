"""`hook pre-delegate` and `hook subagent-stop`: what they answer, whatever they are asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import UsageError
from git_agent_session.hooks import delegate
from git_agent_session.store.store import Store
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def waiting(store: Store) -> str:
    session = work.start(store, "investigate", agent="terraform", goal="approval", meta={"workspace": "prod"}).id
    work.move_phase(store, session, "planning", meta={"findings": ["a", "b"]})
    work.move_phase(store, session, "approval")
    return session


def run(repo: Repo, *args: str, given: object = None) -> dict[str, Any]:
    """A hook's answer, from a process: exit status 0, one JSON object, nothing on stderr."""
    text = given if isinstance(given, str) else json.dumps(given)
    done = repo.cli("hook", *args, input=text)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


REQUEST = {"agent_name": "terraform", "task_id": "T001", "task_description": "apply", "metadata": {"k": [1]}}


def test_a_session_that_can_be_resumed_is_named_with_what_it_knows(repo: Repo, store: Store, waiting: str) -> None:
    request = {**REQUEST, "agent_id": waiting}
    found = run(repo, "pre-delegate", given=request)
    assert list(found) == ["should_resume", "reason", "agent_id", "resume_metadata", "original_context"]
    assert (found["should_resume"], found["reason"], found["agent_id"]) == (True, "session_resumable", waiting)
    assert found["original_context"] == request
    more = found["resume_metadata"]
    assert list(more) == ["previous_phase", "created_at", "history", "session_metadata"]
    assert more["previous_phase"] == "approval"
    assert more["session_metadata"] == {"workspace": "prod", "findings": ["a", "b"]}
    assert more["created_at"] == store.get(waiting).started_at
    assert [(m["from_phase"], m["to_phase"]) for m in more["history"]] == [
        ("initializing", "planning"),
        ("planning", "approval"),
    ]


def test_without_an_id_the_latest_of_that_agent_that_can_be_resumed_is_found(store: Store, waiting: str) -> None:
    work.start(store, "investigate", agent="terraform")
    other = work.start(store, "investigate", agent="gitops").id
    work.move_phase(store, other, "approval")
    found = delegate.pre_delegate(store, REQUEST)
    assert (found["should_resume"], found["agent_id"]) == (True, waiting)


def test_what_cannot_be_resumed_says_why_and_gives_nothing_away(store: Store, waiting: str) -> None:
    work.move_phase(store, waiting, "executing")
    found = delegate.pre_delegate(store, {**REQUEST, "agent_id": waiting})
    assert (found["should_resume"], found["reason"], found["resume_metadata"]) == (False, "not_ready", None)


def test_an_agent_without_a_session_and_an_id_that_is_none_are_no_error(store: Store, waiting: str) -> None:
    found = delegate.pre_delegate(store, {"agent_name": "nobody"})
    assert (found["should_resume"], found["reason"], found["agent_id"]) == (False, "no_session", None)
    found = delegate.pre_delegate(store, {"agent_name": "terraform", "agent_id": "agent-123"})
    assert (found["should_resume"], found["reason"], found["agent_id"]) == (False, "session_not_found", "agent-123")


def test_a_check_writes_nothing(store: Store, waiting: str) -> None:
    before = store.history(waiting)
    delegate.pre_delegate(store, REQUEST)
    assert store.history(waiting) == before


WRONG: list[Mapping[str, Any]] = [
    {},
    {"agent_name": 3},
    {"agent_name": "a" * 201},
    {**REQUEST, "agent_id": ["x"]},
    {**REQUEST, "task_id": {}},
    {**REQUEST, "task_description": 1},
    {**REQUEST, "metadata": "text"},
]


@pytest.mark.parametrize("request_", WRONG)
def test_a_request_that_cannot_be_is_refused(store: Store, request_: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError):
        delegate.pre_delegate(store, request_)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b'{"a": NaN}', b"[" * 100_000, b"\xff", b" " * (2**20 + 1)])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        delegate.parse(data)


@pytest.mark.parametrize("name", ["pre-delegate", "subagent-stop"])
def test_whatever_comes_in_the_answer_is_json_and_the_exit_status_0(repo: Repo, name: str) -> None:
    found = run(repo, name, given="nonsense\x1b[31m")
    assert found["reason"] == "invalid_request"
    assert "no JSON" in found["error"]
    assert found.get("should_resume", found.get("finalized")) is False


def test_outside_of_a_repository_the_answer_is_no(repo: Repo) -> None:
    (repo.path.parent / "plain").mkdir()
    found = run(Repo(repo.path.parent / "plain"), "pre-delegate", given=REQUEST)
    assert (found["should_resume"], found["reason"]) == (False, "not_a_repository")


def test_an_argument_that_is_none_is_said(repo: Repo) -> None:
    assert run(repo, "pre-delegate", "--odd", given=REQUEST)["reason"] == "invalid_request"


def test_the_test_mode_answers_about_the_current_session_and_changes_nothing(
    repo: Repo, store: Store, waiting: str
) -> None:
    found = run(repo, "pre-delegate", "--test", given="")
    assert (found["should_resume"], found["agent_id"]) == (True, waiting)
    assert found["original_context"]["task_id"] == "TEST"
    found = run(repo, "subagent-stop", "--test", given="")
    assert (found["finalized"], found["reason"], found["outcome"]) == (False, "test", "completed")
    assert not store.get(waiting).ended


@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (1, "failed"), (-9, "failed")])
def test_a_stop_ends_the_session_by_the_exit_code(store: Store, waiting: str, code: int, status: str) -> None:
    found = delegate.subagent_stop(store, {"agent_id": waiting, "exit_code": code, "summary": "that was it"})
    assert found == {"finalized": True, "reason": f"exit_code_{code}", "agent_id": waiting, "outcome": status}
    ended = store.get(waiting)
    assert (ended.status, ended.phase, ended.message) == (status, status, "that was it")


def test_id_and_exit_code_may_stand_where_the_orchestrator_keeps_them(repo: Repo, store: Store, waiting: str) -> None:
    given = {"task_info": {"agent_id": waiting}, "workflow_metrics": {"exit_code": 3}}
    assert run(repo, "subagent-stop", given=given)["outcome"] == "failed"
    assert store.get(waiting).status == "failed"


def test_without_an_id_there_is_nothing_to_end(store: Store, waiting: str) -> None:
    found = delegate.subagent_stop(store, {"exit_code": 0})
    assert (found["finalized"], found["reason"]) == (False, "no_agent_id")
    assert not store.get(waiting).ended


def test_one_that_is_not_here_or_over_already_is_no_error(store: Store, waiting: str) -> None:
    assert delegate.subagent_stop(store, {"agent_id": "agent-123"})["reason"] == "not_found"
    delegate.subagent_stop(store, {"agent_id": waiting})
    assert delegate.subagent_stop(store, {"agent_id": waiting, "exit_code": 1})["reason"] == "over_already"
    assert store.get(waiting).status == "completed"


def test_an_agent_inside_the_current_session_is_stopped_and_the_session_goes_on(store: Store, waiting: str) -> None:
    agent = work.subagents.start(store, waiting, "build", id=waiting[:8])
    found = delegate.subagent_stop(store, {"agent_id": agent.id, "exit_code": 2, "summary": "no"})
    assert (found["finalized"], found["agent_id"]) == (True, agent.id)
    assert work.subagents.get(store, waiting, agent.id).status == "failed"
    assert not store.get(waiting).ended
    assert delegate.subagent_stop(store, {"agent_id": agent.id})["reason"] == "over_already"


@pytest.mark.parametrize("given", [{"agent_id": 1}, {"agent_id": "x", "exit_code": "0"}, {"exit_code": True},
                                   {"agent_id": "x", "summary": 1}])  # fmt: skip
def test_a_stop_with_values_of_wrong_types_is_refused(store: Store, given: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError):
        delegate.subagent_stop(store, given)
