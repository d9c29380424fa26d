"""Reads the checkpoints of an `entire/checkpoints/v1` branch, this repository's or, where it has none, origin's.

Where Entire kept an agent's own records, the agent's module reads them as `git agent-session import` would
(docs/import.md). Of other sessions there are the prompts, the tokens and the paths. Commits are linked by their
trailers.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from git_agent_session import term
from git_agent_session.agents import importing
from git_agent_session.agents.importing_report import GROWN, IMPORTED, KNOWN, Report, Row
from git_agent_session.git import foreign
from git_agent_session.git.repository import Repository
from git_agent_session.ids import event_id_from, is_event_id, is_object_id, moment, native_session_id
from git_agent_session.interchange import entire, names, outside
from git_agent_session.interchange.arrivals import Arrival, keep, link, session_id
from git_agent_session.model import Agent, Doc, Event
from git_agent_session.redact.configured import redactor
from git_agent_session.store import drain as draining
from git_agent_session.store.seen import Seen

_FOLDER = re.compile(r"([0-9a-f]{2})/([0-9a-f]{10})/(?:([0-9]{1,4})/)?([^/]+)")
_MAX_META = 1024 * 1024
# bytes of a part of a transcript, and how many as large as that are read of a session
_MAX_PART = entire.MAX_TRANSCRIPT + _MAX_META
_MOST_PARTS = 20
# agents of checkpoints that name none: the first versions of Entire knew Claude Code alone, later ones write `Agent`
_ANY = ("agent", "unknown")
# records after which those of Claude Code have told their form
_FIRST = 100


@dataclass(slots=True)
class Told:
    """What the checkpoints say of one session: its metadata, newest last, its commits, the blobs of its texts.

    `native_id` is the agent's own, `agent` its type; `transcripts` has each checkpoint's blobs, by time and place.
    """

    native_id: str
    metas: list[Doc] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    transcripts: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    agent: str = ""

    @property
    def last(self) -> Doc:
        """The newest metadata."""
        return self.metas[-1]

    @property
    def blobs(self) -> Iterable[tuple[str, ...]]:
        """The transcripts that differ, the oldest first."""
        return dict.fromkeys(self.transcripts[when] for when in sorted(self.transcripts))

    @property
    def own(self) -> Mapping[str, object]:
        """What we wrote of it ourselves."""
        return outside.table(self.last.get(names.OWN))


def bring(
    repo: Repository,
    *,
    dry: bool,
    env: Mapping[str, str],
    since: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Import the sessions of the branch. Raises AgentSessionError where there is none, or it cannot be read.

    `progress` is told how many sessions are done, and of how many.
    """
    tip = repo.tip(entire.REF) or repo.tip(entire.REMOTE)
    if tip is None:
        raise outside.Unreadable("there is no branch entire/checkpoints/v1 here", hint="fetch it first")
    told = sorted(_sessions(repo, tip), key=lambda t: t.native_id)
    told = [t for t in told if str(t.last.get("created_at", "")) >= since]
    report = Report()
    whole = [t for t in told if t.transcripts and t.agent in entire.JSON_LINES]
    left = {t.native_id for t in told} - {t.native_id for t in whole}
    for agent in sorted({t.agent for t in whole}):
        theirs = [t for t in whole if t.agent == agent]
        left |= _read(repo, theirs, dry, env, report, _counted(progress, len(report.rows), len(told)))
    if gone := len(left & {t.native_id for t in whole}):
        report.said.append(
            f"the agent's records of {term.count(gone, 'session')} are not here, or too large: no answers, no tools"
        )
    _join(report, keep(repo, (_arrival(repo, t) for t in told if t.native_id in left), dry=dry))
    return report


def _counted(progress: Callable[[int, int], None] | None, done: int, total: int) -> importing.Progress | None:
    return None if progress is None else lambda _agent, more, _all: progress(done + more, total)


def _join(report: Report, more: Report) -> None:
    report.rows += more.rows
    report.said += more.said
    report.linked += more.linked


# -- the branch


