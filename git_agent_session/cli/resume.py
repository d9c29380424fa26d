"""`resume`: go on with a paused or ended session."""

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
    """Go on with a paused or ended session.

    Without an ID it is the current session or, where there is none, the last one of this worktree.
    """
    from git_agent_session.store.lookup import VARIABLE

    resumed = env.store.resume(env.reading(id, session, said=False))
    if as_json:
        env.json(resumed.to_dict())
    else:
        env.write(f"Resumed session {env.describe(resumed)}")
    named = env.environ.get(VARIABLE)
    if named and not resumed.id.startswith(named.lower()):
        env.warn(f"{VARIABLE} names another session, which stays current in this shell; `unset {VARIABLE}` mends that")
