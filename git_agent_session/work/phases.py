"""The phase that a session is in: moving on by the rules of its workflow, and the history of the moves.

A session without a workflow takes any word. One that moves into a phase that work can be resumed in is marked ready for
it, one that leaves it no longer; `mark_ready` says otherwise. A final phase ends the session with its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session import codec, orchestration
from git_agent_session.errors import BrokenWorkflow, SessionState, UsageError
from git_agent_session.model import Doc, Event, Session
from git_agent_session.store import entries
from git_agent_session.store.store import Store
from git_agent_session.work import deciding, workflows
from git_agent_session.work.workflows import Workflow


@dataclass(frozen=True, slots=True)
class Transition:
    """A move from one phase to the next: `before` is "" for the first; `at` is RFC 3339."""

    before: str
    after: str
    at: str

    def to_dict(self) -> Doc:
        """The keys `from` (left out for the first), `to` and `at`."""
        return {**({"from": self.before} if self.before else {}), "to": self.after, "at": self.at}


def move(
    store: Store, session: str | None, phase: str, *, message: str = "", meta: Mapping[str, Any] | None = None
) -> Session:
    """Move a session on to `phase` and return it; one that is there already stays as it is.

    `meta` is merged into the session's metadata first. A final phase ends the session, with `message`. Raises
    UsageError for a phase that the workflow does not know, SessionState for one that may not follow, or where the
    session has ended.
    """
    current = _open(store, session)
    entries.check(phase, workflows.PHASE, "phase", "such as planning")
    workflow = workflow_of(store, current)
    if workflow is not None:
        _check(workflow, current, phase)
    if message and (workflow is None or phase not in workflow.final):
        raise UsageError("a message goes with a phase that ends the session", hint="`log` records a note")
    if meta:
        store.set(current.id, meta=meta)
        current = store.get(current.id)
    if workflow is not None and phase in workflow.final:
        return store.end(current.id, status=workflow.final[phase], message=message, phase=phase)
    if phase != current.phase:
        ready = phase in deciding.resumable(store, workflow)
        return _after(current, store.append(current.id, "phase", {"phase": phase, "ready": ready}))
    return current


def follow(store: Store, session: str | None, name: str) -> Session:
    """Let a session that is open follow a workflow from its first phase on. Raises as `workflows.load` does."""
    current = _open(store, session)
    workflow = workflows.load(store.repo, name)
    ready = workflow.initial in deciding.resumable(store, workflow)
    data = {"workflow": workflow.name, "phase": workflow.initial, "ready": ready}
    return _after(current, store.append(current.id, "phase", data))


def mark_ready(store: Store, session: str | None = None, ready: bool = True) -> Session:
    """Say whether work on a session may be resumed where it stands."""
    current = _open(store, session)
    return _after(current, store.append(current.id, "phase", {"ready": bool(ready)}))


def finish(store: Store, session: str | None = None, *, status: str = "completed", message: str = "") -> Session:
    """End a session as `Store.end` does, in the final phase of its workflow that has this status, if there is one."""
    current = store.get(session)
    workflow = workflow_of(store, current, strict=False)
    final = workflow.final if workflow is not None else {}
    phase = next((p for p, s in final.items() if s == status), "")
    return store.end(current.id, status=status, message=message, phase=phase)


def options(store: Store, session: str | None = None) -> tuple[str, ...] | None:
    """The phases that may follow in a session, None where any may: it has no workflow, or one that is not here."""
    current = store.get(session)
    workflow = workflow_of(store, current, strict=False)
    return None if workflow is None else workflow.allowed(current.phase, current.type)


def history(store: Store, session: str | None = None) -> list[Transition]:
    """The moves of a session in their order, each with its time."""
    found: list[Transition] = []
    before = ""
    for event in store.history(session, kinds=("start", "phase", "end")):
        after = _phase_in(event)
        if after and after != before:
            found.append(Transition(before, after, event.at))
            before = after
    return found


def _phase_in(event: Event) -> str:
    phase = event.data.get("phase")
    # an interaction may have a type of these names
    return phase if isinstance(phase, str) and event.kind in ("start", "phase", "end") else ""


def workflow_of(store: Store, session: Session, *, strict: bool = True) -> Workflow | None:
    """The workflow that a session follows, None without one, and where it cannot be read unless `strict`."""
    if not session.workflow:
        return None
    try:
        return workflows.load(store.repo, session.workflow)
    except (UsageError, BrokenWorkflow):
        if strict:
            raise
        return None


def _after(before: Session, event: Event) -> Session:
    """The session after a `phase` event, without reading it again."""
    counts = {**before.counts, "events": before.counts.get("events", 0) + 1}
    doc = {**before.doc, "updated_at": max(before.updated_at, event.at), "counts": counts}
    orchestration.phase(doc, event)
    return Session.from_doc(doc)


def _open(store: Store, session: str | None) -> Session:
    current = store.get(session)
    if current.ended:
        raise SessionState(
            f"session {current.id[:8]} has ended ({current.status})",
            hint=f"`git agent-session resume {current.id[:8]}` reopens it",
        )
    return current


def _check(workflow: Workflow, session: Session, phase: str) -> None:
    known = workflow.known(session.type)
    if phase not in known:
        kind = f" for a session of type {codec.clean(session.type, 60)}" if session.type in workflow.skips else ""
        raise UsageError(f"the workflow {workflow.name} has no phase {phase!r}{kind}", hint=f"use {', '.join(known)}")
    allowed = workflow.allowed(session.phase, session.type)
    if phase != session.phase and phase not in allowed:
        raise SessionState(
            f"{phase!r} may not follow {codec.clean(session.phase, 60)!r} in the workflow {workflow.name}",
            hint=f"what may: {', '.join(allowed)}",
        )
