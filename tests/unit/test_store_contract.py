"""What every kind of store does, in a repository and in memory: one set of tests for both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import git_agent_session
from git_agent_session import memory, work
from git_agent_session.errors import (
    AgentSessionError,
    AmbiguousSession,
    CommitNotFound,
    SessionNotFound,
    SessionState,
    UsageError,
)
from git_agent_session.memory import SessionStore
from git_agent_session.model import Agent
from git_agent_session.store.reader import Filter
from git_agent_session.store.store import Store
from git_agent_session.work import brief, execute
from tests.harness import Repo

Commit = Callable[[], str]


@pytest.fixture(params=["git", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path)) if kind == "git" else memory.open()


@pytest.fixture
def commit(kind: str, repo: Repo) -> Commit:
    made = iter("abcdef")
    return (lambda: repo.commit("one")) if kind == "git" else (lambda: next(made) * 40)


def test_both_are_what_the_interface_says(repo: Repo) -> None:
    stores: list[SessionStore] = [git_agent_session.open(str(repo.path)), memory.open()]
    assert [s.ids() for s in stores] == [set(), set()]


def test_a_session_is_what_was_said_when_it_was_started(store: Store) -> None:
    told = {"goal": "g", "title": "t", "type": "full", "project": "p", "user": "u", "tags": ["a", "b"]}
    agent = Agent("codex", "1", "m")
    made = store.start(agent=agent, meta={"k": {"n": [1]}}, **told)  # type: ignore[arg-type]
    found = store.get(made.id)
    assert (found.goal, found.title, found.type, found.project, found.user) == ("g", "t", "full", "p", "u")
    assert (found.tags, found.agent, found.meta, found.status) == (("a", "b"), agent, {"k": {"n": [1]}}, "active")
    assert found.counts["events"] == 1 and found.started_at == found.updated_at
    assert store.current_id() == made.id and store.current() == found and store.ids() == {made.id}


def test_sessions_go_from_open_to_paused_to_ended_and_back(store: Store) -> None:
    session = store.start(goal="x").id
    assert store.pause().status == "paused"
    with pytest.raises(SessionState, match="paused already"):
        store.pause(session)
    assert store.resume(session).status == "active"
    with pytest.raises(SessionState, match="active already"):
        store.resume(session)
    ended = store.end(session, status="failed", message="why")
    assert (ended.status, ended.message, ended.ended, store.current_id()) == ("failed", "why", True, None)
    for refused in (store.end, store.pause, store.switch):
        with pytest.raises(SessionState, match="has ended"):
            refused(session)
    again = store.resume(session)
    assert (again.status, again.message, again.ended_at, store.current_id()) == ("active", "", "", session)


def test_an_agent_s_own_session_is_one_session(store: Store) -> None:
    who = Agent("codex", native_id="abc")
    session = store.start(agent=who)
    with pytest.raises(SessionState, match="exists already"):
        store.start(agent=who)
    assert store.ids() == {session.id}


def test_what_is_recorded_is_read_in_order(store: Store) -> None:
    session = store.start(goal="x").id
    store.log(session, "note", "one", role="user", meta={"k": "v"})
    store.append(session, "tool", {"name": "Bash", "outcome": "ok"})
    store.metric(session, "speed", 1.5)
    store.usage(session, input_tokens=3, cost_usd=0.5)
    store.usage(session, input_tokens=4)
    store.tag(session, add=["a", "b"], remove=["b"])
    store.set(session, goal="y", meta={"k": 1})
    found = store.get(session)
    assert (found.goal, found.tags, found.usage["input_tokens"], found.usage["cost_usd"]) == ("y", ("a",), 7, 0.5)
    kinds = [e.kind for e in store.history(session)]
    assert kinds == ["start", "interaction", "tool", "metric", "usage", "usage", "tag", "set"]
    assert [e.kind for e in store.history(session, reverse=True)] == kinds[::-1]
    assert [e.kind for e in store.history(session, limit=2)] == kinds[-2:]
    assert [e.data["text"] for e in store.history(session, kinds=["note"])] == ["one"]
    counts = store.get(session).counts
    assert [counts[k] for k in ("events", "tools", "interactions", "metrics")] == [8, 1, 1, 1]
    assert store.summary(session).tools == {"Bash": 1}


def test_an_event_with_an_id_of_its_own_counts_once(store: Store) -> None:
    session = store.start().id
    for _ in range(3):
        store.append(session, "tool", {"name": "x"}, id="mine")
    assert store.get(session).counts["tools"] == 1
    assert [e.id for e in store.history(session, kinds=["tool"])] == ["mine"]


def test_secrets_are_taken_out_before_anything_is_kept(store: Store) -> None:
    secret = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
    session = store.start(goal=f"use {secret}", meta={"k": secret}).id
    store.log(session, "note", f"with {secret}")
    store.add_context(session, {"text": secret})
    kept = repr([store.get(session), store.history(session), store.contexts(session)])
    assert secret not in kept and "[redacted: github-token" in kept


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: s.log(None, "no type!", "x"),
        lambda s: s.log(None, "note", "x", role="boss"),
        lambda s: s.log(None, "note", 1),
        lambda s: s.metric(None, "n", float("nan")),
        lambda s: s.usage(None),
        lambda s: s.usage(None, nothing=1),
        lambda s: s.tag(None, add=["a,b"]),
        lambda s: s.set(None, status="x"),
        lambda s: s.set(None, meta={"k": "x" * 70_000}),
        lambda s: s.append(None, "no kind!"),
        lambda s: s.append(None, "tool", {"id": "x"}),
        lambda s: s.append(None, "tool", {str(n): "y" * 200_000 for n in range(20)}),
        lambda s: s.end(None, status="nice"),
        lambda s: s.add_context(None, {}, type="other"),
        lambda s: s.start(type="no type!"),
        lambda s: s.get(7),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(store: Store, wrong: Callable[[Store], object]) -> None:
    session = store.start(goal="x").id
    with pytest.raises(UsageError) as caught:
        wrong(store)
    assert caught.value.hint
    assert len(store.history(session)) == store.get(session).counts["events"] == 1
    assert store.ids() == {session}


def test_sessions_are_found_by_the_start_of_their_id_and_by_when_they_were_had(store: Store) -> None:
    one, two = store.start(goal="one").id, store.start(goal="two").id
    assert store.resolve(one[:8]) == store.resolve(one.upper()) == store.resolve("@{-1}") == one
    assert store.resolve() == store.resolve("@") == two
    store.switch(one)
    assert (store.resolve(), store.resolve("@{-1}")) == (one, two)
    for wrong in ("ffff", "x", "", "@{-9}", "0" * 36):
        with pytest.raises((SessionNotFound, AmbiguousSession)):
            store.resolve(wrong)
    for call in (store.get, store.history, store.commits, store.summary, store.end):
        with pytest.raises(SessionNotFound):
            call("00000000-0000-4000-8000-000000000000")


def test_lists_are_filtered_and_the_youngest_comes_first(store: Store) -> None:
    ids = [store.start(goal=str(n), tags=["a", "b"][: n + 1], agent=("codex", "pi")[n % 2]).id for n in range(4)]
    store.end(ids[0], status="failed")
    order = sorted((s.started_at, s.id) for s in store.list())[::-1]
    assert [(s.started_at, s.id) for s in store.list()] == order
    assert len(store.list(limit=2)) == 2
    wanted = {
        Filter(status=("failed",)): {0},
        Filter(status=("active",)): {1, 2, 3},
        Filter(agent_type="pi"): {1, 3},
        Filter(tags=("a", "b")): {1, 2, 3},
        Filter(user="ADA", since="2000-01-01"): {0, 1, 2, 3},
        Filter(until="2000-01-01"): set(),
    }
    for where, found in wanted.items():
        assert {ids.index(s.id) for s in store.list(where)} == found, where


def test_a_session_that_is_deleted_is_gone(store: Store) -> None:
    session, other = store.start(goal="x").id, store.start(goal="y").id
    assert store.delete(session[:8]).goal == "x"
    assert store.ids() == {other}
    with pytest.raises(SessionNotFound):
        store.get(session)
    store.delete(other)
    assert store.current_id() is None and store.list() == []


def test_snapshots_are_read_as_they_were_given(store: Store) -> None:
    session = store.start(context={"file_count": 3, "branch": "main"}).id
    store.add_context(session, {"branch": "next"}, type="refresh")
    found = store.contexts(session)
    assert [(e.data["type"], doc) for e, doc in found] == [
        ("initial", {"file_count": 3, "branch": "main"}),
        ("refresh", {"branch": "next"}),
    ]
    assert store.get(session).counts["snapshots"] == 2


def test_commits_are_linked_and_unlinked(store: Store, commit: Commit) -> None:
    one, two = store.start(goal="one").id, store.start(goal="two").id
    made = commit()
    assert store.link(one, [made]) == [made] and store.link(one, [made]) == []
    assert store.link(two, [made]) == [made]
    assert [k.commit for k in store.commits(one)] == [made]
    assert [(w.session.id, w.link.primary) for w in store.which(made)] == [(one, True), (two, False)]
    assert store.get(one).counts["commits"] == 1
    assert store.unlink(one, [made]) == [made]
    assert store.commits(one) == [] and [w.session.id for w in store.which(made)] == [two]
    with pytest.raises(SessionState):
        store.unlink(one, [made])
    with pytest.raises(CommitNotFound):
        store.link(one, ["no-such-commit"])


def test_work_is_done_in_any_store(store: Store) -> None:
    session = work.start(store, "investigate", agent="gitops", goal="pods crash").id
    with pytest.raises((UsageError, SessionState)):
        work.move_phase(store, session, "nonsense")
    work.move_phase(store, session, "investigating")
    assert work.should_resume(store, session).resume
    task = work.tasks.add(store, session, "raise the limit")
    work.tasks.start(store, session, task.id)
    assert work.tasks.done(store, session, task.id[:4], outcome="ok").status == "done"
    agent = work.subagents.start(store, session, "build", alias="b")
    work.subagents.update(store, session, "b", tokens=10, cost_usd=0.5)
    assert work.subagents.stop(store, session, agent.id).over
    work.plans.set(store, session, "1. look")
    for n in range(3):
        work.failures.record(store, session, f"error {n}")
    assert work.should_resume(store, session).failed == "errors"
    found = store.get(session)
    assert (found.usage["cost_usd"], found.last_error, found.plan["text"]) == (0.5, "error 2", "1. look")
    assert work.tasks.stats(found).success_rate == 100.0
    assert [t.after for t in work.phase_history(store, session)] == ["initializing", "investigating"]


def test_a_brief_is_made_of_a_session_with_commits_in_any_store(store: Store, commit: Commit) -> None:
    session = work.start(store, "investigate", goal="pods crash").id
    made = commit()
    store.link(session, [made])
    assert made[:10] in brief.of_session(store, session).text


def test_settings_decide_in_memory_too(tmp_path: object) -> None:
    store = memory.open(config={"agentSession.resumeErrors": "1"}, user="Eve <eve@example.org>")
    session = work.start(store, "investigate")
    assert session.user == "Eve <eve@example.org>"
    work.move_phase(store, session.id, "investigating")
    work.failures.record(store, session.id, "once")
    assert work.should_resume(store, session.id).failed == "errors"


def test_nothing_is_written_anywhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch, repo: Repo) -> None:
    monkeypatch.chdir(repo.path)
    before = sorted(str(p) for p in repo.path.rglob("*"))
    store = memory.open()
    session = work.start(store, "investigate", context={"x": 1})
    store.drain(session.id)
    store.end(session.id)
    store.delete(session.id)
    assert sorted(str(p) for p in repo.path.rglob("*")) == before
    with pytest.raises((AgentSessionError, OSError)):
        execute.run(store, ["true"])
