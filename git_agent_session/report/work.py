"""What a session orchestrates, as lines: its phase, tasks, agents, and the decision whether to resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from git_agent_session import term
from git_agent_session.model import Session
from git_agent_session.orchestration import COMPLETE, DONE, EXECUTING, FAILED, IN_PROGRESS, PENDING
from git_agent_session.report.view import View, usd
from git_agent_session.work.deciding import Decision
from git_agent_session.work.phases import Transition
from git_agent_session.work.subagents import Subagent
from git_agent_session.work.tasks import Stats, Task

_SLOTS = {
    **dict.fromkeys((IN_PROGRESS, EXECUTING), "status-active"),
    **dict.fromkeys((DONE, COMPLETE), "status-ended"),
    FAILED: "status-failed",
    PENDING: "dim",
}


def phase(view: View, session: Session, options: Sequence[str] | None) -> list[str]:
    """Where a session stands in its workflow, and what may follow (None: anything)."""
    name, flow = term.clean(session.phase), term.clean(session.workflow)
    where = f"In phase {view.heading(name)}" if name else "In no phase"
    lines = [where + (f" of the workflow {flow}" if flow else ", without a workflow")]
    if session.ended:
        return [*lines, f"The session has ended: {view.status(session.status)}"]
    lines += ["Ready to be resumed"] if session.ready else []
    if options is not None:
        lines.append(f"May follow: {', '.join(options) or 'nothing'}")
    return lines


def transitions(view: View, moves: Sequence[Transition]) -> list[str]:
    """One line a move: when, from where, to where."""
    rows = [(view.ago(m.at), m.before or "-", "->", m.after) for m in moves]
    return term.columns(rows, total=view.width, flexible=3, style=lambda r, c, t: view.dim(t) if c in (0, 2) else t)


def workflows(view: View, found: Sequence[Mapping[str, str]]) -> list[str]:
    """One line a workflow: its name, where it is from, what it is for or why it cannot be used."""
    rows = [(w["name"], w["source"], w.get("description", "")) for w in found]
    return term.columns(rows, total=view.width, flexible=2, style=lambda r, c, t: view.dim(t) if c == 1 else t)


def tasks(view: View, found: Sequence[Task]) -> list[str]:
    """One line a task: id, status, how long it took, title, and the agent and the outcome where there is one."""
    rows = []
    for task in found:
        spent = task.duration_ms
        more = "".join(f" ({t})" for t in (task.agent, task.outcome) if t)
        rows.append((task.id, task.status, "" if spent is None else term.duration(spent), task.title + more))
    return term.columns(rows, total=view.width, flexible=3, style=_styled(view, [t.status for t in found]), right=(2,))


def task(view: View, one: Task) -> str:
    """A task in a sentence's end: `T001 (in_progress): title`."""
    return f"{view.palette.paint('id', term.clean(one.id))} ({one.status}): {term.clean(one.title)}"


def totals(numbers: Stats) -> str:
    """`3 tasks, 2 done, 1 failed; 66.7 % succeeded; on average 3s`."""
    parts = [f"{term.count(numbers.total, 'task')}, {numbers.done} done, {numbers.failed} failed"]
    parts += [f"{numbers.success_rate:g} % succeeded"] if numbers.success_rate is not None else []
    parts += [f"on average {term.duration(numbers.average_ms)}"] if numbers.average_ms is not None else []
    return "; ".join(parts)


def agents(view: View, found: Sequence[Subagent]) -> list[str]:
    """One line an agent: id, status, type and alias, model, tokens and cost, and how far it came."""
    rows = []
    for agent in found:
        name = agent.type + (f" ({agent.alias})" if agent.alias else "")
        spent = [f"{term.si(agent.tokens)} tokens"] if agent.tokens is not None else []
        spent += [usd(agent.cost_usd)] if agent.cost_usd is not None else []
        about = [f"checkpoint {agent.checkpoint}"] if agent.checkpoint else []
        about += [t for t in (agent.error, agent.summary) if t]
        rows.append((agent.id, agent.status, name, agent.model, ", ".join(spent), "; ".join(about)))
    return term.columns(rows, total=view.width, flexible=5, style=_styled(view, [a.status for a in found]))


def _styled(view: View, statuses: Sequence[str]) -> term.Style:
    def style(row: int, column: int, cell: str) -> str:
        if column == 0:
            return view.palette.paint("id", cell)
        return view.palette.paint(_SLOTS.get(statuses[row], "dim"), cell) if column == 1 else cell

    return style


def decision(view: View, found: Decision) -> list[str]:
    """Resume or not, and the criteria, each with the fact that decided."""
    said = "Resume" if found.resume else f"Do not resume: {found.reason}"
    name = f" session {view.id(found.session.id)}" if found.session is not None and found.resume else ""
    rows = [("yes" if c.met else "no", c.name, c.fact) for c in found.criteria]
    return [said + name, *(f"  {line}" for line in term.columns(rows, total=max(view.width - 2, 0), flexible=2))]
