"""A session as a Markdown document: for a pull request, or an archive that people read.

What people and models wrote is Markdown too, and stays it; but no text can end what it stands in or reach past it:
raw HTML, images and headings of its own are defused, fences are closed. Text is cleaned of what steers a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from git_agent_session import term
from git_agent_session.report import conversation as said
from git_agent_session.report import events as event_lines
from git_agent_session.report import view as words
from git_agent_session.report.sessions import spent
from git_agent_session.report.timeline import Entry

if TYPE_CHECKING:
    from git_agent_session.model import Session
    from git_agent_session.report.export import Record

# characters of one line of the timeline; paths of one session
_EVENT = 300
_FILES = 200
# characters of a line in which code spans are looked for: pairing backticks takes longer than the line is long
_LONG = 10_000
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")
_OPENER = re.compile(r"^(\s*)([#+=-]|\d+(?=[.)]))")
_HEADING = re.compile(r"^(\s*(?:(?:[>*+-]|\d{1,9}[.)])\s*)*)(#{1,6})(?=\s|$)")
_RULE = re.compile(r"^\s*(?:>\s*)*(-+|=+)\s*$")


def document(record: Record) -> Iterator[str]:
    """The document, piece by piece."""
    session = record.session
    yield f"# {inline(session.about) or 'Session ' + session.id[: words.SHORT]}\n\n"
    yield from _facts(record)
    yield from _commits(record)
    yield from _tools(record)
    yield from _timeline(record)
    yield from _transcript(record)


def facts(record: Record) -> list[tuple[str, str]]:
    """What a document says first of a session: names and cleaned texts, without those that are empty."""
    session = record.session
    rows = [
        ("Session", session.id),
        ("Status", f"{session.status}: {session.message}" if session.message else session.status),
        ("Agent", words.agent(session.agent)),
        ("User", session.user),
        ("Project", session.project),
        ("Type", session.type),
        ("Phase", session.phase),
        ("Started", moment(session.started_at)),
        ("Ended", _ended(session, record.summary.duration_ms)),
        ("Tags", ", ".join(session.tags)),
        ("Recorded", words.counts(session.counts)),
        *spent(session),
        *((f"meta {key}", words.value(value)) for key, value in session.meta.items()),
    ]
    return [(term.clean(name), term.clean(text)) for name, text in rows if text]


def moment(at: str) -> str:
    """A time for readers anywhere: `2026-01-31 09:30:00 UTC`; what is no time comes back cleaned."""
    return f"{at[:10]} {at[11:19]} UTC" if len(at) == 24 and at.endswith("Z") else term.clean(at)


def _ended(session: Session, ms: int) -> str:
    return f"{moment(session.ended_at)} (after {term.duration(ms)})" if session.ended_at else ""


def _facts(record: Record) -> Iterator[str]:
    yield "| | |\n|---|---|\n"
    for name, text in facts(record):
        yield f"| {inline(name)} | {inline(text)} |\n"
    title, goal = record.session.title, record.session.goal
    if title and goal:
        yield f"\n{inline(title)}\n"


def _commits(record: Record) -> Iterator[str]:
    if record.commits:
        yield "\n## Commits\n\n"
    for row in record.commits:
        subject = inline(row.subject if row.date else "(not in this repository)")
        yield f"- `{_code(row.link.commit[: words.SHORT_COMMIT])}` {subject} ({inline(row.link.via)})\n"
    paths = changed(record)
    if paths:
        yield "\n<details>\n<summary>Files in these commits</summary>\n\n"
        yield from (f"- {inline(path)}\n" for path in paths)
        yield "\n</details>\n"


def changed(record: Record) -> Sequence[str]:
    """The paths that the session's commits change; the last line counts those that are left out."""
    paths = sorted({path for row in record.commits for path in row.link.paths})
    more = len(paths) - _FILES
    return [*paths[:_FILES], f"… and {term.count(more, 'more file')}"] if more > 0 else paths


def _tools(record: Record) -> Iterator[str]:
    if record.summary.tools:
        yield "\n## Tools\n\n"
        for name, n in sorted(record.summary.tools.items(), key=lambda t: (-t[1], t[0])):
            yield f"- {inline(name) or '?'}: {n}\n"


