"""A repository with as many sessions as a busy team's of years: 10,000 sessions, 1,000,000 events, 100,000 commits.

Written by git-fast-import(1), in the form that the store writes: a commit a batch, states folded, links, notes. What is
made is the same for the same numbers, and kept in a folder that the caller names, since the largest takes minutes.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import UUID

from git_agent_session import codec
from git_agent_session.ids import timestamp
from git_agent_session.model import Event, State, fold

# to be raised when what is made changes
FORM = 2
BATCH = 10
FILES = 400
# a file that LONG_COMMITS commits, or all, put LONG_STEP lines each into
LONG = "long.py"
LONG_COMMITS, LONG_STEP = 400, 25
_BEGAN = 1_735_689_600
_WHO = "Ada Measurer <ada@example.org>"
_TOOLS = ("Bash", "Read", "Edit", "Write", "Grep", "Glob", "WebFetch")
_AGENTS = ("claude-code", "codex", "gemini", "opencode")
_SYLLABLES = tuple(a + b for a, b in zip("bcdfghjklmnprstvwxyz", "aeiouaiouaeiouaeiouo", strict=True))


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each; events and commits are spread evenly over the sessions."""

    sessions: int
    events: int
    commits: int

    @property
    def name(self) -> str:
        """Of the folder that holds such a repository."""
        return f"form{FORM}-{self.sessions}-{self.events}-{self.commits}"


FULL = Size(10_000, 1_000_000, 100_000)


def long_lines(size: Size) -> int:
    """How many lines the file LONG has in the end."""
    return LONG_STEP * len(_places(size))


