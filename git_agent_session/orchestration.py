"""How what a session orchestrates folds into its state: its phase, tasks, plan, subagents and last error.

Functions of a state's document and one event, called by `model.fold` in the events' order. States share their rows, so
a row is replaced and never changed. Whatever an event holds, nothing here raises. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from git_agent_session import bounds
from git_agent_session.ids import is_event_id

PENDING, IN_PROGRESS, DONE, FAILED = "pending", "in_progress", "done", "failed"
TASK_STATUSES = (PENDING, IN_PROGRESS, DONE, FAILED)
# what a `task` event's action makes of the task
TASK_ACTIONS = {"add": PENDING, "start": IN_PROGRESS, "done": DONE, "fail": FAILED}
OVER = (DONE, FAILED)
_TASK_COUNTS = {DONE: "tasks_done", FAILED: "tasks_failed"}

EXECUTING, COMPLETE = "executing", "complete"
AGENT_STATUSES = (PENDING, EXECUTING, COMPLETE, FAILED)
AGENT_ACTIONS = ("start", "update", "stop")

Doc = dict[str, Any]


class Happened(Protocol):
    """What is needed of an event."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def at(self) -> str:
        """When, RFC 3339."""

    @property
    def data(self) -> Doc:
        """Its keys."""


def is_task_id(text: object) -> bool:
    """True for what may name a task: 1 to 64 letters, digits, `.`, `_` and `-`, not starting with a dot."""
    return is_event_id(text) and len(str(text)) <= bounds.MAX_TASK_ID


def phase(doc: Doc, event: Happened) -> None:
    """A `phase` event: `phase`, `workflow` and `ready`, each only where it is given."""
    data = event.data
    for key in ("phase", "workflow"):
        if isinstance(data.get(key), str):
            doc[key] = bounds.cut(data[key], bounds.MAX_NAME)
    if data.get("ready") is True:
        doc["ready"] = True
    elif data.get("ready") is False:
        doc.pop("ready", None)


def error(doc: Doc, event: Happened) -> None:
    """An `error` event: the last one is kept, all are counted."""
    said = event.data.get("text", event.data.get("message"))
    if isinstance(said, str):
        doc["last_error"] = bounds.cut(said, bounds.MAX_ERROR)
        doc["last_error_at"] = event.at


def plan(doc: Doc, event: Happened) -> None:
    """A `plan` event: the last plan counts; of a long text the state has the beginning."""
    data = event.data
    if not isinstance(data.get("text"), str):
        return
    doc["plan"] = bounds.plan({**data, "event": event.id, "at": event.at})


def task(doc: Doc, event: Happened) -> None:
    """A `task` event. Those of a task that is not known are passed over; of too many, what is over goes first."""
    name = event.data.get("task")
    rows: Doc = doc.get("tasks", {})
    before = rows.get(name) if isinstance(name, str) else None
    after = task_after(before, event)
    if after is None or not isinstance(name, str):
        return
    counts = doc.setdefault("counts", {})
    if before is None:
        _count(counts, "tasks", 1)
    was, now = (before or {}).get("status"), after.get("status")
    if was != now:
        if was in _TASK_COUNTS:
            _count(counts, _TASK_COUNTS[was], -1)
        if now in _TASK_COUNTS:
            _count(counts, _TASK_COUNTS[now], 1)
    doc["tasks"] = _put(rows, name, after, bounds.MAX_TASKS, OVER)


def task_after(before: Mapping[str, Any] | None, event: Happened) -> Doc | None:
    """The row of a task after an event, None where the event says nothing about it."""
    data, at = event.data, event.at
    action = data.get("action")
    status = TASK_ACTIONS.get(action) if isinstance(action, str) else None
    if status is None or not is_task_id(data.get("task")) or (before is None and action != "add"):
        return None
    row: Doc = {"status": PENDING, "created_at": at, **(before or {})}
    row |= {k: data[k] for k in ("title", "agent") if isinstance(data.get(k), str)}
    if action == "add":
        return bounds.task(row)
    row["status"] = status
    if status == IN_PROGRESS:
        if before is None or before.get("status") != IN_PROGRESS:
            row["started_at"] = at
        for key in ("ended_at", "outcome"):
            row.pop(key, None)
    else:
        row["ended_at"] = at
        # what another writer said of an earlier end is not true of this one
        row["outcome"] = data.get("outcome", "")
    return bounds.task(row)


def agent(doc: Doc, event: Happened) -> None:
    """An `agent` event: a subagent starts, goes on or stops; one without an id goes with the last of its type."""
    action = event.data.get("action")
    if action not in AGENT_ACTIONS:
        return
    rows: Doc = doc.get("agents", {})
    name = _agent_name(rows, event)
    before = rows.get(name)
    if before is None:
        _count(doc.setdefault("counts", {}), "agents", 1)
    doc["agents"] = _put(rows, name, agent_after(before, event), bounds.MAX_AGENTS, (COMPLETE, FAILED))


def agent_after(before: Mapping[str, Any] | None, event: Happened) -> Doc:
    """The row of a subagent after an event."""
    data, at = event.data, event.at
    action, status = data.get("action"), data.get("status")
    row: Doc = dict(before or {})
    row |= {k: data[k] for k in bounds.AGENT_TEXTS if isinstance(data.get(k), str) and data[k] and k not in _OWN}
    row |= {k: data[k] for k in bounds.AGENT_AMOUNTS if bounds.is_amount(data.get(k))}
    known = status if status in AGENT_STATUSES else None
    if action == "stop":
        row["ended_at"] = at
        row["status"] = known or (FAILED if data.get("error") else COMPLETE)
    elif action == "start":
        row["status"] = known or EXECUTING
        row["started_at"] = row.get("started_at") or at
        row.pop("ended_at", None)
    else:
        row["status"] = known or row.get("status", EXECUTING)
    return bounds.agent(row)


# what the fold alone says of a subagent
_OWN = frozenset({"status", "started_at", "ended_at"})


def _agent_name(rows: Mapping[str, Any], event: Happened) -> str:
    given = event.data.get("agent_id")
    if isinstance(given, str) and given:
        return bounds.cut(given, bounds.MAX_TAG)
    if event.data.get("action") != "start":
        kind = event.data.get("type")
        for name in reversed(list(rows)):
            if rows[name].get("type") == kind and rows[name].get("status") == EXECUTING:
                return name
    return event.id


def _put(rows: Mapping[str, Any], name: str, row: Doc, most: int, over: tuple[str, ...]) -> Doc:
    """The rows with one more or a newer one; where there is no room, without the oldest one that is over."""
    out = {**rows, name: row}
    if len(out) > most:
        spare = next((n for n, r in out.items() if r.get("status") in over), next(iter(out)))
        del out[spare]
    return out


def _count(counts: Doc, key: str, more: int) -> None:
    counts[key] = max(counts.get(key, 0) + more, 0)
