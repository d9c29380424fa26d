"""`log`: record an interaction."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, meta_of, meta_option, pass_env, session_option
from git_agent_session.model import ROLES


@click.command()
@click.argument("type", metavar="TYPE", type=TEXT)
@click.argument("text", metavar="[TEXT|-]", required=False, type=TEXT)
@click.option("--role", metavar="ROLE", type=TEXT, default="", help=f"Who said it: {', '.join(ROLES)}.")
@meta_option
@session_option
@json_option
@pass_env
def command(
    env: Env,
    type: str,
    text: str | None,
    role: str,
    meta: tuple[tuple[str, str], ...],
    session: str | None,
    as_json: bool,
) -> None:
    """Record an interaction.

    TYPE is a word of your own, such as note, question or user_message.

    `-` reads the text from standard input, at most 16 MB of UTF-8. A text that starts with a dash goes after `--`.
    """
    if text is None:
        refuse("the text is missing", "give it after TYPE, or - to read it from standard input")
    if text == "-":
        text = env.read_text()
    if not text.strip():
        refuse("the text is empty", "nothing was recorded")
    session_id = env.target(session)
    event = env.store.log(session_id, type, text, role=role, meta=meta_of(meta))
    if as_json:
        env.json(event.to_dict())
    else:
        env.write(f"Recorded {type} in session {session_id[:8]}")
