"""`unlink`: take back links."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env, session_option


@click.command()
@click.argument("commits", metavar="COMMIT...", nargs=-1, required=True)
@session_option
@json_option
@pass_env
def command(env: Env, commits: tuple[str, ...], session: str | None, as_json: bool) -> None:
    """Take back the links of commits to a session.

    The commits themselves stay as they are."""
    from git_agent_session import term
    from git_agent_session.cli.commits import rows

    session_id = env.target(session)
    before = {link.commit: link for link in env.store.commits(session_id)}
    gone = env.store.unlink(session_id, commits)
    unlinked = rows(env, session_id, [before[commit] for commit in gone])
    if as_json:
        env.json([row.to_dict() for row in unlinked])
        return
    view = env.view()
    for row in unlinked:
        env.write(
            f"Unlinked {view.commit(row.link.commit)} {term.clean(row.subject)} from session {view.id(session_id)}"
        )
