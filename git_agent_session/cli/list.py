"""`list`: the sessions of this repository, filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.dates import moment
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, format_option, json_option, pass_env

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_agent_session.model import Session
    from git_agent_session.report.rows import CommitRow


@click.command()
@click.option("--project", metavar="NAME", type=TEXT, default="", help="Only sessions of this project.")
@click.option(
    "--status", metavar="STATUS", multiple=True, type=TEXT, help="Only these statuses; repeat it, or use commas."
)
@click.option("--agent-type", metavar="NAME", type=TEXT, default="", help="Only sessions of this agent.")
@click.option(
    "--user", metavar="WHO", type=TEXT, default="", help="Only sessions whose user's name or mail has WHO in it."
)
@click.option(
    "--tag", "tags", metavar="TAG", multiple=True, type=TEXT, help="Only sessions with this tag; repeat for more."
)
@click.option("--since", metavar="DATE", type=TEXT, help="Only those started after DATE, as in `git log --since`.")
@click.option("--until", metavar="DATE", type=TEXT, help="Only those started before DATE, as in `git log --until`.")
@click.option("-n", "--limit", metavar="N", type=click.IntRange(min=0), help="At most N sessions.")
@format_option
@json_option
@pass_env
def command(
    env: Env,
    project: str,
    status: tuple[str, ...],
    agent_type: str,
    user: str,
    tags: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int | None,
    form: str | None,
    as_json: bool,
) -> None:
    """List sessions, the youngest first.

    `*` marks the current one.

    All filters must fit. A session that cannot be read is named on standard error and left out.
    """
    from git_agent_session.index import listing
    from git_agent_session.store.reader import Filter

    where = Filter(
        project=project,
        status=statuses(status),
        agent_type=agent_type,
        user=user,
        tags=tags,
        since=moment(env, "--since", since),
        until=moment(env, "--until", until),
    )
    with env.busy("Reading sessions"):
        listed = listing.sessions(env.store, where, limit=limit)
    found = listed.sessions
    env.report_broken()
    if form is not None:
        formatted(env, form, ((session, None) for session in found), as_json, listed.ids)
    elif as_json:
        env.json([session.to_dict() for session in found])
    elif found:
        from git_agent_session.report import sessions

        view = env.view(paged=True, shorts=listed.ids)
        env.lines(sessions.table(view, found, _current(env)), paged=True)
    elif where == Filter() and limit != 0:
        env.say("no sessions here yet; `git agent-session start` opens the first")
    else:
        env.say("no session fits; `git agent-session list` shows all")


def formatted(
    env: Env,
    form: str,
    rows: Iterable[tuple[Session, CommitRow | None]],
    as_json: bool,
    ids: Iterable[str] | None = None,
) -> None:
    """Print each session, with the commit where it is of one, in a format of the user's; `ids`: those to tell apart."""
    from git_agent_session.report.placeholders import Format, Row

    if as_json:
        refuse("--format and --json are two forms", "give one of them")
    view, taken = env.view(paged=True, shorts=env.store.ids() if ids is None else ids), Format(form)
    env.lines((taken.render(Row(session, commit), view) for session, commit in rows), paged=True)


def statuses(given: Iterable[str]) -> tuple[str, ...]:
    from git_agent_session.model import STATUSES

    wanted = tuple(word.strip() for words in given for word in words.split(",") if word.strip())
    for word in wanted:
        if word not in STATUSES:
            refuse(f"{word!r} is no status", f"use {', '.join(STATUSES)}")
    return wanted


def _current(env: Env) -> str | None:
    """The current session, to be marked; a variable that names none is no reason to list nothing."""
    from git_agent_session.errors import AgentSessionError

    try:
        return env.store.current_id()
    except AgentSessionError as e:
        env.warn(e.line())
        return None
