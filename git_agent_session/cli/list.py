"""`list`: the sessions of this repository, filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.dates import moment
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, pass_env

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    as_json: bool,
) -> None:
    """List sessions, the youngest first.

    `*` marks the current one.

    All filters must fit. A session that cannot be read is named on standard error and left out.
    """
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
    found = env.store.list(where, limit=limit)
    env.report_broken()
    if as_json:
        env.json([session.to_dict() for session in found])
    elif found:
        from git_agent_session.report import sessions

        view = env.view(paged=True, shorts=env.store.ids())
        env.lines(sessions.table(view, found, _current(env)), paged=True)
    elif where == Filter() and limit != 0:
        env.say("no sessions here yet; `git agent-session start` opens the first")
    else:
        env.say("no session fits; `git agent-session list` shows all")


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
