"""The plans of a session: the last one counts, the earlier ones stay in its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session import codec
from git_agent_session.errors import UsageError
from git_agent_session.model import Doc, Event
from git_agent_session.store import entries
from git_agent_session.store.store import Store

# characters; an event's text is cut there, and a plan that is cut is none
MAX_TEXT = codec.MAX_TEXT
MAX_ITEMS = 500
# the keys of a step in an agent's to-do list
_MARKS = {"completed": "x", "complete": "x", "done": "x", "in_progress": "~", "cancelled": "-", "canceled": "-"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its text (Markdown, or whatever was given), when it was set, and from where."""

    id: str
    text: str
    at: str
    title: str = ""
    source: str = ""

    def to_dict(self) -> Doc:
        """The keys `id, at, title, source, text`, those without a value left out."""
        return {k: v for k in ("id", "at", "title", "source", "text") if (v := getattr(self, k))}


def set(store: Store, session: str | None, text: str, *, title: str = "", source: str = "") -> Plan:
    """Set the plan of a session; `source` says where it is from, such as a file or the agent's own tool.

    Raises UsageError for one that is empty or longer than 262,144 characters.
    """
    if not entries.text(text, "plan").strip():
        raise UsageError("the plan is empty", hint="nothing was recorded")
    if len(text) > MAX_TEXT:
        raise UsageError(
            f"the plan has {len(text):,} characters, more than {MAX_TEXT:,}",
            hint="keep it in a file, and its gist here",
        )
    given = {"title": entries.text(title, "title"), "source": entries.text(source, "source"), "text": text}
    return _plan(store.append(session, "plan", {k: v for k, v in given.items() if v}))


def get(store: Store, session: str | None = None) -> Plan | None:
    """The plan that a session has now, whole; None when it has none."""
    current = store.get(session)
    known = current.plan
    if not known:
        return None
    if known.get("cut") is True and (found := history(store, current.id)):
        return found[-1]
    texts = {k: v if isinstance(v := known.get(k, ""), str) else "" for k in ("event", "text", "at", "title", "source")}
    return Plan(texts.pop("event"), **texts)


def history(store: Store, session: str | None = None) -> list[Plan]:
    """All plans of a session, the oldest first."""
    events = store.history(session, kinds=("plan",))
    return [_plan(e) for e in events if e.kind == "plan" and isinstance(e.data.get("text"), str)]


def checklist(items: Iterable[Mapping[str, Any]]) -> str:
    """The steps of an agent's to-do list (`text`, `status`) as a Markdown checklist, at most 500 of them."""
    lines: list[str] = []
    for item in items:
        text = " ".join(str(item.get("text", "")).split())
        if text and len(lines) < MAX_ITEMS:
            lines.append(f"- [{_MARKS.get(str(item.get('status', '')).lower(), ' ')}] {text}")
    return "\n".join(lines)


def _plan(event: Event) -> Plan:
    texts = {k: v if isinstance(v := event.data.get(k, ""), str) else "" for k in ("text", "title", "source")}
    return Plan(event.id, texts["text"], event.at, texts["title"], texts["source"])
