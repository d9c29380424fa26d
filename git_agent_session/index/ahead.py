"""The rows of committed sessions, made from their chains; of many sessions other processes make them ahead.

The first build of an index reads all that there is. Three quarters of the time go into reading, the rest into SQLite:
so processes of this same module read and parse, each its share of the sessions, and the one that asked writes. They
are given lines of `id tip` and answer with a length and the rows of each session, in their order, whose events they
number from 1 on. What they leave unanswered, because a session is broken, or one could not start or was killed, is
read by the one that asked.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from git_agent_session import own_process
from git_agent_session.errors import BrokenSession
from git_agent_session.git.repository import Repository
from git_agent_session.index import rows
from git_agent_session.model import Event, Session, State, fold
from git_agent_session.store.drain import read_state
from git_agent_session.store.order import in_order
from git_agent_session.store.seen import LINKING, chain_events

# sessions for which it pays to start a process
SHARE = 500
# processes: more are faster than SQLite writes
MOST = 4
# bytes that one may be ahead
_PIPE = 1024 * 1024
# sessions that one repository is kept open for: libgit2 keeps what it has read
_OPEN = 100
_LENGTH = 8


def whole(repo: Repository, session_id: str, tip: str) -> rows.Rows:
    """All rows of a session that has nothing in the journal; its events are numbered from 1.

    Raises BrokenSession when its state or any of its events cannot be read.
    """
    session = State(read_state(repo, session_id, tip)).session()
    events = in_order(event for _, event in chain_events(repo, tip, session_id))
    return rows_of(session_id, tip, session, events)


def rows_of(session_id: str, tip: str, session: Session, events: Sequence[Event]) -> rows.Rows:
    """The rows of a session and of all its events."""
    made = rows.event_rows(session_id, events, 1)
    linking = [e for e in events if e.kind in LINKING]
    linked = rows.link_rows(session_id, fold(session_id, linking).links.values() if linking else ())
    made["commits"] = linked["commits"]
    made["files"] = [*made.get("files", ()), *linked["files"]]
    made |= rows.agent_rows(session_id, [e for e in events if e.kind == "agent"])
    made["tags"] = [(tag, session_id) for tag in session.tags]
    made["sessions"] = [rows.session_row(session, tip, "")]
    return made


class Ahead:
    """The processes, and what they have ready: as much as a pipe holds each. `take` the sessions in their order."""

    def __init__(self, repo: Repository, sessions: Sequence[tuple[str, str]]) -> None:
        count = min(MOST, own_process.processors(), len(sessions))
        self.processes = [
            own_process.reader(__name__, repo.location.git_dir, sessions[n::count], subprocess.PIPE, ahead=_PIPE)
            for n in range(count)
        ]
        self._taken = 0

    @property
    def ended(self) -> bool:
        """True when nothing is to be had any more."""
        return not any(self.processes)

    def take(self, session_id: str) -> rows.Rows | None:
        """The rows of the next session; None where it must be read by who asks."""
        whose = self._taken % len(self.processes)
        self._taken += 1
        process = self.processes[whose]
        if process is None or process.stdout is None:
            return None
        found = _read(process.stdout)
        if found is None or found[0] != session_id:
            _end(process)
            self.processes[whose] = None
            return None
        return found[1]

    def end(self) -> None:
        """Leave nothing behind."""
        for process in filter(None, self.processes):
            _end(process)
        self.processes = [None] * len(self.processes)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _read(stream: IO[bytes]) -> tuple[str, rows.Rows | None] | None:
    try:
        head = stream.read(_LENGTH)
        size = int.from_bytes(head, "big")
        data = stream.read(size) if len(head) == _LENGTH else b""
        # cut short: it was killed
        return marshal.loads(data) if data and len(data) == size else None
    except (OSError, EOFError, ValueError, TypeError):
        return None


def main(argv: Sequence[str]) -> None:
    """The other process."""
    (git_dir,) = argv
    # what is made is written and gone: nothing of it goes in circles
    gc.disable()
    repo = Repository.find(git_dir, {"GIT_DIR": git_dir})
    out = sys.stdout.buffer
    for n, line in enumerate(sys.stdin, 1):
        session_id, tip = line.split()
        made = None
        # who asked says what is wrong with one that is broken
        with contextlib.suppress(BrokenSession):
            made = whole(repo, session_id, tip)
        data = marshal.dumps((session_id, made))
        out.write(len(data).to_bytes(_LENGTH, "big") + data)
        if n % _OPEN == 0:
            gc.collect()
            repo = Repository.find(git_dir, {"GIT_DIR": git_dir})
