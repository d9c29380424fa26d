"""`delete`: remove a session from this repository, and where asked from a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, complete_id, json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.sync.remote import Remote
    from git_agent_session.sync.removal import Removed


@click.command()
@click.argument("id", metavar="ID", type=TEXT, shell_complete=complete_id)
@click.option(
    "--remote",
    metavar="[REMOTE]",
    is_flag=False,
    flag_value="",
    type=TEXT,
    help="Remove it there too; without a name from the remote that sessions go to.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_env
def command(env: Env, id: str, remote: str | None, yes: bool, as_json: bool) -> None:
    """Remove a session from this repository.

    Its ref goes, its place in an archive, what waits for it, and its lines in notes.

    The commits themselves stay. So do copies that others have fetched, and what git has not collected yet; `purge` goes
    further.
    """
    from git_agent_session import term
    from git_agent_session.errors import BrokenSession

    session_id = env.target(id)
    there = remote_of(env, remote)
    if not yes:
        if not env.can_ask():
            refuse(f"session {session_id[:8]} is not deleted without a word", "add --yes")
        session = env.store.get(session_id)
        what = term.count(session.counts.get("events", 0), "event")
        where = f", here and at {there.shown}" if there else ""
        answer = env.ask(f"Delete session {env.describe(session)} with {what}{where}? [y/N] ")
        if answer is None or answer.lower() not in ("y", "yes"):
            env.say("nothing was deleted")
            return
    if there and session_id not in env.store.ids():
        env.store.get(session_id)  # says that it is not here
    # first there: what is gone here cannot be named again
    done = _delete_there(env, there, session_id) if there else None
    try:
        gone = env.store.delete(session_id)
    except BrokenSession as e:
        e.hint = f"`git update-ref -d refs/agent-sessions/{session_id}` removes it all the same"
        raise
    if as_json:
        env.json(gone.to_dict())
    else:
        env.write(f"Deleted session {env.describe(gone)}")
    if there and done:
        report(env, there, done, silent=as_json)


def remote_of(env: Env, name: str | None) -> Remote | None:
    """The remote that `--remote` names, None without that option."""
    from git_agent_session.sync import remote

    return remote.find(env.store.repo, name) if name is not None else None


def _delete_there(env: Env, there: Remote, session_id: str) -> Removed:
    from git_agent_session.sync.removal import Removal

    return Removal(env.store.repo, there).delete([session_id])


def report(env: Env, there: Remote, done: Removed, *, silent: bool = False) -> None:
    """Say what a remote did; exit with 1 where it refused anything."""
    from git_agent_session import term

    if not silent:
        for ref in done.gone:
            env.write(term.clean(f"Removed {ref} from {there.shown}"))
        for ref in done.rewritten:
            env.write(term.clean(f"Wrote {ref} at {there.shown} anew"))
        if not (done.gone or done.rewritten or done.refused or done.archived):
            env.say(f"{there.shown} has nothing of it")
    for ref in done.archived:
        env.warn(f"{there.shown} still has it in {ref}; `git agent-session purge --remote` writes that anew")
    for sent in done.refused:
        env.warn(f"{there.shown} refuses to change {sent.ref}: {sent.reason}")
    if done.refused:
        raise click.exceptions.Exit(1)
