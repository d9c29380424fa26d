"""`ui`: a browser of sessions for the terminal."""

from __future__ import annotations

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import pass_env


@click.command()
@pass_env
def command(env: Env) -> None:
    """Browse sessions in the terminal.

    What is typed narrows the list; Enter opens a session: what it is, what happened, its commits, tasks, files and
    transcript. It needs the extra [ui], and a terminal.
    """
    from git_agent_session import term, tui

    tui.require()
    # Textual draws on standard error, and asks the terminal on standard input
    if not (env.out.isatty() and env.err.isatty() and env.input.isatty()):
        refuse("the browser needs a terminal", "see `git agent-session list` and `show` for output that can be piped")
    # said before the screen is taken over
    env.store.ids()
    from git_agent_session.tui.app import Browser
    from git_agent_session.tui.desk import Desk

    palette = term.Palette({**env.config, "color.ui": env.config.get("color.ui", "auto")}, isatty=True, env=env.environ)
    Browser(Desk(env.start, env.environ, palette)).run()
