"""A session as a timeline: what was said and done, from its transcript where it has one, with its events in between.

A page is made from where it starts, and reads as much of the transcript as it shows: see `reel.py`. Texts are cut as
they are read, so that a session of any length takes bounded memory.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import is_timestamp
from git_agent_session.index.derived import Index
from git_agent_session.model import Event, Session
from git_agent_session.report import timeline
from git_agent_session.report.timeline import Entry
from git_agent_session.store import transcript as stored
from git_agent_session.store.reader import Reader
from git_agent_session.store.transcript import Chunk
from git_agent_session.web.viewer.places import CHOICES, Place, fits
from git_agent_session.web.viewer.reel import Reel, Segment

PAGE = 120
# events of one session that there are rows for
MOST = 200_000
# segments that a page looks through for the rows of a choice
LOOKED = 24
# bytes of a transcript that is read whole for the counts of its first page
SMALL = 1024 * 1024
# what a transcript says better
_TOLD = frozenset({"message", "tool", "compact", "error", "interrupt", "model"})
# how a session is kept, not what happened in it
_UNSAID = frozenset({"transcript", "usage"})
_AT = re.compile(r"(\d{1,6})-(\d{1,7})")


@dataclass(frozen=True, slots=True, order=True)
class At:
    """Where a page starts: a row of a segment, counted among all of its rows whatever is chosen."""

    segment: int = 0
    row: int = 0

    @classmethod
    def of(cls, text: str) -> At:
        """From an address; the start for what is none."""
        found = _AT.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found and text.isascii() else cls()

    def __str__(self) -> str:
        """As an address has it, "" for the start."""
        return f"{self.segment}-{self.row}" if self > At() else ""


@dataclass(frozen=True, slots=True)
class Told:
    """A place with what it says: the event where it is one, or the place's entry."""

    place: Place
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a timeline in a choice. `next` is where the page after it starts, None for the last; `left` counts the
    rows from there on, None where that is not known."""

    rows: tuple[Told, ...]
    start: At
    next: At | None
    left: int | None = None
    choice: str = ""


def reel(reader: Reader, found: Index, session: Session, before: Reel | None = None) -> Reel:
    """A session's transcript as it is at its tip; `before` is the one that was made last. Raises StorageError."""
    session_id = session.id
    tip = reader.repo.tip(SESSIONS + session_id) or ""
    if before is not None and before.tip == tip:
        return before
    query = "SELECT at, id, clock, data FROM events WHERE session = ? AND kind = 'transcript' ORDER BY clock, id"
    events = [_event("transcript", *row) for row in found.query(query, [session_id])]
    known = {c.event.id: c.batch for c in before.chunks} if before is not None else {}
    batches = dict(known)
    if any(e.id not in known for e in events) and tip:
        # what is damaged is left out
        try:
            until = before.tip if before is not None and reader.repo.descends(tip, before.tip) else None
            batches |= stored.batches(reader, tip, until=until)
        except ValueError as e:
            stored.report(reader, f"session {session_id[:8]}: {e}")
    query = "SELECT at, id, clock, data FROM events WHERE session = ? AND kind = 'agent' LIMIT 1000"
    types = timeline.types([_event("agent", *row) for row in found.query(query, [session_id])])
    # one whose file is in no batch is not there, and said to be so when it is read
    chunks = [Chunk(batches.get(e.id, tip), e) for e in events]
    if Reel(tip, chunks, types).size <= SMALL:
        chunks = [_timed(reader, session, chunk) for chunk in chunks]
    return Reel(tip, chunks, types, before)


def _timed(reader: Reader, session: Session, chunk: Chunk) -> Chunk:
    """The chunk with the moments of its first and last item, where its event does not say them."""
    if is_timestamp(chunk.event.data.get("last")):
        return chunk
    moments = [item.at for item in timeline.items(reader, session, chunk) if item.at]
    data = {"first": min(moments), "last": max(moments)} if moments else {}
    return Chunk(chunk.batch, replace(chunk.event, data={**data, **chunk.event.data}))


def _event(kind: str, at: str, event_id: str, clock: int, data: str) -> Event:
    value = json.loads(data)
    return Event(event_id, at, kind, value if isinstance(value, dict) else {}, clock)


