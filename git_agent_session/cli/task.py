"""`task`: the tasks of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env
from git_agent_session.cli.params import TEXT, json_option, pass_env, session_option

if TYPE_CHECKING:
    from git_agent_session.work import Task

_OUTCOME = click.option("--outcome", metavar="TEXT", type=TEXT, default="", help="What came of it.")
_TASK = click.argument("task", metavar="TASK", type=TEXT)


@click.group(no_args_is_help=False)
def command() -> None:
    """Keep the tasks of a session, with times and outcomes.

    TASK is a task's id or the start of it."""


@command.command()
@click.argument("title", metavar="TITLE", type=TEXT)
@click.option("--id", metavar="ID", type=TEXT, default="", help="A name of your own, such as T001; default: random.")
@click.option("--agent", metavar="NAME", type=TEXT, default="", help="Who is to do it.")
@click.option("--start", "begin", is_flag=True, help="Start it too.")
@session_option
@json_option
@pass_env
def add(env: Env, title: str, id: str, agent: str, begin: bool, session: str | None, as_json: bool) -> None:
    """Add a task; prints its id."""
    from git_agent_session.work import tasks

    session_id = env.target(session)
    task = tasks.add(env.store, session_id, title, id=id, agent=agent)
    if begin:
        task = tasks.start(env.store, session_id, task.id)
    if as_json:
        env.json(task.to_dict())
    else:
        env.write(task.id)


@command.command()
@_TASK
@click.option("--agent", metavar="NAME", type=TEXT, default="", help="Who does it.")
@session_option
@json_option
@pass_env
def start(env: Env, task: str, agent: str, session: str | None, as_json: bool) -> None:
    """Start a task, also one that was over."""
    from git_agent_session.work import tasks

    _moved(env, tasks.start(env.store, env.target(session), task, agent=agent), as_json)


@command.command()
@_TASK
@_OUTCOME
@session_option
@json_option
@pass_env
def done(env: Env, task: str, outcome: str, session: str | None, as_json: bool) -> None:
    """Say that a task is done."""
    from git_agent_session.work import tasks

    _moved(env, tasks.done(env.store, env.target(session), task, outcome=outcome), as_json)


@command.command()
@_TASK
@_OUTCOME
@session_option
@json_option
@pass_env
def fail(env: Env, task: str, outcome: str, session: str | None, as_json: bool) -> None:
    """Say that a task has failed."""
    from git_agent_session.work import tasks

    _moved(env, tasks.fail(env.store, env.target(session), task, outcome=outcome), as_json)


@command.command("list")
@click.option("--status", metavar="STATUS", multiple=True, type=TEXT, help="Only those that are so; may be repeated.")
@click.option("--stats", is_flag=True, help="Print totals, the rate of success and the average time instead.")
@session_option
@json_option
@pass_env
def list_(env: Env, status: tuple[str, ...], stats: bool, session: str | None, as_json: bool) -> None:
    """List the tasks of a session, the oldest first."""
    from git_agent_session.report import work as report
    from git_agent_session.work import tasks

    session_id = env.reading(session, said=as_json)
    if stats:
        numbers = tasks.stats(env.store.get(session_id))
        return env.json(numbers.to_dict()) if as_json else env.write(report.totals(numbers))
    found = tasks.list(env.store, session_id, status=status)
    if as_json:
        env.json([t.to_dict() for t in found])
    else:
        env.lines(report.tasks(env.view(paged=True), found), paged=True)
    return None


def _moved(env: Env, task: Task, as_json: bool) -> None:
    from git_agent_session.report import work as report

    if as_json:
        env.json(task.to_dict())
    else:
        env.write(f"Task {report.task(env.view(), task)}")
