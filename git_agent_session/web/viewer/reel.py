"""A transcript of any length, of which a page reads its own part alone.

Chunks say when they begin and end, so where each of them, each subagent and each event has its place is known without
reading one. From that come segments, in the order in which they are shown. What is read on the way is kept as numbers:
which item stands where first, and where it was stored again. A page that is asked for before all has been read may show
an item as it was stored first; `count` reads all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from git_agent_session.agents.protocol import Item
from git_agent_session.ids import is_timestamp
from git_agent_session.model import Session
from git_agent_session.report import timeline
from git_agent_session.report.timeline import Entry
from git_agent_session.store.reader import Reader
from git_agent_session.store.transcript import Chunk
from git_agent_session.web.viewer.places import Place, fits, kept

# later than any moment there is
LATE = "~"
# chunks whose items stay at hand; items of a session that are known apart
_AT_HAND, _MOST = 4, 200_000
# bits of a position that number the item within its chunk, which is at most 8 MB
_ITEM = 24


@dataclass(frozen=True, slots=True)
class Segment:
    """The items of a chunk from the first later than `after` on, up to the first later than `before`; all for "".

    Among them stand the events from `since` on until `until`. A subagent's (`source`) have none, and one without a
    chunk (`number` -1) has events alone.
    """

    number: int = -1
    source: str = ""
    after: str = ""
    before: str = ""
    since: str = ""
    until: str = ""


def plan(chunks: Sequence[Chunk]) -> tuple[Segment, ...]:
    """The segments of a transcript: the session's own chunks, divided where a subagent begins."""
    by_source: dict[str, list[int]] = {}
    for n, chunk in enumerate(chunks):
        by_source.setdefault(chunk.source, []).append(n)
    own = by_source.pop("", [])
    waiting = sorted((timeline.began([chunks[n] for n in held]), name) for name, held in by_source.items())
    out: list[Segment] = []
    reached = ""
    for number in own:
        since, after, reached = reached, "", max(reached, _last(chunks[number]))
        while waiting and waiting[0][0] < reached:
            moment, name = waiting.pop(0)
            if moment > after or not after:
                out.append(Segment(number, "", after, moment, since, max(since, moment)))
            out += [Segment(n, name) for n in by_source[name]]
            after, since = moment, max(since, moment)
        out.append(Segment(number, "", after, "", since, reached))
    for _, name in waiting:
        out += [Segment(n, name) for n in by_source[name]]
    # what happened since it was taken
    return (*out, Segment(since=reached, until=LATE))


def _last(chunk: Chunk) -> str:
    last = chunk.event.data.get("last", "")
    return last if is_timestamp(last) else ""


@dataclass(slots=True)
class _Ledger:
    """Where items stand, as numbers: by identity the first place, and the last one of those that came again."""

    first: dict[int, int] = field(default_factory=dict)
    again: dict[int, int] = field(default_factory=dict)
    read: set[int] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, source: str, items: Iterable[Item]) -> None:
        """Take in the items of a chunk, in whatever order the chunks come."""
        with self.guard:
            if number in self.read:
                return
            self.read.add(number)
            for n, item in enumerate(items):
                key = timeline.identity(source, item)
                if key is None:
                    continue
                place = number << _ITEM | n
                known = self.first.get(key)
                if known is None:
                    if len(self.first) < _MOST:
                        self.first[key] = place
                    continue
                self.first[key] = min(known, place)
                self.again[key] = max(self.again.get(key, known), place)


