"""Reads the values of a hook's payload: whatever an agent sends, what comes out is bounded, plain and of one type.

Agent hooks import this on every call: standard library only, and little of it.
"""

from __future__ import annotations

import os
from binascii import crc32

from git_agent_session.agents.protocol import Capture
from git_agent_session.codec import clean
from git_agent_session.ids import event_id_from, is_timestamp, new_event_id, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# characters; the recorder cuts to these once secrets are out
TEXT = 256 * 1024
SUMMARY = 2 * 1024
ERROR = 1024
PATH = 1024
TITLE = 120

PATH_KEYS = ("file_path", "notebook_path", "path", "filePath", "absolute_path")
SUMMARY_KEYS = (
    *("command", "cmd", "pattern", "query", "url", "skill", "description", "subject", "subagent_type", "prompt"),
)


def begin(native_id: str, transcript: object, at: str = "") -> Capture:
    """A capture of the agent's own session, with the path of its transcript where one is named."""
    capture = Capture(native_id, at or timestamp())
    if isinstance(transcript, str) and 0 < len(transcript) < 4096 and transcript.isprintable():
        capture.notes["transcript"] = transcript
    return capture


def absolute(*folders: object) -> list[str]:
    """Those of `folders` that are absolute paths."""
    return [f for f in folders if isinstance(f, str) and os.path.isabs(f) and "\x00" not in f]


def text(value: object, limit: int = TEXT) -> str:
    """`value` without control characters; "" when it is no text.

    Twice as long as `limit` at most: what a cut would halve must still be known as a secret. The recorder cuts to
    `limit` (by the key that it stands under) once secrets are out.
    """
    return clean(value, 2 * limit) if isinstance(value, str) and value else ""


def word(value: object, limit: int = 200) -> str:
    """A name of the agent's own, such as an id or a model; "" when it is none."""
    return " ".join(clean(value, limit).split()) if isinstance(value, str) and len(value) <= limit else ""


def whole(value: object) -> int | None:
    """A whole number from 0 on that JSON holds exactly, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        return None
    return int(value)


def instant(value: object) -> str:
    """`value` when it is a moment in the form that events have (`ids.timestamp`); "" when it is none."""
    return value if isinstance(value, str) and is_timestamp(value) else ""


def table(value: object) -> Mapping[str, Any]:
    """`value` when it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def filled(**values: str) -> dict[str, str]:
    """Those of `values` that are not empty."""
    return {k: v for k, v in values.items() if v}


def prose(value: object) -> str:
    """`value` as it is when it is a text of more than white space; "" when it is none."""
    return value if isinstance(value, str) and value.strip() else ""


def blocks(content: object) -> list[Mapping[str, Any]]:
    """The blocks of a message's content in the form of Anthropic's service: a text, or a list of blocks."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def plain(content: object) -> str:
    """The texts among the blocks of a message's content, one below the other."""
    texts = [b.get("text") for b in blocks(content) if b.get("type") == "text"]
    return "\n".join(t for t in texts if isinstance(t, str))


def title(prompt: str) -> str:
    """What a session is called after its first prompt: the first line of it, to be shortened once secrets are out."""
    return " ".join(prompt.strip().partition("\n")[0].split())


def shorten(title: str) -> str:
    """A title that is not too long."""
    return title if len(title) <= TITLE else title[: TITLE - 1].rstrip() + "…"


def checksum(said: str) -> str:
    """8 hex digits that tell one text from another."""
    return f"{crc32(said.encode('utf-8', 'replace')):08x}"


def turn_id(what: str, turn: str, said: str) -> str:
    """The event id of what a turn says: a turn can carry several texts, and without an id every text is a new one."""
    return event_id_from(what, turn, checksum(said)) if turn else new_event_id()


def tool_id(call: object, *more: str) -> str:
    """The event id of a tool's call by the agent's own id of it; a new one where it has none."""
    used = word(call)
    return event_id_from("tool", used, *more) if used else new_event_id()


def prompt(capture: Capture, event_id: str, said: str) -> None:
    """A person said this to the agent."""
    capture.prompts = True
    capture.title = title(said)
    capture.add(event_id, "message", {"role": "user", "text": said})


def answer(capture: Capture, event_id: str, said: str) -> None:
    """The agent said this."""
    capture.add(event_id, "message", {"role": "assistant", "text": said})


def paths(given: Mapping[str, Any], worktree: str | None, keys: Iterable[str] = PATH_KEYS) -> list[str]:
    """The paths that a tool was given, relative to the worktree, each once."""
    return located((p for key in keys if isinstance(p := given.get(key), str) and p), worktree)


def located(found: Iterable[str], worktree: str | None) -> list[str]:
    """Paths relative to the worktree, each once."""
    return list(dict.fromkeys(text(relative(p, worktree), PATH) for p in found if "\x00" not in p))


def summary(given: Mapping[str, Any], keys: Iterable[str] = SUMMARY_KEYS) -> str:
    """What a tool was asked, in a line or a few."""
    return next((s for key in keys if (s := text(given.get(key), SUMMARY))), "")


def relative(path: str, worktree: str | None) -> str:
    """`path` from the worktree's top; outside of it from the home folder, whose name is not for others."""
    if not os.path.isabs(path):
        return path
    path = os.path.normpath(path)
    for top, mark in ((worktree, ""), (os.path.expanduser("~"), "~/")):
        for base in dict.fromkeys((top, os.path.realpath(top))) if top and top != os.sep else ():
            if path == base:
                return mark.rstrip("/") or "."
            if path.startswith(base.rstrip(os.sep) + os.sep):
                return (mark + path[len(base.rstrip(os.sep)) + 1 :]).replace(os.sep, "/")
    return path


# words of a reason that make an end no normal one
_END_STATUS = (
    *(("error", "error"), ("crash", "error"), ("fail", "error")),
    *(("interrupt", "aborted"), ("abort", "aborted"), ("cancel", "aborted")),
)


def end(capture: Capture, reason: object) -> None:
    """The agent's session ends, for `reason`."""
    capture.settle = True
    capture.reason = word(reason) or "other"
    capture.ends = next((status for part, status in _END_STATUS if part in capture.reason.lower()), "completed")


def session_end(capture: Capture, payload: Mapping[str, Any], worktree: str | None) -> None:
    """The handler of a hook that says nothing but that the session ends, and the `reason`."""
    end(capture, payload.get("reason"))


def patched(patch: str) -> list[str]:
    """The paths that a patch in `apply_patch`'s form adds, changes or moves to (`*** Update File: PATH`)."""
    found = []
    for line in patch.splitlines():
        head, _, path = line.partition(": ")
        if head in ("*** Add File", "*** Update File", "*** Move to") and path:
            found.append(path.strip())
    return list(dict.fromkeys(found))
