"""What every agent has that the benchmarks play: what it sends to its hooks, and a transcript of any size.

Payloads have the keys that the agents send, and texts of the sizes that they have in a session's middle. The texts of a
transcript are pieces of this package's source: no filler that a compressor or a search would pass over at once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

PROMPT, WRITTEN, BEFORE, AFTER, STOP = "a prompt", "a file written", "before a command", "after a command", "stop"
CALLS = (PROMPT, WRITTEN, BEFORE, AFTER, STOP)

COMMAND = "python -m pytest -q tests/unit"
OUTPUT = "............ [100%]\n12 passed in 0.52s\n" * 60
AT = "2026-01-02T03:04:05.678Z"
# characters: what a tool's result has as a rule
_PIECE = 6000

Record = dict[str, Any]


@cache
def _pieces() -> list[str]:
    root = Path(__file__).resolve().parent.parent / "git_agent_session"
    text = "".join(p.read_text(encoding="utf-8") for p in sorted(root.rglob("*.py")) if p.name != "table.py")
    return [text[n : n + _PIECE] for n in range(0, len(text) - _PIECE, _PIECE)]


def piece(n: int) -> str:
    """Some source text; the same for the same number."""
    return _pieces()[n % len(_pieces())]


class Agent:
    """One session of an agent: its payloads, its environment, its transcript. The agents are its subclasses."""

    name: ClassVar[str]
    title: ClassVar[str]
    calls: ClassVar[tuple[str, ...]] = CALLS
    # calls of which nothing is stored: the transcript has it
    silent: ClassVar[tuple[str, ...]] = ()
    start: ClassVar[str] = "SessionStart"
    events: ClassVar[Mapping[str, str]]

    def __init__(self, folder: Path, file: Path, native: str) -> None:
        self.folder = folder
        self.file = file
        self.native = native
        self.count = 0
        self.home = Path(os.environ["HOME"])
        self.transcript = self.home / self.place()
        self.transcript.parent.mkdir(parents=True, exist_ok=True)

    def place(self) -> str:
        """Where its transcript is, from the home folder on."""
        raise NotImplementedError

    def env(self) -> dict[str, str]:
        """What it sets for its hooks."""
        return {}

    def begin(self) -> Record:
        """What it sends when the session begins."""
        return {**self.common(), "hook_event_name": self.start, "source": "startup"}

    def payload(self, call: str, more: str = "") -> Record:
        """What it sends in one call; `more` stands in what was said, printed or written."""
        self.count += 1
        said = self.said(call, f"{piece(self.count)[:400]} {more}")
        return {**self.common(), "hook_event_name": self.events[call], **said}

    def common(self) -> Record:
        """What stands in every payload."""
        return {"session_id": self.native, "transcript_path": str(self.transcript), "cwd": str(self.folder)}

    def said(self, call: str, text: str) -> Record:
        """What a call says beside that."""
        raise NotImplementedError

    def records(self, n: int, text: str) -> list[Record]:
        """One step of a turn in its transcript: the agent's answer with tokens, and a tool's result."""
        raise NotImplementedError

    def write(self, size: int) -> None:
        """Make the transcript, of so many bytes."""
        written, n = 0, 0
        with self.transcript.open("wb") as f:
            while written < size:
                n -= 1
                written += f.write(self._lines(n))

    def grow(self, size: int = 0) -> None:
        """Add one step to the transcript, or as many as make `size` bytes."""
        with self.transcript.open("ab") as f:
            written = 0
            while written <= size:
                self.count += 1
                written += f.write(self._lines(self.count))

    def _lines(self, n: int) -> bytes:
        rows = self.records(n, piece(n))
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    @property
    def own(self) -> str:
        """What makes ids this session's own."""
        return self.native[:8]

    def call_id(self) -> str:
        """The id of a tool call."""
        return f"call_{self.native}_{self.count}"


def now() -> str:
    """The time as agents write it."""
    ns = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns // 10**6 % 1000:03d}Z"
