"""Reads a batch's events in the very form that we write them in (`codec.event_block`), for a check and no more.

Fetched sessions are checked by the thousand, and parsing TOML is most of it. What a regular expression knows line by
line need not be parsed: every text that is accepted is TOML, its events are such that `Event.check` takes them, and
what is told of them is the same. Whatever looks any other way is left to the parser. The expression never goes back
over what it has read, so that no text, however made, takes longer than its length.
"""

from __future__ import annotations

import json
import re

from git_agent_session import bounds, codec
from git_agent_session.model import Event
from git_agent_session.store.seen import LINKING

_CHARS = r'[^"\\\x00-\x1f\x7f]*+'
# escapes of control characters alone: halves of surrogate pairs are no TOML
_STRING = rf'"{_CHARS}(?:\\(?:[bfnrt"\\]|u00[01][0-9a-f]|u007f){_CHARS})*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,20})?+"
_ONE = rf"(?:{_STRING}|{_NUMBER}|true|false)"
_ARRAY = rf"\[(?:\n(?:    {_ONE},\n)++)?+\]"
_KEY = r"[A-Za-z0-9_-]++"
_LINES = rf"(?:{_KEY} = (?:{_ONE}|{_ARRAY})\n)*+"

_BLOCK = re.compile(
    r"\[\[event\]\]\n"
    r'id = "([A-Za-z0-9_-][A-Za-z0-9._-]{0,199})"\n'
    r'at = "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)"\n'
    r'kind = "([A-Za-z0-9][A-Za-z0-9._/-]{0,63})"\n'
    r"clock = (0|[1-9][0-9]{0,17})\n"
    rf"({_LINES})"
    rf"(?:\[event\.({_KEY})\]\n({_LINES}))?+"
    r"# end\n"
)
_KEYS = re.compile(rf"^({_KEY}) = ", re.M)
_VALUES = re.compile(rf"^({_KEY}) = ({_ONE}|{_ARRAY})\n", re.M)
_OWN = frozenset(("id", "at", "kind", "clock"))


def read(data: bytes) -> tuple[int, list[Event]] | None:
    """The highest clock of the events of a batch, and those of them that make or take back links; None for what is not
    in this form.
    """
    try:
        text = data.decode("utf-8")
    except ValueError:
        return None
    highest, place = 0, 0
    linking: list[Event] = []
    while place < len(text):
        block = _BLOCK.match(text, place)
        if block is None or not _are_distinct(block):
            return None
        clock = int(block[4])
        if clock <= bounds.MAX_CLOCK:
            highest = max(highest, clock)
        if block[3] in LINKING:
            linking += [_event(block)] if block[6] is None else codec.events_in(block[0].encode())
        place = block.end()
    return highest, linking


def _event(block: re.Match[str]) -> Event:
    # texts and numbers are JSON's as well, and so are lists but for their last comma
    own = {"id": block[1], "at": block[2], "kind": block[3], "clock": int(block[4])}
    rows = _VALUES.findall(block[5])
    return Event.from_dict(own | {key: json.loads(value.replace(",\n]", "]")) for key, value in rows})


def _are_distinct(block: re.Match[str]) -> bool:
    """Whether no key stands twice, which no TOML may have."""
    lines, name, inner = block[5], block[6], block[7]
    keys = _KEYS.findall(lines)
    found = set(keys)
    if len(found) != len(keys) or not _OWN.isdisjoint(found) or name in found or name in _OWN:
        return False
    if not inner:
        return True
    below = _KEYS.findall(inner)
    return len(set(below)) == len(below)
