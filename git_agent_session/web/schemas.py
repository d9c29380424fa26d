"""The JSON Schemas (2020-12) of requests and answers; what they bound is what the library bounds.

Answers may hold further keys, as docs/json.md says; requests may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from git_agent_session.codec import MAX_TEXT
from git_agent_session.model import END_STATUSES, ROLES, SNAPSHOT_TYPES, STATUSES, TOKENS
from git_agent_session.orchestration import AGENT_STATUSES, TASK_STATUSES

Schema = Mapping[str, Any]

# of what a line says
LINE = 1000
_INT = 2**53 - 1
# as store.entries has them, in the common language of ECMA 262 and Python
WORD = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]*$", "minLength": 1, "maxLength": 64}
AGENT = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$", "minLength": 1, "maxLength": 64}
KIND = WORD
EVENT_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "minLength": 1, "maxLength": 200}
TASK_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "minLength": 1, "maxLength": 64}
TAG = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/ -]*$", "minLength": 1, "maxLength": 100}
PHASE = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "minLength": 1, "maxLength": 64}
_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?"
MOMENT = {
    "type": "string",
    "pattern": f"^{_DAY}(T{_TIME}Z)?$",
    "maxLength": 30,
    "description": "A day or a moment in UTC; until a day or a second is until its end.",
}
NUMBER = {"type": "number", "minimum": -_INT, "maximum": _INT}
AMOUNT = {"type": "integer", "minimum": 0, "maximum": _INT}
MONEY = {"type": "number", "minimum": 0, "maximum": 1_000_000_000}
META = {"type": "object", "maxProperties": 100}
FLAG = {"type": "boolean"}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
CURSOR = {
    "type": "string",
    "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z)?~[0-9a-f-]{36}$",
    "description": "From the header Link of the page before.",
}


def moment(text: str, *, last: bool = False) -> str:
    """What MOMENT allows as events have it, with milliseconds: its beginning, or with `last` its end; "" for ""."""
    given = text.removesuffix("Z")
    if not given or "." in given:
        return given and f"{given.ljust(23, '0')[:23]}Z"
    further = "T23:59:59.999Z" if last else "T00:00:00.000Z"
    return given + further[len(given) - len("2026-01-31") :]


# something but white space, which Python and ECMA 262 do not see in the same signs: here in those of both
_SIGN = r"[^\s\x1c-\x1f\x85\ufeff]"


def line(most: int = LINE, least: int = 0) -> Schema:
    """A short text; with `least` one that says something."""
    return {"type": "string", "maxLength": most, **({"minLength": least, "pattern": _SIGN} if least else {})}


TEXT = {"type": "string", "maxLength": MAX_TEXT}
SAID = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": _SIGN}


def one_of(words: Sequence[str]) -> Schema:
    """One of several words."""
    return {"type": "string", "enum": list(words)}


def table(needed: Mapping[str, Schema] | None = None, /, **further: Schema) -> Schema:
    """What a request says: the keys that it needs and those that it may have, and no others."""
    needed = needed or {}
    return {
        "type": "object",
        "properties": {**needed, **further},
        **({"required": list(needed)} if needed else {}),
        "additionalProperties": False,
    }


def some(schema: Schema) -> Schema:
    """A table that says at least one thing."""
    return {**schema, "minProperties": 1}


def many(schema: Schema, most: int = 100, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": schema, "maxItems": most, **({"minItems": least} if least else {})}


def row(*needed: str, **known: Schema) -> Schema:
    """What an answer holds: keys that are always there, and what is known of keys; there may be more."""
    properties = {**{key: {"type": "string"} for key in needed}, **known}
    return {"type": "object", "properties": properties, "required": list(needed)}


# parameters in paths
PARAMETERS: Mapping[str, Schema] = {
    "id": {
        "type": "string",
        "pattern": "^(@|[0-9a-f]{4}[0-9a-f-]{0,32})$",
        "description": "A session's id, its first 4 or more digits, or @ for the active session of the worktree.",
    },
    "task": {**TASK_ID, "description": "A task's id or the start of it."},
    "agent": {**EVENT_ID, "description": "An agent's id, the start of it, or its alias."},
    "commit": {"type": "string", "pattern": "^[0-9a-f]{4,64}$", "description": "A commit's id or the start of it."},
    "run": {"type": "string", "pattern": "^[0-9a-f]{8,40}$", "description": "The id of a run."},
}

WHO = table(type=AGENT, version=line(100), model=line(100), native_id=EVENT_ID)
START = table(
    goal=line(),
    title=line(),
    type=WORD,
    project=line(200),
    user=line(200),
    parent=PARAMETERS["id"],
    workflow=line(64),
    template=line(64),
    agent=WHO,
    tags=many(TAG, 50),
    meta=META,
    activate=FLAG,
)
END = table(status=one_of(END_STATUSES), message=line(), phase=PHASE)
SET = some(table(goal=line(), title=line(), type=WORD, project=line(200), meta=META))
AGENT_TOLD = {k: line(100) for k in ("model", "alias", "native_id")} | {"checkpoint": line(100), "task": line(64)}
AGENT_SPENT = {"tokens": AMOUNT, "cost_usd": MONEY}
USAGE = some(table(**dict.fromkeys(TOKENS, AMOUNT), cost_usd=MONEY, duration_ms=AMOUNT))

SESSION = row("id", "status", "started_at", status=one_of(STATUSES))
EVENT = row("id", "at", "kind")
TASK = row("id", "title", "status", status=one_of(TASK_STATUSES))
SUBAGENT = row("id", "status", status=one_of(AGENT_STATUSES))
LINK = row("commit", "via")
PLAN = row("id", "text", "at")
SNAPSHOT_TYPE = one_of(SNAPSHOT_TYPES)
ROLE = one_of(ROLES)
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The word for the error, as `--json` prints it."},
        "hint": {"type": "string", "description": "What to do next."},
    },
}
