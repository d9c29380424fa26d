"""The agents that can be captured, by name; each module is imported when it is asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Agent
    from git_agent_session.agents.settings import Report
    from git_agent_session.git.discover import Location

_NAMES = ("claude-code",)


def names() -> tuple[str, ...]:
    """The names of all agents, as `enable` takes them."""
    return _NAMES


def load(name: str) -> Agent | None:
    """The module of an agent, or None when there is no agent of that name."""
    if name == "claude-code":
        from git_agent_session.agents import claude_code

        return claude_code
    return None


def enable(name: str, location: Location | None, scope: str = "project") -> Report:
    """Put an agent's hooks into its settings: see `settings.enable`."""
    from git_agent_session.agents import settings

    return settings.enable(name, location, scope)


def disable(name: str, location: Location | None, scope: str | None = None) -> Report:
    """Take an agent's hooks out of its settings, of one scope or of all: see `settings.disable`."""
    from git_agent_session.agents import settings

    return settings.disable(name, location, scope)
