"""How a session of an agent's history begins, and what of it is a copy: a fork's transcript opens with another's.

A copy keeps the ids of what it copies. What two transcripts share belongs to the older session; a fork is read from
behind the last thing that it shares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from git_agent_session.agents import payload, transcripts
from git_agent_session.agents.protocol import Found, Source
from git_agent_session.agents.reading import BROKEN
from git_agent_session.model import Doc

# records at the start of a transcript in which its first prompt is looked for
RECORDS = 5000
# and those in which the folder is, where an agent names it at all
FOLDER_RECORDS = 60
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FOLDER_KEYS = ("cwd", "directory", "worktree", "projectPath")


class Head:
    """What the start of a transcript says: `at` of its first record, `opening` the id of the first thing said in it,
    `prompt` the first of them, `folder` where the agent was, `parent` the native id of the session that it copies.
    """

    __slots__ = ("at", "folder", "opening", "parent", "prompt")

    def __init__(self) -> None:
        self.at = ""
        self.opening = ""
        self.prompt = ""
        self.folder = ""
        self.parent = ""


def head(agent: Any, source: Source) -> Head:
    """Reads the start of a transcript. Raises OSError."""
    found = Head()
    for n, (record, _) in enumerate(transcripts.reader(agent)(source, None)):
        if n >= RECORDS or (found.prompt and (found.folder or n >= FOLDER_RECORDS)):
            break
        if record is not None:
            _look(agent, record, source, found)
    return found


def _look(agent: Any, record: Doc, source: Source, found: Head) -> None:
    found.folder = found.folder or _folder(record)
    found.parent = found.parent or _parent(record)
    found.at = found.at or transcripts.stamp(record)
    try:
        for item in agent.items(record, source):
            found.at = found.at or item.at
            if item.kind in ("prompt", "answer", "call", "compact", "error", "interrupt"):
                found.opening = found.opening or f"{item.kind}:{item.id}"
            if item.kind == "prompt":
                found.prompt = found.prompt or item.text
    except BROKEN:
        return


def _folder(record: Doc) -> str:
    data = payload.table(record.get("data"))
    for table in (record, payload.table(record.get("payload")), data, payload.table(data.get("context"))):
        for key in _FOLDER_KEYS:
            if isinstance(table.get(key), str) and table[key]:
                return str(table[key])
    return ""


def _parent(record: Doc) -> str:
    """The session that a fork names: Claude Code's `forkedFrom`, Codex's `forked_from_id`, Pi's `parentSession`."""
    named = payload.table(record.get("forkedFrom")).get("sessionId")
    named = named or payload.table(record.get("payload")).get("forked_from_id") or record.get("parentSession")
    uuids = _UUID.findall(named) if isinstance(named, str) else []
    return str(uuids[-1]) if uuids else ""


def in_order(found: Iterable[Found], heads: Mapping[str, Head]) -> list[Found]:
    """The sessions, a copy behind what it copies as far as that is known: else those written last come last."""
    left = sorted(found, key=lambda f: (f.modified, f.native_id))
    names = {f.native_id for f in left}
    done: dict[str, Found] = {}
    while left:
        later = []
        for f in left:
            parent = heads[f.native_id].parent
            if parent in names and parent not in done and parent != f.native_id:
                later.append(f)
            else:
                done[f.native_id] = f
        if len(later) == len(left):
            # they name each other
            done.update((f.native_id, f) for f in left)
            break
        left = later
    return list(done.values())


class Copied:
    """What of a fork's transcript is a copy: `records` of them, `parent` the session (native id) that has them."""

    __slots__ = ("at", "parent", "prompt", "records")

    def __init__(self, parent: str = "", records: int = 0) -> None:
        self.parent = parent
        self.records = records
        self.at = ""
        self.prompt = ""


def copied(agent: Any, source: Source, older: Sequence[tuple[str, Source]]) -> Copied:
    """What the transcript `source` has from those that are `older` (native id and main source). Raises OSError."""
    theirs: dict[int, str] = {}
    for native_id, other in older:
        for key in _keys(agent, other):
            theirs.setdefault(key, native_id)
    found = Copied()
    for n, (record, _) in enumerate(transcripts.reader(agent)(source, None), 1):
        if record is None:
            continue
        shared = next((theirs[k] for k in _keys_of(agent, record, source) if k in theirs), "")
        if shared:
            found = Copied(shared, n)
        else:
            _look_on(agent, record, source, found)
    return found


def _look_on(agent: Any, record: Doc, source: Source, found: Copied) -> None:
    """Take note of where what is not copied begins."""
    if found.records and not (found.at and found.prompt):
        own = Head()
        _look(agent, record, source, own)
        found.at, found.prompt = found.at or own.at, found.prompt or own.prompt


def _keys(agent: Any, source: Source) -> Iterable[int]:
    try:
        for record, _ in transcripts.reader(agent)(source, None):
            if record is not None:
                yield from _keys_of(agent, record, source)
    except OSError:
        return


def _keys_of(agent: Any, record: Doc, source: Source) -> list[int]:
    # hashes: a transcript can have hundreds of thousands of them
    try:
        return [hash((i.kind, i.id)) for i in agent.items(record, source) if i.id]
    except BROKEN:
        return []
