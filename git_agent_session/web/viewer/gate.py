"""How a browser shows that it may ask: a link that works once, and then a cookie. The guard behind it judges all else.

A browser cannot send the header that the guard wants. A link is printed where only its owner sees it; whoever opens it
first gets a cookie that no script can read and no other site's request carries. A request with it is given the guard's
token, for reading alone.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from git_agent_session.web.guard import MAX_HEADERS, MAX_TARGET
from git_agent_session.web.viewer.site import render_plain

OPEN = "/open"
_READING = ("GET", "HEAD")


class Keys:
    """The secrets of one server: the guard's `token`, the `cookie` that stands for it, the `key` of the link."""

    def __init__(self, token: str, port: int) -> None:
        self.token = token
        # cookies know no ports: another server's must not take this one's place
        self.name = f"agent_session_{port}"
        self.cookie = secrets.token_urlsafe(32)
        self._key = secrets.token_urlsafe(32)

    @property
    def link(self) -> str:
        """The path that opens the viewer once."""
        return f"{OPEN}?key={self._key}"

    def spend(self, key: str) -> bool:
        """True for the key, the first time."""
        good = bool(self._key) and hmac.compare_digest(key.encode(), self._key.encode())
        if good:
            self._key = ""
        return good

    def knows(self, header: str) -> bool:
        """True for a Cookie header that holds the cookie."""
        try:
            found = SimpleCookie(header).get(self.name)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.cookie.encode())


class Gate:
    """The guarded application `app`, for browsers too."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request with the cookie the guard's token; a page that says how, to a browser without."""
        if scope["type"] != "http" or _one(scope, b"authorization"):
            await self._app(scope, receive, send)
            return
        known = scope["method"] in _READING and self._keys.knows(_one(scope, b"cookie"))
        if known or scope["path"] == OPEN:
            # whether it may open is told behind the guard, which knows other names and other pages
            given = [*scope["headers"], (b"authorization", f"Bearer {self._keys.token}".encode())]
            await self._app({**scope, "headers": given}, receive, send)
        elif "text/html" in _one(scope, b"accept"):
            await refusal(401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def opened(keys: Keys, query: bytes) -> Response:
    """The answer to whoever comes by the link: the cookie and the first page, or how to get another link."""
    given = parse_qs(query.decode("ascii", "replace")[:MAX_TARGET]).get("key", [""])
    if not keys.spend(given[0]):
        return refusal(403)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(keys.name, keys.cookie, httponly=True, samesite="strict", path="/")
    return answer


def refusal(status: int) -> Response:
    """A page without anything of the repository in it."""
    policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return HTMLResponse(render_plain("key"), status, headers)


def _one(scope: Scope, name: bytes) -> str:
    found = [v for k, v in scope["headers"] if k == name]
    return found[0][:MAX_HEADERS].decode("latin-1") if len(found) == 1 else ""
