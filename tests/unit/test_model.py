"""The fold: one set of events, one state, however it is cut into batches."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import bounds, codec
from git_agent_session.model import END_STATUSES, Event, Session, State, fold

SESSION = "939cc486-5bb3-4e44-aec8-5b7d00443063"
COMMITS = st.sampled_from(["a" * 40, "b" * 40, "c" * 40])
WORDS = st.text(max_size=8)

PAYLOADS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = [
    st.tuples(st.just("start"), st.fixed_dictionaries({"goal": WORDS, "tags": st.lists(WORDS, max_size=3)})),
    st.tuples(st.just("end"), st.fixed_dictionaries({"status": st.sampled_from([*END_STATUSES, "odd"])})),
    st.tuples(st.sampled_from(["pause", "resume", "interaction", "message", "tool", "unknown-kind"]), st.just({})),
    st.tuples(st.just("tag"), st.fixed_dictionaries({"add": st.lists(WORDS), "remove": st.lists(WORDS)})),
    st.tuples(st.just("set"), st.fixed_dictionaries({"title": WORDS, "meta": st.dictionaries(WORDS, WORDS)})),
    st.tuples(
        st.just("usage"),
        st.fixed_dictionaries({"input_tokens": st.integers(-5, 9**9), "cost_usd": st.integers(0, 99).map(float)}),
    ),
    st.tuples(st.just("commit"), st.fixed_dictionaries({"commit": COMMITS, "via": st.sampled_from(["env", "manual"])})),
    st.tuples(st.just("unlink"), st.fixed_dictionaries({"commit": COMMITS})),
    st.tuples(st.just("rewrite"), st.fixed_dictionaries({"old": COMMITS, "new": COMMITS})),
]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    payloads = draw(st.lists(st.one_of(PAYLOADS), min_size=1, max_size=25))
    return [
        Event(f"e{n}", f"2026-01-01T00:00:{draw(st.integers(10, 59))}.000Z", kind, data, clock=n)
        for n, (kind, data) in enumerate(payloads, 1)
    ]


@given(histories(), st.data())
def test_batches_fold_to_the_same_state_as_the_whole(events: list[Event], data: st.DataObject) -> None:
    whole = fold(SESSION, events)
    state = State()
    rest = events
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        state = fold(SESSION, rest[:cut], state)
        rest = rest[cut:]
    assert state.doc == whole.doc
    assert state.links == whole.links


@given(histories(), st.randoms())
def test_order_of_arrival_does_not_matter(events: list[Event], random: Any) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert fold(SESSION, shuffled).doc == fold(SESSION, events).doc


@given(histories())
def test_fold_leaves_what_it_builds_on_alone(events: list[Event]) -> None:
    before = fold(SESSION, events)
    copy = repr((before.doc, before.links))
    fold(SESSION, [Event("late", "2026-01-02T00:00:00.000Z", "tag", {"add": ["x"]}, clock=99)], before)
    assert repr((before.doc, before.links)) == copy


@given(histories())
def test_counts_are_those_of_the_events(events: list[Event]) -> None:
    state = fold(SESSION, events)
    counts = state.session().counts
    assert counts["events"] == len(events)
    assert counts["commits"] == sum(not link.replaced_by for link in state.links.values())
    assert counts.get("tools", 0) == sum(e.kind == "tool" for e in events)


KEYS = st.sampled_from([*Session.__dataclass_fields__, "session", "schema"]) | WORDS
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(WORDS, SCALARS, max_size=3)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_document_is_a_session_of_some_kind(doc: dict[str, Any]) -> None:
    assert isinstance(Session.from_doc(doc).status, str)


@given(st.sampled_from(["start", "end", "tag", "commit", "unlink", "rewrite", "usage", "model", "set", "phase"]),
       st.dictionaries(st.sampled_from(["goal", "tags", "add", "commit", "old", "new", "status", "agent", "meta"]),
                       st.none() | st.integers() | st.lists(st.integers()) | st.text()))  # fmt: skip
def test_events_of_any_shape_fold(kind: str, data: dict[str, Any]) -> None:
    fold(SESSION, [Event("e", "2026-01-01T00:00:00.000Z", kind, data, 1)])


def test_a_rewrite_carries_the_link_over() -> None:
    events = [
        Event("1", "2026-01-01T00:00:00.000Z", "commit", {"commit": "a" * 40, "via": "env", "primary": True}, 1),
        Event("2", "2026-01-01T00:00:01.000Z", "rewrite", {"old": "a" * 40, "new": "b" * 40}, 2),
    ]
    old, link = fold(SESSION, events).links.values()
    assert old.replaced_by == link.commit
    assert (link.commit, link.via, link.primary, link.rewritten_from) == ("b" * 40, "env", True, "a" * 40)


def test_a_commit_that_is_rewritten_twice_leads_to_both_and_an_undone_rewrite_back() -> None:
    a, b, c = "a" * 40, "b" * 40, "c" * 40
    at = "2026-01-01T00:00:00.000Z"
    first = [
        Event("1", at, "commit", {"commit": a, "via": "env"}, 1),
        Event("2", at, "rewrite", {"old": a, "new": b}, 2),
    ]
    twice = fold(SESSION, [*first, Event("3", at, "rewrite", {"old": a, "new": c}, 3)])
    assert [link.commit for link in twice.links.values() if not link.replaced_by] == [b, c]
    back = fold(SESSION, [*first, Event("3", at, "rewrite", {"old": b, "new": a}, 3)])
    assert [link.commit for link in back.links.values() if not link.replaced_by] == [a]


STATE = {"schema": 1, "id": SESSION, "status": "active", "started_at": "", "updated_at": ""}


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("tags", 5, None),
        ("tags", ["b", 3, "a", ["c"]], ["a", "b"]),
        ("clock", True, None),
        ("clock", -1, None),
        ("clock", 2**53, None),
        ("clock", 7, 7),
        ("counts", {"events": "x", "tools": True, "commits": 2}, {"commits": 2}),
        ("counts", "x", None),
        ("usage", {"cost_usd": math.inf, "input_tokens": "5", "output_tokens": 5}, {"output_tokens": 5}),
        ("agent", {"type": {"a": 1}, "model": "m"}, {"model": "m"}),
        ("goal", 5, None),
        ("status", "", "active"),
        ("status", ["x"], "active"),
        ("started_at", datetime.date(2026, 1, 1), ""),
        ("updated_at", "yesterday", ""),
        ("ended_at", 5, None),
        ("meta", {"x": datetime.datetime(2026, 1, 1)}, {"x": "2026-01-01 00:00:00"}),
        ("meta", "x", None),
        ("later", {"when": datetime.time(1)}, {"when": "01:00:00"}),
    ],
)
def test_a_state_keeps_what_has_the_right_type(key: str, value: object, kept: object) -> None:
    assert bounds.sane({**STATE, key: value}).get(key) == kept


ANYTHING = st.recursive(
    st.none() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
STATE_KEYS = st.sampled_from(
    [*bounds.TEXTS, "status", "updated_at", "clock", "tags", "agent", "counts", "usage", "meta", "later"]
)


@given(st.dictionaries(STATE_KEYS, ANYTHING), histories())
def test_whatever_a_state_says_events_fold_on_top_of_it(doc: dict[str, Any], events: list[Event]) -> None:
    before = bounds.sane(doc)
    after = fold(SESSION, events, State(before))
    json.dumps(after.session().to_dict(), allow_nan=False)
    assert bounds.sane(after.doc) == after.doc


@given(histories())
def test_a_folded_state_is_sane_already(events: list[Event]) -> None:
    doc = fold(SESSION, events).doc
    assert bounds.sane(doc) == doc


def test_no_events_make_a_state_too_large_to_read() -> None:
    at = "2026-01-01T00:00:00.000Z"
    long = "\x01" * 262_144
    events = [
        Event("s", at, "start", {"agent": {f"k{n}": long for n in range(40)}, "tags": [f"{n}" for n in range(9000)]}, 1)
    ]
    for n, key in enumerate([*bounds.TEXTS, *(f"m{n}" for n in range(40))], 2):
        data = (
            {key: long}
            if key in bounds.TEXTS
            else {"meta": {key: long[:60_000], "deep": {"n" * 190: {str(i): {} for i in range(9000)}}}}
        )
        events.append(
            Event(f"e{n}", at, {"message": "end", "phase": "phase", "parent": "start"}.get(key, "set"), data, n)
        )
    doc = fold(SESSION, events).doc
    assert len(codec.dumps(doc)) < 4 * 1024 * 1024
    assert bounds.sane(doc) == doc
    assert fold(SESSION, [Event("last", at, "set", {"meta": {"m0": ""}}, 99)], State(doc)).doc["meta"]["m0"] == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "5", 2**63])
def test_usage_that_is_no_amount_is_passed_over(value: object) -> None:
    at = "2026-01-01T00:00:00.000Z"
    events = [Event("1", at, "usage", {"cost_usd": value}, 1), Event("2", at, "usage", {"cost_usd": 1.0}, 2)]
    assert fold(SESSION, events).session().usage == {"cost_usd": 1.0}


def test_usage_never_adds_up_past_what_can_be_stored() -> None:
    at = "2026-01-01T00:00:00.000Z"
    events = [Event(str(n), at, "usage", {"input_tokens": 2**62, "cost_usd": 1e308}, n) for n in range(1, 9)]
    codec.dumps(fold(SESSION, events).doc)
    assert math.isfinite(fold(SESSION, events).session().usage["cost_usd"])
