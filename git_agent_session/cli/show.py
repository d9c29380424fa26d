"""`show`: everything there is to read about one session."""

from __future__ import annotations

import click

from git_agent_session.cli.commits import rows, subjects
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option

_EVENTS = 10


@click.command()
@id_argument
@session_option
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, as_json: bool) -> None:
    """Show all there is to read about a session.

    That is its state, metadata, usage, commits, tools, files and last events."""
    session_id = env.reading(id, session)
    summary = env.store.summary(session_id)
    events = env.store.history(session_id, limit=_EVENTS)
    commits = rows(env, session_id, summary.commits, paths=True)
    if as_json:
        env.json(
            {
                **summary.session.to_dict(),
                "duration_ms": summary.duration_ms,
                "tools": dict(summary.tools),
                "commits": [row.to_dict() for row in commits],
                "events": [event.to_dict() for event in events],
            }
        )
        return
    from git_agent_session.report import sessions

    env.lines(sessions.show(env.view(paged=True), summary, commits, events, subjects(env)), paged=True)
