"""`switch`: make another session the current one of this worktree."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option


@click.command()
@id_argument
@session_option
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, as_json: bool) -> None:
    """Make another open session the current one.

    `-` is the one before, like `@{-1}`. The session that was current stays open.
    """
    from git_agent_session.store.lookup import VARIABLE

    if id is None and session is None:
        refuse("which session to switch to is missing", "give an ID, see `git agent-session list`; `-` is the last one")
    chosen = env.store.switch(env.target(id, session))
    if as_json:
        env.json(chosen.to_dict())
    else:
        env.write(f"Switched to session {env.describe(chosen)}")
    named = env.environ.get(VARIABLE)
    if named and not chosen.id.startswith(named.lower()):
        env.warn(f"{VARIABLE} names another session, which stays current in this shell; `unset {VARIABLE}` mends that")