class Story:
    """The timeline of one session as it is now."""

    def __init__(self, reader: Reader, found: Index, session: Session, reel: Reel) -> None:
        self._reader, self._found, self.session, self.reel = reader, found, session, reel
        self.segments = reel.segments
        events = _places(found, session.id, reel.last if reel else None)
        self.cut_off = len(events) > MOST
        self._events = _divided(events[:MOST], self.segments)
        self._rows: dict[int, list[Place]] = {}

    def page(self, start: At, choice: str = "", size: int = PAGE) -> Page:
        """The rows from `start` on; the last one where there are none so far on."""
        choice = choice if choice in CHOICES else ""
        start = min(start, At(len(self.segments) - 1, MOST))
        rows: list[Place] = []
        here: At | None = start
        looked = 0
        while here is not None and len(rows) < size and looked < LOOKED:
            looked += self._may_hold(here.segment, choice)
            fitting = self._fitting(here.segment, choice, here.row)
            rows += [place for _, place in islice(fitting, size - len(rows))]
            more = next(fitting, None)
            here = At(here.segment, more[0]) if more is not None else self._after(here.segment)
        if not rows and here is None and start > At():
            return self.page(self.before(start, choice, 1), choice, size)
        return Page(tuple(self._told(rows)), start, here, self._left(here) if not choice else None, choice)

    def before(self, end: At, choice: str = "", size: int = PAGE) -> At:
        """Where the page starts that ends before `end`."""
        choice, end = choice if choice in CHOICES else "", min(end, At(len(self.segments) - 1, MOST))
        segment, upto, need = end.segment, end.row, size
        for _ in range(LOOKED):
            rows = [n for n, _ in self._fitting(segment, choice) if n < upto]
            if len(rows) >= need:
                return At(segment, rows[-need])
            need -= len(rows)
            if segment == 0:
                break
            segment, upto = segment - 1, MOST
        return At(segment, 0)

    def find(self, event_id: str) -> At:
        """The row of an event, else of what happened next after it; the start where there is no such event."""
        query = "SELECT at, kind FROM events WHERE session = ? AND id = ?"
        rows = self._found.query(query, [self.session.id, event_id])
        if not rows:
            return At()
        moment = rows[0][0]
        number = _window(self.segments, moment)
        for n, place in enumerate(self._places(number)):
            # its words may stand in the transcript, which has its own clock: where the same moment is told
            if place.id == f"e-{event_id}" or (place.at >= moment and rows[0][1] in _TOLD):
                return At(number, n)
        return At(number, MOST)

    def counts(self) -> Counter[str] | None:
        """The rows of each choice; None where the transcript has not been read yet, and is too long to be read now."""
        if not self.reel.is_counted:
            if self.reel.size > SMALL:
                return None
            self.count()
        return self.reel.counts() + Counter(name for held in self._events for place in held for name in fits(place))

    def count(self) -> None:
        """Read all of the transcript that has not been read yet."""
        self.reel.count(self._reader, self.session)

    @property
    def has_commits(self) -> bool:
        """True where a commit is among the events."""
        return any(place.kind in CHOICES["commits"] for held in self._events for place in held)

    # -- rows

    def _fitting(self, number: int, choice: str, start: int = 0) -> Iterator[tuple[int, Place]]:
        if not self._may_hold(number, choice):
            return iter(())
        rows = self._places(number)[start:]
        return ((n, place) for n, place in enumerate(rows, start) if choice in fits(place))

    def _may_hold(self, number: int, choice: str) -> bool:
        """False where no row of a segment is known to fit."""
        counted = self.reel.counted(self.segments[number])
        return counted is None or counted[choice] > 0 or bool(self._events[number])

    def _places(self, number: int) -> list[Place]:
        if number not in self._rows:
            segment = self.segments[number]
            entries = self.reel.places(self._reader, self.session, segment)
            events = self._events[number]
            if not entries and segment.since < segment.until and self.reel:
                events = self._untold(segment, events)
            self._rows[number] = _merged(entries, events)
        return self._rows[number]

    def _untold(self, segment: Segment, events: list[Place]) -> list[Place]:
        """The events of a segment, those too that its chunk would have told, were it readable."""
        if segment.number < 0 or not self.reel.is_blank(self._reader, self.session, segment):
            return events
        every = _places(self._found, self.session.id, None)
        return [p for p in every if segment.since <= p.at < segment.until]

    def _after(self, number: int) -> At | None:
        """The start of the next segment that has rows, or may have, for all that has been read."""
        for n in range(number + 1, len(self.segments)):
            part = self.segments[n].number
            if self._events[n] or (part >= 0 and (not self.reel.is_at_hand(part) or self._places(n))):
                return At(n, 0)
        return None

    def _left(self, at: At | None) -> int | None:
        if at is None:
            return 0
        if not self.reel.is_counted:
            return None
        rest = (self.reel.counted(s) or Counter() for s in self.segments[at.segment :])
        return sum(c[""] for c in rest) + sum(map(len, self._events[at.segment :])) - at.row

    def _told(self, rows: Sequence[Place]) -> Iterator[Told]:
        events = _events(self._found, self.session.id, [p.key for p in rows if p.entry is None])
        for place in rows:
            event = events.get(place.key)
            if place.entry is not None or event is not None:
                yield Told(place, event)


