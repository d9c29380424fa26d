"""`blame`: a file's lines with the session behind each."""

from __future__ import annotations

import os

import click

from git_agent_session.answers.options import Options
from git_agent_session.cli.early import Begun, Call, begin
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.argument("names", metavar="[REVISION] FILE", nargs=-1, required=True, type=click.Path())
@click.option("-L", "ranges", metavar="RANGE", multiple=True, help="Only these lines, as git blame takes them.")
@click.option("-w", "ignore_whitespace", is_flag=True, help="Ignore changes of white space.")
@click.option("--since", metavar="DATE", default="", help="Look no further back than this date, in git's words.")
@click.option("--porcelain", is_flag=True, help="git's porcelain format, with header lines of ours.")
@json_option
@pass_env
def command(
    env: Env,
    names: tuple[str, ...],
    ranges: tuple[str, ...],
    ignore_whitespace: bool,
    since: str,
    porcelain: bool,
    as_json: bool,
) -> None:
    """Show who wrote each line of a file.

    That is the session and prompt of an agent, or a person. A line that an agent wrote and a person changed is mixed;
    ? is for lines of a session's commit of which nobody recorded who wrote them."""
    if len(names) > 2:
        refuse("more than a revision and a file are given", "name one file")
    if porcelain and as_json:
        refuse("--porcelain and --json are two formats", "give one of them")
    revision, path = names if len(names) == 2 else ("", names[0])
    form = "json" if as_json else "porcelain" if porcelain else ""
    call = Call(path, Options(ranges, ignore_whitespace, since, revision), form)
    begun = begun_for(env, call)
    from git_agent_session.cli import answering

    answering.blame(env, call, begun)


def begun_for(env: Env, call: Call) -> Begun:
    """git's blame, started before anything heavy is loaded."""
    from git_agent_session.errors import NotARepository

    path, options = call.path, call.options
    if not path or "\0" in path + options.revision + options.since or any(not r or "\0" in r for r in options.ranges):
        refuse(
            "the file's name is empty" if not path else "an argument cannot be used", "see `git agent-session blame -h`"
        )
    begun = begin(call, env.start, env.environ)
    if begun is None:
        raise NotARepository(
            f"not a git repository: {env.start or os.getcwd()}", hint="run this inside one, or `git init` first"
        )
    return begun
