"""`blame` and `why` of lines, begun before click is loaded: git looks for the commits while Python still imports.

Only calls that are sure to be right are read here; all others, and every mistake, are click's to read. Standard library
alone, and of it what Python has loaded anyway.
"""

from __future__ import annotations

import os
import sys

from git_agent_session.answers.options import Options
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import owner, running
from git_agent_session.git.discover import Location, discover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORMS = {"--json": "json", "--porcelain": "porcelain"}


class Call:
    """What is asked: `path` with `options`; `form` is `json`, `porcelain` or "" for people, `full` is `why`'s."""

    __slots__ = ("form", "full", "options", "path")

    def __init__(self, path: str, options: Options, form: str = "", *, full: bool = False) -> None:
        self.path = path
        self.options = options
        self.form = form
        self.full = full


class Begun:
    """A running `git blame`, and where: `whole` is the file's path where all of its lines are asked for, else ""."""

    __slots__ = ("location", "running", "whole")

    def __init__(self, location: Location, running: running.Running, whole: str) -> None:
        self.location = location
        self.running = running
        self.whole = whole


def main(argv: Sequence[str]) -> int | None:
    """Run `blame` or `why` and return the exit status; None, with nothing done, for a call that click is to read."""
    call = _blame(argv[1:]) if argv[0] == "blame" else _why(argv[1:])
    try:
        begun = begin(call, None, os.environ) if call is not None else None
    except AgentSessionError:
        return None
    if call is None or begun is None:
        return None
    import gc

    # the process ends before it would pay
    gc.disable()
    return _run(argv, call, begun)


def _run(argv: Sequence[str], call: Call, begun: Begun) -> int:
    from git_agent_session.cli.env import Env

    for stream in (sys.stdout, sys.stderr):
        # as `cli.main` does it
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    env = Env()
    try:
        from git_agent_session.cli import answering

        if argv[0] == "blame":
            answering.blame(env, call, begun)
        else:
            answering.why(env, call, begun)
        env.err.flush()
        env.out.flush()
        return 0
    except BaseException as error:
        failure = error
        from git_agent_session.cli.main import main as command

        def fail() -> int:
            raise failure

        return command(argv, env, fail)


def begin(call: Call, start: str | None, environ: Mapping[str, str]) -> Begun | None:
    """Start git's blame in the repository around `start` (None: the current folder); None where there is none.

    Raises UsageError for options that git would misread, GitError, UnsupportedRepository.
    """
    location = discover(start, environ)
    if location is None:
        return None
    # git runs what a repository's configuration names, such as a filter that makes text of a file
    owner.check(location)
    cwd = os.path.abspath(start or os.getcwd())
    if location.worktree is None or not os.path.isdir(cwd):
        cwd = location.git_dir
    whole = "" if call.options.ranges else os.path.join(cwd, call.path)
    return Begun(location, running.blame(location, cwd, call.options.arguments(call.path)), whole)


def _blame(words: Sequence[str]) -> Call | None:
    names: list[str] = []
    ranges: list[str] = []
    forms: list[str] = []
    ignore, since, rest = False, "", iter(words)
    for word in rest:
        if word in ("-L", "--since"):
            value = next(rest, "")
            if not value or value.startswith("-"):
                return None
            ranges, since = ([*ranges, value], since) if word == "-L" else (ranges, value)
        elif word.startswith("-L"):
            ranges.append(word[2:])
        elif word == "-w":
            ignore = True
        elif word in _FORMS:
            forms.append(_FORMS[word])
        elif word.startswith("-") or not word:
            return None
        else:
            names.append(word)
    if not 1 <= len(names) <= 2 or len(set(forms)) > 1:
        return None
    revision = names[0] if len(names) == 2 else ""
    return Call(names[-1], Options(tuple(ranges), ignore, since, revision), *forms[:1])


def _why(words: Sequence[str]) -> Call | None:
    targets = [word for word in words if word not in ("--json", "--full")]
    if len(targets) != 1 or not targets[0] or targets[0].startswith("-"):
        return None
    found = asked(targets[0], None)
    if found is None:
        return None
    path, lines = found
    if lines and not 0 < lines[0] <= lines[1]:
        return None
    return Call(path, why_options(lines), "json" if "--json" in words else "", full="--full" in words)


def why_options(lines: tuple[int, int] | None) -> Options:
    """git's options for first and last line, None for all."""
    return Options((f"{lines[0]},{lines[1]}",) if lines else ())


def asked(target: str, start: str | None) -> tuple[str, tuple[int, int] | None] | None:
    """The file in `FILE[:LINE[,LINE]]`, seen from `start`, and first and last line; None for what is neither.

    The numbers are as they stand there, whether or not they are lines.
    """
    if os.path.lexists(os.path.join(start or os.getcwd(), target)):
        return target, None
    path, colon, numbers = target.rpartition(":")
    first, sep, last = numbers.partition("," if "," in numbers else "-")
    if (
        not path
        or not colon
        or not all(n.isascii() and n.isdigit() and len(n) < 10 for n in [first, last][: 1 + bool(sep)])
    ):
        return None
    return path, (int(first), int(last or first))
