"""`phase`: show a session's phase, move it on by the rules of its workflow, list the moves and the workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, meta_of, meta_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.model import Session


@click.command()
@click.argument("name", metavar="[NAME]", required=False, type=TEXT)
@click.option("--history", is_flag=True, help="List the moves from phase to phase, each with its time.")
@click.option("--workflow", metavar="NAME", type=TEXT, help="Let the session follow a workflow from now on.")
@click.option("--workflows", is_flag=True, help="List the workflows that can be used here.")
@click.option("--ready/--not-ready", default=None, help="Say whether work may be resumed where the session stands.")
@click.option("--message", metavar="TEXT", type=TEXT, default="", help="What came of it, with a phase that ends it.")
@meta_option
@session_option
@json_option
@pass_env
def command(
    env: Env,
    name: str | None,
    history: bool,
    workflow: str | None,
    workflows: bool,
    ready: bool | None,
    message: str,
    meta: tuple[tuple[str, str], ...],
    session: str | None,
    as_json: bool,
) -> None:
    """Show a session's phase, or move it to another.

    A session with a workflow takes the workflow's phases and keeps to its rules; one without takes any word. A final
    phase ends the session.
    """
    from git_agent_session import work

    if sum((name is not None, history, workflow is not None, workflows)) > 1:
        refuse("phase does one thing at a time", "give one of NAME, --history, --workflow and --workflows")
    if name is None and (message or meta):
        refuse("--message and --meta go with a NAME", "name the phase to move to")
    if workflows:
        return _workflows(env, as_json)
    if history:
        return _history(env, session, as_json)
    if name is None and workflow is None and ready is None:
        state = env.read(session, said=as_json)
        return _show(env, state, as_json)
    session_id = env.target(session)
    if workflow is not None:
        work.follow(env.store, session_id, workflow)
    if name is not None:
        work.move_phase(env.store, session_id, name, message=message, meta=meta_of(meta))
    if ready is not None:
        work.mark_ready(env.store, session_id, ready)
    _show(env, env.store.get(session_id), as_json)


def _show(env: Env, session: Session, as_json: bool) -> None:
    from git_agent_session.report import work as report
    from git_agent_session.work import phases

    options = () if session.ended else phases.options(env.store, session.id)
    if not as_json:
        return env.lines(report.phase(env.view(), session, options))
    texts = {"session": session.id, "status": session.status, "phase": session.phase, "workflow": session.workflow}
    more = {} if options is None else {"next": list(options)}
    env.json({**{k: v for k, v in texts.items() if v}, "ready": session.ready, **more})


def _history(env: Env, session: str | None, as_json: bool) -> None:
    from git_agent_session import work
    from git_agent_session.report import work as report

    moves = work.phase_history(env.store, env.reading(session, said=as_json))
    if as_json:
        env.json([m.to_dict() for m in moves])
    else:
        env.lines(report.transitions(env.view(), moves))


def _workflows(env: Env, as_json: bool) -> None:
    from git_agent_session.errors import AgentSessionError
    from git_agent_session.report import work as report
    from git_agent_session.work import workflows

    rows = []
    for name in workflows.names(env.store.repo):
        try:
            rows.append(workflows.load(env.store.repo, name).to_dict())
        except AgentSessionError as e:
            rows.append({"name": name, "source": "broken", "description": e.message})
    if as_json:
        env.json(rows)
    else:
        env.lines(report.workflows(env.view(), rows))
