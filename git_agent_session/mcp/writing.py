"""The tools that record: each adds to a session through the Python API, which cleans and redacts what it is given."""

from __future__ import annotations

from typing import Any

from git_agent_session import work
from git_agent_session.mcp.door import Door
from git_agent_session.mcp.reading import Args
from git_agent_session.model import Doc, Event
from git_agent_session.work import failures, phases
from git_agent_session.work.tasks import Task


def add_note(door: Door, args: Args) -> Doc:
    """Record a note, or an interaction of another type and role."""
    found = door.session(args.get("session"))
    event = door.store.log(found, args.get("type", "note"), args["text"], role=args.get("role", ""))
    return _recorded(found, event)


def add_decision(door: Door, args: Args) -> Doc:
    """Record a decision, its reason, and the files that it is about."""
    found = door.session(args.get("session"))
    event = failures.decide(door.store, found, args["text"], reason=args.get("reason", ""), paths=args.get("paths", ()))
    return _recorded(found, event)


def add_task(door: Door, args: Args) -> Doc:
    """Add a task."""
    found = door.session(args.get("session"))
    return _task(door, found, work.tasks.add(door.store, found, args["title"], id=args.get("id", "")))


def start_task(door: Door, args: Args) -> Doc:
    """Say that work on a task begins."""
    found = door.session(args.get("session"))
    return _task(door, found, work.tasks.start(door.store, found, args["task"]))


def complete_task(door: Door, args: Args) -> Doc:
    """Say that a task is done."""
    found = door.session(args.get("session"))
    return _task(door, found, work.tasks.done(door.store, found, args["task"], outcome=args.get("outcome", "")))


def fail_task(door: Door, args: Args) -> Doc:
    """Say that a task has failed."""
    found = door.session(args.get("session"))
    return _task(door, found, work.tasks.fail(door.store, found, args["task"], outcome=args.get("outcome", "")))


def set_plan(door: Door, args: Args) -> Doc:
    """Set the plan of a session."""
    found = door.session(args.get("session"))
    plan = work.plans.set(door.store, found, args["text"], title=args.get("title", ""), source="mcp")
    return {"session": found, "event": plan.id, "at": plan.at}


def move_phase(door: Door, args: Args) -> Doc:
    """Move a session on to another phase."""
    found = door.session(args.get("session"))
    state = work.move_phase(door.store, found, args["phase"], message=args.get("message", ""))
    doc: Doc = {"session": found, "phase": state.phase, "status": state.status}
    may_follow = None if state.ended else phases.options(door.store, found)
    return door.quote(found).fit(doc | ({} if may_follow is None else {"may_follow": list(may_follow)}))


def record_metric(door: Door, args: Args) -> Doc:
    """Record a number under a name."""
    found = door.session(args.get("session"))
    return _recorded(found, door.store.metric(found, args["name"], args["value"]))


def record_tool(door: Door, args: Args) -> Doc:
    """Record that a tool was called: its name, how long it took, how it ended, the files that it wrote."""
    found = door.session(args.get("session"))
    data: dict[str, Any] = {k: args[k] for k in ("name", "duration_ms", "outcome", "paths") if k in args}
    return _recorded(found, door.store.append(found, "tool", data))


def add_tag(door: Door, args: Args) -> Doc:
    """Add tags."""
    found = door.session(args.get("session"))
    return _recorded(found, door.store.tag(found, add=args["tags"]))


def set_goal(door: Door, args: Args) -> Doc:
    """Say what a session is to do; the goal before stays in its history."""
    found = door.session(args.get("session"))
    return _recorded(found, door.store.set(found, goal=args["goal"]))


def _recorded(session_id: str, event: Event) -> Doc:
    return {"session": session_id, "event": event.id, "at": event.at}


def _task(door: Door, session_id: str, task: Task) -> Doc:
    return {"session": session_id, "task": door.quote(session_id).fit(task.to_dict())}
