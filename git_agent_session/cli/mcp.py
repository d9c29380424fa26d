"""`mcp`: let an agent read sessions, and add to its own, by the Model Context Protocol."""

from __future__ import annotations

import click

from git_agent_session import extras
from git_agent_session.cli.env import Env
from git_agent_session.cli.params import pass_env
from git_agent_session.errors import UsageError


@click.command()
@click.option("--write", is_flag=True, help="Offer the tools that record notes, tasks, metrics and decisions too.")
@click.option(
    "--repo", metavar="DIR", type=click.Path(), help="The repository around DIR (default: the current folder)."
)
@pass_env
def command(env: Env, write: bool, repo: str | None) -> None:
    """Serve sessions to an agent by the Model Context Protocol.

    The agent starts it and speaks to it over standard input and output; `git agent-session enable AGENT --mcp` sets
    that up. The server only reads unless --write is given. It ends when its input does. It needs the extra [mcp].
    """
    import os

    if repo is not None and not os.path.isdir(repo):
        raise UsageError(f"{repo!r} is no folder", hint="give the folder of a repository")
    if env.input.isatty():
        env.say("serving the Model Context Protocol on standard input; an agent starts this, ^D ends it")
    try:
        from git_agent_session.mcp.server import serve
    except ImportError as e:
        # the first version of the SDK has none of these names
        if (e.name or "").startswith("git_agent_session"):
            raise
        raise extras.lacking("the package mcp (2.3 or later)", "mcp") from e
    from git_agent_session.mcp.door import Door

    raise click.exceptions.Exit(serve(Door(env.start if repo is None else repo, env.environ, write=write)))
