"""Whether an install for all repositories reaches the place whose configuration is given, and what lies beneath it.

Reads only, and needs no repository: `Settings` may be a repository's or the user's alone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from git_agent_session.hooks.config import Setting, Settings
from git_agent_session.hooks.sources import EVERYWHERE, HOOKS
from git_agent_session.hooks.user import CONFIG_HOOKS, TOP, User, command_key, is_ours

CONFIG = "config-hooks"
PATH = "global-hooks-path"


def serving(settings: Settings) -> str | None:
    """The mode in which the install for all repositories serves where `settings` are in force; None if it does not.

    An older git beside the one that installed runs no hooks of the configuration; that is not looked at here.
    """
    if settings.hooks_paths and is_ours(settings.hooks_paths[-1].value):
        there = [os.path.join(settings.hooks_paths[-1].value, hook) for hook in HOOKS]
        return PATH if all(os.access(path, os.X_OK) for path in there) else None
    return CONFIG if all(_configured(settings, hook) for hook in HOOKS) else None


def _configured(settings: Settings, hook: str) -> bool:
    commands = settings.values(command_key(hook))
    if not commands or not works(commands[-1], hook):
        return False
    # the second switches off the event for all (git-config(1), hook.<event>.enabled)
    switches = (settings.values(f"hook.{name}.enabled")[-1:] for name in (f"agent-session-{hook}", hook))
    return not any(value.lower() in {"false", "no", "off", "0"} for values in switches for value in values)


def works(command: str, hook: str) -> bool:
    """Whether `command` is the one of our hook `hook`, and its files are there."""
    try:
        top, event, *_ = shlex.split(command)
    except ValueError:
        return False
    if not top.startswith(TOP) or event != f"agent_session_event={hook};":
        return False
    return os.access(os.path.join(top.removeprefix(TOP), "hooks", EVERYWHERE), os.R_OK)


def seen_through(paths: Iterable[Setting]) -> tuple[Setting, ...]:
    """Values of core.hooksPath with ours replaced by the folder that ours hands over to, or by nothing."""
    seen = []
    for path in paths:
        if not is_ours(path.value):
            seen.append(path)
            continue
        top = os.path.dirname(os.path.normpath(path.value))
        previous = User(top, "", CONFIG_HOOKS).previous()
        if previous is not None:
            seen.append(Setting(path.scope, path.key, previous))
    return tuple(seen)
