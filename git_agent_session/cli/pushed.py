"""Tells of a push that has begun before anything was loaded (`sync.at_once`), as the command `push` would: its words,
its JSON, its exit status. Without click, which takes as long to load as all else here.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from git_agent_session.cli.env import Env
from git_agent_session.cli.shown import shown, told
from git_agent_session.errors import AgentSessionError
from git_agent_session.sync import at_once

if TYPE_CHECKING:
    from git_agent_session.sync import Report


def main(begun: at_once.Begun, argv: Sequence[str], env: Env | None = None) -> int:
    """Hear the push out that `push ARGV` began, and return the exit status; nothing is raised."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    env, as_json = env or Env(), "--json" in argv
    try:
        try:
            return shown(env, _heard(env, begun, as_json), as_json)
        finally:
            env.err.flush()
            env.out.flush()
    except (AgentSessionError, OSError, KeyboardInterrupt) as e:
        from git_agent_session.cli.main import ended

        return ended(e, env, ["push", *argv])


def _heard(env: Env, begun: at_once.Begun, as_json: bool) -> Report:
    """What became of it; where something was refused, of a whole push after it, which may know why."""
    with told(env, as_json) as progress:
        report, through = at_once.told(begun, progress, whole=as_json)
        if through:
            return report
        from git_agent_session import sync

        whole = sync.push(env.store, begun.name, progress=progress)
        whole.results[:0] = report.results
        whole.warnings[:0] = report.warnings
        return whole
