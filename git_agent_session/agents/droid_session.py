"""Droid's files of a session: `sessions/<folder>/<session id>.jsonl`, the transcript, and `<session id>.settings.json`.

The transcript is JSON lines `{type, id, timestamp, message}`, messages as Anthropic's service has them, with what was
shown or sent to one side alone marked by `visibility`. The settings have the model and running totals of tokens, in no
relation to messages; they are written anew after each request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import history, transcripts
from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Found, Item, Source

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Tally
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

FOLDER = "sessions"
# the source of the tokens, and what its records are
SETTINGS = "settings"
# bytes; longer settings are not read
LARGEST = 1024 * 1024

_KEPT = ("session_start", "message", "compaction_state", "agent_turn_outcome")
_DROPPED = ("systemInfo", "loadedDeferredToolNames", "hostId", "owner")
# text that Droid adds to what the user says
_REMINDER = "<system-reminder>"
# what makes room for another model is no compaction
_HANDOVER = "provider_switch_serialization"
_TOKENS = (
    ("input_tokens", "inputTokens"),
    ("output_tokens", "outputTokens"),
    ("cache_read_tokens", "cacheReadTokens"),
    ("cache_write_tokens", "cacheCreationTokens"),
)


# -- files


def sources(path: str, home: str) -> list[Source]:
    """The files of a session. Raises ValueError when they do not lie in Droid's own folder."""
    top, real = os.path.realpath(os.path.join(home, FOLDER)), os.path.realpath(path)
    if not real.startswith(top.rstrip(os.sep) + os.sep) or not real.endswith(".jsonl"):
        raise ValueError("the transcript does not lie in Droid's own folder: it is not read")
    return [Source("", real), Source(SETTINGS, f"{real.removesuffix('.jsonl')}.settings.json")]


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`."""
    return _gained(source, place) if source.name == SETTINGS else transcripts.json_lines(source.path, place)


def _gained(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """What the totals gained since `place`, which has them: a total cannot be told apart by models afterwards.

    Totals that fell have started anew. Raises OSError.
    """
    fd = os.open(source.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with open(fd, "rb") as f:
        data = f.read(LARGEST + 1)
    try:
        doc = json.loads(data) if len(data) <= LARGEST else None
    except (ValueError, RecursionError):
        return  # being written
    settings = read_.table(doc)
    usage = read_.table(settings.get("tokenUsage"))
    now = {ours: read_.whole(usage.get(theirs)) or 0 for ours, theirs in _TOKENS}
    known = {k: read_.whole(v) or 0 for k, v in read_.table(place).items() if isinstance(k, str)}
    before = {} if any(now.get(k, 0) < n for k, n in known.items()) else known
    gained = {k: n - before.get(k, 0) for k, n in now.items()}
    if any(gained.values()):
        record = {"type": SETTINGS, "model": read_.word(settings.get("model")), "gained": gained, "total": now}
        yield record, now


def found(location: Location, home: str) -> Iterator[Found]:
    """The sessions that began in the repository. A folder is named after where Droid was, separators made dashes."""
    for folder in history.named(os.path.join(home, FOLDER), location, _folder):
        for path, modified in history.below(folder, ".jsonl"):
            if history.where(path, "cwd", location):
                yield Found(os.path.basename(path).removesuffix(".jsonl"), path, modified)


def _folder(path: str) -> str:
    return path.replace(os.sep, "-").replace(":", "")


# -- records


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`: without what hooks did, what was written for the model alone, and reminders in texts."""
    message = record.get("message")
    if source.name == SETTINGS or record.get("type") not in _KEPT:
        return None
    left = {k: v for k, v in record.items() if k not in _DROPPED}
    if record.get("type") != "message" or not isinstance(message, dict):
        return left
    if message.get("hookEventName") or message.get("visibility") == "llm_only":
        return None
    content = message.get("content")
    if isinstance(content, list):
        content = [b for b in content if not _is_reminder(b)]
        if not content:
            return None
        left["message"] = {**message, "content": content}
    return left


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    own_id, at, message = read_.word(record.get("id")), transcripts.stamp(record), read_.table(record.get("message"))
    kind = record.get("type")
    if source.name == SETTINGS:
        return
    if kind == "message" and message.get("role") == "assistant":
        yield from _assistant(message, own_id, at)
    elif kind == "message" and message.get("role") == "user":
        yield from _user(message, own_id, at)
    elif kind == "compaction_state" and record.get("summaryKind") != _HANDOVER:
        summary = record.get("summaryText")
        yield Item("compact", own_id, at, summary if isinstance(summary, str) else "")
    elif kind == "agent_turn_outcome":
        yield from _outcome(record, at)


def _assistant(message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    for n, block in enumerate(read_.blocks(message.get("content"))):
        kind, block_id = block.get("type"), f"{own_id}.{n}" if n else own_id
        if kind == "text" and (said := read_.prose(block.get("text"))):
            yield Item("answer", block_id, at, said)
        elif kind == "thinking" and (said := read_.prose(block.get("thinking"))):
            yield Item("thinking", block_id, at, said)
        elif kind == "tool_use":
            name, given = read_.word(block.get("name")), read_.table(block.get("input"))
            yield Item("call", read_.word(block.get("id")), at, name=name, input=given)


def _user(message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    """What a person said has no `visibility`; what Droid says to the user in the user's place has."""
    blocks, shown = read_.blocks(message.get("content")), message.get("visibility")
    texts = (read_.prose(b.get("text")) for b in blocks if b.get("type") == "text" and not _is_reminder(b))
    said = "\n".join(text for text in texts if text)
    if said and shown is None:
        yield Item("prompt", own_id, at, said)
    elif said.startswith("Error") and shown != "llm_only":
        yield Item("error", own_id, at, said)
    for block in blocks:
        if block.get("type") == "tool_result":
            text = _plain(block.get("content"))
            # early versions mark no failure
            failed = block.get("is_error") is True or ("is_error" not in block and text.startswith("Error:"))
            outcome = "error" if failed else "ok"
            yield Item("result", read_.word(block.get("tool_use_id")), at, text, outcome=outcome)


def _outcome(record: Doc, at: str) -> Iterator[Item]:
    """How a turn ended, where it did not end well. The record has no time."""
    reason, turn = read_.word(record.get("reason")), read_.word(record.get("turnId"))
    if any(part in reason for part in ("cancel", "abort", "interrupt")):
        yield Item("interrupt", f"{turn}.{reason}", at)
    elif "error" in reason or "fail" in reason:
        yield Item("error", f"{turn}.{reason}", at, reason)


def _plain(content: object) -> str:
    return "\n".join(t for b in read_.blocks(content) if b.get("type") == "text" and (t := read_.prose(b.get("text"))))


def _is_reminder(block: object) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.lstrip().startswith(_REMINDER)


# -- tokens


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`. Input is without what the cache gave and took, output with reasoning."""
    if source.name == SETTINGS:
        if record.get("type") == SETTINGS:
            # the totals that were reached are what tells one gain from the next
            key = ":".join(str(n) for n in read_.table(record.get("total")).values())[:200]
            gained = {k: read_.whole(v) or 0 for k, v in read_.table(record.get("gained")).items()}
            model = read_.word(record.get("model"))
            tally.message(f"total:{key}", "", model, gained)
            tally.name(model=model)
    elif record.get("type") == "session_start":
        # later ones have the number of the format in its place
        version = read_.word(record.get("version"))
        tally.name(version=version if "." in version else "")
