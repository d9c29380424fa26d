"""`plan`: set and show the plan of a session."""

from __future__ import annotations

import os

import click

from git_agent_session.cli.env import Env, not_utf8, refuse
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option

# bytes of a file
MAX_FILE = 1024 * 1024


@click.group(no_args_is_help=False)
def command() -> None:
    """Set and show the plan of a session."""


@command.command("set")
@click.argument("file", metavar="[FILE|-]", required=False, type=click.Path())
@click.option("--from-agent", is_flag=True, help="Take the last to-do list or plan from the agent's transcript.")
@click.option("--tasks", "as_tasks", is_flag=True, help="With --from-agent: keep its items as tasks too.")
@click.option("--title", metavar="TEXT", type=TEXT, default="", help="What the plan is called.")
@session_option
@json_option
@pass_env
def set_(
    env: Env, file: str | None, from_agent: bool, as_tasks: bool, title: str, session: str | None, as_json: bool
) -> None:
    """Set the plan, from a file, standard input or the agent.

    The last plan counts; earlier ones stay in the history."""
    from git_agent_session.work import plans, tasks

    if (file is None) != from_agent:
        refuse("plan set needs one place to take the plan from", "give FILE, - for standard input, or --from-agent")
    if as_tasks and not from_agent:
        refuse("--tasks needs a list of the agent's", "add --from-agent")
    session_id = env.target(session)
    if file is not None:
        text, source = (env.read_text(), "stdin") if file == "-" else (_read(file), os.path.basename(file))
        plan = plans.set(env.store, session_id, text, title=title, source=source)
    else:
        from git_agent_session.report import todo

        found = todo.last(env.store, session_id)
        plan = plans.set(env.store, session_id, found.plan, title=title, source=found.tool)
        if as_tasks:
            tasks.adopt(env.store, session_id, found.items)
    if as_json:
        env.json(plan.to_dict())
    else:
        env.write(f"Set the plan of session {session_id[:8]}")


@command.command()
@id_argument
@session_option
@json_option
@pass_env
def show(env: Env, id: str | None, session: str | None, as_json: bool) -> None:
    """Show the plan that a session has."""
    from git_agent_session import term
    from git_agent_session.errors import AgentSessionError
    from git_agent_session.work import plans

    session_id = env.reading(id, session, said=as_json)
    plan = plans.get(env.store, session_id)
    if plan is None:
        raise AgentSessionError(
            f"session {session_id[:8]} has no plan", hint="`git agent-session plan set FILE` gives it one"
        )
    if as_json:
        env.json(plan.to_dict())
    else:
        env.lines(term.clean(plan.text, newlines=True).rstrip("\n").split("\n"), paged=True)


def _read(path: str) -> str:
    """The text of a file. Raises StorageError (by OSError) and AgentSessionError when it is too large or no text."""
    with open(path, "rb") as f:
        data = f.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        refuse(f"{path} is larger than {MAX_FILE // 1024 // 1024} MiB", "give the plan alone")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise not_utf8(path, f"byte {e.start + 1} is wrong") from e
