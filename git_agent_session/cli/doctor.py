"""`doctor`: whether capture works here, and what to do where it does not."""

from __future__ import annotations

import click

from git_agent_session.cli.enable import location, view
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(0, 100_000),
    default=200,
    show_default=True,
    metavar="N",
    help="How many commits to look at for those that look like an agent's and have no session.",
)
@json_option
@pass_env
def command(env: Env, limit: int, as_json: bool) -> None:
    """Tell whether recording works here, and what to do if not.

    That is git's hooks, and for each agent its version, where it is enabled, whether its hooks are trusted (Codex) and
    when they last ran; besides what hooks had to complain about, sessions that nobody has ended, and commits that look
    like an agent's and belong to no session.

    The exit status is 1 when something is broken, 0 otherwise.
    """
    from git_agent_session.report import doctor
    from git_agent_session.report.examine import examine

    store = env.store if location(env) is not None else None
    found = examine(store, env.environ, env.start, limit=limit)
    if as_json:
        env.json(found.to_dict())
    else:
        env.lines(doctor.lines(view(env), found))
    if found.broken:
        raise click.exceptions.Exit(1)
