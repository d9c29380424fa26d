"""The agents that can be captured, by name; each module is imported when it is asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Agent

# in the order in which people are shown them
_MODULES = {
    "claude-code": "claude_code",
    "codex": "codex",
    "gemini": "gemini",
    "copilot": "copilot",
    "opencode": "opencode",
    "cursor": "cursor",
    "droid": "droid",
    "pi": "pi",
}


def names() -> tuple[str, ...]:
    """The names of all agents, as `enable` takes them."""
    return tuple(_MODULES)


def load(name: str) -> Agent | None:
    """The module of an agent, or None when there is no agent of that name."""
    module = _MODULES.get(name)
    if module is None:
        return None
    found: Any = __import__(f"git_agent_session.agents.{module}", fromlist=["NAME"])
    agent: Agent = found
    return agent


def owner(called: str, payload: Mapping[str, Any], env: Mapping[str, str]) -> Agent | None:
    """The agent that made a hook call, whichever agent's settings it came from; None for one that is not known.

    Copilot, Cursor and Droid run hooks that were put into Claude Code's settings.
    """
    for name in (called, *(n for n in _MODULES if n != called)):
        agent = load(name)
        if agent is not None and agent.is_own(payload, env):
            return agent
    return None
