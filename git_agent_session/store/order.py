"""The order of a session's events where several chains are joined, and which of two with one id counts.

Docs/format.md, section 3: order is (clock, id), and of the same id the first in order counts. Two machines may give one
id the same clock (both import the same transcript): then the smaller `at` counts, and where that is the same too, the
smaller bytes. So the same events give the same answer, whichever chain was read first.
"""

from __future__ import annotations

from collections.abc import Iterable

from git_agent_session import codec
from git_agent_session.model import Event


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events in their order, each id once."""
    first: dict[str, Event] = {}
    for event in events:
        before = first.get(event.id)
        if before is None or _precedes(event, before):
            first[event.id] = event
    return sorted(first.values(), key=lambda e: e.order)


def _precedes(event: Event, other: Event) -> bool:
    if (event.clock, event.at) != (other.clock, other.at):
        return (event.clock, event.at) < (other.clock, other.at)
    return codec.event_block(event) < codec.event_block(other)
