"""`set`: change what a session says of itself."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, id_argument, json_option, meta_of, meta_option, pass_env, session_option


@click.command()
@id_argument
@click.option("--goal", metavar="TEXT", type=TEXT, help="What the session is to achieve.")
@click.option("--title", metavar="TEXT", type=TEXT, help="A short name.")
@click.option("--type", metavar="TYPE", type=TEXT, help="The kind of session, such as full or quick.")
@click.option("--project", metavar="NAME", type=TEXT, help="The project.")
@meta_option
@session_option
@json_option
@pass_env
def command(
    env: Env,
    id: str | None,
    goal: str | None,
    title: str | None,
    type: str | None,
    project: str | None,
    meta: tuple[tuple[str, str], ...],
    session: str | None,
    as_json: bool,
) -> None:
    """Change a session's goal, title, type or metadata."""
    given = {"goal": goal, "title": title, "type": type, "project": project, "meta": meta_of(meta) or None}
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        refuse("nothing to change is given", "use --goal, --title, --type, --project or --meta")
    session_id = env.target(id, session)
    env.store.set(session_id, **changes)
    changed = env.store.get(session_id)
    if as_json:
        env.json(changed.to_dict())
    else:
        env.write(f"Changed {', '.join(changes)} of session {env.describe(changed)}")
