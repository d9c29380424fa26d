"""The tasks of a session: added, started, done or failed, each with its times and its outcome.

A task is known by an id, the caller's own or a random one, or by the start of it. Two writers on one task both land in
the history; the later one, by the events' clocks, is what the state shows. The state holds the last 200 tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from git_agent_session import bounds, codec
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.ids import new_event_id
from git_agent_session.model import Doc, Session
from git_agent_session.orchestration import DONE, FAILED, IN_PROGRESS, OVER, PENDING, TASK_STATUSES, task_after
from git_agent_session.store import entries
from git_agent_session.store.store import Store

ID = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{bounds.MAX_TASK_ID - 1}}}")
# the words that agents' to-do tools have for our statuses
_STATUSES = {
    **dict.fromkeys(("completed", "complete", "done"), DONE),
    **dict.fromkeys(("in_progress", "in-progress", "inprogress", "active"), IN_PROGRESS),
    **dict.fromkeys(("failed", "cancelled", "canceled"), FAILED),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `status` is pending, in_progress, done or failed; times are RFC 3339, "" where there is none."""

    id: str
    title: str
    status: str = PENDING
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    outcome: str = ""
    agent: str = ""

    @property
    def over(self) -> bool:
        """True once it is done or has failed."""
        return self.status in OVER

    @property
    def duration_ms(self) -> int | None:
        """From its start to its end, in milliseconds; None while it has not both."""
        try:
            spent = datetime.fromisoformat(self.ended_at) - datetime.fromisoformat(self.started_at)
        except ValueError:
            return None
        return max(int(spent.total_seconds() * 1000), 0)

    def to_dict(self) -> Doc:
        """Its fields and `duration_ms`, those without a value left out."""
        out: Doc = {k: v for k in self.__slots__ if (v := getattr(self, k))}
        if (spent := self.duration_ms) is not None:
            out["duration_ms"] = spent
        return out


# `list` is a function's name below
Tasks = list[Task]


@dataclass(frozen=True, slots=True)
class Stats:
    """The tasks of a session in numbers: times in ms; the rate of success is of those that are over, in percent."""

    total: int
    done: int
    failed: int
    total_ms: int
    average_ms: int | None
    success_rate: float | None

    def to_dict(self) -> Doc:
        """Its fields, those without a value left out."""
        return {k: v for k in self.__slots__ if (v := getattr(self, k)) is not None}


def add(store: Store, session: str | None, title: str, *, id: str = "", agent: str = "") -> Task:
    """Add a task. Raises UsageError for a title or an id that cannot be, SessionState for an id that is taken."""
    if not entries.text(title, "title").strip():
        raise UsageError("the task has no title", hint="say in a line what is to be done")
    if id:
        entries.check(id, ID, "task id", "such as T001")
    current = store.get(session)
    if id in current.tasks:
        raise SessionState(f"there is a task {id} in session {current.id[:8]} already", hint="use another id")
    data = {"task": id or new_event_id()[:8], "action": "add", "title": title, **({"agent": agent} if agent else {})}
    return _record(store, current, data)


def start(store: Store, session: str | None, task: str, *, agent: str = "") -> Task:
    """Say that work on a task begins, or begins again; `agent` names who works."""
    return _move(store, session, task, "start", {"agent": agent})


def done(store: Store, session: str | None, task: str, *, outcome: str = "") -> Task:
    """Say that a task is done, with what came of it."""
    return _move(store, session, task, "done", {"outcome": outcome})


def fail(store: Store, session: str | None, task: str, *, outcome: str = "") -> Task:
    """Say that a task has failed, and why. The session's errors are counted by `failures.record` alone."""
    return _move(store, session, task, "fail", {"outcome": outcome})


def get(store: Store, session: str | None, task: str) -> Task:
    """A task by its id or the start of it. Raises UsageError where none or more than one fits."""
    current = store.get(session)
    name = _resolve(current, task)
    return _task(name, current.tasks[name])


def list(store: Store, session: str | None = None, *, status: Iterable[str] = ()) -> Tasks:
    """The tasks of a session in the order in which they were added; `status` asks for some only."""
    wanted = set(entries.texts(status, "statuses"))
    if unknown := sorted(wanted - set(TASK_STATUSES)):
        raise UsageError(
            f"{codec.clean(unknown[0], 40)!r} is no status of a task", hint=f"use {', '.join(TASK_STATUSES)}"
        )
    found = of(store.get(session))
    return [t for t in found if t.status in wanted] if wanted else found


def of(session: Session) -> Tasks:
    """The tasks in a session's state."""
    return [_task(name, row) for name, row in session.tasks.items()]


def stats(session: Session) -> Stats:
    """The numbers of a session's tasks; times are those of the tasks that the state still holds."""
    counts = session.counts
    ok, bad = counts.get("tasks_done", 0), counts.get("tasks_failed", 0)
    spent = [t.duration_ms for t in of(session) if t.over and t.duration_ms is not None]
    average = round(sum(spent) / len(spent)) if spent else None
    rate = round(100 * ok / (ok + bad), 1) if ok + bad else None
    return Stats(counts.get("tasks", 0), ok, bad, sum(spent), average, rate)


def adopt(store: Store, session: str | None, items: Iterable[Mapping[str, Any]]) -> Tasks:
    """Bring tasks in line with an agent's to-do list: tables with `text` and `status`, in an agent's own words.

    An item is known again by its text. What the list no longer has stays as it is. Returns the tasks of the list.
    """
    current = store.get(session)
    found: Tasks = []
    for item in items:
        text = " ".join(str(item.get("text", "")).split())
        if not text:
            continue
        name = _todo_id(text)
        status = _STATUSES.get(str(item.get("status", "")).lower(), PENDING)
        row = current.tasks.get(name)
        task = _task(name, row) if row is not None else add(store, current.id, text, id=name)
        action = {IN_PROGRESS: "start", DONE: "done", FAILED: "fail"}.get(status)
        if action and task.status != status:
            task = _record(store, store.get(current.id), {"task": name, "action": action})
        found.append(task)
    return found


def _todo_id(text: str) -> str:
    import hashlib

    return "todo-" + hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]


def _move(store: Store, session: str | None, task: str, action: str, given: Mapping[str, str]) -> Task:
    current = store.get(session)
    data = {"task": _resolve(current, task), "action": action}
    return _record(store, current, data | {k: entries.text(v, k) for k, v in given.items() if v})


def _record(store: Store, current: Session, data: Doc) -> Task:
    event = store.append(current.id, "task", data)
    name = event.data["task"]
    row = task_after(current.tasks.get(name), event)
    if row is None:
        raise UsageError("the task's id holds what is taken for a secret", hint="use another id")
    return _task(name, row)


def _resolve(session: Session, text: str) -> str:
    if text in session.tasks:
        return text
    found = [name for name in session.tasks if name.startswith(text)] if entries.text(text, "task") else []
    return entries.the_one(found, text, "task", session.id)


def _task(name: str, row: Mapping[str, Any]) -> Task:
    fields = {k: v for k, v in row.items() if k in bounds.TASK_TEXTS}
    return Task(name, fields.pop("title", ""), **fields)
