"""`doctor`: whether capture works here, and what to do where it does not."""

from __future__ import annotations

import click

from git_agent_session.cli.enable import location, view
from git_agent_session.cli.env import Env, refuse
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
@click.option("--repair", is_flag=True, help="First put right what can be put right, and say what was done.")
@click.option("-n", "--dry-run", is_flag=True, help="With --repair: say what would be done, and change nothing.")
@json_option
@pass_env
def command(env: Env, limit: int, repair: bool, dry_run: bool, as_json: bool) -> None:
    """Tell whether recording works here, and what to do if not.

    That is git's hooks, and for each agent its version, where it is enabled, whether its hooks are trusted (Codex) and
    when they last ran; besides what hooks had to complain about, sessions that nobody has ended, and commits that look
    like an agent's and belong to no session.

    --repair brings notes in line with the events of sessions, hooks with what was installed, and caches with the refs;
    it removes stale locks and what is left of sessions that are gone or have ended. Sessions themselves it never
    touches: refs that cannot be read, notes of sessions that are not here, and sessions that were not pushed are named.

    The exit status is 1 when something is broken, 0 otherwise.
    """
    from git_agent_session.report import doctor
    from git_agent_session.report.examine import examine, mend

    if dry_run and not repair:
        refuse("without --repair there is nothing to try", "doctor alone changes nothing")
    store = env.store if location(env) is not None or repair else None
    with env.busy("Repairing", "checks") as bar:
        done = mend(store, env.start, dry_run=dry_run, progress=bar) if store is not None and repair else []
    with env.busy("Asking", "agents") as bar:
        found = examine(store, env.environ, env.start, limit=limit, progress=bar)
    if as_json:
        env.json({**found.to_dict(), **({"repairs": [r.to_dict() for r in done]} if repair else {})})
    else:
        told = doctor.repaired(done, dry_run=dry_run) if repair else []
        env.lines([*told, *doctor.lines(view(env), found)])
    if found.broken:
        raise click.exceptions.Exit(1)
