"""Reads what was fetched, before any of it becomes a session here: sizes first, then state and events.

A thousand sessions take a second. Of so many, other processes of this same module check a part each: they are given
lines of `id tip`, and answer with a line of JSON for each that may be taken in. What one of them leaves unanswered,
because it is refused, or the process could not start or was killed, is checked here.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from git_agent_session import bounds, codec, live, own_process
from git_agent_session.errors import AgentSessionError, BrokenSession
from git_agent_session.git import joining, many
from git_agent_session.git.repository import Damaged, Repository
from git_agent_session.model import Doc, Event
from git_agent_session.store import known_form
from git_agent_session.store.drain import document_in
from git_agent_session.store.seen import LINKING

# to be raised when what is refused changes: what was refused before is then looked at anew
RULES = "1"
# no honest clock comes near; above it there would be no room for the events that follow
MAX_CLOCK = 2**52
MAX_STATE = 4 * 1024 * 1024
# tables or arrays in one batch: each takes a hundred times the memory of its bracket
MAX_TABLES = 1_000_000
# sessions for which it pays to start a process, and how many of those at most
SHARE = 500
PROCESSES = 8
# from so many on git is asked for them all; so many are looked at side by side
FEW = 20
_WINDOW = 100

# bytes of what is known of refused sessions
_MAX_REFUSED = 16 * 1024 * 1024

_LIMITS = {"session.toml": MAX_STATE, "events.toml": codec.MAX_DOCUMENT}


@dataclass(frozen=True, slots=True)
class Checked:
    """A fetched tip that can be taken in: `linking` are the events that make or take back links, of the batches that
    `ours` does not have; `joins` says that one of those joins two chains.
    """

    theirs: str
    ours: str | None
    linking: tuple[Event, ...]
    agent: str
    joins: bool


def checked(repo: Repository, tips: Mapping[str, str]) -> Iterator[tuple[str, Checked | AgentSessionError]]:
    """Check sessions that are not here yet (id -> tip), each by itself: what may be taken in, or why not.

    What was refused once is not read again, until its tip moves or the rules do.
    """
    known = _refused(repo.location.shared)
    refused = {i: known[i] for i, tip in tips.items() if i in known and known[i]["tip"] == tip}
    for session_id, doc in refused.items():
        yield session_id, BrokenSession(doc["error"], hint=doc["hint"])
    for session_id, found in _fresh(repo, [row for row in tips.items() if row[0] not in refused]):
        yield session_id, found
        # objects that are not there may come yet
        if isinstance(found, AgentSessionError) and not isinstance(found.__cause__, Damaged):
            why = {"error": found.message, "hint": found.hint}
            refused[session_id] = {"id": session_id, "tip": tips[session_id], **why}
    if refused != known:
        _refuse(repo.location.shared, refused)


def _refused(shared: str) -> dict[str, Doc]:
    """What was refused the last time, by session."""
    try:
        with open(_path(shared), encoding="utf-8") as f:
            rules, *lines = f.read(_MAX_REFUSED).splitlines()
        docs = [json.loads(line) for line in lines] if rules == RULES else []
        return {doc["id"]: doc for doc in docs if all(map(doc.get, ("tip", "error", "hint")))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _refuse(shared: str, refused: Mapping[str, Doc]) -> None:
    lines = [RULES, *(json.dumps(doc) for doc in refused.values())]
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(_path(shared)), mode=0o700, exist_ok=True)
        live.replace(_path(shared), "\n".join(lines) + "\n")


def _path(shared: str) -> str:
    return os.path.join(shared, "sync", "refused")


def _fresh(repo: Repository, rows: list[tuple[str, str]]) -> Iterator[tuple[str, Checked | AgentSessionError]]:
    count = max(1, min(own_process.processors(), PROCESSES, len(rows) // SHARE))
    mine, *others = (rows[n::count] for n in range(count))
    helpers = [Helper(repo, part) for part in others]
    try:
        yield from _all(repo, mine)
        for helper in helpers:
            yield from helper.found()
    finally:
        for helper in helpers:
            helper.end()


def _all(repo: Repository, rows: list[tuple[str, str]]) -> Iterator[tuple[str, Checked | AgentSessionError]]:
    """Check sessions in this process: what is not as it should be is looked at once more by itself, for its reason."""
    if len(rows) < FEW:
        yield from ((session_id, _one(repo, session_id, tip)) for session_id, tip in rows)
        return
    with many.Batches(repo, _LIMITS) as batches:
        for start in range(0, len(rows), _WINDOW):
            looks = [_Look(session_id, tip, None) for session_id, tip in rows[start : start + _WINDOW]]
            _read_all(batches, looks)
            for look in looks:
                yield look.session_id, look.checked() or _one(repo, look.session_id, look.theirs)


def _read_all(batches: many.Batches, looks: list[_Look]) -> None:
    waiting = [(look, look.theirs) for look in looks]
    while waiting:
        further: list[tuple[_Look, str]] = []
        for (look, _), batch in zip(waiting, batches.read([tip for _, tip in waiting]), strict=True):
            if batch is None:
                look.failed = True
            elif not look.failed:
                further += ((look, parent) for parent in look.add(batch))
        waiting = [row for row in further if not row[0].failed]


def _one(repo: Repository, session_id: str, tip: str) -> Checked | AgentSessionError:
    try:
        return check(repo, session_id, tip, None)
    except AgentSessionError as e:
        return e


class Helper:
    """A process that checks some of the sessions. It talks by files, so that neither waits for the other."""

    def __init__(self, repo: Repository, rows: list[tuple[str, str]]) -> None:
        self._repo = repo
        self._rows = rows
        self._out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # without one, its part is done here
        self._process = own_process.reader(__name__, repo.location.git_dir, rows, self._out)

    def found(self) -> Iterator[tuple[str, Checked | AgentSessionError]]:
        """What became of each session, once it has ended."""
        answers = self._answers()
        for session_id, tip in self._rows:
            answer = answers.get(session_id)
            yield session_id, _heard(tip, answer) if answer else _one(self._repo, session_id, tip)

    def _answers(self) -> dict[str, Doc]:
        if self._process is None:
            return {}
        self._process.wait()
        self._out.seek(0)
        found = {}
        for line in self._out:
            try:
                doc = json.loads(line)
                found[doc["id"]] = doc
            except (ValueError, KeyError, TypeError):
                continue  # cut short: it was killed
        return found

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._out.close()


def _heard(tip: str, doc: Doc) -> Checked:
    return Checked(tip, None, tuple(map(Event.from_dict, doc["linking"])), doc["agent"], doc["joins"])


def _answer(session_id: str, found: Checked) -> Doc:
    linking = [event.to_dict() for event in found.linking]
    return {"id": session_id, "linking": linking, "agent": found.agent, "joins": found.joins}


def main(argv: Sequence[str]) -> None:
    """The other process."""
    (git_dir,) = argv
    # it makes no rings, and ends soon
    gc.disable()
    repo = Repository.find(git_dir, {"GIT_DIR": git_dir})
    rows = [(session_id, tip) for session_id, tip in (line.split() for line in sys.stdin)]
    for session_id, found in _all(repo, rows):
        if isinstance(found, Checked):
            print(json.dumps(_answer(session_id, found)), flush=True)


def check(repo: Repository, session_id: str, theirs: str, ours: str | None) -> Checked:
    """Read every batch of `theirs` that `ours` does not have. Raises BrokenSession when any cannot be taken in."""
    look = _Look(session_id, theirs, ours)
    try:
        for batch in joining.batches(repo, theirs, ours, _LIMITS):
            look.read(batch)
        return look.done()
    except ValueError as e:
        raise _broken(session_id, str(e)) from e


class _Look:
    """What is found out of one session, batch by batch, the latest first."""

    __slots__ = ("_clock", "_highest", "_joins", "_linking", "_seen", "agent", "failed", "ours", "session_id", "theirs")

    def __init__(self, session_id: str, theirs: str, ours: str | None) -> None:
        self.session_id = session_id
        self.theirs = theirs
        self.ours = ours
        self.agent = ""
        # that it cannot be taken in, or cannot be read so quickly
        self.failed = False
        self._linking: list[Event] = []
        self._seen = {theirs}
        self._clock = -1
        self._highest = 0
        self._joins = False

    def add(self, batch: joining.Batch) -> list[str]:
        """Read a batch; returns those of its parents that were not met yet."""
        try:
            self.read(batch)
        except ValueError:
            self.failed = True
            return []
        fresh = [parent for parent in dict.fromkeys(batch.parents) if parent not in self._seen]
        self._seen.update(fresh)
        return fresh

    def read(self, batch: joining.Batch) -> None:
        """Raises ValueError where it cannot be taken in."""
        if self._clock < 0:
            self._clock, self.agent = _state(self.session_id, batch)
        self._joins = self._joins or len(batch.parents) > 1
        self._highest = max(self._highest, _links_in(batch, self._linking))

    def checked(self) -> Checked | None:
        """The same; None where it cannot be taken in, or has failed."""
        try:
            return None if self.failed else self.done()
        except ValueError:
            return None

    def done(self) -> Checked:
        """What all batches come to. Raises ValueError where it cannot be taken in."""
        clock = max(0, self._clock)
        if self._highest > MAX_CLOCK or clock > MAX_CLOCK:
            raise ValueError(f"its clock leaves no room ({max(self._highest, clock)})")
        if self._highest > clock:
            raise ValueError("its state is older than its events")
        return Checked(self.theirs, self.ours, tuple(self._linking), self.agent, self._joins)


def _state(session_id: str, batch: joining.Batch) -> tuple[int, str]:
    """The clock and the type of the agent of the state in a batch."""
    data = batch.files.get("session.toml")
    if data is None:
        raise ValueError("it has no session.toml")
    doc = document_in(data, session_id)
    # only what is asked for is made sane: whoever reads the state makes all of it so
    state = bounds.sane({key: doc[key] for key in ("clock", "agent") if key in doc})
    return state.get("clock", 0), str(state.get("agent", {}).get("type", ""))


def _links_in(batch: joining.Batch, linking: list[Event]) -> int:
    """Add the events of a batch that make or take back links to `linking`; returns the highest clock of all."""
    data = batch.files.get("events.toml", b"")
    if data.count(b"{") > MAX_TABLES or data.count(b"[") > 2 * MAX_TABLES:
        raise ValueError(f"events.toml of batch {batch.id[:10]} has more than {MAX_TABLES} tables")
    if known := known_form.read(data):
        linking += known[1]
        return known[0]
    highest = 0
    try:
        for row in codec.event_rows(data):
            highest = max(highest, Event.check(row))
            if row["kind"] in LINKING:
                linking.append(Event.from_dict(row))
    except (ValueError, TypeError, AttributeError, RecursionError) as e:
        raise ValueError(f"events.toml of batch {batch.id[:10]} cannot be read: {e}") from e
    return highest


def _broken(session_id: str, why: str) -> BrokenSession:
    return BrokenSession(
        f"session {session_id[:8]} of the remote is not taken in: {why}",
        hint="tell whoever pushed it; the other sessions are not affected",
    )