def _timeline(record: Record) -> Iterator[str]:
    if not record.events:
        return
    count = term.count(len(record.events), "event")
    yield f"\n## Timeline\n\n<details>\n<summary>{count}</summary>\n\n"
    for event in record.events:
        about = inline(event_lines.describe(event, record.subject)[:_EVENT])
        yield f"- {moment(event.at)} **{inline(event_lines.kind(event))}** {about}".rstrip() + "\n"
    yield "\n</details>\n"


def _transcript(record: Record) -> Iterator[str]:
    before: Entry | None = None
    for entry in record.entries():
        if before is None:
            yield "\n## Transcript\n"
        if (before.source if before else "") != entry.source:
            yield f"\n### {inline(said.subagent(entry))}\n" if entry.source else "\n### The session goes on\n"
        if before is None or not said.answers(entry, before):
            at = f" <sub>{moment(entry.at)}</sub>" if entry.at else ""
            yield f"\n#### {inline(said.title(entry))}{at}\n"
        yield from _entry(entry, record.full)
        before = entry


def _entry(entry: Entry, full: bool) -> Iterator[str]:
    if entry.kind == "call":
        found = said.cut(said.given(entry.input), full)
        yield f"\n{_fenced(found)}" if found else ""
    elif entry.kind == "result":
        found = said.text_lines(entry.text)
        about = ", ".join(t for t in (said.outcome(entry), term.count(len(found), "line")) if t)
        yield f"\n<details>\n<summary>Result: {about}</summary>\n\n"
        yield f"{_fenced(said.cut(found, full))}\n" if found else ""
        yield "</details>\n"
    elif entry.text.strip():
        quoted = "" if entry.kind == "answer" else "> "
        yield "\n"
        for line in body(entry.text):
            yield f"{quoted}{line}".rstrip() + "\n"


def body(text: str) -> Iterator[str]:
    """Markdown that somebody wrote as lines that stay within what they stand in."""
    first = True
    for language, part in said.segments(text.strip("\n").rstrip()):
        part = part if language else part.strip("\n")
        if not part and not language:
            continue
        yield from [] if first else [""]
        if language:
            yield from _fenced(part.split("\n"), "" if language == "text" else language).rstrip("\n").split("\n")
        else:
            yield from (_prose(line) for line in part.split("\n"))
        first = False


def _fenced(found: Sequence[str], language: str = "") -> str:
    longest = max((len(run) for line in found for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *found, fence]) + "\n"


def _prose(line: str) -> str:
    if rule := _RULE.match(line):
        # under a line of text it would make that a heading
        return "***" if len(rule[1]) > 2 and rule[1][0] == "-" else f"\\{line.strip()}"
    line = _HEADING.sub(lambda m: f"{m[1]}{'#' * min(6, len(m[2]) + 4)}", line)
    if len(line) > _LONG:
        return re.sub(r"[\\`<!]", r"\\\g<0>", line)
    return "".join(_spans(line)) if "`" in line else _escaped(line)


def _spans(line: str) -> Iterator[str]:
    """A line with its code spans as they are; a backtick that opens none is escaped, or a later line could close it."""
    place = 0
    for found in re.finditer(r"\\.|`+", line):
        if found.start() < place or found[0][0] == "\\":
            continue
        end = re.compile(rf"(?<!`){found[0]}(?!`)").search(line, found.end())
        yield _escaped(line[place : found.start()])
        span = line[found.start() : end.end()] if end else found[0].replace("`", "\\`")
        # in a table a bar ends the cell, code or not
        yield _escaped(span) if "|" in line else span
        place = end.end() if end else found.end()
    yield _escaped(line[place:])


def _escaped(text: str) -> str:
    if "<" not in text and "![" not in text:
        return text
    return re.sub(r"(?<!\\)((?:\\\\)*)(<|!(?=\[))", r"\1\\\2", text)


def inline(text: str) -> str:
    """A text that is no Markdown, in one line, as Markdown."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(term.clean(text).split()))
    return _OPENER.sub(lambda m: f"{m[1]}{m[2]}\\" if m[2].isdigit() else f"{m[1]}\\{m[2]}", escaped)


def _code(text: str) -> str:
    return term.clean(text).replace("`", "'")
