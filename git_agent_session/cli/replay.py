"""`replay`: a session once more, step by step, and the tree as it was at any of them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option
from git_agent_session.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_agent_session.report.replay import Step

# on a terminal: an hour takes a minute
TERMINAL_SPEED = 60.0


@click.command()
@id_argument
@session_option
@click.option(
    "--speed",
    metavar="X",
    type=click.FloatRange(0),
    help="X times as fast as it was, 0 at once. Default: 60 on a terminal, else 0.",
)
@click.option(
    "--until", metavar="POINT", type=TEXT, default="", help="Stop after this event, commit or date, as git reads dates."
)
@click.option("--worktree", metavar="DIR", type=click.Path(), help="Rebuild the tree of that point in DIR instead.")
@click.option("--inherited", is_flag=True, help="Begin with what led to a fork, in the sessions it came from.")
@click.option("--full", is_flag=True, help="Cut no tool's input or output, and no diff.")
@json_option
@pass_env
def command(
    env: Env,
    id: str | None,
    session: str | None,
    speed: float | None,
    until: str,
    worktree: str | None,
    inherited: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Show a session again, step by step.

    Prompts, tool calls, decisions and commits come in their order, commits with their diffs. --worktree makes a
    worktree of the commit that was in force instead, and leaves yours alone; `git worktree remove DIR` takes it away.
    With --json each step is a line.
    """
    from git_agent_session.report import replay

    session_id = env.reading(id, session)
    until = _point(env, session_id, until)
    if worktree is not None:
        _rebuild(env, session_id, os.path.join(env.start or "", worktree), until, as_json)
        return
    found = replay.steps(env.store, session_id, until=until, inherited=inherited)
    if speed is None:
        speed = TERMINAL_SPEED if env.out.isatty() and not as_json else 0.0
    _show(env, found, speed, full, as_json)
    env.report_broken()


def _show(env: Env, found: Iterable[Step], speed: float, full: bool, as_json: bool) -> None:
    from git_agent_session.report import replay

    if as_json:
        from git_agent_session.report.rows import dump

        for step in replay.paced(found, speed):
            env.out.write(dump(step.to_dict(), indent=None))
            env.out.flush()
    elif speed:
        view = env.view()
        for step in replay.paced(found, speed):
            env.write("\n".join((*replay.lines(view, step, full=full), "")))
            env.out.flush()
    else:
        view = env.view(paged=True)
        env.lines((line for step in found for line in (*replay.lines(view, step, full=full), "")), paged=True)


def _point(env: Env, session_id: str, until: str) -> str:
    """A point as the library takes it: what is no event and no commit and looks like a date becomes a time."""
    from git_agent_session.cli.dates import moment
    from git_agent_session.work import fork

    if not until:
        return until
    try:
        fork.point(env.store, session_id, until)
    except UsageError as e:
        # git finds a date in anything that has a digit, so an id that is mistyped must not get there
        if not re.search(r"\s|\d:\d|\d{4}-\d|^[a-z]+$", until):
            raise
        try:
            return moment(env, "--until", until)
        except UsageError:
            raise e from None
    return until


def _rebuild(env: Env, session_id: str, folder: str, until: str, as_json: bool) -> None:
    from git_agent_session.report import replay

    if not folder:
        refuse("the folder is empty", "name a folder that is empty or not there yet")
    path, commit = replay.rebuild(env.store, session_id, folder, until=until)
    if as_json:
        env.json({"session": session_id, "worktree": path, "commit": commit})
        return
    view = env.view()
    env.write(f"Rebuilt the tree of commit {view.commit(commit)} in {path}")
