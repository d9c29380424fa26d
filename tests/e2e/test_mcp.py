"""`git agent-session mcp`: the real process, spoken to by the official SDK's client, and by hand where bytes matter."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

pytest.importorskip("mcp", reason="the extra [mcp] is not installed")

from mcp import Client, MCPError

import git_agent_session
from git_agent_session.mcp import tools
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.mcp_client import refused, said, talk
from tests.harness import ROOT, Repo

SECRET = "ghp_" + "a1B2c3D4" * 4 + "e5F6"


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("one", files={"a.py": "1\n"})
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


@pytest.fixture
def earlier(store: Store) -> str:
    """A session that has ended, with a decision, a task and a metric."""
    session = store.start(goal="Choose a parser", agent="codex", tags=["parsing"]).id
    store.append(session, "decision", {"text": "Parse with tomllib", "reason": "no dependency", "paths": ["a.py"]})
    store.log(session, "user_message", "Which parser is fastest?", role="user")
    store.link(session, ["HEAD"])
    store.end(session, message="done")
    return session


# -- with the SDK's client


@pytest.mark.parametrize("legacy", [True, False], ids=["initialize", "discover"])
def test_an_agent_reads_an_earlier_session_and_adds_a_decision_to_its_own(
    repo: Repo, store: Store, earlier: str, legacy: bool, tmp_path: Path
) -> None:
    own = store.start(goal="Speed it up", agent="claude-code").id

    async def what(client: Client) -> None:
        assert (await said(client, "current_session"))["session"]["id"] == own
        (hit,) = (await said(client, "search", query="tomllib"))["hits"]
        assert (hit["session"], hit["kind"]) == (earlier, "decision")
        (known,) = (await said(client, "decisions", session=earlier[:8]))["decisions"]
        assert (known["text"], known["reason"]) == ("Parse with tomllib", "no dependency")
        (which,) = (await said(client, "which_session"))["sessions"]
        assert which["id"] == earlier
        await said(client, "add_decision", text="Keep tomllib", reason="fast enough", paths=["a.py"])

    folder, args = (repo.path, ()) if legacy else (tmp_path, ("--repo", str(repo.path)))
    talk(folder, what, *args, process=True, legacy=legacy, write=True)
    (event,) = store.history(own, kinds=("decision",))
    assert event.data == {"text": "Keep tomllib", "reason": "fast enough", "paths": ["a.py"]}
    assert len(store.history(earlier, kinds=("decision",))) == 1


def test_all_that_can_be_recorded_is_there_to_be_read(repo: Repo, store: Store) -> None:
    own = store.start(goal="first", workflow="investigate", phase="initializing").id

    async def what(client: Client) -> None:
        await said(client, "set_goal", goal="second")
        await said(client, "add_tag", tags=["slow", "io"])
        await said(client, "add_note", text="it hangs", type="question", role="user")
        await said(client, "record_metric", name="tests_passed", value=12)
        await said(client, "record_tool", name="git_tool", duration_ms=150.5, outcome="ok")
        await said(client, "set_plan", text="# Plan\n\n1. look\n", title="The way")
        first = (await said(client, "add_task", title="look", id="T1"))["task"]["id"]
        second = (await said(client, "add_task", title="mend"))["task"]["id"]
        await said(client, "start_task", task=first)
        await said(client, "complete_task", task=first, outcome="found it")
        await said(client, "fail_task", task=second, outcome="too late")
        assert (await said(client, "move_phase", phase="investigating"))["phase"] == "investigating"
        tasks = await said(client, "tasks")
        assert {t["id"]: t["status"] for t in tasks["tasks"]} == {"T1": "done", second: "failed"}
        assert tasks["stats"]["success_rate"] == 50.0
        assert (await said(client, "plan"))["text"].startswith("# Plan\n")
        state = (await said(client, "show_session"))["session"]
        assert (state["goal"], sorted(state["tags"]), state["phase"]) == ("second", ["io", "slow"], "investigating")
        assert (await said(client, "show_session"))["tools"] == {"git_tool": 1}
        kinds = [e["kind"] for e in (await said(client, "history", order="oldest", limit=50))["events"]]
        assert kinds[0] == "start" and {"set", "tag", "interaction", "metric", "tool", "plan", "task"} <= set(kinds)
        assert not (await said(client, "should_resume"))["resume"] or kinds

    talk(repo.path, what, write=True)
    assert store.get(own).goal == "second"


def test_without_write_nothing_can_be_recorded(repo: Repo, store: Store) -> None:
    own = store.start(goal="look only").id

    async def what(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert {t.name for t in listed} == {t.name for t in tools.READ}
        assert all(t.annotations is not None and t.annotations.read_only_hint for t in listed)
        said_no = await refused(client, "add_note", text="x")
        assert said_no == "error: add_note writes, and this server only reads; start it with --write"

    before = len(store.history(own))
    talk(repo.path, what)
    assert len(store.history(own)) == before


def test_where_recording_is_switched_off_the_tools_that_record_say_so(repo: Repo, store: Store) -> None:
    own = store.start(goal="look only").id
    before = len(store.history(own))
    repo.git("config", "agentSession.enabled", "false")

    async def what(client: Client) -> None:
        said_no = await refused(client, "add_note", text="x")
        assert said_no == "error: add_note records nothing here; agentSession.enabled is false in this repository"
        assert (await said(client, "current_session"))["session"]["id"] == own

    talk(repo.path, what, write=True)
    assert len(store.history(own)) == before


def test_every_tool_says_what_it_takes_gives_and_changes(repo: Repo) -> None:
    async def what(client: Client) -> Any:
        return (await client.list_tools()).tools

    listed = {t.name: t for t in talk(repo.path, what, write=True)}
    assert listed.keys() == tools.TOOLS.keys()
    for name, tool in listed.items():
        known = tools.TOOLS[name]
        assert tool.input_schema["additionalProperties"] is False and tool.output_schema["type"] == "object"
        hints = tool.annotations
        assert hints is not None and (hints.read_only_hint, hints.destructive_hint) == (not known.writes, False)
        assert all("description" in p for p in tool.input_schema["properties"].values())


def test_resources_are_the_sessions_and_what_hangs_below_them(repo: Repo, store: Store, earlier: str) -> None:
    store.start(goal="now")

    async def what(client: Client) -> None:
        found = (await client.list_resources()).resources
        assert next(str(r.uri) for r in found) == "session://current"
        assert f"session://{earlier}" in [str(r.uri) for r in found]
        names = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
        assert {"session://{id}", "session://{id}/history{?offset}", "session://{id}/decisions{?offset}"} <= names
        for below in ("", "/history", "/decisions", "/tasks", "/plan", "/commits", "/brief"):
            (one,) = (await client.read_resource(f"session://{earlier[:8]}{below}")).contents
            assert "note" in json.loads(getattr(one, "text", ""))
        (rest,) = (await client.read_resource(f"session://{earlier}/history?offset=1")).contents
        (whole,) = (await client.read_resource(f"session://{earlier}/history")).contents
        events = [json.loads(getattr(c, "text", ""))["events"] for c in (rest, whole)]
        assert events[0] == events[1][1:]
        for bad in ("session://..", "file:///etc/passwd", f"session://{earlier}/nothing", "session://" + "f" * 36):
            with pytest.raises(MCPError, match="error: "):
                await client.read_resource(bad)

    talk(repo.path, what)


def test_prompts_hold_the_session_as_data(repo: Repo, store: Store, earlier: str) -> None:
    async def what(client: Client) -> None:
        names = [p.name for p in (await client.list_prompts()).prompts]
        assert names == ["continue-session", "summarize-session", "handover", "catch-up"]
        for name in names:
            given = {"session": earlier} if name != "catch-up" else {}
            (message,) = (await client.get_prompt(name, given)).messages
            text = getattr(message.content, "text", "")
            assert message.role == "user"
            assert name == "catch-up" or text.index("begin of recorded data") < text.index("Parse with tomllib")
        with pytest.raises(MCPError, match="no session"):
            await client.get_prompt("handover", {"session": "ffffffff"})
        with pytest.raises(MCPError, match="there is no prompt"):
            await client.get_prompt("other")

    talk(repo.path, what)


def test_outside_a_repository_the_server_stands_and_every_tool_says_why_it_cannot(tmp_path: Path) -> None:
    async def what(client: Client) -> None:
        assert (await client.list_tools()).tools
        assert (await client.list_resources()).resources == []
        assert "not a git repository" in await refused(client, "list_sessions")
        Repo.init(tmp_path)
        assert (await said(client, "list_sessions"))["total"] == 0

    talk(tmp_path, what)


def test_the_variable_names_the_own_session(repo: Repo, store: Store, earlier: str) -> None:
    store.start(goal="the active one")

    async def what(client: Client) -> Any:
        return await said(client, "current_session")

    found = talk(repo.path, what, env={"GIT_AGENT_SESSION": earlier[:8]})
    assert found["session"]["id"] == earlier


def test_secrets_are_gone_before_anything_is_written(repo: Repo, store: Store) -> None:
    own = store.start(goal="x").id

    async def what(client: Client) -> None:
        await said(client, "add_note", text=f"the token is {SECRET}")

    talk(repo.path, what, write=True)
    assert SECRET not in json.dumps([e.to_dict() for e in store.history(own)])
    held = subprocess.run(["grep", "-rl", SECRET, ".git"], cwd=repo.path, capture_output=True, text=True, check=False)
    assert held.stdout == ""


# -- by hand


class Wire:
    """The process and its three streams."""

    def __init__(self, repo: Repo, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "git_agent_session", "mcp", *args],
            cwd=repo.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.number = 0

    def send(self, method: str, params: object = None, *, answer: bool = True) -> Any:
        """Send a request and return its answer, or a notification."""
        self.number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        self.raw(json.dumps(message | ({"id": self.number} if answer else {})).encode())
        return self.receive(self.number) if answer else None

    def raw(self, line: bytes) -> None:
        stdin: IO[bytes] | None = self.process.stdin
        assert stdin is not None
        stdin.write(line + b"\n")
        stdin.flush()

    def receive(self, number: int) -> Any:
        """The answer with this id; every line before it must be a message too."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == number:
                return message
        raise AssertionError("the server has gone")

    def initialize(self) -> Any:
        client = {"name": "hand", "version": "1"}
        found = self.send("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        self.send("notifications/initialized", answer=False)
        return found["result"]

    def call(self, name: str, **arguments: Any) -> Any:
        return self.send("tools/call", {"name": name, "arguments": arguments})


@pytest.fixture
def wire(repo: Repo, store: Store) -> Iterator[Wire]:
    found = Wire(repo, "--write")
    yield found
    found.process.kill()
    found.process.wait()
    for stream in (found.process.stdin, found.process.stdout, found.process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def test_stdout_carries_the_protocol_alone_and_the_process_ends_with_its_input(wire: Wire, store: Store) -> None:
    store.start(goal="x")
    assert wire.initialize()["serverInfo"]["name"] == "git-agent-session"
    assert wire.call("add_note", text="one")["result"]["isError"] is False
    out, err = wire.process.communicate(timeout=60)
    assert (out, wire.process.returncode) == (b"", 0), err


def test_what_is_no_message_does_not_end_the_server(wire: Wire, store: Store) -> None:
    wire.initialize()
    for line in (b"not json", b"[]", b'{"jsonrpc":"2.0"}', b"\xff\xfe", b"{" * 5000):
        wire.raw(line)
    assert "result" in wire.send("ping")
    assert wire.call("no_such_tool")["error"]["code"] == -32602


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM there")
def test_a_signal_ends_it_and_what_was_acknowledged_is_there(wire: Wire, store: Store) -> None:
    own = store.start(goal="x").id
    wire.initialize()
    for n in range(20):
        assert wire.call("add_note", text=f"note {n}")["result"]["isError"] is False
    wire.process.send_signal(signal.SIGTERM)
    assert wire.process.wait(60) == 128 + signal.SIGTERM
    assert [e.data["text"] for e in store.history(own, kinds=("note",))] == [f"note {n}" for n in range(20)]


@pytest.mark.skipif(os.name == "nt", reason="no such pipe there")
def test_a_client_that_reads_no_more_ends_it(wire: Wire, store: Store) -> None:
    wire.initialize()
    assert wire.process.stdout is not None
    wire.process.stdout.close()
    for _ in range(3):
        if wire.process.poll() is None:
            try:
                wire.raw(json.dumps({"jsonrpc": "2.0", "id": 99, "method": "tools/list"}).encode())
            except BrokenPipeError:
                break
            time.sleep(0.2)
    assert wire.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        wire.process.stdin.close()
    assert wire.process.wait(60) == 0


# -- the command


def test_a_folder_that_is_none_is_refused(cli: Cli) -> None:
    assert "is no folder" in cli.fails("mcp", "--repo", "nowhere", code=2)


def test_without_the_sdk_one_line_says_how_to_install_it(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text("import sys\nsys.modules['mcp_types'] = None\n")
    done = repo.cli("mcp", env={"PYTHONPATH": f"{tmp_path / 'hide'}{os.pathsep}{ROOT}"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the package mcp (2.3 or later) is not installed; `./install.sh --with mcp` ")
    assert done.stderr.count("\n") == 1