def _sessions(repo: Repository, tip: str) -> Iterable[Told]:
    folders: dict[tuple[str, str], dict[str, str]] = {}
    for file in foreign.files(repo, tip):
        if match := _FOLDER.fullmatch(file.path):
            folders.setdefault((match[1] + match[2], match[3] or ""), {})[match[4]] = file.blob
    by_checkpoint: dict[str, list[str]] = {}
    for commit, checkpoint in entire.trailers(repo).items():
        by_checkpoint.setdefault(checkpoint, []).append(commit)
    found: dict[str, Told] = {}
    for (checkpoint, n), files in sorted(folders.items()):
        meta = _meta(repo, files.get("metadata.json", ""))
        native = _bare(outside.text(meta.get("session_id")))
        if native:
            told = found.setdefault(native, Told(native))
            _add(told, meta, files, by_checkpoint.get(checkpoint, ()))
            if parts := _parts(files):
                told.transcripts[str(meta["created_at"]), f"{checkpoint}/{n:>4}"] = parts
    for told in found.values():
        told.metas.sort(key=lambda meta: str(meta["created_at"]))
        told.agent = _agent(repo, told)
    return found.values()


def _agent(repo: Repository, told: Told) -> str:
    """The type of a session's agent: as it is named, else Claude Code where the records are in its form."""
    own = outside.table(told.own.get("agent")).get("type")
    named = names.agent_type(own or told.last.get("agent"))
    if named not in _ANY:
        return named
    return "claude-code" if any(_is_claudes(repo, blobs[0]) for blobs in told.blobs) else named


def _user(repo: Repository, told: Told) -> str:
    """Whose session it was: as we wrote it, else the author of its commits where they have one; "" where unknown."""
    authors = set()
    for commit in told.commits:
        try:
            author = repo.commit_at(commit).author
        except ValueError:
            continue
        authors.add(outside.text(f"{author.name} <{author.email}>"))
    return outside.text(told.own.get("user")) or (authors.pop() if len(authors) == 1 else "")


def _is_claudes(repo: Repository, blob: str) -> bool:
    data = foreign.content(repo, blob, _MAX_PART) or b""
    lines = data[:_MAX_META].split(b"\n")[:_FIRST]
    return any(b'"parentUuid":' in line and b'"sessionId":' in line for line in lines)


def _meta(repo: Repository, blob: str) -> Doc:
    data = foreign.content(repo, blob, _MAX_META) if blob else None
    try:
        found = outside.value(data) if data else None
    except outside.Unreadable:
        return {}
    meta = dict(outside.table(found))
    return {**meta, "created_at": moment(meta.get("created_at"))}


def _add(told: Told, meta: Doc, files: Mapping[str, str], commits: Iterable[str]) -> None:
    told.metas.append(meta)
    own = outside.table(meta.get(names.OWN)).get("commit")
    for commit in (*commits, own):
        if isinstance(commit, str) and is_object_id(commit):
            told.commits.setdefault(commit, str(meta["created_at"]))
    if "prompt.txt" in files and files["prompt.txt"] not in told.prompts:
        told.prompts.append(files["prompt.txt"])


def _parts(files: Mapping[str, str]) -> tuple[str, ...]:
    named = sorted(name for name in files if name == "full.jsonl" or re.fullmatch(r"full\.jsonl\.[0-9]{3}", name))
    return tuple(files[name] for name in named)


# -- what an agent's module reads


def _read(
    repo: Repository,
    told: list[Told],
    dry: bool,
    env: Mapping[str, str],
    report: Report,
    progress: importing.Progress | None,
) -> set[str]:
    """Import sessions of one agent by its module, into `report`; returns the ids of those without readable records."""
    with tempfile.TemporaryDirectory(prefix="git-agent-session-") as folder:
        paths = {t.native_id: path for t in told if (path := _unpack(repo, t, folder)) is not None}
        if paths:
            given = tuple(paths.values())
            users = {t.native_id: _user(repo, t) for t in told}
            found = importing.import_sessions(
                repo, told[0].agent, paths=given, dry_run=dry, progress=progress, env=env, cloned=users
            )
            _link_all(repo, found, {t.native_id: t for t in told}, dry)
            _join(report, found)
    return {t.native_id for t in told} - paths.keys()


def _link_all(repo: Repository, report: Report, told: Mapping[str, Told], dry: bool) -> None:
    for row in report.rows:
        one = told.get(row.native_id)
        if one is not None and row.outcome in (IMPORTED, GROWN, KNOWN):
            _link(repo, row, one, report, dry)


def _bare(native_id: str) -> str:
    """The agent's own id: Entire once put the date of the checkpoint before it, so that one session had several."""
    return re.sub(r"^\d{4}-\d\d-\d\d-", "", native_id)


