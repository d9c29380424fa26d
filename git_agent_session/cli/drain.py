"""`drain`: write what waits in the journal now."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@json_option
@pass_env
def command(env: Env, as_json: bool) -> None:
    """Write what waits in the journal, now.

    It goes into the sessions' refs and the notes of their commits.

    It happens by itself when a session starts or ends; nothing is lost when it is never called.
    """
    from git_agent_session import journal, term

    before = journal.waiting(env.store.shared)
    errors = env.store.drain_all()
    drained = sorted(i for i in before if i not in journal.waiting(env.store.shared))
    if as_json:
        env.json({"drained": drained, "errors": [e.to_dict() for e in errors]})
    else:
        for error in errors:
            env.say(f"error: {error.line()}")
        if drained or not errors:
            env.write(f"Wrote {term.count(len(drained), 'session')}" if drained else "Nothing was waiting")
    if errors:
        raise click.exceptions.Exit(1)
