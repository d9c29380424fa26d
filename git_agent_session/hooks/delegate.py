"""Two hooks for whoever hands work to agents: `hook pre-delegate` and `hook subagent-stop`.

    pre-delegate    {agent_name, task_id, agent_id?, task_description, metadata}
                 -> {should_resume, reason, agent_id, resume_metadata, original_context}
    subagent-stop   {agent_id | task_info.agent_id, exit_code | workflow_metrics.exit_code, summary?}
                 -> {finalized, reason, agent_id, outcome}

JSON on standard input, the decision as JSON on standard output, exit status 0 whatever happens: what is wrong stands in
`reason` and `error`, and the caller goes on as if there were no session. `agent_id` is the id of a session, or for
subagent-stop that of an agent inside the current one. With `--test` nothing is read or changed: the answer is that to a
request about the current session.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import git_agent_session
from git_agent_session import codec, work
from git_agent_session.errors import AgentSessionError, SessionNotFound, UsageError
from git_agent_session.ids import is_session_id
from git_agent_session.model import ACTIVE, PAUSED, Doc, Session
from git_agent_session.orchestration import COMPLETE, FAILED
from git_agent_session.store.reader import Filter
from git_agent_session.store.store import Store

# bytes of a request; characters of a name or id, and of a summary
MAX_REQUEST = 1024 * 1024
MAX_NAME = 200
MAX_SUMMARY = 32 * 1024
# an agent's latest open sessions that are looked at where no id is given
MOST = 20

Request = Mapping[str, Any]


def main(argv: list[str]) -> int:
    """Answer one request of the hook that `argv` names; always 0, always one JSON object on standard output."""
    name = argv[0] if argv else ""
    try:
        test = argv[1:] == ["--test"]
        if argv[1:] and not test:
            raise UsageError(f"hook {name} takes --test and nothing else", hint="the request comes on standard input")
        request = {} if test else parse(sys.stdin.buffer.read(MAX_REQUEST + 1))
        answer = answer_to(name, request, git_agent_session.open(env=os.environ), test=test)
    except BaseException as e:  # a hook that fails would stop the delegation
        answer = _refusal(name, e)
    # ASCII alone: a request may hold what a terminal would obey
    sys.stdout.write(json.dumps(answer, indent=2).replace("\x7f", "\\u007f") + "\n")
    sys.stdout.flush()
    return 0


def answer_to(name: str, request: Request, store: Store, *, test: bool = False) -> Doc:
    """The answer of a hook. Raises UsageError for a request that cannot be, and what the store raises."""
    if name == "pre-delegate":
        return pre_delegate(store, _sample(store) if test else request)
    return subagent_stop(store, _sample(store) if test else request, test=test)


def pre_delegate(store: Store, request: Request) -> Doc:
    """Whether work that is about to be handed to an agent should go on in a session that it has; reads only.

    Without an `agent_id` the latest open session of an agent of this name that can be resumed is taken. Raises
    UsageError for a request without `agent_name`, or with values of wrong types.
    """
    name, given = _text(request, "agent_name"), _text(request, "agent_id")
    _text(request, "task_id")
    _text(request, "task_description", codec.MAX_TEXT)
    if not isinstance(request.get("metadata") or {}, Mapping):
        raise UsageError("metadata must be a JSON object", hint="leave it out where there is none")
    if not name:
        raise UsageError("the request names no agent_name", hint="say which agent is to work")
    found = work.should_resume(store, given) if given else _latest(store, name)
    session = found.session if found is not None else None
    resume = found is not None and found.resume
    return {
        "should_resume": resume,
        "reason": found.reason if found is not None else "no_session",
        "agent_id": session.id if session is not None else given or None,
        "resume_metadata": _metadata(store, session) if resume and session is not None else None,
        "original_context": dict(request),
    }


def _latest(store: Store, agent: str) -> work.Decision | None:
    """The decision about the latest open session of an agent that can be resumed, else about the latest at all."""
    first = None
    for session in store.list(Filter(agent_type=agent, status=(ACTIVE, PAUSED)), limit=MOST):
        found = work.should_resume(store, session.id)
        if found.resume:
            return found
        first = first or found
    return first


def _metadata(store: Store, session: Session) -> Doc:
    moves = work.phase_history(store, session.id)
    return {
        "previous_phase": session.phase,
        "created_at": session.started_at,
        # how it began is no move
        "history": [{"from_phase": m.before, "to_phase": m.after, "timestamp": m.at} for m in moves if m.before],
        "session_metadata": dict(session.meta),
    }


def subagent_stop(store: Store, request: Request, *, test: bool = False) -> Doc:
    """End what an agent worked in, by its exit code: a session, or its part of the current one.

    Raises UsageError for values of wrong types. Without an `agent_id` there is nothing to end, which is no error.
    """
    info, metrics = _inner(request, "task_info"), _inner(request, "workflow_metrics")
    given = _text(request, "agent_id") or _text(info, "agent_id")
    code = request.get("exit_code", metrics.get("exit_code", 0))
    if type(code) is not int:
        raise UsageError("exit_code must be a whole number", hint="0 for success")
    summary = _text(request, "summary", MAX_SUMMARY) or _text(info, "summary", MAX_SUMMARY)
    outcome = "completed" if code == 0 else "failed"
    answer: Doc = {"finalized": False, "reason": "no_agent_id", "agent_id": given or None, "outcome": outcome}
    if not given:
        return answer
    end = _end_of(store, given)
    if end is None:
        return answer | {"reason": "not_found"}
    session, agent = end
    answer |= {"agent_id": agent.id if agent is not None else session.id}
    if session.ended or (agent is not None and agent.over):
        return answer | {"reason": "over_already"}
    if test:
        return answer | {"reason": "test"}
    if agent is not None:
        status = COMPLETE if code == 0 else FAILED
        work.subagents.stop(store, session.id, agent.id, status=status, summary=summary)
    else:
        work.finish(store, session.id, status=outcome, message=summary)
    return answer | {"finalized": True, "reason": f"exit_code_{code}"}


def _end_of(store: Store, given: str) -> tuple[Session, work.Subagent | None] | None:
    """The session of this id; else the agent of this id inside the current session; else a session by its start."""
    current = store.current()
    if not is_session_id(given) and current is not None and given in current.agents:
        return current, work.subagents.get(store, current.id, given)
    try:
        return store.get(given), None
    except SessionNotFound:
        return None


def _sample(store: Store) -> Doc:
    """A request about the current session, where there is one."""
    current = store.current()
    request: Doc = {"agent_name": "test-agent", "task_id": "TEST", "task_description": "a test", "metadata": {}}
    if current is not None:
        request |= {"agent_name": current.agent.type or "test-agent", "agent_id": current.id}
    return request


def parse(data: bytes) -> Doc:
    """The request in `data`. Raises UsageError when it is too large or no JSON object."""
    if len(data) > MAX_REQUEST:
        raise UsageError(f"the request is larger than {MAX_REQUEST // 1024 // 1024} MiB", hint="give less")
    try:
        value = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as e:
        raise UsageError("the request is no JSON", hint=codec.clean(str(e), 100)) from e
    if not isinstance(value, dict):
        raise UsageError("the request is no JSON object", hint='give {"agent_name": …}')
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _inner(request: Request, key: str) -> Request:
    value = request.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(request: Request, key: str, limit: int = MAX_NAME) -> str:
    value = request.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise UsageError(f"{key} must be a text of up to {limit:,} characters", hint="see docs/workflows.md")
    return value


def _refusal(name: str, error: BaseException) -> Doc:
    """The answer where there is none: go on without a session."""
    said = error.line() if isinstance(error, AgentSessionError) else f"{type(error).__name__}: {error}"
    reason = "invalid_request" if isinstance(error, UsageError) else "error"
    if isinstance(error, AgentSessionError) and not isinstance(error, UsageError):
        reason = error.code.replace("-", "_")
    empty: Doc = {"should_resume": False, "reason": reason, "agent_id": None, "resume_metadata": None}
    empty["original_context"] = {}
    stopped: Doc = {"finalized": False, "reason": reason, "agent_id": None, "outcome": None}
    return (stopped if name == "subagent-stop" else empty) | {"error": codec.clean(said, 500)}
