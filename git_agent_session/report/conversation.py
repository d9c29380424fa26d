"""A transcript for a person to read in a terminal; and the words for its entries that every form of it shares.

Texts are cleaned here. Lines are made as they are asked for, so that a long transcript takes no memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from git_agent_session import term
from git_agent_session.report import view as words
from git_agent_session.report.timeline import Entry
from git_agent_session.report.view import View

TITLES = {
    "prompt": "Prompt",
    "answer": "Answer",
    "thinking": "Thinking",
    "call": "Tool",
    "result": "Result",
    "compact": "Compaction",
    "model": "Model",
    "error": "Error",
    "interrupt": "Interrupted",
}
# how much of a tool's input and output is shown where not all is asked for
LINES = 20
COLUMNS = 400
# what says most of a call, the first that is there; those of the agents' own tools
_TELLING = ("command", "cmd", "file_path", "path", "pattern", "query", "url", "description", "prompt", "input")
# possessive: a line of nothing but tildes must not be tried in every way
_FENCE = re.compile(r"([ \t]*+)(`{3,}+(?=[^`]*+$)|~{3,}+)(.*+)$")


def lines(view: View, entries: Iterable[Entry], *, full: bool = False) -> Iterator[str]:
    """The conversation as it went: a heading an entry, what it says below; `full` cuts no tool's input or output."""
    before: Entry | None = None
    for entry in entries:
        entered = bool(entry.source) and (before is None or before.source != entry.source)
        if before is not None and not answers(entry, before):
            yield ""
        if entered:
            yield from (f"  {view.heading(subagent(entry))}", "")
        indent = "    " if entry.source else ""
        for line in _entry(view, entry, full, headed=before is None or not answers(entry, before)):
            yield f"{indent}{line}" if line else ""
        before = entry


def answers(entry: Entry, before: Entry) -> bool:
    """True for the result of a call that stands right before it, and so needs no heading."""
    return (entry.kind, before.kind, entry.source) == ("result", "call", before.source) and entry.id == before.id


def _entry(view: View, entry: Entry, full: bool, *, headed: bool) -> Iterator[str]:
    if headed:
        at = f"  {view.dim(words.local_time(entry.at))}" if entry.at else ""
        yield f"{_heading(view, entry)}{at}"
    if entry.kind == "call":
        yield from (f"    {line}" for line in cut(given(entry.input), full))
    elif entry.kind == "result":
        about = outcome(entry)
        if about:
            yield f"  {view.dim('=')} {view.status('failed', about) if entry.outcome == 'error' else view.dim(about)}"
        yield from (f"  {view.dim('|')} {line}".rstrip() for line in cut(text_lines(entry.text), full))
    elif entry.kind == "thinking":
        yield from (f"    {view.dim(line)}" if line else "" for line in text_lines(entry.text))
    else:
        yield from (f"    {line}" if line else "" for line in text_lines(entry.text))


def _heading(view: View, entry: Entry) -> str:
    text = title(entry)
    if entry.kind == "prompt":
        return view.palette.paint("id", text)
    if entry.kind in ("error", "interrupt"):
        return view.status("failed", text)
    return view.dim(text) if entry.kind == "thinking" else view.heading(text)


def title(entry: Entry) -> str:
    """What an entry is, in a word or two: `Prompt`, `Tool Bash`, `Model m1`."""
    named = f" {term.clean(entry.name)}" if entry.name and entry.kind in ("call", "result", "model") else ""
    return f"{TITLES.get(entry.kind, entry.kind)}{named}"


def subagent(entry: Entry) -> str:
    """Whose transcript an entry is of: `Subagent Explore (a01)`."""
    return " ".join(t for t in ("Subagent", term.clean(entry.agent), f"({term.clean(entry.source)})") if t)


def outcome(entry: Entry) -> str:
    """How a call went: `error`, `interrupted, 2.5s`; "" where there is nothing to say."""
    parts = [entry.outcome] if entry.outcome not in ("", "ok") else []
    if entry.duration_ms is not None:
        parts.append(term.duration(entry.duration_ms))
    return ", ".join(parts)


def text_lines(text: str) -> list[str]:
    """A text as clean lines, without empty ones at its ends."""
    return clean(text).strip("\n").rstrip().split("\n") if text.strip() else []


def clean(text: str) -> str:
    """A text of several lines that steers no terminal and reads in its own order."""
    text = text.expandtabs(4)
    # nearly every text is: looking is fifty times as fast as three regular expressions
    return text if text.replace("\n", "").isprintable() else term.clean(text, newlines=True)


def given(values: Mapping[str, Any]) -> list[str]:
    """What a tool was asked, as clean lines: the value where there is one, else a line (or a block) each."""
    if len(values) == 1:
        return _value(next(iter(values.values())))
    ordered = sorted(values, key=lambda k: _TELLING.index(k) if k in _TELLING else len(_TELLING))
    found: list[str] = []
    for key in ordered:
        block = _value(values[key])
        name = term.clean(key)
        if len(block) > 1:
            found += [f"{name}:", *(f"  {line}" if line else "" for line in block)]
        else:
            found.append(f"{name}: {block[0] if block else ''}".rstrip())
    return found


def summary(values: Mapping[str, Any], limit: int = 120) -> str:
    """What a tool was asked, in a few words; "" where it was asked nothing that can be said in a line."""
    key = next((k for k in _TELLING if isinstance(values.get(k), str) and values[k].strip()), None)
    text = " ".join(term.clean(values[key][: 4 * limit]).split()) if key else ""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _value(value: Any) -> list[str]:
    return text_lines(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def cut(found: list[str], full: bool) -> list[str]:
    """The first lines of a text, and how many more there are; all of them with `full`."""
    if full:
        return found
    shown = [
        line if len(line) <= COLUMNS else f"{line[:COLUMNS]}… ({len(line):,} characters)" for line in found[:LINES]
    ]
    more = len(found) - len(shown)
    return [*shown, f"… {term.count(more, 'more line')}"] if more else shown


def segments(text: str) -> Iterator[tuple[str, str]]:
    """Markdown that somebody wrote, as (language, code) for what stands in fences and ("", text) for the rest.

    A fence that is not closed ends with the text. The language of a fence that names none is `text`.
    """
    kept: list[str] = []
    fence, indent, language = "", 0, ""
    for line in clean(text).split("\n"):
        found = _FENCE.match(line)
        if fence:
            if found and not found[3].strip() and found[2].startswith(fence):
                yield language, "\n".join(kept)
                kept, fence = [], ""
            else:
                kept.append(line[min(indent, len(line) - len(line.lstrip())) :])
        elif found:
            if kept:
                yield "", "\n".join(kept)
            kept, fence, indent = [], found[2], len(found[1])
            language = "".join(re.findall(r"[\w+#.-]", found[3].strip().split(" ")[0]))[:30] or "text"
        else:
            kept.append(line)
    if kept or fence:
        yield (language if fence else ""), "\n".join(kept)
