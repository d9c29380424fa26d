"""`index`: bring the derived index up to date, and say where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.index.refresh import Progress


@click.command()
@click.option("--rebuild", is_flag=True, help="Delete it and make it anew.")
@click.option("--path", "path_only", is_flag=True, help="Print where it is, and nothing else: for sqlite3, Datasette …")
@json_option
@pass_env
def command(env: Env, rebuild: bool, path_only: bool, as_json: bool) -> None:
    """Bring the index up to date.

    That is all sessions as one SQLite file that any program can open, made from the sessions: it can be deleted at any
    time. Its tables are in docs/sql.md.
    """
    from git_agent_session import index, term

    found = index.open(env.store)
    done = found.refresh(progress(env, "sessions"), rebuild=rebuild)
    for error in done.broken:
        env.warn(error.line())
    if as_json:
        env.json({"path": found.path, **done.to_dict()})
        return
    env.write(found.path)
    if not path_only:
        took = f"{done.seconds:.1f} s" if done.seconds >= 0.1 else f"{done.seconds * 1000:.0f} ms"
        env.say(f"{term.count(done.sessions, 'session')} and {term.count(done.events, 'event')} taken in, {took}")


def progress(env: Env, what: str) -> Progress | None:
    """A bar on a terminal's standard error that tells how far it is, once it takes longer than a second."""
    from git_agent_session.progress import Bar

    return Bar(env.err, "Reading", what) if env.err.isatty() else None
