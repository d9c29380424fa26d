"""Phases: moving by the rules of a workflow, what is refused, the history, and the end that a final phase is."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo
from tests.sync.team import Team


@pytest.fixture
def store(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("one")
    return Cli(repo)


def test_a_session_with_a_workflow_begins_in_its_first_phase(cli: Cli) -> None:
    found = cli("start", "--workflow", "investigate", "--no-context", "--json").json
    assert (found["workflow"], found["phase"]) == ("investigate", "initializing")
    assert cli("phase").out.startswith("In phase initializing of the workflow investigate\n")


def test_start_says_workflow_and_phase(cli: Cli) -> None:
    assert "investigate, in phase initializing" in cli("start", "--workflow", "investigate", "--no-context").out


def test_an_unknown_workflow_is_refused_before_anything_is_written(cli: Cli) -> None:
    assert "use investigate, spec-build" in cli.fails("start", "--workflow", "odd", "--no-context", code=2)
    assert cli("list", "--json").json == []


def test_a_move_is_shown_with_what_may_follow(cli: Cli) -> None:
    cli.start("--workflow", "investigate")
    found = cli("phase", "approval", "--json").json
    assert (found["phase"], found["ready"]) == ("approval", True)
    assert found["next"] == ["investigating", "planning", "executing", "failed", "abandoned"]


def test_a_phase_that_the_workflow_does_not_know_is_refused_with_those_that_it_does(cli: Cli) -> None:
    cli.start("--workflow", "spec-build")
    assert "use created, spec, plan, build, docs, complete, failed" in cli.fails("phase", "deploy", code=2)
    assert cli("phase", "--json").json["phase"] == "created"


def test_a_phase_that_may_not_follow_is_refused_with_those_that_may(cli: Cli) -> None:
    cli.start("--workflow", "spec-build")
    line = cli.fails("phase", "docs")
    assert "'docs' may not follow 'created'" in line and "what may: spec, failed" in line


def test_a_type_of_session_leaves_phases_out(cli: Cli) -> None:
    cli.start("--workflow", "spec-build", "--type", "quick")
    cli("phase", "spec")
    assert "no phase 'plan' for a session of type quick" in cli.fails("phase", "plan", code=2)
    cli("phase", "build")
    cli("phase", "complete")
    assert cli("status", "--json").json["status"] == "completed"


def test_without_a_workflow_any_word_is_a_phase(cli: Cli) -> None:
    cli.start()
    found = cli("phase", "pondering", "--json").json
    assert found.pop("session") == cli("status", "--json").json["id"]
    assert found == {"status": "active", "phase": "pondering", "ready": False}


@pytest.mark.parametrize("word", ["", "two words", "-x" * 40, "a\x1b[31m", "x" * 65, "\u202eevil"])
def test_what_is_no_word_is_no_phase(cli: Cli, word: str) -> None:
    cli.start()
    assert cli.fails("phase", "--", word, code=2).rstrip("\n").isprintable()
    assert "phase" not in cli("status", "--json").json


def test_a_session_that_an_agent_opened_can_follow_a_workflow_later(cli: Cli) -> None:
    cli.start("--agent-type", "codex")
    found = cli("phase", "--workflow", "spec-build", "--json").json
    assert (found["workflow"], found["phase"]) == ("spec-build", "created")


@pytest.mark.parametrize(
    ("final", "status"), [("completed", "completed"), ("failed", "failed"), ("abandoned", "abandoned")]
)
def test_a_final_phase_ends_the_session_with_its_status(store: Store, final: str, status: str) -> None:
    session = work.start(store, "investigate")
    work.move_phase(store, session.id, "executing")
    ended = work.move_phase(store, session.id, final, message="that is it")
    assert (ended.status, ended.phase, ended.message, ended.ready) == (status, final, "that is it", False)
    assert store.current_id() is None


def test_an_end_goes_into_the_final_phase_of_its_status(store: Store) -> None:
    session = work.start(store, "spec-build")
    assert work.finish(store, session.id, status="failed").phase == "failed"


def test_an_end_with_a_status_that_no_phase_has_keeps_the_phase(store: Store) -> None:
    session = work.start(store, "spec-build")
    ended = work.finish(store, session.id, status="aborted")
    assert (ended.status, ended.phase) == ("aborted", "created")


def test_an_ended_session_moves_again_once_it_is_reopened(store: Store) -> None:
    session = work.start(store, "investigate")
    work.finish(store, session.id)
    with pytest.raises(SessionState, match="has ended"):
        work.move_phase(store, session.id, "planning")
    store.resume(session.id)
    assert work.move_phase(store, session.id, "validating").phase == "validating"


def test_the_history_has_every_move_with_its_time(store: Store) -> None:
    session = work.start(store, "investigate")
    for phase in ("investigating", "planning", "investigating", "completed"):
        work.move_phase(store, session.id, phase)
    store.append(session.id, "interaction", {"type": "phase", "text": "x", "phase": "odd"})
    moves = work.phase_history(store, session.id)
    assert [(m.before, m.after) for m in moves] == [
        ("", "initializing"),
        ("initializing", "investigating"),
        ("investigating", "planning"),
        ("planning", "investigating"),
        ("investigating", "completed"),
    ]
    assert [m.at for m in moves] == sorted(m.at for m in moves)
    assert moves[0].at == session.started_at


def test_the_history_is_printed(cli: Cli) -> None:
    cli.start("--workflow", "investigate")
    cli("phase", "planning")
    assert [(r.get("from"), r["to"]) for r in cli("phase", "--history", "--json").json] == [
        (None, "initializing"),
        ("initializing", "planning"),
    ]
    assert "initializing  ->  planning" in cli("phase", "--history").out


def test_a_move_to_where_the_session_is_writes_nothing(store: Store) -> None:
    session = work.start(store, "investigate")
    work.move_phase(store, session.id, "planning")
    before = len(store.history(session.id))
    assert work.move_phase(store, session.id, "planning").phase == "planning"
    assert len(store.history(session.id)) == before


def test_what_a_move_returns_is_what_is_read_afterwards(store: Store) -> None:
    session = work.start(store, "investigate")
    moved = work.move_phase(store, session.id, "planning", meta={"plan_file": "plan.json"})
    assert moved == store.get(session.id)
    assert moved.to_dict() | {"clock": 0} == store.get(session.id).to_dict() | {"clock": 0}
    assert work.mark_ready(store, session.id, False) == store.get(session.id)
    assert git_agent_session.open(str(store.repo.location.worktree)).get(session.id) == store.get(session.id)


def test_a_secret_in_the_metadata_of_a_move_is_taken_out(cli: Cli) -> None:
    cli.start("--workflow", "investigate")
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    cli("phase", "planning", "--meta", f"token={secret}")
    assert secret not in cli("status", "--json").out


def test_a_workflow_that_is_not_here_is_said_when_a_move_needs_it(repo: Repo, cli: Cli) -> None:
    repo.write({".agent-session/workflows/mine.toml": 'phases = ["a", "b"]\n'})
    cli.start("--workflow", "mine")
    (repo.path / ".agent-session/workflows/mine.toml").unlink()
    assert cli("phase", "--json").json["phase"] == "a"
    assert "no workflow 'mine'" in cli.fails("phase", "b", code=2)


def test_all_workflows_are_listed_the_broken_one_with_the_reason(repo: Repo, cli: Cli) -> None:
    repo.write({".agent-session/workflows/odd.toml": "phases = 1\n"})
    rows = {r["name"]: r for r in cli("phase", "--workflows", "--json").json}
    assert set(rows) == {"investigate", "odd", "spec-build"}
    assert rows["odd"]["source"] == "broken" and "phases is no list" in rows["odd"]["description"]
    assert "odd          broken" in cli("phase", "--workflows").out


@pytest.mark.parametrize(
    "args", [("planning", "--history"), ("--history", "--workflows"), ("--message", "x"), ("--meta", "k=v")]
)
def test_a_call_that_is_wrong_in_itself_is_refused(cli: Cli, args: tuple[str, ...]) -> None:
    cli.start("--workflow", "investigate")
    cli.fails("phase", *args, code=2)


def test_a_message_goes_with_an_end_only(store: Store) -> None:
    session = work.start(store, "investigate")
    with pytest.raises(UsageError, match="ends the session"):
        work.move_phase(store, session.id, "planning", message="x")


def test_two_clones_that_moved_apart_agree_on_the_later_phase(tmp_path_factory: pytest.TempPathFactory) -> None:
    team = Team(tmp_path_factory.mktemp("team"))
    ada, bob = team.clone("ada"), team.clone("bob")
    ada.commit("root")
    session = work.start(ada.store, "investigate", agent="codex").id
    ada.sync()
    bob.sync()
    work.move_phase(ada.store, session, "planning")
    ada.store.drain(session)
    for phase in ("investigating", "executing"):
        work.move_phase(bob.store, session, phase)
    bob.store.drain(session)
    ada.sync()
    bob.sync()
    ada.sync()
    assert ada.store.get(session) == bob.store.get(session)
    assert ada.store.get(session).phase == "executing"
    assert {m.after for m in work.phase_history(ada.store, session)} >= {"planning", "investigating", "executing"}
