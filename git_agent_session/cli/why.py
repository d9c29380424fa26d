"""`why`: the session behind a line or a commit."""

from __future__ import annotations

import os
import re

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env

_LINES = re.compile(r"(?P<path>.+?):(?P<first>[0-9]{1,9})(?:[,-](?P<last>[0-9]{1,9}))?", re.DOTALL)
_ANSWERS = 5


@click.command()
@click.argument("target", metavar="FILE[:LINE[,LINE]] | COMMIT")
@click.option("-n", "number", metavar="N", type=click.IntRange(min=1), help="At most N answers; default: 5.")
@click.option("--full", is_flag=True, help="All of the texts and of the lines.")
@json_option
@pass_env
def command(env: Env, target: str, number: int | None, full: bool, as_json: bool) -> None:
    """Show the session behind a line or a commit.

    That is its goal, the prompt that led to the change and the answer, how the session is known, and what else
    was changed with it. A file without a line is answered commit by commit, those with the most lines first."""
    from git_agent_session.answers import why
    from git_agent_session.cli.blame import remark_absent, run

    asked = _asked(env, target)
    if asked is None:
        found = [why.of_commit(env.store, target)]
        broken = []
    else:
        path, lines = asked
        blamed = run(env, path, lines)
        found, broken = why.of_blamed(blamed, path), blamed.attribution.broken
        if not lines:
            found.sort(key=lambda a: -a.count)
    shown = found if as_json and number is None else found[: number or _ANSWERS]
    if as_json:
        env.json([answer.to_dict() for answer in shown])
    else:
        from git_agent_session.cli.commits import subjects
        from git_agent_session.report import answers

        env.lines(answers.why(env.view(paged=True), shown, subjects(env), full=full), paged=True)
        remark_absent(env, {s.session.id for a in shown for s in a.sessions if not s.present})
        if len(shown) < len(found):
            env.say(f"{len(found) - len(shown)} more; -n {len(found)} shows all")
    for error in broken:
        env.warn(error.line())


def _asked(env: Env, target: str) -> tuple[str, tuple[str, ...]] | None:
    """The file and lines that a target names, None for a commit."""
    if not target or "\0" in target:
        refuse("no file and no commit is named", "give FILE:LINE, FILE or a commit")
    if os.path.lexists(os.path.join(env.start or os.getcwd(), target)):
        return target, ()
    match = _LINES.fullmatch(target)
    if match is not None:
        first, last = int(match["first"]), int(match["last"] or match["first"])
        if first < 1 or last < first:
            refuse(
                f"{match['first']},{match['last'] or match['first']} are no lines", "count from 1, the first line first"
            )
        return match["path"], (f"{first},{last}",)
    from git_agent_session.errors import CommitNotFound

    try:
        env.store.repo.resolve(target)
        return None
    except CommitNotFound as e:
        if "/" in target or "." in target:
            return target, ()  # git says whether it was a file once
        raise CommitNotFound(f"{e.message}, and no file", hint="give FILE:LINE, FILE or a commit") from e
