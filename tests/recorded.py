"""What the tests of agents' modules share: their fixtures, the real tally over a transcript, and hostile input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from git_agent_session.agents import transcripts
from git_agent_session.agents.protocol import Source
from git_agent_session.agents.tally import Tally
from git_agent_session.model import Doc

FIXTURES = Path(__file__).parent / "fixtures"


class Nowhere:
    """No other session has counted anything."""

    def counted(self, key: str, at: str) -> bool:
        return False

    def cost(self, start: int) -> float:
        return 0.0


def records(path: Path) -> list[Doc]:
    """The objects in a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tally_of(memory: Doc | None = None) -> Tally:
    """A tally that goes on from `memory`."""
    return Tally({} if memory is None else memory, Nowhere())  # type: ignore[arg-type]


def count(agent: Any, source: Source, memory: Doc | None = None) -> Tally:
    """What an agent's module counts in what was added to a transcript since the last time."""
    tally = tally_of(memory)
    places = tally.memory.setdefault("places", {})
    for record, after in transcripts.reader(agent)(source, places.get(source.name)):
        if record is not None:
            agent.count(record, tally, source)
        places[source.name] = after
    return tally


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def shapes(given: list[Doc]) -> st.SearchStrategy[Doc]:
    """The objects in `given`, with anything in the place of any value, or any value missing."""

    def mutated(value: Any) -> st.SearchStrategy[Any]:
        if isinstance(value, dict):
            optional = {k: st.just(v) | JSON | mutated(v) for k, v in value.items()}
            return st.fixed_dictionaries({}, optional=optional) | st.just(value)
        if isinstance(value, list) and value:
            return st.tuples(*map(mutated, value)).map(list) | JSON
        return st.just(value) | JSON

    return st.sampled_from(given).flatmap(mutated).filter(lambda value: isinstance(value, dict))
