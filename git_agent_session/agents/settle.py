"""The heavy half of capture, in a process of its own: batches, who the user is, the transcript, commits without hooks.

Started at the start of a session, at the end of a turn, after a compaction and at the end. One process at a time works
for a session; one that finds another at work leaves its notes, and the other goes round again. The transcript is
`reading`'s.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from git_agent_session import journal, live, lock
from git_agent_session.agents import attribution, recorder, registry
from git_agent_session.agents.protocol import Draft
from git_agent_session.agents.reading import Reading
from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_session_id, new_event_id, timestamp
from git_agent_session.model import PAUSED, Doc
from git_agent_session.redact.configured import redactor
from git_agent_session.redact.engine import Redactor
from git_agent_session.store import drain as draining
from git_agent_session.store import evidence, lookup, register

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Agent

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
        self.redactor = Redactor()
        self.redactor = redactor(location, session_id, self._say)

    def run(self, notes: Mapping[str, str]) -> None:
        """Work until nobody has left any more notes. When another process is at it, leave them to that one."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        live.replace(os.path.join(self.folder, f"{self.id}.note.{new_event_id()}"), json.dumps(dict(notes)))
        # once more after letting go: notes that came in between have nobody else
        while self._waiting():
            try:
                with lock.held(self.shared, f"settle-{self.id}", wait=0.0):
                    while names := self._waiting():
                        self._work(self._read(names), names)
                        for name in names:
                            os.unlink(os.path.join(self.folder, name))
            except StorageError as e:
                if "another process" in e.message:
                    return
                raise

    def _waiting(self) -> list[str]:
        return sorted(n for n in os.listdir(self.folder) if n.startswith(f"{self.id}.note.") and n.count(".") == 2)

    def _read(self, names: Sequence[str]) -> dict[str, str]:
        """What the notes say. They go once the work is done: killed in between, the next one finds them again."""
        notes: dict[str, str] = {}
        for name in names:
            path = os.path.join(self.folder, name)
            try:
                with open(path, encoding="utf-8") as f:
                    found = json.load(f)
            except ValueError:
                found = None
            if isinstance(found, dict):
                notes.update({str(k): str(v) for k, v in found.items()})
        return notes

    def _work(self, notes: Mapping[str, str], names: Sequence[str] = ()) -> None:
        draining.drain(self.repo, self.id)
        doc = self._state()
        if doc is None:
            return  # deleted meanwhile
        events = []
        if "user" not in doc:
            who: Doc = {"user": "{} <{}>".format(*self.repo.identity), "project": lookup.worktree_name(self.location)}
            who = {k: v for k, v in who.items() if k not in doc}
            register.note(self.location.common_dir, os.environ)
            events.append(Draft(f"identity-{self.id}", timestamp(), "set", who))
        if notes.get("ends") and doc.get("status") == PAUSED:
            events.append(Draft(new_event_id(), timestamp(), "end", {"status": notes["ends"]}))
        if events:
            journal.append(self.shared, self.id, events)
        self._note_trailer()
        evidence.moved(self.repo, self.id, notes, hooks_off=getattr(self.agent, "HOOKS_OFF", False))
        reading = Reading(self.agent, self.repo, doc, self.redactor.value, self._say)
        sources = reading.sources(notes.get("transcript"))
        reading.read(sources)
        if not live.is_open(self.shared, self.id):
            self._read_late(reading, names)
        draining.drain(self.repo, self.id)
        evidence.settle(self.repo)
        self._attribute()

    def _attribute(self) -> None:
        """Keep who wrote the lines of the commits. It says nothing that could not be found out later."""
        try:
            attribution.keep(self.repo, self.id)
        except (AgentSessionError, ValueError, OSError) as e:
            self._say(f"the lines of its commits are not attributed: {e}")

    def _read_late(self, reading: Reading, names: Sequence[str]) -> None:
        """Look again for a while after the end: a transcript's last lines come late."""
        began = time.monotonic()
        for second in LATE:
            if set(self._waiting()) - set(names):
                return
            alive = _may_write(self.agent, os.environ)
            if alive:
                time.sleep(max(0.0, began + second - time.monotonic()))
            reading.read(reading.sources())
            if not alive:
                return

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

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            # an error may quote a record
            recorder.log(self.shared, f"settle {self.id[:8]}: {self.redactor.text(text)}")


def _may_write(agent: object, env: Mapping[str, str]) -> bool:
    """False once the agent that writes the transcript is gone for sure."""
    pid = env.get(getattr(agent, "PID", "") or "-", "")
    if not pid.isdecimal() or os.name == "nt":
        return True  # on Windows signal 0 is control-C
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
