"""`fork`: a new session that goes on from a point of another one."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option


@click.command()
@id_argument
@session_option
@click.option(
    "--at", metavar="EVENT|COMMIT", type=TEXT, default="", help="The point: an event, a commit of the session, a time."
)
@click.option("--goal", metavar="TEXT", type=TEXT, help="What the fork is to achieve; default: the session's goal.")
@click.option(
    "--worktree", metavar="DIR", type=click.Path(), default="", help="Make a worktree there of the commit in force."
)
@click.option("--branch", metavar="NAME", type=TEXT, default="", help="Make a branch there, for the worktree if any.")
@click.option("-q", "--quiet", is_flag=True, help="Print the new session's id and nothing else.")
@json_option
@pass_env
def command(
    env: Env,
    id: str | None,
    session: str | None,
    at: str,
    goal: str | None,
    worktree: str,
    branch: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Open a session that goes on from a point of another one.

    An experiment, say. It inherits what the session is about as it was at that point, and remembers where it comes
    from; no event is copied. Without --at the point is now. It becomes the current session, of the new worktree where
    there is one.
    """
    import os

    from git_agent_session.work import fork

    if worktree and env.start:
        worktree = os.path.join(env.start, worktree)
    made = fork.fork(env.store, env.reading(id, session), at=at, goal=goal, worktree=worktree, branch=branch)
    if quiet:
        env.write(made.session.id)
        return
    if as_json:
        env.json(made.to_dict())
        return
    origin = fork.origin_of(made.session)
    view = env.view()
    env.write(f"Forked session {view.id(origin['session'])} at event {origin['event'][:10]}")
    env.write(f"  session:  {view.palette.paint('id', made.session.id)}")
    if made.commit:
        env.write(f"  commit:   {view.commit(made.commit)}")
    if made.branch:
        env.write(f"  branch:   {made.branch}")
    if made.worktree:
        env.write(f"  worktree: {made.worktree}")
    env.write("")
    env.write(f"export GIT_AGENT_SESSION={made.session.id}")
