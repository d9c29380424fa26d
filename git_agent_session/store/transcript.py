"""Reading the transcript that a session holds: its chunks, one at a time, and the records in them.

A chunk is the file `transcript/<event id>.jsonl` in the batch of its event; see docs/format.md. Whoever pushed it may
have put anything there: what is too large, or cannot be read, is reported in `Reader.broken` and skipped. What a record
says is its agent's business, not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from git_agent_session.errors import BrokenSession
from git_agent_session.model import Doc, Event
from git_agent_session.store.reader import Reader
from git_agent_session.store.seen import chain_events

# bytes; what is written here stays below a megabyte
MAX_CHUNK = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a part of a transcript is: its event, and the batch commit that holds both."""

    batch: str
    event: Event

    @property
    def source(self) -> str:
        """The subagent whose transcript it is a part of, "" for the session's own."""
        source = self.event.data.get("source", "")
        return source if isinstance(source, str) else ""

    @property
    def first(self) -> str:
        """When its first record was written, "" where that is not known."""
        first = self.event.data.get("first", "")
        return first if isinstance(first, str) else ""


def held(reader: Reader, session_id: str) -> list[Chunk]:
    """The chunks of a session in their order, none of them read. Raises BrokenSession where the events cannot be."""
    tip = reader.repo.tip(f"refs/agent-sessions/{session_id}")
    found: dict[str, Chunk] = {}
    for batch, event in sorted(chain_events(reader.repo, tip, session_id), key=lambda pair: pair[1].order):
        if event.kind == "transcript":
            found.setdefault(event.id, Chunk(batch, event))
    return list(found.values())


def batches(reader: Reader, tip: str, *, until: str | None = None) -> dict[str, str]:
    """The batch of each chunk of a chain by the id of its event, without what `until` reaches.

    Only names are read: for a caller that has the events from elsewhere, this is far cheaper than `held`. Raises
    ValueError where an object is damaged or not there.
    """
    found: dict[str, str] = {}
    for batch in reader.repo.chain(tip, until=until):
        for name in reader.repo.names(batch, "transcript"):
            found.setdefault(name.removesuffix(".jsonl"), batch)
    return found


def transcripts(reader: Reader, session_id: str) -> dict[str, list[Chunk]]:
    """The chunks by source: the session's own ("") first, then its subagents' in the order in which they began."""
    found: dict[str, list[Chunk]] = {"": []}
    for chunk in held(reader, session_id):
        found.setdefault(chunk.source, []).append(chunk)
    return found


def chunks(reader: Reader, session_id: str) -> Iterator[tuple[Event, bytes]]:
    """The chunks of a session in their order, each with its event: JSON lines, at most 8 MB at a time."""
    for chunk in held(reader, session_id):
        data = load(reader, session_id, chunk)
        if data is not None:
            yield chunk.event, data


def load(reader: Reader, session_id: str, chunk: Chunk) -> bytes | None:
    """The JSON lines of a chunk; None, and a word in `reader.broken`, where they are not there or cannot be read."""
    name = f"transcript/{chunk.event.id}.jsonl"
    try:
        data = reader.repo.files(chunk.batch, name, limit=MAX_CHUNK).get(name)
        if data is None:
            raise ValueError("it is not there")
    except ValueError as e:
        report(reader, f"session {session_id[:8]}: {name} cannot be read: {e}")
        return None
    return data


def records(data: bytes) -> Iterator[Doc | None]:
    """The records of a chunk; None for a line that is no JSON object, or one that is nested without end."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        line = data[start : end if end >= 0 else len(data)]
        start = end + 1 if end >= 0 else len(data)
        if line.strip():
            yield _record(line)


def _record(line: bytes) -> Doc | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def report(reader: Reader, message: str) -> None:
    """Keep what is wrong with a part of a transcript for whoever shows the session; each thing once."""
    if all(message != e.message for e in reader.broken):
        reader.broken.append(BrokenSession(message, hint="the rest of the transcript is not affected"))
