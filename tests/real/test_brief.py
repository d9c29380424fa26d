"""Agents that take context get the brief at their start: it is in the first thing that they ask their model."""

from __future__ import annotations

import json

import pytest

from git_agent_session import work
from tests.real.agents import AGENTS
from tests.real.conftest import World
from tests.real.model import say

pytestmark = pytest.mark.real_agents


@pytest.mark.parametrize("name", ["claude-code", "codex", "gemini"])
def test_an_agent_is_told_what_the_last_session_left_open(world: World, name: str) -> None:
    earlier = world.store().start(goal="Raise the limit", agent="opencode").id
    work.tasks.add(world.store(), earlier, "ask the owner of the cluster")
    world.store().end(earlier, status="failed", message="no permission")
    world.enable(name)
    world.repo.git("config", "agentSession.brief", "true")
    # three programs start one after the other here, on machines that are slow
    world.repo.git("config", "agentSession.briefMs", "10000")
    world.run(AGENTS[name], "one", "What is open?", [say("A task is.")])
    asked = json.dumps([r for r in world.model.requests if r.get("tools")], ensure_ascii=False)
    assert "ask the owner of the cluster" in asked
    assert "no permission" in asked and "begin of recorded data" in asked
    assert world.log() == ""
