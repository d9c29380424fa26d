"""The tools that only read: each takes the door and the checked arguments, and gives a table of plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from git_agent_session import index, work
from git_agent_session.context import Snapshot
from git_agent_session.errors import SessionNotFound, StorageError, UsageError
from git_agent_session.ids import timestamp
from git_agent_session.index.search import Where
from git_agent_session.mcp.door import Door
from git_agent_session.mcp.quoting import Quote
from git_agent_session.mcp.scanning import scan
from git_agent_session.model import Doc, Link, Session
from git_agent_session.store.reader import Filter
from git_agent_session.work import brief as briefs
from git_agent_session.work import memory

Args = Mapping[str, Any]

# what a list says of a session; `show_session` has the rest
_LISTED = (
    *("id", "status", "goal", "title", "project", "user", "phase", "tags", "started_at", "updated_at", "ended_at"),
    *("message", "agent", "counts"),
)
# of the facts of a commit; its trees and parents are git's to tell
_LINKED = ("commit", "via", "at", "primary", "paths")
# seconds to wait for another process that brings the index up to date
_WAIT = 2.0


def current_session(door: Door, args: Args) -> Doc:
    """The session that the agent works in."""
    found = door.own()
    if found is None:
        return {"current": False}
    return {"current": True, "session": door.quote(found).fit(door.store.get(found).to_dict())}


def list_sessions(door: Door, args: Args) -> Doc:
    """Sessions, the youngest first."""
    where = Filter(
        project=args.get("project", ""),
        status=args.get("status", ()),
        agent_type=args.get("agent", ""),
        user=args.get("user", ""),
        tags=args.get("tags", ()),
        since=moment(args, "since"),
        until=moment(args, "until"),
    )
    found = door.store.list(where)
    out = _page(door.quote(), "sessions", [_few(s) for s in found], args)
    broken = [error.line() for error in door.store.broken]
    return out | (door.quote().fit({"broken": broken}, 2_000) if broken else {})


def _few(session: Session) -> Doc:
    return {key: value for key in _LISTED if (value := session.doc.get(key))}


def show_session(door: Door, args: Args) -> Doc:
    """All there is to know about one session but its history."""
    found = door.store.summary(door.session(args.get("session")))
    state = found.session.to_dict()
    doc: Doc = {"session": state, "duration_ms": found.duration_ms, "tools": dict(found.tools)}
    doc["commits"] = [_commit(door, link) for link in found.commits[-20:]]
    quote = door.quote(found.session.id)
    kept = quote.fit(doc, 12_000)
    # a state is never left out as a whole
    return kept | {"session": quote.fit(state, 12_000)}


def history(door: Door, args: Args) -> Doc:
    """The events of a session, the youngest first unless asked otherwise."""
    found = door.session(args.get("session"))
    events = door.store.history(found, kinds=args.get("kinds", ()), reverse=args.get("order") != "oldest")
    return {"session": found, **_page(door.quote(found), "events", [e.to_dict() for e in events], args)}


def search(door: Door, args: Args) -> Doc:
    """The events that hold all the words, the best first."""
    where = Where(
        session=door.session(args["session"]) if "session" in args else "",
        agent=args.get("agent", ""),
        project=args.get("project", ""),
        tag=args.get("tag", ""),
        since=moment(args, "since"),
        until=moment(args, "until"),
        commit=door.store.repo.resolve(args["commit"]) if "commit" in args else "",
        path=args.get("path", ""),
        kinds=args.get("kinds", ()),
    )
    offset, limit = args.get("offset", 0), args.get("limit", 20)
    try:
        found = index.open(door.store)
        found.refresh(wait=_WAIT)
        # one more than is shown tells whether there is a next page
        hits, note = [h.to_dict() for h in found.search(args["query"], where, limit=offset + limit + 1)], {}
    except StorageError as e:
        hits, note = scan(door.store, args["query"], where, offset + limit + 1), {"incomplete": _scanned(e)}
    out = _page(door.quote(), "hits", hits, args)
    del out["total"]
    return out | note


def _scanned(error: StorageError) -> str:
    return f"the index cannot be used ({error.message}): only the youngest sessions were looked through"


def context(door: Door, args: Args) -> Doc:
    """The last context snapshot of a session, as Markdown."""
    found = door.session(args.get("session"))
    snapshots = door.store.contexts(found)
    if not snapshots:
        raise SessionNotFound(
            f"session {found[:8]} has no context snapshot", hint="`git agent-session context add` takes one"
        )
    event, doc = snapshots[-1]
    part = door.quote(found).part(Snapshot.from_dict(doc).to_markdown(), args.get("offset", 0))
    return {"session": found, "at": event.at, **part}


def decisions(door: Door, args: Args) -> Doc:
    """What was decided in a session, the youngest first."""
    found = door.session(args.get("session"))
    events = door.store.history(found, kinds=("decision",), reverse=True)
    path = args.get("path", "")
    rows = [{"id": e.id, "at": e.at, **e.data} for e in events if not path or path in briefs.paths_of(e)]
    return {"session": found, **_page(door.quote(found), "decisions", rows, args)}


def tasks(door: Door, args: Args) -> Doc:
    """The tasks of a session, and their numbers."""
    found = door.session(args.get("session"))
    rows = [t.to_dict() for t in work.tasks.list(door.store, found, status=args.get("status", ()))]
    numbers = work.tasks.stats(door.store.get(found)).to_dict()
    return {"session": found, "stats": numbers, **_page(door.quote(found), "tasks", rows, args)}


def plan(door: Door, args: Args) -> Doc:
    """The plan of a session."""
    found = door.session(args.get("session"))
    now = work.plans.get(door.store, found)
    if now is None:
        return {"session": found, "text": "", "total_chars": 0}
    quote = door.quote(found)
    about = quote.fit({"at": now.at, "title": now.title, "source": now.source}, 2_000)
    return {"session": found, **about, **quote.part(now.text, args.get("offset", 0))}


def commits(door: Door, args: Args) -> Doc:
    """The commits of a session, the oldest link first."""
    found = door.session(args.get("session"))
    rows = [_commit(door, link) for link in door.store.commits(found)]
    return {"session": found, **_page(door.quote(found), "commits", rows, args)}


def which_session(door: Door, args: Args) -> Doc:
    """The sessions that a commit belongs to, the primary one first."""
    commit = door.store.repo.resolve(args.get("commit", "HEAD"))
    rows = [
        {"id": w.session.id, "primary": w.link.primary, "via": w.link.via, "agent": w.session.agent.type,
         "status": w.session.status, "goal": w.session.about}
        for w in door.store.which(commit)
    ]  # fmt: skip
    return {"commit": commit, **door.quote().page("sessions", rows, offset=0, limit=50)}


def should_resume(door: Door, args: Args) -> Doc:
    """Whether to go on with a session."""
    given = args.get("session")
    return door.quote().fit(work.should_resume(door.store, given or door.own()).to_dict())


def brief(door: Door, args: Args) -> Doc:
    """What to know before going on, in few words; fenced already."""
    budget = args.get("budget", briefs.DEFAULT_TOKENS)
    if args.get("about") == "branch":
        found = memory.for_agent(door.store, door.own() or "", budget=budget)
    else:
        found = briefs.of_session(door.store, door.session(args.get("session")), budget=budget)
    return {"text": found.text, "token_estimate": found.token_estimate}


def moment(args: Args, key: str) -> str:
    """A day or a moment as a time stamp, "" for none; `until` a day is until its end. Raises UsageError."""
    text = args.get(key, "")
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as e:
        raise UsageError(f"{key} is {text!r}, which is no date", hint="give one such as 2026-01-31") from e
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if key == "until" and re.fullmatch(r"[\d-]{10}", text):
        at += timedelta(days=1, milliseconds=-1)
    return timestamp(round((at - datetime.fromtimestamp(0, UTC)).total_seconds() * 1_000) * 1_000_000)


def _page(quote: Quote, name: str, rows: Sequence[Doc], args: Args) -> Doc:
    return quote.page(name, rows, offset=args.get("offset", 0), limit=args.get("limit", 20))


def _commit(door: Door, link: Link) -> Doc:
    known = {k: v for k, v in link.to_dict().items() if k in _LINKED}
    try:
        facts = door.store.repo.commit_facts(link.commit)
    except ValueError:  # another's event may hold what is no id
        return known
    return {**known, **{k: facts[k] for k in ("subject", "author") if k in facts}}
