"""The fast way to read `events.toml`: it says what a reader of TOML says, or nothing."""

from __future__ import annotations

import tomllib

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session import codec, plain_toml
from git_agent_session.model import Event
from tests.unit.test_codec import events

# what could make JSON's reader see something else than TOML's
NASTY = st.sampled_from(
    [
        *(
            '"',
            '""',
            '"""',
            "'",
            "'''",
            "\\",
            "\\/",
            "\\ud83d\\ude00",
            "\\uD800",
            "\\u0041",
            "\\U0001F600",
            "\\e",
            "\\x41",
        ),
        *(
            "{",
            "}",
            "[",
            "]",
            "{}",
            "[]",
            "[\n",
            "[\n    1,\n]",
            "[1, 2]",
            "[[1]]",
            ",",
            ":",
            " = ",
            "=",
            ".",
            "#",
            "# end",
        ),
        *("null", "true", "NaN", "Infinity", "-inf", "nan", "1e5", "-0", "01", "+1", "1_0", "0x1", "1.", ".5", "1E400"),
        *("\n", "\r\n", "\r", "\t", " ", "\0", "\x7f", "\x1f", "\u2028", "\ufeff", "1979-05-27", "\n[[event]]\n"),
        *("\n[event]\n", "\n[event.more]\n", "\n[other]\n", "\n[[event.more]]\n", '1,"b":{"q":2', "3}", '"x","a":"y"'),
        *("a = 1\n", 'a = "\n', "a = [\n", "\nb = 2", "\nid = 1\n", '"quoted key" = 1\n', "a.b = 1\n"),
    ]
)


def by_toml(data: bytes) -> object:
    """What a reader of TOML makes of a document, the types of all values included; "" for an error."""
    try:
        return repr(tomli.loads(data.decode("utf-8")).get("event", []))
    except ValueError:
        return ""


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A document of ours in which somebody has put anything anywhere."""
    text = codec.join(draw(st.lists(events(), min_size=1, max_size=3))).decode()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 3))
        text = text[:at] + draw(NASTY | st.text(max_size=3)) + text[at + cut :]
    return text.encode("utf-8", "surrogatepass")


@settings(max_examples=300)
@given(documents())
def test_what_it_says_of_any_document_is_what_toml_says(data: bytes) -> None:
    found = plain_toml.events(data, tomli.loads)
    assert found is None or repr(found) == by_toml(data)


LINES = st.lists(st.tuples(st.sampled_from(["a", "b", "id"]), NASTY | st.tuples(NASTY, NASTY).map("".join)), max_size=4)


@settings(max_examples=300)
@given(LINES)
def test_no_line_is_taken_for_another(lines: list[tuple[str, str]]) -> None:
    data = b"[[event]]\n" + "".join(f"{key} = {value}\n" for key, value in lines).encode() + b"# end\n"
    found = plain_toml.events(data, tomli.loads)
    assert found is None or repr(found) == by_toml(data)


LISTS = st.lists(
    st.lists(st.sampled_from(['"', "a", ",", "\\", "1", " ", '"v"', "\t", "]"]), max_size=4).map("".join), max_size=3
)


@settings(max_examples=300)
@given(LISTS)
def test_no_item_goes_on_in_the_next_line(items: list[str]) -> None:
    data = "".join(["[[event]]\na = [\n", *(f"    {item},\n" for item in items), "]\n"]).encode()
    found = plain_toml.events(data, tomli.loads)
    assert found is None or repr(found) == by_toml(data)


def test_what_we_write_is_read_the_fast_way() -> None:
    data = {"text": 'a "b" \\ \t\u2028 é\n', "n": 1, "x": -0.5, "yes": True, "paths": ["a", "b"], "none": []}
    plain = Event("one", "2026-01-01T00:00:00.000Z", "tool", data, 3)
    tables = Event("two", "2026-01-01T00:00:00.000Z", "start", {"agent": {"type": "codex"}, "rows": [{"a": 1}]}, 4)
    text = (
        codec.join([plain, tables, plain]) + b"[[event]]\ntext = 'tab \t\\'\n[event.more]\ntext = 'tab \t\\'\n# end\n"
    )
    asked: list[str] = []

    def loads(part: str) -> dict[str, object]:
        asked.append(part)
        return tomli.loads(part)

    assert plain_toml.events(text, loads) == tomllib.loads(text.decode())["event"]
    assert len(asked) == 2 and "two" in asked[0]


@pytest.mark.parametrize(
    "text",
    [
        '[[event]]\na = 1,"b":{"q":2\nb = 3}\n',
        '[[event]]\na = "x","a":"y"\n',
        '[[event]]\na = {"b": 1}\n',
        "[[event]]\na = null\n",
        "[[event]]\na = [\n    null,\n]\n",
        "[[event]]\na = NaN\n",
        "[[event]]\na = 1\na = 2\n",
        '[[event]]\na = "\\/"\n',
        '[[event]]\na = "\\ud83d\\ude00"\n',
        "[[event]]\na = 1\n# end\n[other]\nb = 1\n[[event]]\na = 1\n# end\n[other]\nb = 1\n",
        "[[event]]\na = [\n    1\n",
        "[[event]]\na = [\n    ,\n]\n",
        '[[event]]\na = [\n    "x,\n    ","y",\n]\n',
        '[[event]]\na = "\\\t"\n',
        '[[event]]\na = "\x01"\n',
    ],
)
def test_what_only_json_takes_is_left_to_toml(text: str) -> None:
    assert plain_toml.events(text.encode(), tomli.loads) is None
    with pytest.raises(codec.Malformed):
        codec.event_rows(text.encode())
