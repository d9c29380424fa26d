"""Lists from the index, where there is one that is nearly up to date: 20 of 10,000 sessions without reading 10,000.

A list never waits for an index to be built: where there is none, or much has changed since, it is the store's to make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from git_agent_session.errors import StorageError
from git_agent_session.index.derived import Index
from git_agent_session.model import Session
from git_agent_session.store.reader import Filter, Reader

# sessions that changed since: more take longer than a list by the store does
MOST = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """The sessions, and the ids by which theirs can be shortened: their own and those next to them."""

    sessions: Sequence[Session]
    ids: frozenset[str]


def sessions(store: Reader, where: Filter | None = None, *, limit: int | None = None) -> Listed:
    """What `store.list` gives; what cannot be read stands in `store.broken` afterwards."""
    found = Index(store)
    try:
        done = found.refresh(wait=0.0, most=MOST)
        chosen = found.sessions(where, limit=limit)
        # the index does not have the ids of those that cannot be read
        near = frozenset(store.ids()) if done.broken else found.near([s.id for s in chosen])
    except StorageError:
        return Listed(store.list(where, limit=limit), frozenset(store.ids()))
    store.broken = [*done.broken, *store.broken_archives()]
    return Listed(chosen, near)
