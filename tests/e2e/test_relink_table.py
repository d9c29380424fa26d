"""What becomes of links when history is rewritten: the table in docs/rewrites.md, made by doing each of it.

`AGENT_SESSION_WRITE_DOCS=1 pytest -n 0 tests/e2e/test_relink_table.py` writes the table anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.hooks import installer
from git_agent_session.store import links
from tests.e2e.cli import Cli
from tests.e2e.rewriting import OPERATIONS, Case, prepare
from tests.harness import ROOT, Repo

# forty operations, each four times: minutes
pytestmark = pytest.mark.sync

DOC = ROOT / "docs/rewrites.md"
HEAD = "| what is done | trailer | no trailer | trailer, no `notes.rewriteRef` | neither |\n|---|---|---|---|---|\n"
WRITE = os.environ.get("AGENT_SESSION_WRITE_DOCS")


def rows() -> list[str]:
    table = DOC.read_text().partition(HEAD)[2].partition("\n\n")[0]
    return table.splitlines()


@pytest.mark.parametrize("name", OPERATIONS)
def test_links_survive(name: str, tmp_path: Path) -> None:
    cells = []
    for number, (ref, trailer) in enumerate([(True, True), (True, False), (False, True), (False, False)]):
        cells.append("kept" if kept(name, tmp_path / str(number), trailer=trailer, ref=ref) else "lost")
    row = f"| {name} | {' | '.join(cells)} |"
    if WRITE:
        write(name, row)
    assert row in rows()


def test_the_table_has_all_that_is_tried() -> None:
    assert [row.split(" | ")[0].lstrip("| ") for row in rows()] == list(OPERATIONS)


def kept(name: str, folder: Path, *, trailer: bool, ref: bool) -> bool:
    """Do it in a repository of its own; true when every commit that should be the session's is."""
    case = made(folder, trailer=trailer, ref=ref)
    expected = OPERATIONS[name](case)
    wanted = {case.repo.git("rev-parse", r) for r in expected}
    # any command that reads sessions works in what hooks and the reflog have
    store = git_agent_session.open(str(case.repo.path))
    found = {c for c in wanted if [w.session.id for w in store.which(c)] == [case.session]}
    shown = {c for c in wanted if noted(case.repo, c) == [case.session]}
    everything = set(case.repo.git("rev-list", "--branches", "--remotes", "HEAD").split())
    assert not [case.repo.git("log", "-1", "--format=%s", c) for c in everything - wanted if noted(case.repo, c)]
    assert Cli(case.repo)("relink", "--json").json["linked"] == []
    before = case.repo.git("for-each-ref", "refs/agent-sessions", "refs/notes")
    git_agent_session.open(str(case.repo.path)).commits(case.session)
    assert case.repo.git("for-each-ref", "refs/agent-sessions", "refs/notes") == before
    return found == shown == wanted


def made(folder: Path, *, trailer: bool, ref: bool) -> Case:
    repo = Repo.init(folder / "repo")
    repo.git("config", "agentSession.trailer", "true" if trailer else "false")
    installer.install(str(repo.path))
    if not ref:
        repo.git("config", "--unset-all", "notes.rewriteRef")
    store = git_agent_session.open(str(repo.path))
    case = Case(repo, store, store.start(goal="the topic", agent="codex").id, folder, trailer)
    prepare(case)
    return case


def noted(repo: Repo, commit: str) -> list[str]:
    text = repo.git("log", "-1", "--format=%N", "--notes=agent-sessions", commit, "--")
    return [n.session_id for n in links.parse(text)]


def write(name: str, row: str) -> None:
    """Put a row into the table, in the order of the operations."""
    text = DOC.read_text()
    before, head, rest = text.partition(HEAD)
    table, end, after = rest.partition("\n\n")
    known = {r.split(" | ")[0].lstrip("| "): r for r in table.splitlines() if r.startswith("|")}
    known[name] = row
    DOC.write_text(before + head + "\n".join(known[n] for n in OPERATIONS if n in known) + end + after)
