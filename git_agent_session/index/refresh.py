"""Bringing the index up to date: sessions whose tip or journal changed, and of those the new batches alone.

What a session's chain gained is taken in by event id. Where two chains were joined and the newer batches repeat an id,
or where the old tip is not reachable any more, the session is read anew. What waits in the journal is marked so, and
replaced whenever the journal looks different.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session import journal
from git_agent_session.errors import BrokenSession, StorageError
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.index import database, rows, schema
from git_agent_session.index.ahead import SHARE, Ahead
from git_agent_session.model import Doc, Event, Session, State, fold
from git_agent_session.store.drain import read_state, unseen
from git_agent_session.store.order import in_order
from git_agent_session.store.reader import Reader
from git_agent_session.store.seen import LINKING, chain_events

# done, all
Progress = Callable[[int, int], None]
# a session as the index has it: the tip, and what its journal looked like
Seen = tuple[str, str]

# rows of events in a transaction: what a kill costs, and what others wait for
CHUNK = 20_000
# sessions between two words about the progress
PART = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A session as it is now. `look` is taken before the events, so that what comes in between makes it differ."""

    id: str
    tip: str
    look: str
    pending: Sequence[Event] = ()


class Refresher:
    """One run. The caller holds the lock, and has prepared `db`; `search` is False without a full text index."""

    def __init__(self, store: Reader, db: sqlite3.Connection, search: bool, most: int | None = None) -> None:
        self.store = store
        self.repo = store.repo
        self.db = db
        self.search = search
        self.most = most
        self.sessions = 0
        self.events = 0
        self.broken: list[BrokenSession] = []
        self._ahead: Ahead | None = None
        self._key = int(db.execute("SELECT coalesce(max(key), 0) FROM events").fetchone()[0])

    def run(self, among: Collection[str] | None, progress: Progress | None = None) -> None:
        """Take in all that changed; `among` are the sessions that may have, None for any.

        Raises StorageError where these are more than `most`.
        """
        known, tips, waiting = self._both(among)
        changed = [i for i, tip in tips.items() if i not in waiting and known.get(i) != (tip, "")]
        changed = [*self._by_age(changed, tips), *sorted(i for i in waiting if self._differs(i, tips, known.get(i)))]
        gone = known.keys() - tips.keys() - waiting
        if self.most is not None and len(changed) + len(gone) > self.most:
            raise StorageError("the index is not up to date", hint="`git agent-session index` brings it up to date")
        fresh = [i for i in changed if i not in known and i not in waiting]
        if len(fresh) >= SHARE:
            self._build(fresh, tips, progress, anew=len(fresh) > len(known))
            taken = set(fresh)
            changed, progress = [i for i in changed if i not in taken], None
        for done, part in self._parts(changed, progress):
            if done > PART:
                # libgit2 keeps what it has read, and would keep a quarter of a gigabyte
                self.repo = Repository(self.store.repo.location)
            self._take(part, tips, known)
            if progress is not None:
                progress(done, len(changed))
        if gone:
            with database.transaction(self.db):
                for session_id in gone:
                    self._forget(session_id)
            self.sessions += len(gone)

    def _build(self, ids: list[str], tips: Mapping[str, str], progress: Progress | None, *, anew: bool) -> None:
        """Take in many sessions of which the index knows none, other processes reading ahead.

        With `anew`, where most of the index is to be made, its indexes are made at the end.
        """
        search = self.search
        if anew:
            database.begin_build(self.db)
            self.search = False
        self._ahead = Ahead(self.repo, [(i, tips[i]) for i in ids])
        try:
            for done, part in self._parts(ids, progress):
                if done > PART and self._ahead.ended:
                    self.repo = Repository(self.store.repo.location)
                self._take(part, tips, {})
                if progress is not None:
                    # that it is not all is true: the indexes are still to be made
                    progress(min(done, len(ids) - 1), len(ids))
        finally:
            self._ahead.end()
            self._ahead = None
        if anew:
            self.search = database.end_build(self.db) and search
        if progress is not None:
            progress(len(ids), len(ids))

    def _both(self, among: Collection[str] | None) -> tuple[dict[str, Seen], dict[str, str], set[str]]:
        """Sessions as the index has them, the tips as they are, and which have something in the journal."""
        query = "SELECT id, tip, journal FROM sessions"
        waiting = journal.waiting(self.store.shared)
        if among is None:
            rows_ = self.db.execute(query).fetchall()
            tips = self.repo.sessions()
        else:
            rows_ = [row for i in among for row in self.db.execute(f"{query} WHERE id = ?", (i,))]
            looked = {i: self.repo.tip(SESSIONS + i) for i in among}
            tips = {i: tip for i, tip in looked.items() if tip is not None}
        return {i: (tip, look) for i, tip, look in rows_}, tips, waiting

    def _differs(self, session_id: str, tips: Mapping[str, str], known: Seen | None) -> bool:
        return known is None or known != (tips.get(session_id, ""), self._look(session_id))

    def _look(self, session_id: str) -> str:
        return json.dumps(journal.signature(self.store.shared, session_id))

    def _by_age(self, ids: list[str], tips: Mapping[str, str]) -> list[str]:
        """The oldest first, so that the numbers of events, by which a search goes, follow time."""
        if len(ids) < 2:
            return ids

        def age(session_id: str) -> int:
            try:
                return self.repo.commit_at(tips[session_id]).commit_time
            except ValueError:
                return 0

        return sorted(ids, key=lambda i: (age(i), i))

    def _parts(self, ids: list[str], progress: Progress | None) -> Iterable[tuple[int, list[str]]]:
        """The sessions in parts that make a transaction each."""
        if progress is not None and ids:
            progress(0, len(ids))
        for start in range(0, len(ids), PART):
            part = ids[start : start + PART]
            yield start + len(part), part

    def _take(self, ids: list[str], tips: Mapping[str, str], known: Mapping[str, Seen]) -> None:
        with database.transaction(self.db):
            begun = self.events
            for session_id in ids:
                if self.events - begun > CHUNK:
                    self.db.execute("COMMIT")
                    self.db.execute("BEGIN IMMEDIATE")
                    begun = self.events
                if self._ahead is None or not self._given(session_id, self._ahead):
                    self._session(session_id, tips.get(session_id, ""), known.get(session_id))

    def _given(self, session_id: str, ahead: Ahead) -> bool:
        """Take in the rows that were made ahead; False where there are none, as of a session that is broken."""
        made = ahead.take(session_id)
        if made is None:
            return False
        self.insert(made, behind=self._key)
        self._added(len(made["events"]))
        self.sessions += 1
        return True

    def _session(self, session_id: str, tip: str, known: Seen | None) -> None:
        found = self._look_at(session_id, tip)
        self.sessions += 1
        try:
            if not found.tip and not any(e.kind == "start" for e in found.pending):
                self._drop(session_id, known)
                return
            doc = read_state(self.repo, session_id, found.tip) if found.tip else None
        except BrokenSession as e:
            self.broken.append(e)
            self._drop(session_id, known)
            return
        _Update(self, found, doc, known).run()

    def _look_at(self, session_id: str, tip: str) -> Found:
        look = self._look(session_id) if session_id in journal.waiting(self.store.shared) else ""
        if not look:
            return Found(session_id, tip, "")
        # in this order: what is drained in between is then in both
        pending = journal.read(self.store.shared, session_id).events
        return Found(session_id, self.repo.tip(SESSIONS + session_id) or "", look, pending)

    def _drop(self, session_id: str, known: Seen | None) -> None:
        # while an index is built, looking for rows that cannot be there would go through all
        if known is not None:
            self._forget(session_id)

    def _forget(self, session_id: str) -> None:
        self.delete_events(session_id)
        for table in schema.OF_SESSION:
            self.db.execute(f"DELETE FROM {table.name} WHERE session = ?", (session_id,))
        self.db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    def delete_events(self, session_id: str, *, waiting_only: bool = False) -> None:
        """Delete the events of a session, or those that stood in its journal, with all that was made of each."""
        which = "SELECT key FROM events WHERE session = ?" + (" AND waits = 1" if waiting_only else "")
        if self.search:
            texts = f"SELECT 'delete', event, text FROM texts WHERE event IN ({which})"
            self.db.execute(f"INSERT INTO search (search, rowid, text) {texts}", (session_id,))
        for name in ("tools", "files", "snapshots", "usage"):
            self.db.execute(f"DELETE FROM {name} WHERE event IN ({which})", (session_id,))
        self.db.execute(f"DELETE FROM events WHERE key IN ({which})", (session_id,))

    def insert(self, tables: rows.Rows, *, behind: int = 0) -> None:
        """Insert rows; the numbers of events count from the one `behind` which they come."""
        for table, values in tables.items():
            if values:
                marks = ["?"] * len(values[0])
                if behind and table in rows.NUMBERED:
                    # NULL stays what it is
                    marks[rows.NUMBERED[table]] = f"?+{behind:d}"
                self.db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({','.join(marks)})", values)

    def add(self, session_id: str, events: Sequence[Event], *, waits: bool) -> None:
        """Insert new events."""
        if not events:
            return
        self.insert(rows.event_rows(session_id, events, self._key + 1, waits=waits))
        self._added(len(events))

    def _added(self, count: int) -> None:
        """Take in the texts of the events that were inserted last."""
        first = self._key + 1
        self._key += count
        self.events += count
        if self.search and count:
            texts = "SELECT event, text FROM texts WHERE event BETWEEN ? AND ?"
            self.db.execute(f"INSERT INTO search (rowid, text) {texts}", (first, self._key))


