"""`uninstall`: take the hooks out of a repository again."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@pass_env
def command(env: Env, dry_run: bool, as_json: bool) -> None:
    """Take the hooks out again and put back what was there.

    Sessions, notes and links stay.
    """
    from git_agent_session.cli.install import shown
    from git_agent_session.hooks import installer

    shown(env, installer.uninstall(env.start, dry_run=dry_run), "Uninstalled", as_json)
