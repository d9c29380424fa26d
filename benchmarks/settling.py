"""What the settle step needs, which reads transcripts in a process of its own: time and memory, whatever their size."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.agent_hooks import Session
from benchmarks.agents_like_claude import Claude
from benchmarks.harness import Amount, Command, Row, Table, Target, measure
from benchmarks.harness import Variant as Way
from benchmarks.world import Repo, World

TURN = 20_000
_MEMORY = 150.0


def settle(world: World) -> Iterator[Table]:
    """Claude Code's transcripts: a turn on top of what was read, and the first reading of all of it."""
    repo = world.repo()
    small, large = (_Settled(repo, size) for size in world.scale.transcripts)
    first = [small.first, large.first]
    ways = [s.way(f"a turn of {TURN // 1000} KB on top of {s.session.size}") for s in (small, large)]
    times = measure(ways, world.scale.settle_rounds)
    before, after = (w.name for w in ways)
    shown: list[Row | Amount] = [
        Row(before, times[before]),
        Row(after, times[after], before, times[before], Target(ratio=1.2)),
    ]
    for s, way in zip((small, large), ways, strict=True):
        shown.append(Amount(f"{way.name}: peak memory", s.peak() / 1e6, "MB", most=_MEMORY))
    for s, (seconds, peak) in zip((small, large), first, strict=True):
        name = f"the first reading of {s.session.size}"
        shown.append(Row(name, [seconds]))
        if s is large:
            shown.append(Amount(f"{name}: speed", s.bytes / 1e6 / seconds, "MB/s"))
        shown.append(Amount(f"{name}: peak memory", peak / 1e6, "MB", most=_MEMORY))
    note = (
        "The process that a hook call leaves behind, alone: the batch is written, the transcript read from where the "
        "last reading ended, secrets taken out, tokens counted, what is kept stored in the session's ref. The "
        "transcript's texts are source code."
    )
    yield Table("The settle step", note, shown)


class _Settled:
    """A session whose transcript the settle step has read once; `first`: the seconds and the peak memory of that."""

    def __init__(self, repo: Repo, size: int) -> None:
        # what the first hook call leaves behind finds a short transcript
        self.session = Session(repo, Claude, size, unread=True)
        self.bytes = self.session.agent.transcript.stat().st_size
        self._command = self._child(repo)
        self._command.enter()
        begun = time.perf_counter()
        peak = self._command.peak()
        self.first = (time.perf_counter() - begun, peak)

    def _child(self, repo: Repo) -> Command:
        from git_agent_session import own_process

        git = os.fspath(repo.path / ".git")
        packages = os.fspath(Path(repo.world.root, "packages"))
        place = (git, git, os.fspath(repo.path))
        whole = own_process.argv("git_agent_session.agents.detach", "child", "claude-code", self.session.id, *place)
        _, _, code, boot, _, *args = whole
        argv = (repo.world.python, "-I", code, boot, packages, *args)
        note = f"transcript={self.session.agent.transcript}"
        return Command(repo.path, *argv, note, env=self.session.agent.env())

    def way(self, name: str) -> Way:
        """The settling of one more turn."""

        def before() -> None:
            self.session.agent.grow(TURN)
            self._command.enter()

        return Way(name, self._command, before, self.session.quiet)

    def peak(self) -> int:
        """The peak memory of one more turn, in bytes."""
        self.session.agent.grow(TURN)
        self._command.enter()
        return self._command.peak()
