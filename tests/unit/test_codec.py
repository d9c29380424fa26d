"""Text and TOML: what goes in comes out, and nothing that could harm gets in."""

from __future__ import annotations

import json
import time
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
    TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
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


def test_numbers_that_json_has_not_become_text() -> None:
    values = codec.clean_value([float("nan"), float("-inf"), 2**63, 10**9999, 1.5])
    assert values[:3] == ["nan", "-inf", "0x8000000000000000"]
    assert isinstance(values[3], str) and values[4] == 1.5


def test_an_event_keeps_its_own_keys_whatever_its_data_says() -> None:
    event = Event("mine", "2026-01-01T00:00:00.000Z", "note", {"id": 5, "kind": "end", "clock": "x", "a": 1}, 3)
    doc = event.to_dict()
    assert list(doc.items()) == [("id", "mine"), ("at", event.at), ("kind", "note"), ("clock", 3), ("a", 1)]


def test_dates_and_odd_numbers_of_a_batch_are_read_as_text() -> None:
    head = '[[event]]\nid = "a"\nat = "2026-01-01T00:00:00.000Z"\nkind = "x"\n'
    data = f"{head}day = 2026-01-01\nwhen = [2026-01-01T00:00:00Z]\nbig = {'9' * 4000}\nnone = nan\n"
    (event,) = codec.events_in(data.encode())
    assert event.data["day"] == "2026-01-01"
    assert event.data["when"] == ["2026-01-01 00:00:00+00:00"]
    assert event.data["none"] == "nan"
    json.dumps(event.to_dict(), allow_nan=False)
    codec.event_block(event)


@pytest.mark.parametrize("name", ["x\\nmine", "", "a b", ".a", "= a", "{"])
def test_an_id_that_is_none_is_malformed_and_named(name: str) -> None:
    data = f'[[event]]\nid = "{name}"\nat = "2026-01-01T00:00:00.000Z"\nkind = "x"\n'
    with pytest.raises(codec.Malformed, match="id cannot be"):
        codec.events_in(data.encode())


def test_a_kind_that_is_no_word_is_malformed() -> None:
    data = b'[[event]]\nid = "a"\nat = "2026-01-01T00:00:00.000Z"\nkind = "a b"\n'
    with pytest.raises(codec.Malformed, match="of kind 'a b'"):
        codec.events_in(data)


def test_a_large_journal_is_cut_into_pieces_in_one_pass() -> None:
    # 80 times the bytes must not take 6,400 times as long
    piece = codec.HEAD + b'\nid = "a"\n# end\n\n'

    def seconds(n: int) -> float:
        data = piece * n
        start = time.perf_counter()
        assert sum(whole for _, whole in codec.split_blocks(data)) == n
        return time.perf_counter() - start

    seconds(500)
    few = min(seconds(500) for _ in range(5))
    assert min(seconds(40_000) for _ in range(2)) < few * 80 * 6


_PLAIN = st.one_of(st.text(), st.booleans(), st.integers(), st.floats())


@given(st.dictionaries(st.text(), st.one_of(_PLAIN, st.lists(_PLAIN), st.lists(st.lists(st.text())))))
def test_an_event_reads_as_tomli_w_writes_it(data: dict[str, Any]) -> None:
    import tomli_w

    text = codec._lines({f"k{key}": value for key, value in data.items()})
    assert text == tomli_w.dumps({f"k{key}": value for key, value in data.items()})
