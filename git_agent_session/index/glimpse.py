"""Which sessions there are, told from files alone: for a shell that completes an id while somebody types.

Opening the repository costs more than all else here together, so it is not opened: the refs are read as the files that
they are, and what sessions are about comes from the index as it was last left. Where that does not know every session,
nothing is said, and whoever asks opens the store.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import NamedTuple

from git_agent_session.git.discover import Location
from git_agent_session.ids import is_session_id

_FOLDER = ("refs", "agent-sessions")
_PACKED = re.compile(rb" refs/agent-sessions/([0-9a-f-]{36})$", re.M)
_ARCHIVE = b" refs/agent-sessions/archive/"
# the index proper, and what lists kept before there was one
_TABLES = (
    "SELECT id, coalesce(nullif(goal, ''), title, ''), status, started_at FROM sessions",
    "SELECT id, coalesce(nullif(json_extract(doc, '$.goal'), ''), json_extract(doc, '$.title'), ''),"
    " coalesce(json_extract(doc, '$.status'), ''), coalesce(json_extract(doc, '$.started_at'), '') FROM excerpt",
)


class Glimpse(NamedTuple):
    """A session as it was last seen: what it is about may be empty."""

    id: str
    about: str
    status: str
    started_at: str


def sessions(location: Location, start: str = "") -> list[Glimpse] | None:
    """The sessions whose ids begin with `start`, the youngest first; None where files do not tell."""
    refs, archived = _refs(location.common_dir)
    rows = _rows(location.shared, start)
    wanted = {i for i in refs if i.startswith(start)}
    if not wanted <= rows.keys():
        return None
    # what is in an archive has no ref
    found = [row for i, row in rows.items() if i in wanted or archived]
    return sorted(found, key=lambda row: (row.started_at, row.id), reverse=True)


def _refs(common: str) -> tuple[set[str], bool]:
    """The ids that have a ref, and whether there are archives."""
    packed = b""
    with contextlib.suppress(OSError), open(os.path.join(common, "packed-refs"), "rb") as f:
        packed = f.read()
    names = {found.decode() for found in _PACKED.findall(packed)}
    with contextlib.suppress(OSError):
        names.update(os.listdir(os.path.join(common, *_FOLDER)))
    archived = _ARCHIVE in packed
    with contextlib.suppress(OSError):
        archived = archived or bool(os.listdir(os.path.join(common, *_FOLDER, "archive")))
    return {name for name in names if is_session_id(name)}, archived


def _rows(shared: str, start: str) -> dict[str, Glimpse]:
    import sqlite3

    path = os.path.join(shared, "index.sqlite")
    found: dict[str, Glimpse] = {}
    # only what is there is read: a shell that completes makes no files
    if not os.path.exists(path) or not set(start) <= set("0123456789abcdef-"):
        return found
    with contextlib.suppress(sqlite3.Error):
        db = sqlite3.connect(path, timeout=0.1)
        try:
            for query in _TABLES:
                with contextlib.suppress(sqlite3.Error):
                    for row in db.execute(f"{query} WHERE id >= ? AND id < ?", (start, f"{start}g")):
                        found.setdefault(str(row[0]), Glimpse(*map(str, row)))
        finally:
            db.close()
    return found
