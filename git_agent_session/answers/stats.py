"""What sessions came to, in numbers: by agent, model, person, tag, week, repository or one by one.

    from git_agent_session.answers import stats

    found = stats.stats(store, by="agent")
    for name, row in found.groups.items(): print(name, row.sessions, row.cost_usd)

A session belongs to each of its tags, so the rows by tag can add up to more than the total. All of it comes from the
index but for the lines, which git is asked for (`answers.alive`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from git_agent_session import index
from git_agent_session.answers import alive as lines_alive
from git_agent_session.answers.alive import Lines
from git_agent_session.errors import UsageError
from git_agent_session.index.derived import Index
from git_agent_session.index.refresh import Progress
from git_agent_session.model import END_STATUSES, Doc
from git_agent_session.store.reader import Reader

BY = ("session", "agent", "model", "person", "tag", "week", "repository")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
SUCCESS = "completed"

_SUMMED = ("events", "messages", "tools", "commits", "errors", *TOKENS)
_COLUMNS = (
    "id",
    "status",
    "agent",
    "model",
    "user",
    "started_at",
    "duration_ms",
    *_SUMMED,
    "cost_usd",
    "goal",
    "title",
)


@dataclass(slots=True)
class Row:
    """The numbers of some sessions. Rates are from 0 to 1, None where there is nothing to divide by.

    `durations` are those of ended sessions in ms, sorted. `lines` is None where nobody asked for them.
    """

    sessions: int = 0
    ended: int = 0
    completed: int = 0
    with_errors: int = 0
    resumed: int = 0
    resumed_completed: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0))
    cost_usd: float = 0.0
    durations: list[int] = field(default_factory=list)
    tool_calls: dict[str, int] = field(default_factory=dict)
    lines: Lines | None = None

    @property
    def success_rate(self) -> float | None:
        """How many of the ended sessions were completed."""
        return _rate(self.completed, self.ended)

    @property
    def resume_rate(self) -> float | None:
        """How many sessions were taken up again after a pause or an end."""
        return _rate(self.resumed, self.sessions)

    @property
    def resume_success_rate(self) -> float | None:
        """How many of those were completed."""
        return _rate(self.resumed_completed, self.resumed)

    @property
    def error_rate(self) -> float | None:
        """How many sessions recorded an error."""
        return _rate(self.with_errors, self.sessions)

    @property
    def tokens(self) -> int:
        """All tokens, those of caches too."""
        return sum(self.sums[key] for key in TOKENS)

    def percentile(self, part: float) -> int | None:
        """The duration in ms that `part` (0 to 1) of the ended sessions stay within: the nearest rank."""
        if not self.durations:
            return None
        return self.durations[max(0, math.ceil(part * len(self.durations)) - 1)]

    def to_dict(self) -> Doc:
        """As `--json` prints it; rates and durations that are not known are left out."""
        told: Doc = {"sessions": self.sessions, "ended": self.ended, "completed": self.completed, **self.sums}
        told |= {"tokens": self.tokens, "cost_usd": round(self.cost_usd, 6)}
        more = {
            "median_duration_ms": self.percentile(0.5),
            "p95_duration_ms": self.percentile(0.95),
            **{k: _short(getattr(self, k)) for k in RATES},
        }
        told |= {k: v for k, v in more.items() if v is not None}
        if self.tool_calls:
            told["tool_calls"] = dict(sorted(self.tool_calls.items(), key=lambda t: (-t[1], t[0])))
        return told | (self.lines.to_dict() if self.lines is not None else {})


RATES = ("success_rate", "resume_rate", "resume_success_rate", "error_rate")


@dataclass(frozen=True, slots=True)
class Stats:
    """The total and, where it was asked for, the groups by name, the one with most sessions first (weeks: by time).

    `about` has the goals of the groups that are sessions.
    """

    by: str
    total: Row
    groups: Mapping[str, Row]
    about: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        found: Doc = {"total": self.total.to_dict()}
        if self.by:
            found["by"] = self.by
            about = {name: {"about": text} for name, text in self.about.items() if text}
            found["groups"] = [
                {"name": name, **about.get(name, {}), **row.to_dict()} for name, row in self.groups.items()
            ]
        return found


def stats(
    store: Reader,
    *,
    by: str = "",
    since: str = "",
    until: str = "",
    alive: bool = False,
    progress: Progress | None = None,
    blaming: Progress | None = None,
) -> Stats:
    """The numbers of the sessions of a repository that started from `since` to `until` (RFC 3339; "": any).

    `alive` asks git for the lines that they added and that are still there, which takes time once; `blaming` is called
    with how many files are done then, `progress` as for `Index.refresh`. Raises UsageError for a `by` that is none of
    BY, StorageError where the index cannot be written.
    """
    return of_many([store], by=by, since=since, until=until, alive=alive, progress=progress, blaming=blaming)


def of_many(
    stores: Sequence[Reader],
    *,
    by: str = "",
    since: str = "",
    until: str = "",
    alive: bool = False,
    progress: Progress | None = None,
    blaming: Progress | None = None,
) -> Stats:
    """As `stats`, for several repositories together. A session that several of them have counts once."""
    if by and by not in BY:
        raise UsageError(f"{by[:60]!r} is nothing to count by", hint=f"use {', '.join(BY)}")
    total, groups, about = Row(), dict[str, Row](), dict[str, str]()
    seen: set[str] = set()
    for store, name in zip(stores, names_of([_path(store) for store in stores]), strict=True):
        found = index.open(store)
        found.refresh(progress)
        own = _Repository(found, name, since, until)
        if alive:
            own.lines = lines_alive.of_sessions(store, found, blaming)
        _add(own, by, total, groups, seen)
        if by == "session":
            about |= {s["id"]: s["goal"] or s["title"] for s in own.sessions}
    for row in (total, *groups.values()):
        row.durations.sort()
    return Stats(by, total, dict(sorted(groups.items(), key=_by_week if by == "week" else _by_size)), about)


def _path(store: Reader) -> str:
    location = store.repo.location
    return location.worktree or location.common_dir


def _by_week(item: tuple[str, Row]) -> Any:
    return item[0]


def _by_size(item: tuple[str, Row]) -> Any:
    return (-item[1].sessions, -item[1].cost_usd, item[0])


class _Repository:
    """What one repository's index has of the sessions in question."""

    def __init__(self, found: Index, name: str, since: str, until: str) -> None:
        self.name = name
        conditions = [("started_at >= ?", since), ("started_at <= ?", until)]
        given = [(c, v) for c, v in conditions if v]
        where = f" WHERE {' AND '.join(c for c, _ in given)}" if given else ""
        rows = found.query(f"SELECT {', '.join(_COLUMNS)} FROM sessions{where}", [v for _, v in given])
        self.sessions = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        self.resumed = {i for (i,) in found.query("SELECT DISTINCT session FROM events WHERE kind = 'resume'")}
        self.tags: dict[str, list[str]] = {}
        for tag, session_id in found.query("SELECT tag, session FROM tags"):
            self.tags.setdefault(session_id, []).append(tag)
        self.tools = found.query("SELECT session, name, count(*) FROM tools GROUP BY name, session")
        self.lines: Mapping[str, Lines] | None = None

    def names(self, session: Mapping[str, Any], by: str) -> Iterable[str]:
        """The groups that a session belongs to."""
        if by == "tag":
            return self.tags.get(session["id"], ["untagged"])
        if by == "week":
            return [week_of(session["started_at"])]
        if by == "repository":
            return [self.name]
        key = {"session": "id", "person": "user"}.get(by, by)
        return [session[key] or "unknown"]


