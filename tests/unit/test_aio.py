"""The async face: every call in a worker, in order, whole or not at all."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

import git_agent_session
from git_agent_session import aio, memory, work
from git_agent_session.errors import NotARepository, SessionNotFound, UsageError
from git_agent_session.store.store import Store
from tests.harness import Repo


def run(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(call, 60))


def test_what_is_awaited_is_in_the_repository(repo: Repo) -> None:
    async def main() -> str:
        async with aio.open(str(repo.path)) as store:
            session = await store.start(goal="x", tags=["a"])
            await store.log(session.id, "note", "one")
            await store.usage(session.id, input_tokens=3)
            await store.set(session.id, title="t")
            task = await store.run(work.tasks.add, session.id, "a task", id="T1")
            assert task.id == "T1"
            return (await store.end(session.id)).id

    session = git_agent_session.open(str(repo.path)).get(run(main()))
    assert (session.goal, session.title, session.usage["input_tokens"], session.status) == ("x", "t", 3, "completed")
    assert list(session.tasks) == ["T1"]


def test_every_public_method_of_a_store_can_be_awaited() -> None:
    hidden = {"settle"}  # reading does it
    calls = {n for n, f in inspect.getmembers(Store, inspect.isfunction) if not n.startswith("_")} - hidden
    for name in calls:
        found = inspect.getattr_static(aio.AsyncStore, name)
        assert inspect.iscoroutinefunction(found), name
        given = [p for p in inspect.signature(getattr(Store, name)).parameters if p != "self"]
        assert [p for p in inspect.signature(found).parameters if p != "self"] == given


def test_errors_are_those_of_a_store(repo: Repo, tmp_path: Any) -> None:
    async def main() -> None:
        async with aio.open(str(repo.path)) as store:
            with pytest.raises(SessionNotFound):
                await store.get("ffff")
            with pytest.raises(UsageError):
                await store.end((await store.start()).id, status="nice")
        with pytest.raises(NotARepository):
            async with aio.open(str(tmp_path / "..")):
                pass
        with pytest.raises(RuntimeError):
            await store.get()

    run(main())


def test_the_loop_goes_on_while_a_worker_works() -> None:
    async def main() -> int:
        turns = 0
        async with aio.over(memory.open()) as store:
            waiting = asyncio.create_task(store.run(lambda s: time.sleep(0.5)))
            while not waiting.done():
                turns += 1
                await asyncio.sleep(0.01)
        return turns

    assert run(main()) > 2


def test_calls_of_one_worker_are_made_in_the_order_in_which_they_were_awaited() -> None:
    async def main() -> list[str]:
        async with aio.over(memory.open()) as store:
            session = (await store.start()).id
            await asyncio.gather(*(store.log(session, "note", str(n)) for n in range(50)))
            return [e.data["text"] for e in await store.history(session, kinds=["note"])]

    assert run(main()) == [str(n) for n in range(50)]


def test_a_store_is_never_in_two_threads_and_workers_have_their_own(repo: Repo) -> None:
    busy: dict[int, int] = {}
    seen, wrong, guard = set(), [], threading.Lock()

    def use(store: Store, n: int) -> None:
        with guard:
            seen.add(id(store))
            if busy.setdefault(id(store), 0):
                wrong.append(n)
            busy[id(store)] = 1
        store.start(goal=str(n), activate=False)
        time.sleep(0.01)
        with guard:
            busy[id(store)] = 0

    async def main() -> int:
        async with aio.open(str(repo.path), workers=4) as store:
            await asyncio.gather(*(store.run(use, n) for n in range(24)))
            return len(await store.list())

    assert run(main()) == 24
    assert not wrong and 1 < len(seen) <= 4


def test_a_call_that_is_cancelled_is_whole_or_not_made(repo: Repo) -> None:
    """One that waits is not made; one that has begun is recorded, and the next call finds all in order."""

    async def main() -> tuple[int, int]:
        async with aio.open(str(repo.path)) as store:
            session = (await store.start()).id
            begun = threading.Event()

            def slow(s: Store) -> None:
                begun.set()
                time.sleep(0.2)
                s.log(session, "note", "begun")

            first = asyncio.create_task(store.run(slow))
            await asyncio.to_thread(begun.wait)
            second = asyncio.create_task(store.log(session, "note", "waiting"))
            await asyncio.sleep(0.01)
            for task in (second, first):
                task.cancel()
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert all(isinstance(r, asyncio.CancelledError) for r in results)
            texts = [e.data["text"] for e in await store.history(session, kinds=["note"])]
            assert texts == ["begun"]
            return (await store.get(session)).counts["events"], len(await store.history(session))

    assert run(main()) == (2, 2)


def test_leaving_waits_for_what_was_begun() -> None:
    kept = memory.open()

    async def main() -> None:
        async with aio.over(kept) as store:
            session = (await store.start()).id
            asyncio.get_running_loop().create_task(store.run(_late, session))
            await asyncio.sleep(0.05)

    run(main())
    assert [e.kind for e in kept.history(kept.list()[0].id)] == ["start", "interaction"]


def _late(store: Store, session: str) -> None:
    time.sleep(0.2)
    store.log(session, "note", "late")


@pytest.mark.parametrize("kind", ["git", "memory"])
def test_events_are_followed_to_the_end_each_once(kind: str, repo: Repo) -> None:
    async def main() -> list[str]:
        async with aio.open(str(repo.path)) if kind == "git" else aio.over(memory.open()) as store:
            session = (await store.start()).id
            await store.log(session, "note", "before")

            async def write() -> None:
                for n in range(5):
                    await store.log(session, "note", str(n))
                    await asyncio.sleep(0.01)
                    await store.drain(session)
                await store.end(session)

            writing = asyncio.create_task(write())
            found = [e.data.get("text", e.kind) async for e in store.follow(session, seconds=0.01)]
            await writing
            return found

    assert run(main()) == ["start", "before", "0", "1", "2", "3", "4", "end"]


def test_only_what_comes_and_what_is_asked_for_is_followed() -> None:
    async def main() -> list[str]:
        async with aio.over(memory.open()) as store:
            session = (await store.start()).id
            await store.log(session, "note", "old")
            following = store.follow(session, kinds=["note"], past=False, seconds=0.01)
            first = asyncio.ensure_future(anext(following))
            await asyncio.sleep(0.1)
            await store.metric(session, "m", 1)
            await store.log(session, "note", "new")
            found = [(await first).data["text"]]
            await store.end(session)
            return found + [e.kind async for e in following]

    assert run(main()) == ["new"]


def test_a_follower_can_be_cancelled_and_the_store_goes_on() -> None:
    async def main() -> int:
        async with aio.over(memory.open()) as store:
            session = (await store.start()).id

            async def follow() -> None:
                async for _ in store.follow(session, seconds=0.01):
                    pass

            task = asyncio.create_task(follow())
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await store.log(session, "note", "x")
            return len(await store.history(session))

    assert run(main()) == 2


def test_following_a_session_that_is_deleted_says_so() -> None:
    async def main() -> None:
        async with aio.over(memory.open()) as store:
            session = (await store.start()).id
            following = store.follow(session, seconds=0.01)
            assert (await anext(following)).kind == "start"
            await store.delete(session)
            with pytest.raises(SessionNotFound):
                await anext(following)

    run(main())
