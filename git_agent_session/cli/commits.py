"""`commits`: the commits linked to a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import format_option, id_argument, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.model import Link
    from git_agent_session.report.rows import CommitRow


@click.command()
@id_argument
@session_option
@format_option
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, form: str | None, as_json: bool) -> None:
    """List the commits linked to a session.

    The oldest link comes first; `via` says how it is known."""
    session_id = env.reading(id, session)
    found = rows(env, session_id, env.store.commits(session_id))
    if form is not None:
        from git_agent_session.cli.list import formatted

        current = env.store.get(session_id)
        formatted(env, form, ((current, row) for row in found), as_json)
    elif as_json:
        env.json([row.to_dict() for row in found])
    elif found:
        from git_agent_session.report.commits import commits

        env.lines(commits(env.view(paged=True), found), paged=True)
    else:
        env.say(f"no commit is linked to session {session_id[:8]}")


def rows(env: Env, session_id: str, links: Iterable[Link], *, paths: bool = False) -> list[CommitRow]:
    """Links with what the repository knows of their commits; with `paths` also where the link does not say them yet."""
    from git_agent_session.report.rows import commit_row

    links = (_with_paths(env, link) for link in links) if paths else links
    return [commit_row(session_id, link, env.facts) for link in links]


def _with_paths(env: Env, link: Link) -> Link:
    """A link that waits in the journal, as its batch will hold it; the paths are found out when that is written."""
    from dataclasses import replace

    if link.paths or not env.facts(link.commit):
        return link
    paths, patch_id = env.store.repo.changed_paths(link.commit)
    return replace(link, paths=tuple(paths), patch_id=link.patch_id or patch_id)


def subjects(env: Env) -> Callable[[str], str]:
    """A function that gives the subject of a commit, empty when it is not in this repository."""

    return lambda commit: str(env.facts(commit).get("subject", ""))
