"""A real server on a free port, in a thread of the test's process, and a client that can say anything."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import git_agent_session
from git_agent_session.store.store import Store
from git_agent_session.web import server
from tests.harness import Repo


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers in small letters, its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """`client.get("/sessions")`: with token, `Host` and type of content, unless they are given."""

    def __init__(self, address: server.Address) -> None:
        self.address = address
        self.place = address.url.removeprefix("http://")

    def __call__(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        status: int | None = None,
    ) -> Reply:
        """Send one request and check its `status` (None: whatever it is)."""
        connection = self.connect()
        own = {"Host": self.place, "Authorization": f"Bearer {self.address.token}"}
        if value is not None:
            body, own["Content-Type"] = json.dumps(value).encode(), "application/json"
        connection.request(method, path, body, {**own, **(headers or {})})
        reply = read(connection.getresponse())
        connection.close()
        if status is not None:
            assert reply.status == status, (reply.status, reply.body[:2000])
        return reply

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.place, timeout=60)

    def get(self, path: str, **more: Any) -> Any:
        return self("GET", path, status=200, **more).json

    def post(self, path: str, value: Any = None, status: int = 200) -> Any:
        return self("POST", path, value, status=status).json


def read(response: http.client.HTTPResponse) -> Reply:
    body = response.read()
    return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


@pytest.fixture
def serving(repo: Repo) -> Iterator[server.Server]:
    repo.commit("one", files={"README.md": "# x\n"})
    location = git_agent_session.open(str(repo.path)).repo.location
    made = server.Server(server.parts_for(location))
    ready = threading.Event()
    thread = threading.Thread(target=made.serve_until_ended, args=[lambda address: ready.set()], daemon=True)
    thread.start()
    assert ready.wait(60)
    yield made
    made.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def client(serving: server.Server) -> Client:
    return Client(serving.address)


@pytest.fixture
def store(repo: Repo, serving: server.Server) -> Store:
    return git_agent_session.open(str(repo.path))
