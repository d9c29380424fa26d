"""`history`: the events of a session."""

from __future__ import annotations

import click

from git_agent_session.cli.commits import subjects
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option


@click.command()
@id_argument
@session_option
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    type=TEXT,
    help="Only this kind of event, or this type of interaction; may be repeated.",
)
@click.option("-n", "--limit", metavar="N", type=click.IntRange(min=0), help="Only the last N.")
@click.option("--reverse", is_flag=True, help="The youngest first.")
@json_option
@pass_env
def command(
    env: Env,
    id: str | None,
    session: str | None,
    types: tuple[str, ...],
    limit: int | None,
    reverse: bool,
    as_json: bool,
) -> None:
    """Show what happened in a session, the oldest event first."""
    session_id = env.reading(id, session)
    events = env.store.history(session_id, kinds=types, limit=limit, reverse=reverse)
    if as_json:
        env.json([event.to_dict() for event in events])
    elif events:
        from git_agent_session.report.events import history

        env.lines(history(env.view(paged=True), events, subjects(env)), paged=True)
    elif limit == 0:
        env.say("a limit of 0 shows no event")
    else:
        env.say(f"no such event in session {session_id[:8]}; `git agent-session history {session_id[:8]}` shows all")
