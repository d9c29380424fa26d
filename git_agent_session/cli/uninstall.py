"""`uninstall`: take the hooks out of a repository again."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.option("--global", "everywhere", is_flag=True, help="Take out what serves all repositories of this user.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@pass_env
def command(env: Env, everywhere: bool, dry_run: bool, as_json: bool) -> None:
    """Take the hooks out again and put back what was there.

    Sessions, notes and links stay, and so do, with `--global`, hooks that were put into a repository.
    """
    from git_agent_session.cli.install import shown

    if everywhere:
        from git_agent_session.hooks import everywhere as all_repositories

        report = all_repositories.uninstall(dry_run=dry_run)
    else:
        from git_agent_session.hooks import installer

        report = installer.uninstall(env.start, dry_run=dry_run)
    shown(env, report, "Uninstalled", as_json)
