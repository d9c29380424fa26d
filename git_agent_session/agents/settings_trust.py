"""The agents that run hooks only once their user trusts them: whether they do here, and what to do when not.

That is Codex alone so far; how it keeps its approvals is `codex_trust`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import codex_trust
from git_agent_session.agents.codex_trust import NEITHER, NO_PROJECT, TRUSTED, Handler, Trust

if TYPE_CHECKING:
    from git_agent_session.agents.settings_place import Place

Found = Iterable[tuple[str, int, int, Mapping[str, Any], str | None]]


def asked_by(name: str) -> bool:
    """True for an agent that asks its user to trust hooks."""
    return name == codex_trust.AGENT


def state(at: Place, scope: str, found: Found) -> str:
    """Whether the handlers `found` in the settings of a scope are trusted. Raises HookConflict and OSError."""
    return _trust(at, scope).state(_handlers(found), () if scope == "user" else _projects(at))


def give(at: Place, scope: str, found: Found) -> bool:
    """Trust the handlers on the user's behalf; True when they were not. Raises HookConflict and OSError."""
    return _trust(at, scope).give(_handlers(found))


def take(at: Place, scope: str, found: Found) -> bool:
    """Withdraw the trust in the handlers; True when there was any. Raises HookConflict and OSError."""
    return _trust(at, scope).take(_handlers(found))


def hint(stands: str) -> str:
    """What a person has to do, by how the trust stands; "" for nothing."""
    if stands == TRUSTED:
        return ""
    if stands == NO_PROJECT:
        return "start Codex here once and trust the folder"
    if stands == NEITHER:
        return "start Codex here, trust the folder, and run /hooks to trust them"
    return "run /hooks in Codex to trust them, or `git agent-session enable codex --trust`"


def _trust(at: Place, scope: str) -> Trust:
    """Codex names a file as it came to it: a project's by the real path of the project, the user's by the home folder
    as it is given, `CODEX_HOME` by its real path (seen with 0.169).
    """
    variable = at.setup.home[0]
    top = at.home if scope == "user" else at.location.worktree if at.location is not None else None
    assert top is not None
    real = scope != "user" or bool(at.env.get(variable))
    hooks = os.path.join(os.path.realpath(top) if real else os.path.abspath(top), *at.setup.files[scope].split("/"))
    return Trust(os.path.join(at.home, "config.toml"), hooks)


def _handlers(found: Found) -> list[Handler]:
    return [Handler(*each) for each in found]


def _projects(at: Place) -> tuple[str, ...]:
    """The folders one of which Codex has to trust: the worktree, or the repository's main one."""
    if at.location is None or at.location.worktree is None:
        return ()
    main, name = os.path.split(at.location.common_dir)
    return tuple(dict.fromkeys((at.location.worktree, *((main,) if name == ".git" else ()))))
