"""Reads an agent's transcript as it grows, and makes of it what a session keeps: chunks of JSON lines, and events.

Each chunk is below a megabyte, whatever the transcript holds: what the harness wrote for itself is left out, secrets
and pasted images too, and texts that are too long are cut. Memory does not grow with the file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import payload, registry
from git_agent_session.agents.protocol import Draft, Item, Source
from git_agent_session.ids import event_id_from, is_timestamp, timestamp
from git_agent_session.model import Doc

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Recorded

# bytes; a longer line is passed over
LINE = 32 * 1024 * 1024
# bytes of JSON lines: a chunk is closed when it holds as much, and no record is larger
CHUNK = 512 * 1024
RECORD = 384 * 1024
# characters of one text in a record, tried one after the other until the record fits
TEXTS = (128 * 1024, 32 * 1024, 8 * 1024, 1024, 100)
DEPTH = 40
# characters: what is shorter is no picture
IMAGE = 256
# the keys beside `data` that mark a picture or a file, in one agent's records or another's
_MEDIA = frozenset({"media_type", "mime_type", "mimeType", "mime", "mediaType"})

FULL, MESSAGES, NONE = "full", "messages", "none"
MODES = (FULL, MESSAGES, NONE)
# the kinds of items that `messages` keeps
_SAID = ("prompt", "answer", "compact")
# how a record is marked that holds items instead of an agent's own record
ITEM = "agent-session-item"


def json_lines(path: str, place: Any) -> Iterator[tuple[Doc | None, int]]:
    """The whole lines from the byte `place` on as JSON objects, each with the place after it.

    A line that is no JSON object, or longer than 32 MB, comes as None; one that is still being written does not come.
    Raises OSError.
    """
    place = place if isinstance(place, int) and place > 0 else 0
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    fd = os.open(path, flags)
    with open(fd, "rb") as f:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        f.seek(place)
        long = False
        while line := f.readline(LINE):
            place += len(line)
            if line.endswith(b"\n"):
                yield None if long else json_object(line), place
                long = False
            elif len(line) == LINE:
                long = True
            else:
                return


def json_object(text: bytes) -> Doc | None:
    """The JSON object that a text is, None for what is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def reader(agent: Any) -> Callable[[Source, Any], Iterator[tuple[Doc | None, Any]]]:
    """How the records of an agent's transcripts are read."""
    own: Callable[[Source, Any], Iterator[tuple[Doc | None, Any]]] | None = getattr(agent, "read", None)
    return own or (lambda source, place: json_lines(source.path, place))


def shrank(source: Source, place: Any) -> bool:
    """True for a file that is not the one that was read: it is shorter, or what was read does not end a line of it."""
    if not isinstance(place, int) or place <= 0:
        return False
    try:
        if os.stat(source.path).st_size < place:
            return True
        if not source.path.endswith(".jsonl"):
            return False  # its places may count something else than bytes
        with open(source.path, "rb") as f:
            f.seek(place - 1)
            return f.read(1) != b"\n"
    except OSError:
        return False  # gone: nothing to read anew


class Chunk:
    """The part of a transcript that is being gathered: records of one source, from the place `start` to `end`."""

    def __init__(self, source: Source, start: Any) -> None:
        self.source = source
        self.start = self.end = start
        self.lines: list[bytes] = []
        self.size = 0
        self.first = ""
        self.last = ""

    @property
    def full(self) -> bool:
        """True when it is to be written."""
        return self.size >= CHUNK

    def add(self, line: bytes, at: str) -> None:
        """Add a record, which is a line of JSON."""
        self.lines.append(line)
        self.size += len(line)
        if at:
            self.first = self.first or at
            self.last = at

    def event(self, native_id: str, name: str = "") -> Draft:
        """The event that the chunk belongs to: the same id for the same records. `name`: the source's, as stored."""
        from binascii import crc32

        crc = f"{crc32(b''.join(self.lines)):08x}"
        data: Doc = {"records": len(self.lines), "bytes": self.size}
        name = name or self.source.name
        if isinstance(self.end, int):
            data["to"] = self.end
        named = {"source": name, "first": self.first, "last": self.last}
        data.update({k: v for k, v in named.items() if v})
        event_id = event_id_from("transcript", native_id, name, json.dumps(self.start), crc)
        return Draft(event_id, timestamp(), "transcript", data)


