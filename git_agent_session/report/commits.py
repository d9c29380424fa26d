"""Linked commits for a person to read: a session's commits, and the sessions of a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from git_agent_session import term
from git_agent_session.report import view as words
from git_agent_session.report.rows import CommitRow
from git_agent_session.report.view import View
from git_agent_session.store.reader import Which


def commits(view: View, rows: Sequence[CommitRow], indent: int = 0) -> list[str]:
    """One line a commit: id, author date, how it was linked, subject; a primary link of the commit is said."""
    cells = [
        (
            row.link.commit[: words.SHORT_COMMIT],
            view.ago(row.date) if row.date else "-",
            row.link.via,
            row.subject if row.date else "(not in this repository)",
        )
        for row in rows
    ]

    total = max(view.width - indent, 1) if view.width else 0
    return term.columns(cells, total=total, flexible=3, fixed=(0,), style=_style(view))


def sessions_of(view: View, found: Sequence[Which]) -> list[str]:
    """One line a session of a commit: id, primary or not, how it is known, agent, goal."""
    cells = [
        (
            view.shorts.get(w.session.id, w.session.id[: words.SHORT]),
            "primary" if w.link.primary else "",
            w.link.via,
            w.session.agent.type or "-",
            "(not in this repository)" if w.session.status == "unknown" else w.session.about or "-",
        )
        for w in found
    ]

    return term.columns(cells, total=view.width, flexible=4, fixed=(0,), style=_style(view))


def _style(view: View) -> Callable[[int, int, str], str]:
    """The id in its colour, and dim what stands between it and the words."""

    def style(row: int, column: int, cell: str) -> str:
        if column == 0:
            return view.palette.paint("id", cell)
        return view.dim(cell) if column in (1, 2) else cell

    return style
