"""What a search has found, as lines: the sessions in the order of their best hit, below each its hits with the words.

Everything is cleaned here: the marks around a hit are taken as signs of ours before the text is, and a text has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from git_agent_session import term
from git_agent_session.index.search import BEGIN, END, Hit
from git_agent_session.model import Session
from git_agent_session.report.view import View

_INDENT = 4
# the files of a tool call, as the index has them behind its words, with the keys between that are empty
_PATHS = re.compile(r' {3,}\["([^\]]*)"\]\s*$')
_NEXT = '","'


def hits(view: View, found: Sequence[Hit], sessions: Mapping[str, Session]) -> list[str]:
    """A line for each session, and one for each of its hits; `sessions` are what is known of them, by id."""
    grouped: dict[str, list[Hit]] = {}
    for hit in found:
        grouped.setdefault(hit.session, []).append(hit)
    lines: list[str] = []
    for session_id, own in grouped.items():
        lines += ([""] if lines else []) + [_session(view, session_id, own[0], sessions.get(session_id))]
        kinds = max(len(hit.kind) for hit in own)
        lines += [_line(view, hit, kinds) for hit in own]
    return lines


def _session(view: View, session_id: str, hit: Hit, session: Session | None) -> str:
    agent = session.agent.type if session is not None else ""
    at = session.started_at if session is not None else hit.at
    told = "  ".join(t for t in (view.ago(at), term.clean(agent)) if t)
    about = term.clean(session.about if session is not None else hit.goal)
    room = view.width - term.width(session_id[:8]) - term.width(told) - 4 if view.width else 0
    shown = term.fit(about, max(room, 8)) if view.width else about
    return f"{view.id(session_id)}  {view.dim(told)}  {view.heading(shown)}".rstrip()


def _line(view: View, hit: Hit, size: int) -> str:
    kind = term.clean(hit.kind)
    room = max(view.width - _INDENT - size - 2, 12) if view.width else 0
    snippet = _PATHS.sub(lambda m: f" {m[1].replace(_NEXT, ', ')}", hit.snippet) if kind == "tool" else hit.snippet
    return f"{' ' * _INDENT}{view.dim(kind)}{' ' * (size - len(kind))}  {marked(view, snippet, room)}"


def marked(view: View, snippet: str, room: int) -> str:
    """A snippet in one line of at most `room` columns (0: all of it), what was searched for in colour."""
    out, left, inside = [], room, False
    for part in _parts(snippet):
        if part in (BEGIN, END):
            inside = part == BEGIN
            continue
        text = term.clean(part)
        if room:
            text = term.fit(text, left)
            left -= term.width(text)
        out.append(view.palette.paint("status-failed", text) if inside else text)
        if room and left <= 0:
            break
    return "".join(out).strip()


def _parts(snippet: str) -> list[str]:
    return [part for part in re.split(f"([{BEGIN}{END}])", snippet) if part]
