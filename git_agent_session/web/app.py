"""The application: the guard, the API's operations as routes, and room for further routes beside them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from git_agent_session.errors import AgentSessionError
from git_agent_session.report.rows import dump
from git_agent_session.store.store import Store
from git_agent_session.web import classic, lists, openapi, orchestrate, problems, sessions
from git_agent_session.web import schemas as s
from git_agent_session.web.guard import Access, Guard
from git_agent_session.web.operations import Answer, Call, Checks, Operation
from git_agent_session.web.parts import Parts
from git_agent_session.web.problems import Refused

_NO_BODY = (204, 304)


def operations() -> list[Operation]:
    """All operations there are, in the order of the document."""
    listed = Operation(
        *("GET", "/api/v1/sessions", "listSessions", "The sessions, the youngest first", "sessions"),
        s.many(s.SESSION, 1000),
        endpoint=_list_sessions,
        query=lists.QUERY,
    )
    # those that are asked for most come first: routes are tried in order
    return [*classic.operations(), listed, *sessions.operations(), *orchestrate.operations()]


def make(parts: Parts, access: Access, further: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The application of one server. `further` are routes beside the API's: pages, say. They are guarded too."""
    known = operations()
    document = openapi.document(known, [f"http://{host}" for host in access.hosts])

    async def described(request: Request) -> Response:
        return JSONResponse(document)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await parts.aclose()

    app = Starlette(
        routes=[Route("/openapi.json", described), *routes(parts, known), *further],
        exception_handlers={
            HTTPException: problems.on_http,
            Refused: problems.on_refused,
            AgentSessionError: problems.on_refused,
            Exception: problems.on_bug,
        },
        lifespan=lifespan,
    )
    # a path has one spelling
    app.router.redirect_slashes = False
    return Guard(app, access)


def routes(parts: Parts, known: Iterable[Operation]) -> list[Route]:
    """A route a path, which calls the operation of the method."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in known:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, _endpoint(parts, found), methods=list(found)) for path, found in by_path.items()]


def _endpoint(parts: Parts, found: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    checks = {method: Checks(operation, s.PARAMETERS) for method, operation in found.items()}

    async def endpoint(request: Request) -> Response:
        check = checks["GET" if request.method == "HEAD" else request.method]
        call = await check.call(request)
        operation = check.operation
        if operation.records:
            await parts.store.run(_refuse_where_off)
        if operation.endpoint is not None:
            return await operation.endpoint(parts, request, call)
        assert operation.do is not None
        return _answer(operation, await parts.store.run(operation.do, call))

    return endpoint


def _refuse_where_off(store: Store) -> None:
    if store.is_off():
        raise Refused(409, "nothing is recorded here", hint="agentSession.enabled is false in this repository")


def _answer(operation: Operation, value: Any) -> Response:
    answer = value if isinstance(value, Answer) else Answer(value)
    status = answer.status or operation.status
    body = b"" if status in _NO_BODY else dump(answer.value, indent=None).encode()
    return Response(body, status, dict(answer.headers), "application/json")


async def _list_sessions(parts: Parts, request: Request, call: Call) -> Response:
    return lists.answer(await parts.lists.page(call, parts.row), request)
