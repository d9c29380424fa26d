"""Row 20: errors counted and the last kept, when and with what it ended, how long it took; lists; old ones tidied."""

from __future__ import annotations

import git_agent_session
from git_agent_session import work
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_20_by_command(repo: Repo) -> None:
    repo.commit("one")
    cli = Cli(repo)
    session = cli.start("--workflow", "investigate", "--agent-type", "terraform-architect")
    other = cli.start("--agent-type", "gitops-operator")
    cli("error", "no credentials", "--session", session)
    cli("error", "timeout", "--session", session)
    cli("end", "--session", session, "--status", "failed", "--message", "gave up")
    found = cli("status", session, "--verbose", "--json").json
    assert (found["counts"]["errors"], found["last_error"]) == (2, "timeout")
    assert (found["status"], found["message"]) == ("failed", "gave up")
    assert found["ended_at"] and found["duration_ms"] >= 0
    assert [s["id"] for s in cli("list", "--status", "active", "--json").json] == [other]
    assert [s["id"] for s in cli("list", "--agent-type", "terraform-architect", "--json").json] == [session]
    # nothing here is older than a day
    assert cli("cleanup", "--hours", "24", "--json").json == []


def test_row_20_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = work.start(store, "investigate").id
    for text in ("first", "second"):
        work.failures.record(store, session, text)
    ended = work.finish(store, session, status="failed", message="the summary")
    assert (ended.counts["errors"], ended.last_error, ended.message) == (2, "second", "the summary")
    assert (ended.phase, ended.status) == ("failed", "failed")
    assert store.summary(session).duration_ms >= 0
