"""Row 29: a log of events: category hook, response or phase, type, tool, input, payload."""

from __future__ import annotations

import git_agent_session
from git_agent_session import work
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_29_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(store, "spec-build").id
    agent = work.subagents.start(store, session, "spec")
    used = {
        "name": "Read",
        "input": {"file_path": "/src/auth.py"},
        "agent_id": agent.id,
        "category": "hook",
        "type": "PreToolUse",
    }
    store.append(session, "tool", used)
    store.append(session, "message", {"role": "assistant", "text": "done", "type": "TextBlock", "category": "response"})
    work.move_phase(store, session, "spec")
    found = store.history(session, kinds=("PreToolUse",))
    assert [e.data for e in found] == [used]
    assert [e.data["text"] for e in store.history(session, kinds=("TextBlock",))] == ["done"]
    assert [e.data["phase"] for e in store.history(session, kinds=("phase",))] == ["spec"]
    assert [e.data["agent_id"] for e in store.history(session, kinds=("agent", "tool"))] == [agent.id, agent.id]


def test_row_29_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    cli.start("--workflow", "spec-build")
    cli("log", "PreToolUse", "Read", "--role", "tool", "--meta", "file_path=/src/auth.py", "--meta", "category=hook")
    cli("phase", "spec")
    rows = cli("history", "--json").json
    assert [(r["kind"], r.get("type")) for r in rows] == [
        ("start", None),
        ("interaction", "PreToolUse"),
        ("phase", None),
    ]
    assert rows[1]["meta"] == {"file_path": "/src/auth.py", "category": "hook"}
    assert [r["text"] for r in cli("history", "--type", "PreToolUse", "--json").json] == ["Read"]
