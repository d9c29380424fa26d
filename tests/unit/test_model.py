"""The fold: one set of events, one state, however it is cut into batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

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
    assert counts.get("commits", 0) == len(state.links)
    assert counts.get("tools", 0) == sum(e.kind == "tool" for e in events)


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
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
    (link,) = fold(SESSION, events).links.values()
    assert (link.commit, link.via, link.primary, link.rewritten_from) == ("b" * 40, "env", True, "a" * 40)
