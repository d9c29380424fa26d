"""Row 27: a session that is a workflow: slug, title, type full, quick or research, the phases, the total cost."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import SessionState
from tests.e2e.cli import Cli
from tests.harness import Repo

PHASES = ("created", "spec", "plan", "build", "docs", "complete")


def test_row_27_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(
        store,
        "spec-build",
        title="Implement Authentication",
        type="full",
        meta={"slug": "2026-01-15_auth-feature"},
    )
    assert (session.title, session.type, session.phase) == ("Implement Authentication", "full", "created")
    with pytest.raises(SessionState, match="may not follow"):
        work.move_phase(store, session.id, "docs")
    for phase in PHASES[1:-1]:
        work.move_phase(store, session.id, phase)
        agent = work.subagents.start(store, session.id, phase)
        work.subagents.stop(store, session.id, agent.id, cost_usd=0.25)
    done = work.move_phase(store, session.id, "complete")
    assert (done.status, done.phase) == ("completed", "complete")
    assert done.usage["cost_usd"] == 1.0
    assert [m.after for m in work.phase_history(store, session.id)] == list(PHASES)


@pytest.mark.parametrize(
    ("kind", "phases"),
    [
        ("full", ("spec", "plan", "build", "docs")),
        ("quick", ("spec", "build")),
        ("research", ("spec", "docs")),
    ],
)
def test_row_27_by_command(repo: Repo, kind: str, phases: tuple[str, ...]) -> None:
    repo.commit("one")
    cli = Cli(repo)
    session = cli.start("--workflow", "spec-build", "--type", kind, "--meta", "slug=2026-01-15_auth-feature")
    for phase in (*phases, "complete"):
        cli("phase", phase)
    found = cli("status", session, "--json").json
    assert (found["type"], found["phase"], found["status"]) == (kind, "complete", "completed")
    assert found["meta"]["slug"] == "2026-01-15_auth-feature"
