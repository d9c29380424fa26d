"""Row 26: an MCP server feeds a session.

Text 003 shows a server whose handler takes `session_id` out of the arguments, runs the tool, and links the call to the
session. Once such a server of somebody's own, made with the official SDK, over the Python API; once `mcp --write`.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra [mcp] is not installed")

import anyio
import mcp_types as types
from mcp import Client
from mcp.server import Server, ServerRequestContext

import git_agent_session
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.mcp_client import said, talk
from tests.harness import Repo

TOOLS = ("git_tool", "log_analysis", "knowledge_indexer")


def their_server(store: Store) -> Server[Any]:
    """A server with three tools of its own that links each call to the session that the call names."""

    async def call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = dict(params.arguments or {})
        session = arguments.pop("session_id", None)
        begun = time.perf_counter()
        text = f"{params.name} has looked at {sorted(arguments)}"
        if session:
            spent = round((time.perf_counter() - begun) * 1_000, 3)
            store.append(session, "tool", {"name": params.name, "duration_ms": spent, "outcome": "ok"})
            store.append(session, "message", {"role": "tool", "text": text})
        return types.CallToolResult(content=[types.TextContent(text=text)])

    async def list_tools(ctx: ServerRequestContext[Any], params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name=n, input_schema={"type": "object"}) for n in TOOLS])

    return Server("theirs", on_list_tools=list_tools, on_call_tool=call_tool)


def test_row_26_by_python_in_a_server_of_ones_own(repo: Repo) -> None:
    repo.commit("one")
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="Investigate production issue", tags=["production", "urgent"]).id

    async def run() -> None:
        async with Client(their_server(store)) as client:
            for tool in TOOLS:
                await client.call_tool(tool, {"path": "src", "session_id": session})
            await client.call_tool("git_tool", {"path": "src"})

    anyio.run(run)
    found = store.summary(session)
    assert found.tools == dict.fromkeys(TOOLS, 1)
    assert (found.session.counts["tools"], found.session.counts["messages"]) == (3, 3)
    assert [e.data["role"] for e in store.history(session, kinds=("message",))] == ["tool"] * 3


def test_row_26_by_the_mcp_server(repo: Repo) -> None:
    repo.commit("one")
    session = Cli(repo).start("--goal", "Investigate production issue", "--tag", "production")

    async def what(client: Client) -> None:
        await said(client, "add_note", session=session, text="What files were changed?", type="question", role="user")
        for tool in TOOLS:
            await said(client, "record_tool", session=session, name=tool, duration_ms=100.0, outcome="ok")
            await said(client, "add_note", session=session, text="Analysis complete", type="answer", role="tool")
        assert (await said(client, "show_session", session=session))["tools"] == dict.fromkeys(TOOLS, 1)

    talk(repo.path, what, write=True)
    rows = Cli(repo)("history", session, "--type", "tool", "--json").json
    assert [(r["name"], r["duration_ms"]) for r in rows] == [(tool, 100.0) for tool in TOOLS]
