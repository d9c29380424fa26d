"""A session that somebody pushed to do harm: markup, scripts, escapes, turned directions, texts without end."""

from __future__ import annotations

import json
from typing import Any

from git_agent_session.agents.transcripts import ITEM
from git_agent_session.ids import new_event_id, new_session_id
from git_agent_session.model import Event
from git_agent_session.store import drain
from git_agent_session.store.store import Store

# each would set `window.hit` if it were taken for markup
MARKUP = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "\"'><svg onload=window.hit=1>",
    "</pre></code></details></li><iframe srcdoc='<script>parent.hit=1</script>'>",
    "javascript:window.hit=1",
    "{{ 7 * 7 }}{% include 'x' %}",
)
OVERRIDE = "invoice\u202efdp.exe\u2066\u200b"
ANSI = "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x00nul \x9b31mc1"
LONG = "A" * 5_000_000
ALL = " ".join(MARKUP) + f" {OVERRIDE} {ANSI}"
_AT = "2026-03-01T10:00:{:02}.000Z"


def _events() -> list[Event]:
    agent = {"type": MARKUP[0], "version": MARKUP[1], "model": ALL}
    start = {"goal": ALL, "title": ALL, "agent": agent, "user": ALL, "project": ALL, "tags": [MARKUP[1], OVERRIDE]}
    told: list[tuple[str, dict[str, Any]]] = [
        ("start", start),
        (
            "message",
            {"role": "user", "text": f"{ALL}\n```html {MARKUP[2]}\n{ALL}\n```\n# {ALL}\n**{MARKUP[0]}** `{ALL}`"},
        ),
        ("message", {"role": MARKUP[0], "text": ALL}),
        ("tool", {"name": ALL, "paths": [MARKUP[2], "../../etc/passwd"], "outcome": MARKUP[0], "duration_ms": -1}),
        ("tool", {"name": ["no", "text"], "paths": MARKUP[0], "outcome": 3, "duration_ms": "soon"}),
        ("commit", {"commit": "f" * 40, "via": MARKUP[0]}),
        ("commit", {"commit": MARKUP[0], "via": 7}),
        ("error", {"message": ALL}),
        ("decision", {"text": ALL}),
        ("context", {"type": MARKUP[0], "file_count": "many"}),
        ("agent", {"action": "start", "agent_id": MARKUP[0], "type": ALL}),
        ("task", {"action": "create", "task": MARKUP[0], "title": ALL}),
        ("interaction", {"type": "note", "text": LONG[:60_000]}),
        ("strange", {"deep": {"er": [ALL]}}),
        ("usage", {"cost_usd": 1e300, "input_tokens": -5}),
    ]
    return [Event(new_event_id(), _AT.format(n), kind, data) for n, (kind, data) in enumerate(told)]


def _rows() -> list[dict[str, object]]:
    given = {"file_path": MARKUP[2], "old_string": ALL, "new_string": f"{ALL}\n{MARKUP[0]}"}
    return [
        {"kind": "prompt", "id": "1", "at": _AT.format(20), "text": ALL},
        {"kind": "thinking", "id": "2", "at": _AT.format(21), "text": ALL},
        {"kind": "call", "id": "3", "at": _AT.format(22), "name": ALL, "input": given},
        {"kind": "result", "id": "3", "at": _AT.format(23), "text": ALL, "outcome": "error"},
        {"kind": "call", "id": "4", "at": _AT.format(24), "name": "Bash", "input": {"command": ALL, MARKUP[0]: [ALL]}},
        {"kind": "result", "id": "4", "at": _AT.format(25), "text": LONG},
        {"kind": "answer", "id": "5", "at": _AT.format(26), "text": LONG},
    ]


def write(store: Store) -> str:
    """Write such a session past all that cleans; returns its id."""
    session_id = new_session_id()
    lines = "".join(json.dumps({"type": ITEM, "items": [row]}) + "\n" for row in _rows()[:5]).encode()
    chunk = Event(new_event_id(), _AT.format(29), "transcript", {"records": 5, "bytes": len(lines)})
    files = {f"transcript/{chunk.id}.jsonl": lines + b'{"broken": \n'}
    events = [*_events(), chunk]
    for row in _rows()[5:]:
        data = (json.dumps({"type": ITEM, "items": [row]}) + "\n").encode()
        part = Event(new_event_id(), _AT.format(30), "transcript", {"records": 1, "bytes": len(data)})
        events.append(part)
        files[f"transcript/{part.id}.jsonl"] = data
    drain.create(store.repo, session_id, drain.Extra(events[:1]))
    drain.drain(store.repo, session_id, drain.Extra(events[1:], files))
    return session_id


def break_one(store: Store) -> str:
    """A session whose `session.toml` is no TOML; returns its id."""
    session_id = new_session_id()
    files = {"session.toml": b"status = <script>\x00", "events.toml": b"[[event]\nid = 3"}
    tip = store.repo.write_batch(files, [], "broken")
    store.repo.swap(f"refs/agent-sessions/{session_id}", tip, None, "broken")
    return session_id
