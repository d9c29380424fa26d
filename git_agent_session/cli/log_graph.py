"""`log-graph`: git's log with the session of each commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.git.discover import Location
    from git_agent_session.report.view import View

_HELP = ("-h", "--help")


class _Passing(click.Command):
    """A command whose arguments are git's: click reads help and --json alone, wherever they stand before a `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        mine = [a for a in args[:end] if a in _HELP]
        json = [a for a in args[:end] if a == "--json"]
        rest = [a for a in args[:end] if a != "--json"] + args[end:]
        return super().parse_args(ctx, mine[:1] or [*json, "--", *rest])


@click.command(cls=_Passing)
@click.argument("args", metavar="[GIT LOG'S OPTIONS] [REVISION…] [-- PATH…]", nargs=-1, type=click.UNPROCESSED)
@json_option
@pass_env
def command(env: Env, args: tuple[str, ...], as_json: bool) -> None:
    """Draw the graph of commits with their sessions.

    It is `git log --graph`, and takes what that takes. Each commit of a session is marked with the session's id; where
    another session begins, its agent and its goal follow.

    With --format=FORMAT, `%(session:…)` stands for the sessions of a commit, in the placeholders of `list --format`:
    `--format='%h %s%(session: [%h, %an])'`. docs/terminal.md lists them. Of git's formats there are oneline, reference,
    short, medium, full and fuller, and those of your own (`pretty.<name>`).
    """
    form, rest = _format(env, args)
    location, cwd = _place(env)
    if as_json:
        _as_json(env, location, cwd, rest)
        return
    view = env.view(paged=True, shorts=env.store.ids())
    if {"--no-color", "--color=never"} & set(rest):
        view = _plain(env)
    from git_agent_session.git.log import Log
    from git_agent_session.report.graph import FORMAT, Graph

    graph = Graph(env.store, view, form or FORMAT)
    colour = "always" if view.palette.enabled else "never"
    asked = ["--graph", f"--color={colour}", f"--format={graph.git}", *rest]
    with Log(location, cwd, asked, env.environ) as running:
        lines = graph.lines(running)
        first = next(lines, None)
        if first is not None:
            env.lines(_chained(first, lines), paged=True)


def _as_json(env: Env, location: Location, cwd: str, rest: Sequence[str]) -> None:
    from git_agent_session.git.log import Log
    from git_agent_session.report.graph import Facts

    facts = Facts(env.store)
    options = rest[: rest.index("--")] if "--" in rest else rest
    # lanes would stand before each line
    asked = [a for a in options if a != "--graph"] + list(rest[len(options) :])
    with Log(location, cwd, ["--no-color", f"--format={facts.git}", *asked], env.environ) as running:
        env.json(list(facts.rows(running)))


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _format(env: Env, args: Sequence[str]) -> tuple[str, list[str]]:
    """The format that is asked for, "" for ours, and the arguments without it."""
    form, rest = "", []
    ours = list(args[: args.index("--")]) if "--" in args else list(args)
    given = iter(ours)
    for arg in given:
        name, equals, value = arg.partition("=")
        if arg == "--oneline":
            form = ""
        elif name in ("--format", "--pretty"):
            form = _user_format(env, value if equals else next(given, "") if name == "--format" else "medium")
        else:
            rest.append(arg)
    return form, rest + list(args[len(ours) :])


def _user_format(env: Env, value: str) -> str:
    """A format with placeholders, or a name of `graph.NAMED`; one of the user's own names stands for what it is."""
    from git_agent_session.report.graph import NAMED

    named = value
    # an alias may lead to another one
    for _ in range(5):
        if "%" in named or named in NAMED:
            return named
        named = env.store.repo.config(f"pretty.{named}") or ""
    refuse(
        f"there is no room for sessions in the format {value!r}",
        f"give placeholders, such as --format='%h %s', or one of {', '.join(NAMED)}",
    )


def _place(env: Env) -> tuple[Location, str]:
    """The repository, and the folder to run git in: the current one, that paths be relative to it."""
    location = env.store.repo.location
    cwd = os.path.abspath(env.start or os.getcwd())
    return location, cwd if location.worktree is not None and os.path.isdir(cwd) else location.git_dir


def _plain(env: Env) -> View:
    """The view without colours, whatever the configuration says."""
    from dataclasses import replace

    from git_agent_session import term

    return replace(
        env.view(paged=True, shorts=env.store.ids()), palette=term.Palette({"color.ui": "never"}, isatty=False)
    )
