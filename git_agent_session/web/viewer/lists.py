"""Which sessions there are: filters, a page of them, what the filters can be set to, and what a search finds.

All is asked of the index, which reads no more than it is asked for; a page goes on after the last row before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from git_agent_session.answers import search as answers
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.ids import is_session_id
from git_agent_session.index.derived import Index
from git_agent_session.index.search import BEGIN, END, at
from git_agent_session.model import STATUSES
from git_agent_session.web.viewer import look
from git_agent_session.web.viewer.text import line, shown

PAGE = 40
HITS = 40
# values of a filter that are offered
OFFERED = 60
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_COMMIT = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for; what is empty is not asked. `since` and `until` are days, the last one counted."""

    q: str = ""
    status: str = ""
    agent: str = ""
    tag: str = ""
    project: str = ""
    user: str = ""
    file: str = ""
    commit: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """What an address asks for; a value that cannot be is not asked."""
        found = cls(**{k: query.get(k, "").strip()[:300] for k in cls.__slots__})
        return replace(
            found,
            status=found.status if found.status in STATUSES else "",
            since=found.since if _DATE.fullmatch(found.since) else "",
            until=found.until if _DATE.fullmatch(found.until) else "",
            commit=found.commit.lower() if _COMMIT.fullmatch(found.commit.lower()) else "",
        )

    def to_dict(self) -> dict[str, str]:
        """What is asked, by key."""
        return {k: v for k in Asked.__slots__ if (v := getattr(self, k))}

    def without(self, key: str) -> str:
        """The query of an address that asks for all but one of them."""
        return urlencode({k: v for k, v in self.to_dict().items() if k != key})


