"""A session as a timeline: what was said and done, from its transcript where it has one, with its events in between.

The places of all rows are known at once (an id, a moment, a kind each); what they say is read for the rows that a page
shows. Texts of a transcript are cut as they are read, so that a session of any length takes bounded memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from git_agent_session.index.derived import Index
from git_agent_session.model import Event, Session
from git_agent_session.report.timeline import Entry, Timeline
from git_agent_session.store.reader import Reader

PAGE = 120
# rows of one session that there are places for; characters of an entry's texts that are kept
MOST = 200_000
_KEPT = 12_000
# what a transcript says better
_TOLD = frozenset({"message", "tool", "compact", "error", "interrupt", "model"})
# how a session is kept, not what happened in it
_UNSAID = frozenset({"transcript", "usage"})

# what a reader can choose to see: name -> kinds of places; all of them for ""
CHOICES: Mapping[str, frozenset[str]] = {
    "talk": frozenset({"prompt", "answer", "message", "interaction", "decision", "plan"}),
    "tools": frozenset({"call", "tool", "exec"}),
    "commits": frozenset({"commit", "rewrite", "unlink"}),
    "trouble": frozenset({"error", "interrupt", "failed"}),
}


@dataclass(slots=True)
class Place:
    """Where a row is told: an event (`key` in the index), or an `entry` of the transcript, the `number`th of it.

    A call has its result beside it; `failed` is set where that went wrong.
    """

    kind: str
    at: str
    key: int = 0
    entry: Entry | None = None
    number: int = -1
    result: Entry | None = None
    result_number: int = -1

    @property
    def failed(self) -> bool:
        """True for a call that went wrong."""
        return any(e is not None and e.outcome in ("error", "interrupted") for e in (self.entry, self.result))


@dataclass(frozen=True, slots=True)
class Told:
    """A place with what it says: the event where it is one, or the place's entry; `number` is its own among all."""

    number: int
    place: Place
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a timeline from `start` on, in a choice; `total` counts the choice's rows."""

    rows: tuple[Told, ...]
    start: int
    total: int
    choice: str = ""


@dataclass(slots=True)
class Story:
    """The places of one session, in order; good for what the session's ref and journal looked like when it was read."""

    places: list[Place] = field(default_factory=list)
    cut_off: bool = False

    def chosen(self, choice: str) -> list[tuple[int, Place]]:
        """The places of a choice, each with its number among all."""
        numbered = list(enumerate(self.places))
        kinds = CHOICES.get(choice)
        if kinds is None:
            return numbered
        return [(n, p) for n, p in numbered if p.kind in kinds or ("failed" in kinds and p.failed)]

    def page(self, found: Index, session_id: str, start: int = 0, choice: str = "", size: int = PAGE) -> Page:
        """The rows from `start` on."""
        chosen = self.chosen(choice)
        start = max(0, min(start, max(0, len(chosen) - 1)))
        part = chosen[start : start + size]
        events = _events(found, session_id, [p.key for _, p in part if p.entry is None])
        rows = (Told(n, p, events.get(p.key)) for n, p in part)
        kept = tuple(row for row in rows if row.place.entry is not None or row.event is not None)
        return Page(kept, start, len(chosen), choice if choice in CHOICES else "")


def has_transcript(found: Index, session_id: str) -> bool:
    """True where a session has any part of a transcript."""
    query = "SELECT 1 FROM events WHERE session = ? AND kind = 'transcript' LIMIT 1"
    return bool(found.query(query, [session_id]))


def transcript(reader: Reader, found: Index, session: Session) -> list[Place]:
    """The places of a session's transcript. Raises AgentSessionError."""
    query = "SELECT at, id, data FROM events WHERE session = ? AND kind = 'agent' LIMIT 1000"
    agents = [Event(i, at, "agent", json.loads(data)) for at, i, data in found.query(query, [session.id])]
    return list(islice(_entries(Timeline(reader, session, agents)), MOST))


def read(found: Index, session_id: str, entries: Sequence[Place] = ()) -> Story:
    """The story of a session: its events as the index has them, among the `entries` of its transcript."""
    query = "SELECT key, at, kind FROM events WHERE session = ? ORDER BY clock, id LIMIT ?"
    rows = found.query(query, [session_id, MOST + 1])
    events = [Place(kind, at, key) for key, at, kind in rows[:MOST] if kind not in _UNSAID]
    last = max((p.at for p in entries), default="")
    # what the transcript does not say, and what has happened since it was taken
    own = [p for p in events if not entries or p.kind not in _TOLD or p.at > last]
    return Story(_merged(entries, own), len(rows) > MOST)


def _merged(entries: Sequence[Place], events: Sequence[Place]) -> list[Place]:
    """Both in their own order, events where their moment falls."""
    out: list[Place] = []
    waiting = list(reversed(events))
    within = ""
    for place in entries:
        # what a subagent says stays together, whatever else happened meanwhile
        source = place.entry.source if place.entry is not None else ""
        while waiting and place.at and (not source or source != within) and waiting[-1].at < place.at:
            out.append(waiting.pop())
        within = source
        out.append(place)
    return out + waiting[::-1]


def _entries(timeline: Timeline) -> Iterator[Place]:
    calls: dict[tuple[str, str], Place] = {}
    for number, entry in enumerate(timeline.entries()):
        kept = _kept(entry)
        if entry.kind == "result" and (call := calls.pop((entry.source, entry.id), None)) is not None:
            call.result, call.result_number = kept, number
            continue
        place = Place(entry.kind, entry.at, entry=kept, number=number)
        if entry.kind == "call" and entry.id:
            calls[entry.source, entry.id] = place
        yield place


def _kept(entry: Entry) -> Entry:
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


def _events(found: Index, session_id: str, keys: Sequence[int]) -> dict[int, Event]:
    if not keys:
        return {}
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, id, at, kind, clock, data FROM events WHERE session = ? AND key IN ({marks})"
    out = {}
    for key, event_id, at, kind, clock, data in found.query(query, [session_id, *keys]):
        value = json.loads(data)
        out[key] = Event(event_id, at, kind, value if isinstance(value, dict) else {}, clock)
    return out


def place_of(found: Index, story: Story, session_id: str, event_id: str) -> int:
    """The number of an event's row, else of what happened next after it; 0 where there is no such event."""
    rows = found.query("SELECT key, at FROM events WHERE session = ? AND id = ?", [session_id, event_id])
    if not rows:
        return 0
    key, at = rows[0]
    for n, place in enumerate(story.places):
        if place.key == key:
            return n
    # its words stand in the transcript, which has its own clock: where the same moment is told
    return next((n for n, place in enumerate(story.places) if place.at >= at), max(0, len(story.places) - 1))


def entry(reader: Reader, session: Session, number: int) -> Entry | None:
    """One entry of a session's transcript, whole."""
    return next(islice(Timeline(reader, session).entries(), number, number + 1), None)


def event(found: Index, session_id: str, event_id: str) -> Event | None:
    """One event of a session, whole."""
    query = "SELECT id, at, kind, clock, data FROM events WHERE session = ? AND id = ?"
    for found_id, at, kind, clock, data in found.query(query, [session_id, event_id]):
        return Event(found_id, at, kind, json.loads(data), clock)
    return None