class _Update:
    """One session, from how the index has it to how it is."""

    def __init__(self, run: Refresher, found: Found, doc: Doc | None, known: Seen | None) -> None:
        self.refresher = run
        self.db = run.db
        self.found = found
        self.doc = doc
        self.known = known

    def run(self) -> None:
        """Bring all its rows in line."""
        found, refresher = self.found, self.refresher
        try:
            stored, anew = self._stored()
        except BrokenSession as e:
            # its state can be read, and is shown
            refresher.broken.append(e)
            stored, anew = [], True
        if self.known is not None and (anew or self.known[1]):
            refresher.delete_events(found.id, waiting_only=not anew)
        refresher.add(found.id, stored, waits=False)
        fresh = self._waiting(stored if anew else None)
        refresher.add(found.id, fresh, waits=True)
        whole = [*stored, *fresh] if anew else None
        linking = self._of_kinds(LINKING, whole)
        self._put_links(linking)
        self._replace("agents", rows.agent_rows(found.id, self._of_kinds(("agent",), whole))["agents"])
        session = self._folded(linking, fresh)
        self._replace("tags", [(tag, found.id) for tag in session.tags])
        refresher.insert({"sessions": [rows.session_row(session, found.tip, found.look)]})

    def _stored(self) -> tuple[list[Event], bool]:
        """The events of its chain that the index lacks, and whether these are all of them."""
        repo, tip, session_id = self.refresher.repo, self.found.tip, self.found.id
        before = self.known[0] if self.known is not None else ""
        if before and before == tip:
            return [], False
        if before and repo.descends(tip, before):
            newer = in_order(e for _, e in chain_events(repo, tip, session_id, until=before))
            if not any(map(self._has, newer)):
                return newer, False
        return in_order(e for _, e in chain_events(repo, tip or None, session_id)), True

    def _has(self, event: Event) -> bool:
        query = "SELECT 1 FROM events WHERE session = ? AND id = ? AND waits = 0"
        return self.db.execute(query, (self.found.id, event.id)).fetchone() is not None

    def _waiting(self, stored: Sequence[Event] | None) -> list[Event]:
        """What waits in the journal and is not in the chain, with clocks behind all that is."""
        pending = self.found.pending
        if not pending:
            return []
        ids = {e.id for e in stored} if stored is not None else {e.id for e in pending if self._has(e)}
        clock = self.doc.get("clock", 0) if self.doc else 0
        return [replace(e, clock=clock + n) for n, e in enumerate(unseen(pending, ids), 1)]

    def _of_kinds(self, kinds: Sequence[str], whole: Sequence[Event] | None) -> list[Event]:
        """The session's events of some kinds, from `whole` where that is all of them."""
        if whole is not None:
            return [e for e in whole if e.kind in kinds]
        marks = ",".join("?" * len(kinds))
        query = f"SELECT id, at, kind, data, clock FROM events WHERE session = ? AND kind IN ({marks})"
        found = self.db.execute(f"{query} ORDER BY clock, id", (self.found.id, *kinds)).fetchall()
        return [Event(i, at, kind, json.loads(data), clock) for i, at, kind, data, clock in found]

    def _folded(self, linking: Sequence[Event], fresh: Sequence[Event]) -> Session:
        if not fresh:
            return State(self.doc).session()
        waits = {e.id for e in fresh}
        before = fold(self.found.id, [e for e in linking if e.id not in waits]).links
        return fold(self.found.id, fresh, State(self.doc, before)).session()

    def _put_links(self, linking: Sequence[Event]) -> None:
        links = fold(self.found.id, linking).links if linking else {}
        made = rows.link_rows(self.found.id, links.values())
        self._replace("commits", made["commits"])
        if self.known is not None:
            self.db.execute("DELETE FROM files WHERE session = ? AND event IS NULL", (self.found.id,))
        self.refresher.insert({"files": made["files"]})

    def _replace(self, table: str, values: list[rows.Row]) -> None:
        if self.known is not None:
            self.db.execute(f"DELETE FROM {table} WHERE session = ?", (self.found.id,))
        self.refresher.insert({table: values})
