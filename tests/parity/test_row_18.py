"""Row 18: resume or not by five criteria, with the reason; and the two worked examples, approval and investigation."""

from __future__ import annotations

from datetime import datetime, timedelta

import git_agent_session
from git_agent_session import work
from git_agent_session.hooks import delegate
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_18_approval_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    meta = {"task_id": "T001", "workspace": "prod"}
    agent = work.start(store, "investigate", agent="terraform-architect", goal="approval_workflow", meta=meta).id
    work.move_phase(store, agent, "planning", meta={"plan_file": "plan.json"})
    work.move_phase(store, agent, "approval")
    # the user approves after ten minutes
    later = datetime.fromisoformat(store.get(agent).updated_at) + timedelta(minutes=10)
    assert work.should_resume(store, agent, now=later).resume
    result = delegate.pre_delegate(store, {"agent_name": "terraform-architect", "agent_id": agent})
    assert result["should_resume"] is True
    assert result["resume_metadata"]["session_metadata"]["plan_file"] == "plan.json"
    work.move_phase(store, agent, "executing")
    ended = work.finish(store, agent, message="Terraform applied successfully")
    assert (ended.status, ended.phase, ended.message) == ("completed", "completed", "Terraform applied successfully")
    assert work.should_resume(store, agent).resume is False


def test_row_18_investigation_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    meta = {"issue": "pod-crash-loop"}
    agent = work.start(store, "investigate", agent="gitops-operator", goal="investigation", meta=meta).id
    work.move_phase(store, agent, "investigating", meta={"findings": ["OOMKilled", "resource limits"]})
    # a question five minutes later
    later = datetime.fromisoformat(store.get(agent).updated_at) + timedelta(minutes=5)
    assert work.should_resume(store, agent, now=later).resume
    before = store.get(agent).meta["findings"]
    store.set(agent, meta={"findings": [*before, "config issue in deployment"]})
    work.move_phase(store, agent, "planning", meta={"solution": "increase memory limits"})
    work.move_phase(store, agent, "executing")
    ended = work.finish(store, agent, message="Fixed pod crash loop")
    assert ended.meta["findings"] == ["OOMKilled", "resource limits", "config issue in deployment"]
    assert (ended.meta["issue"], ended.meta["solution"]) == ("pod-crash-loop", "increase memory limits")


def test_row_18_approval_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    session = cli.start("--workflow", "investigate", "--agent-type", "terraform-architect", "--meta", "workspace=prod")
    assert cli("should-resume", session, "--json", code=1).json["failed"] == "ready"
    cli("phase", "planning", "--meta", "plan_file=plan.json")
    cli("phase", "approval")
    found = cli("should-resume", session, "--json").json
    assert [c["name"] for c in found["criteria"]] == ["exists", "ready", "phase", "activity", "errors"]
    assert all(c["met"] for c in found["criteria"])
    assert cli("status", "--json").json["meta"]["plan_file"] == "plan.json"
    cli("phase", "executing")
    cli("phase", "completed", "--message", "Terraform applied successfully")
    assert cli("should-resume", session, "--json", code=1).json["resume"] is False


def test_row_18_each_criterion_has_its_reason(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(store, "investigate").id
    assert work.should_resume(store, "agent-does-not-exist").reason == "session_not_found"
    assert work.should_resume(store, session).reason == "not_ready"
    work.mark_ready(store, session)
    assert work.should_resume(store, session).reason == "phase_not_resumable"
    work.move_phase(store, session, "approval")
    later = datetime.fromisoformat(store.get(session).updated_at) + timedelta(minutes=31)
    assert work.should_resume(store, session, now=later).reason == "too_old"
    for _ in range(3):
        work.failures.record(store, session, "again")
    assert work.should_resume(store, session).reason == "too_many_errors"
