"""`export`: a session as one document, for people or for programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from git_agent_session.cli.commits import rows, subjects
from git_agent_session.cli.env import Env, is_utf8, refuse
from git_agent_session.cli.index import progress
from git_agent_session.cli.params import FILE, TEXT, id_argument, json_option, pass_env, session_option
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
@click.option("-o", "--output", metavar="FILE", type=FILE, help="Write to this file instead of standard output.")
@click.option("--force", is_flag=True, help="Write FILE even where there is one.")
@click.option("--no-transcript", is_flag=True, help="Leave out what was said and done, item by item.")
@click.option("--full", is_flag=True, help="Markdown: cut no tool's input or output; the other formats never do.")
@click.option(
    "--to",
    metavar="PLACE",
    type=TEXT,
    help="Keep a copy of all sessions up to date: sqlite:FILE, postgresql://…, jsonl:FILE, jsonl:-, parquet:DIR. "
    "Or write sessions in another tool's format: agent-trace:FILE, git-ai, entire, otlp:FILE, otlp:URL, otlp.",
)
@click.option("--content", is_flag=True, help="With --to otlp: what was said, too, not only what was done and used.")
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
    """Write sessions as documents, to databases, for other tools.

    A document holds the state of one session, what was used, commits, events and the transcript. Markdown and HTML are
    for people: the page stands alone, without scripts. The keys of JSON are in docs/json.md; jsonl has one record a
    line.

    With --to, what changed since the last copy is copied, and what is gone is deleted; many repositories can share one
    database. docs/sql.md has its tables.

    Agent Trace, Git AI (refs/notes/ai), Entire (the branch entire/checkpoints/v1) and OpenTelemetry get all sessions,
    or the one with ID: see docs/interchange.md. What those tools wrote themselves stays as it is."""
    from git_agent_session.report.export import form as form_of

    if copying["to"] is not None:
        _to(env, copying, (id, session), force=force, documents=bool(form or output or no_transcript or full))
        return
    if copying.pop("content"):
        refuse("--content is about OpenTelemetry", "use it with --to otlp:FILE or otlp:URL")
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


def _to(
    env: Env, given: dict[str, Any], session: tuple[str | None, str | None], *, force: bool, documents: bool
) -> None:
    """What `--to` asks for: a copy of all sessions, or sessions in another tool's format."""
    from git_agent_session import interchange

    content = given.pop("content")
    if interchange.is_place(given["to"]):
        if documents or any(given[key] for key in ("name", "reset", "upgrade", "downgrade")):
            refuse("--to writes a format of its own", "leave out the options of documents and of databases")
        chosen = env.reading(*session) if any(session) else ""
        _interchange(env, Exchange(given["to"], chosen, content, force), as_json=given["as_json"])
        return
    if content:
        refuse("--content is about OpenTelemetry", "use it with --to otlp:FILE or otlp:URL")
    if any(session) or force or documents:
        refuse("--to copies all sessions", "leave out the session, --format, --output and what belongs to them")
    _copy(env, Copying(**given))


@dataclass(frozen=True, slots=True)
class Copying:
    """What `--to` and its options ask for."""

    to: str
    name: str
    reset: bool
    upgrade: bool
    downgrade: str | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """What `--to` asks for where it names another tool's format; `session` is "" for all."""

    to: str
    session: str
    content: bool
    force: bool


def _interchange(env: Env, asked: Exchange, *, as_json: bool) -> None:
    from git_agent_session import interchange, term
    from git_agent_session.progress import Bar

    place = interchange.Place.parse(asked.to, env.start or "")
    if asked.content and place.form != interchange.OTLP:
        refuse("--content is about OpenTelemetry", "leave it out")
    if asked.force and not place.is_file:
        refuse("--force is about a file", "leave it out: what others wrote is never replaced")
    chosen = [env.store.get(asked.session)] if asked.session else env.store.list()
    with Bar(env.err, "Writing", "sessions") as bar:
        if place.is_file:
            pieces = interchange.pieces(env.store, place, chosen, content=asked.content, progress=bar)
            counted = Counted(pieces)
            _save(place.where, counted, asked.force)
            done = interchange.Sent(place.where, len(chosen), counted.lines)
        else:
            done = interchange.send(env.store, place, chosen, content=asked.content, env=env.environ, progress=bar)
    for text in done.said:
        env.warn(text)
    env.report_broken()
    if as_json:
        env.json(done.to_dict())
        return
    kept = f", {done.kept} of another tool left as they are" if done.kept else ""
    env.write(f"{done.to}: {term.count(done.records, 'record')} of {term.count(done.sessions, 'session')}{kept}")


class Counted:
    """Lines of text that are counted as they are written."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self.pieces = pieces
        self.lines = 0

    def __iter__(self) -> Iterator[str]:
        for piece in self.pieces:
            self.lines += 1
            yield piece


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
