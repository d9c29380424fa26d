"""What push, fetch and sync show: git's own progress, then what became of each ref. Without click: see `pushed`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_agent_session.cli.env import Env
    from git_agent_session.git.transport import Progress
    from git_agent_session.sync import Report


@contextlib.contextmanager
def told(env: Env, as_json: bool) -> Iterator[Progress | None]:
    """What shows git's own progress: on a terminal, as it comes; nowhere else."""
    if as_json or not env.err.isatty():
        yield None
        return

    def show_progress(text: str) -> None:
        env.err.write(text)
        env.err.flush()

    yield show_progress


def shown(env: Env, report: Report, as_json: bool) -> int:
    """Print what became of each ref; returns the exit status: 1 where something is not through."""
    from git_agent_session.sync import text

    if as_json:
        env.json(report.to_dict())
    else:
        for line in (*(f"warning: {w}" for w in report.warnings), *text.problems(report)):
            env.say(line)
        for line in report.errors:
            env.say(f"error: {line}")
        if not report.errors or any(r.moved for r in report.latest()):
            for line in text.lines(report):
                env.write(line)
    return 0 if report.ok else 1
