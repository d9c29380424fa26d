"""Git AI Standard 3.0.0: authorship logs as notes under `refs/notes/ai`.

https://github.com/git-ai-project/git-ai/blob/main/specs/git_ai_standard_v3.0.0.md (Apache 2.0). A note has an
attestation section (files, keys, ranges of lines), a line `---`, and JSON. Written is what is known to be the agent's
alone; a note that Git AI or anybody else has written stays as it is. Read are the keys of all three kinds.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.agents.authorship import AGENT, HUMAN
from git_agent_session.git import foreign
from git_agent_session.git.repository import Repository
from git_agent_session.interchange import names, outside
from git_agent_session.interchange.arrivals import Arrival, Ranges, link, session_id
from git_agent_session.interchange.work import Part, by_commit
from git_agent_session.model import Agent, Doc, Session
from git_agent_session.store.reader import Reader

REF = "refs/notes/ai"
SCHEMA = "authorship/3.0.0"
DIVIDER = "---"

_SESSION_KEY = re.compile(r"(s_[0-9a-f]{7,64})::t_[0-9a-f]{1,64}")
_HUMAN_KEY = re.compile(r"h_[0-9a-f]{7,64}")
_LEGACY_KEY = re.compile(r"[0-9a-f]{7,64}")
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MOST_SPANS = 20_000


@dataclass(slots=True)
class Log:
    """An authorship log: by path the entries (key, ranges), and its metadata."""

    files: dict[str, list[tuple[str, Ranges]]] = field(default_factory=dict)
    metadata: Doc = field(default_factory=dict)

    def text(self) -> str:
        """The note."""
        lines = []
        for path, entries in self.files.items():
            lines.append(f'"{path}"' if path == DIVIDER or any(c.isspace() for c in path) else path)
            lines += [f"  {key} {spans(ranges)}" for key, ranges in entries]
        return "\n".join([*lines, DIVIDER, json.dumps(self.metadata, indent=2, ensure_ascii=False)])


def parse(text: str) -> Log:
    """The log that a note is. Entries that are none are left out. Raises Unreadable for a text that is no log."""
    head, found, rest = f"\n{text}".partition(f"\n{DIVIDER}\n")
    if not found:
        raise outside.Unreadable("the note has no line ---", hint="see docs/interchange.md")
    metadata = outside.value(rest)
    if not isinstance(metadata, dict) or metadata.get("schema_version") != SCHEMA:
        raise outside.Unreadable(f"the note is none of schema {SCHEMA}", hint="only that version is read")
    log, path, room = Log(metadata=metadata), "", _MOST_SPANS
    for row in head.split("\n"):
        row = row.rstrip()
        if row.startswith("  "):
            key, _, said = row[2:].partition(" ")
            ranges = _ranges(said, room) if path else []
            room -= len(ranges)
            if ranges:
                log.files.setdefault(path, []).append((key[:200], ranges))
        elif row:
            path = outside.path(row[1:-1] if len(row) > 1 and row[0] == row[-1] == '"' else row)
    return log


def spans(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges of lines as the standard writes them: `1-4,9`."""
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in sorted(ranges))


def _ranges(said: str, room: int) -> Ranges:
    found: Ranges = []
    for part in said.split(",", room)[:room]:
        match = _SPAN.fullmatch(part)
        if match and 0 < int(match[1]) <= int(match[2] or match[1]):
            found.append((int(match[1]), int(match[2] or match[1])))
    return found


# -- out


def write(reader: Reader, sessions: Iterable[Session]) -> tuple[int, int]:
    """Write the notes of sessions' commits; returns how many are new or other now, and how many are somebody else's.

    Raises StorageError.
    """
    logs = {
        commit: log for commit, parts in by_commit(reader, sessions, whole=True) if (log := _log(commit, parts)).files
    }
    theirs: set[str] = set()
    changes = {commit: functools.partial(_put, commit, log.text(), theirs) for commit, log in logs.items()}
    changed = foreign.change_notes(reader.repo, REF, changes, "authorship of git agent-session") if changes else []
    return len(changed), len(theirs)


def _put(commit: str, text: str, theirs: set[str], before: str) -> str:
    if before and not is_ours(before):
        theirs.add(commit)
        return before
    theirs.discard(commit)
    return text


