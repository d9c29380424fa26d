"""`blame`: a file's lines with the session behind each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import json_option, pass_env

if TYPE_CHECKING:
    from git_agent_session.answers.blame import Blamed, BlamedLine


@click.command()
@click.argument("names", metavar="[REVISION] FILE", nargs=-1, required=True)
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
    blamed = run(env, path, ranges, ignore_whitespace, since, revision)
    if as_json:
        env.json([line.to_dict() for line in blamed.lines()])
    elif porcelain:
        _porcelain(env, blamed)
    else:
        _show(env, blamed)
    for error in blamed.attribution.broken:
        env.warn(error.line())


def run(
    env: Env, path: str, ranges: tuple[str, ...], ignore_whitespace: bool = False, since: str = "", revision: str = ""
) -> Blamed:
    """git's blame, started before anything heavy is loaded, and read."""
    from git_agent_session.errors import NotARepository
    from git_agent_session.git.blame import Blame
    from git_agent_session.git.discover import discover

    if not path or "\0" in path + revision + since or any(not r or "\0" in r for r in ranges):
        refuse(
            "the file's name is empty" if not path else "an argument cannot be used", "see `git agent-session blame -h`"
        )
    location = discover(env.start, env.environ)
    if location is None:
        raise NotARepository(
            f"not a git repository: {env.start or os.getcwd()}", hint="run this inside one, or `git init` first"
        )
    from git_agent_session.answers.options import Options

    options = Options(ranges, ignore_whitespace, since, revision)
    cwd = os.path.abspath(env.start or os.getcwd())
    if location.worktree is None or not os.path.isdir(cwd):
        cwd = location.git_dir
    with Blame(location, cwd, options.arguments(path)) as running:
        # while git is at work
        from git_agent_session.answers.blame import Blamed
        from git_agent_session.report import answers  # noqa: F401

        whole = "" if ranges else os.path.join(cwd, path)
        return Blamed(env.store, running, whole)


def _show(env: Env, blamed: Blamed) -> None:
    from git_agent_session.report import answers

    lines = list(blamed.lines())
    ids = {line.session for line in lines if line.session}
    env.lines(answers.blame(env.view(paged=True, shorts=ids), lines), paged=True)
    remark_absent(env, {line.session for line in lines if not line.present})


def remark_absent(env: Env, sessions: set[str]) -> None:
    """Say on stderr that sessions are not here, and how to get them."""
    from git_agent_session.report import answers

    if sessions:
        env.say(answers.absent(len(sessions)))


def _porcelain(env: Env, blamed: Blamed) -> None:
    """git's own bytes, and before each text the header lines that say who wrote it."""
    parts: list[bytes] = []
    for (line, _), found in zip(blamed.rows, blamed.lines(), strict=True):
        parts += (line.head, b"\n", _heads(found), b"\t", line.text, b"\n")
    data = b"".join(parts)
    env.out.flush()
    stream = getattr(env.out, "buffer", None)
    if stream is not None:
        stream.write(data)
        stream.flush()
    else:
        env.out.write(data.decode("utf-8", "surrogateescape"))


def _heads(line: BlamedLine) -> bytes:
    heads = [f"agent-session-kind {line.kind}"]
    if line.session:
        heads += [f"agent-session-id {line.session}", f"agent-session-agent {line.agent or 'unknown'}"]
        heads += [f"agent-session-prompt {line.prompt}"] if line.prompt else []
        heads += [] if line.present else ["agent-session-absent"]
    return "".join(f"{head}\n" for head in heads).encode("utf-8", "replace")
