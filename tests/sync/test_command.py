"""`push`, `fetch`, `sync` on the command line: selection, dry runs, JSON, remotes of all kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from git_agent_session import sync
from git_agent_session.sync.remote import Remote, find, without_password
from tests.harness import Repo
from tests.sync.team import SESSIONS, Clone, Team, agree


def on(team: Team) -> set[str]:
    return {r.removeprefix(SESSIONS) for r in team.server.lines("for-each-ref", "--format=%(refname)", SESSIONS)}


def start(clone: Clone, user: str = "") -> str:
    return clone.store.start(goal="x", agent="codex", user=user, activate=False).id


def test_only_the_sessions_that_are_named_are_sent(team: Team, ada: Clone) -> None:
    one, _, three = start(ada), start(ada), start(ada)
    assert ada.cli("push", "--session", one[:8], "--session", three).returncode == 0
    assert on(team) == {one, three}


def test_only_my_own_sessions_are_sent(team: Team, ada: Clone) -> None:
    mine = start(ada)
    start(ada, user="Somebody <some@example.org>")
    assert ada.cli("push", "--mine").returncode == 0
    assert on(team) == {mine}


def test_only_sessions_of_a_status_are_sent(team: Team, ada: Clone) -> None:
    ended = start(ada)
    start(ada)
    ada.store.end(ended)
    assert ada.cli("push", "--status", "completed").returncode == 0
    assert on(team) == {ended}


def test_only_sessions_since_a_date_are_sent(team: Team, ada: Clone) -> None:
    start(ada)
    done = ada.cli("push", "--since", "2099-01-01")
    assert done.returncode == 2 and "no session fits" in done.stderr
    assert on(team) == set()
    ada.cli("push", "--since", "yesterday", check=True)
    assert len(on(team)) == 1


def test_a_session_that_is_not_here_is_refused(ada: Clone) -> None:
    done = ada.cli("push", "--session", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa")
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["push", "sync", "fetch"])
def test_a_dry_run_says_what_would_be_and_changes_nothing(team: Team, ada: Clone, bob: Clone, command: str) -> None:
    start(bob)
    bob.sync()
    start(ada)
    before, server = ada.tips("refs/"), on(team)
    report = json.loads(ada.cli(command, "--dry-run", "--json", check=True).stdout)
    assert report["dry_run"] is True
    assert {r["status"] for r in report["results"]} == {"new"}
    assert ada.tips("refs/") == before
    assert on(team) == server


def test_json_has_a_result_for_each_ref(ada: Clone) -> None:
    session = start(ada)
    report = json.loads(ada.cli("sync", "--json", check=True).stdout)
    assert (report["remote"], report["ok"], report["errors"]) == ("origin", True, [])
    found = [r for r in report["results"] if r.get("session") == session]
    assert [(r["direction"], r["status"]) for r in found] == [("sent", "new")]


def test_without_a_terminal_nothing_is_said_of_progress(ada: Clone) -> None:
    start(ada)
    done = ada.cli("push", check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2


def test_on_a_terminal_git_shows_its_progress(team: Team, ada: Clone) -> None:
    import git_agent_session

    for _ in range(30):
        start(ada)
    said: list[str] = []
    sync.push(git_agent_session.open(str(ada.path)), "origin", progress=said.append)
    assert "objects: 100%" in "".join(said)


def test_sessions_go_to_the_remote_that_is_configured_for_them(team: Team, ada: Clone, tmp_path: Path) -> None:
    other = Team(tmp_path, tmp_path / "other.git")
    ada.git("config", "agentSession.remote", str(other.server.path))
    session = start(ada)
    ada.cli("sync", check=True)
    assert on(other) == {session}
    assert on(team) == set()


def test_without_a_remote_a_line_says_what_to_do(repo: Repo) -> None:
    repo.commit("root")
    done = repo.cli("push")
    assert done.returncode == 1
    assert "git remote add origin" in done.stderr


def test_a_name_that_is_no_remote_is_a_line(ada: Clone) -> None:
    done = ada.cli("fetch", "nowhere")
    assert done.returncode == 1
    assert "there is no remote 'nowhere'" in done.stderr


@pytest.mark.parametrize("name", ["with space", "a/b", "team.lock", "..", "wörk", "x~1", "100%"])
def test_a_remote_whose_name_needs_quoting(team: Team, ada: Clone, bob: Clone, name: str) -> None:
    for clone in (ada, bob):
        clone.git("config", f"remote.{name}.url", str(team.server.path))
    session = start(ada)
    for clone in (ada, bob, ada):
        report = sync.sync(clone.store, name)
        assert report.ok, report.errors
    agree([ada, bob])
    assert bob.store.get(session).goal == "x"
    assert not [r for r in bob.tips("refs/") if r.startswith("refs/remotes/")]


def test_two_remotes_of_which_one_name_begins_with_the_other(team: Team, ada: Clone) -> None:
    start(ada)
    for name in ("a", "a/b"):
        ada.git("config", f"remote.{name}.url", str(team.server.path))
        assert sync.sync(ada.store, name).ok
    assert not [r for r in sync.sync(ada.store, "a").latest() if r.status == "ignored"]


def test_a_mirrors_own_refspecs_do_not_reach_sessions(team: Team, ada: Clone, bob: Clone) -> None:
    session = start(ada)
    ada.sync()
    bob.sync()
    bob.git("config", "remote.origin.fetch", "+refs/*:refs/*")
    bob.git("config", "remote.origin.mirror", "true")
    bob.store.log(session, "note", "mine")
    bob.store.drain(session)
    ada.store.log(session, "note", "hers")
    ada.sync()
    bob.sync()
    assert len([e for e in bob.store.history(session) if e.kind == "interaction"]) == 2


def test_a_bare_repository_and_a_worktree_sync_too(team: Team, ada: Clone, tmp_path: Path) -> None:
    session = start(ada)
    ada.git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    assert Repo(tmp_path / "tree").cli("sync", check=True).stderr == ""
    bare = Repo.init(tmp_path / "bare.git", "--bare")
    bare.git("remote", "add", "origin", str(team.server.path))
    bare.cli("fetch", check=True)
    assert session in bare.cli("list", "--json").stdout


def test_shallow_and_partial_clones_get_all_sessions_whole(team: Team, ada: Clone, tmp_path: Path) -> None:
    session = start(ada)
    ada.store.link(session, [ada.commit("one")])
    ada.commit("two")
    ada.git("push", "-q", "origin", "main")
    ada.sync()
    team.server.git("config", "uploadpack.allowFilter", "true")
    for name, how in (("shallow", "--depth=1"), ("partial", "--filter=blob:none")):
        clone = Clone(tmp_path / name)
        ada.run("git", "clone", "-q", how, team.server.path.as_uri(), str(clone.path), check=True)
        clone.sync()
        assert [e.kind for e in clone.store.history(session)] == ["start", "commit"]
        missing = clone.git("rev-list", "--objects", "--missing=print", SESSIONS + session)
        assert "?" not in missing


def test_a_password_in_an_address_is_not_shown() -> None:
    assert without_password("https://me:secret@example.org/x") == "https://example.org/x"
    assert without_password("ssh://me@example.org/x") == "ssh://me@example.org/x"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://github.com/o/r.git", True),
        ("git@github.com:o/r.git", True),
        ("ssh://git@gitlab.com:22/o/r", True),
        ("https://git.example.org/o/r", False),
        ("/srv/github.com/r.git", False),
        ("https://notgithub.com/o/r", False),
    ],
)
def test_a_forge_for_everybody_is_known_by_its_host(url: str, public: bool) -> None:
    assert Remote(url, url, "x", False).looks_public is public


def test_the_branchs_own_remote_comes_before_origin(ada: Clone, tmp_path: Path) -> None:
    ada.git("remote", "add", "work", str(tmp_path))
    assert find(ada.store.repo).given == "origin"
    ada.git("config", "branch.main.remote", "work")
    assert find(ada.store.repo).given == "work"


def test_a_public_forge_is_mentioned_once(
    team: Team, ada: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what ssh would have run there is run here
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\neval "exec $last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(ssh))
    ada.git("remote", "set-url", "origin", f"git@github.com:{team.server.path}")
    start(ada)
    done = ada.cli("push", check=True)
    assert "warning: github.com shows public repositories to everybody" in done.stderr
    start(ada)
    assert "warning" not in ada.cli("push", check=True).stderr
    assert len(on(team)) == 2