def is_ours(text: str) -> bool:
    """True for a note that this wrote: each of its sessions says so, and there is nothing else in it."""
    try:
        metadata = parse(text).metadata
    except outside.Unreadable:
        return False
    found = outside.table(metadata.get("sessions"))
    marked = [outside.table(outside.table(row).get("custom_attributes")).get(names.OWN) for row in found.values()]
    return bool(marked) and all(marked) and not metadata.get("prompts") and not metadata.get("humans")


def _log(commit: str, parts: Sequence[Part]) -> Log:
    log, sessions = Log(), {}
    for part in parts:
        key, record = _session(part.session)
        for path in sorted(part.record.files):
            if '"' in path or not path.isprintable():
                continue  # the standard has no way to write it
            for prompt, ranges in sorted(part.ranges(path).items()):
                log.files.setdefault(path, []).append((f"{key}::{_trace(key, commit, prompt)}", ranges))
                sessions[key] = record
    log.metadata = {"schema_version": SCHEMA, "base_commit_sha": commit, "prompts": {}, "sessions": sessions}
    return log


def _session(session: Session) -> tuple[str, Doc]:
    agent = session.agent
    tool, native = names.git_ai_tool(agent.type), agent.native_id or session.id
    key = "s_" + hashlib.sha256(f"{tool}:{native}".encode()).hexdigest()[:14]
    record: Doc = {"agent_id": {"tool": tool, "id": native, "model": agent.model or "unknown"}}
    if session.user:
        record["human_author"] = session.user
    return key, {**record, "custom_attributes": {names.OWN: session.id}}


def _trace(key: str, commit: str, prompt: int) -> str:
    """The trace id of a prompt's edits: unique, and the same whenever the note is written again."""
    return "t_" + hashlib.sha256(f"{key}:{commit}:{prompt}".encode()).hexdigest()[:14]


# -- in


def arrivals(repo: Repository) -> tuple[list[Arrival], list[str]]:
    """The sessions in the notes of commits that are here, and what is wrong with notes. Raises StorageError."""
    found: dict[str, Arrival] = {}
    said: list[str] = []
    for commit, text in foreign.texts(repo, REF):
        if not repo.commit_facts(commit):
            continue
        try:
            log = parse(text)
        except outside.Unreadable as e:
            said.append(f"the note of {commit[:10]}: {e.message}")
            continue
        _take(repo, commit, log, found)
    return list(found.values()), said


def _take(repo: Repository, commit: str, log: Log, found: dict[str, Arrival]) -> None:
    known: dict[str, Arrival] = {}
    for kind in ("sessions", "prompts"):
        for key, row in list(outside.table(log.metadata.get(kind)).items())[: outside.MOST]:
            if isinstance(row, dict) and (arrival := _arrival(row, found)) is not None:
                known[key] = arrival
    humans = outside.table(log.metadata.get("humans"))
    wrote: dict[str, Arrival] = {}
    for path, entries in log.files.items():
        for key, ranges in entries:
            arrival = known.get(_named(key))
            if arrival is not None:
                if arrival.session_id not in wrote and not link(repo, arrival, commit, ""):
                    continue
                wrote[arrival.session_id] = arrival
                arrival.wrote(commit, path, AGENT, ranges)
    for path, entries in log.files.items():
        for key, ranges in entries:
            if _HUMAN_KEY.fullmatch(key) and key in humans:
                for arrival in wrote.values():
                    arrival.wrote(commit, path, HUMAN, ranges)


def _named(key: str) -> str:
    """The key of the record that an attestation names, "" for a person's and for what is no key."""
    if match := _SESSION_KEY.fullmatch(key):
        return match[1]
    return key if _LEGACY_KEY.fullmatch(key) else ""


def _arrival(row: Doc, found: dict[str, Arrival]) -> Arrival | None:
    who: Any = outside.table(row.get("agent_id"))
    native = outside.text(who.get("id"))
    if not native:
        return None
    attributes = outside.table(row.get("custom_attributes"))
    agent = names.agent_type(who.get("tool"))
    own = attributes.get(names.OWN)
    session = session_id(own, agent, native)
    if session not in found:
        model = outside.text(who.get("model"))
        name = Agent(agent, "", "" if model == "unknown" else model, "" if native == session else native)
        meta = {outside.text(k): outside.text(v) for k, v in list(attributes.items())[:20] if k != names.OWN}
        author = outside.text(row.get("human_author"))
        found[session] = Arrival(names.GIT_AI, session, name, user=author, meta={"attributes": meta} if meta else {})
    return found[session]
