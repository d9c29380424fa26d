"""The viewer's application: a route a page, behind the guard and the gate. It only reads."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from weakref import WeakKeyDictionary

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from git_agent_session.aio import AsyncStore
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import Repository
from git_agent_session.ids import is_session_id
from git_agent_session.index.excerpts import SqliteExcerpts
from git_agent_session.store.store import Store
from git_agent_session.web.guard import Access, Guard
from git_agent_session.web.problems import STATUS
from git_agent_session.web.viewer import gate, lines, live, pages, signs, site
from git_agent_session.web.viewer.reel import Reel

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
# calls of stores at once
WORKERS = 3

Page = Callable[[pages.Desk, Request], str]


class Viewer:
    """The pages of the repository at `location`; `ending` says when streams are to come to their end."""

    def __init__(self, location: Location, ending: Callable[[], bool] = lambda: False) -> None:
        self._location = location
        self._ending = ending
        self._links = site.Served()
        self._reels: dict[str, Reel] = {}
        self._desks: WeakKeyDictionary[Store, pages.Desk] = WeakKeyDictionary()
        self.stores = AsyncStore(self._open, workers=WORKERS)
        # looks for live pages, so that no page waits behind them
        self._looks = AsyncStore(self._open)
        self._lines = lines.Counting(self._open, lambda store: self.desk(store).refreshed(), ending)
        self._told = 0

    def _open(self) -> Store:
        return Store(Repository(self._location), None, SqliteExcerpts(self._location.shared))

    def desk(self, store: Store) -> pages.Desk:
        """The desk of a worker's store."""
        if store not in self._desks:
            self._desks[store] = pages.Desk(store, self._links, self._reels)
        return self._desks[store]

    async def aclose(self) -> None:
        """Let what was begun come to its end."""
        await self.stores.aclose()
        await self._looks.aclose()
        await self._lines.aclose()

    def routes(self, keys: gate.Keys) -> list[Route]:
        """A route a page."""

        async def opened(request: Request) -> Response:
            return gate.opened(keys, request.scope["query_string"])

        listed: list[tuple[str, Page]] = [
            ("/", lambda desk, r: pages.sessions(desk, r.query_params)),
            ("/sessions/{id}", lambda desk, r: pages.session(desk, r.path_params["id"], r.query_params)),
            ("/sessions/{id}/counts", lambda desk, r: pages.counts(desk, r.path_params["id"], r.query_params)),
            ("/sessions/{id}/text", lambda desk, r: pages.text(desk, r.path_params["id"], r.query_params)),
            (
                "/sessions/{id}/context",
                lambda desk, r: pages.context(desk, r.path_params["id"], r.query_params.get("event", "")),
            ),
            ("/commits", lambda desk, r: pages.commits(desk, r.query_params.get("at", ""))),
            ("/commits/{id}", lambda desk, r: pages.commit(desk, r.path_params["id"])),
            ("/files/{path:path}", lambda desk, r: pages.files_at(desk, r.path_params["path"], r.query_params)),
            ("/stats", lambda desk, r: pages.stats(desk)),
        ]
        return [
            *(Route(path, self._endpoint(page)) for path, page in listed),
            Route("/stats/lines", self._counted),
            Route("/live", self._live),
            Route("/static/{name}", _static),
            Route(gate.OPEN, opened),
        ]

    def _endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return _html(await self.stores.run(lambda store: page(self.desk(store), request)))

        return endpoint

    async def _counted(self, request: Request) -> Response:
        counted = await self._lines.ask()
        return _html(await self.stores.run(lambda store: pages.lines(self.desk(store), counted)))

    async def _live(self, request: Request) -> Response:
        session_id = request.query_params.get("session", "")
        if self._told >= live.MOST or (session_id and not is_session_id(session_id)):
            raise HTTPException(503 if self._told >= live.MOST else 404)
        seen = request.query_params.get("seen", "")[:16]

        def sign(store: Store) -> str:
            return signs.of_session(store, session_id) if session_id else signs.of_all(store)

        async def told() -> AsyncIterator[bytes]:
            self._told += 1
            try:
                async for piece in live.events(self._looks, sign, self._ending, seen):
                    yield piece
            finally:
                self._told -= 1

        return StreamingResponse(told(), media_type="text/event-stream")

    async def on_error(self, request: Request, error: Exception) -> Response:
        """What went wrong, as a page."""
        if isinstance(error, HTTPException):
            known = AgentSessionError("There is no such page.", hint="A link may be older than this server.")
            status = error.status_code
        else:
            assert isinstance(error, AgentSessionError)
            known, status = error, 404 if error.code == "usage" else STATUS.get(error.code, 500)
        return _html(await self.stores.run(lambda store: pages.trouble(self.desk(store), known)), status)


def make(viewer: Viewer, access: Access, keys: gate.Keys) -> ASGIApp:
    """The application of one server."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await viewer.aclose()

    app = Starlette(
        routes=viewer.routes(keys),
        exception_handlers={HTTPException: viewer.on_error, AgentSessionError: viewer.on_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return gate.Gate(Guard(app, access), keys)


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text.encode("utf-8", "replace"), status, {"Content-Security-Policy": POLICY})


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in site.ASSETS:
        raise HTTPException(404)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(site.asset(name), 200, headers, site.ASSETS[name])
