"""Lists over HTTP: pages, tags, what they are filtered by, and that they are never behind."""

from __future__ import annotations

import threading
import time

import pytest

from git_agent_session.store.store import Store
from git_agent_session.web import lists, schemas, server
from tests.harness import Repo
from tests.web.conftest import Client


def test_pages_hold_every_session_once(client: Client, store: Store) -> None:
    ids = [store.start(goal=f"goal {n}").id for n in range(7)]
    seen, path = [], "/api/v1/sessions?limit=3"
    sizes = []
    while path:
        reply = client("GET", path, status=200)
        rows = reply.json
        sizes.append(len(rows))
        seen += [row["id"] for row in rows]
        path = reply.headers.get("link", "").partition("<")[2].partition(">")[0]
    assert sizes == [3, 3, 1]
    assert seen == [s.id for s in store.list()] and set(seen) == set(ids)


def test_a_page_goes_on_where_the_one_before_ended_though_sessions_came(client: Client, store: Store) -> None:
    old = [store.start(goal=f"goal {n}").id for n in range(4)]
    first = client("GET", "/sessions?limit=2", status=200)
    store.start(goal="younger")
    rest = client("GET", first.headers["link"].partition("<")[2].partition(">")[0], status=200)
    assert [r["sessionId"] for r in first.json + rest.json] == old[::-1]


def test_what_a_client_has_is_not_sent_again(client: Client, store: Store) -> None:
    session = store.start(goal="x").id
    first = client("GET", "/sessions", status=200)
    again = client("GET", "/sessions", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    store.set(session, goal="y")
    changed = client("GET", "/sessions", headers={"If-None-Match": first.headers["etag"]}, status=200)
    assert changed.json[0]["goal"] == "y"


@pytest.mark.parametrize(
    ("query", "goals"),
    [
        ("status=active", {"two"}),
        ("status=completed&status=failed", {"one", "three"}),
        ("tag=a", {"one", "two"}),
        ("tag=a&tag=b", {"two"}),
        ("agent=codex", {"three"}),
        ("user=ada", {"one", "two", "three"}),
        ("user=nobody", set()),
        ("since=2999-01-01", set()),
    ],
)
def test_lists_are_filtered(client: Client, store: Store, query: str, goals: set[str]) -> None:
    store.end(store.start(goal="one", tags=["a"]).id)
    store.end(store.start(goal="three", agent="codex").id, status="failed")
    store.start(goal="two", tags=["a", "b"])
    assert {r["goal"] for r in client.get(f"/api/v1/sessions?{query}")} == goals


def test_days_and_moments_count_from_their_beginning_until_their_end(client: Client, store: Store) -> None:
    at = store.start(goal="limiter").started_at
    for given in (at[:10], f"{at[:16]}Z", f"{at[:19]}Z", at):
        for path in (f"/sessions?since={given}", f"/sessions?until={given}", f"/api/v1/search?q=limiter&until={given}"):
            assert len(client.get(path)) == 1, path
    assert client.get("/api/v1/search?q=limiter&since=2999-01-01T00:00Z") == []
    assert client.get("/sessions?until=2001-01-31T12:00:00.5Z") == []


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ("", "", ""),
        ("2026-01-31", "2026-01-31T00:00:00.000Z", "2026-01-31T23:59:59.999Z"),
        ("2026-01-31T12:30Z", "2026-01-31T12:30:00.000Z", "2026-01-31T12:30:59.999Z"),
        ("2026-01-31T12:30:05Z", "2026-01-31T12:30:05.000Z", "2026-01-31T12:30:05.999Z"),
        ("2026-01-31T12:30:05.7Z", "2026-01-31T12:30:05.700Z", "2026-01-31T12:30:05.700Z"),
        ("2026-01-31T12:30:05.123456789Z", "2026-01-31T12:30:05.123Z", "2026-01-31T12:30:05.123Z"),
    ],
)
def test_a_moment_gets_the_form_that_sorts(given: str, first: str, last: str) -> None:
    assert (schemas.moment(given), schemas.moment(given, last=True)) == (first, last)


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-13-01",
        "until=2026-01-01T25:00Z",
        "since=2026-01-01T:::::Z",
        "limit=0",
        "limit=x",
        "limit=1&limit=2",
        "status=nice",
        "cursor=x",
        "cursor=x~y",
        "since=now",
        "x=1",
    ],
)
def test_a_query_that_cannot_be_is_refused(client: Client, query: str) -> None:
    assert client("GET", f"/sessions?{query}").status == 400


def test_a_list_holds_what_was_written_before_it_was_asked_for(client: Client, store: Store) -> None:
    session = store.start(goal="0").id
    for n in range(1, 25):
        time.sleep(0.06 * (n % 4))
        if n % 3 == 0:
            session = store.start(goal=str(n)).id
        else:
            store.set(session, goal=str(n))
        if n % 5 == 0:
            store.drain(session)
        assert client.get("/sessions?limit=1")[0]["goal"] == str(n)


def test_refs_that_look_as_before_are_not_read_again(serving: server.Server, repo: Repo, store: Store) -> None:
    store.start(goal="x")
    watching = lists.Watching(store.repo)
    reads = []
    read = store.repo.sessions
    store.repo.sessions = lambda *a: reads.append(1) or read(*a)  # type: ignore[method-assign, func-returns-value]
    watching.all()
    assert reads
    time.sleep(lists.TICK_SECONDS + 0.1)
    watching.all()
    before = len(reads)
    assert [s.goal for s in watching.all()] == ["x"]
    assert len(reads) == before
    repo.git("pack-refs", "--all")
    watching.all()
    assert len(reads) > before


def test_many_readers_see_every_event_that_was_acknowledged(client: Client, store: Store) -> None:
    """Eight clients and a writer: no request fails, and none is behind what was written when it was sent."""
    session = store.start(goal="g").id
    acknowledged, wrong, done = [1], [], threading.Event()

    def ask() -> None:
        connection = client.connect()
        headers = {"Host": client.place, "Authorization": f"Bearer {client.address.token}"}
        while not done.is_set():
            least = acknowledged[-1]
            connection.request("GET", "/api/v1/sessions", headers=headers)
            reply = connection.getresponse()
            body = reply.read()
            import json

            if reply.status != 200 or json.loads(body)[0]["counts"]["events"] < least:
                wrong.append((reply.status, least, body))

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for one in clients:
        one.start()
    for n in range(150):
        store.log(session, "note", f"event {n}")
        acknowledged.append(n + 2)
        if n % 50 == 49:
            store.drain(session)
    done.set()
    for one in clients:
        one.join()
    assert not wrong
    assert client.get(f"/api/v1/sessions/{session}")["counts"]["events"] == 151
