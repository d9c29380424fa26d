"""Resources: `session://ID` and what hangs below it, each the answer of a tool that only reads, as JSON."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

from git_agent_session.errors import UsageError
from git_agent_session.mcp import tools
from git_agent_session.mcp.door import Door
from git_agent_session.model import Doc

SCHEME = "session"
# below `session://ID/`: the tool that answers, and what it is
BELOW = {
    "": ("show_session", "A session: its state, commits and tools"),
    "history": ("history", "The events of a session, the youngest first"),
    "context": ("context", "The last context snapshot of a session"),
    "decisions": ("decisions", "What was decided in a session"),
    "tasks": ("tasks", "The tasks of a session"),
    "plan": ("plan", "The plan of a session"),
    "commits": ("commits", "The commits of a session"),
    "brief": ("brief", "What to know before going on with a session"),
}
# the tools that take an offset
_PAGED = ("history", "context", "decisions", "tasks", "plan", "commits")
MIME = "application/json"
# how many a page of the list has
PAGE = 50


def templates() -> list[tuple[str, str, str]]:
    """URI template (RFC 6570), name and description of each."""
    return [
        (f"{SCHEME}://{{id}}{'/' * bool(below)}{below}{'{?offset}' * (tool in _PAGED)}", below or "session", about)
        for below, (tool, about) in BELOW.items()
    ]


def listed(door: Door, offset: int) -> tuple[list[Doc], int | None]:
    """A page of sessions as `uri`, `name`, `title`, `description`, the own one first; and the offset of the next."""
    own = door.own() if offset == 0 else None
    first = [{"uri": f"{SCHEME}://current", "name": "current", "title": "Your session", "description": ""}]
    found = door.store.list()
    quote = door.quote()
    rows = [
        {
            "uri": f"{SCHEME}://{session.id}",
            "name": session.id[:8],
            "title": quote.text(session.about, 80).replace("\n", " ") or session.id[:8],
            "description": quote.text(
                f"{session.status}, {session.agent.type or 'by hand'}, {session.started_at}", 120
            ),
        }
        for session in found[offset : offset + PAGE]
    ]
    after = offset + PAGE
    return (first if own else []) + rows, after if after < len(found) else None


def read(door: Door, uri: str) -> str:
    """What is at a URI, as JSON. Raises UsageError for one that is none of ours, AgentSessionError."""
    parts = urlsplit(uri[:500])
    below = parts.path.strip("/")
    if parts.scheme != SCHEME or not re.fullmatch(r"[0-9A-Za-z-]{1,64}", parts.netloc) or below not in BELOW:
        raise UsageError(f"there is no resource {uri[:100]!r}", hint=f"use {SCHEME}://ID or {SCHEME}://ID/history …")
    tool = BELOW[below][0]
    given: Doc = {"session": parts.netloc}
    offset = parse_qs(parts.query).get("offset", [""])[0]
    if offset.isascii() and offset.isdigit() and len(offset) < 10 and tool in _PAGED:
        given["offset"] = int(offset)
    return json.dumps(tools.call(door, tool, given), ensure_ascii=False)
