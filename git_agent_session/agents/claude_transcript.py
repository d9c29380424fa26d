"""Tokens, model, version and cost from Claude Code's transcripts, read by byte offset as they grow.

A transcript is JSON lines that Claude appends to, often a moment after the hook that speaks of them. One record for
each content block repeats its message's usage, so a message counts once, by (message id, request id), and the last
record wins. A fork's file opens with a copy of the other session's records, which keep their times. Nothing but
numbers and names is taken, and memory does not grow with the file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from git_agent_session.ids import is_timestamp

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Elsewhere

# bytes; a longer record is passed over
LINE = 32 * 1024 * 1024
# records of a message stand together: this many messages back a later record still corrects the count
RECENT = 1024
SUBAGENTS = 1000

_TOKENS = (
    ("input_tokens", "input_tokens"),
    ("output_tokens", "output_tokens"),
    ("cache_read_tokens", "cache_read_input_tokens"),
    ("cache_write_tokens", "cache_creation_input_tokens"),
)


class Transcript:
    """The transcript of one session, with those of its subagents."""

    def __init__(self, path: str, env: Mapping[str, str]) -> None:
        """Raises ValueError when `path` does not lie among Claude's own transcripts."""
        home = env.get("CLAUDE_CONFIG_DIR") or os.path.join(os.path.expanduser("~"), ".claude")
        projects = os.path.realpath(os.path.join(home, "projects"))
        self.path = os.path.realpath(path)
        below = os.path.relpath(self.path, projects).split(os.sep)
        if len(below) != 2 or below[0] == os.pardir or not self.path.endswith(".jsonl"):
            raise ValueError("the transcript does not lie in Claude's own folder: it is not read")
        self._agent = env.get("CLAUDE_PID", "")

    def read(self, memory: dict[str, Any], elsewhere: Elsewhere) -> None:
        """See `protocol.UsageReader`. A file that shrank is read anew, with all others."""
        files = memory.setdefault("files", {})
        if any(_size(self._file(name)) < place for name, place in files.items()):
            for key in ("files", "recent", "totals"):
                memory.pop(key, None)
            files = memory.setdefault("files", {})
        for name in self._names():
            try:
                self._read(name, memory, elsewhere)
            except FileNotFoundError:
                continue  # the first hooks come before the file

    def may_grow(self) -> bool:
        """See `protocol.UsageReader`."""
        if not self._agent.isdecimal() or os.name == "nt":
            return True  # on Windows signal 0 is control-C
        try:
            os.kill(int(self._agent), 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:
            return True
        return True

    def _names(self) -> list[str]:
        folder = Path(self.path.removesuffix(".jsonl"), "subagents")
        try:
            found = sorted(n for n in os.listdir(folder) if n.endswith(".jsonl"))
        except OSError:
            found = []
        return ["", *found[:SUBAGENTS]]

    def _file(self, name: str) -> str:
        return os.path.join(self.path.removesuffix(".jsonl"), "subagents", name) if name else self.path

    def _read(self, name: str, memory: dict[str, Any], elsewhere: Elsewhere) -> None:
        place = memory["files"].get(name, 0)
        for line, after in _lines(self._file(name), place):
            # most lines are the harness's own, and long: they are not even parsed
            if b'"assistant"' in line or b'"cost-state"' in line:
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    record = None
                if isinstance(record, dict):
                    _take(record, memory, elsewhere, main=not name)
            memory["files"][name] = after


def _take(record: Mapping[str, Any], memory: dict[str, Any], elsewhere: Elsewhere, *, main: bool) -> None:
    if record.get("type") == "cost-state" and main:
        return _cost(record, memory, elsewhere)
    message = record.get("message")
    if record.get("type") != "assistant" or not isinstance(message, dict):
        return None
    at, usage = record.get("timestamp"), message.get("usage")
    key = f"{message.get('id') or record.get('uuid')}:{record.get('requestId') or ''}"[:400]
    if is_timestamp(at) and elsewhere.counted(key, str(at)):
        return None
    if isinstance(usage, dict):
        _count(key, usage, memory)
    if main and record.get("isSidechain") is not True:
        names = {"model": message.get("model"), "version": record.get("version")}
        memory.update({key: value for key, value in names.items() if _is_name(value)})
    return None


def _is_name(value: object) -> bool:
    # what Claude says in the model's place names itself `<synthetic>`
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value[0] != "<"


def _count(key: str, usage: Mapping[str, Any], memory: dict[str, Any]) -> None:
    recent = memory.setdefault("recent", {})
    totals = memory.setdefault("totals", {})
    now = [_whole(usage.get(theirs)) for _, theirs in _TOKENS]
    before = recent.pop(key, [0] * len(_TOKENS))
    recent[key] = now
    if len(recent) > RECENT:
        del recent[next(iter(recent))]
    for (ours, _), new, old in zip(_TOKENS, now, before, strict=True):
        totals[ours] = totals.get(ours, 0) + new - old


def _cost(record: Mapping[str, Any], memory: dict[str, Any], elsewhere: Elsewhere) -> None:
    """Take the rise of the running total; a total that fell has started anew."""
    total, start = record.get("totalCostUSD"), record.get("startTime")
    if isinstance(total, bool) or not isinstance(total, int | float) or not 0 <= total < 1e9:
        return
    start = start if isinstance(start, int) else 0
    before = memory["cost"]["total"] if "cost" in memory else min(elsewhere.cost(start), total)
    totals = memory.setdefault("totals", {})
    totals["cost_usd"] = round(totals.get("cost_usd", 0) + (total - before if total >= before else total), 6)
    memory["cost"] = {"total": total, "start": start}


def _lines(path: str, place: int) -> Iterator[tuple[bytes, int]]:
    """The whole lines from the byte `place` on, each with the place after it; one that is too long comes as b""."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    fd = os.open(path, flags)
    with open(fd, "rb") as f:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return
        f.seek(place)
        long = False
        while line := f.readline(LINE):
            place += len(line)
            if line.endswith(b"\n"):
                yield b"" if long else line, place
                long = False
            elif len(line) == LINE:
                long = True
            else:
                return  # still being written


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 1 << 62  # gone: nothing to read anew


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        return 0
    return value
