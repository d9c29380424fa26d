"""The official SDK's own client against our server: as a real process, or in this one."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
from mcp import Client, StdioServerParameters, stdio_client

from git_agent_session.mcp.door import Door
from git_agent_session.mcp.server import Service

T = TypeVar("T")
TIMEOUT = 60


@asynccontextmanager
async def _process(folder: Path, *args: str, env: Mapping[str, str], legacy: bool) -> AsyncIterator[Client]:
    argv = ["-m", "git_agent_session", "mcp", *args]
    server = StdioServerParameters(command=sys.executable, args=argv, cwd=folder, env={**os.environ, **env})
    with open(os.devnull, "w") as nowhere:
        async with Client(stdio_client(server, nowhere), mode="legacy" if legacy else "auto") as client:
            yield client


def talk(
    folder: Path,
    what: Callable[[Client], Awaitable[T]],
    *args: str,
    write: bool = False,
    process: bool = False,
    legacy: bool = False,
    env: Mapping[str, str] | None = None,
) -> T:
    """The outcome of `what` with a client of the server in `folder`, within a time limit.

    With `process` the server is a process with these `args`, else it is in this one: starting takes a second.
    `legacy` begins with `initialize`, as clients did before the protocol of 2026.
    """
    given = env or {}

    async def run() -> T:
        with anyio.fail_after(TIMEOUT):
            if process:
                options = ("--write",) if write else ()
                async with _process(folder, *options, *args, env=given, legacy=legacy) as client:
                    return await what(client)
            door = Door(str(folder), {**os.environ, **given}, write=write)
            async with Client(Service(door).server(), mode="legacy" if legacy else "auto") as client:
                return await what(client)

    return anyio.run(run)


async def said(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured answer of a tool that must succeed."""
    done = await client.call_tool(tool, arguments)
    assert not done.is_error, done.content
    return done.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The one line that a tool which must fail says."""
    done = await client.call_tool(tool, arguments)
    assert done.is_error and done.structured_content is None
    text = str(getattr(done.content[0], "text", ""))
    assert text.startswith("error: ") and "\n" not in text
    return text
