"""What sharing costs beside plain git's transport of the same refs, over a local path.

First contact, a sync with nothing to do, one session more, and what the code's own push and fetch cost beside all that
once the sessions are archived. Plain git is given the same refspecs; it checks nothing of what it gets, has one ref
for each session where we have two, and joins nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks import large
from benchmarks.harness import Command, Failed, Table, Target, Variant, measure, rows
from benchmarks.world import Repo, World

SPECS = ("+refs/agent-sessions/*:refs/agent-sessions/*", "+refs/notes/agent-sessions:refs/notes/agent-sessions")
_CHECKS = "Python and its libraries start first, each note is read, and of live sessions every batch."


def sharing(world: World) -> Iterator[Table]:
    """All of it with as many sessions as the scale says, each with ten events and a commit."""
    count = world.scale.shared
    server = bare(world, "server")
    full = _filled(world, server, count)
    yield _first(world, server, f"First fetch of {count:,} sessions, a ref each", count)
    yield _nothing_to_do(world, full, count)
    yield _one_more(world, server, full, count)
    # all but those that were pushed one by one
    full.call("config", "agentSession.archiveDays", "90")
    _run(world, full, "archive")
    _run(world, full, "sync", "origin")
    server.call("gc", "-q")
    left = len(server.call("for-each-ref", "--format=x", "refs/agent-sessions/").split())
    yield _first(world, server, f"First fetch of {count:,} sessions in archives, {left} refs", left)
    yield from _beside(world, server, count, left)


def bare(world: World, name: str) -> Repo:
    """A server's repository, with nothing in it."""
    server = Repo(world, world.place(name))
    server.path.mkdir(parents=True)
    server.call("init", "-q", "--bare")
    return server


def _filled(world: World, server: Repo, count: int) -> Repo:
    """A clone whose sessions are all on the server, each with its ref."""
    size = large.Size(count, 10 * count, count)
    full = Repo(world, large.repository(world.place("large"), size))
    full.call("config", "agentSession.archiveDays", "99999")
    full.call("remote", "add", "origin", str(server.path))
    full.call("push", "-q", "origin", "main", "refs/agent-sessions/*:refs/agent-sessions/*")
    _run(world, full, "sync", "origin")
    for repo in (server, full):
        repo.call("gc", "-q")
    return full


def _run(world: World, repo: Repo, *args: str) -> None:
    command = Command(repo.path, str(world.launcher), *args)
    command.enter()
    command()


class Fresh:
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


def _first(world: World, server: Repo, title: str, count: int) -> Table:
    variants = []
    for name in ("git fetch", "git agent-session fetch"):
        fresh = Fresh(world, server, name.replace(" ", "-"), count)
        ours = name != "git fetch"
        argv = [str(world.launcher), "fetch"] if ours else [world.git, "fetch", "-q", "--no-tags", "origin", *SPECS]
        variants.append(Variant(name, Command(fresh.repo.path, *argv), fresh.make, fresh.check))
    times = measure(variants, world.scale.shared_rounds, warm=1)
    targets = {"git agent-session fetch": Target(ratio=1.3)}
    return Table(title, "Into a clone of the code that has none of them.", rows(times, "git fetch", targets, _CHECKS))


def _nothing_to_do(world: World, full: Repo, count: int) -> Table:
    plain = Command(full.path, world.git, "fetch", "-q", "--no-tags", "origin", *SPECS)
    ours = Command(full.path, str(world.launcher), "sync", "origin")
    variants = [Variant("git fetch", plain, plain.enter), Variant("git agent-session sync", ours, ours.enter)]
    times = measure(variants, world.scale.shared_rounds)
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
    times = measure(variants, world.scale.shared_rounds)
    why = "Python starts first, and reads the files of all refs."
    targets = {"git agent-session push": Target(ratio=1.5)}
    return Table(
        "Push of one session more", f"{count:,} sessions on both sides.", rows(times, "git push", targets, why)
    )


def _beside(world: World, server: Repo, count: int, left: int) -> Iterator[Table]:
    """The code's own push and fetch, in clones of a server with archived sessions and of one without any."""
    empty = bare(world, "bare")
    empty.call("fetch", "-q", str(server.path), "main:main")
    places = {"no sessions": empty, "archived sessions": server}
    clones = {name: _clones(world, name, place) for name, place in places.items()}
    for name in places:
        if name != "no sessions":
            for clone in clones[name]:
                _run(world, clone, "fetch")
    note = f"{count:,} sessions in {left} refs, all fetched, beside a repository with the same code and none of them."
    targets = {"archived sessions": Target(ratio=1.1)}
    for what in ("push", "fetch"):
        variants = [_code(world, name, what, *pair) for name, pair in clones.items()]
        times = measure(variants, 3 * world.scale.shared_rounds)
        title = f"`git {what}` of one commit of the code, beside archived sessions"
        yield Table(title, note, rows(times, "no sessions", targets))


def _clones(world: World, name: str, server: Repo) -> tuple[Repo, Repo]:
    pair = []
    for who in ("here", "there"):
        clone = Repo(world, world.place(f"{name.replace(' ', '-')}-{who}"))
        server.call("clone", "-q", "--no-local", "--branch=main", str(server.path), str(clone.path))
        pair.append(clone)
    return pair[0], pair[1]


def _code(world: World, name: str, what: str, here: Repo, there: Repo) -> Variant:
    argv = ["push", "-q", "origin", "HEAD:main"] if what == "push" else ["fetch", "-q", "origin"]
    command = Command(here.path, world.git, *argv)
    writer = here if what == "push" else there

    def before() -> None:
        writer.call("pull", "-q", "--ff-only", "origin", "main")
        writer.call("commit", "-q", "--allow-empty", "-m", "One more")
        if what == "fetch":
            there.call("push", "-q", "origin", "HEAD:main")
        command.enter()

    return Variant(name, command, before)
