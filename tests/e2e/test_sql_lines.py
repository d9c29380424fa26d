"""Copies that need no library: JSON lines; and what is said where a library is missing, or the call is wrong."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import index, sql
from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.sql.target import Place, identity
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.test_index import worked
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    return git_agent_session.open(str(repo.path))


def test_json_lines_hold_sessions_events_and_commits(repo: Repo, store: Store, tmp_path: Path) -> None:
    session = worked(store)
    path = tmp_path / "all.jsonl"
    Cli(repo)("export", "--to", f"jsonl:{path}", "--as", "one")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(r["repository"], r["session_id"]) for r in rows} == {("one", session)}
    assert rows[0]["session"] == store.get(session).to_dict()
    ids = [r["event"]["id"] for r in rows if r["type"] == "event"]
    assert ids == [e.id for e in store.history(session)]
    assert [r["commit"]["commit_id"] for r in rows if r["type"] == "commit"] == [store.repo.head()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_json_lines_go_to_standard_output(repo: Repo, store: Store) -> None:
    worked(store)
    done = Cli(repo)("export", "--to", "jsonl:-")
    kinds = [json.loads(line)["type"] for line in done.out.splitlines()]
    assert kinds == ["session", *["event"] * 10, "commit"]


@pytest.mark.parametrize(
    ("to", "module", "said"),
    [
        ("sqlite:x.db", "sqlalchemy", "./install.sh --with sql"),
        ("sqlite:x.db", "alembic", "./install.sh --with sql"),
        ("parquet:x", "pyarrow", "./install.sh --with parquet"),
    ],
)
def test_a_missing_library_is_said_with_how_to_install_it(
    repo: Repo, store: Store, monkeypatch: pytest.MonkeyPatch, to: str, module: str, said: str
) -> None:
    worked(store)
    # what an import finds where there is none
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    done = Cli(repo)("export", "--to", to, code=1)
    assert done.err.count("\n") == 1 and said in done.err
    assert not (repo.path / "x.db").exists() and not (repo.path / "x").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ("--to", "mysql://x:hunter2@y/z"),
        ("--to", "nonsense"),
        ("--to", "sqlite:"),
        ("--to", "postgresql:hunter2"),
        ("--to", "jsonl:x", "--upgrade"),
        ("--to", "jsonl:x", "--format", "json"),
        ("--to", "jsonl:x", "--as", "  "),
        ("--to", "sqlite:x", "--reset", "--upgrade"),
        ("--as", "x"),
        ("--reset",),
        ("--json",),
    ],
    ids=" ".join,
)
def test_a_call_that_is_wrong_is_refused(repo: Repo, store: Store, argv: tuple[str, ...]) -> None:
    worked(store)
    done = Cli(repo)("export", *argv, code=2)
    assert done.err.count("\n") == 1 and "hunter2" not in done.err


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:secret@example.org/team/site.git",
        "ssh://git@example.org/team/site.git",
        "git@example.org:team/site.git",
        "https://example.org/team/site/",
    ],
)
def test_clones_of_one_remote_are_one_repository(repo: Repo, store: Store, url: str) -> None:
    repo.git("remote", "add", "origin", url)
    assert identity(store).name == "example.org/team/site"


def test_a_repository_without_a_remote_keeps_its_name(store: Store) -> None:
    first = identity(store)
    assert first.name.startswith("repo-") and identity(store) == first
    assert identity(store, "site").name == "site"
    with pytest.raises(UsageError):
        identity(store, " ")


def test_a_place_is_shown_without_its_secrets() -> None:
    assert str(Place.parse("postgres://ada:hunter2@db/x?password=hunter2")) == "postgresql://***@db/x?***"
    assert Place.parse("sqlite:///tmp/x.db").where == "/tmp/x.db"


def test_a_copy_needs_an_index(store: Store) -> None:
    worked(store)
    with pytest.raises(AgentSessionError, match="index"):
        sql.copy(index.open(store), "jsonl:-")
