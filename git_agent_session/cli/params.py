"""The options and arguments that commands share: ids, texts, `--json`, `--meta`; and the shell's completion of ids."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from git_agent_session.cli.env import Env, not_utf8
from git_agent_session.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from git_agent_session.index.glimpse import Glimpse
    from git_agent_session.model import Session

    StrParam = click.ParamType[str]
    PairParam = click.ParamType[tuple[str, str]]
else:  # generic in later versions of click only
    StrParam = PairParam = click.ParamType

# the sessions that a shell is offered at most
_OFFERED = 50

F = TypeVar("F", bound=Callable[..., Any])

pass_env = click.make_pass_decorator(Env)


class Text(StrParam):
    """Text that can be stored: an argument whose bytes are not UTF-8 is refused before anything is written."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself; raises AgentSessionError when it holds bytes that are not UTF-8."""
        text = str(value)
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise not_utf8(_called(param))
        return text


class File(Text):
    """The name of a file or a folder, which shells complete."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What the shell itself knows."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class Pair(PairParam):
    """`KEY=VALUE`; the value is text and may hold further `=`."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The key and the value; raises UsageError where there is no key or no `=`."""
        if isinstance(value, tuple):
            return value
        key, sep, rest = TEXT.convert(value, param, ctx).partition("=")
        if not sep or not key.strip():
            raise UsageError(f"{value!r} is no metadata", hint="give KEY=VALUE")
        return key.strip(), rest


def _called(param: click.Parameter | None) -> str:
    if param is None:
        return "the text"
    name = param.human_readable_name.upper() if isinstance(param, click.Argument) else max(param.opts, key=len)
    return f"what was given for {name}"


TEXT = Text()
FILE = File()
PAIR = Pair()


def meta_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`--meta` as a table; of a key that is given twice the last value counts."""
    return dict(pairs)


def complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sessions that start with what is typed, the youngest first, each with its goal."""
    from click.shell_completion import CompletionItem

    from git_agent_session import term

    try:
        found = _begun(incomplete.lower())[:_OFFERED]
    except Exception:
        return []  # a shell has no place for an error while somebody types
    short = [s.id[:8] for s in found]
    full = len(incomplete) > 8 or len(set(short)) < len(short)
    return [
        CompletionItem(s.id if full else s.id[:8], help=term.fit(term.clean(s.about), 60) or s.status, session=True)
        for s in found
    ]


def _begun(start: str) -> Sequence[Glimpse | Session]:
    """The sessions whose ids begin so: from files where those tell, else from the store, which takes longer."""
    from git_agent_session.git.discover import discover
    from git_agent_session.index import glimpse

    location = discover(None, os.environ)
    seen = glimpse.sessions(location, start) if location is not None else []
    if seen is not None:
        return seen
    return [s for s in Env(environ=os.environ).store.list() if s.id.startswith(start)]


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, with the keys of docs/json.md.")(command)


def format_option(command: F) -> F:
    """`--format FORMAT`, for commands that print a line for each session or commit."""
    return click.option(
        "--format", "form", metavar="FORMAT", type=TEXT, help="Print this for each; docs/terminal.md has what it holds."
    )(command)


def session_option(command: F) -> F:
    """`--session ID`, on every command that works on a session."""
    return click.option(
        "--session", metavar="ID", type=TEXT, shell_complete=complete_id, help="The session; default: the current one."
    )(command)


def id_argument(command: F) -> F:
    """An optional session id as an argument."""
    return click.argument("id", metavar="[ID]", required=False, type=TEXT, shell_complete=complete_id)(command)


def meta_option(command: F) -> F:
    """`--meta KEY=VALUE`, any number of times."""
    return click.option("--meta", metavar="KEY=VALUE", multiple=True, type=PAIR, help="Add metadata; may be repeated.")(
        command
    )
