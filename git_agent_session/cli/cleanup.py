"""`cleanup`: close the sessions that nobody has ended, and where asked delete those that ended long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.errors import AgentSessionError
    from git_agent_session.store.sweep import Swept


@click.command()
@click.option("--hours", type=click.FloatRange(0), metavar="N", help="Sessions without an event for N hours.")
@click.option("--days", type=click.FloatRange(0), metavar="N", help="Sessions without an event for N days.")
@click.option(
    "--status", metavar="STATUS", multiple=True, type=TEXT, help="Only these statuses; repeat it, or use commas."
)
@click.option("--delete", "deletes", is_flag=True, help="Delete those that have ended, too.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before deleting.")
@json_option
@pass_env
def command(
    env: Env,
    hours: float | None,
    days: float | None,
    status: tuple[str, ...],
    deletes: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Close the sessions that nobody will end.

    Those are the ones that a crash left open, and with --hours or --days those in which nothing has happened for so
    long. They end with the status abandoned. An agent that is still there goes on with its session at its next prompt.
    A crash is known where an `exec` was killed, and where the machine was started again after an agent's last event:
    `status` says so of each.

    With --delete, sessions that have ended are removed from this repository when their last event is as old.
    """
    from git_agent_session.cli.list import statuses
    from git_agent_session.store import sweep

    if hours is not None and days is not None:
        refuse("--hours and --days do not go together", "give --hours N or --days N, one of both")
    if deletes and hours is None and days is None:
        refuse("say how long nothing may have happened", "give --hours N or --days N with --delete")
    if days is not None:
        hours = days * 24
    chosen = sweep.due(env.store, hours=hours, statuses=statuses(status), deletes=deletes)
    env.report_broken()
    errors: list[AgentSessionError] = []
    if not dry_run:
        if not _agreed(env, sum(swept.action == sweep.DELETED for swept in chosen), yes):
            env.say("nothing was done")
            return
        with env.busy("Cleaning up", "sessions") as bar:
            chosen, errors = sweep.sweep(env.store, chosen, bar)
    if as_json:
        env.json([swept.to_dict() for swept in chosen])
    else:
        _tell(env, chosen, dry_run, only_left=hours is None)
    for error in errors:
        env.warn(error.line())
    if errors:
        raise click.exceptions.Exit(1)


def _agreed(env: Env, deleted: int, yes: bool) -> bool:
    from git_agent_session import term

    if not deleted or yes:
        return True
    what = term.count(deleted, "session")
    if not env.can_ask():
        refuse(f"{what} would be deleted, which is not done without a word", "add --yes, or --dry-run to see which")
    answer = env.ask(f"Delete {what}? [y/N] ")
    return answer is not None and answer.lower() in ("y", "yes")


def _tell(env: Env, done: list[Swept], dry_run: bool, *, only_left: bool) -> None:
    from git_agent_session.store import sweep

    view = env.view()
    verbs = {sweep.CLOSED: ("Closed", "Would close"), sweep.DELETED: ("Deleted", "Would delete")}
    for swept in done:
        last = view.ago(swept.session.updated_at)
        why = f": left open by a crash: {swept.reason}" if swept.reason else ""
        env.write(f"{verbs[swept.action][dry_run]} session {env.describe(swept.session)}, last event {last}{why}")
    if not done:
        env.say("no session is known to be left open by a crash" if only_left else "no session has waited that long")
