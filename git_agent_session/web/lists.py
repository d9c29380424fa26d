"""Lists of sessions for many clients at once: one reading for all who wait, pages of it kept as bytes.

A list is read after the request for it came, never before: so a client sees all that was acknowledged to it or to
anybody else. Those who ask while one is being read share the next one. Where refs look as before, they are not read
again; what waits in the journal always is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from git_agent_session import journal, live
from git_agent_session.aio import AsyncStore
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.archives import ARCHIVES
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import SESSIONS
from git_agent_session.model import STATUSES, Session
from git_agent_session.report.rows import dump
from git_agent_session.store.reader import Filter
from git_agent_session.store.store import Store
from git_agent_session.web import schemas as s
from git_agent_session.web.operations import Call

# what is younger may have changed again without looking so: kernels count time in ticks of up to 10 ms, and a file
# system that keeps no fractions of a second (FAT keeps two seconds) in its own
TICK_SECONDS, COARSE_SECONDS = 0.1, 2.0
_PAGES = 64

Row = Callable[[Session], Mapping[str, Any]]
Looks = tuple[tuple[int, int, int] | None, ...]

QUERY = {
    "status": s.many(s.one_of(STATUSES), len(STATUSES)),
    "agent": s.line(64),
    "project": s.line(200),
    "user": s.line(200),
    "tag": s.many(s.line(100), 20),
    "since": s.MOMENT,
    "until": s.MOMENT,
    "limit": s.LIMIT,
    "cursor": s.CURSOR,
}


class Watching(Store):
    """A Store that reads refs for its lists only where their files look otherwise than before."""

    _looks: Looks | None = None
    _all: Sequence[Session] = ()

    def all(self) -> Sequence[Session]:
        """All sessions, the youngest first."""
        now = of_refs(self.repo.location)
        if now is None or now != self._looks or (found := self._with_journals()) is None:
            found = self.list()
            # a broken session is looked at by each list
            self._looks = None if self.broken else now
        self._all = found
        return found

    def _with_journals(self) -> Sequence[Session] | None:
        """The sessions as before, with what waits in journals; None where one came, or would stand elsewhere."""
        self.settle()
        waiting = journal.waiting(self.shared)
        if not waiting:
            return self._all
        places = {found.id: n for n, found in enumerate(self._all) if found.id in waiting}
        out = list(self._all)
        for session_id in waiting:
            # one that was deleted leaves its journal
            if session_id in places or live.is_open(self.shared, session_id):
                try:
                    now = self._state(session_id).session()
                except AgentSessionError:
                    return None
                before = places.get(session_id)
                if before is None or out[before].started_at != now.started_at:
                    return None
                out[before] = now
        return out


def _all(store: Store) -> Sequence[Session]:
    return store.all() if isinstance(store, Watching) else store.list()


def of_refs(location: Location) -> Looks | None:
    """How the files and folders look that change with any ref of a session; None where one is young."""
    return _looks(location.common_dir, SESSIONS.strip("/"), ARCHIVES.strip("/"), "packed-refs")


def stamp(location: Location) -> object:
    """How all looks that a list is made from; None where that cannot tell whether it has changed."""
    refs, left = of_refs(location), _looks(location.shared, "rewrites")
    if refs is None or left is None:
        return None
    # an append makes a file longer, so a journal may be young
    waiting = [(i, journal.signature(location.shared, i)) for i in sorted(journal.waiting(location.shared))]
    return refs, left, waiting


def _looks(folder: str, *paths: str) -> Looks | None:
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = os.stat(f"{folder}/{path}")
        except OSError:
            found.append(None)
            continue
        unsettled = TICK_SECONDS if stat.st_mtime_ns % 1_000_000_000 else COARSE_SECONDS
        if time.time_ns() - stat.st_mtime_ns < unsettled * 1e9:
            return None
        found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Listed:
    """All sessions, the youngest first, as of one reading; `pages` are those that were asked for, by what was asked."""

    sessions: Sequence[Session]
    pages: dict[object, Page] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent: its body, its tag, and where the next one starts ("" for the last)."""

    body: bytes
    etag: str
    next: str


