"""What an agent's module gives to capture: one module an agent, of functions and data, most of them optional.

A module reads what its agent sends and writes and says what happened; where that is stored, and what it does to a
session, is the recorder's and the settle step's business. Agent hooks import this on every call, so it loads nothing,
and an agent's module loads what it needs for the rest only in the functions that need it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Protocol

    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]
    Env = Mapping[str, str]

    class Agent(Protocol):
        """What every agent's module has: its names and how its hook calls read."""

        NAME: str
        """As `enable` takes it and as it is stored: `claude-code`."""
        TITLE: str
        """As people call it: `Claude Code`."""

        def native_id(self, payload: Payload) -> str:
            """The agent's own session id in a hook's payload, "" when there is none."""

        def is_own(self, payload: Payload, env: Env) -> bool:
            """True when this agent made the call: told by payload and environment, never by which hook was run."""

        def folders(self, payload: Payload, env: Env) -> list[str]:
            """The folders a call may belong to, the likeliest first; absolute paths."""

        def translate(self, payload: Payload, env: Env, worktree: str | None = None) -> Capture | None:
            """What a call of its own says, None when it says nothing. Never raises on content.

            `worktree` is the folder that paths are made relative to. Texts are bounded here (`payload.text`) and freed
            of secrets by the recorder, before they are written anywhere.
            """

    class Installable(Protocol):
        """An agent whose hooks `enable` can install."""

        def setup(self) -> Setup:
            """Where its settings are and what goes into them."""

    class Resumable(Protocol):
        """An agent that can take up an earlier session."""

        def resume(self, native_id: str) -> list[str]:
            """The command, as arguments, that does."""

    class Recorded(Protocol):
        """An agent that keeps transcripts.

        A module without `read` has transcripts of JSON lines that grow at their end; see `transcripts.json_lines`.
        """

        TELLS: tuple[str, ...]
        """The kinds of items that become events while it runs, since no hook speaks of them: `error`, `interrupt`."""

        def sources(self, path: str, env: Env) -> list[Source]:
            """The files of the session whose transcript is at `path`, the main one first, then those of subagents.

            Raises ValueError when `path` does not lie in the agent's own folder.
            """

        def read(self, source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
            """The records after `place` (a plain JSON value, None at first), each with the place after it.

            A record that cannot be read, or that is not wanted for sure, comes as None. Raises OSError.
            """

        def kept(self, record: Doc, source: Source) -> Doc | None:
            """What of a record is stored: without what the harness wrote for itself; None for all of it."""

        def items(self, record: Doc, source: Source) -> Iterable[Item]:
            """What a record (or what `kept` left of it) says, in every agent's terms."""

        def count(self, record: Doc, tally: Tally, source: Source) -> None:
            """Give the tokens, cost, model and version in a record to `tally`, by the agent's own counting rules."""

    class Importable(Protocol):
        """An agent whose earlier sessions can be found."""

        def found(self, location: Location, env: Env) -> Iterator[Found]:
            """Its own sessions that worked in this repository (any of its worktrees), in any order."""

    class Tally(Protocol):
        """Adds up what `count` finds: see `tally.Tally`."""

        def message(self, key: str, at: str, model: str, tokens: Mapping[str, int]) -> None:
            """One request: counted once by `key`, the last amounts win. `tokens` by the names of `model.USAGE_KEYS`:
            `input_tokens` without what the cache gave or took, `output_tokens` with reasoning."""

        def total(self, model: str, tokens: Mapping[str, int]) -> None:
            """Running totals of the session, where an agent gives these instead of single requests."""

        def cost(self, key: str, at: str, usd: float) -> None:
            """What the agent itself says that a request cost; once by `key`, the last wins."""

        def total_cost(self, usd: float, start: int) -> None:
            """The agent's own running total of costs, and when it began (any number that tells runs apart)."""

        def name(self, *, model: str = "", version: str = "") -> None:
            """The model that answers and the agent's version, as last seen."""


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
    "", with `reason`; `forked`: it starts as a copy of another, `parent`: whose own id this is, where it is said;
    `settle`: a good moment for the heavy work; `title`: a title for a session that has none; `agent`: what is known of
    the agent (`version`, `model`); `wrote`: the paths that a tool wrote, as the agent named them; `shell`: "before" or
    "after" a command in the agent's shell, with `command` and, afterwards, `output`; `notes`: what the settle step
    needs, texts of one line, `transcript` (a path) above all.
    """

    __slots__ = (
        *("agent", "at", "begins", "command", "ends", "events", "forked", "native_id", "notes", "output", "parent"),
        *("prompts", "reason", "settle", "shell", "title", "wrote"),
    )

    def __init__(self, native_id: str, at: str) -> None:
        self.native_id = native_id
        self.at = at
        self.events: list[Draft] = []
        self.begins = False
        self.prompts = False
        self.forked = False
        self.parent = ""
        self.ends = ""
        self.reason = ""
        self.settle = False
        self.title = ""
        self.agent: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.wrote: list[str] = []
        self.shell = ""
        self.command = ""
        self.output = ""

    def add(self, id: str, kind: str, data: Doc) -> None:
        """Add an event; values that are empty are left out."""
        self.events.append(Draft(id, self.at, kind, {k: v for k, v in data.items() if v not in ("", None, [])}))


class Source:
    """One file of a transcript: `name` is "" for the session's own, else the subagent's id; `path` where it lies."""

    __slots__ = ("name", "path")

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path


class Item:
    """One thing that a transcript says.

    `kind`: `prompt` (what a person asked), `answer`, `thinking`, `call` (of a tool: `name`, `input`), `result` (of the
    call with the same `id`: `text`, `outcome` ok | error | interrupted, `duration_ms`), `compact` (`text` is the
    summary), `model` (`name`), `error`, `interrupt`. `id` is the agent's own, unique in the session and the same on
    every read; `at` RFC 3339 in UTC, "" where the record has no time.
    """

    __slots__ = ("at", "duration_ms", "id", "input", "kind", "name", "outcome", "text")

    def __init__(
        self,
        kind: str,
        id: str,
        at: str,
        text: str = "",
        *,
        name: str = "",
        input: Mapping[str, Any] | None = None,
        outcome: str = "",
        duration_ms: int | None = None,
    ) -> None:
        self.kind = kind
        self.id = id
        self.at = at
        self.text = text
        self.name = name
        self.input = input or {}
        self.outcome = outcome
        self.duration_ms = duration_ms


class Found:
    """A session of an agent's own history: its id, its transcript, when it was last written (seconds since 1970)."""

    __slots__ = ("modified", "native_id", "path")

    def __init__(self, native_id: str, path: str, modified: float) -> None:
        self.native_id = native_id
        self.path = path
        self.modified = modified
