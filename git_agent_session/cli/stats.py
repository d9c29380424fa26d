"""`stats`: what the sessions came to, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, pass_env

if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_agent_session.store.reader import Reader

_BY = ("session", "agent", "model", "person", "tag", "week", "repository")
_CHARTS = ("sessions", "commits", "tokens", "cost", "time", "errors", "lines")


@click.command()
@click.option("--by", type=click.Choice(_BY), help="A row for each of these.")
@click.option("--since", metavar="DATE", type=TEXT, help="Only sessions started after DATE, as in `git log --since`.")
@click.option("--until", metavar="DATE", type=TEXT, help="Only sessions started before DATE.")
@click.option("--alive", is_flag=True, help="Count the lines that they added, and those that are still there at HEAD.")
@click.option("--storage", is_flag=True, help="Say how many bytes the sessions take.")
@click.option(
    "--all-repos", is_flag=True, help="All repositories where this was installed or started, and those you name."
)
@click.option(
    "--chart", type=click.Choice(_CHARTS), help="What the bars show; default: sessions, of sessions the cost."
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), default=20, help="At most N rows; default: 20.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, all rows.")
@json_option
@pass_env
def command(
    env: Env,
    by: str | None,
    since: str | None,
    until: str | None,
    alive: bool,
    storage: bool,
    all_repos: bool,
    chart: str | None,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show what the sessions came to.

    Sessions, commits, tokens and cost, how long they took, how many succeeded, were resumed or had errors, and the
    tools. --all-repos looks at the repositories where `install`, `enable` or a session put themselves on a list of this
    user, and where agentSession.repository, maintenance.repo and scalar.repo of the user's git configuration point."""
    if as_csv and as_json:
        refuse("--csv and --json are two formats", "give one of them")
    if chart == "lines" and not alive:
        refuse("the lines are not counted", "give --alive too")
    from git_agent_session.answers import stats
    from git_agent_session.answers.alive import storage as taken
    from git_agent_session.cli.dates import moment
    from git_agent_session.cli.index import progress
    from git_agent_session.report import stats as report

    stores = _stores(env, all_repos)
    by = by or ("repository" if all_repos else "")
    found = stats.of_many(
        stores,
        by=by,
        since=moment(env, "--since", since),
        until=moment(env, "--until", until),
        alive=alive,
        progress=progress(env, "sessions"),
        blaming=progress(env, "files"),
    )
    kept = [taken(store) for store in stores] if storage else []
    sizes = {key: sum(k.get(key, 0) for k in kept) for key in ("objects", "files")} if kept else {}
    if as_json:
        env.json(found.to_dict() | ({"storage": sizes} if sizes else {}))
    elif as_csv:
        env.out.write(report.comma_separated(found))
    elif not found.total.sessions:
        env.say("no sessions here yet" if not (since or until) else "no session fits")
    else:
        view = env.view(paged=True)
        env.lines(
            report.text(view, found, chart=chart or ("cost" if by == "session" else "sessions"), limit=limit),
            paged=True,
        )
        if sizes:
            env.write(report.storage(view, sizes, found.total.sessions))


def _stores(env: Env, all_repos: bool) -> Sequence[Reader]:
    if not all_repos:
        return [env.store]
    from git_agent_session.answers import repositories
    from git_agent_session.errors import NotARepository
    from git_agent_session.index.excerpts import SqliteExcerpts
    from git_agent_session.store.reader import Reader

    try:
        here = env.store.repo
    except NotARepository:
        here = None
    known = repositories.known(here, env.environ)
    if here is None and known.repositories:
        # for colour, pager and dates: the configuration of any
        first = known.repositories[0].location
        env.start = first.worktree or first.git_dir
    for line in known.broken:
        env.warn(line)
    if known.gone:
        env.warn(f"left out, not there any more: {', '.join(known.gone)}")
    if not known.repositories:
        refuse(
            "no repository with sessions is known",
            "name yours: git config --global --add agentSession.repository PATH",
        )
    return [Reader(repo, env.environ, SqliteExcerpts(repo.location.shared)) for repo in known.repositories]
