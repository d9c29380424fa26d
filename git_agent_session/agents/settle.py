"""The heavy half of capture, in a process of its own: the batch commit, who the user is, tokens and model.

Started at the start of a session, at the end of a turn, after a compaction and at the end. One process at a time works
for a session; one that finds another at work leaves its notes, and the other goes round again. Amounts become events
exactly once: what is about to be written stands in `<common dir>/agent-session/capture/<id>.json` before it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from git_agent_session import journal, live, lock
from git_agent_session.agents import recorder, registry
from git_agent_session.agents.protocol import Draft
from git_agent_session.errors import StorageError
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_session_id, new_event_id, timestamp
from git_agent_session.model import PAUSED, USAGE_KEYS, Doc
from git_agent_session.store import drain as draining
from git_agent_session.store import lookup

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Agent, UsageReader

# seconds after the end at which a transcript is read again: its last lines come late
LATE = (0.4, 0.8, 1.6, 3.0)


def settle(name: str, session_id: str, location: Location, notes: Mapping[str, str]) -> None:
    """Settle one session of the agent `name`. Raises AgentSessionError, OSError; ValueError for an unknown name."""
    agent = registry.load(name)
    if agent is None or not is_session_id(session_id):
        raise ValueError(f"no agent {name!r}, or no session {session_id!r}")
    Settle(agent, session_id, location).run(notes)


class Settle:
    """The settling of one session of one agent."""

    def __init__(self, agent: Agent, session_id: str, location: Location) -> None:
        self.agent = agent
        self.id = session_id
        self.location = location
        self.shared = location.shared
        self.folder = os.path.join(self.shared, recorder.FOLDER)
        self.repo = Repository(location)
        self._said: set[str] = set()

    def run(self, notes: Mapping[str, str]) -> None:
        """Work until nobody has left any more notes. When another process is at it, leave them to that one."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        live.replace(os.path.join(self.folder, f"{self.id}.note.{new_event_id()}"), json.dumps(dict(notes)))
        # once more after letting go: notes that came in between have nobody else
        while self._waiting():
            try:
                with lock.held(self.shared, f"settle-{self.id}", wait=0.0):
                    while names := self._waiting():
                        self._work(self._take(names))
            except StorageError as e:
                if "another process" in e.message:
                    return
                raise

    def _waiting(self) -> list[str]:
        return sorted(n for n in os.listdir(self.folder) if n.startswith(f"{self.id}.note.") and n.count(".") == 2)

    def _take(self, names: Sequence[str]) -> dict[str, str]:
        notes: dict[str, str] = {}
        for name in names:
            path = os.path.join(self.folder, name)
            try:
                with open(path, encoding="utf-8") as f:
                    found = json.load(f)
            except ValueError:
                found = None
            os.unlink(path)
            if isinstance(found, dict):
                notes.update({str(k): str(v) for k, v in found.items()})
        return notes

    def _work(self, notes: Mapping[str, str]) -> None:
        draining.drain(self.repo, self.id)
        doc = self._state()
        if doc is None:
            return  # deleted meanwhile
        events = []
        if "user" not in doc:
            who: Doc = {"user": "{} <{}>".format(*self.repo.identity), "project": lookup.worktree_name(self.location)}
            who = {k: v for k, v in who.items() if k not in doc}
            events.append(Draft(f"identity-{self.id}", timestamp(), "set", who))
        if notes.get("ends") and doc.get("status") == PAUSED:
            events.append(Draft(new_event_id(), timestamp(), "end", {"status": notes["ends"]}))
        if events:
            journal.append(self.shared, self.id, events)
        self._note_trailer()
        memory = self._load(doc)
        if path := notes.get("transcript"):
            memory["transcript"] = path
        self._read(memory, doc)
        if not live.is_open(self.shared, self.id):
            self._read_late(memory, doc)
        draining.drain(self.repo, self.id)

    def _state(self) -> Doc | None:
        tip = self.repo.tip(SESSIONS + self.id)
        return draining.read_state(self.repo, self.id, tip) if tip else None

    def _note_trailer(self) -> None:
        """Write the trailer setting into the live mark, in place: a mark that was taken off must not come back."""
        wanted = "true" if self.repo.config_bool("agentSession.trailer", True) else "false"
        try:
            fd = os.open(os.path.join(self.shared, "live", self.id), os.O_WRONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return
        try:
            os.truncate(fd, os.write(fd, f"{self.agent.NAME}\n{wanted}\n".encode()))
        finally:
            os.close(fd)

    # -- usage

    def _read(self, memory: Doc, doc: Doc) -> None:
        reader = self._reader(memory)
        if reader is None:
            return
        try:
            reader.read(memory, _Elsewhere(self.folder, self.id, doc))
        except OSError as e:
            self._say(f"the transcript cannot be read: {e.strerror}")
        self._emit(memory)

    def _read_late(self, memory: Doc, doc: Doc) -> None:
        began = time.monotonic()
        reader = self._reader(memory)
        for second in LATE:
            if reader is None or self._waiting():
                return
            alive = reader.may_grow()
            if alive:
                time.sleep(max(0.0, began + second - time.monotonic()))
            self._read(memory, doc)
            if not alive:
                return

    def _reader(self, memory: Doc) -> UsageReader | None:
        path = memory.get("transcript")
        if not isinstance(path, str):
            return None
        try:
            return self.agent.usage_reader(path, os.environ)
        except ValueError as e:
            self._say(str(e))
            return None

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            recorder.log(self.shared, f"settle {self.id[:8]}: {text}")

    def _emit(self, memory: Doc) -> None:
        """Record what the totals gained over what is recorded, and a change of model or version; keep the memory."""
        totals, recorded = memory.get("totals", {}), memory.get("recorded", {})
        gained = {k: round(totals.get(k, 0) - recorded.get(k, 0), 6) for k in USAGE_KEYS if k in totals}
        gained = {k: v for k, v in gained.items() if v}
        who: Doc = {k: memory[k] for k in ("model", "version") if k in memory}
        events = [Draft(new_event_id(), timestamp(), "usage", gained)] if gained else []
        if who and who != memory.get("named"):
            events.append(Draft(new_event_id(), timestamp(), "model", who))
        if events:
            memory["intent"] = [e.to_dict() for e in events]
        memory["recorded"], memory["named"] = {**recorded, **{k: totals[k] for k in gained}}, who
        self._save(memory)
        self._carry_out(memory)

    def _carry_out(self, memory: Doc) -> None:
        """Append what was intended. A second time is harmless: the ids are the same."""
        rows = memory.pop("intent", None)
        if isinstance(rows, list) and rows:
            events = []
            for row in rows:
                rest = dict(row)
                events.append(Draft(rest.pop("id"), rest.pop("at"), rest.pop("kind"), rest))
            journal.append(self.shared, self.id, events)
            self._save(memory)

    def _load(self, doc: Doc) -> Doc:
        """The memory of earlier reads, its intent carried out. Lost, it starts from what the session has recorded."""
        try:
            with open(self._path, encoding="utf-8") as f:
                memory = json.load(f)
            if not isinstance(memory, dict):
                raise ValueError("not a table")
        except (OSError, ValueError) as e:
            if not isinstance(e, FileNotFoundError):
                self._say(f"{self._path} cannot be read, so the transcript is read anew: {e}")
            usage = doc.get("usage")
            return {"recorded": dict(usage) if isinstance(usage, dict) else {}}
        self._carry_out(memory)
        return memory

    @property
    def _path(self) -> str:
        return os.path.join(self.folder, f"{self.id}.json")

    def _save(self, memory: Doc) -> None:
        live.replace(self._path, json.dumps(memory, separators=(",", ":")))


class _Elsewhere:
    """See `protocol.Elsewhere`: told by what this repository's other sessions have counted, when there is a doubt.

    The doubtful are messages from before the session's start: it is a fork, or its hooks came later than it.
    """

    def __init__(self, folder: str, session_id: str, doc: Doc) -> None:
        self.folder = folder
        self.id = session_id
        self.since = str(doc.get("started_at", ""))
        self.forked = isinstance(doc.get("meta"), dict) and doc["meta"].get("source") == "fork"
        self._others: list[Doc] | None = None

    def counted(self, key: str, at: str) -> bool:
        """See `protocol.Elsewhere`."""
        if at >= self.since:
            return False
        return self.forked or any(key in memory.get("recent", ()) for memory in self.others())

    def cost(self, start: int) -> float:
        """See `protocol.Elsewhere`. A fork of a session that is not known here counts only what it adds later."""
        costs = [m["cost"] for m in self.others() if isinstance(m.get("cost"), dict)]
        found = [float(cost["total"]) for cost in costs if start and cost.get("start") == start]
        return max(found, default=float("inf") if self.forked else 0.0)

    def others(self) -> list[Doc]:
        """The memories of the other sessions."""
        if self._others is None:
            self._others = []
            for name in os.listdir(self.folder):
                if name.endswith(".json") and name != f"{self.id}.json":
                    with contextlib.suppress(OSError, ValueError):
                        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
                            memory = json.load(f)
                        if isinstance(memory, dict):
                            self._others.append(memory)
        return self._others
