"""A session as one HTML page that stands alone: no script, nothing fetched, and the policy that says so.

Every text is escaped by `esc`, which also takes out what would turn the direction of reading; nothing else makes text
of a session into HTML. Read it with any browser, or serve it from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING

from git_agent_session import term
from git_agent_session.report import conversation as said
from git_agent_session.report import events as event_lines
from git_agent_session.report import view as words
from git_agent_session.report.markdown import changed, facts, moment
from git_agent_session.report.timeline import Entry

if TYPE_CHECKING:
    from git_agent_session.report.export import Record

# characters of one line of the timeline
_EVENT = 1000
# a tool's input of more lines is folded
_FOLD = 12
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+)(?<=\S)\*\*")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.M)


def document(record: Record) -> Iterator[str]:
    """The page, piece by piece."""
    session = record.session
    heading = esc(" ".join(session.about.split())) or f"Session {esc(session.id[: words.SHORT])}"
    yield head(heading)
    yield f"<header>\n<h1>{heading}</h1>\n"
    if session.title and session.goal:
        yield f"<p>{esc(session.title)}</p>\n"
    yield "<dl>\n"
    yield from (f"<div><dt>{esc(name)}</dt><dd>{esc(text)}</dd></div>\n" for name, text in facts(record))
    yield "</dl>\n</header>\n<main>\n"
    yield from _commits(record)
    yield from _tools(record)
    yield from _timeline(record)
    yield from _transcript(record)
    yield "</main>\n</body>\n</html>\n"


def head(title: str) -> str:
    """All before what a page shows; `title` is escaped already."""
    style = resources.files("git_agent_session.report").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )


def _commits(record: Record) -> Iterator[str]:
    if not record.commits:
        return
    yield "<section>\n<h2>Commits</h2>\n<ul class=commits>\n"
    for row in record.commits:
        subject = row.subject if row.date else "(not in this repository)"
        yield f"<li><code>{esc(row.link.commit[: words.SHORT_COMMIT])}</code> {esc(subject)}"
        yield f" <small>{esc(row.link.via)}</small></li>\n"
    yield "</ul>\n"
    if paths := changed(record):
        yield f"<details><summary>{term.count(len(paths), 'file')} in these commits</summary><ul>\n"
        yield from (f"<li><code>{esc(path)}</code></li>\n" for path in paths)
        yield "</ul></details>\n"
    yield "</section>\n"


def _tools(record: Record) -> Iterator[str]:
    if record.summary.tools:
        ordered = sorted(record.summary.tools.items(), key=lambda t: (-t[1], t[0]))
        yield "<section>\n<h2>Tools</h2>\n<ul class=tools>\n"
        yield from (f"<li>{esc(name) or '?'} <small>{n}</small></li>\n" for name, n in ordered)
        yield "</ul>\n</section>\n"


def _timeline(record: Record) -> Iterator[str]:
    if not record.events:
        return
    count = term.count(len(record.events), "event")
    yield f"<section>\n<h2>Timeline</h2>\n<details><summary>{count}</summary><ol class=events>\n"
    for event in record.events:
        about = esc(event_lines.describe(event, record.subject)[:_EVENT])
        yield f"<li>{_time(event.at)} <b>{esc(event_lines.kind(event))}</b> {about}</li>\n"
    yield "</ol></details>\n</section>\n"


def _transcript(record: Record) -> Iterator[str]:
    before: Entry | None = None
    for entry in record.entries():
        if before is None:
            yield "<section>\n<h2>Transcript</h2>\n"
        if (before.source if before else "") != entry.source:
            yield "</section>\n" if before is not None and before.source else ""
            yield f"<section class=subagent>\n<h3>{esc(said.subagent(entry))}</h3>\n" if entry.source else ""
        yield from _entry(entry)
        before = entry
    if before is not None:
        yield "</section>\n</section>\n" if before.source else "</section>\n"


def _entry(entry: Entry) -> Iterator[str]:
    kind = entry.kind if entry.kind in said.TITLES else "other"
    failed = " failed" if entry.outcome in ("error", "interrupted") else ""
    yield f"<article class='{kind}{failed}'>\n"
    if kind == "result":
        yield from _result(entry)
    elif kind == "call":
        yield from _call(entry)
    elif kind == "thinking":
        yield f"<details><summary>Thinking {_time(entry.at)}</summary>\n{_prose(entry.text)}</details>\n"
    else:
        yield f"<h4>{esc(said.title(entry))} {_time(entry.at)}</h4>\n{_prose(entry.text)}"
    yield "</article>\n"


def _call(entry: Entry) -> Iterator[str]:
    lines = said.given(entry.input)
    yield f"<h4>{esc(said.title(entry))} {_time(entry.at)}</h4>\n"
    block = f"<pre>{_esc_lines(lines)}</pre>\n" if lines else ""
    if len(lines) > _FOLD:
        about = said.summary(entry.input) or "Input"
        yield f"<details><summary>{esc(about)} <small>{len(lines)} lines</small></summary>\n{block}</details>\n"
    else:
        yield block


def _result(entry: Entry) -> Iterator[str]:
    lines = said.text_lines(entry.text)
    about = ", ".join(t for t in (said.outcome(entry), term.count(len(lines), "line")) if t)
    yield f"<details><summary>{esc(said.title(entry))}: {esc(about)}</summary>\n"
    yield f"<pre>{_esc_lines(lines)}</pre>\n" if lines else ""
    yield "</details>\n"


def _prose(text: str) -> str:
    """Markdown that somebody wrote: its fences, code spans, headings and bold words; the rest as it is typed."""
    parts = []
    for language, part in said.segments(text.strip("\n").rstrip()):
        if language:
            parts.append(f"<pre>{_esc_lines(part.split(chr(10)))}</pre>\n")
        elif part.strip():
            parts.append(f"<div class=text>{_spans(part.strip(chr(10)))}</div>\n")
    return "".join(parts)


def _spans(text: str) -> str:
    pieces = re.split(r"`([^`\n]+)`", text)
    return "".join(f"<code>{_esc_lines([p])}</code>" if n % 2 else _strong(p) for n, p in enumerate(pieces))


def _strong(text: str) -> str:
    # within a line, and of what is escaped already: the tags are the only ones
    escaped = _BOLD.sub(r"<strong>\1</strong>", _esc_lines([text]))
    return _HEADING.sub(r"<strong>\1</strong>", escaped)


def _time(at: str) -> str:
    return f'<time datetime="{esc(at)}">{esc(moment(at))}</time>' if at else ""


def esc(text: str) -> str:
    """A text in one line as HTML, in an element or a quoted attribute."""
    return html.escape(term.clean(text), quote=True)


def _esc_lines(lines: list[str]) -> str:
    # they were cleaned when they were cut into lines; a text that came otherwise is not harmed by a second time
    return html.escape(said.clean("\n".join(lines)), quote=True)
