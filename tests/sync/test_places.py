"""Repositories that are not one worktree beside one remote: submodules, bare, shallow, another user's, odd names."""

from __future__ import annotations

import os
import pty
import select
import shutil
import sys
import time
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import sync
from git_agent_session.hooks import installer
from tests.harness import ROOT, Repo
from tests.sync.team import SESSIONS, Clone, Team, content

pytestmark = pytest.mark.sync


def started(repo: Repo, goal: str) -> str:
    return git_agent_session.open(str(repo.path)).start(goal=goal, agent="codex").id


def ids(repo: Repo) -> set[str]:
    return {r.removeprefix(SESSIONS) for r in repo.lines("for-each-ref", "--format=%(refname)", SESSIONS)}


# -- submodules


def test_a_submodule_and_its_superproject_share_each_their_own_sessions(tmp_path: Path) -> None:
    library, top = Team(tmp_path / "lib"), Team(tmp_path / "top")
    source = library.clone("source")
    source.commit("lib", files={"lib.c": "1\n"})
    source.git("push", "-q", "origin", "main")
    project = top.clone("project")
    project.commit("root", files={"f": "1\n"})
    project.git("submodule", "--quiet", "add", library.url, "lib")
    project.commit("with a library")
    inside = Repo(project.path / "lib")
    for repo in (project, inside):
        installer.install(str(repo.path))
    of_top, of_lib = started(project, "the project"), started(inside, "the library")
    made = inside.commit("in the library", files={"lib.c": "2\n"})
    moved = project.commit("take the library's work", files={"f": "2\n"})
    for repo, session, commit in ((inside, of_lib, made), (project, of_top, moved)):
        store = git_agent_session.open(str(repo.path))
        assert [k.commit for k in store.commits(session)] == [commit]
        assert sync.sync(store, "origin").ok
    assert ids(library.server) == {of_lib} and ids(top.server) == {of_top}
    fresh = Repo(tmp_path / "fresh")
    inside.git("push", "-q", "origin", "HEAD:main")
    project.git("push", "-q", "origin", "main")
    project.git("clone", "-q", "--recurse-submodules", top.url, str(fresh.path))
    for repo, session, commit in ((Repo(fresh.path / "lib"), of_lib, made), (fresh, of_top, moved)):
        assert repo.cli("fetch").returncode == 0
        store = git_agent_session.open(str(repo.path))
        assert [w.session.id for w in store.which(commit)] == [session]


# -- another user's repository


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_is_refused_with_the_line_that_allows_it(ada: Clone, home: Path) -> None:
    for folder, _, names in os.walk(ada.path):
        os.chown(folder, 12345, 12345)
        for name in names:
            os.lchown(os.path.join(folder, name), 12345, 12345)
    for args in (("list",), ("sync",), ("start", "--goal", "x"), ("install",), ("uninstall",)):
        done = ada.cli(*args)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert f"git config --global --add safe.directory {ada.path}" in done.stderr
    ada.git("config", "--global", "--add", "safe.directory", str(ada.path))
    assert ada.cli("sync").returncode == 0


# -- names


@pytest.mark.parametrize("name", ["a b", "it's", 'say "hi"', "$(touch x)", "über", "a/b", "x;y"])
def test_a_remote_whose_name_must_be_quoted(team: Team, ada: Clone, bob: Clone, name: str) -> None:
    # `git remote add` takes only names that refs take; a configuration file has what somebody wrote into it
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    with (ada.path / ".git/config").open("a") as f:
        f.write(f'[remote "{quoted}"]\n\turl = {team.url}\n')
    session = started(ada, "x")
    done = ada.cli("sync", name)
    assert done.returncode == 0, done.stderr
    assert ids(team.server) == {session}
    assert ada.cli("sync", name, "--dry-run", "--json").returncode == 0
    assert not (ada.path / "x").exists()
    bob.sync()
    bob.store.log(session, "note", "of Bob's")
    bob.sync()
    assert ada.cli("fetch", name).returncode == 0
    assert content(ada) == content(bob)


# -- parts of a history


@pytest.mark.parametrize("args", [["--depth=1"], ["--filter=blob:none"], ["--filter=tree:0"], ["--bare"], ["--mirror"]])
def test_a_clone_that_has_not_all_shares_all_sessions(team: Team, ada: Clone, tmp_path: Path, args: list[str]) -> None:
    team.server.git("config", "uploadpack.allowFilter", "true")
    for n in range(3):
        ada.commit(f"c{n}", files={"f": f"{n}\n"})
    ada.git("push", "-q", "origin", "main")
    session = started(ada, "x")
    ada.store.link(session, ["HEAD", "HEAD~2"])
    ada.sync()
    clone = Clone(tmp_path / "part")
    ada.git("clone", "-q", *args, f"file://{team.server.path}", str(clone.path))
    assert clone.cli("fetch", check=True).stderr == ""
    assert content(clone) == content(ada)
    assert [w.session.id for w in clone.store.which("HEAD")] == [session]
    clone.store.log(session, "note", "from a part of it")
    other = clone.store.start(goal="y", agent="codex").id
    clone.store.link(other, ["HEAD"])
    done = clone.cli("sync", "origin")
    assert done.returncode == 0, done.stderr
    assert clone.cli("sync", "origin").returncode == 0
    ada.sync()
    assert content(ada) == content(clone) and ada.store.ids() == {session, other}
    assert ada.notes() == clone.notes()


# -- a question


@pytest.mark.parametrize(("answer", "sent"), [("y", True), ("n", False)])
def test_with_ask_a_push_on_a_terminal_asks(
    team: Team, ada: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, sent: bool
) -> None:
    launcher = tmp_path / "bin/git-agent-session"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m git_agent_session "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launcher.parent}{os.pathsep}{os.environ['PATH']}")
    shutil.copy(ROOT / "githooks/pre-push", ada.path / ".git/hooks/pre-push")
    ada.git("config", "agentSession.autoShare", "ask")
    session = started(ada, "x")
    ada.store.link(session, ["HEAD"])
    said = typed(ada.path, ["git", "push", "origin", "main"], "[y/N]", f"{answer}\r")
    assert "Send 1 agent session of these commits to origin? [y/N]" in said
    assert ids(team.server) == ({session} if sent else set())
    assert team.server.lines("for-each-ref", "refs/heads") != []


def typed(folder: Path, argv: list[str], prompt: str, answer: str) -> str:
    """Run a command on a terminal of its own, answer once it shows `prompt`; returns all that it showed."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvp(argv[0], argv)
    said, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([master], [], [], 1.0)[0]:
            continue
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
        if answer and prompt.encode() in said:
            os.write(master, answer.encode())
            answer = ""
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    return said.decode("utf-8", "replace")
