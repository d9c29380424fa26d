"""`delete`: remove a session from this repository."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, complete_id, json_option, pass_env


@click.command()
@click.argument("id", metavar="ID", type=TEXT, shell_complete=complete_id)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_env
def command(env: Env, id: str, yes: bool, as_json: bool) -> None:
    """Remove a session from this repository.

    Its ref goes, what waits for it, and its lines in notes.

    The commits themselves stay. Copies that others have fetched stay with them.
    """
    from git_agent_session import term
    from git_agent_session.errors import BrokenSession

    session_id = env.target(id)
    if not yes:
        if not env.can_ask():
            refuse(f"session {session_id[:8]} is not deleted without a word", "add --yes")
        session = env.store.get(session_id)
        what = term.count(session.counts.get("events", 0), "event")
        answer = env.ask(f"Delete session {env.describe(session)} with {what}? [y/N] ")
        if answer is None or answer.lower() not in ("y", "yes"):
            env.say("nothing was deleted")
            return
    try:
        gone = env.store.delete(session_id)
    except BrokenSession as e:
        e.hint = f"`git update-ref -d refs/agent-sessions/{session_id}` removes it all the same"
        raise
    if as_json:
        env.json(gone.to_dict())
    else:
        env.write(f"Deleted session {env.describe(gone)}")
