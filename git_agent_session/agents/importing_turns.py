"""Makes events of a transcript that nobody watched: what hooks would have said, with the times that it happened at.

Of a turn's answers the last counts, as an agent's own hook gives it. A tool's event comes with the result of its call.
What is still open stands in `memory`, plain JSON values without secrets, so that a later import goes on from there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from git_agent_session.agents import payload, recorder, transcripts
from git_agent_session.agents.importing_writes import Folders, Written, command, paths
from git_agent_session.agents.protocol import Draft, Item, Source
from git_agent_session.ids import event_id_from, is_timestamp, timestamp
from git_agent_session.model import Doc
from git_agent_session.store.proof import Evidence

# calls without a result that are remembered, and subagents
MOST = 1000
_META_BYTES = 64 * 1024


class Turns:
    """The events of one session. `redact` takes secrets out of a value; `evidence` is what proves its commits."""

    def __init__(
        self,
        agent: Any,
        native_id: str,
        memory: Doc,
        redact: Callable[[Any], Any],
        folders: Folders,
        evidence: Evidence,
    ) -> None:
        self.agent = agent
        self.native_id = native_id
        self.memory = memory
        self.redact = redact
        self.folders = folders
        self.evidence = evidence
        self.drafts: list[Draft] = []
        # the time of what has none, and of what comes before all that have one
        self.otherwise = timestamp()
        self._written = Written(folders)
        # what the calls that are open were given: for this process alone, it may hold secrets
        self._given: dict[str, Mapping[str, Any]] = {}

    @property
    def first(self) -> str:
        """The time of the first record, RFC 3339."""
        return str(self.memory.get("first", ""))

    @property
    def last(self) -> str:
        """The time of the last record, RFC 3339."""
        return str(self.memory.get("last", ""))

    def take(self) -> list[Draft]:
        """The events that were found since the last call."""
        self.evidence.first, self.evidence.last = seconds(self.first), seconds(self.last)
        drafts, self.drafts = self.drafts, []
        return drafts

    def see(self, record: Doc, source: Source) -> None:
        """Take in a record. Raises what a module raises on a record that is not as it expects."""
        self._pass(transcripts.stamp(record), source)
        for item in self.agent.items(record, source):
            self._pass(item.at, source)
            if not is_timestamp(item.at):
                item.at = self.last or self.otherwise
            if item.kind == "call":
                self._call(item, source)
            elif item.kind == "result":
                self._result(item, record, source)
            elif not source.name:
                self._say(item)

    def close(self) -> None:
        """Nothing more will come for now: the last answer is the turn's, calls without a result have none."""
        self._answer()
        for call_id in list(self._calls):
            self._tool(call_id, self._calls[call_id], "")
        for name, last in self._inner.items():
            data = {"action": "stop", "agent_id": name, **self._type(name)}
            self.drafts.append(Draft(event_id_from("agent", "stop", self.native_id, name), last, "agent", data))
        self._inner.clear()

    # -- what is open

    @property
    def _calls(self) -> Doc:
        calls: Doc = self.memory.setdefault("calls", {})
        return calls

    @property
    def _inner(self) -> Doc:
        inner: Doc = self.memory.setdefault("inner", {})
        return inner

    def _pass(self, at: str, source: Source) -> None:
        """A moment of the session passes."""
        if is_timestamp(at):
            self.memory["first"] = min(self.first or at, at)
            self.memory["last"] = max(self.last, at)
        if source.name and source.name not in self._inner and len(self._inner) < MOST:
            self.memory.setdefault("types", {}).setdefault(source.name, agent_type(source.path))
            data = {"action": "start", "agent_id": source.name, **self._type(source.name)}
            began = at if is_timestamp(at) else self.last or self.otherwise
            event_id = event_id_from("agent", "start", self.native_id, source.name)
            self.drafts.append(Draft(event_id, began, "agent", data))
            self._inner[source.name] = began
        if source.name in self._inner and is_timestamp(at):
            self._inner[source.name] = at

    def _type(self, name: str) -> Doc:
        found = self.memory.get("types", {}).get(name)
        return {"type": found} if found else {}

    # -- what was said

    def _say(self, item: Item) -> None:
        draft = transcripts.told(_named(item), self.native_id)
        if draft is None:
            return
        draft.data = recorder.cut(self.redact(draft.data))
        if item.kind == "answer":
            self.memory["answer"] = draft.to_dict()
            return
        if item.kind == "prompt":
            self._answer()
        self.drafts.append(draft)

    def _answer(self) -> None:
        row = self.memory.pop("answer", None)
        if isinstance(row, dict):
            data = {k: v for k, v in row.items() if k not in ("id", "at", "kind")}
            self.drafts.append(Draft(row["id"], row["at"], row["kind"], data))

    # -- what was done

    def _call(self, item: Item, source: Source) -> None:
        given = payload.table(item.input)
        data = {
            "name": item.name or "unknown",
            "paths": paths(given, self.folders),
            "summary": payload.summary(given),
            "agent_id": source.name,
        }
        self._calls[item.id] = {"at": item.at, "data": recorder.cut(self.redact(data))}
        self._given[item.id] = given
        if len(self._calls) > MOST:
            oldest = next(iter(self._calls))
            self._tool(oldest, self._calls[oldest], "")

    def _result(self, item: Item, record: Doc, source: Source) -> None:
        call = self._calls.get(item.id)
        if call is None:
            return  # of a call that an earlier import has told
        given = self._given.get(item.id, {})
        began, ended = seconds(call["at"]), seconds(item.at)
        if ran := command(given):
            self.evidence.ran(ran, item.text, began, ended, self.redact)
        if item.outcome in ("", "ok"):
            for path, blob in self._written.by(given, record):
                self.evidence.wrote(path, ended, blob)
        more: Doc = {"duration_ms": payload.whole(item.duration_ms), "outcome": item.outcome or "ok"}
        if item.outcome == "error":
            more["error"] = self.redact(payload.text(item.text, payload.ERROR))
        self._tool(item.id, call, item.at, more)

    def _tool(self, call_id: str, call: Doc, at: str, more: Mapping[str, Any] | None = None) -> None:
        data = {k: v for k, v in {**call["data"], **(more or {})}.items() if v not in ("", None, [])}
        del self._calls[call_id]
        self._given.pop(call_id, None)
        event_id = event_id_from("tool", call_id or call["at"])
        self.drafts.append(Draft(event_id, at or call["at"], "tool", recorder.cut(data)))


def _named(item: Item) -> Item:
    """An item with an id: where an agent gives it none, what it says and when has to do."""
    if not item.id:
        item.id = f"{item.at}-{payload.checksum(item.text)}"
    return item


def agent_type(path: str) -> str:
    """The type of a subagent, which Claude Code keeps beside its transcript (`agent-<id>.meta.json`)."""
    base, ext = os.path.splitext(path)
    try:
        with open(f"{base}.meta.json", encoding="utf-8") as f:
            found = json.loads(f.read(_META_BYTES)) if ext == ".jsonl" else {}
    except (OSError, ValueError, RecursionError):
        return ""
    return payload.word(found.get("agentType")) if isinstance(found, dict) else ""


def seconds(at: str) -> float:
    """A time stamp as seconds since 1970."""
    return datetime.fromisoformat(at).timestamp() if at else 0.0
