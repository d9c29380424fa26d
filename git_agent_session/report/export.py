"""A session as one document for others: what goes into it, and the two forms that programs read.

Each form is a function from a `Record` to pieces of text, made as they are asked for: a transcript of any length takes
no memory. docs/json.md has the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from git_agent_session.model import Doc, Event, Session
from git_agent_session.report.events import Subject
from git_agent_session.report.rows import CommitRow, dump
from git_agent_session.report.timeline import Entry, Timeline
from git_agent_session.store.reader import Summary

FORMATS = ("markdown", "json", "jsonl", "html")
ENDINGS = {".md": "markdown", ".markdown": "markdown", ".json": "json", ".jsonl": "jsonl", ".html": "html"}

Form = Callable[["Record"], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Record:
    """All that is exported of a session; `timeline` is None where the transcript is to be left out.

    With `full` the Markdown form cuts no tool's input or output; the others never do. `ascii_only` is for a stream that
    is not UTF-8; only the forms that are JSON follow it.
    """

    summary: Summary
    commits: Sequence[CommitRow]
    events: Sequence[Event]
    contexts: Sequence[tuple[Event, Doc]]
    subject: Subject
    timeline: Timeline | None
    full: bool = False
    ascii_only: bool = False

    @property
    def session(self) -> Session:
        """The session's state."""
        return self.summary.session

    def entries(self) -> Iterator[Entry]:
        """The transcript, entry by entry."""
        return self.timeline.entries() if self.timeline else iter(())


def form(name: str) -> Form:
    """The function for one of FORMATS."""
    if name == "json":
        return document
    if name == "jsonl":
        return rows
    if name == "html":
        from git_agent_session.report import html

        return html.document
    from git_agent_session.report import markdown

    return markdown.document


def document(record: Record) -> Iterator[str]:
    """One JSON object, an element of its arrays a line."""
    told = {
        "session": record.session.to_dict(),
        "duration_ms": record.summary.duration_ms,
        "tools": dict(record.summary.tools),
    }
    yield "{\n"
    for key, value in told.items():
        yield f'"{key}": {_line(record, value)},\n'
    arrays = list(_arrays(record))
    for n, (key, _, values) in enumerate(arrays, 1):
        yield f'"{key}": '
        yield from array((_line(record, value) for value in values), last="" if n == len(arrays) else ",")
    yield "}\n"


def rows(record: Record) -> Iterator[str]:
    """JSON lines: each an object with its `type` and, under that name, what it is."""
    session = {**record.session.to_dict()}
    yield _row(record, "session", session)
    for _, name, values in _arrays(record):
        for value in values:
            yield _row(record, name, value)


def _arrays(record: Record) -> Iterator[tuple[str, str, Iterable[Any]]]:
    yield "commits", "commit", (row.to_dict() for row in record.commits)
    yield "contexts", "context", ({"event": event.id, **snapshot} for event, snapshot in record.contexts)
    yield "events", "event", (event.to_dict() for event in record.events)
    yield "items", "item", (entry.to_dict() for entry in record.entries())


def array(values: Iterable[str], last: str = "") -> Iterator[str]:
    """JSON values as a JSON array, one a line, as they come."""
    first = True
    for value in values:
        yield f"[\n{value}" if first else f",\n{value}"
        first = False
    yield f"[]{last}\n" if first else f"\n]{last}\n"


def _row(record: Record, kind: str, value: Any) -> str:
    return f"{_line(record, {'type': kind, kind: value})}\n"


def _line(record: Record, value: Any) -> str:
    return dump(value, ascii_only=record.ascii_only, indent=None).rstrip("\n")
