"""What was said and done in a session, in its order: the items of its transcript, those of subagents where they began.

An item that was stored more than once (a memory was lost, a record grew) comes once: where it first stood, with what it
said last. The transcript is gone through twice, a chunk at a time; what is kept of it in memory is eight bytes and a
mark for each item. Texts are bounded and plain, and still whatever their author wrote: whoever shows them cleans them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from git_agent_session import bounds
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.agents.transcripts import items_of
from git_agent_session.ids import is_timestamp
from git_agent_session.model import Doc, Event, Session
from git_agent_session.store import transcript as stored
from git_agent_session.store.reader import Reader
from git_agent_session.store.transcript import Chunk

KINDS = ("prompt", "answer", "thinking", "call", "result", "compact", "model", "error", "interrupt")
OUTCOMES = ("ok", "error", "interrupted")
# characters of names and ids
_NAME = 200
# what is read last stays at hand: repeated items stand side by side
_AT_HAND = 2
# calls whose names wait for their results
_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An item as it is shown: see `protocol.Item`. `source` and `agent` are the id and type of a subagent; a result
    has the `name` of its tool."""

    kind: str
    id: str = ""
    at: str = ""
    text: str = ""
    name: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    duration_ms: int | None = None
    source: str = ""
    agent: str = ""

    def to_dict(self) -> Doc:
        """The keys of docs/json.md, those without a value left out."""
        row = {key: getattr(self, key) for key in Entry.__slots__}
        return {k: v for k, v in row.items() if v not in ("", None, {})}


class Timeline:
    """The transcript of one session. `kinds`: only these; `limit`: only the last so many."""

    def __init__(
        self,
        reader: Reader,
        session: Session,
        events: Collection[Event] = (),
        *,
        kinds: Collection[str] = (),
        limit: int | None = None,
    ) -> None:
        self.reader = reader
        self.session = session
        self.kinds = frozenset(kinds or KINDS)
        self.limit = limit
        self.sources = stored.transcripts(reader, session.id)
        self.types = types(events)
        self._first: dict[int, int] = {}
        self._moved: dict[int, tuple[Chunk, int]] = {}
        self._counts: Counter[str] | None = None
        self._loaded: dict[str, list[Item]] = {}

    def __bool__(self) -> bool:
        """True when the session has a transcript, readable or not."""
        return any(self.sources.values())

    @property
    def counts(self) -> Counter[str]:
        """How many entries there are of each kind."""
        if self._counts is None:
            self._counts = self._survey()
        return self._counts

    def entries(self) -> Iterator[Entry]:
        """The entries in their order, read as they are asked for."""
        total = sum(n for kind, n in self.counts.items() if kind in self.kinds)
        skip = max(0, total - self.limit) if self.limit is not None else 0
        for entry in self._all():
            if entry.kind in self.kinds:
                if skip == 0:
                    yield entry
                else:
                    skip -= 1

    # -- each item once

    def _survey(self) -> Counter[str]:
        """Go through all once: what stands where, and which of it says something else later."""
        counts: Counter[str] = Counter()
        for chunk, n, item in self._items_of_all():
            key = identity(chunk.source, item)
            if key is None:
                counts[item.kind] += 1
                continue
            says = _digest(item.text, item.name, item.outcome, repr(item.input))
            if key not in self._first:
                counts[item.kind] += 1
                self._first[key] = says
            elif self._first[key] != says:
                self._first[key] = says
                self._moved[key] = (chunk, n)
        return counts

    def _items_of_all(self) -> Iterator[tuple[Chunk, int, Item]]:
        for parts in self.sources.values():
            for chunk in parts:
                for n, item in enumerate(self._read(chunk)):
                    yield chunk, n, item

    def _source(self, source: str, seen: set[int]) -> Iterator[Item]:
        names: dict[str, str] = {}
        for chunk in self.sources[source]:
            for item in self._read(chunk):
                key = identity(source, item)
                if key in seen:
                    continue
                if key is not None:
                    seen.add(key)
                    item = self._latest(key, item)
                if item.kind == "call" and len(names) < _OPEN:
                    names[item.id] = item.name
                elif item.kind == "result":
                    item.name = names.pop(item.id, item.name)
                yield item

    def _latest(self, key: int, item: Item) -> Item:
        if key not in self._moved:
            return item
        chunk, n = self._moved[key]
        later = self._kept(chunk)
        # what cannot be read a second time is as it was the first
        return later[n] if n < len(later) else item

    def _kept(self, chunk: Chunk) -> list[Item]:
        if chunk.event.id not in self._loaded:
            while len(self._loaded) >= _AT_HAND:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[chunk.event.id] = list(self._read(chunk))
        return self._loaded[chunk.event.id]

    def _read(self, chunk: Chunk) -> Iterator[Item]:
        return items(self.reader, self.session, chunk)

    # -- subagents where they began

    def _all(self) -> Iterator[Entry]:
        seen: set[int] = set()
        waiting = sorted((self._began(source), source) for source in self.sources if source)
        for item in self._source("", seen):
            while waiting and waiting[0][0] < item.at:
                yield from self._inner(waiting.pop(0)[1], seen)
            yield entry_of(item)
        for _, source in waiting:
            yield from self._inner(source, seen)

    def _inner(self, source: str, seen: set[int]) -> Iterator[Entry]:
        agent = self.types.get(source, "")
        for item in self._source(source, seen):
            yield entry_of(item, source, agent)

    def _began(self, source: str) -> str:
        return began(self.sources[source])


