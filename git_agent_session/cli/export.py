"""`export`: a session as one document, for people or for programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.commits import rows, subjects
from git_agent_session.cli.env import Env, is_utf8, refuse
from git_agent_session.cli.index import progress
from git_agent_session.cli.params import TEXT, id_argument, json_option, pass_env, session_option
from git_agent_session.errors import AgentSessionError, BrokenSession

if TYPE_CHECKING:
    from git_agent_session.model import Doc, Event
    from git_agent_session.report.export import Record

_FORMATS = ("markdown", "json", "jsonl", "html")


@click.command()
@id_argument
@session_option
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    type=TEXT,
    help=f"One of {', '.join(_FORMATS)}. Default: what FILE ends in, else markdown.",
)
@click.option("-o", "--output", metavar="FILE", type=TEXT, help="Write to this file instead of standard output.")
@click.option("--force", is_flag=True, help="Write FILE even where there is one.")
@click.option("--no-transcript", is_flag=True, help="Leave out what was said and done, item by item.")
@click.option("--full", is_flag=True, help="Markdown: cut no tool's input or output; the other formats never do.")
@click.option(
    "--to",
    metavar="PLACE",
    type=TEXT,
    help="Keep a copy of all sessions up to date: sqlite:FILE, postgresql://…, jsonl:FILE, jsonl:-, parquet:DIR.",
)
@click.option("--as", "name", metavar="NAME", type=TEXT, default="", help="With --to: the repository's name there.")
@click.option("--reset", is_flag=True, help="With --to: delete first all that the copy holds, of every repository.")
@click.option("--upgrade", is_flag=True, help="With --to: only bring the database's tables up to this version.")
@click.option("--downgrade", metavar="REVISION", type=TEXT, help="With --to: only take migrations back: -1, base …")
@json_option
@pass_env
def command(
    env: Env,
    /,
    id: str | None,
    session: str | None,
    form: str | None,
    output: str | None,
    force: bool,
    no_transcript: bool,
    full: bool,
    **copying: Any,
) -> None:
    """Write a session as one document, or keep a copy of all sessions in a database.

    It holds the state, what was used, commits, events and the transcript. Markdown and HTML are for people: the page
    stands alone, without scripts. The keys of JSON are in docs/json.md; jsonl has one record a line.

    With --to, what changed since the last copy is copied, and what is gone is deleted; many repositories can share one
    database. docs/sql.md has its tables."""
    from git_agent_session.report.export import form as form_of

    if copying["to"] is not None:
        if id or session or form or output or force or no_transcript or full:
            refuse("--to copies all sessions", "leave out the session, --format, --output and what belongs to them")
        _copy(env, Copying(**copying))
        return
    if any(value not in (None, "", False) for value in copying.values()):
        refuse("--as, --reset, --upgrade, --downgrade and --json belong to --to", "name a place with --to")
    name = _format(form, output)
    if force and output is None:
        refuse("--force is about a file", "name one with --output FILE")
    session_id = env.reading(id, session)
    record = _record(env, session_id, transcript=not no_transcript, full=full, utf8=output is not None)
    pieces = form_of(name)(record)
    if output is None:
        for piece in pieces:
            env.out.write(piece)
    else:
        _save(os.path.join(env.start or "", output), pieces, force)
    env.report_broken()


@dataclass(frozen=True, slots=True)
class Copying:
    """What `--to` and its options ask for."""

    to: str
    name: str
    reset: bool
    upgrade: bool
    downgrade: str | None
    as_json: bool


def _copy(env: Env, asked: Copying) -> None:
    from git_agent_session import index, sql, term

    if (asked.upgrade, asked.downgrade is not None, asked.reset).count(True) > 1:
        refuse("--upgrade, --downgrade and --reset are different things", "give one of them")
    if asked.upgrade or asked.downgrade is not None:
        _migrate(env, asked)
        return
    found = index.open(env.store)
    for error in found.refresh(progress(env, "sessions")).broken:
        env.warn(error.line())
    tell, base = progress(env, "sessions"), env.start or ""
    done = sql.copy(found, asked.to, name=asked.name, reset=asked.reset, progress=tell, base=base, out=env.out)
    if asked.to == "jsonl:-":
        return
    if asked.as_json:
        env.json(done.to_dict())
        return
    written, name = term.count(done.written, "session"), term.clean(done.repository)
    env.write(f"{done.to}: {written} of {name} written, {done.deleted} deleted, {done.sessions} there")


def _migrate(env: Env, asked: Copying) -> None:
    from git_agent_session import sql

    revision = sql.migrate(asked.to, asked.downgrade or "head", up=asked.upgrade, base=env.start or "")
    if asked.as_json:
        env.json({"revision": revision})
    else:
        env.write(revision or "no tables")


def _format(given: str | None, output: str | None) -> str:
    from git_agent_session.report.export import ENDINGS

    if given is None:
        return ENDINGS.get(os.path.splitext(output or "")[1].lower(), "markdown")
    if given.lower() not in _FORMATS:
        refuse(f"{given!r} is no format", f"use {', '.join(_FORMATS)}")
    return given.lower()


def _record(env: Env, session_id: str, *, transcript: bool, full: bool, utf8: bool) -> Record:
    from git_agent_session.report.export import Record
    from git_agent_session.report.timeline import Timeline

    store = env.store
    summary = store.summary(session_id)
    events = store.history(session_id)
    return Record(
        summary,
        rows(env, session_id, summary.commits, paths=True),
        events,
        _contexts(env, session_id),
        subjects(env),
        Timeline(store, summary.session, events) if transcript else None,
        full=full,
        ascii_only=not utf8 and not is_utf8(env.out),
    )


def _contexts(env: Env, session_id: str) -> list[tuple[Event, Doc]]:
    try:
        return list(env.store.contexts(session_id))
    except BrokenSession as e:
        env.warn(e.line())
        return []


def _save(path: str, pieces: Iterable[str], force: bool) -> None:
    """Write a file whole: it is there when all of it is, and one that was there is replaced with `force` alone."""
    if not force and os.path.lexists(path):
        raise _exists(path)
    aside = f"{path}.{os.getpid()}.{os.urandom(3).hex()}"
    try:
        # what a session says is not for everybody on the machine
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(fd, "w", encoding="utf-8", errors="replace", newline="\n") as f:
            for piece in pieces:
                f.write(piece)
        if force:
            os.replace(aside, path)
        else:
            _put(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def _put(aside: str, path: str) -> None:
    """Give the file its name; raises AgentSessionError where somebody was faster."""
    try:
        os.link(aside, path)
    except FileExistsError as e:
        raise _exists(path) from e
    except (OSError, NotImplementedError):
        # a file system without hard links
        os.rename(aside, path)
        return
    os.unlink(aside)


def _exists(path: str) -> AgentSessionError:
    return AgentSessionError(f"{path} exists already", hint="name another file, or add --force to replace it")
