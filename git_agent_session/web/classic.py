"""The small API beside the whole one: `/sessions` and `/agent/execute`, sessions as tasks with times, in camel case.

A session here has three statuses: active (paused too), completed, failed (all other ends). Times are in ms.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from git_agent_session.errors import SessionState
from git_agent_session.git.discover import discover
from git_agent_session.model import PAUSED, Session
from git_agent_session.store.reader import duration_ms
from git_agent_session.store.store import Store
from git_agent_session.web import lists, runs
from git_agent_session.web import schemas as s
from git_agent_session.web.operations import Answer, Call, Operation
from git_agent_session.web.parts import Parts
from git_agent_session.web.problems import Refused
from git_agent_session.work import plans, tasks

STREAM = "text/event-stream"
# characters of a task: it becomes one word of a command
MAX_TASK = 32_000
_TASK = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TASK,
    "pattern": r"^[^\x00]*[^\s\x00\x1c-\x1f\x85\ufeff][^\x00]*$",
}

# our statuses in theirs
_STATUS = {"active": "active", PAUSED: "active", "completed": "completed"}
_TASK_STATUS = {"pending": "pending", "in_progress": "running", "done": "completed", "failed": "failed"}
# where in the worktree the session works; relative, since sessions are shared and folders are not
FOLDER = "workingDirectory"


def metadata(session: Session, top: str, plan_ids: list[str] | None = None) -> dict[str, Any]:
    """A session with its tasks and plans; `top` is the worktree, `plan_ids` all its plans (default: the last alone)."""
    numbers = tasks.stats(session)
    folder = session.meta.get(FOLDER)
    last = session.plan.get("event")
    out = {
        "sessionId": session.id,
        "startTime": session.started_at,
        "endTime": session.ended_at,
        "workingDirectory": os.path.join(top, folder) if isinstance(folder, str) and folder else top,
        "projectPath": top,
        "goal": session.goal,
        "tasks": list(session.tasks),
        "plans": plan_ids if plan_ids is not None else [last] if isinstance(last, str) else [],
        "totalTasks": numbers.total,
        "completedTasks": numbers.done,
        "failedTasks": numbers.failed,
        "totalExecutionTime": numbers.total_ms,
        "status": _STATUS.get(session.status, "failed"),
    }
    return {k: v for k, v in out.items() if v != "" or k == "projectPath"}


def detail(store: Store, session: Session) -> dict[str, Any]:
    """A session with its numbers."""
    ids = [p.id for p in plans.history(store, session.id)]
    numbers = tasks.stats(session)
    stats = {
        "duration": duration_ms(session),
        "successRate": numbers.success_rate,
        "avgExecutionTime": numbers.average_ms,
    }
    return {"metadata": metadata(session, _top(store), ids), "stats": stats}


def start(store: Store, call: Call) -> Answer:
    """Open a session."""
    meta = {}
    if given := call.body.get(FOLDER):
        meta[FOLDER] = _folder(store, given)
    made = store.start(goal=call.body.get("goal", ""), meta={k: v for k, v in meta.items() if v}, activate=False)
    doc = {"sessionId": made.id, "metadata": metadata(made, _top(store), [])}
    return Answer(doc, {"Location": f"/sessions/{made.id}"})


def _folder(store: Store, given: str) -> str:
    """The folder relative to the worktree. Raises Refused for one elsewhere."""
    top, location = _top(store), store.repo.location
    path = os.path.realpath(os.path.join(top, given))
    found = discover(path) if os.path.isdir(path) else None
    if found is None or os.path.realpath(found.git_dir) != os.path.realpath(location.git_dir):
        raise Refused(
            409, "that folder is not in the repository that this server is for", hint=f"it serves {top} alone"
        )
    relative = os.path.relpath(path, os.path.realpath(top)).replace(os.sep, "/")
    return "" if relative == "." else relative


def get(store: Store, call: Call) -> Any:
    """A session with its numbers."""
    return detail(store, store.get(call.session))


def end(store: Store, call: Call) -> Any:
    """End a session."""
    return detail(store, store.end(call.session))


def _top(store: Store) -> str:
    location = store.repo.location
    return location.worktree or location.git_dir


async def list_sessions(parts: Parts, request: Request, call: Call) -> Response:
    """The sessions, paged."""
    return lists.answer(await parts.lists.page(call, parts.classic_row), request)


async def execute(parts: Parts, request: Request, call: Call) -> Response:
    """Run a task to its end, or stream it where the client accepts events."""
    if STREAM in request.headers.get("accept", ""):
        return await execute_stream(parts, request, call)
    run = await _start(parts, call)
    ran: runs.Ran | None = None
    # a client that goes away ends this, not the run
    async for step in parts.runs.steps(run):
        if isinstance(step, runs.Ran):
            ran = step
        elif step is None and await request.is_disconnected():
            return Response(status_code=499)
    assert ran is not None
    return JSONResponse(await _result(parts, run, ran))


async def execute_stream(parts: Parts, request: Request, call: Call) -> Response:
    """Run a task and tell how it goes, as server-sent events."""
    return StreamingResponse(_events(parts, await _start(parts, call)), media_type=STREAM)


async def _start(parts: Parts, call: Call) -> runs.Run:
    task, given = call.body["task"], call.body.get("sessionId")
    argv = runs.with_task(await parts.allowed(), task)

    def prepare(store: Store) -> tuple[str | None, str]:
        session = store.get(given) if given else store.current()
        if session is None:
            return None, ""
        if session.ended or session.status == PAUSED:
            raise SessionState(f"session {session.id[:8]} is {session.status}", hint="resume it first")
        return session.id, tasks.add(store, session.id, task).id

    session_id, task_id = await parts.store.run(prepare)
    return await parts.runs.start(task, session_id, task_id, argv)


async def _result(parts: Parts, run: runs.Run, ran: runs.Ran) -> dict[str, Any]:
    """How a task went, as its document."""

    def read(store: Store) -> dict[str, Any]:
        found = [t for t in tasks.list(store, ran.session) if t.id == run.execution.task]
        task = found[0] if found else tasks.Task(run.execution.task, run.task)
        out = {
            "id": task.id,
            "sessionId": ran.session,
            "type": "command",
            "description": run.task,
            "status": _TASK_STATUS.get(task.status, task.status),
            "createdAt": task.created_at,
            "updatedAt": task.ended_at or task.started_at or task.created_at,
            "result": {
                "exit": ran.exit,
                "durationMs": round(ran.seconds * 1000),
                "output": ran.tail,
                "commits": list(ran.commits),
            },
        }
        if ran.exit:
            out["error"] = ran.error or ran.signal or f"exit status {ran.exit}"
        return out

    return await parts.store.run(read)


async def _events(parts: Parts, run: runs.Run) -> AsyncIterator[bytes]:
    """The run as server-sent events: `started`, `output` …, then `done`, or `error`."""
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}
    try:
        async for step in parts.runs.steps(run):
            if step is None:
                yield b": still at it\n\n"
            elif isinstance(step, runs.Started):
                yield event("started", {**run.to_dict(), "sessionId": step.session, "taskId": run.execution.task})
            elif isinstance(step, runs.Output):
                if text := decoders[step.stream].decode(step.data):
                    yield event("output", {"stream": step.stream, "text": text})
            else:
                for name, decoder in decoders.items():
                    if text := decoder.decode(b"", final=True):
                        yield event("output", {"stream": name, "text": text})
                yield event("done", await _result(parts, run, step))
    except Exception as e:  # the status is sent long since
        yield event("error", parts.problem(e))


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """One server-sent event (WHATWG, server-sent events); JSON has no line ends of its own."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def list_runs(parts: Parts, request: Request, call: Call) -> Response:
    """The runs that go on."""
    return JSONResponse([run.to_dict() for run in parts.runs.going()])


