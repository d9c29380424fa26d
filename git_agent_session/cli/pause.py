"""`pause`: keep a session, and link nothing to it until it is resumed."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option


@click.command()
@id_argument
@session_option
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, as_json: bool) -> None:
    """Keep a session, but link no commits to it for now.

    `git agent-session resume` goes on with it.
    """
    paused = env.store.pause(env.target(id, session))
    if as_json:
        env.json(paused.to_dict())
    else:
        env.write(f"Paused session {env.describe(paused)}")
