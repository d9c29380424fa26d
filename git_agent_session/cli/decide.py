"""`decide`: record a decision."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import FILE, TEXT, json_option, pass_env, session_option


@click.command()
@click.argument("text", metavar="TEXT|-", type=TEXT)
@click.option("--reason", metavar="TEXT", type=TEXT, default="", help="Why it was decided so.")
@click.option("--path", "paths", metavar="FILE", multiple=True, type=FILE, help="A file that it is about; repeatable.")
@session_option
@json_option
@pass_env
def command(env: Env, text: str, reason: str, paths: tuple[str, ...], session: str | None, as_json: bool) -> None:
    """Record a decision, and why it was taken.

    `-` reads the text from standard input. Decisions are in the brief that `resume` prints, and in the one that an
    agent gets where agentSession.brief is set.
    """
    from git_agent_session.work import failures

    session_id = env.target(session)
    said = env.read_text() if text == "-" else text
    event = failures.decide(env.store, session_id, said, reason=reason, paths=paths)
    if as_json:
        env.json(event.to_dict())
    else:
        env.write(f"Recorded a decision in session {session_id[:8]}")
