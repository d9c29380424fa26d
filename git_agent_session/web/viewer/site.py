"""Templates, and where their links lead: to the server's own paths here, to files in an export."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from git_agent_session import __version__
from git_agent_session.web.viewer import charts, code, history, look, text

ASSETS = {
    "theme.js": "text/javascript",
    "viewer.js": "text/javascript",
    "live.js": "text/javascript",
    "viewer.css": "text/css",
    "icon.svg": "image/svg+xml",
}


class Links(Protocol):
    """Addresses of pages; "" for one that does not exist in this form of the site."""

    @property
    def is_static(self) -> bool:
        """True where there is no server to ask: no search, no filters, nothing live."""

    def page(self, name: str, key: str = "", **query: object) -> str:
        """The address of a page: `sessions`, `session` ID, `text` ID, `context` ID, `commits`, `commit` ID, `files`
        PATH, `stats`, `lines`, `counts` ID, `live`; `query` as the page takes it, empty values left out."""

    def asset(self, name: str) -> str:
        """The address of a script, a style or a picture."""


class Served:
    """The addresses of the server."""

    is_static = False
    _PATHS: Mapping[str, str] = {
        "sessions": "/",
        "session": "/sessions/{}",
        "counts": "/sessions/{}/counts",
        "text": "/sessions/{}/text",
        "context": "/sessions/{}/context",
        "commits": "/commits",
        "commit": "/commits/{}",
        "files": "/files/{}",
        "stats": "/stats",
        "lines": "/stats/lines",
        "live": "/live",
    }

    def page(self, name: str, key: str = "", **query: object) -> str:
        """A path with its query."""
        given = {k.rstrip("_"): v for k, v in query.items() if v not in ("", None)}
        path = self._PATHS[name].format(quote(key, safe="/"))
        return f"{path}?{urlencode(given)}" if given else path

    def asset(self, name: str) -> str:
        """A path that changes with what is in the file, so that a browser may keep it."""
        return f"/static/{name}?{digest(name)}"


def asset(name: str) -> bytes:
    """The bytes of one of ASSETS."""
    return resources.files("git_agent_session.web.viewer").joinpath("static", name).read_bytes()


@functools.cache
def digest(name: str) -> str:
    """A short digest of one of ASSETS."""
    return hashlib.sha256(asset(name)).hexdigest()[:12]


@functools.cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("git_agent_session.web.viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(
        shown=text.shown, oneline=text.line, ago=look.ago, stamp=look.stamp, clock=look.clock, date=look.date,
        span=look.span, usd=look.usd, slot=look.slot, agent=look.agent, state=look.state, si=charts.number,
        person=look.person, breaking=look.breaking,
        prose=text.prose,
    )  # fmt: skip
    env.globals.update(many=look.many, code=code.block, version=__version__, ROW=history.ROW, STEP=history.STEP)
    return env


def render(template: str, links: Links, here: str, **context: Any) -> str:
    """A page. `here` is the name of its part of the site, for the navigation."""
    return _environment().get_template(f"{template}.html").render(to=links, here=here, **context)


def render_plain(template: str) -> str:
    """A page that stands outside the site."""
    return _environment().get_template(f"{template}.html").render()
