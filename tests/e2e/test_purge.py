"""`purge` and `delete --remote`: what must not be there is there no more, and what is out of reach is said."""

from __future__ import annotations

from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import journal, live
from git_agent_session.git import notes
from git_agent_session.git.archives import ARCHIVES
from git_agent_session.git.repository import SESSIONS
from git_agent_session.store import archive, links, purged
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

MARKER = "turnip-5316-zephyr"


def read(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def holding(repo: Repo, marker: str = MARKER) -> list[str]:
    """The objects of a repository, reachable or not, that hold `marker`."""
    listed = repo.lines("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    rows = [line.split() for line in listed]
    return [name for name, kind in rows if kind != "tree" and marker in repo.git("cat-file", kind, name)]


def lying(repo: Repo, marker: str = MARKER) -> list[str]:
    """The files below the plugin's folder that hold `marker`."""
    folder = repo.path / ".git/agent-session"
    return [str(p) for p in folder.rglob("*") if p.is_file() and marker.encode() in p.read_bytes()]


def noted(repo: Repo, commit: str) -> list[str]:
    return [n.session_id for n in links.parse(notes.read(read(repo).repo, commit))]


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("root", files={"f": "1\n"})
    repo.git("config", "core.logAllRefUpdates", "always")
    return Cli(repo)


def told(repo: Repo, cli: Cli, *, archived: bool = False) -> tuple[str, str]:
    """A session that holds the marker everywhere, and another; both linked to HEAD. Returns their ids."""
    store = read(repo)
    bad = store.start(goal=f"fix {MARKER}", agent="codex").id
    store.add_context(bad, {"summary": MARKER})
    store.link(bad, ["HEAD"])
    good = store.start(goal="something else", agent="codex").id
    store.link(good, ["HEAD"])
    store.end(good)
    store.list()
    if archived:
        store.end(bad)
        archive.run(store, older_than=0)
        store.list()
    else:
        store.log(bad, "note", f"waiting {MARKER}")
    return bad, good


@pytest.mark.parametrize("archived", [False, True], ids=["with a ref", "archived"])
def test_after_purge_and_gc_no_object_and_no_file_holds_the_session(repo: Repo, cli: Cli, archived: bool) -> None:
    bad, good = told(repo, cli, archived=archived)
    assert holding(repo) and lying(repo)
    said = cli("purge", "--yes", "--gc", bad)
    assert holding(repo) == [] and lying(repo) == [] and holding(repo, bad) == []
    assert f"Purged session {bad}" in said.out and "out of reach" in said.err and "still has" not in said.err
    assert [s.id for s in read(repo).list()] == [good]
    assert noted(repo, repo.git("rev-parse", "HEAD")) == [good]
    repo.git("fsck", "--strict")


def test_without_gc_it_says_what_git_still_has(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    tip = repo.git("rev-parse", SESSIONS + bad)
    said = cli("purge", "--yes", bad)
    assert f"git still has 1 commit of it ({tip[:10]}) until it collects" in said.err
    assert cli("list", "--json").json[0]["id"] != bad
    assert repo.git("cat-file", "-t", tip) == "commit"


def test_what_something_else_reaches_is_said_to_be_left(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    repo.git("update-ref", "refs/heads/kept", SESSIONS + bad)
    done = cli("purge", "--yes", "--gc", "--json", bad)
    assert done.json["objects_left"] == [repo.git("rev-parse", "kept")]
    assert "something else reaches it" in done.err


def test_what_waits_is_never_written_into_git(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    before = len(holding(repo))
    cli("purge", "--yes", bad)
    assert len(holding(repo)) == before and journal.waiting(read(repo).shared) == set()


def test_marks_and_maps_of_the_session_go(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    shared = read(repo).shared
    live.set_native(shared, "codex", "own-1", bad)
    cli("purge", "--yes", bad)
    assert not live.is_open(shared, bad) and live.native(shared, "codex", "own-1") is None
    assert live.active(read(repo).private) != bad


def test_notes_of_others_and_their_text_stay(repo: Repo, cli: Cli) -> None:
    bad, good = told(repo, cli)
    second = repo.commit("second")
    read(repo).link(good, [second])
    repo.git("notes", "--ref=agent-sessions", "append", "-m", "a remark of somebody", second)
    cli("purge", "--yes", bad)
    assert noted(repo, second) == [good]
    assert "a remark of somebody" in repo.git("log", "-1", "--notes=agent-sessions", second)
    assert repo.lines("rev-list", notes.REF) == [repo.git("rev-parse", notes.REF)]


def test_it_asks_and_takes_no_for_an_answer(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    assert "add --yes" in cli.fails("purge", bad, code=2)
    assert "nothing was purged" in cli("purge", bad, input=b"n\n", tty=True).err
    assert read(repo).get(bad)


def test_a_session_that_is_not_here_is_said_so(repo: Repo, cli: Cli) -> None:
    assert "nothing is here" in cli.fails("purge", "--yes", "00000000-0000-4000-8000-000000000000")


def test_a_broken_session_can_be_purged(repo: Repo, cli: Cli) -> None:
    broken = "00000000-0000-4000-8000-00000000000b"
    repo.git("update-ref", SESSIONS + broken, "HEAD")
    cli("purge", "--yes", broken)
    assert repo.git("for-each-ref", SESSIONS) == ""


# -- at a remote


@pytest.fixture
def bare(repo: Repo, cli: Cli, tmp_path: Path) -> Repo:
    found = Repo.init(tmp_path / "bare.git", "--bare")
    repo.git("remote", "add", "origin", str(found.path))
    repo.git("push", "-q", "origin", "main")
    return found


def share(repo: Repo) -> None:
    repo.git("push", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*", f"{notes.REF}:{notes.REF}")


@pytest.mark.parametrize("archived", [False, True], ids=["with a ref", "archived"])
def test_a_remote_holds_nothing_of_it_either_after_its_own_gc(repo: Repo, cli: Cli, bare: Repo, archived: bool) -> None:
    bad, good = told(repo, cli, archived=archived)
    share(repo)
    assert holding(bare)
    cli("purge", "--yes", "--gc", bad, "--remote")
    bare.git("gc", "-q", "--prune=now")
    assert holding(bare) == holding(repo) == [] and holding(bare, bad) == []
    clone = Repo(bare.path.parent / "clone")
    bare.git("clone", "-q", str(bare.path), str(clone.path))
    clone.git("fetch", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*", f"{notes.REF}:{notes.REF}")
    assert [s.id for s in read(clone).list()] == [good]
    assert noted(clone, clone.git("rev-parse", "HEAD")) == [good]


def test_an_archive_of_the_remote_keeps_what_only_the_remote_has(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, good = told(repo, cli, archived=True)
    share(repo)
    other = Repo(bare.path.parent / "other")
    bare.git("clone", "-q", str(bare.path), str(other.path))
    other.git("fetch", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*")
    theirs = read(other)
    third = theirs.start(goal="a third").id
    theirs.end(third)
    archive.run(theirs, older_than=0)
    other.git("push", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*")
    cli("purge", "--yes", bad, "--remote", "origin")
    assert {s.id for s in git_agent_session.open(str(bare.path)).list()} == {good, third}


def test_a_remote_that_refuses_is_named_and_the_rest_is_done(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, _ = told(repo, cli, archived=True)
    share(repo)
    hook = bare.path / "hooks/update"
    hook.write_text(f'#!/bin/sh\ncase $1 in {ARCHIVES}*) echo "not here" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    done = cli("purge", "--yes", bad, "--remote", code=1)
    assert f"origin refuses to change {ARCHIVES}" in done.err and "not here" in done.err
    assert bad not in read(repo).ids()
    assert bad in git_agent_session.open(str(bare.path)).ids()


def test_delete_removes_the_ref_of_the_remote_too(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, good = told(repo, cli)
    share(repo)
    said = cli("delete", "--yes", bad, "--remote").out
    assert f"Removed {SESSIONS}{bad} from origin" in said
    assert bare.lines("for-each-ref", "--format=%(refname)", SESSIONS) == [SESSIONS + good]
    assert read(repo).ids() == {good}


def test_what_was_deleted_here_and_at_the_remote_is_not_fetched_again(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, good = told(repo, cli)
    share(repo)
    cli("delete", "--yes", bad, "--remote")
    cli("sync")
    assert read(repo).ids() == {good}
    assert bare.lines("for-each-ref", "--format=%(refname)", SESSIONS) == [SESSIONS + good]


def test_what_was_deleted_here_alone_is_fetched_again_while_the_remote_has_it(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, good = told(repo, cli)
    share(repo)
    cli("delete", "--yes", bad)
    cli("fetch")
    assert read(repo).ids() == {bad, good}
    cli("delete", "--yes", bad)
    bare.git("update-ref", "-d", SESSIONS + bad)
    cli("fetch")
    assert read(repo).ids() == {good}


def test_delete_forces_nothing_and_says_what_is_left_in_the_remotes_archive(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, _ = told(repo, cli, archived=True)
    share(repo)
    before = bare.git("for-each-ref")
    assert "`git agent-session purge --remote`" in cli("delete", "--yes", bad, "--remote").err
    assert bare.git("for-each-ref") == before


def test_a_remote_that_cannot_be_reached_changes_nothing_here(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    bad, _ = told(repo, cli)
    repo.git("remote", "add", "origin", str(tmp_path / "nowhere"))
    for args in (["purge", "--yes", bad, "--remote"], ["delete", "--yes", bad, "--remote"]):
        assert cli(*args, code=1).err.startswith("error: cannot fetch from origin")
    assert bad in read(repo).ids()


# -- what comes back


def test_what_was_purged_is_remembered_until_it_is_forgotten(repo: Repo, cli: Cli) -> None:
    bad, _ = told(repo, cli)
    cli("purge", "--yes", bad)
    shared = str(repo.path / ".git/agent-session")
    assert purged.ids(shared) == {bad}
    assert cli("purge", "--forget", bad[:8], "--json").json == {"forgotten": [bad]}
    assert purged.ids(shared) == set()
    assert "no session" in cli.fails("purge", "--forget", bad)
    assert "--forget goes neither" in cli.fails("purge", "--forget", bad, "--gc", code=2)


def test_what_was_purged_here_can_still_be_purged_at_a_remote(repo: Repo, cli: Cli, bare: Repo) -> None:
    bad, good = told(repo, cli)
    share(repo)
    cli("purge", "--yes", bad)
    cli("purge", "--yes", bad, "--remote")
    assert bare.lines("for-each-ref", "--format=%(refname)", SESSIONS) == [SESSIONS + good]


def test_of_an_archive_that_has_a_purged_session_the_others_come_in(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    bad, good = told(repo, cli, archived=True)
    theirs = repo.git("for-each-ref", "--format=%(objectname)", ARCHIVES)
    other = Repo(tmp_path / "other")
    repo.git("clone", "-q", str(repo.path), str(other.path))
    other.git("fetch", "-q", "origin", f"{ARCHIVES}*:refs/agent-sessions-remotes/origin/archive/*")
    store = read(other)
    purged.remember(store.shared, [bad])
    month = repo.git("for-each-ref", "--format=%(refname:lstrip=3)", ARCHIVES)
    tip = archive.merge(store.repo, month, None, theirs)
    assert store.repo.archives.index(tip).keys() == {good}
    assert archive.merge(store.repo, month, tip, theirs) == tip
    assert f"it has session {bad[:8]}, which was purged here" in archive.barred(store.repo, theirs)
    assert other.run("git", "merge-base", "--is-ancestor", theirs, tip).returncode == 1
    purged.forget(store.shared, [bad])
    assert store.repo.archives.index(archive.merge(store.repo, month, tip, theirs)).keys() == {good, bad}
    assert archive.barred(store.repo, theirs) == ""
