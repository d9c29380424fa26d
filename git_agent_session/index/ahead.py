"""The rows of committed sessions, made from their chains; of many sessions another process makes them ahead.

The first build of an index reads all that there is. Half of the time goes into TOML, half into SQLite: so a process of
this same module reads and parses, and the one that asked writes. It is given lines of `id tip` and answers with a
length and the rows of each session, in their order. What it leaves unanswered, because a session is broken, or it could
not start or was killed, is read by the one that asked.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

from git_agent_session.errors import BrokenSession
from git_agent_session.git.repository import Repository
from git_agent_session.index import rows
from git_agent_session.model import Event, Session, State, fold
from git_agent_session.store.drain import read_state
from git_agent_session.store.order import in_order
from git_agent_session.store.seen import LINKING, chain_events

# sessions for which it pays to start a process
SHARE = 500
# bytes that it may be ahead
_PIPE = 1024 * 1024
# sessions that one repository is kept open for: libgit2 keeps what it has read
_OPEN = 100
_LENGTH = 8

_BOOT = """import sys
sys.path.insert(0, sys.argv[1])
from git_agent_session.index.ahead import main
main(sys.argv[2], int(sys.argv[3]))"""
_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def whole(repo: Repository, session_id: str, tip: str, first: int) -> rows.Rows:
    """All rows of a session that has nothing in the journal; its events are numbered from `first`.

    Raises BrokenSession when its state or any of its events cannot be read.
    """
    session = State(read_state(repo, session_id, tip)).session()
    events = in_order(event for _, event in chain_events(repo, tip, session_id))
    return rows_of(session_id, tip, session, events, first)


def rows_of(session_id: str, tip: str, session: Session, events: Sequence[Event], first: int) -> rows.Rows:
    """The rows of a session and of all its events."""
    made = rows.event_rows(session_id, events, first)
    linking = [e for e in events if e.kind in LINKING]
    linked = rows.link_rows(session_id, fold(session_id, linking).links.values() if linking else ())
    made["commits"] = linked["commits"]
    made["files"] = [*made.get("files", ()), *linked["files"]]
    made |= rows.agent_rows(session_id, [e for e in events if e.kind == "agent"])
    made["tags"] = [(tag, session_id) for tag in session.tags]
    made["sessions"] = [rows.session_row(session, tip, "")]
    return made


class Ahead:
    """The process, and what it has ready: as much as a pipe holds. `take` the sessions in the order they were given."""

    def __init__(self, repo: Repository, sessions: Sequence[tuple[str, str]], first: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        isolated = "-I" if sys.flags.isolated else "-P"
        git_dir = os.path.abspath(repo.location.git_dir)
        argv = [sys.executable, isolated, "-c", _BOOT, _PACKAGES, git_dir, str(first)]
        with tempfile.TemporaryFile() as given:
            given.write("".join(f"{i} {tip}\n" for i, tip in sessions).encode())
            given.seek(0)
            # where it cannot start, all is read by who asked
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(
                    argv, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=_PIPE, pipesize=_PIPE
                )

    @property
    def ended(self) -> bool:
        """True when nothing is to be had any more."""
        return self._process is None

    def take(self, session_id: str, first: int) -> rows.Rows | None:
        """The rows of the next session, numbered from `first`; None where it must be read by who asks."""
        if self._process is None or self._process.stdout is None:
            return None
        found = _read(self._process.stdout)
        if found is None or found[0] != session_id:
            self.end()
            return None
        # after a session that it left out, numbers may be others than it has thought
        return found[1] if found[1] is not None and _begins(found[1], first) else None

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is None:
            return
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        self._process = None


def _read(stream: IO[bytes]) -> tuple[str, rows.Rows | None] | None:
    try:
        head = stream.read(_LENGTH)
        size = int.from_bytes(head, "big")
        data = stream.read(size) if len(head) == _LENGTH else b""
        # cut short: it was killed
        return marshal.loads(data) if data and len(data) == size else None
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _begins(made: rows.Rows, first: int) -> bool:
    events = made.get("events")
    return not events or events[0][0] == first


def main(git_dir: str, first: int) -> None:
    """The other process."""
    repo = Repository.find(git_dir, {"GIT_DIR": git_dir})
    out = sys.stdout.buffer
    for n, line in enumerate(sys.stdin, 1):
        session_id, tip = line.split()
        made = None
        # who asked says what is wrong with one that is broken
        with contextlib.suppress(BrokenSession):
            made = whole(repo, session_id, tip, first)
            first += len(made["events"])
        data = marshal.dumps((session_id, made))
        out.write(len(data).to_bytes(_LENGTH, "big") + data)
        if n % _OPEN == 0:
            repo = Repository.find(git_dir, {"GIT_DIR": git_dir})
