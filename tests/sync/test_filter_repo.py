"""A real run of git filter-repo (git-filter-repo(1)), and links that follow its own commit map."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.hooks import installer
from git_agent_session.store import links
from tests.harness import Repo

pytestmark = pytest.mark.sync

NONE = {"GIT_AGENT_SESSION": "none"}


def filter_repo() -> str:
    found = shutil.which("git-filter-repo") or shutil.which("git-filter-repo", path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip("git-filter-repo is not installed")
    return found


def test_links_follow_git_filter_repo(repo: Repo) -> None:
    program = filter_repo()
    installer.install(str(repo.path))
    repo.commit("base", files={"src/f": "0\n"}, env=NONE)
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="x", agent="codex").id
    for name in ("a", "b"):
        repo.commit(f"{name}: work", files={f"src/{name}": f"{name}\n", f"secret/{name}": "hidden\n"})
    repo.commit("only the secret", files={"secret/c": "hidden\n"})
    store.end(session)
    before = {repo.git("log", "-1", "--format=%s", k.commit): k.commit for k in store.commits(session)}
    refs = ["--refs", "refs/heads/main"]
    done = repo.run(sys.executable, program, "--force", "--path", "secret", "--invert-paths", *refs, env=NONE)
    assert done.returncode == 0, done.stderr
    assert repo.cli("relink", "--commit-map", ".git/filter-repo/commit-map").returncode == 0
    store = git_agent_session.open(str(repo.path))
    after = {repo.git("log", "-1", "--format=%s", c): c for c in repo.lines("rev-list", "main")}
    assert set(after) == {"base", "a: work", "b: work"}
    for subject in ("a: work", "b: work"):
        assert after[subject] != before[subject]
        assert [w.session.id for w in store.which(after[subject])] == [session]
        note = repo.git("log", "-1", "--format=%N", "--notes=agent-sessions", after[subject])
        assert [n.session_id for n in links.parse(note)] == [session]
    held = {k.commit for k in store.commits(session)}
    # the commit that became empty is gone; its link stays as it was
    assert {after["a: work"], after["b: work"]} <= held and before["a: work"] not in held
    assert store.which(after["base"]) == []
