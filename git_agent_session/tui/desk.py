"""What the browser reads: sessions to choose from, and the pages of one, as lines.

A store is for one thread, and a screen must not wait for it: all reading is done by one thread that has a store of its
own. Pages are the lines that the commands print, with their colours as escape sequences and all texts cleaned.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import git_agent_session
from git_agent_session import term
from git_agent_session.errors import AgentSessionError
from git_agent_session.ids import is_object_id
from git_agent_session.model import Event, Session
from git_agent_session.report.view import View, abbreviations
from git_agent_session.store.store import Store

T = TypeVar("T")

# events that are set in columns together
_TOGETHER = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """The sessions to choose from, the youngest first; their short ids; the current one; what could not be read."""

    sessions: Sequence[Session]
    shorts: Mapping[str, str]
    current: str | None
    broken: Sequence[str]


class Desk:
    """Reads the sessions of the repository around `start`, whatever thread asks."""

    def __init__(self, start: str | None, env: Mapping[str, str], palette: term.Palette) -> None:
        self._start, self._env, self._palette = start, env, palette
        self._thread = ThreadPoolExecutor(1, "sessions")
        self._store: Store | None = None

    def close(self) -> None:
        """Wait for nothing, and read no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def do(self, work: Callable[[Store], T]) -> T:
        """What `work` makes of the store, made in the thread that reads."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Store], T]) -> T:
        if self._store is None:
            self._store = git_agent_session.open(self._start, env=self._env)
        return work(self._store)

    async def listed(self) -> Listed:
        """The sessions, read anew. Raises AgentSessionError."""
        return await self.do(_listed)

    async def page(self, name: str, session_id: str, width: int) -> Page:
        """A page of a session, by its name in PAGES, for `width` columns; its lines are read as they are asked for."""
        view = View(self._palette, width)
        lines = await self.do(lambda store: _safely(PAGES[name](store, session_id, view)))
        return Page(self, lines)


class Page:
    """Lines that come as they are asked for."""

    def __init__(self, desk: Desk, lines: Iterator[str]) -> None:
        self._desk, self._lines = desk, lines
        self.ended = False

    async def more(self, most: int) -> list[str]:
        """The next lines, `most` at most; fewer only at the end."""
        found = await self._desk.do(lambda store: list(islice(self._lines, most)))
        self.ended = len(found) < most
        return found


def _listed(store: Store) -> Listed:
    found = store.list()
    try:
        current = store.current_id()
    except AgentSessionError:
        current = None
    return Listed(found, abbreviations(s.id for s in found), current, [term.clean(e.line()) for e in store.broken])


def fits(session: Session, words: Iterable[str]) -> bool:
    """True for a session that has all of `words` in what a list would show of it, or in its tags and names."""
    agent = session.agent
    said = (session.id, session.status, session.goal, session.title, session.project, session.user, session.type)
    text = " ".join((*said, agent.type, agent.model, *session.tags)).casefold()
    return all(word in text for word in words)


# -- pages


def _safely(lines: Iterator[str]) -> Iterator[str]:
    """The lines, and where they cannot be read what is wrong."""
    try:
        yield from lines
    except AgentSessionError as e:
        yield term.clean(e.line())


def _subject(store: Store) -> Callable[[str], str]:
    def subject(commit: str) -> str:
        return str(store.repo.commit_facts(commit).get("subject", "")) if is_object_id(commit) else ""

    return subject


def _overview(store: Store, session_id: str, view: View) -> Iterator[str]:
    from git_agent_session.report import sessions

    yield from sessions.show(view, store.summary(session_id), (), (), _subject(store))


def _events(store: Store, session_id: str, view: View) -> Iterator[str]:
    from git_agent_session.report.events import history

    events: list[Event] = store.history(session_id)
    for begin in range(0, len(events), _TOGETHER):
        yield from history(view, events[begin : begin + _TOGETHER], _subject(store))


def _commits(store: Store, session_id: str, view: View) -> Iterator[str]:
    from git_agent_session.report.commits import commits
    from git_agent_session.report.rows import commit_row

    rows = [commit_row(session_id, link, store.repo.commit_facts) for link in store.commits(session_id)]
    yield from commits(view, rows) if rows else ["No commit is linked to this session."]


def _tasks(store: Store, session_id: str, view: View) -> Iterator[str]:
    from git_agent_session.report import work as report
    from git_agent_session.work import tasks

    session = store.get(session_id)
    found = tasks.of(session)
    if session.phase or session.workflow:
        yield from (*report.phase(view, session, None), "")
    yield from report.tasks(view, found) if found else ["This session has no tasks."]


def _files(store: Store, session_id: str, view: View) -> Iterator[str]:
    committed = {path for link in store.commits(session_id) for path in link.paths}
    touched: Counter[str] = Counter()
    for event in store.history(session_id, kinds=("tool",)):
        paths = event.data.get("paths")
        touched.update(p for p in paths if isinstance(p, str)) if isinstance(paths, list) else None
    rows = [
        (
            path,
            "committed" if path in committed else "",
            term.count(touched[path], "tool call") if touched[path] else "",
        )
        for path in sorted(committed | touched.keys())
    ]
    lines = term.columns(rows, total=view.width, flexible=0, style=lambda r, c, t: view.dim(t) if c else t)
    yield from lines or ["No file is known to belong to this session."]


def _transcript(store: Store, session_id: str, view: View) -> Iterator[str]:
    from git_agent_session.report.conversation import lines
    from git_agent_session.report.timeline import Timeline

    timeline = Timeline(store, store.get(session_id), store.history(session_id, kinds=("agent",)))
    if not timeline:
        yield "This session has no transcript."
        return
    yield from lines(view, timeline.entries())


PAGES: Mapping[str, Callable[[Store, str, View], Iterator[str]]] = {
    "Overview": _overview,
    "Events": _events,
    "Commits": _commits,
    "Tasks": _tasks,
    "Files": _files,
    "Transcript": _transcript,
}
