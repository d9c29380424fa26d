"""The pages, each a function from a store and what is asked to HTML. They know no server: an export makes them too."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from git_agent_session import index
from git_agent_session.answers import why
from git_agent_session.context import markdown
from git_agent_session.context.model import Snapshot
from git_agent_session.errors import AgentSessionError, SessionNotFound, StorageError, UsageError
from git_agent_session.ids import is_session_id
from git_agent_session.index.derived import Index
from git_agent_session.index.look import Look
from git_agent_session.index.look import look as look_at
from git_agent_session.model import STATUSES, Session
from git_agent_session.report import view as words
from git_agent_session.store.reader import Reader
from git_agent_session.web.viewer import charts, files, history, lists, look, numbers, rows, signs, story
from git_agent_session.web.viewer.lines import Counted, Progress
from git_agent_session.web.viewer.reel import Reel
from git_agent_session.web.viewer.site import Links, render
from git_agent_session.web.viewer.text import PAGE, line, prose, shown

# of a session's commits, files, subagents: how many its page names
NAMED = 12
# transcripts of which is kept what has been read of them
_KEPT = 3


@dataclass(slots=True)
class Desk:
    """What a page is made from: a store, its index, the links; what is known of the transcripts read last, and how refs
    and journal looked when the index was refreshed last; `stale` where that did not succeed."""

    reader: Reader
    links: Links
    reels: dict[str, Reel] = field(default_factory=dict)
    seen: Look | None = None
    stale: bool = False

    @property
    def found(self) -> Index:
        """The index."""
        return index.open(self.reader)

    def refreshed(self) -> Index:
        """The index, brought up to date unless another is at it, or nothing can be written here.

        An export is of one moment: it refreshes once.
        """
        found = self.found
        if self.links.is_static:
            return found
        self.reader.settle()
        now = look_at(self.reader.repo.location)
        # a session that cannot be read would have each refresh look at all refs
        if self.seen is not None and self.seen.changed(now) == set() and os.path.exists(found.path):
            return found
        # another may be at it: an open page asks again
        self.stale = True
        with contextlib.suppress(StorageError, sqlite3.Error):
            found.refresh(wait=0.2)
            self.seen, self.stale = now, False
        return found

    def session(self, session_id: str) -> Session:
        """A session by its full id. Raises SessionNotFound, BrokenSession."""
        if not is_session_id(session_id):
            raise SessionNotFound(f"no session {session_id[:40]}", hint="the list has those that are here")
        return self.reader.get(session_id)

    def reel(self, found: Index, session: Session) -> Reel:
        """The session's transcript, and what has been read of it so far."""
        made = story.reel(self.reader, found, session, self.reels.get(session.id))
        self.reels.pop(session.id, None)
        # other threads have the same ones
        for old in list(self.reels)[: max(0, len(self.reels) + 1 - _KEPT)]:
            self.reels.pop(old, None)
        self.reels[session.id] = made
        return made

    def story(self, found: Index, session: Session) -> story.Story:
        """The session's timeline."""
        return story.Story(self.reader, found, session, self.reel(found, session))

    def subject(self, commit: str) -> str:
        """The subject of a commit, "" for one that is not here."""
        return line(self.reader.repo.commit_facts(commit).get("subject", ""), 160)

    def render(self, template: str, here: str, **context: Any) -> str:
        """A page from a template."""
        place = self.reader.repo.location
        name = (
            (place.worktree or place.common_dir.removesuffix("/.git")).replace("\\", "/").rstrip("/").rpartition("/")[2]
        )
        return render(template, self.links, here, repository=line(name, 60), stale=self.stale, **context)


def sessions(desk: Desk, query: Mapping[str, str]) -> str:
    """The list of sessions, or what a search finds."""
    seen = signs.of_all(desk.reader)
    found, asked = desk.refreshed(), lists.Asked.of(query)
    context: dict[str, Any] = {"asked": asked, "offers": lists.offers(found), "statuses": STATUSES}
    if asked.q:
        hits, wrong = lists.search(found, asked)
        return desk.render("search", "sessions", hits=hits, wrong=wrong, **context)
    cursor = query.get("after", "")
    page = lists.page(found, asked, cursor)
    return desk.render("sessions", "sessions", page=page, later=bool(cursor), seen=seen, **context)


