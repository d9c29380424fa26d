"""Row 28: agents inside a session: type, model, alias, the agent's own session id, status, checkpoint."""

from __future__ import annotations

import git_agent_session
from git_agent_session import work
from tests.e2e.cli import Cli
from tests.harness import Repo

MODEL = "claude-sonnet-4-5-20250929"


def test_row_28_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(store, "spec-build", title="Implement Authentication", type="full").id
    agent = work.subagents.start(store, session, "spec", model=MODEL, alias="sonnet", status="pending")
    work.subagents.update(store, session, agent.id, native_id="sess_abc123", status="executing")
    found = work.subagents.get(store, session, "sonnet")
    assert (found.type, found.model, found.native_id, found.status) == ("spec", MODEL, "sess_abc123", "executing")
    work.subagents.stop(store, session, agent.id, checkpoint="3")
    found = work.subagents.get(store, session, agent.id)
    assert (found.status, found.checkpoint) == ("complete", "3")
    assert found.started_at <= found.ended_at


def test_row_28_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    cli.start("--workflow", "spec-build", "--type", "full")
    agent = cli("agent", "start", "spec", "--model", MODEL, "--alias", "sonnet", "--pending").out.strip()
    cli("agent", "update", agent, "--native-id", "sess_abc123", "--status", "executing")
    build = cli("agent", "start", "build").out.strip()
    cli("agent", "stop", build, "--failed", "--checkpoint", "2")
    rows = {r["id"]: r for r in cli("agent", "list", "--json").json}
    assert [rows[agent][k] for k in ("model", "alias", "native_id", "status")] == [
        *(MODEL, "sonnet", "sess_abc123", "executing")
    ]
    assert [rows[build][k] for k in ("type", "status", "checkpoint")] == ["build", "failed", "2"]
