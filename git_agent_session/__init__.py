"""git agent-session: coding-agent sessions kept in the repository they work on.

    import git_agent_session

    store = git_agent_session.open()                    # the repository around the current folder
    session = store.start(goal="Add rate limiting", agent="claude-code")
    store.log(session.id, "user_message", "Please add rate limiting")
    store.metric(session.id, "tokens_used", 15000)
    store.end(session.id, message="done")

The names below are imported on first use, so that hooks can import this package for nothing.
"""

from __future__ import annotations

# typing takes 7 ms to import, and an agent's hook call has 30 in all
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_agent_session.errors import AgentSessionError
    from git_agent_session.model import Agent, Event, Link, Session
    from git_agent_session.store.reader import Filter, Summary, Which
    from git_agent_session.store.store import Store

__version__ = "0.1.0"
__all__ = [
    "Agent",
    "AgentSessionError",
    "Event",
    "Filter",
    "Link",
    "Session",
    "Store",
    "Summary",
    "Which",
    "__version__",
    "open",
]

_HOMES = {
    "AgentSessionError": "errors",
    "Agent": "model",
    "Event": "model",
    "Link": "model",
    "Session": "model",
    "Filter": "store.reader",
    "Summary": "store.reader",
    "Which": "store.reader",
    "Store": "store.store",
}


def open(path: str | None = None, *, env: Mapping[str, str] | None = None) -> Store:
    """The sessions of the repository around the folder `path` (default: the current one).

    `env` (such as `os.environ`) is searched for `GIT_DIR` and its kin, for `GIT_AGENT_SESSION` and for the running
    agent's own session; without it only the worktree's active session can be the current one. Raises NotARepository or
    UnsupportedRepository.
    """
    from git_agent_session.git.repository import Repository
    from git_agent_session.index.excerpts import SqliteExcerpts
    from git_agent_session.store.store import Store

    repo = Repository.find(path, env)
    return Store(repo, env, SqliteExcerpts(repo.location.shared))


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"git_agent_session.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
