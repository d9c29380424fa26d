"""The async face: every call of a `Store` and of `work`, awaited; the work is done in threads of its own.

    import asyncio
    from git_agent_session import aio, work

    async def main() -> None:
        async with aio.open() as store:                 # the repository around the current folder
            session = await store.start(title="Sign in with a passkey", type="full")
            agent = await store.run(work.subagents.start, session.id, "spec", alias="sonnet")
            await store.run(work.subagents.update, session.id, agent.id, native_id="sess_abc123")
            async for event in store.follow(session.id):
                print(event.kind)

    asyncio.run(main())

A `Store` is for one thread at a time, so each worker has one of its own; with one worker, the default, calls are made
in the order in which they were awaited. A call that is cancelled while it waits for a worker is never made; one that
has begun is made to its end, so nothing is left half done: only its answer is lost. Errors are those of `Store`.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import git_agent_session
from git_agent_session.model import Event
from git_agent_session.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")

# seconds between two looks of `follow`
FOLLOW_SECONDS = 0.2


def _awaited(
    method: Callable[Concatenate[Store, P], T],
) -> Callable[Concatenate[AsyncStore, P], Coroutine[Any, Any, T]]:
    name = method.__name__

    @functools.wraps(method)
    async def call(self: AsyncStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        def made(store: Store) -> T:
            # by name, for a store may be of a kind that does it in its own way
            found: T = getattr(store, name)(*args, **kwargs)
            return found

        return await self.run(made)

    return call


class AsyncStore:
    """The sessions of one repository, to be awaited. Open one with `aio.open`, or make it `over` a Store."""

    def __init__(self, make: Callable[[], Store], *, workers: int = 1) -> None:
        """`make` opens a Store; it is called in a worker, up to `workers` times, when one is needed."""
        self._make = make
        self._idle: list[Store] = []
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="agent-session")

    async def __aenter__(self) -> AsyncStore:
        """Open the first Store. Raises NotARepository, UnsupportedRepository."""
        try:
            await self.run(lambda store: None)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let what was begun come to its end; calls that come later raise RuntimeError."""
        self._pool.shutdown(wait=False, cancel_futures=False)
        await asyncio.shield(asyncio.to_thread(self._pool.shutdown))

    async def run(self, call: Callable[Concatenate[Store, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`call(store, …)` in a worker: for the functions of `work`, and whatever else takes a Store."""
        return await asyncio.wrap_future(self._pool.submit(self._run, lambda store: call(store, *args, **kwargs)))

    def _run(self, call: Callable[[Store], T]) -> T:
        # the one that was used last, for its caches
        with self._guard:
            store = self._idle.pop() if self._idle else None
        if store is None:
            store = self._make()
        try:
            return call(store)
        finally:
            with self._guard:
                self._idle.append(store)

    async def follow(
        self,
        session: str | None = None,
        *,
        kinds: Sequence[str] = (),
        past: bool = True,
        seconds: float = FOLLOW_SECONDS,
    ) -> AsyncIterator[Event]:
        """The events of a session as they come, each once, until it has ended; with `past` those so far first.

        `kinds` as for `history`. Looks every `seconds`, and reads events only where the state says there are more.
        Raises SessionNotFound, also when the session is deleted meanwhile.
        """
        session_id = await self.resolve(session)
        seen: dict[str, None] = {}
        before: object = None
        while True:
            state = await self.get(session_id)
            now = (state.counts.get("events", 0), state.updated_at, state.status)
            if now != before:
                fresh = [e for e in await self.history(session_id) if e.id not in seen]
                seen.update((e.id, None) for e in fresh)
                if past or before is not None:
                    for event in fresh:
                        if not kinds or event.kind in kinds or event.data.get("type") in kinds:
                            yield event
                before = now
            if state.ended:
                return
            await asyncio.sleep(seconds)

    # -- as in Store

    async def usage(self, session: str | None = None, **amounts: int | float) -> Event:
        """As `Store.usage`."""
        return await self.run(lambda store: store.usage(session, **amounts))

    async def set(self, session: str | None = None, **changes: Any) -> Event:
        """As `Store.set`."""
        return await self.run(lambda store: store.set(session, **changes))

    is_off = _awaited(Store.is_off)
    resolve = _awaited(Store.resolve)
    current_id = _awaited(Store.current_id)
    ids = _awaited(Store.ids)
    get = _awaited(Store.get)
    current = _awaited(Store.current)
    list = _awaited(Store.list)
    history = _awaited(Store.history)
    commits = _awaited(Store.commits)
    which = _awaited(Store.which)
    contexts = _awaited(Store.contexts)
    summary = _awaited(Store.summary)
    refresh = _awaited(Store.refresh)
    broken_archives = _awaited(Store.broken_archives)

    start = _awaited(Store.start)
    end = _awaited(Store.end)
    pause = _awaited(Store.pause)
    resume = _awaited(Store.resume)
    switch = _awaited(Store.switch)
    delete = _awaited(Store.delete)

    append = _awaited(Store.append)
    log = _awaited(Store.log)
    metric = _awaited(Store.metric)
    tag = _awaited(Store.tag)
    add_context = _awaited(Store.add_context)
    link = _awaited(Store.link)
    unlink = _awaited(Store.unlink)
    drain = _awaited(Store.drain)
    drain_all = _awaited(Store.drain_all)


def open(path: str | None = None, *, env: Mapping[str, str] | None = None, workers: int = 1) -> AsyncStore:
    """The sessions of the repository around the folder `path`, for `async with`; `env` as for `git_agent_session.open`.

    With more than one of the `workers` calls are made at once, in no order but that each awaits.
    """
    return AsyncStore(lambda: git_agent_session.open(path, env=env), workers=workers)


def over(store: Store) -> AsyncStore:
    """An async face of a Store that is there, of one in memory say; nobody else may use it meanwhile."""
    return AsyncStore(lambda: store)
