"""Tasks: added, started, done, failed; their times and numbers; two writers on one; plans, and the agent's own list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.agents.protocol import Item
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.report import todo
from git_agent_session.store.store import Store
from git_agent_session.work import plans, tasks
from tests.e2e.cli import Cli
from tests.e2e.kept import Kept, answer, call, prompt, result
from tests.harness import Repo
from tests.sync.team import Team

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture
def store(repo: Repo) -> Store:
    found = git_agent_session.open(str(repo.path))
    found.start(goal="g")
    return found


@pytest.fixture
def cli(repo: Repo, store: Store) -> Cli:
    repo.commit("one")
    return Cli(repo)


def test_a_task_goes_from_pending_to_done_with_its_times(store: Store) -> None:
    task = tasks.add(store, None, "write the parser")
    assert (task.status, task.over, task.duration_ms) == ("pending", False, None)
    assert tasks.start(store, None, task.id, agent="builder").status == "in_progress"
    done = tasks.done(store, None, task.id, outcome="12 tests pass")
    assert (done.status, done.outcome, done.agent, done.over) == ("done", "12 tests pass", "builder", True)
    assert done.duration_ms is not None and done.duration_ms >= 0
    times = [datetime.fromisoformat(t) for t in (done.created_at, done.started_at, done.ended_at)]
    assert times == sorted(times)
    assert tasks.list(store) == [done]


def test_the_command_prints_the_id_and_takes_the_start_of_it(cli: Cli) -> None:
    task_id = cli("task", "add", "write the parser", "--start").out.strip()
    assert cli("task", "done", task_id[:4], "--outcome", "ok").out == f"Task {task_id} (done): write the parser\n"
    row = cli("task", "list", "--json").json[0]
    texts = tuple(row[k] for k in ("id", "title", "status", "outcome"))
    assert texts == (task_id, "write the parser", "done", "ok")


def test_the_list_shows_each_task_in_a_line_and_some_by_status(cli: Cli) -> None:
    for name in ("T1", "T2", "T3"):
        cli("task", "add", f"do {name}", "--id", name)
    cli("task", "fail", "T2", "--outcome", "no")
    assert [line.split()[:2] for line in cli("task", "list").out.splitlines()] == [
        ["T1", "pending"],
        ["T2", "failed"],
        ["T3", "pending"],
    ]
    assert [t["id"] for t in cli("task", "list", "--status", "failed", "--json").json] == ["T2"]


def test_the_numbers_say_how_many_succeeded_and_how_long_they_took(store: Store) -> None:
    for name in ("A", "B", "C"):
        tasks.add(store, None, name, id=name)
        tasks.start(store, None, name)
    tasks.done(store, None, "A")
    tasks.done(store, None, "B")
    tasks.fail(store, None, "C")
    found = tasks.stats(store.get())
    assert (found.total, found.done, found.failed, found.success_rate) == (3, 2, 1, 66.7)
    spent = [t.duration_ms or 0 for t in tasks.list(store)]
    assert (found.total_ms, found.average_ms) == (sum(spent), round(sum(spent) / 3))


def test_numbers_of_no_tasks_are_no_numbers(cli: Cli) -> None:
    assert cli("task", "list", "--stats", "--json").json == {"total": 0, "done": 0, "failed": 0, "total_ms": 0}
    assert cli("task", "list", "--stats").out == "0 tasks, 0 done, 0 failed\n"


def test_a_task_that_is_over_can_begin_again(store: Store) -> None:
    tasks.add(store, None, "x", id="T")
    tasks.fail(store, None, "T", outcome="no")
    again = tasks.start(store, None, "T")
    assert (again.status, again.outcome, again.ended_at) == ("in_progress", "", "")
    assert store.get().counts["tasks_failed"] == 0


def test_an_id_that_is_taken_is_refused(store: Store) -> None:
    tasks.add(store, None, "x", id="T")
    with pytest.raises(SessionState, match="a task T in session"):
        tasks.add(store, None, "y", id="T")


@pytest.mark.parametrize("args", [("add", ""), ("add", "x", "--id", "a b"), ("add", "x", "--id", "../x"),
                                  ("start", "nope"), ("done", ""), ("list", "--status", "odd")])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(cli: Cli, args: tuple[str, ...]) -> None:
    cli.fails("task", *args, code=2)
    assert cli("task", "list", "--json").json == []


def test_a_start_that_fits_two_tasks_is_refused_with_both(store: Store) -> None:
    for name in ("T10", "T11"):
        tasks.add(store, None, "x", id=name)
    with pytest.raises(UsageError) as e:
        tasks.done(store, None, "T1")
    assert "T10, T11" in e.value.line()


def test_secrets_and_escapes_in_a_title_do_not_reach_a_terminal(cli: Cli) -> None:
    cli("task", "add", f"use {SECRET} \x1b[31mnow\x07\nand then", "--id", "T")
    out = cli("task", "list").out + cli("task", "list", "--json").out + cli("history").out
    assert SECRET not in out and "\x1b" not in out and "\x07" not in out
    assert cli("task", "list").out.count("\n") == 1


def test_two_writers_on_one_task_both_land_and_the_later_one_wins(repo: Repo, store: Store) -> None:
    other = git_agent_session.open(str(repo.path))
    session = store.get().id
    tasks.add(store, session, "x", id="T")
    tasks.done(store, session, "T", outcome="mine")
    assert tasks.fail(other, session, "T", outcome="theirs").status == "failed"
    assert tasks.get(store, session, "T").outcome == "theirs"
    said = [(e.data["action"], e.data.get("outcome")) for e in store.history(session, kinds=("task",))]
    assert said == [("add", None), ("done", "mine"), ("fail", "theirs")]


def test_two_clones_that_ended_one_task_apart_agree_and_the_history_shows_both(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    team = Team(tmp_path_factory.mktemp("team"))
    ada, bob = team.clone("ada"), team.clone("bob")
    ada.commit("root")
    session = ada.store.start(agent="codex").id
    tasks.add(ada.store, session, "x", id="T")
    ada.sync()
    bob.sync()
    tasks.done(ada.store, session, "T", outcome="by ada")
    ada.store.drain(session)
    # bob's clock is the later one: he wrote something before
    tasks.start(bob.store, session, "T")
    tasks.fail(bob.store, session, "T", outcome="by bob")
    bob.store.drain(session)
    ada.sync()
    bob.sync()
    ada.sync()
    assert tasks.get(ada.store, session, "T") == tasks.get(bob.store, session, "T")
    assert tasks.get(ada.store, session, "T").outcome == "by bob"
    outcomes = {e.data.get("outcome") for e in ada.store.history(session, kinds=("task",))}
    assert outcomes >= {"by ada", "by bob"}


def test_many_writers_at_once_lose_nothing(repo: Repo, store: Store) -> None:
    session = store.get().id
    tasks.add(store, session, "shared", id="shared")

    def write(writer: int) -> None:
        mine = git_agent_session.open(str(repo.path))
        for n in range(10):
            tasks.add(mine, session, f"{writer} {n}", id=f"W{writer}-{n}")
            (tasks.done if n % 2 else tasks.start)(mine, session, "shared")
            if n == 5:
                mine.drain(session)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = git_agent_session.open(str(repo.path)).get(session)
    assert set(found.tasks) == {"shared", *(f"W{w}-{n}" for w in range(4) for n in range(10))}
    moves = [e.data["action"] for e in store.history(session, kinds=("task",)) if e.data["task"] == "shared"]
    assert sorted(moves) == ["add", *["done"] * 20, *["start"] * 20]
    assert found.tasks["shared"]["status"] == {"done": "done", "start": "in_progress"}[moves[-1]]


def test_tasks_survive_a_drain_and_a_store_opened_anew(repo: Repo, store: Store) -> None:
    tasks.add(store, None, "x", id="T")
    tasks.start(store, None, "T")
    store.drain()
    tasks.done(store, None, "T")
    found = git_agent_session.open(str(repo.path)).get(store.get().id)
    assert tasks.of(found) == tasks.list(store)


def test_status_counts_tasks_in_words(cli: Cli) -> None:
    for name in ("T1", "T2", "T3"):
        cli("task", "add", "x", "--id", name)
    cli("task", "done", "T1")
    cli("task", "fail", "T2")
    assert "3 tasks (1 done and 1 failed)" in cli("status").out


# -- plans


def test_a_plan_is_set_from_a_file_and_shown_as_it_is(repo: Repo, cli: Cli) -> None:
    repo.write({"plan.md": "# Plan\n\n1. this\n2. that\n"})
    cli("plan", "set", str(repo.path / "plan.md"), "--title", "The plan")
    assert cli("plan", "show").out == "# Plan\n\n1. this\n2. that\n"
    found = cli("plan", "show", "--json").json
    assert (found["title"], found["source"], found["text"]) == ("The plan", "plan.md", "# Plan\n\n1. this\n2. that\n")
    assert cli("status", "--json").json["counts"]["plans"] == 1


def test_the_last_plan_counts_and_the_earlier_ones_stay(store: Store) -> None:
    for text in ("first", "second"):
        plans.set(store, None, text)
    assert [p.text for p in plans.history(store)] == ["first", "second"]
    found = plans.get(store)
    assert found is not None and found == plans.history(store)[-1]


def test_a_long_plan_is_whole_when_it_is_asked_for_and_short_in_the_state(repo: Repo, store: Store) -> None:
    text = "\n".join(f"{n}. a step of the plan" for n in range(5000))
    plans.set(store, None, text)
    store.drain()
    again = git_agent_session.open(str(repo.path))
    found = plans.get(again, store.get().id)
    assert found is not None and found.text == text
    assert len(store.get().plan["text"]) == 8192


@pytest.mark.parametrize("text", ["", " \n", "x" * (plans.MAX_TEXT + 1)])
def test_a_plan_that_cannot_be_is_refused(store: Store, text: str) -> None:
    with pytest.raises(UsageError):
        plans.set(store, None, text)
    assert plans.get(store) is None


@pytest.mark.parametrize("args", [(), ("x", "--from-agent"), ("-", "--tasks")])
def test_a_plan_needs_one_place_to_come_from(cli: Cli, args: tuple[str, ...]) -> None:
    cli.fails("plan", "set", *args, code=2)


def test_a_file_that_is_no_text_or_not_there_is_said(repo: Repo, cli: Cli) -> None:
    repo.write({"bad": b"ok \xff"})
    assert "is not UTF-8" in cli.fails("plan", "set", str(repo.path / "bad"))
    assert "No such file" in cli.fails("plan", "set", str(repo.path / "nope"))
    assert "has no plan" in cli.fails("plan", "show")


def test_a_secret_in_a_plan_is_taken_out(cli: Cli) -> None:
    cli("plan", "set", "-", input=f"use {SECRET}\n".encode())
    assert SECRET not in cli("plan", "show").out


# -- the agent's own list

TODOS = {"todos": [
    {"content": "Read the code", "status": "completed", "activeForm": "Reading"},
    {"content": "Write it", "status": "in_progress", "activeForm": "Writing"},
    {"content": "Test it", "status": "pending", "activeForm": "Testing"},
]}  # fmt: skip


@pytest.fixture
def kept(repo: Repo) -> Kept:
    repo.commit("one")
    return Kept(repo)


def test_the_last_list_in_the_transcript_becomes_the_plan(kept: Kept) -> None:
    kept.chunk(prompt(1, "go"), call(2, "TodoWrite", {"todos": TODOS["todos"][:1]}), result(3, "t2", "ok"))
    kept.chunk(call(4, "TodoWrite", TODOS), result(5, "t4", "ok"), answer(6, "on it"))
    kept.chunk(call(7, "TodoWrite", {"todos": [{"content": "of a subagent", "status": "pending"}]}), source="sub")
    cli = Cli(kept.repo)
    cli("plan", "set", "--from-agent", "--tasks")
    assert cli("plan", "show").out == "- [x] Read the code\n- [~] Write it\n- [ ] Test it\n"
    assert cli("plan", "show", "--json").json["source"] == "TodoWrite"
    assert [(t["title"], t["status"]) for t in cli("task", "list", "--json").json] == [
        ("Read the code", "done"),
        ("Write it", "in_progress"),
        ("Test it", "pending"),
    ]


def test_a_list_that_is_taken_again_moves_the_same_tasks_on(kept: Kept) -> None:
    store = kept.store
    tasks.adopt(store, kept.id, [{"text": "Write it", "status": "in_progress"}])
    tasks.adopt(store, kept.id, [{"text": "Write it", "status": "completed"}, {"text": "Ship it"}])
    before = len(store.history(kept.id))
    found = tasks.adopt(store, kept.id, [{"text": "Write it", "status": "completed"}, {"text": "Ship it"}])
    assert [(t.title, t.status) for t in found] == [("Write it", "done"), ("Ship it", "pending")]
    assert len(store.history(kept.id)) == before


def test_a_plan_that_was_shown_for_approval_is_taken_whole(kept: Kept) -> None:
    kept.chunk(call(1, "ExitPlanMode", {"plan": "# The plan\n\n- do it"}))
    assert todo.last(kept.store, kept.id).plan == "# The plan\n\n- do it"


def test_a_transcript_without_a_list_is_said(kept: Kept) -> None:
    kept.chunk(call(1, "Bash", {"command": "ls"}))
    assert "has no to-do list or plan" in Cli(kept.repo).fails("plan", "set", "--from-agent")


@pytest.mark.parametrize(
    ("name", "given", "plan"),
    [
        ("update_plan", {"explanation": "x", "plan": [{"step": "a", "status": "completed"}]}, "- [x] a"),
        ("write_todos", {"todos": [{"description": "a", "status": "in_progress"}]}, "- [~] a"),
        ("todowrite", {"todos": [{"id": "1", "content": "a", "status": "pending", "priority": "high"}]}, "- [ ] a"),
        ("mcp__x__todo_write", {"todos": ["a", {"text": "b", "status": "cancelled"}]}, "- [ ] a\n- [-] b"),
        ("TodoWrite", {"todos": "1. [completed] a"}, "1. [completed] a"),
    ],
)
def test_the_to_do_tool_of_each_agent_is_read(name: str, given: dict[str, Any], plan: str) -> None:
    found = todo.read(Item("call", "id", "", name=name, input=given))
    assert found is not None and found.plan == plan


@pytest.mark.parametrize("given", [{}, {"todos": 3}, {"todos": [None, 3, {}]}, {"todos": {"a": 1}}, {"todos": [[]]},
                                   {"todos": [{"content": ["x"]}]}, {"plan": "  "}])  # fmt: skip
def test_a_call_that_says_nothing_is_passed_over(given: dict[str, Any]) -> None:
    assert todo.read(Item("call", "id", "", name="TodoWrite", input=given)) is None


def test_a_list_without_end_has_one() -> None:
    found = todo.read(Item("call", "id", "", name="TodoWrite", input={"todos": ["x" * 5000] * 5000}))
    assert found is not None and len(found.items) == 500 and len(found.plan) < 600_000


def test_what_was_decided_and_what_failed_is_kept(store: Store) -> None:
    work.failures.decide(store, None, "use tomli", reason="it is faster", paths=["codec.py"])
    work.failures.record(store, None, f"no network, {SECRET}", meta={"code": 7})
    session = store.get()
    assert (session.counts["decisions"], session.counts["errors"]) == (1, 1)
    assert session.last_error.startswith("no network") and SECRET not in session.last_error
    with pytest.raises(UsageError, match="empty"):
        work.failures.record(store, None, " ")