class Lists:
    """Gives `Listed` to whoever asks; `store` has one worker, for this alone."""

    def __init__(self, store: AsyncStore, location: Location) -> None:
        self._store, self._location = store, location
        self._running: asyncio.Task[Listed] | None = None
        self._next: asyncio.Task[Listed] | None = None
        self._known = Listed(())
        self._stamp: object = None
        self._rows: dict[tuple[Row, str], tuple[Any, str]] = {}

    async def get(self) -> Listed:
        """The sessions as they are after this call. Raises AgentSessionError."""
        if self._stamp is not None and stamp(self._location) == self._stamp:
            return self._known
        if self._running is None:
            self._running = asyncio.create_task(self._read(None))
            return await asyncio.shield(self._running)
        if self._next is None:
            self._next = asyncio.create_task(self._read(self._running))
        return await asyncio.shield(self._next)

    async def _read(self, before: asyncio.Task[Listed] | None) -> Listed:
        try:
            if before is not None:
                await asyncio.wait([before])
                self._running, self._next = self._next, None
            now = stamp(self._location)
            found = await self._store.run(_all)
            known = self._known.sessions
            if len(known) != len(found) or any(a.doc is not b.doc for a, b in zip(known, found, strict=True)):
                self._known = Listed(found)
                gone = {i for _, i in self._rows} - {f.id for f in found}
                self._rows = {key: row for key, row in self._rows.items() if key[1] not in gone}
            self._stamp = now
            return self._known
        finally:
            if self._running is asyncio.current_task():
                self._running = None

    async def page(self, call: Call, row: Row) -> Page:
        """One page of the sessions that fit the query, each as `row` has it."""
        listed = await self.get()
        key = (row, json.dumps(call.query, sort_keys=True))
        page = listed.pages.get(key)
        if page is None:
            page = self._page(listed.sessions, call.query, row)
            if len(listed.pages) >= _PAGES:
                listed.pages.clear()
            listed.pages[key] = page
        return page

    def _page(self, sessions: Sequence[Session], query: Mapping[str, Any], row: Row) -> Page:
        where = Filter(
            project=query.get("project", ""),
            status=query.get("status", ()),
            agent_type=query.get("agent", ""),
            user=query.get("user", ""),
            tags=query.get("tag", ()),
            since=s.moment(query.get("since", "")),
            until=s.moment(query.get("until", ""), last=True),
        )
        after, limit = _place(query.get("cursor", "")), query.get("limit", s.LIMIT["default"])
        assert isinstance(limit, int)
        fits = (f for f in sessions if (after is None or (f.started_at, f.id) < after) and where.takes(f))
        chosen: list[Session] = []
        for found in fits:
            if len(chosen) == limit:
                return self._made(chosen, row, _cursor(chosen[-1]))
            chosen.append(found)
        return self._made(chosen, row, "")

    def _made(self, sessions: Iterable[Session], row: Row, next: str) -> Page:
        body = f"[{','.join(self._text(found, row) for found in sessions)}]".encode()
        return Page(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', next)

    def _text(self, session: Session, row: Row) -> str:
        known = self._rows.get((row, session.id))
        if known is None or known[0] is not session.doc:
            known = self._rows[row, session.id] = (session.doc, dump(row(session), indent=None).rstrip("\n"))
        return known[1]


def answer(page: Page, request: Request) -> Response:
    """A page as a response: 304 where the client has it, and the address of the next one in Link (RFC 8288)."""
    headers = {"ETag": page.etag}
    if page.next:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        target = f"{request.url.path}?{urlencode([*kept, ('cursor', page.next)])}"
        headers["Link"] = f'<{target}>; rel="next"'
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if page.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(page.body, headers=headers, media_type="application/json")


def _cursor(last: Session) -> str:
    return f"{last.started_at}~{last.id}"


def _place(cursor: str) -> tuple[str, str] | None:
    at, _, session_id = cursor.partition("~")
    return (at, session_id) if cursor else None
