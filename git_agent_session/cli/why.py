"""`why`: the session behind a line or a commit."""

from __future__ import annotations

import click

from git_agent_session.cli.early import Call, asked, why_options
from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env


@click.command()
@click.argument("target", metavar="FILE[:LINE[,LINE]] | COMMIT", type=click.Path())
@click.option("-n", "number", metavar="N", type=click.IntRange(min=1), help="At most N answers; default: 5.")
@click.option("--full", is_flag=True, help="All of the texts and of the lines.")
@json_option
@pass_env
def command(env: Env, target: str, number: int | None, full: bool, as_json: bool) -> None:
    """Show the session behind a line or a commit.

    That is its goal, the prompt that led to the change and the answer, how the session is known, and what else
    was changed with it. A file without a line is answered commit by commit, those with the most lines first."""
    call = _call(env, target, "json" if as_json else "", full)
    if call is None:
        from git_agent_session.answers import why
        from git_agent_session.cli.answering import show_why

        show_why(env, [why.of_commit(env.store, target)], number, as_json=as_json, full=full)
        return
    from git_agent_session.cli.blame import begun_for

    begun = begun_for(env, call)
    from git_agent_session.cli import answering

    answering.why(env, call, begun, number)


def _call(env: Env, target: str, form: str, full: bool) -> Call | None:
    """What is asked of a file; None for a commit."""
    if not target or "\0" in target:
        refuse("no file and no commit is named", "give FILE:LINE, FILE or a commit")
    found = asked(target, env.start)
    if found is None:
        return _other(env, target, form, full)
    path, lines = found
    if lines and not 0 < lines[0] <= lines[1]:
        refuse(f"{lines[0]},{lines[1]} are no lines", "count from 1, the first line first")
    return Call(path, why_options(lines), form, full=full)


def _other(env: Env, target: str, form: str, full: bool) -> Call | None:
    """The same of what is no file that is here."""
    from git_agent_session.errors import CommitNotFound

    try:
        env.store.repo.resolve(target)
        return None
    except CommitNotFound as e:
        if "/" in target or "." in target:
            # git says whether it was a file once
            return Call(target, why_options(None), form, full=full)
        raise CommitNotFound(f"{e.message}, and no file", hint="give FILE:LINE, FILE or a commit") from e
