"""Rows of a timeline as a template takes them: what each is called, its prose, its tool's input, changes and output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from git_agent_session import term
from git_agent_session.model import Event
from git_agent_session.report import conversation as said
from git_agent_session.report import events as events_said
from git_agent_session.report.timeline import Entry
from git_agent_session.web.viewer import code, look
from git_agent_session.web.viewer.story import Told
from git_agent_session.web.viewer.text import SHOWN, Block, Cut, cut, line, prose, value

# of a tool's output, what is shown without being asked for
_OUTPUT = 4_000
# arguments that the changes below say already
_EDITS = frozenset(
    {"content", "contents", "file_text", "old_string", "new_string", "oldText", "newText", "old_str", "new_str"}
    | {"edits", "patch", "patchText", "replace_all", "oldString", "newString", "diff"}
)
_TITLES = {
    "prompt": "Prompt",
    "answer": "Answer",
    "thinking": "Thinking",
    "result": "Result",
    "compact": "Memory compacted",
    "model": "Model",
    "error": "Error",
    "interrupt": "Interrupted",
    "commit": "Commit",
    "unlink": "Commit unlinked",
    "rewrite": "Commit rewritten",
    "context": "Context snapshot",
    "start": "Session started",
    "end": "Session ended",
    "pause": "Paused",
    "resume": "Resumed",
    "tag": "Tags",
    "set": "Changed",
    "decision": "Decision",
    "plan": "Plan",
    "task": "Task",
    "phase": "Phase",
    "metric": "Metric",
    "exec": "Command",
    "agent": "Subagent",
}
Subject = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `look` is its class: prompt, answer, call, thinking, note, mark, commit or bad.

    `part` and `item`, or `event`, say where its whole text is to be had. `about` is a line beside the title, and
    `whole` the same uncut; `source` is the subagent that the row is of.
    """

    id: str
    look: str
    kind: str
    title: str
    at: str
    about: str = ""
    whole: str = ""
    blocks: tuple[Block, ...] = ()
    left: int = 0
    part: str = ""
    item: int = -1
    event: str = ""
    given: tuple[tuple[str, Cut], ...] = ()
    diffs: tuple[code.Diff, ...] = ()
    output: Cut | None = None
    output_part: str = ""
    output_item: int = -1
    outcome: str = ""
    spent_ms: float | None = None
    source: str = ""
    source_begins: bool = False
    commit: str = ""


def rows(told: Sequence[Told], subject: Subject, top: str = "") -> list[Row]:
    """The rows of a page. `subject` gives that of a commit; below `top`, paths are shown from there on."""
    out: list[Row] = []
    before = ""
    for one in told:
        entry = one.place.entry
        source = line(said.subagent(entry), 80) if entry is not None and entry.source else ""
        made = _of_entry(one, entry, source, source != before, top) if entry is not None else None
        if made is None and one.event is not None:
            made = _of_event(one, one.event, subject)
        if made is not None:
            out.append(made)
        before = source
    return out


def _of_entry(one: Told, entry: Entry, source: str, begins: bool, top: str) -> Row:
    place = one.place
    base: dict[str, Any] = {
        "id": place.id,
        "part": place.part,
        "item": place.item,
        "at": entry.at,
        "source": source,
        "source_begins": bool(source) and begins,
    }
    if entry.kind == "call":
        result = place.result
        diffs = code.changes(entry.input)
        # of an edit that went well a tool says nothing new
        is_told = result is not None and result.text.strip() and not (diffs and not place.failed)
        output = cut(result.text.strip("\n"), _OUTPUT) if result is not None and is_told else None
        about = said.summary(entry.input, 400)
        named = diffs[0].path if len(diffs) == 1 else about
        return Row(
            **base,
            look="call",
            kind="call",
            title=line(entry.name, 60) or "Tool",
            about=line(look.path(named, top), 160),
            whole=line(named, 400),
            given=_given(entry.input, about, edits=bool(diffs)),
            diffs=tuple(diffs),
            output=output,
            output_part=place.result_part,
            output_item=place.result_item,
            outcome=(result.outcome if result is not None else entry.outcome) or "",
            spent_ms=result.duration_ms if result is not None else entry.duration_ms,
        )
    text = cut(entry.text)
    looks = {"error": "bad", "interrupt": "bad", "compact": "note", "model": "mark", "result": "note"}
    return Row(
        **base,
        look=looks.get(entry.kind, entry.kind),
        kind=entry.kind,
        title=_TITLES.get(entry.kind, entry.kind),
        about=line(entry.name, 80),
        blocks=tuple(prose(text.text)),
        left=text.left,
        outcome=entry.outcome,
    )


def _given(given: Mapping[str, Any], about: str, *, edits: bool) -> tuple[tuple[str, Cut], ...]:
    """What a tool was asked, without what the title and the changes say."""
    out = []
    for key, thing in given.items():
        said_above = isinstance(thing, str) and " ".join(thing.split()) == about
        if not (edits and key in _EDITS) and not said_above and thing not in ("", None, {}, []):
            out.append((line(key, 60), value(thing, SHOWN)))
    return tuple(out)


def _of_event(one: Told, event: Event, subject: Subject) -> Row:
    data = event.data
    base: dict[str, Any] = {"id": one.place.id, "at": event.at, "event": event.id, "kind": event.kind}
    if event.kind in ("message", "interaction"):
        return _said(base, event)
    if event.kind == "tool":
        ms = data.get("duration_ms")
        paths = data.get("paths")
        about = ", ".join(str(p) for p in paths) if isinstance(paths, list) and paths else _text(data, "summary")
        return Row(
            **base,
            look="call",
            title=line(_text(data, "name"), 60) or "Tool",
            about=line(about, 160),
            outcome=_text(data, "outcome")[:40],
            spent_ms=ms if isinstance(ms, int | float) else None,
        )
    if event.kind in ("commit", "rewrite", "unlink"):
        commit = _text(data, "new" if event.kind == "rewrite" else "commit")
        return Row(
            **base, look="commit", title=_TITLES[event.kind], about=line(subject(commit), 160), commit=commit[:64]
        )
    if event.kind in ("error", "interrupt", "decision", "compact", "plan"):
        return _prose(base, event, "bad" if event.kind in ("error", "interrupt") else "note")
    about = events_said.describe(event, subject)
    title = _TITLES.get(event.kind, event.kind.capitalize())
    return Row(**base, look="mark", title=title, about=line(about, 240))


def _said(base: dict[str, Any], event: Event) -> Row:
    role = _text(event.data, "role")
    text = cut(_text(event.data, "text"))
    shape = {"user": "prompt", "assistant": "answer"}.get(role, "note")
    kind = {"user": "prompt", "assistant": "answer"}.get(role, event.kind)
    word = line(_text(event.data, "type"), 40).replace("_", " ").capitalize()
    title = _TITLES.get(kind) or word or role.capitalize() or "Note"
    if event.kind == "interaction" and role in ("user", "assistant") and word:
        title = word
    return Row(**{**base, "kind": kind}, look=shape, title=title, blocks=tuple(prose(text.text)), left=text.left)


def _prose(base: dict[str, Any], event: Event, shape: str) -> Row:
    whole = next((t for key in ("text", "message", "summary", "title", "error") if (t := _text(event.data, key))), "")
    text = cut(whole or term.clean(events_said.describe(event, lambda c: "")))
    title = _TITLES.get(event.kind, event.kind)
    return Row(**base, look=shape, title=title, blocks=tuple(prose(text.text)), left=text.left)


def _text(data: Mapping[str, Any], key: str) -> str:
    found = data.get(key, "")
    return found if isinstance(found, str) else ""
