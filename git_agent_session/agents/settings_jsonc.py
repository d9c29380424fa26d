"""JSON settings as their owner wrote them: changed where they have to be, every other byte kept.

It reads JSON with what agents allow besides (`//` and `/* */` comments, a comma after the last value) and edits the
text in place, so order, comments, indentation and line ends stay; what was strict JSON before is strict JSON after. It
never normalises, and it knows nothing of hooks or files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BOM = "\ufeff"
DEEPEST = 100

Path = Sequence[str | int]

_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")


@dataclass(slots=True)
class _Node:
    """A value in the text: where it starts and ends, and what is in it where it is an object or an array."""

    start: int
    end: int
    value: Any
    children: list[_Child] = field(default_factory=list)


@dataclass(slots=True)
class _Child:
    """A member or an item: `start` is that of the key where there is one, `comma` where the comma after it stands."""

    key: str | int
    start: int
    node: _Node
    comma: int | None = None


class Document:
    """A JSON object in text form. Raises ValueError for text that is none, in one line."""

    def __init__(self, text: str) -> None:
        self._head = BOM if text.startswith(BOM) else ""
        text = text.removeprefix(BOM)
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        self._text = text if text.strip() else "{}" + self._line_end
        self._root = _parse(self._text)

    @property
    def text(self) -> str:
        """The whole text as it is now."""
        return self._head + self._text

    @property
    def value(self) -> dict[str, Any]:
        """What it says, to be read: a change in it changes no text."""
        value: dict[str, Any] = self._root.value
        return value

    def is_bare(self, path: Path = ()) -> bool:
        """True when the object or array at `path` has nothing in it, no comment either."""
        node = self._at(path)
        return not self._text[node.start + 1 : node.end - 1].strip()

    def has_comments(self, path: Path) -> bool:
        """True when there is a comment inside of what is at `path`."""
        node = self._at(path)
        return bool(_comments(self._text[node.start : node.end]))

    def put(self, path: Path, value: Any) -> None:
        """Set what is at `path`; a member that is not there becomes the last one. What is above it has to be there."""
        parent = self._at(path[:-1])
        child = next((c for c in parent.children if c.key == path[-1]), None)
        if child is None:
            self._insert(parent, json.dumps(path[-1], ensure_ascii=False) + ": ", value)
        else:
            inline = "\n" not in self._text[child.node.start : child.node.end] and not self._own_line(child.start)
            text = self._written(value, None if inline else self._indent_at(child.start))
            self._splice((child.node.start, child.node.end, text))

    def append(self, path: Path, value: Any) -> None:
        """Add an item to the end of the array at `path`."""
        self._insert(self._at(path), "", value)

    def remove(self, path: Path) -> None:
        """Take out what is at `path`, with its comma. Comments around it stay, they are somebody's."""
        parent = self._at(path[:-1])
        number = next(i for i, c in enumerate(parent.children) if c.key == path[-1])
        child, end = parent.children[number], parent.children[number].node.end
        before = self._text[parent.start + 1 : child.start]
        if len(parent.children) == 1 and not (before + self._text[end : parent.end - 1]).strip(" \t\r\n,"):
            self._splice((parent.start + 1, parent.end - 1, ""))
            return
        comma = child.comma
        if child is not parent.children[-1] and comma is not None and not self._own_line(child.start):
            rest = self._text[comma + 1 :]
            self._splice((child.start, end, ""), (comma, comma + 1 + len(rest) - len(rest.lstrip(" \t")), ""))
            return
        if comma is None and number:
            comma = parent.children[number - 1].comma
        start = self._solid_end(child.start)
        cuts = [(start, end, self._guard(start, end, child.comma))]
        self._splice(*cuts, *([(comma, comma + 1, "")] if comma is not None else []))

    # -- where

    def _at(self, path: Path) -> _Node:
        node = self._root
        for key in path:
            node = next(c.node for c in node.children if c.key == key)
        return node

    def _line_of(self, place: int) -> int:
        return max(self._text.rfind("\n", 0, place), self._text.rfind("\r", 0, place)) + 1

    def _own_line(self, place: int) -> bool:
        """True when nothing but blanks stands before `place` in its line, and there is a line before."""
        line = self._line_of(place)
        return line > 0 and not self._text[line:place].strip(" \t")

    def _indent_at(self, place: int) -> str:
        line = self._text[self._line_of(place) :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    @property
    def _unit(self) -> str:
        """One step of indentation: that of the first member that has one, two blanks where none has."""
        children = self._root.children
        if children and self._own_line(children[0].start) and (found := self._indent_at(children[0].start)):
            return found
        return "  "

    @property
    def _is_spread(self) -> bool:
        """True when the values of the document stand on lines of their own, or none is there yet."""
        children = self._root.children
        return not children or self._own_line(children[0].start)

    # -- changes

    def _splice(self, *cuts: tuple[int, int, str]) -> None:
        text = self._text
        for start, end, new in sorted(cuts, reverse=True):
            text = text[:start] + new + text[end:]
        self._root = _parse(text)
        self._text = text

    def _written(self, value: Any, indent: str | None) -> str:
        """`value` as JSON: in lines after the first indented by `indent`, or in one line (None)."""
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, ensure_ascii=False, indent=self._unit).split("\n")
        return (self._line_end + indent).join(lines)

    def _insert(self, parent: _Node, key: str, value: Any) -> None:
        if not parent.children:
            self._insert_first(parent, key, value)
            return
        last = parent.children[-1]
        spread = self._own_line(parent.children[0].start)
        indent = self._indent_at(parent.children[0].start) if spread else None
        text = key + self._written(value, indent)
        anchor = last.node.end if last.comma is None else last.comma + 1
        cuts = [] if last.comma is not None else [(anchor, anchor, ",")]
        # whoever ends the last line with a comma has it so after ours as well
        text += "," if last.comma is not None else ""
        place = self._end_of_line(anchor) if spread else anchor
        before = self._line_end + (indent or "") if spread else " "
        if place == anchor and cuts:
            cuts = [(anchor, anchor, "," + before + text)]
        else:
            cuts.append((place, place, before + text))
        self._splice(*cuts)

    def _insert_first(self, parent: _Node, key: str, value: Any) -> None:
        inner = self._text[parent.start + 1 : max(self._solid_end(parent.end - 1), parent.start + 1)]
        if not inner and not self._is_spread:
            text = key + self._written(value, None)
        else:
            outer = self._indent_at(parent.start)
            indent = outer + self._unit
            text = inner + self._line_end + indent + key + self._written(value, indent) + self._line_end + outer
        self._splice((parent.start + 1, parent.end - 1, text))

    def _end_of_line(self, place: int) -> int:
        """After the comments that follow `place` in its line: they belong to what is before them."""
        while True:
            rest = self._text[place:]
            comment = _COMMENT.match(self._text, place + len(rest) - len(rest.lstrip(" \t")))
            if comment is None:
                return place
            place = comment.end()

    def _solid_end(self, place: int) -> int:
        """Where what is before `place` ends, without the blanks between."""
        comments = [c.end() for c in _comments(self._text) if c.end() <= place]
        return max([len(self._text[:place].rstrip(" \t\r\n")), *comments[-1:]])

    def _guard(self, start: int, end: int, comma: int | None) -> str:
        """A line end where a line comment before `start` would swallow what stands after `end` in its line."""
        if not any(c.end() == start and c[0].startswith("//") for c in _comments(self._text)):
            return ""
        rest = self._text[end:] if comma is None else self._text[end:comma] + self._text[comma + 1 :]
        return self._line_end if rest[:1] not in "\r\n" else ""


