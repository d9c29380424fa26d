"""Reads one session of the past into the store: a `Reading` that also makes the events which no hook has made.

What it keeps beside a live session's own memory is `<common dir>/agent-session/capture/<id>.proof`: what the transcript
shows of commits, and how its files looked when it was read last. A live session goes on from the same memory.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from git_agent_session import live
from git_agent_session.agents import tally, transcripts
from git_agent_session.agents.importing_turns import Turns
from git_agent_session.agents.importing_writes import Folders
from git_agent_session.agents.protocol import Draft, Source
from git_agent_session.agents.reading import BROKEN, Elsewhere, Reading
from git_agent_session.agents.transcripts import Chunk
from git_agent_session.git.repository import Repository
from git_agent_session.ids import event_id_from, is_session_id, new_event_id, timestamp
from git_agent_session.model import ACTIVE, END_STATUSES, Doc
from git_agent_session.store.proof import Evidence

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Agent

PROOF = ".proof"
# events after which they are written where no chunk is
EVENTS = 500


class Runs(Elsewhere):
    """What the sessions of one import have counted of an agent's running totals; loaded from disk once for all."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, "", {})
        self._known: dict[int, float] | None = None

    def counted(self, key: str, at: str) -> bool:
        """Nothing is: what a fork has copied is not read."""
        return False

    def cost(self, start: int) -> float:
        """See `Elsewhere.cost`."""
        if self._known is None:
            self._known = {}
            for _, run in self.others() if os.path.isdir(self.folder) else ():
                self._take(run)
        return self._known.get(start, 0.0) if start else 0.0

    def add(self, memory: Doc) -> None:
        """Take in what a session has counted."""
        self._take(memory.get("run"))

    def _take(self, run: Any) -> None:
        if self._known is not None and isinstance(run, dict) and isinstance(run.get("total"), int | float):
            start = run.get("start", 0)
            self._known[start] = max(self._known.get(start, 0.0), float(run["total"]))


