"""`link`: link commits to a session by hand."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import json_option, pass_env, session_option


@click.command()
@click.argument("commits", metavar="COMMIT...", nargs=-1, required=True)
@click.option("--primary", is_flag=True, help="Make it the first session of these commits.")
@session_option
@json_option
@pass_env
def command(env: Env, commits: tuple[str, ...], primary: bool, session: str | None, as_json: bool) -> None:
    """Link commits to a session by hand."""
    from git_agent_session import term
    from git_agent_session.cli.commits import rows

    session_id = env.target(session)
    new = env.store.link(session_id, commits, primary=primary)
    known = {link.commit: link for link in env.store.commits(session_id)}
    linked = rows(env, session_id, [known[commit] for commit in new if commit in known])
    if as_json:
        env.json([row.to_dict() for row in linked])
        return
    view = env.view()
    for row in linked:
        env.write(f"Linked {view.commit(row.link.commit)} {term.clean(row.subject)} to session {view.id(session_id)}")
    if not linked:
        env.say(f"already linked to session {session_id[:8]}")