def session(desk: Desk, session_id: str, query: Mapping[str, str]) -> str:
    """A session as a timeline, with the facts about it."""
    seen = signs.of_session(desk.reader, session_id) if is_session_id(session_id) else ""
    found, one = desk.refreshed(), desk.session(session_id)
    told = desk.story(found, one)
    choice = query.get("show", "")
    start = story.At.of(query.get("from", ""))
    if event := query.get("event", ""):
        choice, start = "", told.before(told.find(event), size=3)
    elif before := query.get("before", ""):
        start = told.before(story.At.of(before), choice)
    page = told.page(start, choice)
    return desk.render(
        "session",
        "sessions",
        session=one,
        seen=seen,
        rows=rows.rows(page.rows, desk.subject, (desk.reader.repo.location.worktree or "").replace("\\", "/")),
        page=page,
        counts=told.counts(),
        story=told,
        usage=words.usage(one.usage).partition(";")[0].removeprefix("tokens: "),
        spent=_open_ms(one),
        **_about(desk, found, one),
    )


def counts(desk: Desk, session_id: str, query: Mapping[str, str]) -> str:
    """The choices of a session with how many rows each has; reads all of its transcript."""
    one = desk.session(session_id)
    told = desk.story(desk.found, one)
    told.count()
    choice = query.get("show", "")
    return desk.render("counts", "sessions", session=one, counts=told.counts(), story=told, choice=choice)


def _open_ms(one: Session) -> float | None:
    first, last = look.moment(one.started_at), look.moment(one.ended_at or one.updated_at)
    return (last - first).total_seconds() * 1000 if first and last else None


def _about(desk: Desk, found: Index, one: Session) -> dict[str, Any]:
    """What stands beside a timeline: commits, files, subagents, snapshots, tasks, cost."""
    links = found.query(
        "SELECT commit_id FROM commits WHERE session = ? AND replaced_by = '' ORDER BY at DESC LIMIT ?", [one.id, NAMED]
    )
    linked = found.query("SELECT count(*) FROM commits WHERE session = ? AND replaced_by = ''", [one.id])[0][0]
    paths = found.query(
        "SELECT path, count(*) FROM files WHERE session = ? GROUP BY path ORDER BY count(*) DESC, path LIMIT ?",
        [one.id, NAMED + 1],
    )
    agents = found.query(
        "SELECT agent_id, type, model, status FROM agents WHERE session = ? ORDER BY started_at LIMIT ?",
        [one.id, NAMED],
    )
    snapshots = found.query(
        "SELECT e.id, s.at, s.type, s.token_estimate FROM snapshots s JOIN events e ON e.key = s.event "
        "WHERE s.session = ? ORDER BY s.at DESC LIMIT ?",
        [one.id, NAMED],
    )
    tasks = [t for t in one.tasks.values() if isinstance(t, Mapping)][: 4 * NAMED]
    repo, head = desk.reader.repo, desk.reader.repo.head() or ""
    return {
        "commits": [(commit, desk.subject(commit)) for (commit,) in links],
        "more_commits": max(0, linked - NAMED),
        "paths": [(path, bool(repo.blob_at(head, path))) for path, _ in paths[:NAMED]],
        "more_paths": len(paths) > NAMED,
        "agents": agents,
        "snapshots": snapshots,
        "tasks": tasks,
        "cost": _cost(found, one),
        "parent": one.parent if is_session_id(one.parent) else "",
    }


def _cost(found: Index, one: Session) -> charts.Chart | None:
    """What the session cost along time; None where less than two moments are known."""
    recorded = found.query(
        "SELECT at, cost_usd FROM usage WHERE session = ? AND cost_usd > 0 ORDER BY at LIMIT 5000", [one.id]
    )
    points, total = [], 0.0
    for at, usd in recorded:
        then = look.moment(at)
        if then is not None:
            total += usd
            points.append((then.timestamp(), total))
    begun = look.moment(one.started_at)
    if len(points) < 2 or begun is None:
        return None
    first = (begun.timestamp(), 0.0)
    names = (look.clock(one.started_at), look.clock(str(recorded[-1][0])))
    return charts.growing([first, *points] if first[0] <= points[0][0] else points, names)