class Past(Reading):
    """See above. `opening` is the start event of a session that is not here yet, `known` the ids of events that are
    stored, `modified` when the transcript was last written (seconds since 1970). Nothing is written when `dry`.
    """

    def __init__(
        self,
        agent: Agent,
        repo: Repository,
        doc: Doc,
        redact: Callable[[Any], Any],
        say: Callable[[str], None],
        *,
        folders: Folders,
        runs: Runs,
        modified: float,
        known: Collection[str] = (),
        dry: bool = False,
    ) -> None:
        self.dry = dry
        super().__init__(agent, repo, doc, redact, say)
        self.elsewhere = runs
        self.tally.elsewhere = runs
        self.status = str(doc.get("status", ""))
        self._ended = self.status in END_STATUSES
        self.evidence, self.looks = load_proof(self.folder, self.id)
        open_turns: Doc = self.memory.setdefault("turns", {})
        self.turns = Turns(agent, self.native_id, open_turns, redact, folders, self.evidence)
        self.turns.otherwise = timestamp(int(modified * 1_000_000_000))
        self._known = known
        if "places" not in self.memory and isinstance(doc.get("agent"), dict):
            # the memory is lost: what the session says of its agent need not be said again
            named = {k: doc["agent"][k] for k in ("model", "version") if k in doc["agent"]}
            self.memory.update({"named": named} if named else {})
        self.opening: list[Draft] = []
        # what the start event says
        self.start: Doc = {}
        # how many events of each kind are new
        self.new: dict[str, int] = {}

    # -- reading

    def skip(self, source: Source, records: int) -> None:
        """Pass over the first records, which are a copy: they only say where running totals stood."""
        for n, (record, place) in enumerate(transcripts.reader(self.agent)(source, None), 1):
            with contextlib.suppress(*BROKEN):
                if record is not None:
                    self.agent.count(record, self.tally, source)
            if n == records:
                self.memory.setdefault("places", {})[source.name] = place
                break
        for key in set(tally.KEYS) - {"running", "run"}:
            self.memory.pop(key, None)
        if run := self.memory.get("run"):
            run["usd"] = 0

    def unchanged(self, look: Doc) -> bool:
        """True when nothing was added since the last import: the transcript's files look as they did."""
        return bool(look) and self.looks == look

    def has_more(self, sources: Iterable[Source]) -> bool:
        """True when more was read before than there is now: these files are an older copy."""
        places = self.memory.get("places", {})
        return any(transcripts.shrank(source, places.get(source.name)) for source in sources)

    def finish(self, *, quiet: bool, look: Doc) -> None:
        """All is read that there is. `quiet`: the session is over, as far as it can be told."""
        if quiet:
            self.turns.close()
            self._reopen()
            if self.opening or self.status == ACTIVE:
                last = self.turns.last or self.turns.otherwise
                data = {"status": "completed", "reason": "import"}
                self.turns.drafts.append(Draft(event_id_from("end", self.native_id, last), last, "end", data))
                self.status = "completed"
        # only what is over needs no second look
        self.looks = look if quiet else {}
        self._emit(None)

    def _reopen(self) -> None:
        """Drop what is stored already; where something is left, a session that has ended goes on."""
        self.turns.drafts = [d for d in self.turns.drafts if d.id not in self._known]
        if self.turns.drafts and self._ended:
            at = self.turns.drafts[0].at
            self.turns.drafts.insert(0, Draft(event_id_from("reopen", self.native_id, at), at, "resume", {}))
            self.status, self._ended = ACTIVE, False

    def _take(self, record: Doc, source: Source, chunk: Chunk) -> None:
        if not chunk.lines and len(self.turns.drafts) >= EVENTS:
            self._emit(None)
        try:
            self.turns.see(record, source)
        except BROKEN as e:
            self.say(f"a record of the transcript is passed over: {type(e).__name__}: {e}")
        if not self.dry:
            super()._take(record, source, chunk)

    def _tell(self, record: Doc, source: Source) -> None:
        """The turns tell all there is to tell."""

    # -- writing

    def _emit(self, chunk: Chunk | None) -> None:
        self._reopen()
        at = self.turns.last or self.turns.otherwise
        drafts = [*self.turns.take(), *self._usage()]
        who: Doc = {k: self.memory[k] for k in ("model", "version") if k in self.memory}
        if who and who != self.memory.get("named"):
            drafts.append(Draft(new_event_id(), at, "model", who))
            self.memory["named"] = who
        for draft in drafts:
            # what has no time of its own
            draft.at = at if draft.kind in ("usage", "model") else draft.at
        if drafts or chunk is not None:
            drafts, self.opening = [*self.opening, *drafts], []
        for draft in drafts:
            kind = "prompt" if draft.data.get("role") == "user" else draft.kind
            self.new[kind] = self.new.get(kind, 0) + 1
        if self.dry:
            return
        if chunk is not None and chunk.lines:
            event = chunk.event(self.native_id)
            event.at = chunk.last or at
            self._write(self._chunk_path(event.id), b"".join(chunk.lines))
            self.memory["chunk"] = event.id
            drafts.append(event)
        if drafts:
            self.memory["intent"] = [d.to_dict() for d in drafts]
        self._save()
        self._carry_out(self.memory)

    def _save(self, memory: Doc | None = None) -> None:
        if self.dry:
            return
        if memory is None:
            # before the memory: what is read again is known again
            text = json.dumps({"looks": self.looks, **self.evidence.to_doc()}, separators=(",", ":"))
            live.replace(proof_path(self.folder, self.id), text)
        super()._save(memory)

    def _carry_out(self, memory: Doc) -> None:
        if not self.dry:
            super()._carry_out(memory)


def proof_path(folder: str, session_id: str) -> str:
    """Where the evidence of a session lies."""
    return os.path.join(folder, session_id + PROOF)


def load_proof(folder: str, session_id: str) -> tuple[Evidence, Doc]:
    """The evidence of a session that was imported, and how its files looked; what cannot be read is none."""
    try:
        with open(proof_path(folder, session_id), encoding="utf-8") as f:
            doc = json.load(f)
        return Evidence.from_doc(session_id, doc), dict(doc["looks"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Evidence(session_id), {}


def proofs(folder: str) -> list[str]:
    """The sessions whose evidence lies here."""
    return [
        n.removesuffix(PROOF) for n in live.listed(folder) if n.endswith(PROOF) and is_session_id(n.removesuffix(PROOF))
    ]


def forget(folder: str, session_id: str) -> None:
    """Drop what was kept of a session that is no longer here."""
    for suffix in (".json", PROOF, ".titled", ".ended", ".begun"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, session_id + suffix))
