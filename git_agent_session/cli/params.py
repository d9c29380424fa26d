"""The options and arguments that commands share: ids, texts, `--json`, `--meta`; and the shell's completion of ids."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from git_agent_session.cli.env import Env, not_utf8
from git_agent_session.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    StrParam = click.ParamType[str]
    PairParam = click.ParamType[tuple[str, str]]
else:  # generic in later versions of click only
    StrParam = PairParam = click.ParamType

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
PAIR = Pair()


def meta_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`--meta` as a table; of a key that is given twice the last value counts."""
    return dict(pairs)


def complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sessions that start with what is typed, the youngest first, each with its goal."""
    from click.shell_completion import CompletionItem

    from git_agent_session import term

    try:
        store = Env(environ=os.environ).store
        found = [s for s in store.list() if s.id.startswith(incomplete.lower())][:50]
    except Exception:
        return []  # a shell has no place for an error while somebody types
    about = {s.id: term.fit(term.clean(s.about), 60) or s.status for s in found}
    return [CompletionItem(s.id if len(incomplete) > 8 else s.id[:8], help=about[s.id]) for s in found]


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, with the keys of docs/json.md.")(command)


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