def line(record: Doc, redact: Callable[[Any], Any]) -> bytes:
    """A record as it is stored: without secrets, and cut where it is too long."""
    record = redact(record)
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    data = text.encode("utf-8", "replace")
    for limit in TEXTS:
        if len(data) < RECORD:
            break
        data = json.dumps(_cut(record, limit), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(data) >= RECORD:
        data = json.dumps({"type": "agent-session-cut", "bytes": len(data)}).encode()
    return data + b"\n"


def _cut(value: Any, limit: int, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[:limit]}… [cut: {len(value) - limit} characters]"
    if depth >= DEPTH:
        return "…"
    if isinstance(value, dict):
        return {k: _cut(v, limit, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_cut(v, limit, depth + 1) for v in value]
    return value


def without_images(value: Any, depth: int = 0) -> Any:
    """A record with every image in it (base64, a data URI) replaced by how many characters it had."""
    if isinstance(value, str):
        if len(value) > IMAGE and value.startswith("data:") and ";base64," in value[:100]:
            return f"[image dropped: {len(value)} characters]"
        return value
    if depth >= DEPTH:
        return value
    if isinstance(value, list):
        return [without_images(v, depth + 1) for v in value]
    if isinstance(value, dict):
        data = value.get("data")
        if isinstance(data, str) and len(data) > IMAGE and _is_encoded(data) and _MEDIA.intersection(value):
            value = {**value, "data": f"[image dropped: {len(data)} characters]"}
        return {k: without_images(v, depth + 1) for k, v in value.items()}
    return value


def _is_encoded(text: str) -> bool:
    head = text[:200]
    return head.isascii() and " " not in head and all(c.isalnum() or c in "+/=_-" for c in head)


def stored(agent: Recorded, record: Doc, source: Source, mode: str) -> Doc | None:
    """What is stored of a record in a mode, None for nothing."""
    if mode == MESSAGES:
        rows = [item_row(i) for i in agent.items(record, source) if i.kind in _SAID and i.text]
        return {"type": ITEM, "items": rows} if rows else None
    return agent.kept(record, source)


def item_row(item: Item) -> Doc:
    """An item as plain values, those that are empty left out."""
    row = {key: getattr(item, key) for key in Item.__slots__}
    return {k: v for k, v in row.items() if v not in ("", None, {})}


def row_item(row: Mapping[str, Any]) -> Item | None:
    """The item that `item_row` wrote; None for what is none."""
    kind, given, spent = row.get("kind"), row.get("input"), row.get("duration_ms")
    if not isinstance(kind, str):
        return None
    texts = {k: v for k in ("id", "at", "text", "name", "outcome") if isinstance(v := row.get(k, ""), str)}
    item = Item(kind, texts.get("id", ""), texts.get("at", ""), texts.get("text", ""))
    item.name, item.outcome = texts.get("name", ""), texts.get("outcome", "")
    item.input = given if isinstance(given, dict) else {}
    item.duration_ms = spent if isinstance(spent, int) else None
    return item


def items_of(agent_type: str, record: Doc, source: Source) -> list[Item]:
    """What a stored record says; nothing where the agent is not known or the record broken."""
    if record.get("type") == ITEM:
        rows = record.get("items")
        return [i for row in rows if isinstance(row, dict) and (i := row_item(row))] if isinstance(rows, list) else []
    agent: Any = registry.load(agent_type)
    if agent is None or not hasattr(agent, "items"):
        return []
    try:
        return list(agent.items(record, source))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return []


def told(item: Item, native_id: str) -> Draft | None:
    """The event that an item becomes when no hook speaks of it."""
    at = item.at if is_timestamp(item.at) else timestamp()
    if item.kind == "answer":
        return Draft(event_id_from("answer", native_id, item.id), at, "message", _said("assistant", item.text))
    if item.kind == "prompt":
        return Draft(event_id_from("prompt", native_id, item.id), at, "message", _said("user", item.text))
    if item.kind == "compact":
        return Draft(event_id_from("compact", native_id, item.id), at, "compact", {"summary": payload.text(item.text)})
    if item.kind in ("error", "interrupt"):
        data = {"text": payload.text(item.text)} if item.text else {}
        return Draft(event_id_from(item.kind, native_id, item.id), at, item.kind, data)
    return None


def _said(role: str, text: str) -> Doc:
    return {"role": role, "text": payload.text(text)}


def stamp(record: Mapping[str, Any]) -> str:
    """When a record was written, "" where it does not say in the form that all agents use."""
    return payload.instant(record.get("timestamp"))
