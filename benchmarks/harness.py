"""Measuring: several ways to do a thing, round after round in turn, and what their times say.

Every round does each of them once, in an order drawn anew (the same in every run), so that a slow moment of the machine
and what one leaves behind for the next fall on all alike. Ratios are made round by round, and the median of those
counts. Nothing here knows what is measured.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """What was to be measured did not do its work: its time would say nothing."""


def nothing() -> None:
    """For a variant that needs no preparation."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do the thing: `run` is timed, `before` and `after` are not."""

    name: str
    run: Callable[[], object]
    before: Callable[[], object] = nothing
    after: Callable[[], object] = nothing


def measure(variants: Sequence[Variant], rounds: int, *, warm: int = 2) -> dict[str, list[float]]:
    """The times of each variant in seconds, one a round; the first `warm` rounds are thrown away."""
    times: dict[str, list[float]] = {v.name: [] for v in variants}
    draw = random.Random(0)
    for n in range(rounds + warm):
        for variant in draw.sample(variants, len(variants)):
            variant.before()
            begun = time.perf_counter()
            variant.run()
            took = time.perf_counter() - begun
            variant.after()
            if n >= warm:
                times[variant.name].append(took)
    return times


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised: at most `ratio` times the baseline, or less than `ms` milliseconds."""

    ratio: float = 0.0
    ms: float = 0.0

    def __str__(self) -> str:
        return f"≤ {self.ratio:g} ×" if self.ratio else f"< {self.ms:g} ms"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: seconds of `times`, beside those of the `baseline` rows in the same rounds."""

    name: str
    times: Sequence[float]
    against: str = ""
    baseline: Sequence[float] = ()
    target: Target | None = None
    why: str = ""

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.times)

    @property
    def ratio(self) -> float:
        """The median of the ratios of each round; 0 without a baseline."""
        if not self.baseline:
            return 0.0
        return statistics.median(a / b for a, b in zip(self.times, self.baseline, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the target is met, compared as it is printed; None where there is none."""
        if self.target is None:
            return None
        if self.target.ratio:
            return round(self.ratio, 2) <= self.target.ratio
        return self.median * 1000 < self.target.ms

    def spread(self) -> tuple[float, float]:
        """The 10th and the 90th percentile, in seconds."""
        if len(self.times) < 2:
            return self.median, self.median
        tenths = statistics.quantiles(self.times, n=10, method="inclusive")
        return tenths[0], tenths[-1]


@dataclass(frozen=True, slots=True)
class Amount:
    """One line of a table that is no time: `value` in `unit`, which is to be at `least` or `most` so much."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    why: str = ""
    digits: int = 1

    @property
    def met(self) -> bool | None:
        """Whether it is as promised, compared as it is printed; None where nothing is."""
        if self.least is None and self.most is None:
            return None
        value = round(self.value, self.digits)
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @property
    def target(self) -> str:
        """As it is printed."""
        if self.least is not None:
            return f"≥ {self.least:g} {self.unit}"
        return f"≤ {self.most:g} {self.unit}" if self.most is not None else ""


@dataclass(frozen=True, slots=True)
class Table:
    """What one scenario found; `note` says in a sentence or two how."""

    title: str
    note: str
    rows: Sequence[Row | Amount]


def rows(times: Mapping[str, Sequence[float]], against: str, targets: Mapping[str, Target], why: str = "") -> list[Row]:
    """A row for each variant, in their order, compared with the variant `against`; `why` is said of missed targets."""
    found = []
    for name, own in times.items():
        if name == against:
            found.append(Row(name, own))
        else:
            found.append(Row(name, own, against, times[against], targets.get(name), why))
    return found


_PEAK = """import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
os.write(int(sys.argv[1]), b"%d" % used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))"""


class Command:
    """A command to run with as little around it as there can be: posix_spawn and wait, output to the null device."""

    def __init__(
        self, folder: Path, *argv: str, stdin: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._argv = argv
        self.env = {**os.environ, **(env or {})}
        self._said = folder.parent / f"{folder.name}.stderr"
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._streams = (
            (os.POSIX_SPAWN_OPEN, 0, os.fspath(stdin) if stdin else os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.fspath(self._said), write, 0o600),
        )

    def enter(self) -> None:
        """Go to the folder it runs in: posix_spawn cannot, and it is not to be timed."""
        os.chdir(self._folder)

    def __call__(self) -> None:
        """Raises Failed when it exits with anything but 0."""
        child = os.posix_spawn(self._argv[0], self._argv, self.env, file_actions=self._streams)
        self._ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    def peak(self) -> int:
        """Run it; returns its peak resident size in bytes. Raises Failed as a call does.

        A process between the two runs it: the size of what a process was before exec(2) counts as its own.
        """
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        argv = (sys.executable, "-I", "-S", "-c", _PEAK, str(writer), *self._argv)
        child = os.posix_spawn(argv[0], argv, self.env, file_actions=self._streams)
        os.close(writer)
        with open(reader, "rb") as f:
            said = f.read()
        self._ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        # getrusage(2): kilobytes on Linux, bytes on macOS
        return int(said) if sys.platform == "darwin" else int(said) * 1024

    def _ended(self, code: int) -> None:
        if code != 0:
            said = self._said.read_text(errors="replace").strip()
            raise Failed(f"{' '.join(self._argv)} exited {code}: {said}")
