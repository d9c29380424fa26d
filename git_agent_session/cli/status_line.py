"""`status-line`: one line about the running session, for Claude Code's status line."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print a line about the session that Claude Code runs.

    It reads what Claude Code sends to a status line on standard input, and prints the session's id, the model, the
    cost, the context in use and the number of commits. docs/terminal.md has the line for ~/.claude/settings.json.
    """
    # without arguments the program does not even come here: see __main__
    from git_agent_session.hooks.status_line import main

    main()
