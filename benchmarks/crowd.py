"""100,000 sessions, a ref each, once: where things stop to be comfortable. Too long for the ordinary run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from benchmarks import large
from benchmarks.harness import Command, Row, Table, Variant, measure, rows
from benchmarks.sharing import SPECS, Fresh, bare
from benchmarks.world import Repo, World


def crowd(world: World) -> Iterator[Table]:
    """First contact, a sync with nothing to do, one session more, the list of the youngest; two rounds of each."""
    count = world.scale.crowd
    server, full = bare(world, "server"), _copied(world, count)
    full.call("config", "agentSession.archiveDays", "99999")
    full.call("remote", "add", "origin", str(server.path))
    full.call("push", "-q", "origin", "main", "refs/agent-sessions/*:refs/agent-sessions/*")
    full.call("push", "-q", "origin", "refs/notes/agent-sessions:refs/notes/agent-sessions")
    for repo in (server, full):
        repo.call("gc", "-q")
    note = f"{count:,} sessions of ten events and a commit each, over a local path. Two rounds."
    plain = _fetch(world, server, "git fetch", count)
    ours = _fetch(world, server, "git agent-session fetch", count)
    yield Table(f"First fetch of {count:,} sessions", note, rows(measure([plain, ours], 2, warm=0), "git fetch", {}))
    yield Table(f"Beside {count:,} sessions", note, _later(world, full))


def _copied(world: World, count: int) -> Repo:
    """A copy of the repository that is kept: its packs are not copied, they are never written to."""
    kept = large.repository(world.large or world.place("kept"), large.Size(count, 10 * count, count))
    target = world.place("full")
    shutil.copytree(kept, target, copy_function=_linked)
    return Repo(world, target)


def _linked(source: str, target: str) -> None:
    if source.endswith((".pack", ".idx")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _fetch(world: World, server: Repo, name: str, count: int) -> Variant:
    fresh = Fresh(world, server, name.replace(" ", "-"), count)
    ours = name != "git fetch"
    argv = [str(world.launcher), "fetch"] if ours else [world.git, "fetch", "-q", "--no-tags", "origin", *SPECS]
    return Variant(name, Command(fresh.repo.path, *argv), fresh.make, fresh.check)


def _later(world: World, full: Repo) -> list[Row]:
    launcher, store = str(world.launcher), full.store()
    first = Command(full.path, launcher, "sync", "origin")
    first.enter()
    first()

    def another() -> None:
        store.start(goal="One more", agent="codex", activate=False)
        os.chdir(full.path)

    listed = Command(full.path, launcher, "list", "-n", "20")
    sync = Command(full.path, launcher, "sync", "origin")
    listed()
    variants = [
        Variant("git ls-remote", Command(full.path, world.git, "ls-remote", "-q", "origin")),
        Variant("list -n 20", listed),
        Variant("sync, nothing to do", sync),
        Variant("push of one more", Command(full.path, launcher, "push", "origin"), another),
    ]
    return rows(measure(variants, 2, warm=1), "git ls-remote", {})
