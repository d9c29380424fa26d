"""Ids and times in their one form."""

from __future__ import annotations

import uuid
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import ids


def test_a_new_id_is_a_random_uuid() -> None:
    text = ids.new_session_id()
    assert uuid.UUID(text).version == 4
    assert ids.is_session_id(text)
    assert str(uuid.UUID(text)) == text


def test_an_agents_id_gives_the_same_uuid_everywhere() -> None:
    expected = uuid.uuid5(uuid.UUID(bytes=ids.NAMESPACE), "claude-code:57e5658c")
    assert ids.native_session_id("claude-code", "57e5658c") == str(expected)


@given(st.text())
def test_only_a_canonical_uuid_is_an_id(text: str) -> None:
    assert not ids.is_session_id(text)


@given(st.uuids())
def test_every_uuid_in_lower_case_is_an_id_and_each_start_of_it_an_abbreviation(value: uuid.UUID) -> None:
    text = str(value)
    assert ids.is_session_id(text)
    assert not ids.is_session_id(text + "\n")
    for n in range(1, 37):
        assert ids.is_abbreviation(text[:n]) == (n >= 4)


@given(st.text(max_size=300), st.text(max_size=300))
def test_event_ids_made_of_anything_are_valid_and_stable(a: str, b: str) -> None:
    made = ids.event_id_from("tool", a, b)
    assert ids.is_event_id(made)
    assert made == ids.event_id_from("tool", a, b)


@given(st.integers(0, 4_000_000_000_000))
def test_timestamps_read_back_and_sort(ms: int) -> None:
    text = ids.timestamp(ms * 1_000_000)
    assert ids.is_timestamp(text)
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == ms
    assert ids.timestamp((ms + 1) * 1_000_000) > text
