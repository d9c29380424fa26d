"""Sessions over HTTP: an application of Starlette's, served by uvicorn to this machine alone.

`app.make` builds the application from parts (an access guard, the routes of the API, runs of commands, the OpenAPI
document); pages for people can be mounted beside them. `server.serve` binds, prints address and token, and runs it.
Needs the extra `[web]`. docs/http.md has the routes and what they promise.
"""

from __future__ import annotations

from git_agent_session.errors import UsageError

INSTALL = "install git-agent-session[web], such as `pipx inject git-agent-session starlette uvicorn jsonschema`"


def require() -> None:
    """Raise UsageError with the line that installs what is missing, where the extra `[web]` is not here."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn", "jsonschema") if find_spec(name) is None]
    if missing:
        raise UsageError(f"the web server needs {', '.join(missing)}", hint=INSTALL)