async def stop_run(parts: Parts, request: Request, call: Call) -> Response:
    """Ask a run to end."""
    return JSONResponse(parts.runs.stop(call.path["run"]).to_dict(), 202)


METADATA = {
    "type": "object",
    "required": ["sessionId", "startTime", "tasks", "plans", "totalTasks", "completedTasks", "failedTasks", "status"],
    "properties": {
        **{key: {"type": "string"} for key in ("sessionId", "startTime", "endTime", FOLDER, "projectPath", "goal")},
        **{key: s.many({"type": "string"}, 100_000) for key in ("tasks", "plans")},
        **{key: {"type": "integer"} for key in ("totalTasks", "completedTasks", "failedTasks", "totalExecutionTime")},
        "status": s.one_of(("active", "completed", "failed")),
    },
}
_NUMBER = {"type": ["number", "null"]}
_STATS = s.row(duration={"type": "integer"}, successRate=_NUMBER, avgExecutionTime=_NUMBER)
DETAIL = {
    "type": "object",
    "required": ["metadata", "stats"],
    "properties": {"metadata": METADATA, "stats": _STATS},
}
_MADE = s.row("sessionId", metadata=METADATA)
_RESULT = s.row(
    *("id", "sessionId", "type", "description", "status", "createdAt", "updatedAt"), result={"type": "object"}
)
_NEW = s.table(workingDirectory={"type": "string", "minLength": 1, "maxLength": 4096}, goal=s.line())
_EXECUTE = s.table({"task": _TASK}, sessionId=s.PARAMETERS["id"])
_RUN = s.row("run", "session", "task", "began")


def operations() -> list[Operation]:
    """The operations of the small API, and those on runs."""

    def op(method: str, path: str, name: str, summary: str, gives: s.Schema, **more: Any) -> Operation:
        return Operation(method, path, name, summary, "small", gives, **more)

    listed = s.many(METADATA, 1000)
    execute_: dict[str, Any] = {"body": _EXECUTE, "also": STREAM}
    return [
        op("POST", "/sessions", "create", "Open a session", _MADE, do=start, status=201, body=_NEW, body_optional=True),
        op("GET", "/sessions", "list", "All sessions", listed, endpoint=list_sessions, query=lists.QUERY),
        op("GET", "/sessions/{id}", "get", "A session with its numbers", DETAIL, do=get),
        op("POST", "/sessions/{id}/end", "end", "End a session", DETAIL, do=end),
        op("POST", "/agent/execute", "execute", "Run a task to its end", _RESULT, endpoint=execute, **execute_),
        op(
            *("POST", "/agent/execute/stream", "executeStream", "Run a task and stream its output", _RESULT),
            endpoint=execute_stream,
            **execute_,
        ),
        op("GET", "/api/v1/runs", "listRuns", "The commands that run", s.many(_RUN, runs.MOST), endpoint=list_runs),
        op("DELETE", "/api/v1/runs/{run}", "stopRun", "End a command", _RUN, endpoint=stop_run, status=202),
    ]
