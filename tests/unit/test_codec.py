"""Text and TOML: what goes in comes out, and nothing that could harm gets in."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.model import Event

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
ODD = st.sampled_from(
    ["[[event]]", "\n[[event]]\n", "# end", "\n# end\n", '"""', "\\", "\r\n", "\x00", "\x1b[31m", "\ud800"]
)
TEXTS = st.lists(ANY_TEXT | ODD, max_size=4).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(min_size=1, max_size=8).filter(lambda k: k not in ("id", "at", "kind", "clock"))


@st.composite
def events(draw: st.DrawFn) -> Event:
    data = codec.clean_value(draw(st.dictionaries(KEYS, VALUES, max_size=4)))
    data = {k: v for k, v in data.items() if k not in ("id", "at", "kind", "clock")}
    return Event(draw(st.uuids()).hex, "2026-01-01T00:00:00.000Z", "message", data)


@given(st.lists(events(), max_size=4))
def test_events_come_back_as_they_were(written: list[Event]) -> None:
    assert codec.events_in(codec.join(written)) == written


@given(st.lists(events(), min_size=1, max_size=4), st.binary(max_size=20), st.data())
def test_a_torn_piece_costs_no_other_event(written: list[Event], junk: bytes, data: st.DataObject) -> None:
    torn = codec.event_block(data.draw(events()))
    torn = torn[: data.draw(st.integers(1, len(torn) - len(codec.TAIL) - 2))]
    text = b"\n" + codec.join(written[:1]) + b"\n" + torn + b"\n" + codec.join(written[1:])
    whole = [piece for piece, complete in codec.split_blocks(text) if complete]
    assert [codec.events_in(piece)[0] for piece in whole] == written


@given(TEXTS)
def test_clean_text_has_no_controls_and_is_clean_for_good(text: str) -> None:
    once = codec.clean(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in once)
    once.encode("utf-8")
    assert codec.clean(once) == once


@given(VALUES)
def test_any_value_can_be_written_once_clean(value: Any) -> None:
    doc = {"value": codec.clean_value(value)}
    assert tomllib.loads(codec.dumps(doc).decode()) == doc


def test_a_long_text_is_cut_and_says_so() -> None:
    assert codec.clean("x" * 50, 10) == "x" * 10 + "… [cut: 40 characters]"


def test_deep_nesting_becomes_text() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    tomllib.loads(codec.dumps({"deep": codec.clean_value(deep)}).decode())


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"a = ",
        b"[" * 5000,
        b"event = 3",
        b"[[event]]\nid = 1\n",
        b'[[event]]\nid = "a"\nat = "yesterday"\nkind = "x"',
    ],
)
def test_what_is_no_batch_is_malformed(data: bytes) -> None:
    with pytest.raises(codec.Malformed):
        codec.events_in(data)


def test_a_document_over_the_limit_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_DOCUMENT", 10)
    with pytest.raises(codec.Malformed, match="larger"):
        codec.loads(b"a = 1\n" * 10)