def text(desk: Desk, session_id: str, query: Mapping[str, str]) -> str:
    """One text of a session, whole, in pages."""
    one = desk.session(session_id)
    whole, title = "", "Text"
    if chunk := query.get("chunk", ""):
        entry = story.entry(desk.reader, one, desk.reel(desk.refreshed(), one), chunk, number(query.get("item", "")))
        if entry is not None:
            # a call has an input, everything else a text
            whole = entry.text or "\n\n".join(f"{k}:\n{v}" for k, v in entry.input.items())
            title = entry.kind.capitalize()
    else:
        event = story.event(desk.refreshed(), one.id, query.get("event", ""))
        if event is not None:
            title = event.kind.capitalize()
            whole = next(
                (v for k in ("text", "message", "summary", "title") if isinstance(v := event.data.get(k), str)), ""
            )
    part = number(query.get("part", ""))
    here = {k: query[k] for k in ("chunk", "item", "event") if query.get(k)}
    parts = max(1, -(-len(whole) // PAGE))
    part = min(part, parts - 1)
    cut = shown(whole[part * PAGE : (part + 1) * PAGE])
    return desk.render(
        "text", "sessions", session=one, title=title, text=cut, size=len(whole), part=part, parts=parts, here_=here
    )


def context(desk: Desk, session_id: str, event: str) -> str:
    """A context snapshot. Raises UsageError where there is none of this event's."""
    one = desk.session(session_id)
    snapshot = next((doc for e, doc in desk.reader.contexts(one.id) if e.id == event), None)
    if snapshot is None:
        raise UsageError("this session has no such context snapshot", hint="its page names those that there are")
    blocks = prose(markdown.render(Snapshot.from_dict(snapshot))[:PAGE])
    return desk.render("context", "sessions", session=one, blocks=blocks)


def commits(desk: Desk, ends: str = "") -> str:
    """The graph of commits, with their sessions."""
    found = desk.refreshed()
    page = history.page(desk.reader.repo.location, [e for e in ends.split(".") if e])
    behind = history.sessions_of(found, [c.id for c in page.commits])
    known = lists.named(found, history.by_commit(behind))
    return desk.render(
        "commits",
        "commits",
        page=page,
        behind={c: [known[i] for i in ids if i in known] for c, ids in behind.items()},
        width=history.graph_width(page.commits),
        later=bool(ends),
    )


def commit(desk: Desk, revision: str) -> str:
    """A commit: its sessions with what was asked, and its changes."""
    shown_ = history.commit(desk.reader.repo.location, revision)
    answer = why.of_commit(desk.reader, shown_.id)
    return desk.render("commit", "commits", commit=shown_, answer=answer)


def files_at(desk: Desk, path: str, query: Mapping[str, str]) -> str:
    """A folder, or a file with the session behind each line."""
    path = path.strip("/")
    place = desk.reader.repo.location
    kind = files.kind(place, path)
    crumbs = [(part, "/".join(path.split("/")[: n + 1])) for n, part in enumerate(path.split("/"))] if path else []
    if kind == "tree":
        entries, left = files.folder(place, path) if files.exists(place) else ([], 0)
        return desk.render("folder", "files", entries=entries, left=left, crumbs=crumbs, path=path)
    if kind != "blob":
        raise UsageError("there is no such file in HEAD", hint="the folder has those that there are")
    found = desk.refreshed()
    file = files.file(desk.reader, path, number(query.get("from", ""), 1))
    ids = list(dict.fromkeys(ln.blamed.session for ln in file.lines if ln.blamed.session))
    known = lists.named(found, ids)
    touched = list(lists.named(found, found.touched(path)[:NAMED]).values())
    return desk.render(
        "file", "files", file=file, known=known, touched=touched, crumbs=crumbs, path=path, size=files.PAGE
    )


def stats(desk: Desk) -> str:
    """What all sessions come to."""
    return desk.render("stats", "stats", numbers=numbers.read(desk.refreshed()))


def lines(desk: Desk, counted: Counted | Progress) -> str:
    """The lines that are still there, or how far their count is."""
    return desk.render("lines", "stats", counted=counted, is_done=isinstance(counted, Counted))


def trouble(desk: Desk, error: AgentSessionError) -> str:
    """What went wrong, and the way out."""
    return desk.render("trouble", "", message=_sentence(error.message), hint=_sentence(error.hint or ""))


def _sentence(text: str) -> str:
    shown = line(text, 500)
    return f"{shown[:1].upper()}{shown[1:]}." if shown and shown[-1] not in ".!?…" else shown


def number(text: str, default: int = 0) -> int:
    """A whole number of an address; `default` for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
