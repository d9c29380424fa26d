"""What may stand in a state and in an event, whoever wrote it: plain values of the right types, none without end.

A session can be fetched from anybody, so nothing here raises: what is wrong is left out, cut or made text. The same
bounds hold when events are folded, so a `session.toml` always stays far below what `read_state` reads (4 MiB).
Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from git_agent_session.ids import is_timestamp

# the largest whole number that every reader of JSON holds exactly
MAX_CLOCK = 2**53 - 1
# characters
MAX_STATE_TEXT = 32 * 1024
MAX_NAME = 1000
MAX_TAG = 200
MAX_META = 64 * 1024

MAX_TAGS = 500
MAX_NAMES = 16
MAX_AMOUNTS = 100
MAX_DEPTH = 16

# what a session orchestrates; with all of it full, a state is still read
MAX_TASKS = 200
MAX_TASK_ID = 64
MAX_AGENTS = 100
MAX_PLAN = 8 * 1024
MAX_ERROR = 2000
# the longest text of each key of a row, in characters
TASK_TEXTS = {
    "title": 200,
    "status": 20,
    "created_at": 24,
    "started_at": 24,
    "ended_at": 24,
    "outcome": 300,
    "agent": 64,
}
_AGENT_NAMES = {"type": 64, "model": 100, "alias": 64, "native_id": 200, "checkpoint": 100, "task": MAX_TASK_ID}
AGENT_TEXTS = _AGENT_NAMES | {"status": 20, "summary": 200, "error": 200, "started_at": 24, "ended_at": 24}
AGENT_AMOUNTS = ("tokens", "cost_usd")
PLAN_TEXTS = {"event": MAX_TAG, "at": 24, "title": 200, "source": 100, "text": MAX_PLAN}

TEXTS = (
    *("goal", "title", "type", "project", "user", "parent", "message", "phase"),
    *("workflow", "last_error", "last_error_at"),
)

Doc = dict[str, Any]


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON and TOML both hold it: dates, numbers past 64 bit and those that are none become text."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else hex(value)
    if isinstance(value, float):
        return value if is_finite(value) else str(value)
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {k: plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v, depth + 1) for v in value]
    return str(value)


def is_finite(value: float) -> bool:
    """False for NaN and the infinities."""
    return float("-inf") < value < float("inf")


def is_amount(value: object) -> bool:
    """True for a finite number that TOML holds; `True` and `False` are none."""
    if isinstance(value, float):
        return is_finite(value)
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def size(value: Any, prefix: int = 0) -> int:
    """About how many characters a value takes as TOML, where each table repeats the names of those around it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return prefix + sum(len(k) + 4 + size(v, prefix + len(k) + 4) for k, v in value.items())
    if isinstance(value, list):
        return sum(2 + size(v, prefix) for v in value)
    return 24


def merged(before: Mapping[str, Any], more: Mapping[str, Any]) -> Doc:
    """`before` with the keys of `more`, without those for which there is no room: the metadata of a session."""
    out = dict(before)
    total = size(out)
    for key, value in more.items():
        grown = total + size({key: value}) - (size({key: out[key]}) if key in out else 0)
        if grown <= MAX_META:
            out[key], total = value, grown
    return out


