"""`fetch`: bring in the sessions and notes of a remote."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import pass_env
from git_agent_session.cli.shown import told
from git_agent_session.cli.sync import deadline, remote_argument, show, talking_options


@click.command()
@remote_argument
@talking_options
@pass_env
def command(env: Env, remote: str, dry_run: bool, timeout: float | None, as_json: bool) -> None:
    """Bring in the sessions and notes of a remote.

    They are checked first: what cannot be read is named and left out. What is here already is joined with it.

    REMOTE is a name or an address; default: agentSession.remote, else the branch's remote.
    """
    from git_agent_session import sync

    with told(env, as_json) as progress:
        report = sync.fetch(env.store, remote, dry_run=dry_run, deadline=deadline(timeout), progress=progress)
    show(env, report, as_json)
