"""What the server over HTTP bears: clients that ask for the list of sessions as fast as they are answered.

The server is a process of its own. The clients are threads of this one, each with one connection that stays open, that
send a request, read the whole answer, and send the next; they and the server share the machine. A second time a writer
appends events to a session meanwhile, and each answer must hold every event that was acknowledged before its request.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from benchmarks.harness import Amount, Failed, Row, Table
from benchmarks.world import Repo, World

CLIENTS = 8
LEAST = 500.0
# seconds
LONG, QUICK, SETTLE = 8.0, 0.5, 2.5
# between two events of the writer
PAUSE = 0.005
WHY = "Clients and server share the processors, here with whatever else ran."


def serve(world: World) -> Iterator[Table]:
    """Requests a second with eight clients, with and without a writer, on the file system of the world."""
    quick = world.scale.api_rounds < 10
    for sessions in (world.scale.listed, world.scale.sessions):
        repo = _filled(world, sessions)
        with _Server(world, repo) as server:
            time.sleep(QUICK if quick else SETTLE)
            seconds = QUICK if quick else LONG
            still = _asked(server, seconds, _nothing)
            writer = _Writer(repo)
            written = _asked(server, seconds, writer, writer)
        yield Table(
            f"GET /sessions of {sessions:,} sessions, {CLIENTS} clients",
            f"{seconds:g} s each, pages of 100 sessions ({still.size // 1024} KB). An answer is lost where it is "
            f"no 200 or lacks an event that was acknowledged before. The writer appended {writer.count:,} events.",
            [*_rows("nobody writes", still, LEAST), *_rows("a writer appends", written)],
        )


@dataclass(slots=True)
class _Found:
    times: list[float] = field(default_factory=list)
    lost: int = 0
    seconds: float = 0.0
    size: int = 0


def _rows(name: str, found: _Found, least: float | None = None) -> list[Row | Amount]:
    if not found.times:
        raise Failed("no request was answered")
    rate = len(found.times) / found.seconds
    return [
        Amount(f"requests a second, {name}", rate, "a second", least=least, why=WHY, digits=0),
        Amount(f"requests lost, {name}", found.lost, "of " + f"{len(found.times):,}", most=0, digits=0),
        Row(f"one request, {name}", found.times),
    ]


class _Writer:
    """Appends events to the youngest session until it is told to end."""

    def __init__(self, repo: Repo) -> None:
        self.count = 0
        self._store = repo.store()
        self._session = self._store.start(goal="The session that is written to", activate=False).id

    def __call__(self, done: threading.Event) -> None:
        while not done.is_set():
            self._store.log(self._session, "note", f"event {self.count}")
            self.count += 1
            time.sleep(PAUSE)

    def holds(self, body: bytes, least: int) -> bool:
        """True where the answer has the session with so many events or more, the start included."""
        rows = [r for r in json.loads(body) if r["id"] == self._session]
        return len(rows) == 1 and rows[0]["counts"]["events"] > least


def _nothing(done: threading.Event) -> None:
    return None


def _asked(
    server: _Server, seconds: float, write: Callable[[threading.Event], None], writer: _Writer | None = None
) -> _Found:
    found, done = _Found(), threading.Event()
    clients = [threading.Thread(target=_client, args=(server, found, done, writer)) for _ in range(CLIENTS)]
    writing = threading.Thread(target=write, args=(done,))
    begun = time.perf_counter()
    for thread in (*clients, writing):
        thread.start()
    time.sleep(seconds)
    done.set()
    for thread in (*clients, writing):
        thread.join()
    found.seconds = time.perf_counter() - begun
    return found


def _client(server: _Server, found: _Found, done: threading.Event, writer: _Writer | None) -> None:
    with socket.create_connection(server.place) as connection, connection.makefile("rb") as stream:
        while not done.is_set():
            least = writer.count if writer is not None else 0
            begun = time.perf_counter()
            connection.sendall(server.request)
            status, body = _answer(stream)
            found.times.append(time.perf_counter() - begun)
            found.size = len(body)
            # one in 16 is looked into: that costs the clients more than asking
            checked = writer is not None and len(found.times) % 16 == 0
            if status != 200 or (checked and writer is not None and not writer.holds(body, least)):
                found.lost += 1


def _answer(stream: BinaryIO) -> tuple[int, bytes]:
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    return status, stream.read(length)


class _Server:
    """`git agent-session serve` for a repository, while the block runs."""

    def __init__(self, world: World, repo: Repo) -> None:
        argv = [str(world.launcher), "serve", "--port", "0", "--json"]
        self._process = subprocess.Popen(argv, cwd=repo.path, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        told = "".join(iter(self._process.stdout.readline, "}\n"))
        url, token = re.findall(r'"(?:url|token)": "([^"]+)"', told) or ("", "")
        if not url:
            raise Failed("the server did not start: is the extra [web] installed?")
        host, _, port = url.removeprefix("http://").partition(":")
        self.place = (host, int(port))
        lines = ["GET /api/v1/sessions HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {token}", "", ""]
        self.request = "\r\n".join(lines).encode()

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        if self._process.wait(20) != 0:
            raise Failed(f"the server ended with {self._process.returncode}")


def _filled(world: World, sessions: int) -> Repo:
    repo = world.repo("served")
    store = repo.store()
    for n in range(sessions):
        store.start(goal=f"Goal number {n}", agent=("claude-code", "codex")[n % 2], activate=False)
    return repo
