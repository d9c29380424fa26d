"""`push`: send sessions and notes to a remote; with `--auto`, what the pre-push hook starts."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, pass_env
from git_agent_session.cli.shown import told
from git_agent_session.cli.sync import (
    deadline,
    remote_argument,
    selecting_options,
    selection,
    show,
    talking_options,
)

# seconds that a person has to answer the hook's question
_ANSWER_SECONDS = 30.0


@click.command()
@remote_argument
@selecting_options
@talking_options
@click.option("--auto", metavar="REMOTE", type=TEXT, hidden=True, help="What the pre-push hook asks for.")
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
    auto: str | None,
    as_json: bool,
) -> None:
    """Send sessions and notes to a remote.

    It only goes forward: where the remote has what is not here, that ref is refused, and `sync` joins both.

    REMOTE is a name or an address; default: agentSession.remote, else the branch's remote. Notes go along as a whole;
    they hold the ids of sessions and the names of agents.
    """
    if auto is not None:
        _auto(env, auto)
        return
    from git_agent_session import sync

    select = selection(env, sessions, since, mine, status)
    with told(env, as_json) as progress:
        report = sync.push(
            env.store, remote, select=select, dry_run=dry_run, deadline=deadline(timeout), progress=progress
        )
    if not report.results and not report.errors and not select.everything:
        refuse("no session fits", "see `git agent-session list`")
    show(env, report, as_json)


def _auto(env: Env, remote: str) -> None:
    """Beside a user's own push: one line at most, and never a failure."""
    from git_agent_session.sync import auto

    lines = env.read_text().splitlines()
    said = auto.quietly(lambda: auto.share(env.store, remote, lines, lambda question: _asked(env, question)))
    if said:
        env.say(f"git agent-session: {said}")


def _asked(env: Env, question: str) -> bool | None:
    """A person's answer, by the terminal itself: standard input belongs to git. None where there is nobody."""
    import select

    if not env.err.isatty():
        return None
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            env.err.write(question)
            env.err.flush()
            if not select.select([terminal], [], [], _ANSWER_SECONDS)[0]:
                env.err.write("\n")
                return None
            return terminal.readline().strip().lower() in (b"y", b"yes")
    except OSError:
        return None
