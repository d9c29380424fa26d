"""How things are said in pages: agents and their colours, moments, amounts. One place, so that all pages agree."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

from markupsafe import Markup, escape

from git_agent_session import term
from git_agent_session.model import ACTIVE, PAUSED
from git_agent_session.web.viewer.text import line

# agent's type -> the slot of its colour in viewer.css; others share the last ones
_SLOTS = {
    "claude-code": 1,
    "codex": 2,
    "gemini": 3,
    "copilot": 4,
    "opencode": 5,
    "cursor": 6,
    "droid": 7,
    "pi": 8,
}
_FREE = (9, 10, 11, 12)
_NAMES = {
    "claude-code": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini",
    "copilot": "Copilot",
    "opencode": "OpenCode",
    "cursor": "Cursor",
    "droid": "Droid",
    "pi": "Pi",
}


def slot(agent: str) -> str:
    """The class of an agent's colour: `a1` to `a12`, `a0` where the agent is not known."""
    if not agent:
        return "a0"
    return f"a{_SLOTS.get(agent) or _FREE[zlib.crc32(agent.encode('utf-8', 'replace')) % len(_FREE)]}"


def agent(name: str) -> str:
    """An agent's name for people."""
    return _NAMES.get(name) or line(name, 40) or "unknown agent"


def state(status: str) -> str:
    """The class of a status: `live`, `idle`, `good` or `bad`."""
    return {ACTIVE: "live", PAUSED: "idle", "completed": "good"}.get(status, "bad")


def person(user: str) -> str:
    """A name without its mail."""
    return line(user.partition(" <")[0] or user, 60)


def path(name: str, top: str) -> str:
    """A path as a row has place for it: from `top` on where it is below, else the last three names of a long one."""
    plain = name.replace("\\", "/")
    if top and plain.startswith(f"{top}/"):
        return plain[len(top) + 1 :]
    is_rooted = plain.startswith("/") or plain[1:3] == ":/"
    parts = plain.rsplit("/", 3)
    return f"…/{'/'.join(parts[1:])}" if is_rooted and len(parts) == 4 and parts[0] else name


def breaking(name: str) -> Markup:
    """A path that is broken after a folder where it must be."""
    return Markup("/<wbr>").join(escape(part) for part in name.split("/"))


def moment(at: str) -> datetime | None:
    """An RFC 3339 moment in this machine's zone, None for what is none."""
    try:
        found = datetime.fromisoformat(at)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def clock(at: str) -> str:
    """`14:05`, in this machine's zone."""
    found = moment(at)
    return f"{found:%H:%M}" if found else ""


def date(at: str) -> str:
    """`3 Nov 2026`."""
    found = moment(at)
    return f"{found.day} {found:%b %Y}" if found else "at an unknown time"


def day(at: str) -> str:
    """`Tuesday, 3 November 2026`: what a list has above the sessions of a day."""
    found = moment(at)
    return f"{found:%A}, {found.day} {found:%B %Y}" if found else "At an unknown time"


def stamp(at: str) -> str:
    """`3 Nov 2026, 14:05:59`."""
    found = moment(at)
    return f"{date(at)}, {found:%H:%M:%S}" if found else line(at, 40)


def ago(at: str) -> str:
    """`3 hours ago`."""
    return term.relative(at) if at else ""


def span(ms: float | None) -> str:
    """How long something took: `1m 5s`."""
    return term.duration(ms) if ms is not None and ms >= 0 else ""


def usd(amount: float) -> str:
    """`$1.20`, with more digits for less than a cent."""
    if not amount:
        return ""
    if amount >= 1e7:
        return f"${amount:.3g}"
    return f"${amount:,.2f}" if amount >= 0.01 else f"${amount:.4f}"


def many(n: int, noun: str, plural: str = "") -> str:
    """`1 commit`, `1,200 commits`."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"
