"""What all sessions come to: by week, agent, model and tool, as charts and tables. All is asked of the index, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median

from git_agent_session.index.derived import Index
from git_agent_session.model import END_STATUSES
from git_agent_session.web.viewer import look
from git_agent_session.web.viewer.charts import Chart, stacked
from git_agent_session.web.viewer.text import line

WEEKS = 26
ROWS = 12
# calls of tools of which outcomes and times are looked at: all of a million take seconds
CALLS = 50_000


@dataclass(slots=True)
class Sum:
    """What some sessions come to. `completed` counts those of the `ended` ones; `times` are theirs in ms."""

    sessions: int = 0
    active: int = 0
    ended: int = 0
    completed: int = 0
    commits: int = 0
    tools: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    times: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """The share of ended sessions that completed, None where none has ended."""
        return self.completed / self.ended if self.ended else None

    @property
    def median_ms(self) -> float | None:
        """How long an ended session took in the middle."""
        return median(self.times) if self.times else None


@dataclass(frozen=True, slots=True)
class Group:
    """The sessions of one agent, model or person; `key` is its name as it is stored, `share` that of the largest."""

    name: str
    key: str
    slot: str
    sum: Sum
    share: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: how often it was called; of the youngest CALLS, how often that failed and took in the mean."""

    name: str
    calls: int
    failed: int
    mean_ms: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """All that the page shows; `is_sampled` where there are more calls of tools than are looked at."""

    totals: Sum
    by_week: Chart | None
    cost: Chart | None
    groups: tuple[tuple[str, str, tuple[Group, ...]], ...]
    tools: tuple[Tool, ...]
    is_sampled: bool
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Row:
    status: str
    agent: str
    model: str
    user: str
    week: str
    duration_ms: int
    commits: int
    tools: int
    tokens: int
    cost_usd: float


_QUERY = (
    "SELECT status, agent, model, user, coalesce(date(started_at, 'weekday 0', '-6 days'), ''), duration_ms, commits, "
    "tools, input_tokens + output_tokens + cache_read_tokens + cache_write_tokens, cost_usd FROM sessions"
)


def read(found: Index) -> Numbers:
    """The numbers as the index has them."""
    rows = [_Row(*row) for row in found.query(_QUERY)]
    totals = Sum()
    for row in rows:
        _add(totals, row)
    counts, costs = _weeks(rows)
    slots = _slots(rows)
    tools, sampled = _tools(found)
    return Numbers(
        totals,
        stacked(counts, slots) if counts else None,
        stacked(costs, slots, "$") if any(sum(p.values()) for _, p in costs) else None,
        (
            ("Agents", "agent", tuple(_groups(rows, lambda r: r.agent, look.agent))),
            ("Models", "", tuple(_groups(rows, lambda r: r.model, lambda v: line(v, 60)))),
            ("People", "user", tuple(_groups(rows, lambda r: r.user, look.person))),
        ),
        tools,
        sampled,
        tuple(slots.items()),
    )


def _add(total: Sum, row: _Row) -> None:
    total.sessions += 1
    total.active += row.status == "active"
    if row.status in END_STATUSES:
        total.ended += 1
        total.completed += row.status == "completed"
        total.times.append(row.duration_ms)
    total.commits += row.commits
    total.tools += row.tools
    total.tokens += row.tokens
    total.cost_usd += row.cost_usd


def _slots(rows: Iterable[_Row]) -> dict[str, str]:
    """The colours by agents' names, in one order for all charts."""
    return {look.agent(key): look.slot(key) for key in sorted({row.agent for row in rows})}


Columns = list[tuple[str, Mapping[str, float]]]


def _weeks(rows: Sequence[_Row]) -> tuple[Columns, Columns]:
    """Sessions and costs by week and agent, of the last WEEKS in which there were any."""
    known = sorted({row.week for row in rows if row.week})
    if not known:
        return [], []
    last = date.fromisoformat(known[-1])
    first = max(date.fromisoformat(known[0]), last - timedelta(weeks=WEEKS - 1))
    weeks = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    counts: dict[str, dict[str, float]] = {w.isoformat(): {} for w in weeks}
    costs: dict[str, dict[str, float]] = {w.isoformat(): {} for w in weeks}
    for row in rows:
        if row.week in counts:
            name = look.agent(row.agent)
            counts[row.week][name] = counts[row.week].get(name, 0) + 1
            costs[row.week][name] = costs[row.week].get(name, 0) + row.cost_usd
    words = [f"{w.day} {w:%b}" for w in weeks]
    return list(zip(words, counts.values(), strict=True)), list(zip(words, costs.values(), strict=True))


def _groups(rows: Iterable[_Row], key: Callable[[_Row], str], word: Callable[[str], str]) -> Iterator[Group]:
    sums: dict[str, Sum] = {}
    for row in rows:
        _add(sums.setdefault(key(row), Sum()), row)
    largest = sorted(sums.items(), key=lambda item: (-item[1].sessions, item[0]))[:ROWS]
    most = max((s.sessions for _, s in largest), default=1)
    is_agent = word is look.agent
    for name, found in largest:
        slot = look.slot(name) if is_agent else "a0"
        yield Group(word(name) or "unknown", name, slot, found, found.sessions / most)


def _tools(found: Index) -> tuple[tuple[Tool, ...], bool]:
    counts = found.query("SELECT name, count(*) AS n FROM tools GROUP BY name ORDER BY n DESC LIMIT ?", [ROWS])
    youngest = "SELECT name, outcome, duration_ms FROM tools ORDER BY event DESC LIMIT ?"
    query = f"SELECT name, sum(outcome IN ('error', 'interrupted')), avg(duration_ms) FROM ({youngest}) GROUP BY name"
    looked = {name: (failed, mean) for name, failed, mean in found.query(query, [CALLS])}
    most = max((n for _, n in counts), default=1)
    tools = [Tool(line(name, 60) or "unknown", n, *looked.get(name, (0, None)), n / most) for name, n in counts]
    return tuple(tools), sum(n for _, n in counts) > CALLS
