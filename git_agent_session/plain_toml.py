"""Reads `events.toml` in the form that `codec` writes in half the time that TOML takes: by turning it into JSON.

A line is a key, ` = ` and a text, a number or a truth; a list has a line for each item. Of these TOML's and JSON's
readers say the same, but for a few escapes and words that are looked for. What is not certainly of this form is given
back unread, be it right or wrong: then `codec` reads it as TOML. One event may be other TOML (it has tables) without
the rest having to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

Doc = dict[str, Any]

_HEAD = "[[event]]\n"
# bytes that TOML takes in a line as they are, and the line's end
_FINE = bytes(set(range(256)) - set(range(0x20)) - {0x7F} | {0x09, 0x0A})
# escapes that only JSON knows, and halves of pairs, which only JSON takes; a tab as below
_OTHER_ESCAPES = re.compile(r"\\(?:[/\t]|u[dD][89a-fA-F])")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALARS = frozenset({str, int, float, bool})
# keys that were met, as JSON writes them
_heads: dict[str, str] = {}
_MOST_HEADS = 1000


class _OtherForm(ValueError):
    """It is not of this form, or not certainly."""


def _refuse(word: str) -> NoReturn:
    raise _OtherForm(word)  # NaN and Infinity are none of TOML's


# the pairs as they stand, as tuples, which no list is: of a key that is there twice, TOML takes neither; strict, for
# no text of TOML goes on in the next line
_read = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_refuse).decode


def events(data: bytes, loads: Callable[[str], Doc]) -> list[Doc] | None:
    """The tables of the array `event` in a document; None where that is `loads`' to say, of all of the document.

    `loads` reads TOML; it is asked for single events of another form, and may raise ValueError.
    """
    if not data.startswith(_HEAD.encode()) or data.translate(None, _FINE):
        return None
    try:
        text = data.decode("utf-8")
        if "\\" in text and _OTHER_ESCAPES.search(text):
            return None
        return _rows(text.removeprefix(_HEAD).split("\n" + _HEAD), loads)
    except (ValueError, RecursionError):
        return None


def _rows(blocks: list[str], loads: Callable[[str], Doc]) -> list[Doc]:
    keys, texts = zip(*map(_as_json, blocks), strict=True)
    # a tab within a text; elsewhere it is no JSON then
    found = _read(f"[{','.join(text for text in texts if text)}]".replace("\t", "\\t"))
    rows, read = [], iter(found)
    for own, text, block in zip(keys, texts, blocks, strict=True):
        rows.append(_row(own, next(read)) if text else _by_toml(block, loads))
    if next(read, None) is not None:
        raise _OtherForm("what looked like one event is several")
    return rows


def _as_json(block: str) -> tuple[list[str], str]:
    """The keys of an event and what should be its JSON; "" where the block is of another form."""
    keys: list[str] = []
    parts: list[str] = []
    lines = iter(block.split("\n"))
    for line in lines:
        key, sep, value = line.partition(" = ")
        if sep:
            head = _heads.get(key) or _head(key)
            parts.append(head + value if value != "[" else f"{head}[{_items(lines)}]")
            keys.append(key)
        elif line and line != "# end":
            return keys, ""
    return keys, "{" + ",".join(parts) + "}"


def _head(key: str) -> str:
    """A key as JSON writes it, with its colon."""
    if not _KEY.fullmatch(key):
        raise _OtherForm(key)
    if len(_heads) < _MOST_HEADS:
        _heads[key] = f'"{key}":'
    return f'"{key}":'


def _items(lines: Iterator[str]) -> str:
    items: list[str] = []
    for line in lines:
        if line == "]":
            if items and not items[0].strip():
                break
            return ",\n".join(items)
        if not line.startswith("    ") or not line.endswith(","):
            break
        items.append(line[4:-1])
    raise _OtherForm("a list without an end")


def _row(keys: list[str], pairs: tuple[tuple[str, Any], ...]) -> Doc:
    """The event whose keys are `keys` and no others: then each line was one value."""
    row = dict(pairs)
    if len(row) != len(pairs) or list(row) != keys:
        raise _OtherForm("keys that repeat, or stand in values")
    if not _SCALARS.issuperset(map(type, row.values())):
        for value in row.values():
            if type(value) not in _SCALARS and (type(value) is not list or not _SCALARS.issuperset(map(type, value))):
                raise _OtherForm("values within values")
    return row


def _by_toml(block: str, loads: Callable[[str], Doc]) -> Doc:
    """An event that has tables, read alone."""
    doc = loads(_HEAD + block)
    rows = doc.get("event")
    if len(doc) != 1 or not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise _OtherForm("more than one event")
    return rows[0]
