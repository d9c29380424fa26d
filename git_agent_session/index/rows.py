"""From events and states to rows of the index. Pure: no database, no git.

Events come from anybody: a value of the wrong type becomes the column's empty one, a text past the bounds is cut, and
the JSON of an event always is what SQLite and PostgreSQL both take (no NUL, no number past 64 bit).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from git_agent_session import bounds, codec, orchestration
from git_agent_session.model import Doc, Event, Link, Session
from git_agent_session.store.reader import duration_ms

Row = tuple[Any, ...]
# table -> rows of it
Rows = dict[str, list[Row]]

# characters of JSON: what our own writers make is below (codec.MAX_EVENT)
MAX_DATA = 1024 * 1024
MAX_PATHS = 500
MAX_PATH = 4096

# which column of a table is the number of an event
NUMBERED = {"events": 0, "tools": 0, "usage": 0, "snapshots": 0, "files": 2}

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
# the key `tool` has no value of its own type here: `summary` is text
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def as_json(value: Any) -> str:
    """`value`, which `bounds.plain` has seen, as JSON that every database takes."""
    text = _encode(value)
    if len(text) > MAX_DATA:
        text = _encode(codec.clean_value(value, 16 * 1024))
        if len(text) > MAX_DATA:
            text = _encode({"cut": f"{len(text)} characters"})
    if "\\u00" in text:
        text = _encode(codec.clean_value(value))
    return text


def event_rows(session_id: str, events: Iterable[Event], first_key: int, *, waits: bool = False) -> Rows:
    """The rows of new events, numbered from `first_key`; links and agents are not theirs alone, see below."""
    rows: Rows = {"events": []}
    for key, event in enumerate(events, first_key):
        rows["events"].append(
            (key, session_id, event.id, event.at, event.kind, event.clock, int(waits), as_json(event.data))
        )
        if make := _OF_KIND.get(event.kind):
            for table, row in make(key, session_id, event.at, event.data):
                rows.setdefault(table, []).append(row)
    return rows


def _tool(key: int, session_id: str, at: str, data: Doc) -> Iterator[tuple[str, Row]]:
    took = _number(data.get("duration_ms"))
    name, outcome, summary = (_text(data.get(k), 1000) for k in ("name", "outcome", "summary"))
    yield "tools", (key, session_id, at, name, outcome, took, summary)
    for path in paths(data.get("paths")):
        yield "files", (path, session_id, key, "")


def _usage(key: int, session_id: str, at: str, data: Doc) -> Iterator[tuple[str, Row]]:
    tokens = [_whole(data.get(k)) or 0 for k in (*TOKENS, "reasoning_tokens")]
    spent = [_number(data.get(k)) or 0.0 for k in ("cost_usd", "duration_ms")]
    yield "usage", (key, session_id, at, _text(data.get("model"), 1000), *tokens, *spent)


def _snapshot(key: int, session_id: str, at: str, data: Doc) -> Iterator[tuple[str, Row]]:
    counts = [_whole(data.get(k)) for k in ("file_count", "token_estimate")]
    yield "snapshots", (key, session_id, at, _text(data.get("type"), 100), *counts)


_OF_KIND = {"tool": _tool, "usage": _usage, "context": _snapshot}


def session_row(session: Session, tip: str, journal: str) -> Row:
    """The row of a session; `journal` is what its journal looked like when it was read."""
    counts, usage, agent = session.counts, session.usage, session.agent
    return (
        *(session.id, session.status, session.goal, session.title, session.type, session.project, session.user),
        *(session.parent, session.message, session.phase),
        *(agent.type, agent.version, agent.model, agent.native_id),
        *(session.started_at, session.updated_at, session.ended_at, duration_ms(session)),
        *(_whole(counts.get(k)) or 0 for k in ("events", "messages", "tools", "commits", "errors")),
        *(_whole(usage.get(k)) or 0 for k in TOKENS),
        _number(usage.get("cost_usd")) or 0.0,
        *(tip, journal, as_json(session.doc)),
    )


def link_rows(session_id: str, links: Iterable[Link]) -> Rows:
    """The rows of a session's links, replaced ones too, and of their files."""
    rows: Rows = {"commits": [], "files": []}
    for link in links:
        told = (link.at, _text(link.via, 100), int(link.primary))
        more = (_text(link.tree, 64), _text(link.patch_id, 64), link.rewritten_from[:64], link.replaced_by[:64])
        rows["commits"].append((link.commit, session_id, *told, *more))
        rows["files"] += [(path, session_id, None, link.commit) for path in paths(list(link.paths))]
    return rows


def agent_rows(session_id: str, events: Iterable[Event]) -> Rows:
    """A row for each agent that a session's `agent` events, in their order, speak of; a state keeps the last ones."""
    found: Doc = {}
    doc: Doc = {}
    for n, event in enumerate(events):
        orchestration.agent(doc, event)
        # before a state would drop any
        if n % (bounds.MAX_AGENTS // 2) == 0:
            found |= doc.get("agents", {})
    found |= doc.get("agents", {})
    return {"agents": [_agent(session_id, name, told) for name, told in found.items()]}


def _agent(session_id: str, name: str, told: Mapping[str, Any]) -> Row:
    keys = ("type", "model", "alias", "native_id", "status", "checkpoint", "started_at", "ended_at")
    return (session_id, name, *(_text(told.get(k), 1000) for k in keys), as_json(told))


def paths(value: object) -> list[str]:
    """The paths in a list of anything, each once."""
    if not isinstance(value, list):
        return []
    found = (codec.clean(p, MAX_PATH) for p in value[:MAX_PATHS] if isinstance(p, str))
    return list(dict.fromkeys(p for p in found if p))


def _text(value: object, limit: int) -> str:
    if isinstance(value, str):
        return codec.clean(value, limit)
    return str(value) if isinstance(value, int | float) else ""


def _whole(value: object) -> int | None:
    return int(value) if bounds.is_amount(value) and isinstance(value, int | float) and abs(value) < 2**63 else None


def _number(value: object) -> float | None:
    return float(value) if bounds.is_amount(value) and isinstance(value, int | float) else None
