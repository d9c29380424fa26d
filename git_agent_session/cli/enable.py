"""`enable`: have an agent's own hooks record its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, pass_env
from git_agent_session.errors import NotARepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from git_agent_session.agents.settings import Report
    from git_agent_session.git.discover import Location


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from git_agent_session.agents.registry import names

    return [name for name in names() if name.startswith(incomplete)]


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--local` and `--user`: whose settings are changed."""
    command = click.option("--user", is_flag=True, help="In your own settings, for every repository.")(command)
    return click.option("--local", is_flag=True, help="In this repository's settings that are not shared.")(command)


def agents_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The names of agents."""
    return click.argument("names", metavar="[NAME]...", nargs=-1, type=TEXT, shell_complete=_complete)(command)


@click.command()
@agents_argument
@scope_options
@json_option
@pass_env
def command(env: Env, names: tuple[str, ...], local: bool, user: bool, as_json: bool) -> None:
    """Let an agent record its sessions by itself.

    NAME is an agent such as claude-code; its own hooks do the recording.

    By default this goes into the settings that the project shares. Nothing else in them is touched. Without a NAME it
    lists the agents there are, and where they are enabled.
    """
    from git_agent_session.agents import registry

    where = scope(local, user) or "project"
    if names:
        report(env, "enable", names, where, as_json)
        if location(env) is not None:
            env.remark_hooks()
        return
    from git_agent_session import term
    from git_agent_session.agents.settings import enabled

    found = [(name, enabled(name, location(env))) for name in registry.names()]
    if as_json:
        env.json([{"agent": name, "scopes": list(scopes)} for name, scopes in found])
        return
    rows = [(name, f"enabled ({', '.join(scopes)})" if scopes else "not enabled") for name, scopes in found]
    env.lines(term.columns(rows, total=0, flexible=1))


def scope(local: bool, user: bool) -> str | None:
    """The scope that the options name, None for none; raises UsageError for both at once."""
    if local and user:
        refuse("--local and --user exclude each other", "give one of them")
    return "user" if user else "local" if local else None


def location(env: Env) -> Location | None:
    """This repository, None outside of one: the user's settings need none. Raises UnsupportedRepository."""
    try:
        return env.store.repo.location
    except NotARepository:
        return None


def report(env: Env, action: str, names: Iterable[str], where: str | None, as_json: bool) -> None:
    """Enable or disable the agents, one after the other, and print what was done; exit 1 when a file had to be left."""
    from git_agent_session.agents import registry

    act = getattr(registry, action)
    known = registry.names()
    for name in names:
        if name not in known:
            refuse(f"no agent is named {name!r}", f"there are {', '.join(known)}")
    reports = [act(name, location(env), where) for name in dict.fromkeys(names)]
    if as_json:
        env.json([r.to_dict() for r in reports])
    else:
        _print(env, reports)
    if any(done.errors for done in reports):
        raise click.exceptions.Exit(1)


def _print(env: Env, reports: Iterable[Report]) -> None:
    from git_agent_session import term

    for done in reports:
        # of all scopes only those where something was done, unless there was none
        silent = done.changed and len(done.changes) > 1
        for change, line in zip(done.changes, done.lines(), strict=True):
            if not silent or change.action != "unchanged":
                env.write(term.clean(line))
        for error in done.errors:
            env.say(f"error: {error.line()}")
