"""The command `benchmarks/run`: seals the environment, runs the scenarios, prints the tables."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import large, world
from benchmarks.harness import Failed, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCENARIOS = {
    "no-session": "commits.no_session",
    "session": "commits.in_session",
    "rebase": "rebases.rebase",
    "traces": "commits.beside_traces",
    "agent-hook": "agent_hooks.agent_hook",
    "settle": "settling.settle",
    "api": "api.api",
    "work": "work.work",
    "command": "commands.commands",
    "redaction": "redaction_tables.redaction",
    "index": "indexing.indexing",
    "answers": "answers.answers",
    "sharing": "sharing.sharing",
    "serve": "serving.serve",
    "crowd": "crowd.crowd",
}
# takes very long: only where it is named
NAMED = ("crowd",)


def main(argv: Sequence[str]) -> int:
    """Run what `argv` asks for; returns the exit status: 0 when all ran, whatever the times."""
    asked = _parse(argv)
    folder = Path(tempfile.mkdtemp(prefix="git-agent-session-benchmark-", dir=asked.dir)).resolve()
    document = asked.markdown.resolve() if asked.markdown else None
    # children that cannot cache bytecode would compile the package on every call
    sys.dont_write_bytecode = False
    world.seal(folder / "home")
    try:
        return _run(asked, folder, document)
    except Failed as e:
        print(f"benchmarks: {e}", file=sys.stderr)
        return 1
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run", description="Measure git agent-session beside plain git.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCENARIOS)}; default: all but crowd"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and two rounds: shows only that all runs")
    parser.add_argument("--dir", type=Path, help="where to make the repositories (default: the temporary folder)")
    parser.add_argument("--launcher", type=Path, help="an installed git-agent-session to use, not the checkout")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables into FILE too, between the marks of these names"
    )
    parser.add_argument(
        "--shared", type=int, metavar="N", help="sessions on the server in `sharing` (default: 10000; 12 with --quick)"
    )
    parser.add_argument(
        "--transcripts", type=Path, nargs="+", default=[], metavar="PATH", help="agents' transcripts to redact as well"
    )
    parser.add_argument(
        "--large",
        type=Path,
        nargs="?",
        const=large.cache(),
        metavar="DIR",
        help="let index and answers work in the repository of 10,000 sessions, crowd in one of 100,000, kept in DIR"
        " (default: the user's cache), made there first; --markdown writes between marks that name --large too",
    )
    asked = parser.parse_args(argv)
    for name in asked.names:
        if name not in SCENARIOS:
            parser.error(f"{name!r} is no scenario: use {', '.join(SCENARIOS)}")
    if asked.markdown and asked.quick:
        parser.error("--markdown wants the whole run or whole scenarios: leave out --quick")
    return asked


def _run(asked: argparse.Namespace, folder: Path, document: Path | None) -> int:
    from benchmarks import machine, table

    scale = world.QUICK if asked.quick else world.Scale()
    if asked.shared:
        scale = replace(scale, shared=asked.shared)
    place = world.World(folder, scale, asked.launcher.resolve() if asked.launcher else None)
    place.large = asked.large.absolute() if asked.large else None
    place.transcripts = tuple(path.absolute() for path in asked.transcripts)
    facts = machine.description(folder)
    for key, value in facts:
        print(f"{key:18} {value}")
    if asked.quick:
        print("\nA quick run: sizes are small and rounds few, so the numbers mean nothing.")
    tables: list[Table] = []
    for found in _tables(asked.names or [name for name in SCENARIOS if name not in NAMED], place):
        print(f"\n{table.text([found])}", flush=True)
        tables.append(found)
    facts.append(("load at the end", machine.load()))
    print(f"\n{facts[-1][0]:18} {facts[-1][1]}")
    if document is not None:
        names = ["--large", *asked.names] if asked.large else asked.names
        whole = table.replaced(document.read_text(encoding="utf-8"), table.markdown(tables, facts), names)
        document.write_text(whole, encoding="utf-8")
    return 0


def _tables(names: Iterable[str], place: world.World) -> Iterator[Table]:
    for name in SCENARIOS:
        if name in names:
            module, _, function = SCENARIOS[name].partition(".")
            scenario: Callable[[world.World], Iterator[Table]]
            scenario = getattr(importlib.import_module(f"benchmarks.{module}"), function)
            yield from scenario(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
