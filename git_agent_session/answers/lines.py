"""The sessions of many commits at once, and who wrote their lines: one look at each note, one at each session.

A session whose commits have no record yet is looked into, once; what is found out is kept in a file of this machine
(`<common git dir>/agent-session/answers/<id>`), good for the tip that it was made from, and disposable.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from git_agent_session import journal, live
from git_agent_session.agents import attribution
from git_agent_session.agents.attribution import Record
from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import is_session_id
from git_agent_session.store import links
from git_agent_session.store.links import Noted
from git_agent_session.store.reader import Reader

# done, all
Progress = Callable[[int, int], None]

# sessions for which it does not pay to load SQLite
FEW = 4

FOLDER = "answers"
# to be raised when `attribution` finds other things in the same events
VERSION = 2


@dataclass(frozen=True, slots=True)
class Author:
    """A session that a commit belongs to, as its note says; `present` where the session is here."""

    session: str
    agent: str
    primary: bool
    present: bool


class Attribution:
    """Looks up the sessions of commits and the verdicts on their lines. It reads each note and each session once.

    `broken` holds what could not be read.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.repo = reader.repo
        self.broken: list[AgentSessionError] = []
        self._notes: dict[str, str] = {}
        self._authors: dict[str, tuple[Author, ...]] = {}
        self._present: dict[str, bool] = {}
        self._records: dict[str, dict[str, Record]] = {}

    @cached_property
    def _waiting(self) -> Mapping[str, list[str]]:
        """The sessions of commits whose link is still in the journal, by commit."""
        found: dict[str, list[str]] = {}
        with contextlib.suppress(OSError):
            for name in os.listdir(journal.folder(self.reader.shared)):
                session_id, _, rest = name.partition(".")
                if rest.endswith(".toml") and is_session_id(session_id):
                    found.setdefault(rest.removesuffix(".toml"), []).append(session_id)
        return found

    def authors(self, commit: str) -> tuple[Author, ...]:
        """The sessions of a commit, the primary one first; none for a person's."""
        if commit not in self._authors:
            if commit not in self._notes:
                self._notes.update(notes.on(self.repo, [commit]))
            found = {n.session_id: n for n in links.parse(self._notes.get(commit, ""))}
            for session_id in self._waiting.get(commit, ()):
                found.setdefault(session_id, Noted(session_id, self.agent(session_id), not found))
            rows = (Author(i, n.agent, n.primary, self.is_here(i)) for i, n in found.items())
            self._authors[commit] = tuple(sorted(rows, key=lambda a: (not a.primary, not a.present, a.session)))
        return self._authors[commit]

    def is_here(self, session_id: str) -> bool:
        """True for a session of this repository, committed or still in the journal."""
        if session_id not in self._present:
            tip = self.repo.tip(SESSIONS + session_id)
            self._present[session_id] = tip is not None or live.is_open(self.reader.shared, session_id)
        return self._present[session_id]

    def agent(self, session_id: str) -> str:
        """The type of a session's agent."""
        try:
            return self.reader.get(session_id).agent.type or "unknown"
        except AgentSessionError:
            return "unknown"

    # -- lines

    def prepare(self, commits: Iterable[str], progress: Progress | None = None) -> None:
        """Find out about all `commits` together: afterwards `record` costs nothing for them.

        `progress` is called with how many of their sessions are read, and how many there are.
        """
        commits = list(commits)
        self.look_at(commits)
        wanted: dict[str, list[str]] = {}
        for commit in commits:
            for author in self.authors(commit):
                if author.present:
                    wanted.setdefault(author.session, []).append(commit)
        if len(wanted) > FEW:
            self.load(wanted)
        for done, (session_id, own) in enumerate(wanted.items()):
            if progress is not None:
                progress(done, len(wanted))
            if missing := [c for c in own if c not in self.kept(session_id)]:
                self._learn(session_id, missing)
        if progress is not None and wanted:
            progress(len(wanted), len(wanted))

    def _learn(self, session_id: str, commits: Collection[str]) -> None:
        """Find out about commits of a session of which it holds no record."""
        try:
            self._records[session_id].update(self._found_out(session_id, commits))
        except (AgentSessionError, ValueError, TypeError, OSError, RecursionError) as e:
            said = f"the lines of session {session_id[:8]} are unknown: {e}"
            self._report(e if isinstance(e, AgentSessionError) else AgentSessionError(said))
            self._records[session_id].update({c: Record(c) for c in commits})

    def look_at(self, commits: Collection[str]) -> None:
        """Read the notes on commits, those together that nobody has looked at yet."""
        self._notes.update(notes.on(self.repo, [c for c in commits if c not in self._notes]))

    def load(self, sessions: Iterable[str], path: str = "") -> None:
        """Read what sessions hold, of those of which an index has it: their chains need not be gone through.

        The verdicts on the lines of `path` are made at once.
        """
        from git_agent_session import index

        late = {i: tip for i in sessions if i not in self._records and (tip := self.repo.tip(SESSIONS + i))}
        # there need be no index
        with contextlib.suppress(StorageError):
            for session_id, rows in index.open(self.reader).committed(late, attribution.KIND).items():
                self._records[session_id] = attribution.recorded(rows)
                for record in self._records[session_id].values() if path else ():
                    record.files.get(path)

    def record(self, session_id: str, commit: str) -> Record:
        """What is known of the lines of a commit of a session that is here."""
        if commit not in self.kept(session_id):
            self.prepare([commit])
        return self._records.get(session_id, {}).get(commit) or Record(commit)

    def kept(self, session_id: str) -> dict[str, Record]:
        """The records that the session itself holds, with those that `prepare` has added."""
        if session_id not in self._records:
            self._records[session_id] = {}
            try:
                self._records[session_id] = attribution.kept(self.reader, session_id)
            except AgentSessionError as e:
                self._report(e)
        return self._records[session_id]

    def _report(self, error: AgentSessionError) -> None:
        if all(error.message != e.message for e in self.broken):
            self.broken.append(error)

    def _found_out(self, session_id: str, commits: Collection[str]) -> dict[str, Record]:
        tip = self.repo.tip(SESSIONS + session_id)
        look = f"{tip} {journal.signature(self.reader.shared, session_id)}"
        cached = self._load(session_id, look)
        late = [c for c in commits if c not in cached]
        if late:
            fresh = attribution.Finder(self.reader, session_id).records(late)
            cached.update({c: fresh.get(c) or Record(c) for c in late})
            self._save(session_id, look, cached)
        return {c: cached[c] for c in commits}

    def _load(self, session_id: str, look: str) -> dict[str, Record]:
        try:
            with open(os.path.join(self.reader.shared, FOLDER, session_id), encoding="utf-8") as f:
                doc: Any = json.load(f)
            if doc["version"] != VERSION or doc["look"] != look:
                return {}
            rows = [Record.from_data(row) for row in doc["records"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return {row.commit: row for row in rows if row is not None}

    def _save(self, session_id: str, look: str, records: Mapping[str, Record]) -> None:
        doc = {"version": VERSION, "look": look, "records": [r.to_data() for r in records.values()]}
        folder = os.path.join(self.reader.shared, FOLDER)
        # it is found out again where it cannot be kept
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            live.replace(os.path.join(folder, session_id), json.dumps(doc))
