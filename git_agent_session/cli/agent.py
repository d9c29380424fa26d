"""`agent`: the agents that work inside a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.work import Subagent

_AGENT = click.argument("agent", metavar="AGENT", type=TEXT)


def _text(name: str, metavar: str, said: str) -> Callable[[Any], Any]:
    return click.option(name, metavar=metavar, type=TEXT, default="", help=said)


_CHECKPOINT = _text("--checkpoint", "TEXT", "How far it has come.")
_TOKENS = click.option("--tokens", metavar="N", type=int, help="All tokens that it has used.")
_COST = click.option("--cost", metavar="USD", type=float, help="All that it has cost; added to the session's cost.")


@click.group(no_args_is_help=False)
def command() -> None:
    """Record the agents that work inside a session.

    For agents that you start yourself: hooks tell of those that they see. Several may work at once.

    AGENT is an agent's id, the start of it, or its alias."""


@command.command()
@click.argument("type", metavar="TYPE", type=TEXT)
@_text("--id", "ID", "An id of your own, or that of one that goes on; default: random.")
@_text("--model", "NAME", "The model that it uses.")
@_text("--alias", "NAME", "A short name for it, or for its model.")
@_text("--native-id", "ID", "The id of its own session, by which it can be resumed.")
@_text("--task", "TASK", "The task that it works on.")
@_CHECKPOINT
@click.option("--pending", is_flag=True, help="It waits and does not work yet.")
@session_option
@json_option
@pass_env
def start(env: Env, /, type: str, pending: bool, session: str | None, as_json: bool, **given: str) -> None:
    """Say that an agent begins; prints its id.

    TYPE is what it is for, such as spec, build or research."""
    from git_agent_session.work import subagents

    status = "pending" if pending else "executing"
    agent = subagents.start(env.store, env.target(session), type, status=status, **given)
    if as_json:
        env.json(agent.to_dict())
    else:
        env.write(agent.id)


@command.command()
@_AGENT
@_text("--model", "NAME", "The model that it uses.")
@_text("--alias", "NAME", "A short name for it.")
@_text("--native-id", "ID", "The id of its own session, by which it can be resumed.")
@_text("--task", "TASK", "The task that it works on.")
@_CHECKPOINT
@_text("--status", "STATUS", "pending or executing.")
@_TOKENS
@_COST
@session_option
@json_option
@pass_env
def update(
    env: Env,
    /,
    agent: str,
    tokens: int | None,
    cost: float | None,
    session: str | None,
    as_json: bool,
    **given: str,
) -> None:
    """Say how far an agent has come."""
    from git_agent_session.work import subagents

    _said(env, subagents.update(env.store, env.target(session), agent, tokens=tokens, cost_usd=cost, **given), as_json)


@command.command()
@_AGENT
@click.option("--failed", is_flag=True, help="It has failed.")
@_text("--error", "TEXT", "What went wrong.")
@_text("--summary", "TEXT", "What it did.")
@_CHECKPOINT
@_TOKENS
@_COST
@session_option
@json_option
@pass_env
def stop(
    env: Env,
    /,
    agent: str,
    failed: bool,
    tokens: int | None,
    cost: float | None,
    session: str | None,
    as_json: bool,
    **given: str,
) -> None:
    """Say that an agent has stopped."""
    from git_agent_session.work import subagents

    status = "failed" if failed or given["error"] else "complete"
    session_id = env.target(session)
    found = subagents.stop(env.store, session_id, agent, status=status, tokens=tokens, cost_usd=cost, **given)
    _said(env, found, as_json)


@command.command("list")
@_text("--status", "STATUS", "Only those that are pending, executing, complete or failed.")
@session_option
@json_option
@pass_env
def list_(env: Env, status: str, session: str | None, as_json: bool) -> None:
    """List the agents of a session, the oldest first."""
    from git_agent_session.report import work as report
    from git_agent_session.work import subagents

    found = subagents.list(env.store, env.reading(session, said=as_json), status=status)
    if as_json:
        env.json([a.to_dict() for a in found])
    else:
        env.lines(report.agents(env.view(paged=True), found), paged=True)


def _said(env: Env, agent: Subagent, as_json: bool) -> None:
    from git_agent_session import term

    if as_json:
        env.json(agent.to_dict())
    else:
        env.write(f"Agent {term.clean(agent.id)} is {agent.status}")
