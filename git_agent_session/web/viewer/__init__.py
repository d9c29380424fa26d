"""Pages for people: the sessions of a repository in a browser, from a server on this machine or as static files.

HTML is made here, by templates that escape every text; scripts only make it more convenient. Nothing is loaded from
elsewhere. `routes.make` is the application, `export.write` the static form of the same pages. Needs the extra `[web]`.
"""

from __future__ import annotations

from git_agent_session import extras


def require() -> None:
    """Raise AgentSessionError with the line that installs what is missing, where the extra `[web]` is not here."""
    extras.require("web", "starlette", "uvicorn", "jsonschema", "jinja2", "pygments")