class Reel:
    """The chunks of a session's transcript at one tip, and what is known of them. Several threads may use one."""

    def __init__(self, tip: str, chunks: Sequence[Chunk], types: Mapping[str, str], before: Reel | None = None) -> None:
        """`types` are those of subagents by id. `before` is an earlier one of the same session's."""
        self.tip = tip
        self.chunks = tuple(chunks)
        self.types = types
        self.segments = plan(chunks)
        self.last = max((_last(c) for c in chunks), default="")
        self._ledger = _Ledger()
        self._items: dict[int, list[Item]] = {}
        self._counts: dict[Segment, Counter[str]] = {}
        if before is not None and before.chunks and before.chunks == self.chunks[: len(before.chunks)]:
            self._ledger, self._items = before._ledger, before._items
            # calls that were last may have their results by now
            last, still = len(before.chunks) - 1, set(self.segments)
            self._counts = {s: c for s, c in before._counts.items() if s.number < last and s in still}

    def __bool__(self) -> bool:
        """True where there is a transcript."""
        return bool(self.chunks)

    @property
    def size(self) -> int:
        """How many bytes it has, by what its events say."""
        said = (c.event.data.get("bytes") for c in self.chunks)
        return sum(n for n in said if isinstance(n, int) and n > 0)

    def read(self) -> int:
        """How many chunks have been read."""
        return len(self._ledger.read)

    # -- what a segment holds

    def places(self, reader: Reader, session: Session, segment: Segment) -> list[Place]:
        """The rows of a segment. Reads its chunk, and those beside it for what came twice and for late results."""
        if segment.number < 0:
            return []
        for number in (segment.number - 1, segment.number + 1):
            self._survey(reader, session, number)
        items = self._load(reader, session, segment.number)
        begin, end = _first_after(items, segment.after), _first_after(items, segment.before, len(items))
        made = (self._place(reader, session, segment.number, n, items[n]) for n in range(begin, end))
        return [place for place in made if place is not None]

    def is_at_hand(self, number: int) -> bool:
        """True for a chunk that need not be read for its rows."""
        return number in self._items

    def is_blank(self, reader: Reader, session: Session, segment: Segment) -> bool:
        """True for a segment whose chunk says nothing, or cannot be read."""
        return segment.number < 0 or not self._load(reader, session, segment.number)

    def _place(self, reader: Reader, session: Session, number: int, n: int, item: Item) -> Place | None:
        """The row of an item; None for one that stands elsewhere."""
        source, here = self.chunks[number].source, number << _ITEM | n
        key, first = timeline.identity(source, item), self._ledger.first
        if key is not None and first.get(key, here) != here:
            return None
        if item.kind == "result" and item.id and timeline.named(source, "call", item.id) in first:
            return None
        part, at, told = self._latest(reader, session, key, (number, n, item))
        place = Place(
            item.kind, item.at, f"t{number}-{n}", entry=self._entry(told, source), part=part.event.id, item=at
        )
        if item.kind == "call" and item.id:
            self._join(reader, session, place, timeline.named(source, "result", item.id))
        return place

    def _join(self, reader: Reader, session: Session, call: Place, key: int) -> None:
        """Give a call its result, as far as that is known."""
        where = self._ledger.first.get(key)
        if where is None:
            return
        number, n = where >> _ITEM, where & (1 << _ITEM) - 1
        items = self._load(reader, session, number)
        if n < len(items):
            part, at, told = self._latest(reader, session, key, (number, n, items[n]))
            call.result, call.result_part, call.result_item = self._entry(told, part.source), part.event.id, at

    def _latest(
        self, reader: Reader, session: Session, key: int | None, here: tuple[int, int, Item]
    ) -> tuple[Chunk, int, Item]:
        """An item as it was stored last, and where: in which chunk, the how manieth."""
        number, n, item = here
        again = self._ledger.again.get(key) if key is not None else None
        if again is not None:
            later, at = again >> _ITEM, again & (1 << _ITEM) - 1
            items = self._load(reader, session, later)
            # what cannot be read a second time is as it was the first
            if at < len(items):
                return self.chunks[later], at, items[at]
        return self.chunks[number], n, item

    def _entry(self, item: Item, source: str) -> Entry:
        return kept(timeline.entry_of(item, source, self.types.get(source, "")))

    # -- reading

    def _survey(self, reader: Reader, session: Session, number: int) -> None:
        if 0 <= number < len(self.chunks) and number not in self._ledger.read:
            self._load(reader, session, number)

    def _load(self, reader: Reader, session: Session, number: int) -> list[Item]:
        items = self._items.get(number)
        if items is None:
            chunk = self.chunks[number]
            items = list(timeline.items(reader, session, chunk))
            self._ledger.add(number, chunk.source, items)
            # other threads have the same ones
            for old in list(self._items)[: max(0, len(self._items) + 1 - _AT_HAND)]:
                self._items.pop(old, None)
            self._items[number] = items
        return items

    # -- counting

    def count(self, reader: Reader, session: Session) -> None:
        """Read what has not been read yet, and count the rows of each segment."""
        for segment in self.segments:
            if segment.number >= 0 and segment not in self._counts:
                rows = self.places(reader, session, segment)
                self._counts[segment] = Counter(name for place in rows for name in fits(place))

    @property
    def is_counted(self) -> bool:
        """True when the rows of all segments are known."""
        return all(s.number < 0 or s in self._counts for s in self.segments)

    def counted(self, segment: Segment) -> Counter[str] | None:
        """The rows of a segment by choice, as far as known."""
        return Counter() if segment.number < 0 else self._counts.get(segment)

    def counts(self) -> Counter[str]:
        """The rows of all segments that have been counted, by choice."""
        return sum(list(self._counts.values()), Counter())


def _first_after(items: Sequence[Item], moment: str, default: int = 0) -> int:
    """The number of the first item that is later than a moment; of one past the last where there is none."""
    if not moment:
        return default
    return next((n for n, item in enumerate(items) if item.at > moment), len(items))
