"""`should-resume`: whether to go on with a session, by five criteria."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option


@click.command()
@id_argument
@session_option
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, as_json: bool) -> int:
    """Decide whether to go on with a session; exit 0 for yes.

    Yes when it exists and is open, is marked ready, stands in a phase that work can be resumed in, had its last event
    less than 30 minutes ago, and fewer than 3 errors. Otherwise it names the first that is not met, and exits 1.
    """
    from git_agent_session.cli.env import refuse
    from git_agent_session.report import work as report
    from git_agent_session.work import should_resume

    if id is not None and session is not None:
        refuse("two sessions are named", "name one")
    named = id if id is not None else session
    decision = should_resume(env.store, "@{-1}" if named == "-" else named)
    if as_json:
        env.json(decision.to_dict())
    else:
        env.lines(report.decision(env.view(), decision))
    return 0 if decision.resume else 1
