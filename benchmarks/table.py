"""The tables as text for a terminal and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.harness import Amount, Row, Table

_HEADS = ("what", "median", "p10 – p90", "ratio", "target", "")


def text(tables: Sequence[Table]) -> str:
    """For a terminal: columns that line up, and below a table why something in it fell short."""
    return "\n\n".join(_text(t) for t in tables)


def markdown(tables: Sequence[Table], facts: Sequence[tuple[str, str]]) -> str:
    """For documentation: what it was measured on, then the tables."""
    parts = ["\n".join(["| measured on | |", "|---|---|", *(f"| {k} | {v} |" for k, v in facts)])]
    for table in tables:
        lines = [f"### {table.title}", "", table.note, "", f"| {' | '.join(_HEADS)} |", "|---|---:|---:|---:|---|---|"]
        lines += [f"| {' | '.join(_cells(r))} |" for r in table.rows]
        lines += [line for why in _whys(table) for line in ("", why)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def marks(names: Sequence[str] = ()) -> tuple[str, str]:
    """The lines between which a document has the tables of a run: of the whole, or of the scenarios `names`.

    A run with `--large` has that word in front of the names.
    """
    run = " ".join(names) or "--markdown"
    return f"<!-- benchmarks/run {run}: begin -->", f"<!-- benchmarks/run {run}: end -->"


def replaced(document: str, generated: str, names: Sequence[str] = ()) -> str:
    """`document` with what stands between the marks of a run replaced; raises ValueError when it has none."""
    first, last = marks(names)
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"it has no part between {first} and {last}")
    return f"{before}{first}\n\n{generated}\n\n{last}{after}"


def _text(table: Table) -> str:
    cells = [_HEADS, *(_cells(r) for r in table.rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_HEADS))]
    lines = [table.title, f"  {table.note}"]
    for row in cells:
        parts = [c.ljust(w) if n in (0, 4, 5) else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  " + "  ".join(parts).rstrip())
    return "\n".join([*lines, *(f"  {why}" for why in _whys(table))])


def _cells(row: Row | Amount) -> tuple[str, ...]:
    verdict = "" if row.met is None else "met" if row.met else "not met"
    if isinstance(row, Amount):
        return row.name, f"{row.value:,.{row.digits}f} {row.unit}", "", "", row.target, verdict
    low, high = row.spread()
    ratio = f"{row.ratio:.2f} × {row.against}" if row.baseline else ""
    spread = f"{_ms(low)} – {_ms(high)}" if len(row.times) > 1 else "once"
    return row.name, f"{_ms(row.median)} ms", spread, ratio, str(row.target or ""), verdict


def _whys(table: Table) -> list[str]:
    return [f"Not met: {r.name}. {r.why}".rstrip() for r in table.rows if r.met is False]


def _ms(seconds: float) -> str:
    ms = seconds * 1000
    return f"{ms:.3f}" if ms < 1 else f"{ms:.2f}" if ms < 10 else f"{ms:,.1f}" if ms < 100 else f"{ms:,.0f}"
