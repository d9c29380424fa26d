"""The reading of one session's transcript into the session: chunks, tokens and costs, and what no hook spoke of.

Exactly once, whatever dies when: what is about to be written stands in `<common dir>/agent-session/capture/<id>.json`,
with the places up to which each file was read, before it is; the text of a chunk lies beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from git_agent_session import journal, live
from git_agent_session.agents import payload, recorder, tally, transcripts
from git_agent_session.agents.protocol import Draft, Source
from git_agent_session.agents.transcripts import Chunk
from git_agent_session.errors import BrokenSession
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import event_id_from, is_event_id, new_event_id, timestamp
from git_agent_session.model import TOKENS, Doc, Event
from git_agent_session.store import drain as draining
from git_agent_session.store.seen import chain_events

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Agent

# what a module makes of a record that is not what it expects
BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)


class Reading:
    """See above. `doc` is the session's state, `redact` takes secrets out of a value, `say` logs a line."""

    def __init__(
        self,
        agent: Agent,
        repo: Repository,
        doc: Doc,
        redact: Callable[[Any], Any],
        say: Callable[[str], None],
    ) -> None:
        self.agent: Any = agent
        self.repo = repo
        self.id = str(doc["id"])
        self.redact = redact
        self.say = say
        self.shared = repo.location.shared
        self.folder = os.path.join(self.shared, recorder.FOLDER)
        self.elsewhere = Elsewhere(self.folder, self.id, doc)
        self.native_id = _native_id(doc) or self.id
        mode = (repo.config("agentSession.transcript") or transcripts.FULL).lower()
        self.mode = mode if mode in transcripts.MODES else transcripts.FULL
        self.images = repo.config_bool("agentSession.images", False)
        self.memory = self._load(doc)
        self.tally = tally.Tally(self.memory, self.elsewhere)
        self.told: list[Draft] = []
        self.titled = bool(doc.get("title"))
        # the record at hand is in a chunk already
        self.is_stored = False

    def sources(self, path: str | None = None) -> list[Source]:
        """The files of the transcript at `path` (default: where it was last time); none where it may not be read."""
        if path:
            self.memory["transcript"] = path
        path = self.memory.get("transcript")
        if not isinstance(path, str) or not hasattr(self.agent, "sources"):
            return []
        try:
            return list(self.agent.sources(path, os.environ))
        except ValueError as e:
            self.say(str(e))
            return []

    def read(self, sources: list[Source]) -> None:
        """Take in what was added to the files since the last time."""
        places = self.memory.setdefault("places", {})
        changed = {s.name for s in sources if transcripts.shrank(s, places.get(s.name))}
        if changed:
            # all are counted anew, but only what is another file is stored anew
            self.memory["stored"] = {k: v for k, v in places.items() if k not in changed}
            for key in ("places", *tally.KEYS):
                self.memory.pop(key, None)
        for source in sources:
            self._read(source)
        self._emit(None)
        self._sweep()

    def _read(self, source: Source) -> None:
        places = self.memory.setdefault("places", {})
        chunk = Chunk(source, places.get(source.name))
        stored = self.memory.get("stored", {}).get(source.name)
        for record, place in self._records(source, chunk.start):
            self.is_stored = isinstance(place, int) and isinstance(stored, int) and place <= stored
            chunk.end = place
            if record is not None:
                self._take(record, source, chunk)
            places[source.name] = place
            if chunk.full:
                self._emit(chunk)
                chunk = Chunk(source, place)
        if chunk.lines:
            self._emit(chunk)

    def _records(self, source: Source, start: Any) -> Iterator[tuple[Doc | None, Any]]:
        """The records of a file as far as it can be read. Errors of writing are not caught here: they must be heard."""
        try:
            yield from transcripts.reader(self.agent)(source, start)
        except FileNotFoundError:
            return  # the first hooks come before the file
        except OSError as e:
            self.say(f"the transcript cannot be read: {e.strerror or e}")

    def _take(self, record: Doc, source: Source, chunk: Chunk) -> None:
        try:
            self.agent.count(record, self.tally, source)
            at = transcripts.stamp(record)
            if self.elsewhere.copied(at):
                return
            if not source.name:
                self._tell(record, source)
            kept = None if self.mode == transcripts.NONE else transcripts.stored(self.agent, record, source, self.mode)
            if kept is not None and not self.is_stored:
                kept = kept if self.images else transcripts.without_images(kept)
                chunk.add(transcripts.line(kept, self.redact), at)
        except BROKEN as e:
            self.say(f"a record of the transcript is passed over: {type(e).__name__}: {e}")

    def _tell(self, record: Doc, source: Source) -> None:
        tells = getattr(self.agent, "TELLS", ())
        for item in self.agent.items(record, source) if tells else ():
            if item.kind in tells and (draft := transcripts.told(item, self.native_id)) is not None:
                draft.data = recorder.cut(self.redact(draft.data))
                self.told.append(draft)
                if item.kind == "prompt" and not self.titled:
                    # the id that the recorder gives it, where a hook speaks of prompts
                    data = recorder.cut(self.redact({"title": payload.title(item.text)}))
                    self.told.append(Draft(event_id_from("title", self.native_id), draft.at, "set", data))
                    self.titled = True

    # -- exactly once

    def _emit(self, chunk: Chunk | None) -> None:
        """Record what was read: a chunk, what it told, what the totals gained, a change of model or version."""
        events = [*self.told, *self._usage()]
        self.told = []
        who: Doc = {k: self.memory[k] for k in ("model", "version") if k in self.memory}
        if who and who != self.memory.get("named"):
            events.append(Draft(new_event_id(), timestamp(), "model", who))
            self.memory["named"] = who
        if chunk is not None and chunk.lines:
            # a source is named after a file
            event = chunk.event(self.native_id, str(self.redact(chunk.source.name)))
            self._write(self._chunk_path(event.id), b"".join(chunk.lines))
            self.memory["chunk"] = event.id
            events.append(event)
        for draft in events:
            draft.data = self.redact(draft.data)
        if events:
            self.memory["intent"] = [e.to_dict() for e in events]
        self._save()
        self._carry_out(self.memory)

    def _usage(self) -> list[Draft]:
        """What the totals gained over what is recorded: an event for each model, the cost in the last."""
        recorded, lost = self.memory.setdefault("recorded", {}), self.memory.get("lost", {})
        rows: list[Doc] = []
        for model, amounts in self.tally.totals.items():
            known = recorded.get(model, {})
            gained = {k: n - known.get(k, 0) for k, n in amounts.items()}
            for key in gained.keys() & lost.keys():
                # recorded before the memory was lost, of whatever model
                old = max(0, min(gained[key], lost[key]))
                gained[key], lost[key] = gained[key] - old, lost[key] - old
            recorded[model] = {k: amounts[k] for k in TOKENS if k in amounts}
            if any(gained.values()):
                rows.append({**({"model": model} if model else {}), **{k: n for k, n in gained.items() if n}})
        cost = self._cost()
        if cost:
            rows = rows or [{}]
            rows[-1].update(cost)
        return [Draft(new_event_id(), timestamp(), "usage", row) for row in rows]

    def _cost(self) -> Doc:
        out: Doc = {}
        now = self.tally.cost_usd
        if gained := round(now - self.memory.get("recorded_usd", 0), 6):
            out = {"cost_usd": gained, "by": self.tally.cost_by}
            self.memory["recorded_usd"] = now
        if self.tally.unpriced != self.memory.get("said_unpriced", []):
            out["unpriced"] = self.memory["said_unpriced"] = self.tally.unpriced
        return out

    def _carry_out(self, memory: Doc) -> None:
        """Store what was intended. A second time is harmless: the ids are the same."""
        rows, chunk = memory.get("intent"), memory.get("chunk")
        if isinstance(rows, list) and rows:
            events = [Event.from_dict(row) for row in rows]
            files = self._chunk(str(chunk)) if is_event_id(chunk) else {}
            if files:
                draining.drain(self.repo, self.id, draining.Extra(events, files))
                os.unlink(self._chunk_path(str(chunk)))
            elif events := [e for e in events if e.id != chunk]:
                # a chunk whose text is gone has been stored
                journal.append(self.shared, self.id, events)
        if memory.pop("intent", None) or memory.pop("chunk", None):
            memory.pop("chunk", None)
            self._save(memory)

    def _load(self, doc: Doc) -> Doc:
        """The memory of earlier reads, its intent carried out. Lost, it starts from what the session has recorded."""
        try:
            with open(self._path, encoding="utf-8") as f:
                memory = json.load(f)
            if not isinstance(memory, dict) or "files" in memory:
                raise ValueError("it is not of this version")
        except (FileNotFoundError, ValueError) as e:
            if not isinstance(e, FileNotFoundError):
                self.say(f"{self._path} cannot be used, so the transcript is read anew: {e}")
            usage = doc.get("usage")
            lost = dict(usage) if isinstance(usage, dict) else {}
            return {"recorded_usd": lost.pop("cost_usd", 0), "lost": lost, "stored": self._stored()}
        # what goes wrong here is no loss of memory: the next time carries it out
        self._carry_out(memory)
        return memory

    def _stored(self) -> Doc:
        """How far each file stands in the session's chunks: what comes before is counted again, and not stored."""
        places: Doc = {}
        with contextlib.suppress(BrokenSession):
            for _, event in chain_events(self.repo, self.repo.tip(SESSIONS + self.id), self.id):
                to, source = event.data.get("to"), str(event.data.get("source", ""))
                if event.kind == "transcript" and isinstance(to, int):
                    places[source] = max(to, places.get(source, 0))
        return places

    def _sweep(self) -> None:
        """Drop what processes that were killed have left half-written."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return
        for name in names:
            path = os.path.join(self.folder, name)
            half = name.startswith((f"{self.id}.json.", f"{self.id}.note.")) and name.count(".") > 2
            orphan = name.startswith(f"{self.id}.") and name.endswith(".chunk")
            with contextlib.suppress(OSError):
                if (half or orphan) and os.stat(path).st_mtime < time.time() - 60:
                    os.unlink(path)

    def _chunk(self, event_id: str) -> dict[str, bytes]:
        try:
            with open(self._chunk_path(event_id), "rb") as f:
                return {f"transcript/{event_id}.jsonl": f.read()}
        except FileNotFoundError:
            return {}

    @property
    def _path(self) -> str:
        return os.path.join(self.folder, f"{self.id}.json")

    def _chunk_path(self, event_id: str) -> str:
        return os.path.join(self.folder, f"{self.id}.{event_id}.chunk")

    def _write(self, path: str, data: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with open(fd, "wb") as f:
            f.write(data)

    def _save(self, memory: Doc | None = None) -> None:
        live.replace(self._path, json.dumps(self.memory if memory is None else memory, separators=(",", ":")))


def _native_id(doc: Doc) -> str:
    agent = doc.get("agent")
    return str(agent.get("native_id", "")) if isinstance(agent, dict) else ""


class Elsewhere:
    """What of a transcript belongs to another session of this repository: a fork's opens with a copy.

    The doubtful are messages from before the session's start: it is a fork, or its hooks came later than it.
    """

    def __init__(self, folder: str, session_id: str, doc: Doc) -> None:
        self.folder = folder
        self.id = session_id
        self.since = str(doc.get("started_at", ""))
        self.forked = isinstance(doc.get("meta"), dict) and doc["meta"].get("source") == "fork"
        self._others: list[tuple[frozenset[int], Any]] | None = None

    def copied(self, at: str) -> bool:
        """True for a record (by its time, RFC 3339) that a fork has copied from the session that it was made from."""
        return self.forked and "" < at < self.since

    def counted(self, key: str, at: str) -> bool:
        """True for a message (by the reader's own key and its time, RFC 3339) that is not this session's."""
        if at >= self.since:
            return False
        return self.forked or any(hash(key) in keys for keys, _ in self.others())

    def cost(self, start: int) -> float:
        """What the running total of costs (by the time it started from) had reached before this session.

        A fork of a session that is not known here counts only what it adds later.
        """
        costs = [run for _, run in self.others() if isinstance(run, dict)]
        found = [float(cost["total"]) for cost in costs if start and cost.get("start") == start]
        return max(found, default=float("inf") if self.forked else 0.0)

    def others(self) -> list[tuple[frozenset[int], Any]]:
        """Of the memories of the other sessions, which may be hundreds: the requests (by hash) and the run of costs."""
        if self._others is None:
            self._others = []
            for name in os.listdir(self.folder):
                if name.endswith(".json") and name != f"{self.id}.json":
                    with contextlib.suppress(OSError, ValueError):
                        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
                            memory = json.load(f)
                        if isinstance(memory, dict) and isinstance(recent := memory.get("recent", {}), dict):
                            self._others.append((frozenset(map(hash, recent)), memory.get("run")))
        return self._others
