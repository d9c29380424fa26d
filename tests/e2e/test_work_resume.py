"""Whether to resume: five criteria, how each is set, and what is said of the first that is not met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import UsageError
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def waiting(store: Store) -> str:
    """A session that waits for approval."""
    session = work.start(store, "investigate", agent="codex").id
    work.move_phase(store, session, "approval")
    return session


def failed(store: Store, session: str | None, **how: datetime) -> tuple[str, str]:
    found = work.should_resume(store, session, **how)
    assert found.resume == (not found.failed)
    return found.failed, found.reason


def test_a_session_that_meets_all_five_is_resumed(store: Store, waiting: str) -> None:
    found = work.should_resume(store, waiting)
    assert (found.resume, found.reason, found.failed) == (True, "session_resumable", "")
    assert [c.name for c in found.criteria] == ["exists", "ready", "phase", "activity", "errors"]
    assert all(c.met for c in found.criteria)


@pytest.mark.parametrize("given", ["00000000-0000-4000-8000-000000000000", "abcd1234", "agent-123", "", "../../x"])
def test_one_that_is_not_here_is_not(store: Store, given: str) -> None:
    assert failed(store, given) == ("exists", "session_not_found")


def test_without_a_current_session_there_is_none_to_resume(store: Store) -> None:
    assert failed(store, None) == ("exists", "session_not_found")


@pytest.mark.parametrize("phase", ["approval", "investigating", "planning"])
def test_a_phase_to_resume_in_makes_a_session_ready(store: Store, phase: str) -> None:
    session = work.start(store, "investigate").id
    assert failed(store, session) == ("ready", "not_ready")
    work.move_phase(store, session, phase)
    assert failed(store, session) == ("", "session_resumable")


def test_one_that_works_is_not_ready_and_readiness_alone_is_not_enough(store: Store, waiting: str) -> None:
    work.move_phase(store, waiting, "executing")
    assert failed(store, waiting) == ("ready", "not_ready")
    work.mark_ready(store, waiting)
    assert failed(store, waiting) == ("phase", "phase_not_resumable")


def test_readiness_can_be_taken_back(store: Store, waiting: str) -> None:
    work.mark_ready(store, waiting, False)
    assert failed(store, waiting) == ("ready", "not_ready")


@pytest.mark.parametrize(
    ("minutes", "reason"), [(29, "session_resumable"), (30, "too_old"), (60 * 24 * 400, "too_old")]
)
def test_half_an_hour_without_an_event_is_too_long(store: Store, waiting: str, minutes: int, reason: str) -> None:
    last = datetime.fromisoformat(store.get(waiting).updated_at)
    assert work.should_resume(store, waiting, now=last + timedelta(minutes=minutes)).reason == reason


def test_a_clock_that_was_ahead_is_no_reason_against(store: Store, waiting: str) -> None:
    assert failed(store, waiting, now=datetime(2001, 1, 1, tzinfo=UTC)) == ("", "session_resumable")


def test_the_third_error_is_one_too_many(store: Store, waiting: str) -> None:
    for n in range(3):
        assert failed(store, waiting) == ("", "session_resumable")
        work.failures.record(store, waiting, f"error {n}")
    assert failed(store, waiting) == ("errors", "too_many_errors")


def test_one_that_has_ended_is_not_resumed_and_says_so(store: Store, waiting: str) -> None:
    store.end(waiting, status="aborted")
    found = work.should_resume(store, waiting)
    assert not found.resume
    assert "has ended (aborted)" in {c.name: c.fact for c in found.criteria}["phase"]


def test_a_paused_session_is_resumed(store: Store, waiting: str) -> None:
    store.pause(waiting)
    assert failed(store, waiting) == ("", "session_resumable")


def test_git_config_changes_the_limits(repo: Repo, store: Store, waiting: str) -> None:
    later = datetime.fromisoformat(store.get(waiting).updated_at) + timedelta(minutes=45)
    assert failed(store, waiting, now=later)[0] == "activity"
    repo.git("config", "agentSession.resumeMinutes", "60")
    assert failed(store, waiting, now=later)[0] == ""
    repo.git("config", "agentSession.resumeErrors", "1")
    work.failures.record(store, waiting, "x")
    assert failed(store, waiting)[0] == "errors"
    repo.git("config", "agentSession.resumeErrors", "9")
    repo.git("config", "agentSession.resumePhases", "executing, validating")
    assert failed(store, waiting)[0] == "phase"
    work.move_phase(store, waiting, "executing")
    assert failed(store, waiting)[0] == ""


def test_a_workflow_has_its_own_limits_and_the_users_config_comes_first(repo: Repo, store: Store) -> None:
    text = 'phases = ["a", "b"]\n[resume]\nphases = ["b"]\nminutes = 5\nerrors = 1\n'
    repo.write({".agent-session/workflows/mine.toml": text})
    session = work.start(store, "mine").id
    work.move_phase(store, session, "b")
    later = datetime.fromisoformat(store.get(session).updated_at) + timedelta(minutes=10)
    assert failed(store, session)[0] == ""
    assert failed(store, session, now=later)[0] == "activity"
    repo.git("config", "agentSession.resumeMinutes", "30")
    assert failed(store, session, now=later)[0] == ""
    work.failures.record(store, session, "x")
    assert failed(store, session)[0] == "errors"


@pytest.mark.parametrize(("key", "value"), [("resumeMinutes", "soon"), ("resumeMinutes", "-1"), ("resumeErrors", "2.5"),
                                            ("resumeMinutes", "nan"), ("resumeErrors", "0")])  # fmt: skip
def test_a_setting_that_is_no_number_is_said(repo: Repo, store: Store, waiting: str, key: str, value: str) -> None:
    repo.git("config", f"agentSession.{key}", value)
    with pytest.raises(UsageError, match=f"agentSession.{key}"):
        work.should_resume(store, waiting)


def test_where_the_workflow_is_not_here_the_usual_rules_decide(repo: Repo, store: Store) -> None:
    repo.write({".agent-session/workflows/mine.toml": 'phases = ["a", "planning"]\n[resume]\nphases = ["planning"]\n'})
    session = work.start(store, "mine").id
    work.move_phase(store, session, "planning")
    (repo.path / ".agent-session/workflows/mine.toml").unlink()
    assert failed(store, session)[0] == ""


def test_the_command_says_it_by_its_exit_status(repo: Repo, store: Store, waiting: str) -> None:
    cli = Cli(repo)
    assert cli("should-resume", waiting[:8]).out.startswith(f"Resume session {waiting[:8]}\n")
    cli("phase", "executing")
    done = cli("should-resume", code=1)
    assert done.err == "" and done.out.startswith("Do not resume: not_ready\n")
    assert "no   ready     not marked ready" in done.out


def test_the_command_prints_the_criteria_as_json(repo: Repo, store: Store, waiting: str) -> None:
    cli = Cli(repo)
    found = cli("should-resume", waiting, "--json").json
    assert (found["resume"], found["session"]) == (True, waiting)
    work.failures.record(store, waiting, "x")
    cli("phase", "--not-ready")
    found = cli("should-resume", "--json", code=1).json
    assert (found["resume"], found["failed"], found["reason"]) == (False, "ready", "not_ready")
    assert found["criteria"][4] == {"name": "errors", "met": True, "fact": "1 of 3 errors"}
    missing = cli("should-resume", "ffffffff", "--json", code=1).json
    assert missing["criteria"] == [{"name": "exists", "met": False, "fact": "no session ffffffff"}]


def test_two_ids_are_refused(repo: Repo, waiting: str) -> None:
    Cli(repo).fails("should-resume", waiting, "--session", waiting, code=2)


def test_errors_are_counted_and_the_last_one_kept(repo: Repo, waiting: str) -> None:
    cli = Cli(repo)
    assert cli("error", "first").out == f"Recorded error 1 of session {waiting[:8]}\n"
    assert cli("error", "-", "--meta", "code=7", "--json", input=b"second\n").json["meta"] == {"code": "7"}
    found = cli("status", "--json").json
    assert (found["last_error"], found["counts"]["errors"]) == ("second", 2)
    assert found["last_error_at"] <= found["updated_at"]
    cli.fails("error", " ", code=2)


def test_deciding_writes_nothing(store: Store, waiting: str) -> None:
    before = store.history(waiting)
    work.should_resume(store, waiting)
    assert store.history(waiting) == before
