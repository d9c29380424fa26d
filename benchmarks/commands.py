"""What a command costs from the shell: mostly the start of Python and its libraries."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Command, Table, Target, Variant, measure, rows
from benchmarks.world import World


def commands(world: World) -> Iterator[Table]:
    """The commands that are typed most, by the launcher."""
    scale = world.scale
    repo = world.repo()
    store = repo.store()
    for n in range(scale.listed):
        session = store.start(goal=f"Goal number {n}", agent="claude-code")
    for n in range(scale.events):
        store.log(session.id, "note", f"Something that was said, number {n}")
    store.drain(session.id)
    store.list()
    start = 'python -c "import click, pygit2"'
    bare = Command(repo.path, world.python, "-c", "import click, pygit2")
    variants = [Variant(start, bare, bare.enter)]
    for name, args in (
        ("status", ["status"]),
        (f"list, of {scale.listed}", ["list"]),
        (f"history, of {scale.events} events", ["history"]),
        ("log", ["log", "note", "one more thing"]),
        ("--version", ["--version"]),
    ):
        command = Command(repo.path, str(world.launcher), *args)
        variants.append(Variant(name, command, command.enter))
    times = measure(variants, scale.process_rounds)
    note = "By the launcher, in a repository with sessions; output goes nowhere."
    yield Table("A command from the shell", note, rows(times, start, {"status": Target(ratio=1.3)}))