@dataclass(frozen=True, slots=True)
class Row:
    """A session in a list."""

    id: str
    status: str
    title: str
    agent: str
    model: str
    user: str
    project: str
    started_at: str
    updated_at: str
    duration_ms: int
    messages: int
    tools: int
    commits: int
    errors: int
    cost_usd: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by day, the cursor of the next page ("" for the last), and how many sessions fit in all."""

    days: tuple[tuple[str, tuple[Row, ...]], ...]
    next: str
    total: int


_COLUMNS = (
    "id, status, substr(coalesce(nullif(goal, ''), title), 1, 300), agent, model, user, project, started_at, "
    "updated_at, duration_ms, messages, tools, commits, errors, cost_usd"
)


def page(found: Index, asked: Asked, cursor: str = "", size: int = PAGE) -> Page:
    """One page of the sessions that fit, the youngest first."""
    conditions, values = _conditions(asked)
    total = found.query(f"SELECT count(*) FROM sessions WHERE 1{conditions}", values)[0][0]
    at, _, session_id = cursor.partition("~")
    if at and is_session_id(session_id):
        conditions, values = f"{conditions} AND (started_at, id) < (?, ?)", [*values, at[:40], session_id]
    query = f"SELECT {_COLUMNS} FROM sessions WHERE 1{conditions} ORDER BY started_at DESC, id DESC LIMIT {size + 1}"
    rows = _rows(found, found.query(query, values))
    last = f"{rows[size - 1].started_at}~{rows[size - 1].id}" if len(rows) > size else ""
    return Page(tuple(_by_day(rows[:size])), last, total)


def named(found: Index, ids: Sequence[str]) -> dict[str, Row]:
    """The sessions with these ids, by id."""
    marks = ",".join("?" * len(ids))
    return {r.id: r for r in _rows(found, found.query(f"SELECT {_COLUMNS} FROM sessions WHERE id IN ({marks})", ids))}


def _rows(found: Index, rows: Sequence[tuple[object, ...]]) -> list[Row]:
    tags: dict[str, list[str]] = {}
    marks = ",".join("?" * len(rows))
    query = f"SELECT session, tag FROM tags WHERE session IN ({marks}) ORDER BY tag"
    for session, tag in found.query(query, [r[0] for r in rows]):
        tags.setdefault(session, []).append(line(tag, 40))
    out = []
    for row in rows:
        made = Row(*row)  # type: ignore[arg-type]
        texts = {"title": line(made.title, 200), "model": line(made.model, 60), "project": line(made.project, 60)}
        out.append(replace(made, **texts, user=look.person(made.user), tags=tuple(tags.get(made.id, ())[:8])))  # type: ignore[arg-type]
    return out


def _by_day(rows: Iterable[Row]) -> Iterator[tuple[str, tuple[Row, ...]]]:
    kept: list[Row] = []
    before = ""
    for row in rows:
        day = look.day(row.started_at)
        if kept and day != before:
            yield before, tuple(kept)
            kept = []
        kept.append(row)
        before = day
    if kept:
        yield before, tuple(kept)


def _conditions(asked: Asked) -> tuple[str, list[str]]:
    found: list[tuple[str, list[str]]] = [
        (f"{key} = ?", [value]) for key in ("status", "agent", "project") if (value := getattr(asked, key))
    ]
    if asked.user:
        found.append(("instr(lower(user), lower(?)) > 0", [asked.user]))
    if asked.since:
        found.append(("started_at >= ?", [asked.since]))
    if asked.until:
        found.append(("started_at < ? || 'T~'", [asked.until]))
    if asked.tag:
        found.append(("id IN (SELECT session FROM tags WHERE tag = ?)", [asked.tag]))
    if asked.commit:
        # a range, so that an index serves
        found.append(
            (
                "id IN (SELECT session FROM commits WHERE commit_id >= ? AND commit_id < ?)",
                [asked.commit, asked.commit + "g"],
            )
        )
    if asked.file:
        condition, values = at(asked.file)
        found.append((f"id IN (SELECT session FROM files WHERE {condition})", values))
    return "".join(f" AND {c}" for c, _ in found), [v for _, values in found for v in values]


def offers(found: Index) -> dict[str, list[str]]:
    """What the filters can be set to: agents, projects, tags, people; those that most sessions have first."""
    query = "SELECT {0} FROM {1} WHERE {0} <> '' GROUP BY {0} ORDER BY count(*) DESC, {0} LIMIT {2}"
    return {
        "agent": [v for (v,) in found.query(query.format("agent", "sessions", OFFERED))],
        "project": [v for (v,) in found.query(query.format("project", "sessions", OFFERED))],
        "tag": [v for (v,) in found.query(query.format("tag", "tags", OFFERED))],
        "user": list(dict.fromkeys(look.person(v) for (v,) in found.query(query.format("user", "sessions", OFFERED)))),
    }


@dataclass(frozen=True, slots=True)
class Found:
    """An event that a search found: its session and the text around the hits, as (is a hit, text)."""

    row: Row
    event: str
    kind: str
    at: str
    parts: tuple[tuple[bool, str], ...]


def search(found: Index, asked: Asked) -> tuple[list[Found], str]:
    """The events that hold what is asked, the best first, and what is wrong with the question ("" for nothing).

    The words may have filters among them, such as `agent:codex` or `-without`: see docs/search.md.
    """
    filters = {k: v for k, v in asked.to_dict().items() if k != "q"}
    try:
        hits = answers.search(found.store, asked.q, filters=filters, limit=HITS, moment=_moment)
    except AgentSessionError as e:
        return [], e.message
    rows = named(found, list(dict.fromkeys(h.session for h in hits)))
    return [Found(rows[h.session], h.event, h.kind, h.at, _parts(h.snippet)) for h in hits if h.session in rows], ""


def _moment(name: str, value: str) -> str:
    """A day of a filter as a moment: its begin, or its end."""
    if not _DATE.fullmatch(value):
        raise UsageError(f"{name}: {value[:60]!r} is no day", hint="give one such as 2026-01-31")
    return f"{value}T00:00:00.000Z" if name == "since" else f"{value}T23:59:59.999Z"


def _parts(snippet: str) -> tuple[tuple[bool, str], ...]:
    out = []
    for n, part in enumerate(re.split(f"[{BEGIN}{END}]", snippet[:4000])):
        if part:
            out.append((n % 2 == 1, re.sub(r"\s+", " ", shown(part))))
    return tuple(out)
