"""What some commands need besides the package's own dependencies: extras, and how to get one that is not here."""

from __future__ import annotations

from git_agent_session.errors import AgentSessionError


def lacking(what: str, extra: str, *, several: bool = False) -> AgentSessionError:
    """The error for what is not installed and comes with an extra."""
    return AgentSessionError(
        f"{what} {'are' if several else 'is'} not installed",
        hint=f"`./install.sh --with {extra}` in the checkout adds it, or pip install 'git-agent-session[{extra}]'",
    )


def require(extra: str, *modules: str) -> None:
    """Raise AgentSessionError with the line that installs what is missing, where any of an extra's `modules` is."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        what = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
        raise lacking(what, extra, several=len(missing) > 1)
