"""`archive`: move sessions that ended long ago out of git's list of refs."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.option(
    "--days",
    type=click.IntRange(0, 36_500),
    metavar="N",
    help="Sessions that ended N days ago or earlier; default: agentSession.archiveDays, else 90.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be archived, and change nothing.")
@json_option
@pass_env
def command(env: Env, days: int | None, dry_run: bool, as_json: bool) -> None:
    """Keep sessions that ended long ago together, a ref a month.

    Each session has a ref of its own, and every push and fetch of the project lists all refs. Those that ended long ago
    move into refs/agent-sessions/archive/YEAR-MONTH, their history with them. Every command finds them as before, and
    one that is resumed gets its own ref back.
    """
    from git_agent_session import term
    from git_agent_session.store import archive

    store = env.store
    if not dry_run:
        for error in store.drain_all():
            env.warn(error.line())
        archive.reconcile(store.repo)
    with env.busy("Archiving", "sessions") as bar:
        done = archive.run(store, older_than=days, dry_run=dry_run, progress=bar)
    env.report_broken()
    if as_json:
        env.json([archived.to_dict() for archived in done])
        return
    for archived in done:
        verb = "Would archive" if dry_run else "Archived"
        env.write(f"{verb} {term.count(len(archived.sessions), 'session')} that ended in {archived.month}")
    if not done:
        env.say("no session ended that long ago")