def items(reader: Reader, session: Session, chunk: Chunk) -> Iterator[Item]:
    """The items of one chunk, in their order. What cannot be read is left out, with a word in `reader.broken`."""
    data = stored.load(reader, session.id, chunk)
    source, broken = Source(chunk.source, ""), 0
    for record in stored.records(data) if data else ():
        if record is None:
            broken += 1
            continue
        try:
            found = [_plain(i) for i in items_of(session.agent.type, record, source) if i.kind in KINDS]
        except (RecursionError, OverflowError):
            broken += 1
            continue
        yield from found
    if broken:
        name = f"transcript/{chunk.event.id}.jsonl"
        stored.report(reader, f"session {session.id[:8]}: {name} has {broken} lines that cannot be read")


def began(chunks: Collection[Chunk]) -> str:
    """When a subagent began; where that is not known, later than any time there is, so that it comes last."""
    return min((c.first for c in chunks if is_timestamp(c.first)), default="~")


def types(events: Collection[Event]) -> dict[str, str]:
    """The type of each subagent by its id, as its start said."""
    found: dict[str, str] = {}
    for event in events:
        if event.kind == "agent":
            name, kind = event.data.get("agent_id"), event.data.get("type")
            if isinstance(name, str) and isinstance(kind, str):
                found.setdefault(name, kind[:_NAME])
    return found


def identity(source: str, item: Item) -> int | None:
    """What tells an item from every other; None for one that says neither its id nor its time."""
    if item.id:
        return named(source, item.kind, item.id)
    if item.at:
        return _digest(source, item.kind, "", item.at, item.text, item.name)
    return None


def named(source: str, kind: str, item_id: str) -> int:
    """The `identity` of an item that has an id."""
    return _digest(source, kind, item_id)


def _digest(*parts: object) -> int:
    found = blake2b(digest_size=8)
    for part in parts:
        found.update(str(part).encode("utf-8", "replace") + b"\0")
    return int.from_bytes(found.digest(), "big")


def _plain(item: Item) -> Item:
    """The item with values of the right types: an agent's module reads what anybody may have written."""
    spent = item.duration_ms
    item.id, item.name, item.text = str(item.id), str(item.name)[:_NAME], str(item.text)
    item.at = item.at if is_timestamp(item.at) else ""
    item.input = bounds.plain(dict(item.input))
    item.outcome = item.outcome if item.outcome in OUTCOMES else ""
    item.duration_ms = spent if bounds.is_amount(spent) and spent is not None and spent >= 0 else None
    return item


def entry_of(item: Item, source: str = "", agent: str = "") -> Entry:
    """An item as an entry, of the subagent `source` of the type `agent` where these are given."""
    given = {key: getattr(item, key) for key in Item.__slots__}
    return Entry(**{**given, "id": item.id[:_NAME]}, source=source[:_NAME], agent=agent)
