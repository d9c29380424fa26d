"""docs/json.md says what `push`, `fetch`, `sync`, `relink` and `which` print: no key more, none less."""

from __future__ import annotations

from typing import Any

from git_agent_session.hooks import installer
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo
from tests.sync.team import SESSIONS, Clone, Team

JSON = (ROOT / "docs/json.md").read_text()


def keys(title: str) -> set[str]:
    section = JSON.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert found, f"docs/json.md has no table {title!r}"
    return found


def test_reports_of_sharing(team: Team, ada: Clone, bob: Clone) -> None:
    session = ada.store.start(goal="x", agent="codex").id
    ada.store.link(session, ["HEAD"])
    team.raw(f"{SESSIONS}what", team.batch("x", "x"))
    team.raw(f"{SESSIONS}aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", team.batch("x", "x"))
    told: list[Any] = [Cli(clone)(name, "--json").json for clone in (ada, bob) for name in ("push", "sync", "fetch")]
    told.append(Cli(bob)("sync", "--dry-run", "--json").json)
    for report in told:
        assert set(report) == keys("Report of sharing")
    results = [result for report in told for result in report["results"]]
    assert set().union(*results) == keys("Result of sharing")
    statuses = {result["status"] for result in results}
    assert statuses >= {"new", "up-to-date", "broken", "ignored"}
    row = next(line for line in JSON.splitlines() if line.startswith("| `status` | `new`"))
    assert all(f"`{status}`" in row for status in statuses)


def test_what_relink_found_and_which_says_of_a_revert(repo: Repo) -> None:
    cli = Cli(repo)
    installer.install(str(repo.path))
    repo.commit("base", files={"f": "0\n"})
    session = cli.start("--goal", "x")
    old = repo.commit("work", files={"f": "1\n"})
    cli("end", session)
    repo.git("revert", "--no-edit", "HEAD")
    (revert,) = cli("which", "--json").json
    assert set(revert) == keys("Revert")
    assert revert["reverts"] == old
    assert set(cli("relink", "--json").json) == keys("What relink found")
