"""`enable`: have an agent's own hooks record its sessions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, json_option, pass_env
from git_agent_session.errors import NotARepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from git_agent_session.agents.settings import Report
    from git_agent_session.agents.settings_place import Place
    from git_agent_session.git.discover import Location
    from git_agent_session.report.view import View


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
@click.option("-y", "--yes", is_flag=True, help="Enable all agents that are found, without a question.")
@click.option("--list", "as_list", is_flag=True, help="List the agents there are, and do nothing.")
@click.option("--trust", is_flag=True, help="Codex runs hooks only once they are trusted: trust them for you.")
@click.option("--mcp", is_flag=True, help="Give the agents that are named the MCP server too.")
@click.option("--write", is_flag=True, help="With --mcp: the server may record notes, tasks, metrics and decisions.")
@json_option
@pass_env
def command(
    env: Env,
    names: tuple[str, ...],
    local: bool,
    user: bool,
    yes: bool,
    as_list: bool,
    trust: bool,
    mcp: bool,
    write: bool,
    as_json: bool,
) -> None:
    """Let coding agents record their sessions by themselves.

    NAME is an agent such as claude-code or codex; its own hooks do the recording. Without a NAME it looks which agents
    are installed or configured here, and asks for each.

    By default this goes into the settings that the project shares; whoever has not installed this notices nothing of
    it. Nothing else in the settings is touched, and `disable` takes it out again.
    """
    where = scope(local, user) or "project"
    check(names)
    if write and not mcp:
        refuse("--write is for the MCP server", "give --mcp too")
    if mcp and not names:
        refuse("--mcp needs the name of an agent", "name those that are to have the server")
    if as_list or (as_json and not names and not yes):
        _list(env, as_json)
        return
    chosen = list(dict.fromkeys(names)) or _choose(env, where, yes)
    if chosen or as_json:
        _enable(env, chosen, where, trust, ("write" if write else "read") if mcp else "", as_json)
    here = location(env)
    if chosen and here is not None:
        from git_agent_session.store import register

        register.note(here.common_dir, env.environ)
        env.remark_hooks()


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


def view(env: Env) -> View:
    """How output looks here, also outside a repository, where git's configuration is not read."""
    if location(env) is not None:
        return env.view()
    from git_agent_session import term
    from git_agent_session.report.view import View

    isatty = env.out.isatty()
    return View(term.Palette({}, isatty=isatty, env=env.environ), term.terminal_width() if isatty else 0)


def check(names: Iterable[str]) -> None:
    """Raise UsageError for a name that is no agent's."""
    from git_agent_session.agents import registry

    known = registry.names()
    for name in names:
        if name not in known:
            refuse(f"no agent is named {name!r}", f"there are {', '.join(known)}")


def printed(env: Env, reports: Sequence[Report], as_json: bool) -> None:
    """Print what was done; exit 1 when a file had to be left."""
    from git_agent_session import term

    if as_json:
        env.json([r.to_dict() for r in reports])
    for done in reports if not as_json else ():
        # of all scopes only those where something was done, unless there was none
        silent = done.changed and len(done.changes) > 1
        for change in done.changes:
            if not silent or change.action != "unchanged":
                env.write(term.clean(f"{done.agent}: {change.said(near(change.path))}"))
        if done.hint:
            env.write(term.clean(f"  ({done.hint})"))
        for error in done.errors:
            env.say(f"error: {error.line()}")
    if any(done.errors for done in reports):
        raise click.exceptions.Exit(1)


def near(path: str) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        shorter = os.path.relpath(path)
    except (ValueError, OSError):  # another drive, a folder that is gone
        return path
    return path if shorter.startswith("..") else shorter


def _enable(env: Env, names: Sequence[str], where: str, trust: bool, server: str, as_json: bool) -> None:
    """Enable the agents; `server` is "read" or "write" for the MCP server too, "" for none."""
    from git_agent_session.agents import settings, settings_mcp
    from git_agent_session.agents.settings_trust import asked_by

    here = location(env)
    places = [settings.place(name, here, env.environ) for name in names]
    if trust and names and not any(asked_by(name) for name in names):
        refuse("none of these agents asks for trust", "leave --trust out")
    for place in places:  # before the first is changed
        place.file(where)
        if server:
            settings_mcp.check(place, where)
    reports = [settings.put(p, where, trust=trust and asked_by(p.name)) for p in places]
    if server:
        served = [settings_mcp.put(p, where, write=server == "write") for p in places]
        reports = [_both(hooks, server) for hooks, server in zip(reports, served, strict=True)]
    printed(env, reports, as_json)


def _both(hooks: Report, server: Report) -> Report:
    from dataclasses import replace

    hint = "; ".join(h for h in (hooks.hint, server.hint) if h)
    return replace(hooks, changes=(*hooks.changes, *server.changes), hint=hint)


def _choose(env: Env, where: str, yes: bool) -> list[str]:
    """The agents to enable, of those that are found here: all with `yes`, else those that a person agrees to."""
    from git_agent_session.agents import registry, settings

    here = location(env)
    places = [settings.place(name, here, env.environ) for name in registry.names()]
    found = [p for p in places if p.signs()]
    if not found:
        env.say(f"no coding agent is found here; name one: {', '.join(registry.names())}")
        return []
    able = [p for p in found if where in p.scopes]
    for place in found:
        if where in place.setup.files and place not in able:
            place.file(where)  # raises: there is no project
    if not able:
        env.say(f"none of the agents that are found has {where} settings: {', '.join(p.name for p in found)}")
        return []
    new = [p for p in able if not any(x.scope == where and x.state == settings.ON for x in settings.look(p))]
    if not new:
        env.say(f"enabled already: {', '.join(p.name for p in able)}")
        return []
    if yes:
        return [p.name for p in new]
    if not env.can_ask():
        _list(env, as_json=False)
        env.say("nothing is changed: use --yes to enable all that are found, or name some")
        return []
    return [p.name for p in new if _agreed(env, p, where)]


def _agreed(env: Env, place: Place, where: str) -> bool:
    signs = " and ".join(place.signs())
    answer = env.ask(f"Record sessions of {place.name} ({signs}), by {near(place.file(where).path)}? [Y/n] ")
    return answer is not None and answer.lower() in ("", "y", "yes")


def _list(env: Env, as_json: bool) -> None:
    from git_agent_session import term
    from git_agent_session.agents import registry, settings
    from git_agent_session.report.doctor import standing

    here = location(env)
    places = [settings.place(name, here, env.environ) for name in registry.names()]
    looks = [settings.look(place) for place in places]
    if as_json:
        rows = []
        for place, found in zip(places, looks, strict=True):
            scopes = [x.scope for x in found if x.state == settings.ON]
            old = [x.scope for x in found if x.state == settings.OUTDATED]
            signs = list(place.signs())
            row = {"agent": place.name, "installed": "installed" in signs, "signs": signs, "scopes": scopes}
            rows.append({**row, **({"outdated": old} if old else {})})
        env.json(rows)
        return
    shown = view(env)
    table = [
        (place.name, ", ".join(place.signs()) or "not found", standing(found))
        for place, found in zip(places, looks, strict=True)
    ]

    def style(row: int, column: int, cell: str) -> str:
        if row < 0:
            return shown.heading(cell)
        on = not table[row][2].startswith(settings.OFF)
        return shown.dim(cell) if not on and table[row][1] == "not found" else cell

    env.lines(term.columns(table, header=("AGENT", "FOUND", "STATE"), total=shown.width, flexible=2, style=style))
