"""`disable`: take our hooks out of an agent's settings again."""

from __future__ import annotations

import click

from git_agent_session.cli.enable import agents_argument, report, scope, scope_options
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@agents_argument
@scope_options
@json_option
@pass_env
def command(env: Env, names: tuple[str, ...], local: bool, user: bool, as_json: bool) -> None:
    """Stop an agent from recording its sessions.

    Its other settings stay as they are. Without a NAME all agents are disabled, without an option in all settings.
    """
    from git_agent_session.agents import registry

    report(env, "disable", names or registry.names(), scope(local, user), as_json)
