"""What `blame` and `why` cost beside git's own blame: a long file with a long history, most of it by agents."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import large
from benchmarks.harness import Command, Failed, Row, Table, Target, Variant, measure
from benchmarks.world import Repo, World
from git_agent_session import index
from git_agent_session.answers.blame import blame
from git_agent_session.answers.options import Options
from git_agent_session.answers.why import of_lines
from git_agent_session.store.store import Store

FILE = large.LONG
TARGET = Target(ratio=1.3)
_WHY = "Python has to start and to load first; git is at work meanwhile where there is a second processor."


@dataclass(frozen=True, slots=True)
class _Size:
    """`lines` of the file, brought by as many `commits`, three of four of them by `sessions`."""

    lines: int
    commits: int
    sessions: int


def answers(world: World) -> Iterator[Table]:
    """`blame` of a file of 10,000 lines, and `why` of one of its lines."""
    full = world.scale.sessions >= 1000
    size = _Size(10_000, 400, 80) if full else _Size(200, 20, 4)
    repo, agents = _repository(world, size)
    rounds = max(2, world.scale.process_rounds // 4)
    note = f"A file of {size.lines:,} lines by {size.commits} commits, {agents} of them of {size.sessions} sessions."
    yield from _tables(repo, size, note, rounds)
    if world.large:
        yield from _large(world, rounds)


def _large(world: World, rounds: int) -> Iterator[Table]:
    """The same in the repository that `index` is measured in."""
    size = large.FULL
    repo = Repo(world, large.repository(world.large or world.root, size))
    index.open(repo.store()).refresh(wait=600)
    note = (
        f"In a repository of {size.sessions:,} sessions, {size.events:,} events and {size.commits:,} commits, "
        f"{large.LONG_COMMITS} of which brought the {large.long_lines(size):,} lines of a file."
    )
    lines = _Size(large.long_lines(size), large.LONG_COMMITS, large.LONG_COMMITS)
    for found in _tables(repo, lines, note, rounds):
        yield Table(f"{found.title}, in a large repository", found.note, found.rows)


def _tables(repo: Repo, size: _Size, note: str, rounds: int) -> Iterator[Table]:
    middle = size.lines // 2
    whole = _variants(repo, size, Options(), ("blame", FILE))
    yield Table("Blame", note, _rows(measure(whole, rounds)))
    one = _variants(repo, size, Options((f"{middle},{middle}",)), ("why", f"{FILE}:{middle}"))
    yield Table("Why a line is there", note, _rows(measure(one, rounds)))


def _variants(repo: Repo, size: _Size, options: Options, ours: tuple[str, str]) -> list[Variant]:
    store = repo.store()
    chosen = [f"-L{r}" for r in options.ranges]
    plain = Command(repo.path, repo.world.git, "blame", *chosen, FILE)
    command = Command(repo.path, os.fspath(repo.world.launcher), *ours)
    start = Command(repo.path, os.fspath(repo.world.launcher), "which", "HEAD")
    api = _why if ours[0] == "why" else _blame
    name = " ".join(("git blame", *chosen))
    return [
        Variant(name, plain, plain.enter),
        Variant(f"git agent-session {ours[0]}", command, command.enter),
        Variant("the same by the API", lambda: api(store, size, options), plain.enter),
        Variant("to compare: git agent-session which", start, start.enter),
    ]


def _rows(times: dict[str, list[float]]) -> list[Row]:
    plain, command, api, start = times
    return [
        Row(plain, times[plain]),
        Row(command, times[command], plain, times[plain], TARGET, _WHY),
        Row(api, times[api], plain, times[plain], TARGET),
        Row(start, times[start], plain, times[plain]),
    ]


def _blame(store: Store, size: _Size, options: Options) -> None:
    found = [line.kind for line in blame(store, FILE, options).lines()]
    if len(found) != size.lines or found.count("agent") < size.lines // 2:
        raise Failed(f"blame found {len(found)} lines, {found.count('agent')} of them by agents")


def _why(store: Store, size: _Size, options: Options) -> None:
    (found,) = of_lines(store, FILE, options)
    if not found.sessions or found.kind != "agent" or found.sessions[0].prompt is None:
        raise Failed(f"why found {found.kind} and {len(found.sessions)} sessions")


# -- the repository


def _repository(world: World, size: _Size) -> tuple[Repo, int]:
    repo = Repo(world, world.place("answers"))
    repo.path.mkdir(parents=True)
    repo.call("init", "-q")
    places = _history(repo, size)
    repo.call("reset", "-q", "--hard", "main")
    commits = repo.call("rev-list", "--reverse", "main").split()
    store, step = repo.store(), size.lines // size.commits
    ids = [store.start(goal=f"Goal {n}", agent="codex", activate=False).id for n in range(size.sessions)]
    middle = size.lines // 2
    by_middle = repo.call("blame", "--porcelain", f"-L{middle},{middle}", FILE).split()[0]
    linked = 0
    for n, (commit, place) in enumerate(zip(commits, places, strict=True)):
        if n % 4 == 0 and commit != by_middle:
            continue
        linked += 1
        session = ids[n * size.sessions // size.commits]
        asked = 1 + sum(e.data.get("role") == "user" for e in store.history(session, kinds=("message",)))
        _work(store, session, asked)
        tree, *parents = repo.call("show", "-s", "--format=%T %P", commit).split()
        link = {"commit": commit, "tree": tree, "parents": parents, "via": "env", "paths": [FILE]}
        store.append(session, "commit", link, id=f"commit-{commit}")
        rows = [{"path": FILE, "agent": f"{place + 1}-{place + step}@{asked}"}]
        store.append(session, "lines", {"commit": commit, "by": "edits", "prompt": asked, "files": rows})
    for session in ids:
        store.drain(session)
    repo.call("gc", "-q")
    # as any list or search leaves it
    index.open(store).refresh()
    return repo, linked


def _work(store: Store, session: str, number: int) -> None:
    """A turn: a prompt, ten calls of tools, an answer."""
    store.append(session, "message", {"role": "user", "text": f"Do step {number}"})
    for _ in range(10):
        store.append(session, "tool", {"name": "Edit", "paths": [FILE], "outcome": "ok"})
    store.append(session, "message", {"role": "assistant", "text": "Done."})


def _history(repo: Repo, size: _Size) -> list[int]:
    """Commits that put a few lines each somewhere into the file; returns after which line each has put them."""
    draw = random.Random(0)
    lines: list[str] = []
    places, stream = [], []
    step = size.lines // size.commits
    for n in range(size.commits):
        place = draw.randint(0, len(lines))
        lines[place:place] = [f"value_{n}_{k} = compute({n}, {k})  # step {n}\n" for k in range(step)]
        places.append(place)
        text = "".join(lines)
        who = f"Ada Measurer <ada@example.org> {1_700_000_000 + n * 600} +0000"
        stream.append(f"commit refs/heads/main\ncommitter {who}\ndata 6\nstep\n\n")
        stream.append(f"M 100644 inline {FILE}\ndata {len(text)}\n{text}\n")
    repo.call("fast-import", "--quiet", input="".join(stream).encode())
    return places
