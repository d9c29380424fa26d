"""Prompts: what a person picks in their agent to go on with a session, to sum one up, or to hand it over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from git_agent_session.errors import UsageError
from git_agent_session.mcp import tools
from git_agent_session.mcp.door import Door
from git_agent_session.mcp.quoting import fenced

_CONTINUE = (
    "Go on with the session of git agent-session that is described below. Say first, in a few lines, where it stands "
    "and what you will do next; check the state of the repository before you change anything."
)
_SUMMARIZE = (
    "Sum up the session of git agent-session below for somebody who was not there: what was asked, what was done and "
    "why, what was decided, what is open, which commits came of it. Half a page; name files and commits."
)
_HANDOVER = (
    "Write a handover of the session of git agent-session below for the agent that takes it up: the goal, the state of "
    "the work, decisions and their reasons, what was tried and failed, the next three steps. Where the tools add_note "
    "and add_decision are there, record the handover with add_note (type handover) and each decision that is not "
    "recorded yet with add_decision."
)
_CATCH_UP = (
    "Below is what the last sessions on this branch left open, and what was decided about the files in play. Say what "
    "of it matters for what comes next; if it is empty, say that nothing is open."
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt: what it is for, what it tells the model, and the tool calls whose answers follow."""

    name: str
    about: str
    text: str
    calls: tuple[tuple[str, Mapping[str, object]], ...]
    of_session: bool = True


PROMPTS = {
    p.name: p
    for p in (
        Prompt("continue-session", "Go on with an earlier session", _CONTINUE, (("brief", {"budget": 3_000}),)),
        Prompt(
            "summarize-session",
            "Sum a session up for people",
            _SUMMARIZE,
            (("brief", {"budget": 3_000}), ("history", {"limit": 40}), ("commits", {})),
        ),
        Prompt(
            "handover",
            "Write a handover for the next agent",
            _HANDOVER,
            (("brief", {"budget": 3_000}), ("decisions", {}), ("tasks", {})),
        ),
        Prompt("catch-up", "What is open on this branch", _CATCH_UP, (("brief", {"about": "branch"}),), False),
    )
}


def get(door: Door, name: str, arguments: Mapping[str, str]) -> str:
    """The text of a prompt, what was recorded fenced in it. Raises UsageError, AgentSessionError."""
    prompt = PROMPTS.get(name)
    if prompt is None:
        raise UsageError(f"there is no prompt {name[:60]!r}", hint=f"there are {', '.join(PROMPTS)}")
    given = {"session": arguments["session"]} if prompt.of_session and arguments.get("session") else {}
    return "\n\n".join([prompt.text, *(shown(door, tool, {**given, **more}) for tool, more in prompt.calls)])


def shown(door: Door, tool: str, arguments: Mapping[str, object]) -> str:
    """The answer of a tool as text for a model."""
    return as_text(tool, tools.call(door, tool, arguments))


def as_text(tool: str, answer: Mapping[str, object]) -> str:
    """An answer as text for a model; a brief has its own fence."""
    if tool == "brief":
        return str(answer.get("text")) or "Nothing is worth saying."
    return fenced(answer) if tools.TOOLS[tool].quotes else json.dumps(answer, ensure_ascii=False)
