"""`metric`: record a number under a name."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, meta_of, meta_option, pass_env, session_option


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="NAME", type=TEXT)
@click.argument("value", metavar="VALUE", type=TEXT)
@meta_option
@session_option
@json_option
@pass_env
def command(
    env: Env, name: str, value: str, meta: tuple[tuple[str, str], ...], session: str | None, as_json: bool
) -> None:
    """Record a number under a name.

    Such as `git agent-session metric tokens_used 15000`; a whole number stays one."""
    number = _number(value)
    session_id = env.target(session)
    event = env.store.metric(session_id, name, number, meta=meta_of(meta))
    if as_json:
        env.json(event.to_dict())
    else:
        env.write(f"Recorded {name} = {number} in session {session_id[:8]}")


def _number(text: str) -> int | float:
    """A whole number stays one; raises UsageError for what is no finite number, or too large to store."""
    # int() and float() also read 1_000 and digits of other scripts, which nobody means here
    if text.isascii() and "_" not in text:
        try:
            whole = int(text)
        except ValueError:
            whole = None
        if whole is not None and -(2**63) <= whole < 2**63:
            return whole
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if abs(number) < float("inf"):
            return number
    refuse(f"{text[:60]!r} is no number", "give a finite number such as 12 or 0.5")
