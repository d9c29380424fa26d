"""Gemini CLI's chats: JSON lines of messages, or one JSON document in older versions, and what they say.

A line is a header, a message, `{"$set": …}` or `{"$rewindTo": id}`. A message is written again, with the same id, when
its tool calls have come back: the last one counts. `$set.messages` repeats the whole history in place of what was there
before; nothing of it is new but a compaction's snapshot.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zlib import crc32

from git_agent_session.agents import gemini, history, transcripts
from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Found, Item, Source
from git_agent_session.ids import is_event_id
from git_agent_session.live import listed

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Tally
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

SUBAGENTS = 1000
# bytes of a chat that is one document
DOCUMENT = 64 * 1024 * 1024
_CANCELLED = "Request cancelled."
_SNAPSHOT = "<state_snapshot>"
# how a message in the user's name begins that no person wrote
_HARNESS = ("<session_context>", "<hook_context>", "This is the Gemini CLI. We are setting up the context")
_ANSWERS = ("gemini", "model")


# -- files


def sources(path: str, home: str) -> list[Source]:
    """See `protocol.Recorded.sources`; `home` is Gemini's folder."""
    real, root = os.path.realpath(path), os.path.realpath(os.path.join(home, "tmp"))
    below = os.path.relpath(real, root).split(os.sep)
    if len(below) != 3 or below[0] == os.pardir or below[1] != "chats" or not gemini.is_chat(below[2]):
        raise ValueError("the transcript does not lie in Gemini's own folder: it is not read")
    own_id = _session_id(real)
    folder = os.path.join(os.path.dirname(real), own_id if is_event_id(own_id) else "-")
    inner = [Source(os.path.basename(p).removesuffix(".jsonl"), p) for p, _ in history.below(folder, ".jsonl")]
    return [Source("", real), *inner[:SUBAGENTS]]


def _session_id(path: str) -> str:
    """The id in a chat's header."""
    own_id = history.first(path, "sessionId")[0] if path.endswith(".jsonl") else _document(path).get("sessionId")
    return read_.word(own_id)


def found(location: Location, home: str) -> Iterator[Found]:
    """See `protocol.Importable.found`. A project's folder says where the project is; older ones are named by a hash."""
    root = os.path.join(home, "tmp")
    hashes = {hashlib.sha256(os.fsencode(top)).hexdigest() for top in history.worktrees(location)}
    named = _projects(home)
    for name in listed(root):
        top = _line(os.path.join(root, name, ".project_root")) or named.get(name)
        if name in hashes or history.belongs(top, location):
            for path, modified in history.below(os.path.join(root, name, "chats"), ""):
                # a chat that was one document goes on as JSON lines beside it, which repeat it
                later = path.endswith(".json") and os.path.exists(path + "l")
                if gemini.is_chat(os.path.basename(path)) and not later and (own_id := _session_id(path)):
                    yield Found(own_id, path, modified)


def _projects(home: str) -> dict[str, str]:
    """The folders of projects, by the names that Gemini has given them."""
    projects = read_.table(_document(os.path.join(home, "projects.json")).get("projects"))
    return {name: path for path, name in projects.items() if isinstance(name, str)}


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return f.read(4096).strip()
    except OSError:
        return ""


def _document(path: str) -> Doc:
    """A file that is one JSON object; an empty one where it cannot be read."""
    try:
        return _load(path)
    except OSError:
        return {}


