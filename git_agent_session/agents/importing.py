"""Imports what agents did before this was installed: their own history of this repository becomes sessions.

A session has the id that the agent's hooks would give it and the times at which things happened. One that hooks have
recorded is left alone; one that was imported before gains what is new. Commits are linked where the transcript proves
them (`store.proof`). An imported session is not open: nothing links to it until its agent goes on with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from git_agent_session import journal, live, lock
from git_agent_session.agents import importing_forks as forks
from git_agent_session.agents import payload, recorder, registry
from git_agent_session.agents.importing_find import Candidate, candidates
from git_agent_session.agents.importing_read import Past, Runs, forget
from git_agent_session.agents.importing_report import EMPTY, FAILED, GROWN, IMPORTED, KNOWN, RECORDED, Report, Row, link
from git_agent_session.agents.importing_turns import seconds
from git_agent_session.agents.importing_writes import Folders
from git_agent_session.agents.protocol import Draft, Source
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import event_id_from, is_timestamp, native_session_id, timestamp
from git_agent_session.model import Doc
from git_agent_session.redact.configured import redactor
from git_agent_session.redact.engine import redact_value
from git_agent_session.store import drain as draining
from git_agent_session.store import lookup, proof
from git_agent_session.store.seen import Seen

# seconds without a record after which a session counts as over
QUIET = 3600
# told the agent, how many of its sessions are done, and of how many
Progress = Callable[[str, int, int], None]


def import_sessions(
    repo: Repository,
    agents: str | Sequence[str],
    *,
    paths: Sequence[str] = (),
    since: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
    env: Mapping[str, str] | None = None,
    cloned: Mapping[str, str] | None = None,
) -> Report:
    """Import agents' own sessions of this repository: all that are found, or the transcripts at `paths`.

    `since` (RFC 3339) leaves out those that began before. With `dry_run` nothing is written. `cloned` says that `paths`
    came with this repository, from another clone of it, and whose sessions they are, by the agents' ids. What goes
    wrong with one session stands in its row. Raises UsageError for an agent whose history cannot be read,
    AgentSessionError where the repository cannot be written.
    """
    env = os.environ if env is None else env
    names = [agents] if isinstance(agents, str) else agents
    report = Report()
    shown: dict[str, proof.Evidence] = {}
    for one in [Importing(repo, name, dry_run, env, report, cloned) for name in names]:
        one.run(paths, since, progress)
        shown.update(one.shown)
    # last of all: what two sessions can claim belongs to neither
    link(repo, report, shown, dry=dry_run)
    return report


class Importing:
    """One import of one agent's history."""

    def __init__(
        self,
        repo: Repository,
        name: str,
        dry: bool,
        env: Mapping[str, str],
        report: Report,
        cloned: Mapping[str, str] | None = None,
    ) -> None:
        self.repo = repo
        self.location = repo.location
        self.shared = repo.location.shared
        self.folder = os.path.join(self.shared, recorder.FOLDER)
        self.agent: Any = _load(name)
        self.dry = dry
        self.env = env
        self.runs = Runs(self.folder)
        self.report = report
        self.cloned = cloned
        # what a dry run has read: the evidence of sessions that are not kept
        self.shown: dict[str, proof.Evidence] = {}
        self._opening: dict[str, list[tuple[str, Source]]] = {}
        self._sources: dict[str, Source] = {}

    def run(self, paths: Sequence[str], since: str, progress: Progress | None) -> None:
        """See `import_sessions`."""
        if not self.dry:
            live.prepare(self.shared)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        found, failed = candidates(self.agent, self.location, self.env, paths, cloned=self.cloned is not None)
        self.report.rows += [
            Row(self.agent.NAME, "", "", FAILED, error=f"{path}: {why}") for path, why in failed.items()
        ]
        # what is stored stays where it is: a fork has from it what it copies
        found.sort(key=lambda c: self.repo.tip(SESSIONS + native_session_id(self.agent.NAME, c.native_id)) is None)
        for n, candidate in enumerate(found, 1):
            # a fork looks at what it copies, however old that is
            self._remember(candidate)
            if not since or _began(candidate) >= since:
                self.report.rows.append(self._safely(candidate))
            if progress is not None:
                progress(self.agent.NAME, n, len(found))

    def _remember(self, candidate: Candidate) -> None:
        self._sources[candidate.native_id] = candidate.source

    def _safely(self, candidate: Candidate) -> Row:
        session_id = native_session_id(self.agent.NAME, candidate.native_id)
        row = Row(self.agent.NAME, candidate.native_id, session_id, FAILED)
        try:
            self._import(candidate, row)
        except AgentSessionError as e:
            row.outcome, row.error = FAILED, e.line()
        except (OSError, ValueError) as e:
            row.outcome, row.error = FAILED, str(e)
        self._opening.setdefault(candidate.head.opening, []).append((candidate.native_id, candidate.source))
        return row

    # -- one session

    def _import(self, candidate: Candidate, row: Row) -> None:
        if not candidate.head.opening:
            row.outcome = EMPTY
        elif self.dry:
            self._import_held(candidate, row)
        else:
            # the settle step of a live session has the same lock
            with lock.held(self.shared, f"settle-{row.session}"):
                self._import_held(candidate, row)

    def _import_held(self, candidate: Candidate, row: Row) -> None:
        doc = self._state(row.session)
        known = self._known(row.session)
        if doc is not None and not self._is_ours(row.session, doc, known):
            row.outcome = RECORDED
            return
        past = self._past(candidate, row, doc, known)
        look = _look(candidate)
        if doc is not None and (past.unchanged(look) or past.has_more(candidate.sources)):
            row.outcome = KNOWN
            self._fill(row, doc)
            return
        copied = self._copied(candidate) if "places" not in past.memory else forks.Copied()
        if doc is None:
            past.opening = [self._start(candidate, copied, past)]
        if copied.records:
            past.skip(candidate.source, copied.records)
        past.read(candidate.sources)
        # a record's time may be wrong, and lie in the future
        last = min(seconds(past.turns.last) or candidate.modified, candidate.modified)
        past.finish(quiet=time.time() - last > QUIET, look=look)
        self.runs.add(past.memory)
        row.outcome = IMPORTED if doc is None else GROWN if past.new else KNOWN
        row.prompts, row.tools = past.new.get("prompt", 0), past.new.get("tool", 0)
        if self.dry:
            self.shown[row.session] = past.evidence
            row.started_at, row.ended_at = past.turns.first, past.turns.last if past.status != "active" else ""
            row.title = str(past.start.get("title", "")) if doc is None else str(doc.get("title", ""))
            return
        draining.drain(self.repo, row.session)
        now = self._state(row.session)
        if now is None:
            # it has only begun, and nothing of it is whole yet
            row.outcome = EMPTY
            return
        if doc is None:
            self._settle_in(candidate.native_id, row.session)
        self._fill(row, now)

    def _state(self, session_id: str) -> Doc | None:
        """The state of a session that is known here. What waits in the journal is one that hooks write."""
        if not self.dry and session_id in journal.waiting(self.shared):
            draining.drain(self.repo, session_id)
        tip = self.repo.tip(SESSIONS + session_id)
        if tip is not None:
            return draining.read_state(self.repo, session_id, tip)
        if session_id in journal.waiting(self.shared):
            return {"status": "active"}
        if not self.dry:
            forget(self.folder, session_id)
        return None

    def _known(self, session_id: str) -> set[str]:
        return Seen.load(self.shared, self.repo, session_id, self.repo.tip(SESSIONS + session_id)).ids

    def _is_ours(self, session_id: str, doc: Doc, known: set[str]) -> bool:
        """True for a session that imports alone have written: hooks begin with another start, or a resume."""
        meta = doc.get("meta")
        if not isinstance(meta, dict) or meta.get("source") != "import" or live.is_open(self.shared, session_id):
            return False
        return not any(event_id.startswith("resume-") for event_id in known)

    def _past(self, candidate: Candidate, row: Row, doc: Doc | None, known: set[str]) -> Past:
        state = doc or {
            "id": row.session,
            "status": "active",
            "started_at": candidate.head.at,
            "agent": {"type": self.agent.NAME, "native_id": candidate.native_id},
        }
        redact = redact_value if self.dry else redactor(self.location, row.session).value
        folders = Folders(self.location, candidate.head.folder)
        more: Any = {"runs": self.runs, "modified": candidate.modified, "known": known, "dry": self.dry}
        return Past(self.agent, self.repo, state, redact, self._say, folders=folders, **more)

    def _copied(self, candidate: Candidate) -> forks.Copied:
        older = [s for s in self._opening.get(candidate.head.opening, []) if s[0] != candidate.native_id]
        parent = candidate.head.parent
        if parent in self._sources and parent not in dict(older) and parent != candidate.native_id:
            older.append((parent, self._sources[parent]))
        found = forks.copied(self.agent, candidate.source, older) if older else forks.Copied()
        found.parent = parent or found.parent
        return found

    def _start(self, candidate: Candidate, copied: forks.Copied, past: Past) -> Draft:
        native_id, at = candidate.native_id, candidate.head.at
        prompt = candidate.head.prompt
        if copied.records:
            at, prompt = copied.at or at, copied.prompt
        data: Doc = {
            "agent": {"type": self.agent.NAME, "native_id": native_id},
            "user": self._user(native_id),
            "project": lookup.worktree_name(self.location),
            "title": payload.title(payload.text(prompt)),
            "parent": native_session_id(self.agent.NAME, copied.parent) if copied.parent else "",
            "meta": {"source": "import"},
        }
        past.start = recorder.cut(past.redact({k: v for k, v in data.items() if v}))
        at = at if is_timestamp(at) else _began(candidate)
        return Draft(event_id_from("start", native_id), at, "start", past.start)

    def _user(self, native_id: str) -> str:
        if self.cloned is not None:
            return self.cloned.get(native_id, "")
        return "{} <{}>".format(*self.repo.identity)

    def _settle_in(self, native_id: str, session_id: str) -> None:
        """Let the agent's hooks go on in the session when its user goes on with it."""
        for mark in ("titled", "ended"):
            live.replace(os.path.join(self.folder, f"{session_id}.{mark}"), "")
        live.set_native(self.shared, self.agent.NAME, native_id, session_id)

    def _fill(self, row: Row, doc: Doc) -> None:
        for key in ("title", "started_at", "ended_at"):
            setattr(row, key, str(doc.get(key, "")))

    def _say(self, text: str) -> None:
        if text not in self.report.said:
            self.report.said.append(text)


def _load(name: str) -> Any:
    try:
        agent = registry.load(name)
    except ImportError:
        agent = None
    if agent is None or not all(hasattr(agent, part) for part in ("found", "sources", "items", "kept", "count")):
        raise UsageError(
            f"the history of {name!r} cannot be imported", hint=f"use one of {', '.join(registry.names())}"
        )
    return agent


def _began(candidate: Candidate) -> str:
    """When a session began, RFC 3339; when it was last written where it does not say."""
    at = candidate.head.at
    return at if is_timestamp(at) else timestamp(int(candidate.modified * 1_000_000_000))


def _look(candidate: Candidate) -> Doc:
    """How a transcript's files look: size and time of change of each, and what the agent says of its last change."""
    look: Doc = {"modified": candidate.modified}
    for source in candidate.sources:
        try:
            stat = os.stat(source.path)
            look[source.name] = [stat.st_size, stat.st_mtime_ns]
        except OSError:
            continue  # a part of a database
    return look
