"""What a session's chain already holds: the ids of its events and the events that make links.

Draining takes every event exactly once, by id, so it must know all ids without reading the whole chain each time. The
file `<common dir>/agent-session/seen/<id>` keeps them: a line of JSON for each step from one tip to the next. It is
derived and disposable: when the tip is another, only the new batches are read; when the file is gone, all are. Readers
add to it too, and nobody holds a lock: a line counts only on top of the tip that it was made for, and when it is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator

from git_agent_session import codec, live
from git_agent_session.errors import BrokenSession
from git_agent_session.git.repository import Repository
from git_agent_session.model import Doc, Event, Link, fold
from git_agent_session.store.order import in_order

# `lines` says more of a link: read with them, it costs no second way through the chain
LINKING = ("commit", "unlink", "rewrite", "lines")


class Seen:
    """The ids and the linking events of one session up to `tip`."""

    __slots__ = ("ids", "linking", "path", "tip")

    def __init__(self, path: str) -> None:
        self.path = path
        self.tip: str | None = None
        self.ids: set[str] = set()
        self.linking: list[Event] = []

    @classmethod
    def load(cls, shared: str, repo: Repository, session_id: str, tip: str | None) -> Seen:
        """What the chain of `tip` holds, from the file where it is good and from git where it is not."""
        path = os.path.join(shared, "seen", session_id)
        seen = cls(path)
        if tip is None:
            return seen
        seen._read()
        if seen.tip == tip:
            return seen
        until = seen.tip if seen.tip and repo.descends(tip, seen.tip) else None
        if until is None:
            seen = cls(path)
        newer = in_order(event for _, event in chain_events(repo, tip, session_id, until=until))
        if until is not None and any(event.id in seen.ids for event in newer):
            # two chains were joined: of two events with one id the first in order counts, and it may be the newer one
            seen = cls(path)
            newer = in_order(event for _, event in chain_events(repo, tip, session_id))
        seen.add(newer, tip)
        return seen

    def links(self) -> dict[str, Link]:
        """The links in force."""
        return fold("", self.linking).links if self.linking else {}

    def add(self, events: Iterable[Event], tip: str) -> None:
        """Take in the events of newer batches and keep the file in step; failing to write it costs only time."""
        newer: dict[str, Event] = {}
        for event in events:
            if event.id not in self.ids:
                newer.setdefault(event.id, event)
        linking = [e for e in newer.values() if e.kind in LINKING]
        self.ids.update(newer)
        self.linking += linking
        rows = [e.to_dict() for e in linking]
        line = json.dumps({"on": self.tip, "tip": tip, "ids": list(newer), "linking": rows}, separators=(",", ":"))
        with contextlib.suppress(OSError):
            self._write(line)
        self.tip = tip

    def _write(self, line: str) -> None:
        if self.tip is None:
            # a reader makes no folders
            if os.path.isdir(os.path.dirname(self.path)):
                live.replace(self.path, f"{line}\n")
            return
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            # the line before may have been cut short
            os.write(fd, f"\n{line}\n".encode())
        finally:
            os.close(fd)

    def _read(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as f:
                lines = f.read().split("\n")
        except (OSError, UnicodeDecodeError):
            return
        for line in filter(None, lines):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                step = json.loads(line)
                if step["on"] == self.tip:
                    linking = [Event.from_dict(row) for row in step["linking"]]
                    self.ids.update(step["ids"], (e.id for e in linking))
                    self.linking += linking
                    self.tip = step["tip"]


def kept_rows(shared: str, repo: Repository, session_id: str, tip: str | None, kind: str) -> list[Doc]:
    """The linking events of one kind up to `tip`, in order and as they are stored: cheaper than `Seen.load` for many.

    Whoever reads them looks at each value.
    """
    found: list[Doc] = []
    reached = None
    path = os.path.join(shared, "seen", session_id)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError), open(path, "rb") as f:
        for line in filter(bytes.strip, f):
            step = json.loads(line)
            if step["on"] == reached:
                found += [row for row in step["linking"] if row["kind"] == kind]
                reached = step["tip"]
    if reached != tip:
        found = [e.to_dict() for e in Seen.load(shared, repo, session_id, tip).linking if e.kind == kind]
    return found


def chain_events(
    repo: Repository, tip: str | None, session_id: str, *, until: str | None = None
) -> Iterator[tuple[str, Event]]:
    """The events of a chain, each with its batch, the youngest batch first; without those that `until` reaches.

    Raises BrokenSession when any cannot be read.
    """
    batch = tip or ""
    try:
        for batch in repo.chain(tip, until=until) if tip else ():
            data = repo.files(batch, "events.toml").get("events.toml", b"")
            yield from ((batch, event) for event in codec.events_in(data))
    except ValueError as e:
        raise BrokenSession(
            f"session {session_id[:8]}: events.toml of batch {batch[:10]} cannot be read: {e}",
            hint="the other sessions are not affected",
        ) from e
