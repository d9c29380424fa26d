"""`context`: take a snapshot of the repository, and show or export those that a session has."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.env import Env, refuse
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option
from git_agent_session.errors import BrokenSession, SessionNotFound, StorageError
from git_agent_session.model import SNAPSHOT_TYPES

if TYPE_CHECKING:
    from git_agent_session.model import Doc

DEFAULT_BUDGET = 8000


class Context(click.Group):
    """A group whose name alone, or with an ID, shows: `context ID` is `context show ID`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` before what is neither a subcommand nor a call for help."""
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Context)
def command() -> None:
    """Show the latest context snapshot, or add one.

    A snapshot says what an agent should know of the repository: branch and head, what is uncommitted, recent commits,
    languages, the files to read first, open tasks. `git agent-session context [ID]` is short for `context show [ID]`.
    """


@command.command()
@click.option(
    "--type", metavar="TYPE", type=TEXT, default="update", help=f"One of {', '.join(SNAPSHOT_TYPES)}. Default: update."
)
@click.option("--budget", metavar="N", type=int, help=f"At most N tokens, estimated. Default: {DEFAULT_BUDGET}.")
@session_option
@json_option
@pass_env
def add(env: Env, type: str, budget: int | None, session: str | None, as_json: bool) -> None:
    """Take a snapshot of the repository and store it with the session."""
    from git_agent_session import term

    if type not in SNAPSHOT_TYPES:
        refuse(f"{type!r} is no snapshot type", f"use {', '.join(SNAPSHOT_TYPES)}")
    session_id = env.target(session)
    event = env.store.add_context(session_id, take(env, budget), type=type)
    if as_json:
        env.json(event.to_dict())
    else:
        files, tokens = event.data.get("file_count", 0), event.data.get("token_estimate", 0)
        env.write(
            f"Added {type} context to session {session_id[:8]}: "
            f"{term.count(files, 'file')}, about {term.si(tokens)} tokens"
        )


@command.command()
@id_argument
@session_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="Write to FILE (- is standard output): JSON if it ends in .json, else Markdown.",
)
@json_option
@pass_env
def show(env: Env, id: str | None, session: str | None, output: str | None, as_json: bool) -> None:
    """Show or export the latest snapshot of a session.

    As Markdown, or as JSON."""
    from git_agent_session import term

    session_id = env.reading(id, session)
    doc = _latest(env, session_id)
    if output is not None and output != "-":
        write_whole(output, (_json(doc) if as_json or output.endswith(".json") else _markdown(doc)).encode())
        env.say(f"wrote {output}")
    elif as_json:
        env.json(doc)
    else:
        text = term.clean(_markdown(doc), newlines=True)
        env.lines(text.rstrip("\n").split("\n"), paged=True)


def take(env: Env, budget: int | None) -> dict[str, Any]:
    """A snapshot of this repository as plain values, in `budget` tokens."""
    from git_agent_session.context import snapshot

    return snapshot(env.folder, budget=DEFAULT_BUDGET if budget is None else budget).to_dict()


def _latest(env: Env, session_id: str) -> Doc:
    try:
        found = env.store.contexts(session_id)
    except ValueError as e:
        raise BrokenSession(f"a context snapshot of session {session_id[:8]} cannot be read: {e}") from e
    if not found:
        raise SessionNotFound(
            f"session {session_id[:8]} has no context snapshot", hint="`git agent-session context add` takes one"
        )
    return found[-1][1]


def _json(doc: Doc) -> str:
    from git_agent_session.report.rows import dump

    return dump(doc)


def _markdown(doc: Doc) -> str:
    from git_agent_session.context import Snapshot

    return Snapshot.from_dict(doc).to_markdown()


def write_whole(path: str, data: bytes) -> None:
    """Write a file so that it holds all of `data` or what it held before. Raises StorageError.

    What is no plain file, such as /dev/stdout or a named pipe, is written to as it is.
    """
    if os.path.isdir(path):
        raise StorageError(f"cannot write {path}: it is a folder", hint="name a file")
    aside = f"{path}.{os.getpid()}.{os.urandom(3).hex()}.part"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as f:
                f.write(data)
            return
        path = os.path.realpath(path)
        with open(aside, "xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        if os.path.exists(path):
            os.chmod(aside, os.stat(path).st_mode & 0o7777)
        os.replace(aside, path)
    except OSError as e:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise StorageError(
            f"cannot write {path}: {e.strerror or e}", hint="nothing was changed; give another FILE"
        ) from e
