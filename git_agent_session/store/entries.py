"""From what a caller of the API gives to an event: checked, cleaned, redacted, and within bounds, or a UsageError.

Nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from git_agent_session import bounds, codec
from git_agent_session.errors import UsageError
from git_agent_session.ids import is_event_id, is_kind, new_event_id, timestamp
from git_agent_session.model import OWN_KEYS, Agent, Doc, Event
from git_agent_session.redact.engine import redact_value

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
AGENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def event(kind: str, data: Mapping[str, Any], id: str = "", redact: Callable[[Any], Any] = redact_value) -> Event:
    """A new event, now, without secrets. Raises UsageError for a kind, an id, a key or a size that cannot be."""
    if not is_kind(kind):
        raise UsageError(f"{shown(kind)} is no kind of event", hint="use up to 64 letters, digits, . _ - and /")
    if id and not is_event_id(id):
        raise UsageError(f"{shown(id)} is no event id", hint="use up to 200 letters, digits, . _ and -")
    values: Doc = codec.clean_value(redact(table(data, "the data")))
    for key in OWN_KEYS:
        if key in values:
            raise UsageError(f"the data of an event cannot have the key {key!r}", hint="use another name")
    if "meta" in values and bounds.size(values["meta"]) > bounds.MAX_META:
        raise too_much_meta()
    made = Event(id or new_event_id(), timestamp(), kind, values)
    # below this nothing can grow past the limit, whatever it is made of
    if bounds.size(values) > codec.MAX_EVENT // 16 and len(codec.event_block(made)) > codec.MAX_EVENT:
        raise UsageError(
            f"the event is larger than {codec.MAX_EVENT // 1024} KiB", hint="record less, or several events"
        )
    return made


def too_much_meta() -> UsageError:
    """What is said when a session's metadata, or an event's, would be too large."""
    return UsageError(f"the metadata is larger than {bounds.MAX_META // 1024} KiB", hint="keep it in a file of its own")


def table(value: object, what: str) -> Doc:
    """A copy of a mapping; raises UsageError for anything else."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} must be a mapping, not {type(value).__name__}", hint="give a dict")
    return dict(value)


def text(value: object, what: str) -> str:
    """A text as it is; raises UsageError for anything else."""
    if not isinstance(value, str):
        raise UsageError(f"the {what} must be a text, not {type(value).__name__}", hint="give a str")
    return value


def texts(values: object, what: str) -> list[str]:
    """Several texts; raises UsageError for anything else, a single text too."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UsageError(f"{what} must be a list, not {type(values).__name__}", hint="give a list of texts")
    return [text(v, f"list of {what}") for v in values]


def tag(value: str) -> str:
    """A tag; raises UsageError for what cannot be one."""
    cleaned = codec.clean(value, 100).strip()
    if not cleaned or "\n" in cleaned or "," in cleaned:
        raise UsageError(f"{cleaned!r} is no tag", hint="a tag is one line without commas")
    return cleaned


def agent(agent: Agent | str) -> Agent:
    """The agent, or one of the type that is given; raises UsageError for what cannot be one."""
    who = Agent(type=agent) if isinstance(agent, str) else agent
    if not isinstance(who, Agent):
        raise UsageError(f"the agent must be a text or an Agent, not {type(who).__name__}", hint="such as claude-code")
    for key in Agent.__slots__:
        text(getattr(who, key), f"agent's {key}")
    if who.type:
        check(who.type, AGENT, "agent type", "such as claude-code")
    return who


def number(value: object) -> int | float:
    """A finite number within 64 bit; raises UsageError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{shown(value)} is no number", hint="give a finite number such as 12 or 0.5")
    if isinstance(value, int) and not bounds.is_amount(value):
        raise UsageError("the number does not fit into 64 bit", hint="give it in a larger unit")
    if not bounds.is_amount(value):
        raise UsageError(f"{value!r} is no number", hint="give a finite number such as 12 or 0.5")
    return value


def check(value: str, pattern: re.Pattern[str], what: str, example: str) -> None:
    """Raise UsageError for a word that does not fit its pattern, or is empty."""
    text(value, what)
    if not value:
        raise UsageError(f"the {what} is empty", hint=f"use letters, digits, . _ and -, {example}")
    if not pattern.fullmatch(value):
        raise UsageError(f"{codec.clean(value, 60)!r} is no {what}", hint=f"use letters, digits, . _ and -, {example}")


def shown(value: object) -> str:
    """A value that is refused, as its error names it: a text by its start, anything else by its type."""
    return repr(codec.clean(value, 60)) if isinstance(value, str) else type(value).__name__


def the_one(found: Sequence[str], given: str, noun: str, session_id: str) -> str:
    """The id among those that `given` fits; raises UsageError where it fits none or several of a session's."""
    if len(found) == 1:
        return found[0]
    name, where = codec.clean(given, 60), f"session {session_id[:8]}"
    if found:
        raise UsageError(f"{name!r} fits {len(found)} {noun}s of {where}", hint=f"such as {', '.join(found[:3])}")
    raise UsageError(f"there is no {noun} {name!r} in {where}", hint=f"`git agent-session {noun} list` shows them")
