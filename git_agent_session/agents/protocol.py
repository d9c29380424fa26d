"""What an agent's module gives to capture, and what it makes of one hook call.

A module of an agent reads a payload and says what happened; where that is stored, and what it does to a session, is the
recorder's business. Agent hooks import this on every call, so it loads nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    class Agent(Protocol):
        """One file an agent: the agent's name and how to read what it sends and writes."""

        NAME: str
        HOOKS: tuple[str, ...]

        def folders(self, payload: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
            """The folders a call may belong to, the likeliest first."""

        def began(self, payload: Mapping[str, Any], location: Location) -> bool:
            """True when the agent's session is known in this repository already."""

        def translate(
            self, payload: Mapping[str, Any], env: Mapping[str, str], worktree: str | None = None
        ) -> Capture | None:
            """What a hook call says, or None when it says nothing or is another agent's.

            `worktree` is the folder that paths are made relative to.
            """

        def usage_reader(self, transcript: str, env: Mapping[str, str]) -> UsageReader:
            """What reads tokens and models from a transcript. Raises ValueError for a path that must not be read."""

    class UsageReader(Protocol):
        """Reads what an agent's transcript adds; `memory` is its own between reads: plain JSON values.

        `memory["totals"]` holds amounts by the names of `model.USAGE_KEYS`, `memory["model"]` and `memory["version"]`
        the latest that were seen.
        """

        def read(self, memory: Doc, elsewhere: Elsewhere) -> None:
            """Bring `memory` up to what is on disk now, without what counts elsewhere."""

        def may_grow(self) -> bool:
            """False once the agent that writes the transcript is gone."""

    class Elsewhere(Protocol):
        """What of a transcript belongs to another session: a fork's opens with a copy."""

        def counted(self, key: str, at: str) -> bool:
            """True for a message (by the reader's own key and its time, RFC 3339) that is not this session's."""

        def cost(self, start: int) -> float:
            """What the running total of costs (by the time it started from, ms) had reached before this session."""


class Draft:
    """An event on its way to the journal: the shape of `model.Event`, without the import of dataclasses."""

    __slots__ = ("at", "data", "id", "kind")

    def __init__(self, id: str, at: str, kind: str, data: Doc) -> None:
        self.id = id
        self.at = at
        self.kind = kind
        self.data = data

    def to_dict(self) -> Doc:
        """The event as it is stored."""
        return {"id": self.id, "at": self.at, "kind": self.kind, **self.data}


class Capture:
    """One hook call, understood.

    `begins`: the agent's session starts or goes on here; `prompts`: a person spoke; `ends`: the status to end with, or
    "", with `reason`; `forked`: it starts as a copy of another; `settle`: a good moment for the heavy work; `title`: a
    title for a session that has none; `agent`: what is known of the agent (`version`, `model`); `notes`: what the
    settle step needs, texts of one line.
    """

    __slots__ = (
        *("agent", "at", "begins", "ends", "events", "forked", "native_id", "notes", "prompts", "reason", "settle"),
        "title",
    )

    def __init__(self, native_id: str, at: str) -> None:
        self.native_id = native_id
        self.at = at
        self.events: list[Draft] = []
        self.begins = False
        self.prompts = False
        self.forked = False
        self.ends = ""
        self.reason = ""
        self.settle = False
        self.title = ""
        self.agent: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def add(self, id: str, kind: str, data: Doc) -> None:
        """Add an event; values that are empty are left out."""
        self.events.append(Draft(id, self.at, kind, {k: v for k, v in data.items() if v not in ("", None, [])}))
