"""`show`: everything there is to read about one session."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.commits import rows, subjects
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.model import Session
    from git_agent_session.report.view import View

_EVENTS = 10


@click.command()
@id_argument
@session_option
@click.option("--full", is_flag=True, help="All events, and the whole transcript.")
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, full: bool, as_json: bool) -> None:
    """Show all there is to read about a session.

    That is its state, metadata, usage, commits, tools, files and last events."""
    if full and as_json:
        refuse("--full is for people to read", "see `git agent-session export --format json`")
    session_id = env.reading(id, session)
    summary = env.store.summary(session_id)
    events = env.store.history(session_id, limit=None if full else _EVENTS)
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

    view = env.view(paged=True)
    shown = sessions.show(view, summary, commits, events, subjects(env))
    env.lines(chain(shown, _transcript(env, view, summary.session) if full else ()), paged=True)
    if full:
        env.report_broken()


def _transcript(env: Env, view: View, session: Session) -> Iterator[str]:
    from git_agent_session.report.conversation import lines
    from git_agent_session.report.timeline import Timeline

    timeline = Timeline(env.store, session, env.store.history(session.id, kinds=("agent",)))
    if timeline:
        yield from ("", view.heading("Transcript:"), "")
        yield from (f"  {line}" if line else "" for line in lines(view, timeline.entries(), full=True))
