"""`sync`: fetch, join and push until both sides have the same; and what `push` and `fetch` share with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, complete_id, json_option, pass_env
from git_agent_session.cli.shown import shown, told

if TYPE_CHECKING:
    from git_agent_session.sync import Report, Selection

F = TypeVar("F", bound=Callable[..., Any])


def remote_argument(command: F) -> F:
    """`[REMOTE]`."""
    return click.argument("remote", metavar="[REMOTE]", required=False, default="", type=TEXT)(command)


def talking_options(command: F) -> F:
    """`--dry-run`, `--timeout`, `--json`."""
    command = click.option(
        "--timeout", metavar="SECONDS", type=click.FloatRange(min=1), help="Give up after so many seconds."
    )(command)
    command = click.option("-n", "--dry-run", is_flag=True, help="Ask the remote, and change nothing.")(command)
    return json_option(command)


def selecting_options(command: F) -> F:
    """Which sessions are sent."""
    for option in (
        click.option("--status", metavar="STATUS", multiple=True, type=TEXT, help="Send only these statuses."),
        click.option("--mine", is_flag=True, help="Send only the sessions of the user of this repository."),
        click.option("--since", metavar="DATE", type=TEXT, help="Send only those with an event since DATE."),
        click.option(
            "--session",
            "sessions",
            metavar="ID",
            multiple=True,
            type=TEXT,
            shell_complete=complete_id,
            help="Send only this session; repeat it for more.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@remote_argument
@selecting_options
@talking_options
@pass_env
def command(
    env: Env,
    remote: str,
    sessions: tuple[str, ...],
    since: str | None,
    mine: bool,
    status: tuple[str, ...],
    dry_run: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Fetch sessions, join them with those here, and push.

    It is repeated where somebody else was first, for a minute at most. What was recorded on both sides is joined:
    nothing is forced, nothing is lost.

    REMOTE is a name or an address; default: agentSession.remote, else the branch's remote.
    """
    from git_agent_session import sync

    select = selection(env, sessions, since, mine, status)
    with told(env, as_json) as progress:
        report = sync.sync(
            env.store, remote, select=select, dry_run=dry_run, deadline=deadline(timeout), progress=progress
        )
    show(env, report, as_json)


def selection(env: Env, sessions: tuple[str, ...], since: str | None, mine: bool, status: tuple[str, ...]) -> Selection:
    """The options as the API takes them. Raises UsageError, SessionNotFound."""
    from git_agent_session.cli.dates import moment
    from git_agent_session.cli.list import statuses
    from git_agent_session.sync import Selection

    ids = [env.target(s) for s in sessions]
    known = env.store.ids() if ids else ()
    for session_id in ids:
        if session_id not in known:
            refuse(f"there is no session {session_id} here", "see `git agent-session list`")
    mail = env.store.repo.identity[1] if mine else ""
    return Selection(ids, moment(env, "--since", since), f"<{mail}>" if mail else "", statuses(status))


def deadline(seconds: float | None) -> float | None:
    """A time budget as a moment of the monotonic clock."""
    return None if seconds is None else time.monotonic() + seconds


def show(env: Env, report: Report, as_json: bool) -> None:
    """Print what became of each ref; exit 1 where something is not through."""
    if status := shown(env, report, as_json):
        raise click.exceptions.Exit(status)
