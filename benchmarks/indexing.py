"""What the derived index costs: its first build, a refresh after one new session, lists and searches.

With `--large` in the repository of 10,000 sessions, 1,000,000 events and 100,000 commits, which is made once and kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import large
from benchmarks.harness import Amount, Failed, Row, Table, Target, Variant, measure
from benchmarks.world import ROOT, World
from git_agent_session import Filter, index
from git_agent_session import open as open_store
from git_agent_session.answers import stats
from git_agent_session.index import listing
from git_agent_session.index.derived import Index
from git_agent_session.index.search import Where
from git_agent_session.store.store import Store

_BUILD = (
    "import json, sys, time, git_agent_session\nfrom git_agent_session import index\n"
    "found = index.open(git_agent_session.open(sys.argv[1]))\nbegun = time.process_time()\n"
    "done = found.refresh(rebuild=True, wait=600)\nspent = time.process_time() - begun\n"
    "try:\n    import resource\n    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    "    used = resource.getrusage(resource.RUSAGE_CHILDREN)\n    spent += used.ru_utime + used.ru_stime\n"
    "except ImportError:\n    peak = 0\n"
    "print(done.sessions, done.events, done.seconds, spent, peak if sys.platform == 'darwin' else peak * 1024)\n"
)


def indexing(world: World) -> Iterator[Table]:
    """The index of a large repository, or of one with as many sessions as the scale says."""
    count = world.scale.sessions
    size = large.FULL if world.large else large.Size(count, count * 20, count * 2)
    path = large.repository(world.large or world.root, size)
    note = f"{size.sessions:,} sessions, {size.events:,} events, {size.commits:,} commits."
    yield Table("The first build of the index", note, _build(path, size))
    store = open_store(str(path))
    # files that were written moments ago are looked at again each time
    time.sleep(2.1)
    found = index.open(store)
    found.refresh()
    times = measure(_variants(store, found), max(3, world.scale.process_rounds // 2))
    yield Table("Asking the index", f"{note} One process, the index open to all.", _rows(times, size))


def _build(path: Path, size: large.Size) -> list[Row | Amount]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", _BUILD, str(path)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"the index was not built: {done.stderr.strip()}")
    sessions, events, took, spent, peak = map(float, done.stdout.split())
    # a run that was killed leaves its session behind
    if sessions < size.sessions or events < size.events:
        raise Failed(f"the index has {sessions:.0f} sessions and {events:.0f} events")
    full = size == large.FULL
    found: list[Row | Amount] = [
        Amount(
            "time", took, "s", most=180 if full else None, why="See the time on the processors: others were at work."
        ),
        Amount("time on the processors, of all processes together", spent, "s"),
    ]
    if peak:
        found.append(Amount("most memory of the process that writes", peak / 1e6, "MB", most=500))
    found.append(Amount("size of the file", os.path.getsize(path / ".git/agent-session/index.sqlite") / 1e6, "MB"))
    return found


def _variants(store: Store, found: Index) -> list[Variant]:
    new: list[str] = []

    def start() -> None:
        new.append(store.start(goal="One more", agent="codex", activate=False).id)

    def check() -> None:
        if not found.query("SELECT 1 FROM sessions WHERE id = ?", (new[-1],)):
            raise Failed("the new session is not in the index")
        store.delete(new.pop())
        found.refresh()

    def nothing_new() -> None:
        found.refresh()

    words = found.query("SELECT text FROM messages LIMIT 1")[0][0].replace(".", "").split()
    frequent, rare = words[0], f'"{words[1]} {words[2]}"'
    return [
        Variant("refresh, one new session", found.refresh, start, check),
        Variant("refresh, nothing new", found.refresh, nothing_new),
        Variant("list of 100", lambda: found.sessions(limit=100)),
        Variant("list, filtered by agent and tag", lambda: found.sessions(Filter(agent_type="codex", tags=["tag1"]))),
        Variant("list of all", found.sessions),
        Variant("search, a word", lambda: found.search(frequent)),
        Variant("search, a phrase", lambda: found.search(rare)),
        Variant("search, filtered", lambda: found.search(frequent, Where(agent="codex", tag="tag1"))),
        Variant("search, in the files of a folder", lambda: found.search(frequent, Where(path="src/part3"))),
        Variant("sessions of a folder", lambda: found.touched("src/part3")),
        Variant("list of 20 by the command's way", lambda: listing.sessions(store, limit=20)),
        Variant("stats", lambda: stats.stats(store)),
        Variant("stats, by person", lambda: stats.stats(store, by="person")),
    ]


def _rows(times: dict[str, list[float]], size: large.Size) -> list[Row | Amount]:
    targets = {
        "refresh, one new session": Target(ms=50),
        "list of 100": Target(ms=60),
        "list, filtered by agent and tag": Target(ms=10 if size.sessions <= 1_000 else 60),
        "search, a word": Target(ms=100),
        "search, a phrase": Target(ms=100),
        "search, filtered": Target(ms=100),
        "search, in the files of a folder": Target(ms=100),
        "list of 20 by the command's way": Target(ms=60),
        "stats": Target(ms=1_000),
        "stats, by person": Target(ms=1_000),
    }
    return [Row(name, own, target=targets.get(name)) for name, own in times.items()]
