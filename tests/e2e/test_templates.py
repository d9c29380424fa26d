"""`start --template`: a session that begins as a file says, whoever wrote the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.errors import UsageError
from git_agent_session.store.store import Store
from git_agent_session.work import templates
from tests.e2e.cli import Cli
from tests.harness import Repo

REVIEW = """
description = "A review"
goal = "Review the pull request"
type = "quick"
tags = ["review", "team"]
workflow = "investigate"
context = ["docs/review.md", "src/api.py"]
[agent]
type = "claude-code"
model = "m1"
[meta]
team = "core"
"""


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("one", files={"docs/review.md": "Look for races.\n", "src/api.py": "x = 1\n", "README.md": "# Hi\n"})
    return Cli(repo)


@pytest.fixture
def store(cli: Cli) -> Store:
    return git_agent_session.open(str(cli.repo.path))


def put(repo: Repo, text: str, name: str = "review") -> None:
    repo.write({f".agent-session/templates/{name}.toml": text})


def documents(store: Store, session: str) -> dict[str, dict[str, object]]:
    return {d["path"]: d for d in store.contexts(session)[0][1]["documents"]}


def test_a_session_begins_as_its_template_says(cli: Cli, store: Store, repo: Repo) -> None:
    put(repo, REVIEW)
    made = store.get(cli("start", "--template", "review", "--quiet").out.strip())
    assert (made.goal, made.type, made.tags) == ("Review the pull request", "quick", ("review", "team"))
    assert (made.agent.type, made.agent.model, dict(made.meta)) == ("claude-code", "m1", {"team": "core"})
    assert (made.workflow, made.phase) == ("investigate", "initializing")


def test_its_context_files_come_first_in_the_snapshot(cli: Cli, store: Store, repo: Repo) -> None:
    put(repo, REVIEW)
    found = documents(store, cli("start", "--template", "review", "-q").out.strip())
    assert list(found)[:2] == ["docs/review.md", "src/api.py"] and "README.md" in found
    assert found["docs/review.md"]["text"] == "Look for races."


def test_options_win_and_tags_and_metadata_add_up(cli: Cli, store: Store, repo: Repo) -> None:
    put(repo, REVIEW)
    words = ("--goal", "Mine", "--tag", "own", "--meta", "a=b", "--agent-type", "codex", "--type", "full")
    made = store.get(cli("start", "--template", "review", "-q", "--no-context", *words).out.strip())
    assert (made.goal, made.type, made.tags) == ("Mine", "full", ("own", "review", "team"))
    assert dict(made.meta) == {"team": "core", "a": "b"}
    assert (made.agent.type, made.agent.model) == ("codex", "")


def test_what_a_template_gives_is_not_asked_for(cli: Cli, store: Store, repo: Repo) -> None:
    put(repo, REVIEW)
    done = cli("start", "--template", "review", tty=True)
    assert "Goal: " not in done.err and "Agent type" not in done.err


def test_a_template_of_the_users_own_is_not_replaced_by_the_repositorys(
    cli: Cli, store: Store, repo: Repo, home: Path
) -> None:
    folder = home / ".config/git-agent-session/templates"
    folder.mkdir(parents=True)
    (folder / "review.toml").write_text('goal = "As I do it"')
    put(repo, REVIEW)
    assert templates.load(store.repo, "review").goal == "As I do it"
    repo.git("config", "agentSession.templates", "mine")
    repo.write({"mine/review.toml": 'goal = "As configured"'})
    again = git_agent_session.open(str(repo.path))
    assert templates.load(again.repo, "review").source == "config"


def test_templates_are_listed_with_what_they_are_for(cli: Cli, repo: Repo) -> None:
    put(repo, REVIEW)
    put(repo, "goal = 5", "broken")
    done = cli("start", "--list-templates")
    assert done.out.split() == ["review", "repository", "A", "review"]
    assert "broken.toml cannot be used: its goal is no text" in done.err
    rows = cli("start", "--list-templates", "--json").json
    assert rows[0]["name"] == "review" and rows[0]["context"] == ["docs/review.md", "src/api.py"]


def test_none_is_said(cli: Cli, repo: Repo) -> None:
    done = cli("start", "--list-templates")
    assert done.out == "" and "no template is here" in done.err
    assert git_agent_session.open(str(repo.path)).list() == []


def test_a_name_that_is_not_there_or_no_name_is_refused(cli: Cli, store: Store) -> None:
    assert "there is no template 'none'" in cli.fails("start", "--template", "none", code=2)
    assert "no name of a template" in cli.fails("start", "--template", "../../etc/passwd", code=2)
    assert store.list() == []


HOSTILE = {
    'context = ["../secret"]': "no path below the worktree",
    'context = ["/etc/passwd"]': "no path below the worktree",
    'context = ["a/../../b"]': "no path below the worktree",
    'context = [".git/config"]': "no path below the worktree",
    'context = ["C:/x"]': "no path below the worktree",
    'context = ["a\\\\..\\\\b"]': "no path below the worktree",
    "context = [1]": "no list of at most",
    f"context = {['x'] * 40}": "no list of at most",
    "goal = 1": "its goal is no text",
    "goal = " + repr("x" * 5000): "its goal is no text",
    "exec = 'rm -rf /'": "the key 'exec'",
    "[agent]\nnative_id = 'x'": "the key 'native_id'",
    "meta = 1": "its meta is no table",
    "workflow = '../x'": "no name of one",
    "not toml": "cannot be used",
    "# " + "x" * 70_000: "larger than 64 KiB",
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_template_that_cannot_be_is_refused_with_its_file_and_opens_nothing(
    cli: Cli, store: Store, repo: Repo, text: str
) -> None:
    put(repo, text)
    line = cli.fails("start", "--template", "review")
    assert HOSTILE[text] in line and "review.toml" in line
    assert store.list() == []


def test_files_that_git_ignores_or_that_lie_elsewhere_are_named_and_not_read(
    cli: Cli, store: Store, repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/key").write_text("top secret")
    repo.write({".gitignore": ".env\n", ".env": "TOKEN=abc\n", "new.txt": "untracked\n"})
    os.symlink(tmp_path / "outside", repo.path / "linked")
    os.symlink(tmp_path / "outside/key", repo.path / "link")
    repo.git("add", "link")
    put(repo, 'context = [".env", "linked/key", "link", "gone", "new.txt"]')
    found = documents(store, cli("start", "--template", "review", "-q").out.strip())
    notes = {path: found[path]["note"] for path in (".env", "linked/key", "link", "gone", "new.txt")}
    assert notes == {
        ".env": "not there, or ignored by git",
        "linked/key": "not there, or ignored by git",
        "link": "no plain file",
        "gone": "not there, or ignored by git",
        "new.txt": "",
    }
    assert "secret" not in str(found) and "abc" not in str(found)


def test_secrets_in_a_context_file_are_taken_out(cli: Cli, store: Store, repo: Repo) -> None:
    key = "AKIA" + "Q3EGRVKJ7PXN4ZTM"
    repo.write({"docs/review.md": f"aws_access_key_id={key}\n"})
    put(repo, 'context = ["docs/review.md"]')
    assert key not in str(documents(store, cli("start", "--template", "review", "-q").out.strip()))


def test_a_folder_of_templates_that_is_a_link_is_not_followed(
    cli: Cli, store: Store, repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/review.toml").write_text(REVIEW)
    (repo.path / ".agent-session").mkdir()
    os.symlink(tmp_path / "elsewhere", repo.path / ".agent-session/templates")
    with pytest.raises(UsageError, match="no template"):
        templates.load(store.repo, "review")


def test_a_template_that_names_an_unknown_workflow_opens_nothing(cli: Cli, store: Store, repo: Repo) -> None:
    put(repo, 'workflow = "nobody-has-it"')
    assert "nobody-has-it" in cli.fails("start", "--template", "review", code=2)
    assert store.list() == []
