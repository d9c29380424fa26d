"""`tag`: add, remove and list the tags of a session."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, pass_env, session_option


@click.command()
@click.argument("tags", metavar="[TAG]...", nargs=-1, type=TEXT)
@click.option("-d", "--delete", is_flag=True, help="Remove the tags instead.")
@session_option
@json_option
@pass_env
def command(env: Env, tags: tuple[str, ...], delete: bool, session: str | None, as_json: bool) -> None:
    """Add, remove or list a session's tags."""
    from git_agent_session import term
    from git_agent_session.cli.env import refuse

    if delete and not tags:
        refuse("which tags to remove is missing", "name them after -d")
    session_id = env.target(session) if tags else env.reading(session)
    if tags:
        if delete:
            missing = sorted(set(tags) - set(env.store.get(session_id).tags))
            if missing:
                refuse(f"session {session_id[:8]} has no tag {missing[0]!r}", "`git agent-session tag` lists its tags")
        env.store.tag(session_id, **{"remove" if delete else "add": tags})
    current = env.store.get(session_id).tags
    if as_json:
        env.json(list(current))
    elif not tags:
        for tag in current:
            env.write(term.clean(tag))
