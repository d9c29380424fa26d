"""`disable`: take our hooks out of an agent's settings again."""

from __future__ import annotations

import click

from git_agent_session.cli.enable import agents_argument, check, location, printed, scope, scope_options
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@agents_argument
@click.option("-a", "--all", "every", is_flag=True, help="All agents, as without a NAME.")
@scope_options
@json_option
@pass_env
def command(env: Env, names: tuple[str, ...], every: bool, local: bool, user: bool, as_json: bool) -> None:
    """Stop agents from recording their sessions.

    Their other settings stay as they are. Without a NAME all agents are disabled, without an option in all settings.
    """
    from git_agent_session.agents import registry, settings

    where = scope(local, user)
    if every and names:
        refuse("--all and the name of an agent exclude each other", "give one of them")
    check(names)
    here = location(env)
    places = [settings.place(name, here, env.environ) for name in dict.fromkeys(names or registry.names())]
    for place in places if names and where else ():
        place.file(where or "")  # an agent without such settings is told before the first is changed
    # an agent without such settings, or a place without a project, has nothing to take out
    able = places if names else [p for p in places if where is None or where in p.scopes]
    reports = [settings.disable(p.name, here, where, env.environ) for p in able]
    told = [r for r in reports if names or r.changed or r.errors]
    if not told and not as_json:
        env.write("Nothing to do: no agent is enabled here")
    printed(env, reports if as_json else told, as_json)
