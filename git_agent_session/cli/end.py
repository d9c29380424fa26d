"""`end`: close a session with a final status."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option
from git_agent_session.model import END_STATUSES


@click.command()
@id_argument
@click.option(
    "--status",
    metavar="STATUS",
    type=TEXT,
    shell_complete=lambda ctx, param, incomplete: [s for s in END_STATUSES if s.startswith(incomplete)],
    default="completed",
    help=f"How it ended: {', '.join(END_STATUSES)}. Default: completed.",
)
@click.option("-m", "--message", metavar="TEXT", type=TEXT, default="", help="A closing word.")
@session_option
@json_option
@pass_env
def command(env: Env, id: str | None, status: str, message: str, session: str | None, as_json: bool) -> None:
    """End a session; commits are no longer linked to it.

    A session with a workflow ends in the phase that stands for this status. `git agent-session resume` opens it again.
    """
    from git_agent_session import term
    from git_agent_session.report import view as words
    from git_agent_session.store.reader import duration_ms
    from git_agent_session.work import phases

    ended = phases.finish(env.store, env.target(id, session), status=status, message=message)
    if as_json:
        env.json(ended.to_dict())
    else:
        env.write(f"Ended session {env.describe(ended)}: {ended.status}, after {term.duration(duration_ms(ended))}")
        for text in (words.counts(ended.counts), words.usage(ended.usage)):
            if text:
                env.write(f"  {text}")
    if env.environ.get("GIT_AGENT_SESSION") == ended.id:
        env.say("GIT_AGENT_SESSION still names it; run `unset GIT_AGENT_SESSION`")
