"""Events as lines of a history: when, what, and the one thing about each kind that a reader looks for.

Kinds that are not known are shown with their keys. It reads no repository: the subject of
a commit is asked of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from git_agent_session import term
from git_agent_session.model import Doc, Event
from git_agent_session.report import view as words
from git_agent_session.report.view import View

Subject = Callable[[str], str]
# past this a history that is not cut by a terminal cuts a text itself
_LONGEST = 2000


def history(view: View, events: Sequence[Event], subject: Subject) -> list[str]:
    """One line an event: when, kind, what."""
    rows = [(view.ago(e.at), kind(e), describe(e, subject)[:_LONGEST]) for e in events]

    def style(row: int, column: int, cell: str) -> str:
        if column == 0:
            return view.dim(cell)
        return view.heading(cell) if column == 1 and events[row].kind != "interaction" else cell

    return term.columns(rows, total=view.width, flexible=2, style=style)


def kind(event: Event) -> str:
    """What `--type` calls the event: an interaction's own type, else its kind."""
    if event.kind == "interaction":
        return words.value(event.data.get("type", "interaction"))
    return term.clean(event.kind)


def describe(event: Event, subject: Subject) -> str:
    """What an event says, in one line."""
    data = event.data
    say = _SAYS.get(event.kind)
    if event.kind in ("commit", "unlink"):
        text = _commit(data, "commit", subject)
    elif event.kind == "lines":
        text = f"{_commit(data, 'commit', subject)}: {_lines(data)}"
    elif event.kind == "rewrite":
        text = f"{_text(data, 'old')[: words.SHORT_COMMIT]} is now {_commit(data, 'new', subject)}"
    elif say:
        text = say(data)
    else:
        text = words.value(data)
    return term.clean(text)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    return value if isinstance(value, str) else words.value(value)


def _commit(data: Doc, key: str, subject: Subject) -> str:
    commit = _text(data, key)
    via = f" ({_text(data, 'via')})" if data.get("via") else ""
    return f"{commit[: words.SHORT_COMMIT]} {subject(commit)}{via}".rstrip()


def _lines(data: Doc) -> str:
    """How many lines of a commit are whose, as far as an event of anybody's says so: `14 agent, 2 human`."""
    counted = dict.fromkeys(("agent", "mixed", "human"), 0)
    rows = data.get("files")
    for row in rows if isinstance(rows, list) else ():
        for kind in counted if isinstance(row, dict) else ():
            spans = row.get(kind)
            for span in spans.split() if isinstance(spans, str) else ():
                first, _, last = span.partition("@")[0].partition("-")
                if first.isdecimal() and (last or first).isdecimal() and len(last or first) < 7:
                    counted[kind] += max(0, int(last or first) - int(first) + 1)
    return ", ".join(f"{n:,} {kind}" for kind, n in counted.items() if n) or "nothing is known of its lines"


def _start(data: Doc) -> str:
    return _text(data, "goal") or _text(data, "title")


def _end(data: Doc) -> str:
    return ": ".join(t for t in (_text(data, "status"), _text(data, "message")) if t)


def _tag(data: Doc) -> str:
    marks = (("+", data.get("add")), ("-", data.get("remove")))
    return " ".join(f"{mark}{words.value(t)}" for mark, tags in marks if isinstance(tags, list) for t in tags)


def _said(data: Doc) -> str:
    role = _text(data, "role")
    return f"{role}: {_text(data, 'text')}" if role else _text(data, "text")


def _tool(data: Doc) -> str:
    # a path is shorter than what a tool says of itself, and says as much
    parts = [_text(data, "name"), _text(data, "paths") or _text(data, "summary")]
    outcome = _text(data, "outcome")
    if outcome and outcome not in ("ok", "success"):
        parts.append(f"({outcome})")
    if isinstance(data.get("duration_ms"), int | float):
        parts.append(f"in {term.duration(data['duration_ms'])}")
    return " ".join(p for p in parts if p)


def _context(data: Doc) -> str:
    parts = [_text(data, "type") or "snapshot"]
    if isinstance(data.get("file_count"), int):
        parts.append(term.count(data["file_count"], "file"))
    if isinstance(data.get("token_estimate"), int):
        parts.append(f"about {term.si(data['token_estimate'])} tokens")
    return ", ".join(parts)


def _metric(data: Doc) -> str:
    return f"{_text(data, 'name')} = {words.value(data.get('value', ''))}"


def _model(data: Doc) -> str:
    return " ".join(t for t in (_text(data, "model"), _text(data, "version")) if t)


def _usage(data: Doc) -> str:
    parts = [words.usage({k: v for k, v in data.items() if isinstance(v, int | float)})]
    if data.get("by"):
        parts.append(f"cost by {_text(data, 'by')}")
    if data.get("model"):
        parts.append(f"model {_text(data, 'model')}")
    if data.get("unpriced"):
        parts.append(f"no price is known for {_text(data, 'unpriced')}")
    return "; ".join(p for p in parts if p)


def _chunk(data: Doc) -> str:
    records, size = data.get("records"), data.get("bytes")
    parts = [term.count(records, "record")] if isinstance(records, int) else []
    if isinstance(size, int):
        parts.append(f"{term.si(size)}B")
    if data.get("source"):
        parts.append(f"of subagent {_text(data, 'source')}")
    return ", ".join(parts)


def _task(data: Doc) -> str:
    about = _text(data, "title") or _text(data, "outcome")
    return f"{_text(data, 'action')} {_text(data, 'task')}" + (f": {about}" if about else "")


def _exec(data: Doc) -> str:
    if data.get("action") == "start":
        return _text(data, "command")
    parts = [_text(data, "error") or f"exit status {_text(data, 'exit')}"]
    if isinstance(data.get("duration_ms"), int | float):
        parts.append(f"after {term.duration(data['duration_ms'])}")
    last = _text(data, "tail").rpartition("\n")[2]
    return " ".join(parts) + (f": {last}" if last else "")


def _agent(data: Doc) -> str:
    name = " ".join(t for t in (_text(data, "action"), _text(data, "type")) if t)
    more = [_text(data, key) for key in ("status", "checkpoint", "error") if data.get(key)]
    return f"{name} ({', '.join(more)})" if more else name


def _phase(data: Doc) -> str:
    ready = data.get("ready")
    marks = {True: " (ready to be resumed)", False: "" if data.get("phase") else "not ready to be resumed"}
    return _text(data, "phase") + (marks.get(ready, "") if isinstance(ready, bool) else "")


def _first(*keys: str) -> Callable[[Doc], str]:
    def say(data: Doc) -> str:
        return next((_text(data, key) for key in keys if data.get(key)), "") or words.value(data)

    return say


_SAYS: dict[str, Callable[[Doc], str]] = {
    "start": _start,
    "end": _end,
    "pause": lambda data: "",
    "resume": lambda data: "",
    "tag": _tag,
    "message": _said,
    "interaction": _said,
    "tool": _tool,
    "context": _context,
    "metric": _metric,
    "usage": _usage,
    "transcript": _chunk,
    "model": _model,
    "agent": _agent,
    "task": _task,
    "exec": _exec,
    "plan": _first("title", "text"),
    "compact": _first("trigger", "summary"),
    "error": _first("message", "text", "error"),
    "interrupt": lambda data: _text(data, "message"),
    "phase": _phase,
    "decision": _first("text", "title"),
}
