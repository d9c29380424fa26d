"""The last to-do list, or plan, that an agent made with its own tool: read from the transcript that a session holds.

Claude Code has TodoWrite and ExitPlanMode, Codex update_plan, Gemini write_todos, OpenCode todowrite, Cursor and Droid
TodoWrite. What another tool of such a name says is read the same way. Anybody may have written a transcript: what is
not of the right type counts for nothing, and lists have an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session.agents import transcripts
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.errors import SessionNotFound
from git_agent_session.model import Doc
from git_agent_session.store import transcript
from git_agent_session.store.store import Store
from git_agent_session.work import plans

# names without case and signs; the keys under which the list stands, and those of an item's text
_TOOLS = frozenset({"todowrite", "writetodos", "updateplan", "updatetodos", "updatetodolist", "exitplanmode"})
_LISTS = ("todos", "plan", "items", "tasks")
_TEXTS = ("content", "step", "description", "text", "title", "task")
_SIGNS = str.maketrans("", "", "_-. ")
MAX_ITEMS = plans.MAX_ITEMS
# of an item, in characters: all of them together are a plan that is taken
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Todo:
    """What an agent's tool was given last: the tool's name, the items (`text`, `status`), or a text that is a plan."""

    tool: str
    items: tuple[Doc, ...] = ()
    text: str = ""

    @property
    def plan(self) -> str:
        """The plan as Markdown: the text, else the items as a checklist."""
        return self.text or plans.checklist(self.items)


def last(store: Store, session: str | None = None) -> Todo:
    """The last list of a session's own agent, what waits in the journal drained first.

    Raises SessionNotFound where its transcript holds none.
    """
    current = store.get(session)
    store.drain(current.id)
    for chunk in reversed(transcript.transcripts(store, current.id)[""]):
        data = transcript.load(store, current.id, chunk)
        records = list(transcript.records(data)) if data is not None else []
        for record in reversed(records):
            items = transcripts.items_of(current.agent.type, record, Source("", "")) if record is not None else []
            for item in reversed(items):
                if (found := read(item)) is not None:
                    return found
    raise SessionNotFound(
        f"the transcript of session {current.id[:8]} has no to-do list or plan of its agent",
        hint="give a file, or - for standard input",
    )


def read(item: Item) -> Todo | None:
    """What a call of a to-do tool says; None for any other item, and for one that says nothing."""
    name = item.name.rpartition("__")[2].lower().translate(_SIGNS) if isinstance(item.name, str) else ""
    if item.kind != "call" or name not in _TOOLS or not isinstance(item.input, Mapping):
        return None
    given = next((item.input[k] for k in _LISTS if item.input.get(k)), None)
    if isinstance(given, str):
        text = given[: plans.MAX_TEXT]
        return Todo(item.name, text=text) if text.strip() else None
    if not isinstance(given, list):
        return None
    items = tuple(row for thing in given[:MAX_ITEMS] if (row := _row(thing)) is not None)
    return Todo(item.name, items) if items else None


def _row(thing: Any) -> Doc | None:
    if isinstance(thing, str):
        thing = {"text": thing}
    if not isinstance(thing, Mapping):
        return None
    text = next((t for k in _TEXTS if isinstance(t := thing.get(k), str) and t.strip()), "")
    status = thing.get("status")
    return {"text": text[:MAX_TEXT], "status": status if isinstance(status, str) else ""} if text else None
