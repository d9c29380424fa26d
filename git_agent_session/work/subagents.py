"""The agents inside a session: who was started for what, with which model, how far it came and what it cost.

Agents' hooks tell of those that they see; this is for those that a program or a person starts. Several may work at
once. A cost that is told here is added to the session's own: leave it out where the agent's hooks count it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session import bounds, codec
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.ids import is_event_id, new_event_id
from git_agent_session.model import Doc, Session
from git_agent_session.orchestration import AGENT_STATUSES, COMPLETE, EXECUTING, FAILED, PENDING, agent_after
from git_agent_session.store import entries
from git_agent_session.store.store import Store


@dataclass(frozen=True, slots=True)
class Subagent:
    """An agent of a session. `type` is what it is for (spec, build, research …), `native_id` its own session's id.

    `status` is pending, executing, complete or failed; `tokens` and `cost_usd` are its totals, None where not known.
    """

    id: str
    type: str = ""
    model: str = ""
    alias: str = ""
    native_id: str = ""
    status: str = EXECUTING
    checkpoint: str = ""
    task: str = ""
    summary: str = ""
    error: str = ""
    started_at: str = ""
    ended_at: str = ""
    tokens: int | None = None
    cost_usd: float | None = None

    @property
    def over(self) -> bool:
        """True once it is complete or has failed."""
        return self.status in (COMPLETE, FAILED)

    def to_dict(self) -> Doc:
        """Its fields, those without a value left out."""
        return {k: v for k in self.__slots__ if (v := getattr(self, k)) not in ("", None)}


# `list` is a function's name below
Subagents = list[Subagent]


def start(
    store: Store,
    session: str | None,
    type: str,
    *,
    id: str = "",
    model: str = "",
    alias: str = "",
    native_id: str = "",
    task: str = "",
    checkpoint: str = "",
    status: str = EXECUTING,
) -> Subagent:
    """Say that an agent begins, or begins again where `id` is known; returns it, with its id.

    `status` may be pending for one that waits. Raises UsageError for a value that cannot be.
    """
    entries.check(type, entries.WORD, "agent type", "such as spec, build or research")
    if id and not is_event_id(id):
        raise UsageError(f"{codec.clean(id, 60)!r} is no agent id", hint="use letters, digits, . _ and -")
    if status not in (PENDING, EXECUTING):
        raise UsageError(f"{codec.clean(str(status), 40)!r} is no status to start in", hint="use pending or executing")
    current = store.get(session)
    given = {"model": model, "alias": alias, "native_id": native_id, "task": task, "checkpoint": checkpoint}
    data = {"action": "start", "agent_id": id or new_event_id()[:8], "type": type, "status": status}
    return _record(store, current, data | _texts(given))


def update(
    store: Store,
    session: str | None,
    agent: str,
    *,
    model: str = "",
    alias: str = "",
    native_id: str = "",
    task: str = "",
    checkpoint: str = "",
    status: str = "",
    tokens: int | None = None,
    cost_usd: float | None = None,
) -> Subagent:
    """Say how far an agent has come, or its own session's id once it is known. `agent`: its id, its start, its alias.

    `tokens` and `cost_usd` are totals so far; by what the cost has grown is added to the session's.
    """
    if status not in ("", PENDING, EXECUTING):
        raise UsageError(f"{codec.clean(str(status), 40)!r} is no status to go on in", hint="use pending or executing")
    given = {"model": model, "alias": alias, "native_id": native_id, "task": task, "checkpoint": checkpoint}
    return _go_on(store, session, agent, "update", given | {"status": status}, tokens, cost_usd)


def stop(
    store: Store,
    session: str | None,
    agent: str,
    *,
    status: str = COMPLETE,
    checkpoint: str = "",
    summary: str = "",
    error: str = "",
    tokens: int | None = None,
    cost_usd: float | None = None,
) -> Subagent:
    """Say that an agent has stopped, complete or failed. Raises SessionState when it has stopped before."""
    if status not in (COMPLETE, FAILED):
        raise UsageError(f"{codec.clean(str(status), 40)!r} is no status to stop with", hint="use complete or failed")
    current = store.get(session)
    name = _resolve(current, agent)
    if (before := _subagent(name, current.agents[name])).over:
        raise SessionState(f"agent {name[:40]} has stopped already ({before.status})", hint="start it again by its id")
    given = {"status": status, "checkpoint": checkpoint, "summary": summary, "error": error}
    return _go_on(store, current.id, name, "stop", given, tokens, cost_usd)


def get(store: Store, session: str | None, agent: str) -> Subagent:
    """An agent by its id, the start of it, or its alias. Raises UsageError where none or more than one fits."""
    current = store.get(session)
    name = _resolve(current, agent)
    return _subagent(name, current.agents[name])


def list(store: Store, session: str | None = None, *, status: str = "") -> Subagents:
    """The agents of a session in the order in which they were first seen; with `status` only those."""
    if status and status not in AGENT_STATUSES:
        raise UsageError(
            f"{codec.clean(status, 40)!r} is no status of an agent", hint=f"use {', '.join(AGENT_STATUSES)}"
        )
    return [a for a in of(store.get(session)) if not status or a.status == status]


def of(session: Session) -> Subagents:
    """The agents in a session's state: the last 100."""
    return [_subagent(name, row) for name, row in session.agents.items()]


def _go_on(
    store: Store,
    session: str | None,
    agent: str,
    action: str,
    given: Mapping[str, str],
    tokens: int | None,
    cost_usd: float | None,
) -> Subagent:
    current = store.get(session)
    name = _resolve(current, agent)
    amounts = {"tokens": tokens, "cost_usd": cost_usd}
    data: Doc = {"action": action, "agent_id": name, **_texts(given)}
    data |= {k: _amount(v, k) for k, v in amounts.items() if v is not None}
    before = current.agents[name].get("cost_usd", 0)
    found = _record(store, current, data)
    if cost_usd is not None and cost_usd != before:
        store.append(current.id, "usage", {"cost_usd": round(cost_usd - before, 6), "by": "agent"})
    return found


def _record(store: Store, current: Session, data: Doc) -> Subagent:
    event = store.append(current.id, "agent", data)
    name = event.data["agent_id"]
    return _subagent(name, agent_after(current.agents.get(name), event))


def _texts(given: Mapping[str, str]) -> Doc:
    return {k: entries.text(v, k) for k, v in given.items() if v}


def _amount(value: object, what: str) -> int | float:
    number = entries.number(value)
    if number < 0 or (what == "tokens" and number % 1):
        raise UsageError(f"{number} is no amount of {what}", hint="give a total of 0 or more")
    return int(number) if what == "tokens" else float(number)


def _resolve(session: Session, text: str) -> str:
    rows = session.agents
    if entries.text(text, "agent") in rows:
        return text
    found = [n for n, row in rows.items() if text and row.get("alias") == text]
    # of those that had an alias one after the other, the one that works has it now
    found = [n for n in found if rows[n].get("status") in (PENDING, EXECUTING)] or found[-1:]
    found = found or [n for n in rows if text and n.startswith(text)]
    return entries.the_one(found, text, "agent", session.id)


def _subagent(name: str, row: Mapping[str, Any]) -> Subagent:
    known = {*bounds.AGENT_TEXTS, *bounds.AGENT_AMOUNTS}
    return Subagent(name, **{k: v for k, v in row.items() if k in known})
