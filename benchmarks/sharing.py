"""What sharing costs beside plain git's transport of the same refs, over a local path.

First contact, a sync with nothing to do, and one session more. Plain git is given the same refspecs; it checks nothing
of what it gets, writes one ref for each session where we write two, and joins nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Command, Failed, Table, Target, Variant, measure, rows
from benchmarks.world import Repo, World

_SPECS = ("+refs/agent-sessions/*:refs/agent-sessions/*", "+refs/notes/agent-sessions:refs/notes/agent-sessions")
_ROUNDS = 7


def sharing(world: World) -> Iterator[Table]:
    """All of it with as many sessions as the scale says, each with ten events and a commit."""
    count = world.scale.sessions
    server = Repo(world, world.place("server"))
    server.path.mkdir(parents=True)
    server.call("init", "-q", "--bare")
    full = _filled(world, server, count)
    yield _first(world, server, count)
    yield _nothing_to_do(world, full, count)
    yield _one_more(world, server, full, count)


def _filled(world: World, server: Repo, count: int) -> Repo:
    """A clone whose sessions are all on the server."""
    full = world.repo("full")
    full.call("remote", "add", "origin", str(server.path))
    store = full.store()
    for n in range(count):
        session = store.start(goal=f"Goal number {n}", agent="codex", activate=False).id
        for turn in range(8):
            store.append(session, "message", {"role": "user", "text": f"Turn {turn} of session {n}: {'word ' * 40}"})
        full.call("commit", "-q", "--allow-empty", "-m", f"Commit {n}")
        store.link(session, ["HEAD"])
    full.call("push", "-q", "origin", "HEAD:refs/heads/main")
    full.call("gc", "-q")
    _run(world, full, "sync", "origin")
    server.call("gc", "-q")
    return full


def _run(world: World, repo: Repo, *args: str) -> None:
    command = Command(repo.path, str(world.launcher), *args)
    command.enter()
    command()


class _Fresh:
    """A clone of the code alone, made anew before each round."""

    def __init__(self, world: World, server: Repo, name: str, count: int) -> None:
        self.model = Repo(world, world.place(f"{name}-model"))
        server.call("clone", "-q", "--no-local", str(server.path), str(self.model.path))
        self.repo = Repo(world, world.place(name))
        self.repo.path.mkdir()
        self.count = count

    def make(self) -> None:
        """The clone as it is right after `git clone`."""
        os.chdir(self.model.path.parent)
        shutil.rmtree(self.repo.path)
        shutil.copytree(self.model.path, self.repo.path)
        os.chdir(self.repo.path)

    def check(self) -> None:
        """All sessions must be there."""
        found = len(self.repo.call("for-each-ref", "--format=x", "refs/agent-sessions/").split())
        if found != self.count:
            raise Failed(f"{found} of {self.count} sessions were fetched")


def _first(world: World, server: Repo, count: int) -> Table:
    variants = []
    for name in ("git fetch", "git agent-session fetch"):
        fresh = _Fresh(world, server, name.replace(" ", "-"), count)
        ours = name != "git fetch"
        argv = [str(world.launcher), "fetch"] if ours else [world.git, "fetch", "-q", "--no-tags", "origin", *_SPECS]
        variants.append(Variant(name, Command(fresh.repo.path, *argv), fresh.make, fresh.check))
    times = measure(variants, min(_ROUNDS, world.scale.first_rounds), warm=1)
    why = "Every batch is read and checked, and each session has a tracking ref beside its own."
    targets = {"git agent-session fetch": Target(ratio=1.3)}
    note = f"{count:,} sessions of ten events, into a clone that has none."
    return Table("First fetch of all sessions", note, rows(times, "git fetch", targets, why))


def _nothing_to_do(world: World, full: Repo, count: int) -> Table:
    plain = Command(full.path, world.git, "fetch", "-q", "--no-tags", "origin", *_SPECS)
    ours = Command(full.path, str(world.launcher), "sync", "origin")
    variants = [Variant("git fetch", plain, plain.enter), Variant("git agent-session sync", ours, ours.enter)]
    times = measure(variants, world.scale.first_rounds)
    targets = {"git agent-session sync": Target(ms=1000)}
    return Table("A sync with nothing to do", f"{count:,} sessions on both sides.", rows(times, "git fetch", targets))


def _one_more(world: World, server: Repo, full: Repo, count: int) -> Table:
    store = full.store()
    refs: list[str] = []

    def another() -> None:
        refs.append(f"refs/agent-sessions/{store.start(goal='One more', agent='codex', activate=False).id}")
        os.chdir(full.path)

    def plain() -> None:
        Command(full.path, world.git, "push", "-q", "--no-verify", "origin", f"{refs[-1]}:{refs[-1]}")()

    def ours() -> None:
        Command(full.path, str(world.launcher), "push", "origin")()

    def check() -> None:
        if not (Path(server.path) / refs[-1]).exists():
            raise Failed(f"{refs[-1]} is not on the server")

    variants = [Variant("git push", plain, another, check), Variant("git agent-session push", ours, another, check)]
    times = measure(variants, world.scale.first_rounds)
    why = "Python and its libraries start first."
    targets = {"git agent-session push": Target(ratio=1.5)}
    return Table(
        "Push of one session more", f"{count:,} sessions on both sides.", rows(times, "git push", targets, why)
    )
