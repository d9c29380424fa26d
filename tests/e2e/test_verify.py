"""`verify`: the commits that agents made and that have no session, for people and for CI systems."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import git_agent_session
from git_agent_session.git.repository import SESSIONS
from git_agent_session.store import archive
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo

MARK = "Co-Authored-By: Claude <noreply@anthropic.com>"
NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("root", files={"f": "1\n"})
    repo.git("checkout", "-q", "-b", "work")
    return Cli(repo)


def marked(repo: Repo, subject: str = "Add a limit", **files: str) -> str:
    return repo.commit(f"{subject}\n\n{MARK}", files=files or None)


def test_a_commit_of_an_agent_without_a_session_fails_what_requires_one(repo: Repo, cli: Cli) -> None:
    commit = marked(repo)
    done = cli("verify", "main..HEAD", "--require", code=1)
    assert done.out.splitlines() == [
        f"commit {commit[:10]} (Add a limit) was made by claude-code and belongs to no session",
        "1 commit in main..HEAD, 1 by agents, 1 without a session",
    ]


def test_without_require_it_only_reports(repo: Repo, cli: Cli) -> None:
    marked(repo)
    assert "1 without a session" in cli("verify", "main..HEAD").out


def test_a_linked_commit_has_its_session_archived_or_not(repo: Repo, cli: Cli) -> None:
    session_id = cli.start()
    commit = marked(repo)
    cli("link", commit)
    assert cli("verify", "main..HEAD", "--require", "--json").json["ok"]
    cli("end")
    archive.run(git_agent_session.open(str(repo.path)), older_than=0)
    assert SESSIONS + session_id not in repo.git("for-each-ref")
    assert cli("verify", "main..HEAD", "--require", "--json").json["ok"]


def test_a_trailer_that_names_a_session_which_is_here_counts(repo: Repo, cli: Cli) -> None:
    session_id = cli.start()
    repo.commit(f"Add\n\n{MARK}\nAgent-Session: {session_id}")
    assert cli("verify", "main..HEAD", "--require").out == (
        "1 commit in main..HEAD, 1 by agents: all of those have their session\n"
    )


def test_a_trailer_or_a_note_that_names_another_does_not(repo: Repo, cli: Cli) -> None:
    repo.commit(f"Add\n\nAgent-Session: {NOBODY}")
    second = marked(repo, "Second")
    line = f'sessions.{NOBODY} = {{ agent = "codex", primary = true }}'
    repo.git("notes", "--ref=agent-sessions", "add", "-m", line, second)
    found = cli("verify", "main..HEAD", "--require", "--json", code=1).json
    assert [c["problem"] for c in found["missing"]] == [
        f"names session {NOBODY[:8]}, which is not here: was it pushed?"
    ] * 2


def test_a_trailer_in_prose_is_none(repo: Repo, cli: Cli) -> None:
    repo.commit(f"Explain\n\nAgent-Session: {NOBODY}\nis how it looks.\n\nThat is all.")
    assert cli("verify", "main..HEAD", "--json").json["marked"] == 0


def test_commits_of_people_are_no_matter(repo: Repo, cli: Cli) -> None:
    repo.commit("Mine alone")
    found = cli("verify", "main..HEAD", "--require", "--json").json
    assert found == {"ok": True, "range": "main..HEAD", "commits": 1, "marked": 0, "missing": []}


def test_by_default_it_looks_at_what_is_not_upstream(repo: Repo, cli: Cli) -> None:
    base = marked(repo, "Before")
    repo.git("branch", "-q", "up")
    repo.git("branch", "-q", "--set-upstream-to=up")
    commit = marked(repo, "After")
    found = cli("verify", "--json").json
    assert found["range"] == f"{base}..HEAD" and [c["commit"] for c in found["missing"]] == [commit]
    repo.git("branch", "-q", "--unset-upstream")
    assert [c["subject"] for c in cli("verify", "--json").json["missing"]] == ["Before", "After"]


def test_a_range_that_git_does_not_know_is_said(repo: Repo, cli: Cli) -> None:
    assert "git does not know the range 'nowhere..HEAD'" in cli.fails("verify", "nowhere..HEAD")
    assert "is no range" in cli.fails("verify", "--", "--all", code=2)


def test_a_shallow_clone_is_named_as_the_reason(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    marked(repo)
    shallow = Repo(tmp_path / "shallow")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(shallow.path))
    assert "history here is shallow" in Cli(shallow).fails("verify", "origin/main..HEAD")


# -- for CI

NASTY = 'Add 50%, "a<b>" & \x1b[31mred\x1b[0m, see x::y'


def test_github_gets_workflow_commands_that_no_subject_can_break(repo: Repo, cli: Cli) -> None:
    commit = marked(repo, NASTY)
    (line,) = cli("verify", "main..HEAD", "--format", "github", "--require", code=1).out.splitlines()
    shown = 'Add 50%25, "a<b>" & red, see x::y'
    assert line == (
        f"::error title=Commit without a session::commit {commit[:10]} ({shown})"
        " was made by claude-code and belongs to no session"
    )
    assert cli("verify", "main..HEAD", "--format", "github").out.startswith("::warning title=")


def test_github_gets_nothing_where_nothing_is_wrong(repo: Repo, cli: Cli) -> None:
    assert cli("verify", "main..HEAD", "--format", "github").out == ""


def test_gitlab_gets_a_code_quality_report(repo: Repo, cli: Cli) -> None:
    commit = marked(repo, NASTY, src="x\n")
    (issue,) = json.loads(cli("verify", "main..HEAD", "--format", "gitlab", "--require", code=1).out)
    assert issue["location"] == {"path": "src", "lines": {"begin": 1}}
    assert issue["fingerprint"] == commit and issue["severity"] == "major"
    assert issue["check_name"] and "\x1b" not in issue["description"]
    assert json.loads(cli("verify", "main..main", "--format", "gitlab").out) == []


def test_junit_gets_a_case_for_each_commit_of_an_agent(repo: Repo, cli: Cli) -> None:
    cli.start()
    cli("link", marked(repo, "Good"))
    marked(repo, NASTY)
    suite = ElementTree.fromstring(cli("verify", "main..HEAD", "--format", "junit").out)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite] == [False, True]
    assert "50%" in (suite[1].get("name") or "") and "\x1b" not in (suite[1].get("name") or "")


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_workflow_files_run_commands_that_exist(name: str, repo: Repo, cli: Cli) -> None:
    text = (ROOT / "docs/ci" / name).read_text()
    used = {
        line.split("git agent-session ")[1].split()[0] for line in text.splitlines() if "git agent-session " in line
    }
    assert {"fetch", "verify"} <= used
    for command in used:
        cli(command, "--help")
