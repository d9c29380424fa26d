"""What went wrong in a session, and what was decided: counted, and the last error kept in its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from git_agent_session.errors import UsageError
from git_agent_session.model import Doc, Event
from git_agent_session.store import entries
from git_agent_session.store.store import Store


def record(store: Store, session: str | None, text: str, *, meta: Mapping[str, Any] | None = None) -> Event:
    """Record an error: with the third one in a session, `should_resume` advises against going on."""
    return store.append(
        session, "error", _said(text, "error") | ({"meta": entries.table(meta, "meta")} if meta else {})
    )


def decide(store: Store, session: str | None, text: str, *, reason: str = "", paths: Iterable[str] = ()) -> Event:
    """Record a decision, why it was taken, and the files that it is about (relative to the worktree)."""
    data = _said(text, "decision")
    if reason:
        data["reason"] = entries.text(reason, "reason")
    if files := entries.texts(paths, "paths"):
        data["paths"] = files
    return store.append(session, "decision", data)


def _said(text: str, what: str) -> Doc:
    if not entries.text(text, what).strip():
        raise UsageError(f"the {what} is empty", hint="nothing was recorded")
    return {"text": text}
