"""Sessions over HTTP: an application of Starlette's, served by uvicorn to this machine alone.

`app.make` builds the application from parts (an access guard, the routes of the API, runs of commands, the OpenAPI
document); pages for people can be mounted beside them. `server.serve` binds, prints address and token, and runs it.
Needs the extra `[web]`. docs/http.md has the routes and what they promise.
"""

from __future__ import annotations

from git_agent_session import extras


def require() -> None:
    """Raise AgentSessionError with the line that installs what is missing, where the extra `[web]` is not here."""
    extras.require("web", "starlette", "uvicorn", "jsonschema")
