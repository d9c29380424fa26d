"""What happens while a page is open, told as it happens: server-sent events (WHATWG HTML, section 9.2).

An event says only that something is new; the page then asks for itself again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from git_agent_session import journal
from git_agent_session.aio import AsyncStore
from git_agent_session.errors import AgentSessionError
from git_agent_session.index.look import look
from git_agent_session.store.store import Store
from git_agent_session.web.viewer.pages import state

# seconds between two looks, and until a word is sent so that a connection that is gone is noticed
LOOK_SECONDS = 0.5
WORD_SECONDS = 15.0
# pages that are told at once
MOST = 20

Sign = Callable[[Store], object]


def of_session(session_id: str) -> Sign:
    """What changes with a session."""
    return lambda store: state(store, session_id)


def of_all(store: Store) -> object:
    """What changes with any session: how refs and journals look."""
    seen = look(store.repo.location)
    shared = store.shared
    # what is young has no look; what waits grows
    waiting = [(i, journal.signature(shared, i)) for i in seen.waiting]
    return (
        {k: v for k, v in seen.shared.items() if v},
        {k: v for k, v in seen.loose.items() if v},
        len(seen.loose),
        waiting,
    )


async def events(stores: AsyncStore, sign: Sign, ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """A stream for one page; ends when the server does."""
    yield b"retry: 2000\n\n"
    try:
        before = await stores.run(sign)
        spoke = time.monotonic()
        while not ending():
            await asyncio.sleep(LOOK_SECONDS)
            now = await stores.run(sign)
            if now != before:
                before, spoke = now, time.monotonic()
                yield b"event: new\ndata: 1\n\n"
            elif time.monotonic() - spoke > WORD_SECONDS:
                spoke = time.monotonic()
                yield b": still here\n\n"
    except AgentSessionError:
        # deleted meanwhile: the page says so when it is asked for
        yield b"event: new\ndata: 1\n\n"