def _places(size: Size) -> dict[int, int]:
    """Which commits change the file LONG, and behind which line each puts its own."""
    every, draw = max(1, size.commits // LONG_COMMITS), random.Random(3)
    return {n: draw.randint(0, k * LONG_STEP) for k, n in enumerate(range(0, size.commits, every)[:LONG_COMMITS])}


def repository(folder: Path, size: Size) -> Path:
    """The repository of this size below `folder`, made now where it is not there yet."""
    place = folder / size.name
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        path = place / "repository"
        path.mkdir(parents=True)
        _git(path, "init", "-q", "-b", "main")
        commits = _import_commits(path, size)
        with _fast_import(path) as out:
            for line in _sessions(size, commits):
                out.write(line)
            _notes(out, size, commits)
        _git(path, "pack-refs", "--all")
        _git(path, "commit-graph", "write", "--reachable")
        _git(path, "reset", "-q", "--hard")
        (place / "made").touch()
    return place / "repository"


def _git(path: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=path, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class _fast_import:
    """A running `git fast-import`, whose input is written to."""

    def __init__(self, path: Path, *args: str) -> None:
        self.process = subprocess.Popen(
            ["git", "fast-import", "--quiet", *args], cwd=path, stdin=subprocess.PIPE, bufsize=1 << 20
        )

    def __enter__(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    def __exit__(self, kind: object, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        if self.process.wait() != 0 and kind is None:
            raise RuntimeError("git fast-import has failed")


def _import_commits(path: Path, size: Size) -> list[str]:
    """The ids of the project's commits, the oldest first; each changes one of FILES files."""
    marks = path / ".git" / "marks"
    places = _places(size)
    lines: list[bytes] = []
    with _fast_import(path, f"--export-marks={marks}") as out:
        for n in range(size.commits):
            at = _BEGAN + n * 300
            name = file_name(n)
            text = b"".join(b"line %d of change %d\n" % (k, n - n % (k + 1)) for k in range(12))
            out.write(b"commit refs/heads/main\nmark :%d\ncommitter %s %d +0000\n" % (n + 1, _WHO.encode(), at))
            out.write(_data(b"Change %s, step %d\n" % (name.encode(), n)))
            if n in places:
                lines[places[n] : places[n]] = [b"value_%d_%d = compute(%d)\n" % (n, k, k) for k in range(LONG_STEP)]
                out.write(b"M 100644 inline %s\n" % LONG.encode() + _data(b"".join(lines)))
            out.write(b"M 100644 inline %s\n%s\n" % (name.encode(), _data(text)))
    ids = dict(line.split() for line in marks.read_text().splitlines())
    marks.unlink()
    return [ids[f":{n + 1}"] for n in range(size.commits)]


def file_name(n: int) -> str:
    """The file that the `n`th commit changes."""
    k = n * 7 % FILES
    return f"src/part{k // 20}/module{k}.py"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def session_id(n: int) -> str:
    """The id of the `n`th session."""
    return str(UUID(int=random.Random(n).getrandbits(128), version=4))


def _sessions(size: Size, commits: list[str]) -> Iterator[bytes]:
    draw = random.Random(5)
    sentences, places = _sentences(draw), _places(size)
    each, linked = size.events // size.sessions, size.commits // size.sessions
    for n in range(size.sessions):
        own = commits[n * linked : (n + 1) * linked]
        events = list(_events(n, each, list(enumerate(own, n * linked)), draw, sentences, places))
        yield from _chain(session_id(n), events)


def _chain(name: str, events: list[Event]) -> Iterator[bytes]:
    state = State()
    ref = b"refs/agent-sessions/" + name.encode()
    for start in range(0, len(events), BATCH):
        part = events[start : start + BATCH]
        state = fold(name, part, state)
        at = int(_BEGAN + start)
        yield b"commit %s\ncommitter %s %d +0000\n" % (ref, _WHO.encode(), at) + _data(b"%d events\n" % len(part))
        yield b"deleteall\nM 100644 inline session.toml\n" + _data(codec.dumps(state.doc))
        yield b"M 100644 inline events.toml\n" + _data(codec.join(part))


def _sentences(draw: random.Random) -> list[str]:
    """Twenty thousand sentences of ten words, few of which are frequent, as in any language (Zipf's law)."""
    words = list(dict.fromkeys("".join(draw.choices(_SYLLABLES, k=draw.randint(2, 4))) for _ in range(30_000)))
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    return [" ".join(draw.choices(words, cum_weights=weights, k=10)) for _ in range(20_000)]


def _events(
    n: int,
    count: int,
    commits: list[tuple[int, str]],
    draw: random.Random,
    sentences: list[str],
    places: Mapping[int, int],
) -> Iterator[Event]:
    """The events of the `n`th session: turns of a prompt, an answer, tool calls, tokens, and commits between them."""

    def text(most: int) -> str:
        return ". ".join(draw.choices(sentences, k=draw.randint(1, most)))

    began = (_BEGAN + n * 1800) * 1_000_000_000
    agent = _AGENTS[n % len(_AGENTS)]
    start: dict[str, object] = {
        "goal": draw.choice(sentences),
        "project": "large",
        "user": f"User {n % 30} <user{n % 30}@example.org>",
    }
    start.update(tags=[f"tag{n % 17}"], agent={"type": agent, "model": f"{agent}-large"})
    gap = max(1, (count - 2) // max(1, len(commits)))
    waiting = iter(commits)
    found: tuple[int, str] | None = None
    for k in range(count):
        kind, data = _turn(k, draw, text)
        if k == 0:
            kind, data = "start", start
        elif k == count - 1:
            kind, data = "end", {"status": draw.choice(("completed", "completed", "failed"))}
        elif k % gap == gap - 1 and (found := next(waiting, None)) is not None:
            data = {"commit": found[1], "via": "env", "paths": [LONG] * (found[0] in places) + [file_name(found[0])]}
            kind = "commit"
        elif found is not None and found[0] in places:
            place, found = places[found[0]], (-1, found[1])
            rows = [{"path": LONG, "agent": f"{place + 1}-{place + LONG_STEP}@1"}]
            kind, data = "lines", {"commit": found[1], "by": "edits", "prompt": 1, "files": rows}
        named = kind in ("commit", "lines")
        event_id = f"{kind}-{data['commit']}" if named else f"{kind}-{draw.getrandbits(64):016x}"
        yield Event(event_id, timestamp(began + k * 10_000_000_000), kind, dict(data), k + 1)


def _turn(k: int, draw: random.Random, text: Callable[[int], str]) -> tuple[str, dict[str, object]]:
    step = k % 12
    if step == 1:
        return "message", {"role": "user", "text": text(3)}
    if step in (2, 8):
        return "message", {"role": "assistant", "text": text(6)}
    if step == 9:
        tokens = {"input_tokens": draw.randrange(5_000), "output_tokens": draw.randrange(2_000)}
        return "usage", {"model": "large", **tokens, "cost_usd": round(draw.random() / 10, 6)}
    if step == 10 and k % 24 == 10:
        return "decision", {"text": text(1)}
    name = draw.choice(_TOOLS)
    outcome = "error" if draw.random() < 0.05 else "ok"
    told = {"name": name, "duration_ms": draw.randrange(4_000), "outcome": outcome}
    paths = [file_name(draw.randrange(FILES))] if name in ("Read", "Edit", "Write") else []
    return "tool", {**told, **({"paths": paths} if paths else {"summary": text(1)})}


def _notes(out: IO[bytes], size: Size, commits: list[str]) -> None:
    linked = size.commits // size.sessions
    out.write(b"commit refs/notes/agent-sessions\ncommitter %s %d +0000\n" % (_WHO.encode(), _BEGAN))
    out.write(_data(b"link\n"))
    for n, batch in enumerate(_parts(commits, linked)):
        line = f'sessions.{session_id(n)} = {{ agent = "{_AGENTS[n % len(_AGENTS)]}" }}\n'.encode()
        for commit in batch:
            out.write(b"M 100644 inline %s/%s\n" % (commit[:2].encode(), commit[2:].encode()) + _data(line))
    out.write(b"\n")


def _parts(values: list[str], size: int) -> Iterable[list[str]]:
    return (values[i : i + size] for i in range(0, len(values), max(1, size)))


def cache() -> Path:
    """Where large repositories are kept, by the XDG base directories."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "git-agent-session-benchmark"
