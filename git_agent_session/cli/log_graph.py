"""`log-graph`: git's log with the session of each commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import pass_env

if TYPE_CHECKING:
    from git_agent_session.git.discover import Location
    from git_agent_session.report.view import View

_HELP = ("-h", "--help")


class _Passing(click.Command):
    """A command whose arguments are git's: click reads its own help alone, wherever it stands before a `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = args[: args.index("--")] if "--" in args else args
        mine = [a for a in options if a in _HELP]
        return super().parse_args(ctx, mine[:1] or ["--", *args])


@click.command(cls=_Passing)
@click.argument("args", metavar="[GIT LOG'S OPTIONS] [REVISION…] [-- PATH…]", nargs=-1, type=click.UNPROCESSED)
@pass_env
def command(env: Env, args: tuple[str, ...]) -> None:
    """Draw the graph of commits with their sessions.

    It is `git log --graph`, and takes what that takes. Each commit of a session is marked with the session's id; where
    another session begins, its agent and its goal follow.

    With --format=FORMAT, `%(session:…)` stands for the sessions of a commit, in the placeholders of `list --format`:
    `--format='%h %s%(session: [%h, %an])'`. docs/terminal.md lists them.
    """
    form, rest = _format(args)
    location, cwd = _place(env)
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


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _format(args: Sequence[str]) -> tuple[str, list[str]]:
    """The format that is asked for, "" for ours, and the arguments without it."""
    form, rest = "", []
    ours = list(args[: args.index("--")]) if "--" in args else list(args)
    given = iter(ours)
    for arg in given:
        name, equals, value = arg.partition("=")
        if arg == "--oneline":
            form = ""
        elif name in ("--format", "--pretty"):
            form = _user_format(value if equals else next(given, "") if name == "--format" else "")
        else:
            rest.append(arg)
    return form, rest + list(args[len(ours) :])


def _user_format(value: str) -> str:
    if value == "oneline":
        return ""
    if "%" not in value:
        refuse(f"there is no room for sessions in the format {value!r}", "give placeholders, such as --format='%h %s'")
    return value


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
