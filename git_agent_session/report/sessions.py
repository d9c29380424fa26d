"""Sessions for a person to read: the list, and all of one session.

Each function returns lines; nothing is printed, fetched or looked up here.
"""

from __future__ import annotations

from collections.abc import Sequence

from git_agent_session import term
from git_agent_session.model import Event, Session
from git_agent_session.report import view as words
from git_agent_session.report.events import Subject, history
from git_agent_session.report.rows import CommitRow
from git_agent_session.report.status import indented, verbose
from git_agent_session.report.view import View
from git_agent_session.store.reader import Summary

_HEADER = ("  id", "status", "started", "agent", "commits", "goal")


def table(view: View, sessions: Sequence[Session], current: str | None) -> list[str]:
    """The list: one line a session, `*` before the current one, and a header."""
    rows = [
        (
            ("* " if s.id == current else "  ") + view.shorts.get(s.id, s.id[: words.SHORT]),
            s.status,
            view.ago(s.started_at),
            s.agent.type or "-",
            str(s.counts.get("commits", 0)),
            s.about or "-",
        )
        for s in sessions
    ]

    def style(row: int, column: int, cell: str) -> str:
        if row < 0:
            return view.heading(cell)
        if column == 0:
            return cell[:2] + view.palette.paint("id", cell[2:])
        return view.status(sessions[row].status, cell) if column == 1 else cell

    return term.columns(rows, header=_HEADER, total=view.width, flexible=5, right=(4,), fixed=(0,), style=style)


def show(
    view: View, summary: Summary, rows: Sequence[CommitRow], events: Sequence[Event], subject: Subject
) -> list[str]:
    """All of one session: its state like the head of a commit in `git show`, its commits, its last events."""
    session = summary.session
    lines = [view.palette.paint("id", f"session {session.id}"), *_fields(session, summary.duration_ms)]
    if session.about:
        lines += ["", f"    {term.clean(session.about)}"]
    if session.title and session.goal:
        lines.append(f"    {view.dim(term.clean(session.title))}")
    recorded = words.recorded(view, session.counts, {})
    if recorded:
        lines += ["", *recorded]
    lines += verbose(view, summary, rows)
    if events:
        total = session.counts.get("events", len(events))
        title = "Events:" if total <= len(events) else f"Last {len(events)} of {total} events:"
        narrow = View(view.palette, view.width and max(view.width - 2, 1), view.now, view.shorts)
        lines += ["", view.heading(title), *indented(history(narrow, events, subject))]
    return lines


def _fields(session: Session, ms: int) -> list[str]:
    ended = words.local_time(session.ended_at) if session.ended_at else ""
    rows = [
        ("Status", f"{session.status}: {session.message}" if session.message else session.status),
        ("Agent", words.agent(session.agent)),
        ("Native id", session.agent.native_id),
        ("User", session.user),
        ("Project", session.project),
        ("Type", session.type),
        ("Phase", session.phase),
        ("Parent", session.parent),
        ("Started", words.local_time(session.started_at)),
        ("Ended", f"{ended} (after {term.duration(ms)})" if ended else ""),
        ("Tags", ", ".join(session.tags)),
        *spent(session),
    ]
    rows = [row for row in rows if row[1]] + [(f"meta {key}", words.value(v)) for key, v in session.meta.items()]
    kept = [(term.clean(name), term.clean(text)) for name, text in rows]
    size = max(term.width(name) for name, _ in kept) + 2
    return [f"{name}:{' ' * (size - term.width(name) - 1)}{text}".rstrip() for name, text in kept]


_TOKENS = (
    ("input_tokens", "in"),
    ("output_tokens", "out"),
    ("cache_read_tokens", "cache read"),
    ("cache_write_tokens", "cache write"),
)


def spent(session: Session) -> list[tuple[str, str]]:
    """What a session used, to the token: `Tokens`, `Cost` with where that comes from, `Agent time`; names and texts.

    A cost that is not known, or holds only for some of the models, is said to be so.
    """
    usage, cost = session.usage, session.doc.get("cost")
    cost = cost if isinstance(cost, dict) else {}
    parts = [f"{int(usage[key]):,} {word}" for key, word in _TOKENS if usage.get(key)]
    if usage.get("reasoning_tokens"):
        parts.append(f"{int(usage['reasoning_tokens']):,} of the output reasoning")
    rows = [("Tokens", ", ".join(parts))] if parts else []
    unpriced = words.value(cost.get("unpriced") or "")
    said = [f"${usage['cost_usd']:,.4f}"] if usage.get("cost_usd") else []
    if said and cost.get("by"):
        said[0] += f" ({'as the agent says' if cost['by'] == 'agent' else words.value(cost['by'])})"
    if unpriced:
        said.append(f"no price is known for {unpriced}")
    if said:
        rows.append(("Cost", "; ".join(said)))
    if usage.get("duration_ms"):
        rows.append(("Agent time", term.duration(usage["duration_ms"])))
    return rows
