"""Sessions in the formats of other tools, out and in: Agent Trace, Git AI's notes, Entire's checkpoints, OTLP.

    from git_agent_session import interchange

    interchange.send(store, interchange.Place.parse("git-ai"))
    interchange.bring(store, interchange.Place.parse("agent-trace:traces.jsonl"))

Each format is one module. What a format cannot carry is in docs/interchange.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from git_agent_session.errors import UsageError
from git_agent_session.interchange.names import AGENT_TRACE, ENTIRE, FORMATS, FORMS, GIT_AI, OTLP

if TYPE_CHECKING:
    from git_agent_session.agents.importing_report import Report
    from git_agent_session.model import Doc, Session
    from git_agent_session.store.reader import Reader


T = TypeVar("T")
# told how many are done, and of how many
Progress = Callable[[int, int], None]

__all__ = ["AGENT_TRACE", "ENTIRE", "FORMATS", "GIT_AI", "OTLP", "Place", "Sent", "bring", "is_place", "pieces", "send"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where sessions go to or come from: one of FORMATS, and a file or a URL ("" for this repository)."""

    form: str
    where: str = ""

    @classmethod
    def parse(cls, text: str, base: str = "") -> Place:
        """The place that `text` names, a file relative to the folder `base`. Raises UsageError."""
        form, colon, rest = text.partition(":")
        if form not in FORMATS or (colon and not rest):
            raise UsageError(f"{text[:100]!r} is none of the formats", hint=f"use {FORMS}")
        if form in (GIT_AI, ENTIRE) and colon:
            raise UsageError(f"{form} is kept in the repository itself", hint=f"leave out :{rest[:50]}")
        if form == AGENT_TRACE and not rest:
            raise UsageError(f"{form} needs a file", hint=f"use {form}:FILE")
        if not rest or _is_url(rest):
            return cls(form, rest)
        return cls(form, os.path.abspath(os.path.join(base, rest)))

    @property
    def is_file(self) -> bool:
        """True for a place that is a file."""
        return bool(self.where) and not _is_url(self.where)

    @property
    def is_here(self) -> bool:
        """True for what is kept in the repository."""
        return self.form in (GIT_AI, ENTIRE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What an export did: how many records (notes, checkpoints, requests), how many it left to another tool."""

    to: str
    sessions: int
    records: int
    kept: int = 0
    said: Sequence[str] = field(default_factory=tuple)

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        return {"to": self.to, "sessions": self.sessions, "records": self.records, "kept": self.kept}


def is_place(text: str) -> bool:
    """True for a text that names one of these formats."""
    return text.partition(":")[0] in FORMATS


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def pieces(
    reader: Reader,
    place: Place,
    sessions: Sequence[Session],
    *,
    content: bool = False,
    progress: Progress | None = None,
) -> Iterator[str]:
    """The text of a file in the format of `place`, which is Agent Trace or OTLP. Raises AgentSessionError.

    `progress` is told how many of the sessions are done, and of how many.
    """
    told = _told(sessions, progress)
    if place.form == AGENT_TRACE:
        from git_agent_session.interchange import agent_trace

        return (agent_trace.line(record) for record in agent_trace.records(reader, told))
    from git_agent_session.interchange import otlp

    return otlp.lines(reader, told, content=content)


def _told(things: Sequence[T], progress: Progress | None) -> Iterator[T]:
    for n, thing in enumerate(things):
        if progress is not None:
            progress(n, len(things))
        yield thing
    if progress is not None:
        progress(len(things), len(things))


def send(
    reader: Reader,
    place: Place,
    sessions: Sequence[Session] | None = None,
    *,
    content: bool = False,
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Sent:
    """Write sessions (default: all) to this repository's notes or branch, or post them to an OTLP endpoint.

    `content` lets OTLP have what was said. `env` has the OTEL_EXPORTER_OTLP_ variables. Raises AgentSessionError;
    UsageError for a place that is a file, which `pieces` writes.
    """
    chosen = reader.list() if sessions is None else sessions
    if place.form == GIT_AI:
        from git_agent_session.interchange import git_ai

        return Sent(git_ai.REF, len(chosen), *git_ai.write(reader, _told(chosen, progress)))
    if place.form == ENTIRE:
        from git_agent_session.interchange import entire

        return Sent(entire.REF, len(chosen), *entire.write(reader, _told(chosen, progress)))
    if place.form != OTLP or place.is_file:
        raise UsageError(f"{place.form} goes to a file", hint="use `pieces`")
    from git_agent_session.interchange import otlp, otlp_http

    endpoint = otlp_http.Endpoint.parse(place.where, os.environ if env is None else env)
    requests = (
        otlp.document(part, session.project)
        for session in _told(chosen, progress)
        for part in otlp.batches(otlp.spans(reader, session, content=content))
    )
    count, said = otlp_http.send(endpoint, requests)
    return Sent(endpoint.shown(), len(chosen), count, 0, tuple(said))


def bring(
    reader: Reader,
    place: Place,
    *,
    dry_run: bool = False,
    since: str = "",
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Import the sessions of a place: what is new, each event once. With `dry_run` nothing is written.

    `since` (RFC 3339) leaves out those that ended before. Raises UsageError for a URL, AgentSessionError.
    """
    from git_agent_session.interchange import arrivals, outside

    repo = reader.repo
    if not place.is_here and not place.is_file:
        raise UsageError("spans are read from a file, not from a server", hint="use otlp:FILE")
    if place.form == ENTIRE:
        from git_agent_session.interchange import entire_read

        found_env = os.environ if env is None else env
        return entire_read.bring(repo, dry=dry_run, env=found_env, since=since, progress=progress)
    if place.form == GIT_AI:
        from git_agent_session.interchange import git_ai

        found, said = git_ai.arrivals(repo)
    elif place.form == AGENT_TRACE:
        from git_agent_session.interchange import agent_trace

        found, said = agent_trace.arrivals(repo, outside.read(place.where))
    else:
        from git_agent_session.interchange import otlp_read

        found, said = otlp_read.arrivals(repo, outside.read(place.where))
    chosen = [arrival for arrival in found if arrival.last >= since]
    report = arrivals.keep(repo, _told(chosen, progress), dry=dry_run)
    report.said = [*said, *report.said]
    return report
