"""Row 19: the pre-delegate hook takes JSON and gives a decision, --test too; subagent-stop ends by the exit code."""

from __future__ import annotations

import json
from typing import Any

import git_agent_session
from git_agent_session import work
from tests.harness import Repo


def hook(repo: Repo, *args: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
    done = repo.cli("hook", *args, input=json.dumps(given) if given is not None else "", check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_row_19_by_command(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    agent = work.start(store, "investigate", agent="terraform-architect").id
    work.move_phase(store, agent, "approval")
    request = {
        "agent_name": "terraform-architect",
        "task_id": "T001",
        "agent_id": agent,
        "task_description": "apply the plan",
        "metadata": {},
    }
    answer = hook(repo, "pre-delegate", given=request)
    assert answer == {
        "should_resume": True,
        "reason": "session_resumable",
        "agent_id": agent,
        "resume_metadata": {
            "previous_phase": "approval",
            "created_at": store.get(agent).started_at,
            "history": [
                {
                    "from_phase": "initializing",
                    "to_phase": "approval",
                    "timestamp": work.phase_history(store, agent)[-1].at,
                }
            ],
            "session_metadata": {},
        },
        "original_context": request,
    }
    assert hook(repo, "pre-delegate", "--test")["should_resume"] is True
    stopped = hook(
        repo, "subagent-stop", given={"task_info": {"agent_id": agent}, "workflow_metrics": {"exit_code": 1}}
    )
    assert (stopped["finalized"], stopped["outcome"]) == (True, "failed")
    assert store.get(agent).status == "failed"
    assert hook(repo, "pre-delegate", given=request)["should_resume"] is False
    assert hook(repo, "subagent-stop", given={"task_info": {}})["finalized"] is False
