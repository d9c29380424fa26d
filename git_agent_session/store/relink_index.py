"""Which commits are linked to which sessions, by patch id and by author's time: what new commits are compared with.

An SQLite file `<common dir>/agent-session/patches.sqlite`, derived and disposable: a session's rows belong to the tip
that they were read from, so only sessions that have moved are read again. What waits in the journal is added in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from git_agent_session import journal
from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.model import Event, Link, fold
from git_agent_session.store.seen import LINKING, Seen

_VERSION = 1
_TABLES = """
create table session (id text primary key, tip text not null);
create table link (session text not null, row text not null, bare integer not null, "commit" text not null,
                   patch text not null, authored integer not null);
create index link_session on link (session);
create index link_commit on link ("commit");
create index link_patch on link (patch);
create index link_authored on link (authored);
"""

Tick = Callable[[int, int], None]
_Row = tuple[str, str, int, str, str, int]
# past all clocks of a chain
_LATER = 1 << 50


@dataclass(frozen=True, slots=True)
class Linked:
    """A commit linked to a session. `committed` and `authored` are epoch seconds, 0 where the commit is not here.

    `bare`: the session has said that the commit is *not* its own (it was unlinked).
    """

    session_id: str
    commit: str
    patch: str
    authored: int
    at: str
    replaced_by: str
    paths: tuple[str, ...]
    bare: bool = False


class Index:
    """The links of all sessions, to look commits up in."""

    def __init__(self, repo: Repository) -> None:
        self.repo = repo
        self.path = os.path.join(repo.location.shared, "patches.sqlite")
        self._db = _open(self.path)
        self._waiting: dict[str, list[Linked]] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def sync(self, *, seconds: float = float("inf"), tick: Tick | None = None) -> bool:
        """Take in what sessions have linked since the last time; False when `seconds` did not suffice for all.

        Raises StorageError when the file cannot be used.
        """
        try:
            with self._db:
                done = self._sync(seconds, tick)
        except sqlite3.Error as e:
            raise StorageError(f"cannot use {self.path}: {e}", hint="delete that file, it is made anew") from e
        self._overlay()
        return done

    def _sync(self, seconds: float, tick: Tick | None) -> bool:
        deadline = time.monotonic() + seconds
        tips = self.repo.sessions()
        known = dict(self._db.execute("select id, tip from session"))
        for gone in known.keys() - tips.keys():
            self._drop(gone)
        stale = sorted(i for i, tip in tips.items() if known.get(i) != tip)
        done = True
        for number, session_id in enumerate(stale):
            if time.monotonic() > deadline:
                done = False
                break
            if tick:
                tick(number, len(stale))
            rows = self._rows(session_id, tips[session_id])
            self._drop(session_id)
            self._db.executemany("insert into link values (?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("insert into session values (?, ?)", (session_id, tips[session_id]))
        return done

    def _rows(self, session_id: str, tip: str | None, pending: Iterable[Event] = ()) -> list[_Row]:
        try:
            events = [*Seen.load(self.repo.location.shared, self.repo, session_id, tip).linking, *pending]
        except AgentSessionError:
            return []  # a broken session links nothing; the others still count
        rows = [_row(self.repo, session_id, k) for k in fold(session_id, events).links.values()]
        unlinked = {str(e.data.get("commit", "")) for e in events if e.kind == "unlink"}
        return [*rows, *((session_id, "{}", 1, commit, "", 0) for commit in unlinked)]

    def _overlay(self) -> None:
        """Look at what waits in journals. It is not kept: the next time it stands in a ref, or waits still."""
        self._waiting = {}
        for session_id in journal.waiting(self.repo.location.shared):
            pending = journal.read(self.repo.location.shared, session_id).events
            tip = self.repo.tip(SESSIONS + session_id)
            linking = [e for e in pending if e.kind in LINKING]
            if linking and (tip is not None or any(e.kind == "start" for e in pending)):
                later = [replace(e, clock=_LATER + n) for n, e in enumerate(linking)]
                self._waiting[session_id] = [_linked(*row) for row in self._rows(session_id, tip, later)]

    def _drop(self, session_id: str) -> None:
        self._db.execute("delete from link where session = ?", (session_id,))
        self._db.execute("delete from session where id = ?", (session_id,))

    # -- looking up

    def by_commit(self, commit: str) -> list[Linked]:
        """The links of a commit."""
        return self._select('"commit" = ?', commit, lambda row: row.commit == commit)

    def by_patch(self, patch: str) -> list[Linked]:
        """The links of commits that have this patch id."""
        return self._select("patch = ?", patch, lambda row: row.patch == patch) if patch else []

    def by_time(self, authored: int) -> list[Linked]:
        """The links of commits that were authored in this second."""
        return self._select("authored = ?", authored, lambda row: row.authored == authored)

    def all(self) -> list[Linked]:
        """All links."""
        return self._select("1 = ?", 1, lambda row: True)

    def refused(self, session_id: str, commit: str) -> bool:
        """True when somebody has taken the link of this commit to this session back: it must not return."""
        sql = '"commit" = ?'
        rows = self._select(sql, commit, lambda row: row.commit == commit, bare=True)
        return any(row.session_id == session_id for row in rows)

    def has_session(self, session_id: str) -> bool:
        """True when a session is here."""
        return session_id in self._waiting or self.repo.tip(SESSIONS + session_id) is not None

    def _select(
        self, where: str, value: str | int, fits: Callable[[Linked], bool], *, bare: bool = False
    ) -> list[Linked]:
        # `where` is one of the texts above
        sql = f'select session, row, bare, "commit", patch, authored from link where bare = {int(bare)} and {where}'
        found = [_linked(*row) for row in self._db.execute(sql, (value,)) if row[0] not in self._waiting]
        return found + [r for rows in self._waiting.values() for r in rows if r.bare == bare and fits(r)]


def _row(repo: Repository, session_id: str, link: Link) -> _Row:
    facts = repo.commit_facts(link.commit)
    # a link that came by a rewriting has no patch id of its own
    patch = link.patch_id or (repo.changed_paths(link.commit)[1] if facts else "")
    paths = link.paths or (tuple(repo.changed_paths(link.commit)[0]) if facts else ())
    data = {"at": link.at, "replaced_by": link.replaced_by, "paths": list(paths)}
    return session_id, json.dumps(data), 0, link.commit, patch, int(str(facts.get("authored_at", 0)))


def _linked(session_id: str, row: str, bare: int, commit: str, patch: str, authored: int) -> Linked:
    data: Mapping[str, str | list[str]] = json.loads(row)
    paths = tuple(str(p) for p in data.get("paths", ()))
    at, replaced = str(data.get("at", "")), str(data.get("replaced_by", ""))
    return Linked(session_id, commit, patch, authored, at, replaced, paths, bool(bare))


def _open(path: str) -> sqlite3.Connection:
    """The file, made anew where it is damaged or of another version; in memory where it cannot be written."""
    for place in (path, path, ":memory:"):
        try:
            db = sqlite3.connect(place, timeout=5.0)
            version = db.execute("pragma user_version").fetchone()[0]
            if version == _VERSION:
                db.execute("select count(*) from link").fetchone()
                return db
            if version == 0 and not db.execute("select 1 from sqlite_master").fetchone():
                db.executescript(f"begin immediate;{_TABLES}pragma user_version = {_VERSION};commit")
                return db
            db.close()
        except sqlite3.Error:
            pass
        with contextlib.suppress(OSError):
            os.unlink(path)
    raise sqlite3.OperationalError("no SQLite")
