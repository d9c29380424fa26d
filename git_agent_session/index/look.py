"""Which sessions can have changed since the index was refreshed, told without reading 10,000 refs.

How refs and journal look from outside: names, sizes, times and numbers of their files. A file that looks as before is
as before, but for what happens within the clock ticks of a file system: of what was young when it was looked at, no row
is kept, so that it is looked at again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass

from git_agent_session import journal
from git_agent_session.git.archives import ARCHIVES
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import is_session_id

# FAT keeps times to two seconds
UNSETTLED_SECONDS = 2.0

# the number of a file, its size in bytes, its time of change in ns; [] for one that was young
Row = list[int]


@dataclass(frozen=True, slots=True)
class Look:
    """`shared` are the files that tell of many sessions at once, `loose` the refs that have a file of their own.

    `waiting` are the ids of the sessions that had something in the journal.
    """

    shared: dict[str, Row]
    loose: dict[str, Row]
    waiting: tuple[str, ...]

    def to_json(self) -> str:
        """The look as text, to be kept in the index."""
        return json.dumps([self.shared, self.loose, self.waiting], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Look | None:
        """The look in a text of `to_json`, None for any other."""
        with contextlib.suppress(ValueError, TypeError):
            shared, loose, waiting = json.loads(text)
            return cls(dict(shared), dict(loose), tuple(waiting))
        return None

    def changed(self, now: Look) -> set[str] | None:
        """The ids of the sessions that may have changed between two looks; None where it may be any."""
        if self.shared != now.shared or [] in self.shared.values():
            return None
        names = self.loose.keys() | now.loose.keys()
        refs = {n for n in names if self.loose.get(n) != now.loose.get(n) or not self.loose[n]}
        return {n for n in refs if is_session_id(n)}.union(self.waiting, now.waiting)


def look(location: Location) -> Look:
    """How it all looks now."""
    common, now = location.common_dir, time.time_ns()
    shared: dict[str, Row] = {}
    with contextlib.suppress(OSError):
        shared["packed-refs"] = _row(os.stat(os.path.join(common, "packed-refs")), now)
    for name, row in _folder(os.path.join(common, *ARCHIVES.strip("/").split("/")), now).items():
        shared[f"archive/{name}"] = row
    loose = _folder(os.path.join(common, *SESSIONS.strip("/").split("/")), now)
    return Look(shared, loose, tuple(sorted(journal.waiting(location.shared))))


def _row(stat: os.stat_result, now: int) -> Row:
    young = now - stat.st_mtime_ns < UNSETTLED_SECONDS * 1e9
    return [] if young else [stat.st_ino, stat.st_size, stat.st_mtime_ns]


def _folder(path: str, now: int) -> dict[str, Row]:
    found: dict[str, Row] = {}
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                # what is gone meanwhile is seen next time
                with contextlib.suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        found[entry.name] = _row(entry.stat(follow_symlinks=False), now)
    except OSError:
        return {}
    return found