def _load(path: str) -> Doc:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    fd = os.open(path, flags)
    with open(fd, "rb") as f:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > DOCUMENT:
            return {}
        return transcripts.json_object(f.read()) or {}


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded.read`.

    The place in JSON lines is a byte. In one document it is the number of messages that were read and a checksum of the
    last of them, which comes again when it has changed.
    """
    if source.path.endswith(".jsonl"):
        yield from transcripts.json_lines(source.path, place)
        return
    document = _load(source.path)
    given = document.get("messages")
    messages = given if isinstance(given, list) else []
    seen, crc = place if isinstance(place, list) and len(place) == 2 else (-1, 0)
    if document and seen < 0:
        yield {k: v for k, v in document.items() if k != "messages"}, [0, 0]
    start = max(0, min(seen, len(messages)))
    if start and crc != _crc(messages[start - 1]):
        start -= 1
    for n in range(start, len(messages)):
        message = messages[n]
        yield message if isinstance(message, dict) else None, [n + 1, _crc(message)]


def _crc(message: Any) -> int:
    return crc32(json.dumps(message).encode())


# -- what is stored


def kept(record: Doc) -> Doc | None:
    """See `protocol.Recorded.kept`."""
    changes = record.get("$set")
    if isinstance(changes, dict):
        out = {k: v for k, v in changes.items() if k not in ("lastUpdated", "messages", "memoryScratchpad")}
        if snapshots := [m for m in _messages(changes) if _is_snapshot(m)]:
            out["messages"] = snapshots
        return {**record, "$set": out} if out else None
    if record.get("type") == "user" and _is_own(record):
        return None
    if isinstance(calls := record.get("toolCalls"), list):
        record = {**record, "toolCalls": [_call(c) if isinstance(c, dict) else c for c in calls]}
    messages = [m for m in (kept(m) for m in _messages(record)) if m is not None]
    return {**record, "messages": messages} if "messages" in record else record


def _call(call: Mapping[str, Any]) -> Doc:
    """A tool call without the tool's manual, and without the files before and after beside their difference."""
    out = {k: v for k, v in call.items() if k not in ("description", "renderOutputAsMarkdown")}
    if isinstance(shown := out.get("resultDisplay"), dict):
        out["resultDisplay"] = {k: v for k, v in shown.items() if k not in ("originalContent", "newContent")}
    return out


def _messages(record: Mapping[str, Any]) -> list[Doc]:
    given = record.get("messages")
    return [m for m in given if isinstance(m, dict)] if isinstance(given, list) else []


def _is_own(message: Mapping[str, Any]) -> bool:
    """True for a message in the user's name that Gemini wrote: context, and what a tool call holds already."""
    parts, said = _parts(message.get("content")), _plain(message.get("content"))
    if said.strip():
        return said.lstrip().startswith(_HARNESS) and not _is_snapshot(message)
    return bool(parts) and all("functionResponse" in part for part in parts)


def _is_snapshot(message: Mapping[str, Any]) -> bool:
    """True for what the model wrote of a history that is dropped, its notes before it."""
    said = _plain(message.get("content")).lstrip()
    return (
        message.get("type") == "user" and said.startswith("<") and _SNAPSHOT in said and not said.startswith(_HARNESS)
    )


# -- what is said


def items(record: Doc) -> Iterator[Item]:
    """See `protocol.Recorded.items`."""
    changes = record.get("$set")
    if isinstance(changes, dict):
        for message in _messages(changes):
            if _is_snapshot(message):
                yield from items(message)
        return
    for message in _messages(record):
        if "messages" not in message:
            yield from items(message)
    kind, own_id, at = record.get("type"), read_.word(record.get("id")), transcripts.stamp(record)
    if own_id and kind == "user":
        yield from _asked(record, own_id, at)
    elif own_id and kind in _ANSWERS:
        yield from _answered(record, own_id, at)
    elif own_id and kind == "info" and _plain(record.get("content")).strip() == _CANCELLED:
        yield Item("interrupt", own_id, at)
    elif own_id and kind == "error":
        yield Item("error", own_id, at, _plain(record.get("content")))


def _asked(record: Doc, own_id: str, at: str) -> Iterator[Item]:
    if _is_snapshot(record):
        said = _plain(record.get("content"))
        yield Item("compact", own_id, at, said[said.index(_SNAPSHOT) :])
    elif not _is_own(record):
        # what was typed, where files that it names were put into it
        said = _plain(record.get("displayContent")) or _plain(record.get("content"))
        if said.strip():
            yield Item("prompt", own_id, at, said)


def _answered(record: Doc, own_id: str, at: str) -> Iterator[Item]:
    thoughts = record.get("thoughts")
    for n, thought in enumerate(thoughts if isinstance(thoughts, list) else []):
        texts = [read_.table(thought).get(key) for key in ("subject", "description")]
        said = "\n".join(t for t in texts if isinstance(t, str) and t)
        if said:
            yield Item("thinking", f"{own_id}.{n}", transcripts.stamp(read_.table(thought)) or at, said)
    said = _plain(record.get("content")) or _plain(record.get("parts"))
    if said.strip():
        yield Item("answer", own_id, at, said)
    calls = record.get("toolCalls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict) and (call_id := read_.word(call.get("id"))):
            yield from _called(call, call_id, at)


def _called(call: Mapping[str, Any], call_id: str, at: str) -> Iterator[Item]:
    name = read_.word(call.get("name"))
    yield Item("call", call_id, at, name=name, input=read_.table(call.get("args")))
    status = call.get("status")
    if status not in ("success", "error", "cancelled"):
        return  # it has not ended
    said = _response(call.get("result"))
    outcome = {"success": "ok", "error": "error"}.get(status, "interrupted")
    if outcome == "ok" and name == gemini.SHELL:
        outcome = gemini.shell_outcome(said)
    yield Item("result", call_id, transcripts.stamp(call) or at, said, outcome=outcome)


def _response(result: Any) -> str:
    """What a tool gave back: its output or error, or the text beside them."""
    texts = []
    for part in _parts(result):
        given = read_.table(read_.table(part.get("functionResponse")).get("response"))
        texts += [t for t in (given.get("output"), given.get("error"), part.get("text")) if isinstance(t, str)]
    return "\n".join(texts)


def _parts(content: Any) -> list[Mapping[str, Any]]:
    """The parts of a message's content: a text, a part, or a list of both."""
    parts = content if isinstance(content, list) else [content]
    return [{"text": p} if isinstance(p, str) else p for p in parts if isinstance(p, str | dict)]


def _plain(content: Any) -> str:
    return "\n".join(t for p in _parts(content) if isinstance(t := p.get("text"), str))


# -- tokens


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded.count`.

    `input` is with what the cache gave, `tool` is what tools of the model's own put into the request beside it, and
    `output` is without `thoughts`; all but `cached` make up the total. Requests of a compaction are not in a chat.
    """
    for message in _messages(record) if "$set" not in record else ():
        if "messages" not in message:
            count(message, tally, source)
    tokens, own_id = read_.table(record.get("tokens")), read_.word(record.get("id"))
    if record.get("type") not in _ANSWERS or not own_id:
        return
    model = read_.word(record.get("model"))
    if tokens:
        given, cached, thoughts = (read_.whole(tokens.get(name)) or 0 for name in ("input", "cached", "thoughts"))
        amounts = {
            "input_tokens": max(0, given - cached) + (read_.whole(tokens.get("tool")) or 0),
            "cache_read_tokens": cached,
            "output_tokens": (read_.whole(tokens.get("output")) or 0) + thoughts,
            "reasoning_tokens": thoughts,
        }
        tally.message(own_id, transcripts.stamp(record), model, amounts)
    if model and not source.name:
        tally.name(model=model)
