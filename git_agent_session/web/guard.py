"""Who may ask: the guard before the application, as plain ASGI.

A server on the loopback address is within reach of every page that a browser on this machine shows. So a request must
name this very server (`Host`; or a page could come by a name of its own that points here), must not come from another
page (`Origin`, `Sec-Fetch-Site`), and must carry the token, which no page knows. Sizes are bounded before anything is
read, and every answer says that it is no page, is not to be kept, and is not to be shown within another.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session.web.problems import Refused, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# bytes of a request's body, of its target, and of its headers (of which h11 bounds the whole too); number of headers
MAX_BODY = 8 * 1024 * 1024
MAX_TARGET = 8 * 1024
MAX_HEADERS = 16 * 1024
MAX_HEADER_COUNT = 64

# on every answer; what stands there already stays, so that pages may loosen their own policy
SECURITY = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must have: the token, and one of the names (`host:port`) under which the server is known."""

    token: str
    hosts: Collection[str]


class Guard:
    """The application `app`, for those who may ask."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._hosts = {host.lower() for host in access.hosts}
        self._wanted = access.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer for the application."""
        if scope["type"] != "http":
            # no websocket is served; a lifespan has no client
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_security(list(message.get("headers", ())))
            await send(message)

        try:
            self._check(scope)
            bounded = _Bounded(receive)
            await self._app(scope, bounded, secured)
        except Refused as refused:
            await response(refused)(scope, receive, secured)

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        _check_sizes(scope, headers)
        if _all(headers, b"host") not in ([h.encode()] for h in self._hosts):
            raise Refused(
                421, "this server is not known by that name", hint=f"ask for {' or '.join(sorted(self._hosts))}"
            )
        self._check_origin(headers)
        given = _all(headers, b"authorization")
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._wanted):
            raise Refused(
                401,
                "the token is missing or wrong" if not given else "the token is wrong",
                hint="send `Authorization: Bearer TOKEN` with the token that the server printed when it started",
                headers={"WWW-Authenticate": 'Bearer realm="git agent-session"'},
            )

    def _check_origin(self, headers: list[tuple[bytes, bytes]]) -> None:
        origins = _all(headers, b"origin")
        mine = {f"http://{host}".encode() for host in self._hosts}
        site = _all(headers, b"sec-fetch-site")
        if any(o.lower() not in mine for o in origins) or any(s not in (b"same-origin", b"none") for s in site):
            raise Refused(403, "this request comes from another page", hint="other sites have no access to this server")


class _Bounded:
    """`receive` that refuses a body once it grows past MAX_BODY."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._size = receive, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > MAX_BODY:
                raise _too_large()
        return message


def _check_sizes(scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
        raise Refused(414, f"the address is longer than {MAX_TARGET} bytes", hint="send less in the query")
    if len(headers) > MAX_HEADER_COUNT or sum(len(k) + len(v) for k, v in headers) > MAX_HEADERS:
        raise Refused(431, "the headers are too many or too large", hint=f"send at most {MAX_HEADERS // 1024} KiB")
    declared = _all(headers, b"content-length")
    if declared and (len(declared) > 1 or not declared[0].isdigit()):
        raise Refused(400, "the length of the body is not a number", hint="send one Content-Length")
    if declared and (len(declared[0]) > 12 or int(declared[0]) > MAX_BODY):
        raise _too_large()


def _too_large() -> Refused:
    # the rest of the body is not read: the connection cannot be used again
    return Refused(
        413, f"the body is larger than {MAX_BODY // 1024} KiB", hint="send less", headers={"Connection": "close"}
    )


def _all(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [v.lower() if name == b"host" else v for k, v in headers if k == name]


def _with_security(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {k.lower() for k, _ in headers}
    return [*headers, *((k, v) for k, v in SECURITY if k not in there)]
