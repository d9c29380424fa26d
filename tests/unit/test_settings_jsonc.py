"""Settings with comments are edited in place: what was changed is changed, and every other byte is where it was."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents.settings_jsonc import DEEPEST, Document

BLANKS = st.sampled_from(["", " ", "\n", "\n  ", "\t", "  \n\n\t"])
COMMENTS = st.sampled_from(["// why", "/* why */", "/* a,\n b: {} */", '// "x": [', "/**/", '/* "*/', "// trailing \t"])
KEYS = st.sampled_from(["hooks", "a", "b", "ünï", 'q"u', "//", "Stop", "c d"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
MARK = {"command": "ours", "timeout": 20}


@st.composite
def trivia(draw: st.DrawFn) -> str:
    """Blanks and comments, as somebody might have put them between any two tokens."""
    out = draw(BLANKS)
    for comment in draw(st.lists(COMMENTS, max_size=2)):
        out += comment + ("\n" if comment.startswith("//") else "") + draw(BLANKS)
    return out


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    if depth > 2 or draw(st.integers(0, 2)) == 0:
        return json.dumps(draw(SCALARS), ensure_ascii=bool(draw(st.integers(0, 1))))
    return draw(objects(depth=depth)) if draw(st.integers(0, 1)) else draw(arrays(depth=depth))


@st.composite
def arrays(draw: st.DrawFn, depth: int = 0) -> str:
    items = [draw(trivia()) + draw(values(depth + 1)) + draw(trivia()) for _ in range(draw(st.integers(0, 3)))]
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return f"[{','.join(items)}{comma}{draw(trivia())}]"


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> str:
    parts = []
    for key in draw(st.lists(KEYS, max_size=3, unique=True)):
        gaps = [draw(trivia()) for _ in range(4)]
        parts.append(f"{gaps[0]}{json.dumps(key)}{gaps[1]}:{gaps[2]}{draw(values(depth + 1))}{gaps[3]}")
    comma = draw(st.sampled_from(["", ","])) if parts else ""
    return f"{{{','.join(parts)}{comma}{draw(trivia())}}}"


def comments(text: str) -> list[str]:
    found = re.finditer(r'"(?:[^"\\]|\\.)*"|(//[^\r\n]*|/\*.*?\*/)', text, re.DOTALL)
    return [m[1] for m in found if m[1]]


def paths(value: Any, kind: type, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if isinstance(value, kind) else []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [p for key, v in members for p in paths(v, kind, (*at, key))]


def get(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def inside_of(text: str, path: tuple[Any, ...]) -> str:
    """The text of a member or an item, from its key to the end of its value."""
    (child,) = (c for c in Document(text)._at(path[:-1]).children if c.key == path[-1])
    return text[child.start : child.node.end]


@given(objects(), st.data())
def test_a_member_that_is_put_in_and_taken_out_leaves_every_byte(text: str, data: st.DataObject) -> None:
    doc = Document(text)
    path = data.draw(st.sampled_from(paths(doc.value, dict)))
    empty = not get(doc.value, path)
    before = json.loads(json.dumps(doc.value))
    doc.put((*path, "new"), MARK)
    assert get(doc.value, path)["new"] == MARK and comments(doc.text) == comments(text)
    doc.remove((*path, "new"))
    assert doc.value == before and comments(doc.text) == comments(text)
    if not empty:
        assert doc.text == text


@given(objects(), st.data())
def test_an_item_that_is_put_in_and_taken_out_leaves_every_byte(text: str, data: st.DataObject) -> None:
    doc = Document(text)
    choice = paths(doc.value, list)
    if not choice:
        return
    path = data.draw(st.sampled_from(choice))
    size = len(get(doc.value, path))
    doc.append(path, MARK)
    assert get(doc.value, path)[size] == MARK and comments(doc.text) == comments(text)
    doc.remove((*path, size))
    assert comments(doc.text) == comments(text) and len(get(doc.value, path)) == size
    if size:
        assert doc.text == text


@given(objects(), st.data())
def test_what_is_taken_out_takes_nothing_else_with_it(text: str, data: st.DataObject) -> None:
    doc = Document(text)
    everything = [p for p in paths(doc.value, object) if p]
    if not everything:
        return
    path = data.draw(st.sampled_from(everything))
    wanted = json.loads(json.dumps(doc.value))
    gone = get(wanted, path[:-1])
    del gone[path[-1]]
    inside = comments(inside_of(text, path))
    doc.remove(path)
    assert doc.value == wanted
    assert len(comments(doc.text)) == len(comments(text)) - len(inside)
    assert all(c in comments(text) for c in comments(doc.text))


@given(objects(), st.data(), SCALARS)
def test_what_is_replaced_is_replaced_alone(text: str, data: st.DataObject, value: object) -> None:
    doc = Document(text)
    everything = [p for p in paths(doc.value, object) if p]
    if not everything:
        return
    path = data.draw(st.sampled_from(everything))
    wanted = json.loads(json.dumps(doc.value))
    get(wanted, path[:-1])[path[-1]] = value
    doc.put(path, value)
    assert doc.value == wanted


@given(st.dictionaries(st.text(max_size=4), st.recursive(SCALARS, st.lists, max_leaves=5), max_size=4), st.booleans())
def test_strict_json_stays_strict(value: dict[str, Any], spread: bool) -> None:
    doc = Document(json.dumps(value, indent=2 if spread else None))
    doc.put(("hooks",), {})
    doc.put(("hooks", "Stop"), [])
    doc.append(("hooks", "Stop"), MARK)
    assert json.loads(doc.text) == {**value, "hooks": {"Stop": [MARK]}}


def test_a_member_goes_below_the_comment_that_belongs_to_the_one_before() -> None:
    doc = Document('{\n\t"a": 1 // the number\n\t// "b": 2\n}\n')
    doc.put(("c",), [1])
    assert doc.text == '{\n\t"a": 1, // the number\n\t"c": [\n\t\t1\n\t]\n\t// "b": 2\n}\n'


def test_a_comma_at_the_end_is_a_habit_that_stays() -> None:
    doc = Document('{\n  "a": 1,\n}')
    doc.put(("b",), 2)
    assert doc.text == '{\n  "a": 1,\n  "b": 2,\n}'


def test_a_document_in_one_line_stays_in_one() -> None:
    doc = Document('{"a": {}}\n')
    doc.put(("a", "b"), {"c": [1, 2]})
    doc.put(("d",), 1)
    assert doc.text == '{"a": {"b": {"c": [1, 2]}}, "d": 1}\n'


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    doc = Document('\ufeff{\r\n    "a": 1\r\n}\r\n')
    doc.put(("b",), {"c": 1})
    assert doc.text == '\ufeff{\r\n    "a": 1,\r\n    "b": {\r\n        "c": 1\r\n    }\r\n}\r\n'


def test_numbers_keep_their_spelling() -> None:
    doc = Document('{"a": 1e999, "b": 1.10, "c": ' + "9" * 5000 + "}")
    doc.put(("d",), 1)
    assert doc.text == '{"a": 1e999, "b": 1.10, "c": ' + "9" * 5000 + ', "d": 1}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "a text is expected (line 1, column 2)"),
        ("[]", "it is no JSON object"),
        ("{}\n}", "something follows it (line 2, column 1)"),
        ('{"a" 1}', "a colon is expected (line 1, column 6)"),
        ('{"a": 1 "b": 2}', "a comma or } is expected (line 1, column 9)"),
        ('{"a": [1 2]}', "a comma or ] is expected (line 1, column 10)"),
        ('{"a": NaN}', "a value is expected (line 1, column 7)"),
        ("{'a': 1}", "a text is expected (line 1, column 2)"),
        ('{"a": "\\x"}', "a text is wrong (line 1, column 7)"),
        ('{"a": 1, /* }', "a text is expected (line 1, column 10)"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice in one object (line 1, column 10)"),
        ('{"a":' + "[" * (DEEPEST + 1), f"it is nested more than {DEEPEST} deep (line 1, column {6 + DEEPEST})"),
        ("{,}", "a text is expected (line 1, column 2)"),
        ("// only a comment", "a value is expected (line 1, column 18)"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Document(text)