def _comments(text: str) -> list[re.Match[str]]:
    """The comments of a text that has been parsed."""
    found = re.finditer(rf"{_STRING.pattern}|(?P<comment>{_COMMENT.pattern})", text, re.DOTALL)
    return [m for m in found if m["comment"] is not None]


# -- reading


def _parse(text: str) -> _Node:
    place = _skip(text, 0)
    root = _value(text, place, 0)
    if (rest := _skip(text, root.end)) != len(text):
        raise ValueError(f"something follows it {_where(text, rest)}")
    if not isinstance(root.value, dict):
        raise ValueError("it is no JSON object")
    return root


def _value(text: str, place: int, depth: int) -> _Node:
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep {_where(text, place)}")
    start = text[place : place + 1]
    if start == "{":
        return _object(text, place, depth)
    if start == "[":
        return _array(text, place, depth)
    if start == '"':
        value, end = _string(text, place)
        return _Node(place, end, value)
    found = _SCALAR.match(text, place)
    if found is None:
        raise ValueError(f"a value is expected {_where(text, place)}")
    try:
        return _Node(place, found.end(), json.loads(found[0]))
    except ValueError:  # an integer of thousands of digits: kept as it is, never looked at
        return _Node(place, found.end(), found[0])


def _string(text: str, place: int) -> tuple[str, int]:
    found = _STRING.match(text, place)
    if found is None:
        raise ValueError(f"a text is expected {_where(text, place)}")
    try:
        return str(json.loads(found[0])), found.end()
    except ValueError as e:
        raise ValueError(f"a text is wrong {_where(text, place)}") from e


def _object(text: str, place: int, depth: int) -> _Node:
    node = _Node(place, 0, {})
    place = _skip(text, place + 1)
    while text[place : place + 1] != "}":
        key, end = _string(text, place)
        if key in node.value:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object {_where(text, place)}")
        colon = _skip(text, end)
        if text[colon : colon + 1] != ":":
            raise ValueError(f"a colon is expected {_where(text, colon)}")
        child = _Child(key, place, _value(text, _skip(text, colon + 1), depth + 1))
        node.value[key] = child.node.value
        place = _next(text, node, child, "}")
    node.end = place + 1
    return node


def _array(text: str, place: int, depth: int) -> _Node:
    node = _Node(place, 0, [])
    place = _skip(text, place + 1)
    while text[place : place + 1] != "]":
        child = _Child(len(node.children), place, _value(text, place, depth + 1))
        node.value.append(child.node.value)
        place = _next(text, node, child, "]")
    node.end = place + 1
    return node


def _next(text: str, node: _Node, child: _Child, close: str) -> int:
    """Take `child` into `node`; the place of the next one, or of the bracket that closes."""
    node.children.append(child)
    place = _skip(text, child.node.end)
    if text[place : place + 1] == ",":
        child.comma = place
        return _skip(text, place + 1)
    if text[place : place + 1] != close:
        raise ValueError(f"a comma or {close} is expected {_where(text, place)}")
    return place


def _skip(text: str, place: int) -> int:
    """The next place that is neither blank nor in a comment."""
    while True:
        blank = _BLANK.match(text, place)
        assert blank is not None
        comment = _COMMENT.match(text, blank.end())
        if comment is None:
            return blank.end()
        place = comment.end()


def _where(text: str, place: int) -> str:
    line = text.count("\n", 0, place) + 1
    return f"(line {line}, column {place - text.rfind(chr(10), 0, place)})"
