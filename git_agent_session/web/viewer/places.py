"""A row of a timeline before it is worded: what it is of, when, and where its whole text is to be had."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session.report.timeline import Entry

# characters of an entry's texts that are kept
_KEPT = 12_000

# what a reader can choose to see: name -> kinds of places; all of them for ""
CHOICES: Mapping[str, frozenset[str]] = {
    "talk": frozenset({"prompt", "answer", "message", "interaction", "decision", "plan"}),
    "tools": frozenset({"call", "tool", "exec"}),
    "commits": frozenset({"commit", "rewrite", "unlink"}),
    "trouble": frozenset({"error", "interrupt", "failed"}),
}


@dataclass(slots=True)
class Place:
    """Where a row is told: an event (`key` in the index), or an `entry` of the transcript: item `item` of the chunk
    whose event is `part`. `id` is the row's own, the same each time the session is shown.

    A call has its result beside it; `failed` is set where that went wrong.
    """

    kind: str
    at: str
    id: str
    key: int = 0
    entry: Entry | None = None
    part: str = ""
    item: int = -1
    result: Entry | None = None
    result_part: str = ""
    result_item: int = -1
    outcome: str = ""

    @property
    def failed(self) -> bool:
        """True for a call that went wrong."""
        told = (self.outcome, *(e.outcome for e in (self.entry, self.result) if e is not None))
        return any(outcome in ("error", "interrupted") for outcome in told)


def fits(place: Place) -> Iterator[str]:
    """The choices that show a place, "" (which shows all) first."""
    yield ""
    for name, kinds in CHOICES.items():
        if place.kind in kinds or (place.failed and "failed" in kinds):
            yield name


def kept(entry: Entry) -> Entry:
    """An entry with texts of at most 12,000 characters; what is cut says so."""
    if len(entry.text) <= _KEPT and not entry.input:
        return entry
    given = {k: _cut(v) for k, v in entry.input.items()}
    return Entry(**{**{k: getattr(entry, k) for k in Entry.__slots__}, "text": _cut(entry.text), "input": given})


def _cut(value: Any) -> Any:
    """A value whose text says with its length that something is left out."""
    if isinstance(value, str) and len(value) > _KEPT:
        return f"{value[:_KEPT]}\n… ({len(value):,} characters in all)"
    if isinstance(value, list | dict) and len(str(value)) > 4 * _KEPT:
        return _cut(json.dumps(value, ensure_ascii=False, default=str))
    return value