def _window(segments: Sequence[Segment], moment: str) -> int:
    """The number of the segment that a moment falls into."""
    ends = [(s.until, n) for n, s in enumerate(segments) if s.since < s.until]
    return ends[min(bisect_right([end for end, _ in ends], moment), len(ends) - 1)][1]


def _divided(events: Sequence[Place], segments: Sequence[Segment]) -> list[list[Place]]:
    """The events by segment, in their order."""
    out: list[list[Place]] = [[] for _ in segments]
    ends = [(s.until, n) for n, s in enumerate(segments) if s.since < s.until]
    untils = [end for end, _ in ends]
    for place in events:
        out[ends[min(bisect_right(untils, place.at), len(ends) - 1)][1]].append(place)
    return out


def _places(found: Index, session_id: str, last: str | None) -> list[Place]:
    """The events of a session. `last` is when its transcript ends: what that says is left out; None for none."""
    left = _UNSAID if last is None else _UNSAID | _TOLD
    marks = ",".join("?" * len(left))
    query = (
        "SELECT e.key, e.at, e.kind, e.id, coalesce(t.outcome, '') FROM events e LEFT JOIN tools t ON t.event = e.key "
        f"WHERE e.session = ? AND (e.kind NOT IN ({marks}) OR (e.at > ? AND e.kind NOT IN (?, ?))) "
        "ORDER BY e.clock, e.id LIMIT ?"
    )
    values = [session_id, *sorted(left), last or "~", *sorted(_UNSAID), MOST + 1]
    return [
        Place(kind, at, f"e-{event_id}", key, outcome=outcome)
        for key, at, kind, event_id, outcome in found.query(query, values)
    ]


def _merged(entries: Sequence[Place], events: Sequence[Place]) -> list[Place]:
    """Both in their own order, events where their moment falls."""
    out: list[Place] = []
    waiting = list(reversed(events))
    for place in entries:
        while waiting and place.at and waiting[-1].at < place.at:
            out.append(waiting.pop())
        out.append(place)
    return out + waiting[::-1]


def _events(found: Index, session_id: str, keys: Sequence[int]) -> Mapping[int, Event]:
    if not keys:
        return {}
    marks = ",".join("?" * len(keys))
    query = f"SELECT key, kind, at, id, clock, data FROM events WHERE session = ? AND key IN ({marks})"
    return {key: _event(*row) for key, *row in found.query(query, [session_id, *keys])}


def entry(reader: Reader, session: Session, held: Reel, part: str, item: int) -> Entry | None:
    """One entry of a session's transcript, whole: an item of the chunk whose event is `part`."""
    chunk = next((c for c in held.chunks if c.event.id == part), None)
    items = timeline.items(reader, session, chunk) if chunk is not None else iter(())
    found = next(islice(items, item, item + 1), None)
    return timeline.entry_of(found) if found is not None else None


def event(found: Index, session_id: str, event_id: str) -> Event | None:
    """One event of a session, whole."""
    query = "SELECT kind, at, id, clock, data FROM events WHERE session = ? AND id = ?"
    return next((_event(*row) for row in found.query(query, [session_id, event_id])), None)
