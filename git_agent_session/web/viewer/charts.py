"""Charts as numbers: where the bars and lines of an SVG stand. Templates draw them; colours are classes of the CSS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 216
# of a chart beside a text
SMALL = (300, 136)
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 30


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, the class of its colour, and what a pointer over it is told."""

    x: float
    y: float
    width: float
    height: float
    slot: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it is, and its word."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of `width` × `height`; `line` and `area` are SVG paths; `summary` says in words what is drawn."""

    bars: tuple[Bar, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    summary: str
    line: str = ""
    area: str = ""
    width: int = WIDTH
    height: int = HEIGHT


def steps(most: float, wanted: int = 4) -> list[float]:
    """Round values from 0 to at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / wanted
    size = 10 ** math.floor(math.log10(raw))
    step = next(f * size for f in (1, 2, 2.5, 5, 10) if f * size >= raw * 0.999)
    return [n * step for n in range(math.ceil(most / step * 0.999) + 1)]


def number(value: float, unit: str = "") -> str:
    """A value as an axis says it: `1.2k`, `$0.40`."""
    if unit == "$" and value >= 1e7:
        return f"${value:.3g}"
    if unit == "$":
        return f"${value:,.0f}" if value >= 10 or value == 0 else f"${value:.2f}"
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def _rows(scale: Sequence[float], unit: str, height: int = HEIGHT) -> tuple[Tick, ...]:
    return tuple(Tick(_y(v, scale[-1], height), number(v, unit)) for v in scale)


def _y(value: float, most: float, height: int = HEIGHT) -> float:
    return round(height - _BOTTOM - value / (most or 1) * (height - _TOP - _BOTTOM), 2)


def stacked(columns: Sequence[tuple[str, Mapping[str, float]]], slots: Mapping[str, str], unit: str = "") -> Chart:
    """Bars of parts, one above the other: `columns` are (word, part -> value); `slots` part -> class, in order."""
    most = max((sum(parts.values()) for _, parts in columns), default=0)
    scale = steps(most)
    width = (WIDTH - _LEFT - _RIGHT) / max(1, len(columns))
    gap = min(6.0, width * 0.25)
    bars = []
    for n, (word, parts) in enumerate(columns):
        below = 0.0
        for part, slot in slots.items():
            value = parts.get(part, 0)
            if value:
                top, bottom = _y(below + value, scale[-1]), _y(below, scale[-1])
                x = round(_LEFT + n * width + gap / 2, 2)
                title = f"{word}: {part} {number(value, unit)}"
                bars.append(Bar(x, top, round(min(width - gap, 48), 2), round(bottom - top, 2), slot, title))
                below += value
    every = max(1, math.ceil(len(columns) / 8))
    half = min(width - gap, 48) / 2
    named = tuple(
        Tick(round(_LEFT + n * width + gap / 2 + half, 2), word)
        for n, (word, _) in enumerate(columns)
        if n % every == 0
    )
    total = sum(sum(parts.values()) for _, parts in columns)
    summary = f"{len(columns)} columns, {number(total, unit)} in all, at most {number(most, unit)}"
    return Chart(tuple(bars), _rows(scale, unit), named, summary)


def growing(points: Sequence[tuple[float, float]], words: tuple[str, str], unit: str = "$") -> Chart:
    """A sum that grows with time: `points` are (seconds, sum), in their order; `words` name begin and end."""
    width, height = SMALL
    first, last = points[0][0], points[-1][0]
    span, scale = max(last - first, 1e-9), steps(max(v for _, v in points), 2)
    bottom = _y(0, scale[-1], height)

    def x(at: float) -> float:
        return round(_LEFT + (at - first) / span * (width - _LEFT - _RIGHT), 2)

    path = f"M{x(first)} {bottom}" + "".join(f"H{x(at)}V{_y(v, scale[-1], height)}" for at, v in points)
    named = (Tick(_LEFT, words[0]), Tick(width - _RIGHT, words[1]))
    summary = f"grows to {number(points[-1][1], unit)}"
    return Chart((), _rows(scale, unit, height), named, summary, path, f"{path}V{bottom}Z", width, height)
