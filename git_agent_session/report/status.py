"""Where a session stands, in the voice of `git status`. It returns lines; nothing is printed or looked up here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from git_agent_session import term
from git_agent_session.model import ACTIVE, PAUSED, Session
from git_agent_session.report import view as words
from git_agent_session.report.view import View
from git_agent_session.store.reader import Summary, duration_ms

if TYPE_CHECKING:
    from git_agent_session.report.rows import CommitRow
    from git_agent_session.report.unlinked import Unlinked


def status(view: View, session: Session, opening: str) -> list[str]:
    """What `status` says without `--verbose`; `opening` stands before the id."""
    lines = [f"{opening} {view.palette.paint('id', session.id)}"]
    lines += [f"Goal: {term.clean(session.about)}"] if session.about else []
    lines.append(_standing(view, session))
    lines += _described(session)
    recorded = words.recorded(view, session.counts, session.usage, 2)
    if recorded:
        lines += ["", "Recorded:" if session.ended else "Recorded so far:", *recorded]
    return lines


def crashed(view: View, why: str) -> list[str]:
    """A line about a session that a crash left open, none where that is not known."""
    if not why:
        return []
    return [view.status("failed", "Left open by a crash:") + f" {term.clean(why)}."]


def gap(view: View, commits: Sequence[Unlinked]) -> list[str]:
    """One line about commits that look like an agent's and have no session; none without them."""
    if not commits:
        return []
    verb = "looks like an agent's and belongs" if len(commits) == 1 else "look like an agent's and belong"
    some = ", ".join(view.commit(c.commit) for c in commits[:3]) + (" …" if len(commits) > 3 else "")
    return ["", f"{term.count(len(commits), 'commit')} {verb} to no session: {some}; see `git agent-session doctor`"]


def hints(lines: Sequence[str]) -> list[str]:
    """What can be done next, as the last paragraph."""
    return ["", *(f"  ({line})" for line in lines)]


def _standing(view: View, session: Session) -> str:
    started = view.ago(session.started_at)
    if session.status == ACTIVE:
        last = view.ago(session.updated_at)
        return f"{view.status(ACTIVE, 'Active')}, started {started}" + (
            f"; last event {last}" if last != started else ""
        )
    if session.status == PAUSED:
        return f"{view.status(PAUSED, 'Paused')} {view.ago(session.updated_at)}: commits are not linked to it"
    word = term.clean(session.status).capitalize()
    line = (
        f"{view.status(session.status, word)} {view.ago(session.ended_at)}, after {term.duration(duration_ms(session))}"
    )
    return f"{line}: {term.clean(session.message)}" if session.message else line


def _described(session: Session) -> list[str]:
    rows = (
        ("Agent", words.agent(session.agent)),
        ("Type", term.clean(session.type)),
        ("Phase", term.clean(session.phase)),
        ("Tags", ", ".join(term.clean(t) for t in session.tags)),
    )
    return [f"{name}: {text}" for name, text in rows if text]


def verbose(view: View, summary: Summary, rows: Sequence[CommitRow]) -> list[str]:
    """What `status --verbose` adds: the commits with their subjects, the tools, the files."""
    from git_agent_session.report.commits import commits as commit_lines

    lines: list[str] = []
    if rows:
        lines += ["", view.heading("Commits:"), *indented(commit_lines(view, rows, 2))]
    if summary.tools:
        lines += ["", view.heading("Tools:"), *indented(_tools(view, summary))]
    paths = sorted({path for row in rows for path in row.link.paths})
    if paths:
        shown = paths[:20]
        rest = [view.dim(f"… and {term.count(len(paths) - len(shown), 'more file', 'more files')}")]
        files = [term.clean(p) for p in shown] + (rest if len(paths) > len(shown) else [])
        lines += ["", view.heading("Files in these commits:"), *indented(files)]
    return lines


def _tools(view: View, summary: Summary) -> list[str]:
    ordered = sorted(summary.tools.items(), key=lambda t: (-t[1], t[0]))
    return term.columns([(str(n), name or "?") for name, n in ordered], total=view.width, flexible=1, right=(0,))


def indented(lines: Iterable[str]) -> list[str]:
    """The lines, two columns in."""
    return [f"  {line}" if line else "" for line in lines]
