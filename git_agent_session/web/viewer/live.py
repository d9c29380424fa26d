"""What happens while a page is open, told as it happens: server-sent events (WHATWG HTML, section 9.2).

An event says only that something is new; the page then asks for itself again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from git_agent_session.aio import AsyncStore
from git_agent_session.errors import AgentSessionError
from git_agent_session.store.store import Store

# seconds between two looks, and until a word is sent so that a connection that is gone is noticed
LOOK_SECONDS = 0.5
WORD_SECONDS = 15.0
# pages that are told at once
MOST = 20

Sign = Callable[[Store], str]


async def events(stores: AsyncStore, sign: Sign, ending: Callable[[], bool], seen: str = "") -> AsyncIterator[bytes]:
    """A stream for one page, which was made at the sign `seen`; ends when the server does."""
    yield b"retry: 2000\n\n"
    try:
        before = seen or await stores.run(sign)
        spoke = time.monotonic()
        while not ending():
            now = await stores.run(sign)
            if now != before:
                before, spoke = now, time.monotonic()
                yield b"event: new\ndata: 1\n\n"
            elif time.monotonic() - spoke > WORD_SECONDS:
                spoke = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(LOOK_SECONDS)
    except AgentSessionError:
        # deleted meanwhile: the page says so when it is asked for
        yield b"event: new\ndata: 1\n\n"
