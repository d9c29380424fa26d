"""Row 21: how many sessions are resumed and with what success, median and 95th percentile of durations, the share with
errors, and what they take on disk."""

from __future__ import annotations

import git_agent_session
from git_agent_session.answers import alive, stats
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_21_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    for resumed, status in ((True, "completed"), (True, "failed"), (False, "completed"), (False, "completed")):
        session = cli.start("--agent-type", "terraform-architect")
        if resumed:
            cli("pause", "--session", session)
            cli("resume", session)
            cli("error", "timeout", "--session", session)
        cli("end", "--session", session, "--status", status)
    total = cli("stats", "--storage", "--json").json
    row = total["total"]
    assert (row["resume_rate"], row["resume_success_rate"], row["error_rate"]) == (0.5, 0.5, 0.5)
    assert row["success_rate"] == 0.75
    assert 0 <= row["median_duration_ms"] <= row["p95_duration_ms"]
    assert total["storage"]["objects"] > 0
    (week,) = cli("stats", "--by", "week", "--json").json["groups"]
    assert week["sessions"] == 4 and week["events"] >= 8
    assert "50 % resumed" in cli("stats", "--by", "agent").out


def test_row_21_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = store.start(agent="gitops-operator").id
    store.end(session)
    before = alive.storage(store)["objects"]
    found = stats.stats(store, by="agent")
    assert found.groups["gitops-operator"].success_rate == 1.0
    assert found.total.percentile(0.95) is not None
    store.start()
    store.drain_all()
    assert alive.storage(store)["objects"] > before
