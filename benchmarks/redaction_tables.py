"""What redaction finds, what it takes for a secret and is none, and how fast it is, as tables; no secret is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import redaction as measured
from benchmarks.agents import PROMPT
from benchmarks.agents_like_claude import Claude
from benchmarks.harness import Amount, Table
from benchmarks.world import World
from git_agent_session.redact import Redactor

_SEED = 1
# MB/s, and percent
_SPEED, _RECALL = 5.0, 98.0


def redaction(world: World) -> Iterator[Table]:
    """The tables of `python -m benchmarks.redaction`, without what was found."""
    yield _recall()
    yield _speed(world)


def _recall() -> Table:
    everything = measured.planted(_SEED)
    gone = measured.missed(everything)
    shown = []
    for kind in [*dict.fromkeys(p.kind for p in everything), "all"]:
        of = [p for p in everything if kind in (p.kind, "all")]
        found = 100 * (1 - sum(p in of for p in gone) / len(of))
        promised = _RECALL if kind == "all" else None
        shown.append(Amount(f"{kind}, of {len(of):,} planted", found, "%", least=promised))
    note = (
        "Secrets drawn by lot in the forms that their providers give them, planted in texts as they turn up in "
        "sessions, plain and as JSON within JSON: how many are gone afterwards."
    )
    return Table("Redaction: secrets that are found", note, shown)


def _speed(world: World) -> Table:
    texts = measured.source(world.scale.source, _SEED)
    corpora = [("source text", texts)]
    corpora.append(("a made transcript", measured.lines([_made(world)])))
    if world.transcripts:
        corpora.append(("real transcripts", measured.lines(world.transcripts)))
    shown = []
    for name, rows in corpora:
        size = sum(len(text) for _, text in rows)
        named = f"{name} of {size / 1e6:.1f} MB"
        given = [(f"{named}, as text", rows, False)]
        if name != "source text":
            given.insert(0, (f"{named}, as parsed records", measured.parsed(rows), True))
        for what, items, is_parsed in given:
            rate, used, hits = measured.speed(items, size, _value if is_parsed else _text)
            shown.append(Amount(what, rate, "MB/s"))
            shown.append(Amount(f"{what}: by processor time", used, "MB/s", least=_SPEED))
            shown.append(Amount(f"{what}: taken for secrets", len(hits.found), "", digits=0))
    note = (
        "One thread, a redactor that knows nothing yet, the best of three. The source text is that of the interpreter "
        "and of the packages installed beside it: nearly all that is found there is none, and `python -m "
        "benchmarks.redaction` shows it, to be judged by hand. "
        "The processor's time leaves out what other processes took."
    )
    return Table("Redaction: speed, and what it takes for secrets", note, shown)


def _value(redactor: Redactor) -> Callable[[Any], Any]:
    return redactor.value


def _text(redactor: Redactor) -> Callable[[Any], Any]:
    return redactor.text


def _made(world: World) -> Path:
    agent = Claude(world.root, world.root / "file.txt", "00000000-1111-4222-8333-444444444444")
    agent.payload(PROMPT)
    agent.write(int(world.scale.source * 1e6 / 4))
    return agent.transcript
