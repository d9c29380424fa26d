"""What a session orchestrates folds to one state: whatever the batches, the order of arrival, and what events hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import bounds, codec
from git_agent_session.model import Event, Session, State, fold
from git_agent_session.orchestration import AGENT_ACTIONS, AGENT_STATUSES, TASK_ACTIONS, TASK_STATUSES

SESSION = "939cc486-5bb3-4e44-aec8-5b7d00443063"
AT = "2026-01-01T00:00:00.000Z"

NAMES = st.sampled_from(["T1", "T2", "T3"])
WORDS = st.text(max_size=8)
TASK = st.fixed_dictionaries(
    {"task": NAMES, "action": st.sampled_from([*TASK_ACTIONS])}, optional={"title": WORDS, "outcome": WORDS}
)
AGENT = st.fixed_dictionaries(
    {"action": st.sampled_from(AGENT_ACTIONS)},
    optional={
        "agent_id": NAMES,
        "type": st.sampled_from(["spec", "build"]),
        "status": st.sampled_from([*AGENT_STATUSES, "odd"]),
        "tokens": st.integers(0, 9999),
        "cost_usd": st.integers(0, 9).map(float),
        "checkpoint": WORDS,
        "error": WORDS,
    },
)
PHASE = st.fixed_dictionaries({}, optional={"phase": NAMES, "workflow": WORDS, "ready": st.booleans()})
KINDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "task": TASK,
    "agent": AGENT,
    "phase": PHASE,
    "plan": st.fixed_dictionaries({"text": WORDS}, optional={"title": WORDS}),
    "error": st.fixed_dictionaries({"text": WORDS}),
    "end": st.fixed_dictionaries({"status": st.just("failed")}, optional={"phase": NAMES}),
    "resume": st.just({}),
}
DATA = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    rows = draw(st.lists(DATA, min_size=1, max_size=30))
    # two chains may give different events the same clock
    clocks = draw(st.lists(st.integers(1, 10), min_size=len(rows), max_size=len(rows)))
    times = draw(st.lists(st.integers(10, 59), min_size=len(rows), max_size=len(rows)))
    return [
        Event(f"e{n:02}", f"2026-01-01T00:00:{second}.000Z", kind, data, clock)
        for n, ((kind, data), clock, second) in enumerate(zip(rows, clocks, times, strict=True))
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["task", "action", "title", "outcome", "agent", "agent_id", "type", "status", "tokens", "cost_usd", "phase"]
HOSTILE = st.dictionaries(st.sampled_from([*KEYS, "workflow", "ready", "text", "error", "message"]), ANYTHING)


def state_of(*events: tuple[str, dict[str, Any]]) -> Session:
    """The session after events, one a second."""
    made = [Event(f"e{n:05}", f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}.000Z", k, d, n + 1)
            for n, (k, d) in enumerate(events)]  # fmt: skip
    return fold(SESSION, made).session()


@given(histories(), st.randoms())
def test_order_of_arrival_does_not_matter(events: list[Event], random: Any) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert fold(SESSION, shuffled).doc == fold(SESSION, events).doc


@given(histories(), st.data())
def test_batches_fold_to_the_same_state_as_the_whole(events: list[Event], data: st.DataObject) -> None:
    whole = fold(SESSION, events)
    state, rest = State(), sorted(events, key=lambda e: e.order)
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        # as a batch is read: written, parsed and made sane
        state = fold(
            SESSION, rest[:cut], State(bounds.sane(codec.loads(codec.dumps(state.doc)))) if state.doc else None
        )
        rest = rest[cut:]
    assert state.doc == whole.doc


@given(histories(), st.data())
def test_a_fold_leaves_the_state_that_it_builds_on_alone(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    before = fold(SESSION, events[:cut])
    copy = repr(before.doc)
    fold(SESSION, events[cut:], before)
    assert repr(before.doc) == copy


@given(histories())
def test_counts_are_those_of_the_rows(events: list[Event]) -> None:
    session = fold(SESSION, events).session()
    statuses = [row["status"] for row in session.tasks.values()]
    assert set(statuses) <= set(TASK_STATUSES)
    assert session.counts.get("tasks", 0) == len(session.tasks)
    assert session.counts.get("tasks_done", 0) == statuses.count("done")
    assert session.counts.get("tasks_failed", 0) == statuses.count("failed")
    assert session.counts.get("agents", 0) == len(session.agents)


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), HOSTILE), max_size=8))
def test_events_of_any_shape_fold_to_what_is_sane(events: list[tuple[str, dict[str, Any]]]) -> None:
    made = [Event(f"e{n}", AT, k, {key: bounds.plain(v) for key, v in d.items() if v is not None}, n + 1)
            for n, (k, d) in enumerate(events)]  # fmt: skip
    doc = fold(SESSION, made).doc
    if doc.get("clock"):
        assert bounds.sane(doc) == doc
    codec.loads(codec.dumps(doc))


@given(
    st.dictionaries(st.sampled_from(["tasks", "agents", "plan", "phase", "workflow", "ready", "last_error"]), ANYTHING)
)
def test_a_state_of_any_shape_becomes_a_session(doc: dict[str, Any]) -> None:
    sane = bounds.sane({"schema": 1, "id": SESSION, **doc})
    session = fold(
        SESSION, [Event("e", AT, "task", {"task": "T", "action": "add", "title": "t"}, 1)], State(sane)
    ).session()
    assert "T" in session.tasks
    assert all(isinstance(row, dict) for row in (*session.tasks.values(), *session.agents.values()))


def test_the_later_transition_wins_by_clock_whatever_the_wall_clocks_say() -> None:
    added = Event("a", "2026-01-01T00:00:00.000Z", "task", {"task": "T", "action": "add", "title": "t"}, 1)
    done = Event("b", "2026-01-01T09:00:00.000Z", "task", {"task": "T", "action": "done", "outcome": "ok"}, 2)
    failed = Event("c", "2026-01-01T00:00:05.000Z", "task", {"task": "T", "action": "fail", "outcome": "no"}, 3)
    for events in ([added, done, failed], [failed, added, done]):
        session = fold(SESSION, events).session()
        assert (session.tasks["T"]["status"], session.tasks["T"]["outcome"]) == ("failed", "no")
        assert (session.counts["tasks_done"], session.counts["tasks_failed"]) == (0, 1)


def test_a_task_that_begins_again_has_no_end() -> None:
    steps = [
        ("task", {"task": "T", "action": a, "title": "t", "outcome": "o"}) for a in ("add", "start", "done", "start")
    ]
    row = state_of(*steps).tasks["T"]
    assert row["status"] == "in_progress"
    assert row["started_at"] == "2026-01-01T00:00:03.000Z"
    assert not row.keys() & {"ended_at", "outcome"}


def test_of_too_many_tasks_those_that_are_over_go_first() -> None:
    steps = [("task", {"task": f"T{n}", "action": "add", "title": "t"}) for n in range(bounds.MAX_TASKS)]
    steps += [("task", {"task": "T7", "action": "done"}), ("task", {"task": "late", "action": "add", "title": "t"})]
    session = state_of(*steps)
    assert len(session.tasks) == bounds.MAX_TASKS
    assert "T7" not in session.tasks and "T0" in session.tasks and "late" in session.tasks
    assert (session.counts["tasks"], session.counts["tasks_done"]) == (bounds.MAX_TASKS + 1, 1)


def test_what_is_said_of_a_task_that_nobody_added_counts_for_nothing() -> None:
    session = state_of(("task", {"task": "T", "action": "done"}))
    assert not session.tasks and "tasks_done" not in session.counts


@pytest.mark.parametrize("kind", ["spec", ""])
def test_a_stop_without_an_id_ends_the_last_of_its_type(kind: str) -> None:
    # as Cursor and Droid tell of their subagents
    about = {"type": kind} if kind else {}
    session = state_of(("agent", {"action": "start", **about}), ("agent", {"action": "stop", **about}))
    assert [row["status"] for row in session.agents.values()] == ["complete"]


def test_a_stop_without_a_start_is_an_agent_too() -> None:
    session = state_of(("agent", {"action": "stop", "type": "reviewer", "error": "gone"}))
    assert [(r["type"], r["status"]) for r in session.agents.values()] == [("reviewer", "failed")]
    assert session.counts["agents"] == 1


def test_an_agent_that_goes_on_is_the_same_agent() -> None:
    told = [("agent", {"action": a, "agent_id": "a1", "type": "Explore"}) for a in ("start", "stop", "start")]
    session = state_of(*told)
    assert session.agents["a1"]["status"] == "executing" and "ended_at" not in session.agents["a1"]
    assert session.counts["agents"] == 1


def test_an_end_takes_readiness_away() -> None:
    ready = ("phase", {"phase": "approval", "ready": True})
    assert state_of(ready).ready
    ended = state_of(ready, ("end", {"status": "completed", "phase": "completed"}), ("resume", {}))
    assert (ended.ready, ended.phase) == (False, "completed")


def test_a_state_that_is_full_of_everything_is_still_read() -> None:
    # signs that take four bytes, and those that a writer of TOML makes six of
    for sign in ("\U0001f600", "\x01", '"'):
        long = sign * 40_000
        steps: list[tuple[str, dict[str, Any]]] = [("start", dict.fromkeys(bounds.TEXTS, long))]
        steps[0][1]["tags"] = [sign * 190 + str(n) for n in range(600)]
        steps += [("set", {"meta": {"k": sign * 65_000}}), ("plan", {"text": long, "title": long, "source": long})]
        steps += [("error", {"text": long}), ("phase", {"phase": long, "workflow": long})]
        for n in range(bounds.MAX_TASKS + 1):
            name = f"T{n}".ljust(64, "x")
            steps += [("task", {"task": name, "action": a, "title": long, "outcome": long, "agent": long})
                      for a in ("add", "start", "done")]  # fmt: skip
        steps += [("agent", {**dict.fromkeys(bounds.AGENT_TEXTS, long), "agent_id": f"{n}{long}", "action": "stop"})
                  for n in range(bounds.MAX_AGENTS + 1)]  # fmt: skip
        doc = state_of(*steps).doc
        assert len(doc["tasks"]) == bounds.MAX_TASKS and len(doc["agents"]) == bounds.MAX_AGENTS
        assert len(codec.dumps(doc)) < 4 * 1024 * 1024
