"""`error`: record that something failed."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, meta_of, meta_option, pass_env, session_option


@click.command()
@click.argument("text", metavar="TEXT|-", type=TEXT)
@meta_option
@session_option
@json_option
@pass_env
def command(env: Env, text: str, meta: tuple[tuple[str, str], ...], session: str | None, as_json: bool) -> None:
    """Record an error, and count it.

    `-` reads the text from standard input. With the third error of a session, `should-resume` says no.
    """
    from git_agent_session.work import failures

    session_id = env.target(session)
    event = failures.record(env.store, session_id, env.read_text() if text == "-" else text, meta=meta_of(meta))
    if as_json:
        env.json(event.to_dict())
    else:
        count = env.store.get(session_id).counts.get("errors", 0)
        env.write(f"Recorded error {count} of session {session_id[:8]}")
