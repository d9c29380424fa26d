"""Serves the application: binds to this machine alone, makes a token, tells both, and ends when it is asked to."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from git_agent_session.errors import StorageError, UsageError
from git_agent_session.git.discover import Location
from git_agent_session.web import app, classic
from git_agent_session.web.guard import MAX_HEADERS, Access
from git_agent_session.web.parts import Parts

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# connections at once; more are told to come again
CONNECTIONS = 256
# seconds within which signals are one wish
_MOMENT = 1.0
_TOKEN_BYTES = 32
_LEAST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, once it is bound: its URL, the token it wants, and the names it answers to."""

    url: str
    token: str
    hosts: tuple[str, ...]


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises StorageError where the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol said, asyncio sends small pieces at once (TCP_NODELAY): 1 ms an answer, not 40
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # on Windows this would let two servers have one port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as e:
        found.close()
        if e.errno == errno.EADDRINUSE:
            raise StorageError(
                f"port {port} of {host} is in use", hint="name another, or `--port 0` for a free one"
            ) from e
        said = e.strerror or str(e)
        raise StorageError(f"cannot listen on {host}, port {port}: {said}", hint="name another") from e
    return found


def names(host: str, port: int, further: Collection[str] = ()) -> tuple[str, ...]:
    """The names, with the port, under which a server at `host` is known."""
    own = LOOPBACK if host in LOOPBACK else (host, *further)
    with_port = [f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h in own]
    # the port of http itself is not said
    return tuple(with_port + ([f"[{h}]" if ":" in h else h for h in own] if port == 80 else []))


def read_token(path: str) -> str:
    """The token in a file. Raises UsageError where others can read it, or where it is none."""
    try:
        with open(path, encoding="ascii", errors="strict") as f:
            mode = os.fstat(f.fileno()).st_mode
            text = f.read(4096).strip()
    except (OSError, ValueError) as e:
        said = e.strerror if isinstance(e, OSError) else "it is no plain text"
        raise UsageError(f"the token cannot be read from {path}: {said}", hint="name a file that holds it") from e
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others can read {path}", hint=f"chmod 600 {path}")
    if len(text) < _LEAST_TOKEN or not text.isprintable() or " " in text:
        raise UsageError(f"{path} holds no token", hint=f"one line of at least {_LEAST_TOKEN} letters and digits")
    return text


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


class Ending(uvicorn.Server):
    """A server that ends on SIGINT and SIGTERM, with status 0 and not a word."""

    _asked = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; ^C once more, later, does not wait for what is open."""
        # uvicorn's own would raise the signal once more when all is done. `git agent-session` passes on what the
        # terminal has sent to both: a second signal within a moment is the first one again
        now = time.monotonic()
        if not self.should_exit:
            self._asked = now
        self.force_exit = self.should_exit and sig == signal.SIGINT and now - self._asked > _MOMENT
        self.should_exit = True


class Server(Ending):
    """One server: bound when it is made, serving from `serve` on, until a signal or `should_exit`."""

    def __init__(
        self, parts: Parts, *, host: str = "127.0.0.1", port: int = 0, token: str = "", further: Collection[str] = ()
    ) -> None:
        """`token`: default a new one; `further`: names that it is known by besides `host`. Raises StorageError."""
        self._listening = bind(host, port)
        hosts = names(host, self._listening.getsockname()[1], further)
        self.address = Address(f"http://{hosts[0]}", token or new_token(), hosts)
        self._told: Callable[[Address], None] = lambda address: None
        super().__init__(config(app.make(parts, Access(self.address.token, hosts))))

    def serve_until_ended(self, told: Callable[[Address], None] | None = None) -> None:
        """Serve until SIGINT or SIGTERM; `told` gets the address once connections are taken."""
        self._told = told or self._told
        with self._listening:
            self.run(sockets=[self._listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, then say so."""
        await super().startup(sockets)
        if self.started:
            self._told(self.address)


def config(made: ASGIApp) -> uvicorn.Config:
    """How uvicorn is to serve an application: bounded, quiet, and without a word about itself."""
    return uvicorn.Config(
        made,
        # httptools is faster, and takes headers without end
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEADERS,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )


def complain() -> None:
    """Let uvicorn's warnings and tracebacks reach standard error."""
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("uvicorn").addHandler(handler)


def parts_for(location: Location) -> Parts:
    """The parts of a server for a repository."""
    return Parts(location, os.environ, classic.metadata)
