"""What a session orchestrates: workflows and phases, tasks, plans, subagents, errors, and whether to resume.

    from git_agent_session import work

    session = work.start(store, "investigate", agent="gitops", goal="pods crash")
    work.move_phase(store, session.id, "investigating", meta={"findings": ["OOMKilled"]})
    task = work.tasks.add(store, session.id, "raise the memory limit")
    if work.should_resume(store, session.id).resume: …

Functions that take a `Store`; `session` is an id, a start of one, or None for the current session. The names below are
imported on first use, so that an agent's hook can import one module of this package for the price of that module.
"""

from __future__ import annotations

# typing takes 7 ms to import
TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.errors import BrokenWorkflow
    from git_agent_session.work import (
        brief,
        deciding,
        execute,
        failures,
        fork,
        memory,
        phases,
        plans,
        subagents,
        tasks,
        templates,
        workflows,
    )
    from git_agent_session.work.deciding import Criterion, Decision, should_resume
    from git_agent_session.work.phases import Transition, finish, follow, mark_ready
    from git_agent_session.work.phases import history as phase_history
    from git_agent_session.work.phases import move as move_phase
    from git_agent_session.work.plans import Plan
    from git_agent_session.work.subagents import Subagent
    from git_agent_session.work.tasks import Task
    from git_agent_session.work.workflows import Workflow, start

__all__ = [
    "BrokenWorkflow",
    "Criterion",
    "Decision",
    "Plan",
    "Subagent",
    "Task",
    "Transition",
    "Workflow",
    "brief",
    "deciding",
    "execute",
    "failures",
    "finish",
    "follow",
    "fork",
    "mark_ready",
    "memory",
    "move_phase",
    "phase_history",
    "phases",
    "plans",
    "should_resume",
    "start",
    "subagents",
    "tasks",
    "templates",
    "workflows",
]

# name -> the module below `git_agent_session.work` that has it, and its name there
_HOMES = {
    "BrokenWorkflow": ("workflows", "BrokenWorkflow"),
    "Criterion": ("deciding", "Criterion"),
    "Decision": ("deciding", "Decision"),
    "Plan": ("plans", "Plan"),
    "Subagent": ("subagents", "Subagent"),
    "Task": ("tasks", "Task"),
    "Transition": ("phases", "Transition"),
    "Workflow": ("workflows", "Workflow"),
    "finish": ("phases", "finish"),
    "follow": ("phases", "follow"),
    "mark_ready": ("phases", "mark_ready"),
    "move_phase": ("phases", "move"),
    "phase_history": ("phases", "history"),
    "should_resume": ("deciding", "should_resume"),
    "start": ("workflows", "start"),
}


if not TYPE_CHECKING:  # so that a wrong name is still one to a type checker

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _HOMES:
            module, own = _HOMES[name]
            return getattr(import_module(f"{__name__}.{module}"), own)
        if name in __all__:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
