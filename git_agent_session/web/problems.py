"""What goes wrong, as application/problem+json (RFC 9457): the line and the way out that the command line has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from git_agent_session.errors import AgentSessionError

MEDIA_TYPE = "application/problem+json"

# what the words of errors are in HTTP; all others are troubles of the server's own: 500
STATUS = {
    "usage": 400,
    "session-not-found": 404,
    "commit-not-found": 404,
    "ambiguous-session": 409,
    "session-state": 409,
    "broken-session": 409,
    "broken-workflow": 409,
    "broken-template": 409,
    "storage": 503,
}


class Refused(Exception):
    """A request that cannot be taken; `status` is that of HTTP."""

    def __init__(
        self, status: int, message: str, *, hint: str = "", code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint
        self.code = code or HTTPStatus(status).phrase.lower().replace(" ", "-")
        self.headers = dict(headers or {})


def body(status: int, code: str, message: str, hint: str = "") -> dict[str, Any]:
    """The keys `type, title, status, detail, code` and, where there is one, `hint`."""
    title = HTTPStatus(status).phrase
    out = {"type": "about:blank", "title": title, "status": status, "detail": message, "code": code}
    return {**out, "hint": hint} if hint else out


def response(refused: Refused) -> Response:
    """A refusal as it is sent."""
    doc = body(refused.status, refused.code, refused.message, refused.hint)
    return Response(json.dumps(doc), refused.status, refused.headers, MEDIA_TYPE)


def of_error(error: AgentSessionError) -> Refused:
    """A library's error as a refusal."""
    line = " ".join(error.message.split())
    return Refused(STATUS.get(error.code, 500), line, hint=" ".join(error.hint.split()), code=error.code)


async def on_refused(request: Request, error: Exception) -> Response:
    """Starlette's handler for Refused and for the library's errors."""
    if isinstance(error, AgentSessionError):
        return response(of_error(error))
    assert isinstance(error, Refused)
    return response(error)


async def on_http(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    said = {
        404: (f"there is nothing at {request.url.path[:200]}", "GET /openapi.json lists what there is"),
        405: (f"{request.method[:20]} is not for {request.url.path[:200]}", "the header Allow names what is"),
    }
    detail, hint = said.get(error.status_code, (str(error.detail), ""))
    return response(Refused(error.status_code, detail, hint=hint, headers=error.headers))


async def on_bug(request: Request, error: Exception) -> Response:
    """Starlette's handler for anything else; the traceback goes to the server's log, not to the client."""
    return response(Refused(500, "this is a bug of the server's", hint="its log has the traceback", code="bug"))
