"""A real Claude Code reads an earlier session through the MCP server, and adds a decision to its own."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("mcp", reason="the extra [mcp] is not installed")

from git_agent_session.mcp.quoting import NOTE
from tests.real.agents import AGENTS
from tests.real.conftest import World
from tests.real.model import call, say

pytestmark = pytest.mark.real_agents


def test_claude_code_reads_an_earlier_session_and_adds_a_decision_to_its_own(world: World) -> None:
    earlier = world.store().start(goal="Choose a parser", agent="codex").id
    world.store().append(earlier, "decision", {"text": "Parse with tomllib", "reason": "no dependency"})
    world.store().end(earlier)
    world.repo.cli("enable", "claude-code", "--mcp", "--write", check=True)
    agent = AGENTS["claude-code"]
    steps = [
        # without a terminal Claude Code does not wait for its servers
        agent.bash("sleep 15"),
        call("mcp__git-agent-session__search", query="tomllib"),
        call("mcp__git-agent-session__decisions", session=earlier[:8]),
        call("mcp__git-agent-session__add_decision", text="Keep tomllib", reason="decided before"),
        say("It stays."),
    ]
    # a project's servers wait for a person's yes, which nobody can give without a terminal
    trusted = ("--mcp-config", str(world.top / ".mcp.json"), "--allowedTools", "mcp__git-agent-session")
    world.run(agent, "one", "Which parser do we use, and does it stay?", steps, again=trusted)
    (own,) = world.until(lambda found: len(found) == 2 and found[1].counts.get("decisions", 0) == 1)[1:]
    assert own.id != earlier and own.agent.type == "claude-code"
    store = world.store()
    (decision,) = store.history(own.id, kinds=("decision",))
    assert decision.data == {"text": "Keep tomllib", "reason": "decided before"}
    used = [e.data["name"] for e in store.history(own.id, kinds=("tool",))]
    assert used[1:] == [f"mcp__git-agent-session__{name}" for name in ("search", "decisions", "add_decision")]
    # what the model was given: the decision itself, as data
    asked = json.dumps(world.model.requests[-1], ensure_ascii=False)
    assert "Parse with tomllib" in asked and NOTE in asked
