"""Texts of sessions on their way into a page: nothing invisible, nothing that turns the direction, nothing endless.

A template escapes what comes from here; this takes care of what escaping does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session.report.conversation import segments
from git_agent_session.term import SEQUENCES

# characters of one text in a page before "show all", of a line of code, and of one page of a text that is shown whole
SHOWN = 6_000
LINE = 2_000
PAGE = 200_000

_STEERING = re.compile(SEQUENCES)
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
# what is there and cannot be seen: C0, DEL, C1, marks and overrides of direction, zero width, tags, surrogates
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_SPAN = re.compile(r"`([^`\n]+)`|\*\*(?=\S)([^*\n]+)(?<=\S)\*\*")
_HEADING = re.compile(r"#{1,6} +(.+)")
_LISTED = re.compile(r"( {0,12})(?:[-*+•]|\d{1,3}[.)]) +\S")


def shown(text: object, *, newlines: bool = True) -> str:
    """A text in which all that can be seen is what is there: escape sequences gone, unseen characters as `⟨U+202E⟩`."""
    out = text if isinstance(text, str) else str(text)
    if not out.isprintable():
        out = _LINE_ENDS.sub("\n", _STEERING.sub("", out))
        out = _UNSEEN.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", out)
    return out if newlines else " ".join(out.split())


def line(text: object, limit: int = 200) -> str:
    """The text in one line of at most `limit` characters."""
    raw = text if isinstance(text, str) else str(text)
    flat = shown(raw[: 4 * limit], newlines=False)
    return flat if len(flat) <= limit and len(raw) <= 4 * limit else f"{flat[: limit - 1]}…"


@dataclass(frozen=True, slots=True)
class Cut:
    """The start of a text, and how many characters of it are `left` out."""

    text: str
    left: int = 0


def cut(text: str, limit: int = SHOWN) -> Cut:
    """At most `limit` characters of a text, ending with a line where one ends near."""
    if len(text) <= limit:
        return Cut(shown(text))
    end = text.rfind("\n", limit // 2, limit)
    end = end if end > 0 else limit
    return Cut(shown(text[:end]), len(text) - end)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of prose as (tag, text), tag `code`, `strong` or ""; an item of a list has a `depth` from 1 to 3."""

    spans: tuple[tuple[str, str], ...]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a prose text: `language` and `code` of a fence, or `lines`."""

    language: str = ""
    code: str = ""
    lines: tuple[Line, ...] = ()


def prose(text: str) -> list[Block]:
    """Markdown that somebody wrote, in its parts: fences, lists, code spans, bold words and headings; the rest as
    typed."""
    blocks = []
    for language, part in segments(shown(text).strip("\n").rstrip()):
        if language:
            blocks.append(Block(language, part))
        elif part.strip():
            blocks.append(Block(lines=tuple(map(_line, part.strip("\n").split("\n")))))
    return blocks


def _line(row: str) -> Line:
    heading, item = _HEADING.fullmatch(row), _LISTED.match(row)
    if heading:
        return Line(tuple(_spans(heading[1], "strong")))
    if item:
        # two spaces a level, as most write it
        return Line(tuple(_spans(row.lstrip(" "), "")), min(3, 1 + len(item[1]) // 2))
    return Line(tuple(_spans(row, "")))


def _spans(row: str, plain: str) -> Iterator[tuple[str, str]]:
    at = 0
    for found in _SPAN.finditer(row):
        yield plain, row[at : found.start()]
        yield ("code", found[1]) if found[1] is not None else ("strong", found[2])
        at = found.end()
    yield plain, row[at:]


def value(thing: Any, limit: int = SHOWN) -> Cut:
    """A plain value as text: itself, or JSON."""
    if isinstance(thing, str):
        return cut(thing, limit)
    if isinstance(thing, Mapping | list):
        return cut(json.dumps(thing, ensure_ascii=False, indent=2, default=str), limit)
    return cut(str(thing), limit)