def _add(repository: _Repository, by: str, total: Row, groups: dict[str, Row], seen: set[str]) -> None:
    """Count a repository's sessions; one that is in `seen`, and goes in there, only in the row of the repository."""
    rows: dict[str, list[Row]] = {}
    for session in repository.sessions:
        known = session["id"] in seen
        seen.add(session["id"])
        own = [] if known else [total]
        if by == "repository" or (by and not known):
            own += [groups.setdefault(name, Row()) for name in repository.names(session, by)]
        rows[session["id"]] = own
        for row in own:
            _count(row, session, session["id"] in repository.resumed)
            if repository.lines is not None:
                row.lines = (row.lines or Lines()) + repository.lines.get(session["id"], Lines())
    for session_id, name, count in repository.tools:
        for row in rows.get(session_id, ()):
            row.tool_calls[name] = row.tool_calls.get(name, 0) + count


def _count(row: Row, session: Mapping[str, Any], resumed: bool) -> None:
    row.sessions += 1
    row.cost_usd += session["cost_usd"]
    for key in _SUMMED:
        row.sums[key] += session[key]
    completed = session["status"] == SUCCESS
    row.completed += completed
    row.with_errors += session["errors"] > 0
    row.resumed += resumed
    row.resumed_completed += resumed and completed
    if session["status"] in END_STATUSES:
        row.ended += 1
        row.durations.append(session["duration_ms"])


def week_of(at: str) -> str:
    """The week of a time by ISO 8601, such as `2026-W09`."""
    try:
        year, week, _ = date.fromisoformat(at[:10]).isocalendar()
    except ValueError:
        return "unknown"
    return f"{year}-W{week:02}"


def names_of(paths: Sequence[str]) -> list[str]:
    """How repositories are called: the last part of the path, and as many before it as tell one from the others."""
    parts = [[p for p in path.replace("\\", "/").split("/") if p and p != ".git"] or [path] for path in paths]
    found = []
    for own in parts:
        depth = 1
        while depth < len(own) and sum(other[-depth:] == own[-depth:] for other in parts) > 1:
            depth += 1
        found.append("/".join(own[-depth:]))
    return found


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _short(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 4)
