"""Statistics as lines for a terminal, with a chart of plain characters, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence

from git_agent_session import term
from git_agent_session.answers.stats import RATES, TOKENS, Row, Stats
from git_agent_session.report.view import View, usd, wrapped

# what a chart can show: the name -> the number of a row
MEASURES: dict[str, Callable[[Row], float]] = {
    "sessions": lambda r: r.sessions,
    "commits": lambda r: r.sums["commits"],
    "tokens": lambda r: r.tokens,
    "cost": lambda r: r.cost_usd,
    "time": lambda r: sum(r.durations),
    "errors": lambda r: r.with_errors,
    "lines": lambda r: r.lines.alive if r.lines is not None else 0,
}
_BAR = 30
_NARROWEST = 8
_TOOLS = 8
_ABOUT = 40
_NAMES = 10


def text(view: View, found: Stats, *, chart: str, limit: int) -> Iterator[str]:
    """The total, and the groups as a table with a bar for each."""
    yield from _total(view, found.total)
    if not found.by or not found.groups:
        return
    shown = list(found.groups.items())
    # of weeks the latest matter
    shown = shown[-limit:] if found.by == "week" else shown[:limit]
    yield ""
    yield from _table(view, found.by, [(_name(name, found.about), row) for name, row in shown], chart)
    left = len(found.groups) - len(shown)
    if left:
        yield view.dim(f"and {left} more; --limit {len(found.groups)} shows all")


def _name(name: str, about: Mapping[str, str]) -> str:
    """A group's name; of a session its short id and what it was about."""
    if name not in about:
        return name
    return f"{name[:8]} {term.fit(term.clean(about[name]), _ABOUT)}".rstrip()


def _total(view: View, row: Row) -> Iterator[str]:
    sums = row.sums
    facts = [
        ("Sessions", f"{row.sessions:,}, {row.ended:,} ended, {row.completed:,} completed"),
        ("Commits", f"{sums['commits']:,}"),
        ("Tokens", ", ".join(f"{term.si(sums[k])} {w}" for k, w in zip(TOKENS, _TOKENS, strict=True) if sums[k])),
        ("Cost", usd(row.cost_usd) if row.cost_usd else ""),
        ("Duration", _durations(row)),
        ("Rates", _rates(row)),
        ("Tools", _tools(row)),
        ("Lines", _lines(row)),
    ]
    for name, told in facts:
        room = max(view.width - _NAMES, 1) if view.width else 0
        for number, line in enumerate(wrapped(told, room) if told else []):
            yield f"{view.heading(f'{name:<9}')} {line}" if not number else " " * _NAMES + line


_TOKENS = ("in", "out", "from cache", "to cache")


def _durations(row: Row) -> str:
    median, most = row.percentile(0.5), row.percentile(0.95)
    if median is None or most is None:
        return ""
    return f"median {term.duration(median)}, 95 % within {term.duration(most)}"


def _rates(row: Row) -> str:
    told = (
        ("succeeded", row.success_rate),
        ("resumed", row.resume_rate),
        ("of those succeeded", row.resume_success_rate),
        ("with errors", row.error_rate),
    )
    return ", ".join(f"{_percent(rate)} {word}" for word, rate in told if rate is not None)


def _tools(row: Row) -> str:
    ordered = sorted(row.tool_calls.items(), key=lambda t: (-t[1], t[0]))
    told = [f"{term.fit(term.clean(name), 30) or '?'} {n:,}" for name, n in ordered[:_TOOLS]]
    more = len(ordered) - _TOOLS
    return ", ".join([*told, f"{more} more"] if more > 0 else told)


def _lines(row: Row) -> str:
    if row.lines is None:
        return ""
    lines = row.lines
    share = f" ({_percent(lines.alive / lines.added)})" if lines.added else ""
    return (
        f"{lines.added:,} added, {lines.alive:,} still there{share}, {lines.by_agent:,} of these recorded as an agent's"
    )


def _table(view: View, by: str, shown: Sequence[tuple[str, Row]], chart: str) -> list[str]:
    alive = any(row.lines is not None for _, row in shown)
    names = _OF_ONE if by == "session" else _OF_MANY
    header = [by, *names, *(["alive"] if alive else [])]
    rows = [
        [name, *_cells(row, names), *([f"{row.lines.alive:,}" if row.lines else ""] if alive else [])]
        for name, row in shown
    ]
    # the table first, without a limit: what is left of the line is the chart's
    plain = term.columns([header, *rows], total=0, flexible=0)
    used = max(map(term.width, plain))
    room = min(_BAR, view.width - used - 2 - len(chart) // 2) if view.width else _BAR
    measure = MEASURES[chart]
    most = max((measure(row) for _, row in shown), default=0)
    if room >= _NARROWEST and most > 0:
        header.append(chart)
        for cells, (_, row) in zip(rows, shown, strict=True):
            cells.append(bar(measure(row), most, room))
    last = len(header) - 1
    right = set(range(1, last if room >= _NARROWEST and most > 0 else last + 1))
    return term.columns(
        rows,
        header=header,
        total=view.width,
        flexible=0,
        right=right,
        style=lambda r, c, t: view.heading(t) if r < 0 else t,
    )


def storage(view: View, sizes: Mapping[str, int], sessions: int) -> str:
    """What sessions take, in a line; `sizes` are bytes."""
    each = f", {term.si(sizes['objects'] // sessions)}B a session" if sessions else ""
    told = f"{term.si(sizes['objects'])}B in git{each}; {term.si(sizes['files'])}B of index, caches and journal"
    return f"{view.heading('Storage  ')} {told}"


def bar(value: float, most: float, room: int) -> str:
    """`#` for each part of the largest value; what is more than nothing has one."""
    return "#" * max(1, round(room * value / most)) if value > 0 else ""


# the columns of a table; of one session alone there is no median
_OF_MANY = ("sessions", "commits", "tokens", "cost", "median", "p95", "success", "errors")
_OF_ONE = ("commits", "tokens", "cost", "time", "errors")


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    median, most = row.percentile(0.5), row.percentile(0.95)
    told = {
        "sessions": f"{row.sessions:,}",
        "commits": f"{row.sums['commits']:,}",
        "tokens": term.si(row.tokens),
        "cost": usd(row.cost_usd) if row.cost_usd else "-",
        "median": "-" if median is None else term.duration(median),
        "p95": "-" if most is None else term.duration(most),
        "time": "-" if median is None else term.duration(median),
        "success": _percent(row.success_rate),
        "errors": _percent(row.error_rate) if names is _OF_MANY else f"{row.sums['errors']:,}",
    }
    return [told[name] for name in names]


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f} %"


def comma_separated(found: Stats) -> str:
    """CSV (RFC 4180): a header, a line for each group, or one for the total. A cell that a spreadsheet would take for a
    formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    rows = found.groups.items() if found.by else [("total", found.total)]
    columns = _columns(found.total)
    writer.writerow([found.by or "name", *columns])
    for name, row in rows:
        told = row.to_dict()
        writer.writerow([_cell(name), *(told.get(c, "") for c in columns)])
    return out.getvalue()


def _columns(total: Row) -> list[str]:
    fixed = [k for k in total.to_dict() if k not in (*RATES, "tool_calls", "median_duration_ms", "p95_duration_ms")]
    lines = [k for k in fixed if k.startswith("lines_")]
    return [*(k for k in fixed if k not in lines), "median_duration_ms", "p95_duration_ms", *RATES, *lines]


def _cell(name: str) -> str:
    cleaned = term.clean(name)
    return f"'{cleaned}" if cleaned[:1] in ("=", "+", "-", "@", "\t") else cleaned