def cut(text: str, limit: int = MAX_STATE_TEXT) -> str:
    """`text`, with an ellipsis at its end where it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def tags(values: object, before: Iterable[str] = ()) -> list[str]:
    """The tags in `values` and those that were there before, sorted, each once."""
    found = {v for v in values if isinstance(v, str) and len(v) <= MAX_TAG} if isinstance(values, list) else set()
    return sorted(found.union(before))[:MAX_TAGS]


def names(values: Mapping[str, Any]) -> dict[str, str]:
    """The texts among `values`: what a state says of an agent."""
    short = [(k, cut(v, MAX_NAME)) for k, v in values.items() if isinstance(v, str) and len(k) <= MAX_TAG]
    return dict(short[:MAX_NAMES])


def cost(values: Mapping[str, Any]) -> Doc:
    """Where costs come from (`by`, a text) and the models that have none (`unpriced`, names)."""
    out: Doc = {}
    if isinstance(values.get("by"), str):
        out["by"] = cut(values["by"], MAX_NAME)
    if isinstance(values.get("unpriced"), list):
        out["unpriced"] = tags(values["unpriced"])[:MAX_NAMES]
    return out


def task(values: Mapping[str, Any]) -> Doc:
    """The row of a task: its texts, in a line each, those that are empty left out."""
    return _row(values, TASK_TEXTS)


def agent(values: Mapping[str, Any]) -> Doc:
    """The row of a subagent: its texts, in a line each, and its amounts."""
    return _row(values, AGENT_TEXTS, AGENT_AMOUNTS)


def plan(values: Mapping[str, Any]) -> Doc:
    """The plan of a session; `cut` says that the event has more of the text."""
    text = values.get("text")
    out = _row({**values, "text": ""}, PLAN_TEXTS)
    if isinstance(text, str):
        out["text"] = cut(text, MAX_PLAN)
        if values.get("cut") is True or len(text) > MAX_PLAN:
            out["cut"] = True
    return out


def rows(value: object, shape: Callable[[Mapping[str, Any]], Doc], most: int) -> Doc | None:
    """A table of rows, each made sane by `shape`; None for what is no table."""
    if not isinstance(value, dict):
        return None
    kept = [(k, shape(v)) for k, v in value.items() if len(k) <= MAX_TAG and isinstance(v, dict)]
    return dict(kept[:most])


def _row(values: Mapping[str, Any], texts: Mapping[str, int], amounts: Iterable[str] = ()) -> Doc:
    out: Doc = {}
    for key, limit in texts.items():
        text = values.get(key)
        if isinstance(text, str) and text:
            if not text.isprintable():
                # one line, and no sign that a writer of TOML would make six characters of
                text = "".join(c if c.isprintable() else " " for c in text[: 2 * limit])
            out[key] = cut(text, limit)
    out.update((key, values[key]) for key in amounts if is_amount(values.get(key)))
    return out


def sane(doc: Mapping[str, Any]) -> Doc:
    """The state in `doc` with only what has the right type and size; keys that are not known stay while there is room.

    What a state cannot do without is there afterwards: `status`, and the two times, "" where there was none.
    """
    out: Doc = {
        "schema": doc.get("schema"),
        "id": doc.get("id"),
        "status": "active",
        "started_at": "",
        "updated_at": "",
    }
    unknown: Doc = {}
    for key, value in doc.items():
        if shape := _SHAPES.get(key):
            if (kept := shape(value)) is not None:
                out[key] = kept
        elif key not in ("schema", "id"):
            unknown[key] = plain(value)
    return out | merged({}, unknown) if unknown else out


def _text(value: object) -> str | None:
    return cut(value) if isinstance(value, str) else None


def _status(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TAG else None


def _time(value: object) -> str | None:
    return str(value) if is_timestamp(value) else None


def _clock(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_CLOCK else None


def _counts(value: object) -> Doc | None:
    return _amounts(value, lambda v: isinstance(v, int) and is_amount(v) and v >= 0)


def _usage(value: object) -> Doc | None:
    return _amounts(value, is_amount)


def _amounts(value: object, takes: Callable[[Any], bool]) -> Doc | None:
    if not isinstance(value, dict):
        return None
    kept = [(k, v) for k, v in value.items() if len(k) <= MAX_TAG and takes(v)]
    return dict(kept[:MAX_AMOUNTS])


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "status": _status,
    **dict.fromkeys(("started_at", "updated_at", "ended_at"), _time),
    **dict.fromkeys(TEXTS, _text),
    "clock": _clock,
    "tags": lambda v: tags(v) if isinstance(v, list) else None,
    "agent": lambda v: names(v) if isinstance(v, dict) else None,
    "counts": _counts,
    "usage": _usage,
    "cost": lambda v: cost(v) if isinstance(v, dict) else None,
    "meta": lambda v: merged({}, plain(v)) if isinstance(v, dict) else None,
    "ready": lambda v: True if v is True else None,
    "tasks": lambda v: rows(v, task, MAX_TASKS),
    "agents": lambda v: rows(v, agent, MAX_AGENTS),
    "plan": lambda v: plan(v) if isinstance(v, dict) else None,
}
