"""What a session's chain already holds: the ids of its events and the events that make links.

Draining takes every event exactly once, by id, so it must know all ids without reading the whole chain each time. The
file `<common dir>/agent-session/seen/<id>` keeps them, with the tip they belong to. It is derived and disposable: when
the tip is another, only the new batches are read; when the file is gone, all are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from git_agent_session import codec
from git_agent_session.errors import BrokenSession
from git_agent_session.git.repository import Repository
from git_agent_session.model import Event, Link, fold

LINKING = ("commit", "unlink", "rewrite")


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
        seen.add([event for _, event in chain_events(repo, tip, session_id, until=until)], tip)
        return seen

    def links(self) -> dict[str, Link]:
        """The links in force."""
        return fold("", self.linking).links if self.linking else {}

    def add(self, events: Iterable[Event], tip: str) -> None:
        """Take in the events of newer batches and keep the file in step; failing to write it costs only time."""
        lines = []
        for event in events:
            if event.id not in self.ids:
                self.ids.add(event.id)
                if event.kind in LINKING:
                    self.linking.append(event)
                    lines.append(json.dumps(event.to_dict()))
                else:
                    lines.append(event.id)
        lines.append(f"= {tip}")
        try:
            whole = self.tip is None
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if whole else os.O_APPEND)
            fd = os.open(self.path, flags, 0o600)
            try:
                os.write(fd, "".join(f"{ln}\n" for ln in lines).encode())
            finally:
                os.close(fd)
        except OSError:
            pass
        self.tip = tip

    def _read(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as f:
                lines = f.read().split("\n")
        except (OSError, UnicodeDecodeError):
            return
        # only what a tip closes off is whole
        last = max((i for i, text in enumerate(lines) if text.startswith("= ")), default=-1)
        ids: set[str] = set()
        linking: list[Event] = []
        try:
            for text in lines[: last + 1]:
                if text.startswith("{"):
                    event = Event.from_dict(json.loads(text))
                    ids.add(event.id)
                    linking.append(event)
                elif not text.startswith("= "):
                    ids.add(text)
        except ValueError:
            return
        if last >= 0:
            self.tip, self.ids, self.linking = lines[last][2:], ids, linking


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
