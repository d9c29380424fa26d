"""`install`: put the hooks into a repository, or in place for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.hooks.report import Report


@click.command()
@click.option("--global", "everywhere", is_flag=True, help="Install for all repositories of this user.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@pass_env
def command(env: Env, everywhere: bool, dry_run: bool, as_json: bool) -> None:
    """Install the hooks that link commits to sessions.

    With them goes the configuration that lets notes follow an amend or a rebase.

    Hooks that are there go on working. Running it again repairs and updates; `uninstall` restores what was there.

    With `--global` nothing in a repository is changed: hooks of your own git configuration serve all of them.
    """
    if everywhere:
        from git_agent_session.hooks import everywhere as all_repositories

        report = all_repositories.install(dry_run=dry_run)
    else:
        from git_agent_session.hooks import installer

        report = installer.install(env.start, dry_run=dry_run)
    shown(env, report, "Installed", as_json)


def shown(env: Env, report: Report, done: str, as_json: bool) -> None:
    """Print what an install or uninstall did."""
    from git_agent_session import term

    if as_json:
        env.json(report.to_dict())
        return
    where = f"in {report.repository}" if report.repository else "for all repositories of this user"
    if not report.changed:
        env.write(term.clean(f"Nothing to do {where}"))
    for action in report.actions:
        if action.kind == "unchanged":
            continue
        detail = f": {action.detail}" if action.detail else ""
        line = f"{action.kind} {_near(action.path)}{detail}"
        if action.kind == "warn":
            env.warn(f"{_near(action.path)}{detail}")
        else:
            env.write(term.clean(f"would {line}" if report.dry_run else f"  {line}"))
    if report.changed and not report.dry_run:
        env.write(term.clean(f"{done} {where}"))


def _near(path: str) -> str:
    """A path as seen from here, where that is shorter; what is no path, such as a configuration key, stays."""
    if not os.path.isabs(path):
        return path
    near = os.path.relpath(path)
    return path if near.startswith("..") else near
