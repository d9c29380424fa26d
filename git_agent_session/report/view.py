"""How sessions are put into words: short ids, moments, statuses, agents and tokens, in the colours of a palette.

Everything that comes from a session is cleaned here or by `term.columns`. It opens nothing and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from git_agent_session import term
from git_agent_session.model import ACTIVE, PAUSED, Agent

if TYPE_CHECKING:
    from datetime import datetime

SHORT = 8
SHORT_COMMIT = 10


@dataclass(frozen=True, slots=True)
class View:
    """A reader's side: the palette, the columns there are (0: as many as it takes), and the clock (None: now)."""

    palette: term.Palette
    width: int = 0
    now: datetime | None = None
    shorts: Mapping[str, str] = field(default_factory=dict)

    def id(self, session_id: str) -> str:
        """A session's id, as short as it can be and still be typed."""
        return self.palette.paint("id", self.shorts.get(session_id, session_id[:SHORT]))

    def commit(self, commit: str) -> str:
        """A commit's id, shortened."""
        return self.palette.paint("id", term.clean(commit[:SHORT_COMMIT]))

    def status(self, status: str, text: str = "") -> str:
        """A status, or a `text` about it, in its colour."""
        slot = {ACTIVE: "status-active", PAUSED: "dim", "completed": "status-ended"}.get(status, "status-failed")
        return self.palette.paint(slot, text or term.clean(status))

    def heading(self, text: str) -> str:
        """A heading."""
        return self.palette.paint("heading", text)

    def dim(self, text: str) -> str:
        """What matters less."""
        return self.palette.paint("dim", text)

    def ago(self, at: str) -> str:
        """A moment in the words of `git log --date=relative`."""
        return term.relative(at, self.now) if at else "at an unknown time"


def abbreviations(ids: Iterable[str]) -> dict[str, str]:
    """Session id -> the shortest start of it, of 8 digits or more, that no other of `ids` shares."""
    ordered = sorted(set(ids))
    found = {}
    for i, session_id in enumerate(ordered):
        near = [ordered[j] for j in (i - 1, i + 1) if 0 <= j < len(ordered)]
        size = max([SHORT, *(_common(session_id, other) + 1 for other in near)])
        size += session_id[size - 1 : size] == "-"
        found[session_id] = session_id[:size]
    return found


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def agent(who: Agent) -> str:
    """`claude-code 2.1.3, model opus`; empty when nothing is known."""
    name = " ".join(t for t in (who.type, who.version) if t)
    parts = [name] if name else []
    if who.model:
        parts.append(f"model {who.model}")
    return term.clean(", ".join(parts))


_COUNTED = (
    ("commits", "commit", ""),
    ("messages", "message", ""),
    ("interactions", "interaction", ""),
    ("tools", "tool call", ""),
    ("metrics", "metric", ""),
    ("snapshots", "context snapshot", ""),
    ("decisions", "decision", ""),
    ("plans", "plan", ""),
    ("agents", "subagent", ""),
    ("compactions", "compaction", ""),
    ("errors", "error", ""),
    ("interrupts", "interrupt", ""),
)
# how a session is stored, not what happened in it
_UNSAID = ("events", "chunks")
_TASKS = ("tasks", "tasks_done", "tasks_failed")


def counts(numbers: Mapping[str, int]) -> str:
    """`3 commits, 12 messages`, what there is none of left out."""
    known = {key for key, _, _ in _COUNTED}.union(_UNSAID, _TASKS)
    parts = [term.count(numbers[key], noun, many) for key, noun, many in _COUNTED if numbers.get(key)]
    if numbers.get("tasks"):
        failed = f" and {numbers['tasks_failed']} failed" if numbers.get("tasks_failed") else ""
        parts.append(f"{term.count(numbers['tasks'], 'task')} ({numbers.get('tasks_done', 0)} done{failed})")
    parts += [f"{n} {key}" for key, n in numbers.items() if key not in known and n]
    return term.clean(", ".join(parts))


def revisions(text: str) -> str:
    """A range as git takes it, for people: ids in full are shortened."""
    import re

    return re.sub(rf"\b([0-9a-f]{{{SHORT_COMMIT}}})(?:[0-9a-f]{{30}}|[0-9a-f]{{54}})\b", r"\1", term.clean(text))


def wrapped(text: str, total: int) -> list[str]:
    """A list of things in lines of at most `total` columns (0: one line), broken after commas."""
    lines: list[str] = []
    for part in text.split(", "):
        if lines and (not total or term.width(lines[-1]) + term.width(part) + 3 <= total):
            lines[-1] += f", {part}"
        elif lines:
            lines[-1] += ","
            lines.append(part)
        else:
            lines.append(part)
    return lines


def recorded(view: View, numbers: Mapping[str, int], amounts: Mapping[str, float], indent: int = 0) -> list[str]:
    """Counts and usage in as many lines as they take; empty when there are none."""
    texts = [text for text in (counts(numbers), usage(amounts)) if text]
    total = max(view.width - indent, 1) if view.width else 0
    return [" " * indent + line for text in texts for line in wrapped(text, total)]


def usage(amounts: Mapping[str, float]) -> str:
    """`12.3k tokens in, 4k out, 90k from cache, 1k to cache; $0.42`; empty when nothing was counted."""
    words = (
        ("input_tokens", "in"),
        ("output_tokens", "out"),
        ("cache_read_tokens", "from cache"),
        ("cache_write_tokens", "to cache"),
    )
    parts = [f"{term.si(int(amounts[key]))} {word}" for key, word in words if amounts.get(key)]
    text = f"tokens: {', '.join(parts)}" if parts else ""
    if amounts.get("cost_usd"):
        text += ("; " if text else "") + f"cost: {usd(amounts['cost_usd'])}"
    return text


def usd(amount: float) -> str:
    """An amount of US dollars: `$1,234.50`; of less than a cent four digits, so that little is not nothing."""
    if amount < 0:
        return f"-{usd(-amount)}"
    if not amount or amount >= 0.01:
        return f"${abs(amount):,.2f}"
    return f"${amount:.4f}" if amount >= 0.0001 else "<$0.0001"


def value(thing: Any) -> str:
    """A value of metadata as one line of text."""
    if isinstance(thing, bool):
        return "true" if thing else "false"
    if isinstance(thing, str | int | float):
        return term.clean(str(thing))
    if isinstance(thing, Mapping):
        return ", ".join(f"{term.clean(str(k))}={value(v)}" for k, v in thing.items())
    if isinstance(thing, list | tuple):
        return ", ".join(value(v) for v in thing)
    return term.clean(str(thing))


def local_time(at: str) -> str:
    """A moment in the reader's own time zone, in git's default form; text that is no time comes back cleaned."""
    from datetime import datetime

    try:
        then = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return term.clean(at)
    return f"{then:%a %b} {then.day} {then:%H:%M:%S %Y %z}"