def _unpack(repo: Repository, told: Told, folder: str) -> str | None:
    """Put a session's records into a file of its name; None where they cannot all be read."""
    if not is_event_id(told.native_id):
        return None
    path = os.path.join(folder, f"{told.native_id}.jsonl")
    with open(path, "xb") as f:
        for line in _records(repo, told):
            if line is None:
                return None
            f.write(line + b"\n")
    return path


def _records(repo: Repository, told: Told) -> Iterator[bytes | None]:
    """The lines of all of a session's transcripts, each as often as the one that has it most; None for lost ones.

    Entire's later versions keep in each checkpoint the whole transcript until then, earlier ones what was new. Not to
    know of a part would make a person's lines of the agent's.
    """
    had: Counter[bytes] = Counter()
    room = _MOST_PARTS * _MAX_PART
    for blobs in told.blobs:
        mine: Counter[bytes] = Counter()
        for blob in blobs:
            data = foreign.content(repo, blob, min(room, _MAX_PART))
            if data is None:
                yield None
                return
            for line in data.rstrip(b"\n").split(b"\n"):
                known = hashlib.sha256(line).digest()
                mine[known] += 1
                if mine[known] > had[known]:
                    room -= len(line)
                    yield line
        had |= mine


def _link(repo: Repository, row: Row, told: Told, report: Report, dry: bool) -> None:
    arrival = Arrival(names.ENTIRE, row.session, Agent())
    for commit, at in told.commits.items():
        link(repo, arrival, commit, at)
    # a dry run has not stored what the records prove
    known = {f"commit-{commit}" for commit in row.commits}
    if (tip := repo.tip(f"refs/agent-sessions/{row.session}")) is not None:
        known |= Seen.load(repo.location.shared, repo, row.session, tip).ids
    fresh = [event for event in arrival.events if event.id not in known]
    if fresh and not dry:
        redact = redactor(repo.location, row.session).value
        events = [Event(e.id, e.at, e.kind, redact(e.data)) for e in fresh]
        draining.drain(repo, row.session, draining.Extra(events))
    row.commits += [str(e.data["commit"]) for e in fresh]
    report.linked += [str(e.data["commit"]) for e in fresh]


# -- what is told of the others


def _arrival(repo: Repository, told: Told) -> Arrival:
    own = told.own
    who = outside.table(own.get("agent"))
    ours = own.get("session")
    native = outside.text(who.get("native_id")) if own else told.native_id
    agent = Agent(told.agent, outside.text(who.get("version")), outside.text(who.get("model")), native)
    session = session_id(ours, told.agent, native or told.native_id)
    arrival = Arrival(names.ENTIRE, session, agent, title=outside.text(own.get("title")), user=_user(repo, told))
    at = str(told.metas[0]["created_at"])
    for n, said in enumerate(_prompts(repo, told)):
        arrival.title = arrival.title or said
        name = event_id_from("prompt", told.native_id, str(n), said)
        arrival.add(name, at, "message", {"role": "user", "text": said})
    for n, meta in enumerate(told.metas[-1:] if own else told.metas):
        _usage(arrival, meta, n)
    for meta in told.metas:
        arrival.passes(str(meta["created_at"]))
    for commit, made in told.commits.items():
        link(repo, arrival, commit, made)
    return arrival


def _prompts(repo: Repository, told: Told) -> Iterator[str]:
    seen: set[str] = set()
    for blob in told.prompts[: outside.MOST]:
        data = foreign.content(repo, blob, outside.MAX_LINE) or b""
        for said in data.decode("utf-8", "replace").split(entire.BETWEEN)[:1000]:
            if said.strip() and said not in seen:
                seen.add(said)
                yield said


def _usage(arrival: Arrival, meta: Doc, n: int) -> None:
    tokens = outside.table(meta.get("token_usage"))
    amounts: Doc = {
        "input_tokens": outside.whole(tokens.get("input_tokens")),
        "output_tokens": outside.whole(tokens.get("output_tokens")),
        "cache_read_tokens": outside.whole(tokens.get("cache_read_tokens")),
        "cache_write_tokens": outside.whole(tokens.get("cache_creation_tokens")),
    }
    if any(amounts.values()):
        data = {k: v for k, v in amounts.items() if v}
        name = event_id_from("usage", native_session_id(str(meta.get("checkpoint_id", n)), arrival.session_id))
        arrival.add(name, str(meta["created_at"]), "usage", data)
