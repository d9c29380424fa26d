"""Sharing sessions with another repository: push, fetch, and both until all is through.

    from git_agent_session import sync

    report = sync.sync(store)               # the repository's own remote
    report = sync.push(store, "private", select=sync.Selection(sessions=[session.id]))

Nothing is ever forced. What the remote has and we have not is fetched and joined; a ref that cannot be taken or sent is
named in the report, and the others go on. Whatever is killed, wherever, the next run goes on from there. The names
below are imported on first use: a push begins before them (see `at_once`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.sync.plan import Selection
    from git_agent_session.sync.remote import Remote, find
    from git_agent_session.sync.report import Report, Result
    from git_agent_session.sync.run import fetch, push, sync

__all__ = ["Remote", "Report", "Result", "Selection", "fetch", "find", "push", "sync"]

_HOMES = {
    "Selection": "plan",
    "Remote": "remote",
    "find": "remote",
    "Report": "report",
    "Result": "report",
    **dict.fromkeys(("fetch", "push", "sync"), "run"),
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
