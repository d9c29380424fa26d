"""The API's operations on what a session orchestrates: tasks, plan, phase, agents, whether and how to go on."""

from __future__ import annotations

from typing import Any

from git_agent_session.errors import UsageError
from git_agent_session.orchestration import TASK_STATUSES
from git_agent_session.store.store import Store
from git_agent_session.web import schemas as s
from git_agent_session.web.operations import Call, Operation
from git_agent_session.web.problems import Refused
from git_agent_session.web.sessions import ONE
from git_agent_session.work import brief, deciding, phases, plans, subagents, tasks

_MOVES: dict[str, Any] = {"in_progress": tasks.start, "done": tasks.done, "failed": tasks.fail}


def list_tasks(store: Store, call: Call) -> Any:
    return [t.to_dict() for t in tasks.list(store, call.session, status=call.query.get("status", ()))]


def add_task(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return tasks.add(store, call.session, body.pop("title"), **body).to_dict()


def get_task(store: Store, call: Call) -> Any:
    return _task(store, call).to_dict()


def move_task(store: Store, call: Call) -> Any:
    body, task = dict(call.body), _task(store, call)
    return _MOVES[body.pop("status")](store, call.session, task.id, **body).to_dict()


def _task(store: Store, call: Call) -> tasks.Task:
    found = [t for t in tasks.list(store, call.session) if t.id.startswith(call.path["task"])]
    exact = [t for t in found if t.id == call.path["task"]]
    if len(exact or found) != 1:
        said = "several tasks have" if found else "no task has"
        raise Refused(409 if found else 404, f"{said} the id {call.path['task']}", hint=f"GET {ONE}/tasks lists them")
    return (exact or found)[0]


def task_stats(store: Store, call: Call) -> Any:
    return tasks.stats(store.get(call.session)).to_dict()


def get_plan(store: Store, call: Call) -> Any:
    found = plans.get(store, call.session)
    if found is None:
        raise Refused(404, "the session has no plan", hint=f"PUT {ONE}/plan sets one")
    return found.to_dict()


def set_plan(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return plans.set(store, call.session, body.pop("text"), **body).to_dict()


def get_phase(store: Store, call: Call) -> Any:
    found = store.get(call.session)
    options = phases.options(store, found.id)
    out = {"phase": found.phase, "workflow": found.workflow, "ready": found.ready}
    moves = [t.to_dict() for t in phases.history(store, found.id)]
    return {**out, **({"next": list(options)} if options is not None else {}), "history": moves}


def move_phase(store: Store, call: Call) -> Any:
    body = dict(call.body)
    try:
        return phases.move(store, call.session, body.pop("phase"), **body).to_dict()
    except UsageError as e:
        # what the workflow allows depends on where the session stands
        raise Refused(409, e.message, hint=e.hint) from e


def list_agents(store: Store, call: Call) -> Any:
    return [a.to_dict() for a in subagents.list(store, call.session)]


def start_agent(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return subagents.start(store, call.session, body.pop("type"), **body).to_dict()


def _agent(store: Store, call: Call) -> str:
    store.get(call.session)
    try:
        return subagents.get(store, call.session, call.path["agent"]).id
    except UsageError as e:
        raise Refused(404, e.message, hint=f"GET {ONE}/agents lists them") from e


def update_agent(store: Store, call: Call) -> Any:
    return subagents.update(store, call.session, _agent(store, call), **call.body).to_dict()


def stop_agent(store: Store, call: Call) -> Any:
    return subagents.stop(store, call.session, _agent(store, call), **call.body).to_dict()


def should_resume(store: Store, call: Call) -> Any:
    return deciding.should_resume(store, call.session).to_dict()


def get_brief(store: Store, call: Call) -> Any:
    told = brief.of_session(store, call.session, budget=call.query.get("tokens", brief.DEFAULT_TOKENS))
    return {"text": told.text, "token_estimate": told.token_estimate}


def stats(store: Store, call: Call) -> Any:
    found = store.summary(call.session)
    out = {"session": found.session.id, "duration_ms": found.duration_ms, "tools": dict(found.tools)}
    numbers = tasks.stats(found.session).to_dict()
    return {**out, "commits": len(found.commits), "tasks": numbers, "usage": dict(found.session.usage)}


_ADD = s.table({"title": s.line(200, 1)}, id=s.TASK_ID, agent=s.line(64))
_MOVE = {
    "oneOf": [
        s.table({"status": s.one_of(("in_progress",))}, agent=s.line(64)),
        s.table({"status": s.one_of(("done", "failed"))}, outcome=s.line(300)),
    ]
}
_PLAN = s.table({"text": s.SAID}, title=s.line(200), source=s.line(100))
_PHASE = s.table({"phase": s.PHASE}, message=s.line(), meta=s.META)
_BEGIN = s.table({"type": s.WORD}, id=s.EVENT_ID, status=s.one_of(("pending", "executing")), **s.AGENT_TOLD)
_GO_ON = s.some(s.table(status=s.one_of(("pending", "executing")), **s.AGENT_TOLD, **s.AGENT_SPENT))
_STOP = s.table(
    status=s.one_of(("complete", "failed")),
    checkpoint=s.line(100),
    summary=s.line(),
    error=s.line(),
    **s.AGENT_SPENT,
)
_BRIEF = {"tokens": {"type": "integer", "minimum": brief.MINIMUM_TOKENS, "maximum": 100_000}}
_NUMBERS = s.row(total={"type": "integer"}, done={"type": "integer"}, failed={"type": "integer"})
_WHERE = s.row("phase", "workflow", ready=s.FLAG)
_DECISION = s.row("reason", resume=s.FLAG)


def operations() -> list[Operation]:
    """The operations on tasks, plan, phase and agents."""

    def op(method: str, path: str, name: str, summary: str, gives: s.Schema, do: Any, **more: Any) -> Operation:
        return Operation(method, f"{ONE}/{path}", name, summary, "orchestrate", gives, do, **more)

    made = {"status": 201}
    status = {"status": s.many(s.one_of(TASK_STATUSES), 4)}
    one = "tasks/{task}"
    return [
        op("GET", "tasks", "listTasks", "The tasks of a session", s.many(s.TASK, 200), list_tasks, query=status),
        op("POST", "tasks", "addTask", "Add a task", s.TASK, add_task, body=_ADD, **made),
        op("GET", one, "getTask", "A task", s.TASK, get_task),
        op("PATCH", one, "moveTask", "Say that a task begins, is done or has failed", s.TASK, move_task, body=_MOVE),
        op("GET", "plan", "getPlan", "The plan that counts", s.PLAN, get_plan),
        op("PUT", "plan", "setPlan", "Set the plan", s.PLAN, set_plan, body=_PLAN),
        op("GET", "phase", "getPhase", "Where a session stands, and what it may move on to", _WHERE, get_phase),
        op("POST", "phase", "movePhase", "Move on to a phase", s.SESSION, move_phase, body=_PHASE),
        op("GET", "agents", "listAgents", "The agents in a session", s.many(s.SUBAGENT, 100), list_agents),
        op("POST", "agents", "startAgent", "Say that an agent begins", s.SUBAGENT, start_agent, body=_BEGIN, **made),
        op(
            "PATCH", "agents/{agent}", "updateAgent", "How far an agent has come", s.SUBAGENT, update_agent, body=_GO_ON
        ),
        op(
            *("POST", "agents/{agent}/stop", "stopAgent", "Say that an agent has stopped", s.SUBAGENT, stop_agent),
            body=_STOP,
            body_optional=True,
        ),
        op("GET", "should-resume", "shouldResume", "Whether to go on with a session", _DECISION, should_resume),
        op("GET", "brief", "getBrief", "What to know before going on", s.row("text"), get_brief, query=_BRIEF),
        op("GET", "task-stats", "taskStats", "The tasks of a session in numbers", _NUMBERS, task_stats),
        op("GET", "stats", "sessionStats", "A session in numbers", s.row("session"), stats),
    ]
