"""Serves the viewer: binds to this machine alone, makes the link that opens it, and ends when it is asked to."""

from __future__ import annotations

import socket
from collections.abc import Callable

from git_agent_session.git.discover import Location
from git_agent_session.web import server
from git_agent_session.web.guard import Access
from git_agent_session.web.viewer import gate, routes

HOST = "127.0.0.1"
# seconds that a stream has to notice the end
_PATIENCE = 2


class Server(server.Ending):
    """One viewer: bound when it is made, serving from `serve_until_ended` on, until a signal or `should_exit`."""

    def __init__(self, location: Location, *, port: int = 0) -> None:
        """Port 0 takes a free one. Raises StorageError where the port cannot be had."""
        self._listening = server.bind(HOST, port)
        own = self._listening.getsockname()[1]
        names = server.names(HOST, own)
        self.keys = gate.Keys(server.new_token(), own)
        self.url = f"http://{names[0]}"
        self._told: Callable[[], None] = lambda: None
        viewer = routes.Viewer(location, lambda: self.should_exit)
        config = server.config(routes.make(viewer, Access(self.keys.token, names), self.keys))
        config.timeout_graceful_shutdown = _PATIENCE
        super().__init__(config)

    @property
    def link(self) -> str:
        """The address that opens the viewer, once."""
        return self.url + self.keys.link

    def serve_until_ended(self, told: Callable[[], None] | None = None) -> None:
        """Serve until SIGINT or SIGTERM; `told` is called once connections are taken."""
        self._told = told or self._told
        with self._listening:
            self.run(sockets=[self._listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, then say so."""
        await super().startup(sockets)
        if self.started:
            self._told()
