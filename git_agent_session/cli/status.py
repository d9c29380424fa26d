"""`status`: where the current session stands, in the voice of `git status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import id_argument, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.model import Session
    from git_agent_session.report.unlinked import Unlinked

# commits; `doctor` looks further
LOOK_BACK = 20


@click.command()
@id_argument
@session_option
@click.option("-v", "--verbose", is_flag=True, help="Add the commits, the tools and the files.")
@json_option
@pass_env
def command(env: Env, id: str | None, session: str | None, verbose: bool, as_json: bool) -> None:
    """Show where a session stands.

    That is its goal, since when it is open, what was recorded, and what can be done next.

    Without a current session it shows the last one of this worktree.
    """
    from git_agent_session.store import left_open

    named = id is not None or session is not None
    current = env.store.current_id()
    state = env.read(id, session, said=as_json)
    session_id = state.id
    why = left_open.why(env.store.shared, state)
    if as_json:
        shown = _details(env, session_id) if verbose else state.to_dict()
        env.json({**shown, "left_open": why} if why else shown)
        return
    from git_agent_session.report import status

    view = env.view()
    # an agent's session may well be open and not be the current one
    last = f"No current session here; the last one {'was' if state.ended else 'is'}"
    opening = "On session" if session_id == current else "Session" if named else last
    if verbose:
        from git_agent_session.cli.commits import rows

        summary = env.store.summary(session_id)
        state = summary.session
    lines = status.status(view, state, opening) + status.crashed(view, why)
    if verbose:
        lines += status.verbose(view, summary, rows(env, session_id, summary.commits, paths=True))
    env.lines([*lines, *status.gap(view, _unlinked(env)), *status.hints(_hints(state, current, why))])
    if not state.ended:
        env.remark_hooks()


def _unlinked(env: Env) -> list[Unlinked]:
    """The user's own latest commits, since the hooks are here, that look like an agent's and have no session."""
    from git_agent_session.report.unlinked import in_use_since, unlinked

    since = in_use_since(env.store.shared)
    if since == float("inf"):
        return []
    return list(unlinked(env.store, limit=LOOK_BACK, since=since, own=True, branch=True))


def _details(env: Env, session_id: str) -> dict[str, object]:
    from git_agent_session.cli.commits import rows

    summary = env.store.summary(session_id)
    return {
        **summary.session.to_dict(),
        "duration_ms": summary.duration_ms,
        "tools": dict(summary.tools),
        "commits": [row.to_dict() for row in rows(env, session_id, summary.commits, paths=True)],
    }


def _hints(session: Session, current: str | None, why: str) -> list[str]:
    """What can be done next with this session, as git hints at it."""
    name = "" if session.id == current else f" {session.id[:8]}"
    if session.ended:
        return [f'use "git agent-session resume{name}" to go on with it, "start" to open another']
    if session.status == "paused":
        return [f'use "git agent-session resume{name}" to go on with it']
    if why:
        return [f'use "git agent-session resume{name}" to go on with it, "cleanup" to close it as abandoned']
    if name:
        return [f'use "git agent-session switch{name}" to make it the current one']
    return ['use "git agent-session log TYPE TEXT" to record something', 'use "git agent-session end" to end it']
