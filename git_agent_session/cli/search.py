"""`search`: full text over all sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import FILE, TEXT, json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.index.search import Hit


# a word that may not be there begins with a dash
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="[WORDS…]", nargs=-1, type=TEXT)
@click.option("--agent", metavar="NAME", type=TEXT, help="Only sessions of this agent.")
@click.option("--file", metavar="PATH", type=FILE, help="Only sessions that touched this file, folder or pattern.")
@click.option("--since", metavar="DATE", type=TEXT, help="Only what happened after DATE.")
@click.option("--until", metavar="DATE", type=TEXT, help="Only what happened before DATE.")
@click.option("--tag", metavar="TAG", type=TEXT, help="Only sessions with this tag.")
@click.option("--commit", metavar="COMMIT", type=TEXT, help="Only sessions that made this commit.")
@click.option("--branch", metavar="BRANCH", type=TEXT, help="Only sessions with a commit on it, or in a range: A..B.")
@click.option("--user", metavar="WHO", type=TEXT, help="Only sessions whose user's name or mail has WHO in it.")
@click.option("--status", metavar="STATUS", type=TEXT, help="Only sessions of these statuses, with commas between.")
@click.option("--project", metavar="NAME", type=TEXT, help="Only sessions of this project.")
@click.option("--session", metavar="ID", type=TEXT, help="Only this session.")
@click.option("--kind", metavar="KIND", type=TEXT, help="Only these kinds of events: message, tool, decision …")
@click.option("--files", metavar="PATH", type=FILE, help="List the sessions that touched a file, folder or pattern.")
@click.option("--follow", is_flag=True, help="With --files: under the names too that the file had before.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1, max=1000), default=20, help="At most N; default: 20.")
@json_option
@pass_env
def command(
    env: Env,
    /,
    words: tuple[str, ...],
    files: str | None,
    follow: bool,
    limit: int,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Search goals, prompts, answers, tool calls, decisions and files.

    WORDS must all be there; "a phrase" is one in quotes, begin* any word that begins so, -word may not be there. The
    filters can stand among the words too, as agent:codex, file:src/, since:yesterday, tag:api; without a word they find
    what was said last. Words that begin with a dash are safest after --."""
    given = {name: value for name, value in filters.items() if value is not None}
    for name, value in given.items():
        if not value.strip():
            refuse(f"--{name} is empty", "leave it out for any")
    if files is not None:
        if words or given:
            refuse("--files takes no words and no filters", "`search WORDS --file PATH` asks for both")
        _touching(env, files, follow, limit, as_json)
        return
    if follow:
        refuse("--follow is for --files", "give --files PATH")
    from git_agent_session.answers import search
    from git_agent_session.cli.dates import moment
    from git_agent_session.cli.index import progress

    found = search.search(
        env.store,
        " ".join(words),
        filters=given,
        limit=limit,
        moment=lambda name, text: moment(env, f"--{name}", text),
        progress=progress(env, "sessions"),
    )
    if as_json:
        env.json([hit.to_dict() for hit in found])
    elif found:
        _show(env, found)
    else:
        env.say(search.nothing(" ".join(words)))


def _show(env: Env, found: list[Hit]) -> None:
    from git_agent_session import index
    from git_agent_session.report import found as report

    wanted = {hit.session for hit in found}
    known = index.open(env.store)
    sessions = {s.id: s for s in known.those(wanted)}
    env.lines(report.hits(env.view(paged=True, shorts=known.near(sorted(wanted))), found, sessions), paged=True)


def _touching(env: Env, path: str, follow: bool, limit: int, as_json: bool) -> None:
    from git_agent_session.answers import search
    from git_agent_session.cli.index import progress
    from git_agent_session.report import sessions as report

    found = search.touching(env.store, path, follow=follow, limit=limit, progress=progress(env, "sessions"))
    if as_json:
        env.json([session.to_dict() for session in found])
    elif found:
        view = env.view(paged=True, shorts=env.store.ids())
        env.lines(report.table(view, found, None), paged=True)
    else:
        env.say("no session had to do with it; paths are those from the top of the worktree")
