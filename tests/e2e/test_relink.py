"""`relink`, and what readers look for by themselves: what is linked, what is only offered, and what must not be."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.hooks import installer
from git_agent_session.store import relink_write
from git_agent_session.store.relink_reflog import Reflog
from git_agent_session.store.store import Store
from tests.e2e.claude import until
from tests.e2e.cli import Cli
from tests.e2e.rewriting import LINES, NONE, QUIET, SERVER, at
from tests.e2e.test_relink_table import noted
from tests.harness import ROOT, Repo


@pytest.fixture
def cli(hooked: Repo) -> Cli:
    return Cli(hooked)


def work(repo: Repo, name: str, seconds: int = 1000, **files: str) -> str:
    """A commit of the active session, made so many seconds ago."""
    return repo.commit(name, files=files or {name: f"{name}\n"}, env=at(seconds))


def hand(repo: Repo, name: str, seconds: int = 500, **files: str) -> str:
    """The same by nobody's session."""
    return repo.commit(name, files=files or {name: f"{name}\n"}, env={**NONE, **at(seconds)})


def copied(repo: Repo, commit: str, onto: str, *, seconds: int = 100, message: str = "", keep: bool = True) -> str:
    """What a server does: a commit on top of `onto` with the tree of `commit`, `keep` its author and time."""
    env = {**SERVER, **at(seconds)}
    if keep:
        name, mail, when = repo.git("log", "-1", "--format=%an%n%ae%n%ad", "--date=raw", commit).splitlines()
        env |= {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": when}
    text = message or repo.git("log", "-1", "--format=%s", commit)
    return repo.git("commit-tree", f"{commit}^{{tree}}", "-p", onto, "-m", text, env=env)


def sessions(repo: Repo, commit: str = "HEAD") -> list[str]:
    return [w.session.id for w in git_agent_session.open(str(repo.path)).which(commit)]


# -- what a link says


def test_a_copy_says_what_it_was_made_of(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    old = work(hooked, "work")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    hand(hooked, "main")
    hooked.git("cherry-pick", old)
    new = hooked.git("rev-parse", "HEAD")
    assert [w.link.via for w in store.which(new)] == ["rewrite"]
    event = store.history(session, kinds=("commit",))[-1]
    assert event.data["commit"] == new
    assert event.data["rewritten_from"] == old
    assert event.data["operation"] == "cherry-pick"
    # both stand: a copy replaces nothing
    assert {k.commit for k in store.commits(session)} == {old, new}


def test_a_rebase_on_a_server_replaces_what_it_was_made_of(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    old = work(hooked, "work")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    base = hand(hooked, "main")
    hooked.git("cherry-pick", "--no-commit", old)
    tree = hooked.git("write-tree")
    hooked.git("reset", "-q", "--hard")
    name, when = hooked.git("log", "-1", "--format=%an%n%ad", "--date=raw", old).splitlines()
    env = {**SERVER, **at(100), "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": when}
    new = hooked.git("commit-tree", tree, "-p", base, "-m", "work", env=env)
    hooked.git("reset", "-q", "--hard", new)
    assert [k.commit for k in store.commits(session)] == [new]
    assert store.get(session).counts["commits"] == 1
    hooked.git("checkout", "-q", "topic")
    assert [k.commit for k in store.commits(session)] == [old]


def test_a_squash_belongs_to_all_sessions_and_first_to_that_with_most_paths(
    hooked: Repo, store: Store, session: str
) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    work(hooked, "small")
    other = store.start(goal="other", agent="gemini").id
    work(hooked, "large", 900, x="1\n", y="2\n")
    store.end(other)
    new = copied(hooked, "topic", "main", message="squashed", keep=False)
    hooked.git("checkout", "-q", "main")
    hooked.git("reset", "-q", "--hard", new)
    assert sessions(hooked) == [other, session]
    assert sorted(noted(hooked, new)) == sorted([other, session])


def test_a_trailer_links_to_a_session_that_is_here_and_to_no_other(
    hooked: Repo, store: Store, session: str, cli: Cli
) -> None:
    store.end(session)
    absent = "00000000-0000-4000-8000-000000000000"
    text = f"from elsewhere\n\nAgent-Session: {session}\nAgent-Session: {absent}"
    hooked.commit(text, files={"x": "x\n"}, env=NONE)
    assert [(w.session.id, w.link.via) for w in store.which("HEAD")] == [(session, "trailer")]
    assert store.history(session, kinds=("commit",))[-1].data["via"] == "trailer"


# -- reverts


@pytest.mark.parametrize("conflict", [True, False])
def test_a_revert_is_told_as_such_and_is_nobody_s_work(
    hooked: Repo, store: Store, session: str, cli: Cli, conflict: bool
) -> None:
    old = work(hooked, "work", shared=LINES)
    store.end(session)
    if conflict:
        hand(hooked, "on top", shared=LINES.replace("line 3\n", ""))
    hooked.git("revert", "--no-edit", old, env=QUIET, check=not conflict)
    if conflict:
        hooked.git("rm", "-q", "shared")
        hooked.git("revert", "--continue", env=QUIET)
    new = hooked.git("rev-parse", "HEAD")
    assert sessions(hooked) == []
    (event,) = store.history(session, kinds=("revert",))
    assert (event.data["commit"], event.data["reverts"]) == (new, old)
    assert store.get(session).counts["commits"] == 1
    assert relink_write.reverted(store.repo, new) == {old: [session]}


def test_which_tells_a_program_what_a_commit_reverts(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    old = work(hooked, "work")
    store.end(session)
    hooked.git("revert", "--no-edit", old, env=NONE)
    head = hooked.git("rev-parse", "HEAD")
    assert cli("which", "--json").json == [{"commit": head, "reverts": old, "sessions": [session]}]
    assert f"reverts {old[:10]}, of {session[:8]}" in cli("which").out
    assert [row["session"] for row in cli("which", old, "--json").json] == [session]


def test_a_revert_made_by_a_session_is_its_own(hooked: Repo, store: Store, session: str) -> None:
    old = work(hooked, "work")
    other = store.start(goal="take it back", agent="gemini").id
    hooked.git("revert", "--no-edit", old)
    assert sessions(hooked) == [other]
    assert relink_write.reverted(store.repo, "HEAD") == {old: [session]}


def test_bringing_work_back_by_reverting_the_revert_links_nothing(hooked: Repo, store: Store, session: str) -> None:
    work(hooked, "work")
    store.end(session)
    hooked.git("revert", "--no-edit", "HEAD")
    hooked.git("revert", "--no-edit", "HEAD")
    assert sessions(hooked) == []


# -- what must not be linked


def test_what_was_unlinked_by_hand_does_not_come_back(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    old = work(hooked, "work")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    hand(hooked, "main")
    hooked.git("cherry-pick", old)
    assert sessions(hooked) == [session]
    store.unlink(session, ["HEAD"])
    assert cli("relink", "--json").json["linked"] == []
    assert sessions(hooked) == []


def test_the_commit_that_a_session_has_copied_stays_its_author_s(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    by_hand = hand(hooked, "by hand", 1000)
    hooked.git("checkout", "-q", "main")
    hand(hooked, "main", 900)
    hooked.git("cherry-pick", by_hand)
    assert sessions(hooked, "HEAD") == [session]
    assert sessions(hooked, by_hand) == []
    assert Cli(hooked)("relink", "topic", "--json").json["linked"] == []


@pytest.mark.parametrize("same_maker", [True, False])
def test_the_same_patch_in_two_sessions_belongs_to_the_one_with_its_author_and_time(
    hooked: Repo, store: Store, session: str, cli: Cli, same_maker: bool
) -> None:
    base = hooked.git("rev-parse", "HEAD")
    first = work(hooked, "same", 1000)
    other = store.start(goal="other", agent="gemini").id
    hooked.git("checkout", "-q", "-b", "topic", base)
    second = work(hooked, "same", 900)
    store.end(other)
    third = hand(hooked, "base again", 800)
    hooked.git("checkout", "-q", "--detach", base)
    hand(hooked, "elsewhere", 700)
    hooked.git("cherry-pick", "--no-commit", second)
    maker = at(900) if same_maker else at(50)
    when = hooked.git("log", "-1", "--format=%ad", "--date=raw", second) if same_maker else maker["GIT_AUTHOR_DATE"]
    env = {**NONE, **at(50), "GIT_AUTHOR_DATE": when}
    new = hooked.commit("taken over", env=env)
    assert sessions(hooked, new) == ([other] if same_maker else [])
    near = {n["sessions"][0]["rewritten_from"] for n in cli("relink", "--json").json["near"] if n["commit"] == new}
    assert near == (set() if same_maker else {first, second})
    assert sessions(hooked, third) == []


def test_an_empty_file_is_no_evidence(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    work(hooked, "work", 1000, **{"__init__.py": ""})
    store.end(session)
    hooked.git("rm", "-q", "__init__.py")
    hooked.git("commit", "-q", "-m", "away", env={**NONE, **at(300)})
    hand(hooked, "again", 200, **{"__init__.py": ""})
    assert cli("relink", "--json").json["linked"] == []
    assert sessions(hooked) == []


def test_nearly_the_same_work_is_offered_and_not_linked(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    work(hooked, "work", x="x\n", y="y\n", z="z\n")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    new = hand(hooked, "like it", x="x\n", y="y\n", z="another\n")
    assert sessions(hooked) == []
    (near,) = cli("relink", "--json").json["near"]
    assert near["commit"] == new and "2 of 3 files" in near["why"]
    done = cli("relink", "--interactive", tty=True, input=b"n\n")
    assert "Link to" in done.err and sessions(hooked) == []
    cli("relink", "--interactive", tty=True, input=b"y\n")
    assert sessions(hooked) == [session]
    assert cli("relink", "--json").json["near"] == []


def test_a_rebased_commit_with_other_content_from_a_server_is_offered(
    hooked: Repo, store: Store, session: str, cli: Cli
) -> None:
    old = work(hooked, "work", x="x\n")
    store.end(session)
    hooked.git("reset", "-q", "--hard", "HEAD~1")
    hooked.write({"x": "otherwise\n"})
    hooked.git("add", "x")
    tree = hooked.git("write-tree")
    hooked.git("reset", "-q", "--hard")
    when = hooked.git("log", "-1", "--format=%ad", "--date=raw", old)
    env = {**at(100), "GIT_AUTHOR_DATE": when}
    new = hooked.git("commit-tree", tree, "-p", "HEAD", "-m", "work", env=env)
    hooked.git("reset", "-q", "--hard", new)
    assert sessions(hooked) == []
    (near,) = cli("relink", "--json").json["near"]
    assert near["why"].startswith("same author, time and subject")


def test_a_commit_built_on_a_session_s_work_is_no_squash_of_it(hooked: Repo, store: Store, session: str) -> None:
    work(hooked, "one")
    store.end(session)
    hand(hooked, "two")
    assert sessions(hooked) == []


def test_within_one_second_order_decides_by_the_reflog(hooked: Repo, store: Store, session: str) -> None:
    now = at(10)
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("by hand", files={"h": "h\n"}, env={**NONE, **now})
    work_ = hooked.commit("work", files={"w": "w\n"}, env=now)
    hooked.git("checkout", "-q", "main")
    hooked.commit("main", files={"m": "m\n"}, env={**NONE, **now})
    hooked.git("cherry-pick", "topic~1", env=now)
    picked = hooked.git("rev-parse", "HEAD")
    store.end(session)
    hooked.git("cherry-pick", work_, env=now)
    assert sessions(hooked, "topic~1") == []
    assert sessions(hooked, picked) == sessions(hooked) == [session]


# -- a clone that has sessions and not their commits


def test_a_clone_without_the_old_commits_knows_a_rebased_one_by_its_patch(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    base = hooked.git("rev-parse", "HEAD")
    work(hooked, "work")
    store.end(session)
    new = copied(hooked, "HEAD", base, seconds=0, message="landed", keep=False)
    hooked.git("branch", "landed", new)
    clone = Repo(tmp_path / "clone")
    hooked.git("clone", "-q", "--single-branch", "--branch", "landed", f"file://{hooked.path}", str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/agent-sessions/*:refs/agent-sessions/*")
    assert clone.run("git", "cat-file", "-e", store.commits(session)[0].commit).returncode != 0
    Cli(clone)("relink")
    assert sessions(clone) == [session]
    assert noted(clone, "HEAD") == [session]


def test_after_a_merge_notes_come_without_any_command(hooked: Repo, store: Store, session: str) -> None:
    base = hooked.git("rev-parse", "HEAD")
    work(hooked, "work")
    store.end(session)
    new = copied(hooked, "HEAD", base)
    # as an agent's hooks leave it (docs/format.md, section 7)
    (hooked.path / ".git/agent-session/python").write_text(f"{sys.executable}\n{ROOT}\n")
    hooked.git("reset", "-q", "--hard", base)
    hooked.git("merge", "-q", "--ff-only", new)
    assert until(lambda: noted(hooked, new) == [session], 20.0)
    assert until(lambda: [k.commit for k in store.commits(session)] == [new], 5.0)


# -- the command


def test_dry_run_tells_and_changes_nothing(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    base = hooked.git("rev-parse", "HEAD")
    work(hooked, "work")
    store.end(session)
    new = copied(hooked, "HEAD", base)
    hooked.git("branch", "landed", new)
    before = hooked.git("for-each-ref")
    assert "Would link" in cli("relink", "--dry-run", "landed").out
    (row,) = cli("relink", "--dry-run", "--json", "landed").json["would_link"]
    assert row["commit"] == new and row["sessions"][0]["session"] == session
    assert hooked.git("for-each-ref") == before
    assert cli("relink", "landed").out.startswith("Linked")
    assert cli("relink", "landed").out == ""


def test_a_range_that_names_nothing_is_told(cli: Cli) -> None:
    assert "no commits are named" in cli.fails("relink", "nowhere")
    assert "no commits are named" in cli.fails("relink", "--", "--all")


def test_a_file_that_is_no_commit_map_is_told(hooked: Repo, cli: Cli) -> None:
    (hooked.path / "map").write_text("hello\n")
    assert "line 1" in cli.fails("relink", "--commit-map", str(hooked.path / "map"), code=2)
    assert "cannot read" in cli.fails("relink", "--commit-map", str(hooked.path / "none"))


def test_a_commit_map_keeps_the_link_of_a_dropped_commit(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    old = work(hooked, "work")
    (hooked.path / "map").write_text(f"old new\n{old} {'0' * 40}\n")
    cli("relink", "--commit-map", str(hooked.path / "map"))
    assert [k.commit for k in store.commits(session)] == [old]


def test_in_a_repository_without_commits_there_is_nothing_to_do(repo: Repo) -> None:
    assert "no commit" in Cli(repo)("relink").err


# -- what keeps it fast and safe


def test_a_damaged_index_is_made_anew(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    base = hooked.git("rev-parse", "HEAD")
    work(hooked, "work")
    store.end(session)
    (hooked.path / ".git/agent-session/patches.sqlite").write_bytes(b"no database" * 1000)
    hooked.git("branch", "landed", copied(hooked, "HEAD", base))
    assert cli("relink", "landed").out.startswith("Linked")


def test_readers_look_once(hooked: Repo, store: Store, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hand(hooked, "by hand")
    store.commits(session)
    assert Reflog(store.repo.location).fresh() == []
    monkeypatch.setattr(relink_write, "look", lambda *_: pytest.fail("looked again"))
    store.commits(session)


def test_a_rebase_under_way_is_waited_for(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    for number, name in enumerate("ab"):
        work(hooked, name, 1000 - number)
    store.end(session)
    hooked.git("checkout", "-q", "main")
    hand(hooked, "main")
    hooked.git("rebase", "-q", "-x", "false", "main", "topic", env=NONE, check=False)
    assert sessions(hooked, "HEAD~1") == []
    hooked.git("rebase", "--continue", env=QUIET, check=False)
    hooked.git("rebase", "--continue", env=QUIET, check=False)
    assert sorted(k.commit for k in store.commits(session)) == sorted(hooked.git("rev-list", "main..topic").split())


def test_without_a_reflog_relink_finds_it(hooked: Repo, store: Store, session: str, cli: Cli) -> None:
    hooked.git("config", "core.logAllRefUpdates", "false")
    hooked.git("checkout", "-q", "-b", "topic")
    old = work(hooked, "work")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    hand(hooked, "main")
    os.unlink(hooked.path / ".git/logs/HEAD")
    hooked.git("cherry-pick", old)
    assert sessions(hooked) == []
    cli("relink")
    assert sessions(hooked) == [session]


def test_a_commit_made_here_is_no_copy_of_one_that_was_never_here(hooked: Repo, store: Store, session: str) -> None:
    there = work(hooked, "the same line")
    store.end(session)
    store.drain(session)
    other = Repo.init(hooked.path.parent / "other")
    other.git("fetch", "-q", str(hooked.path), "+refs/agent-sessions/*:refs/agent-sessions/*")
    git_agent_session.open(str(other.path)).list()
    other.commit("base", files={"f": "0\n"}, env={**NONE, **at(300)})
    made = other.commit("mine", files={"the same line": "the same line\n"}, env=NONE)
    other.git("commit", "-q", "--amend", "-m", "my own", env=NONE)
    found = Cli(other)("relink", "--json").json
    assert found["linked"] == []
    assert [row["why"] for row in found["near"]] == [f"the same patch as a commit that is not here: {there[:10]}"]
    assert sessions(other, made) == sessions(other) == []


@pytest.mark.parametrize("amend", [True, False])
def test_who_never_opened_a_session_and_rewrites_another_s_commits_links_them_by_events(
    hooked: Repo, store: Store, session: str, tmp_path: Path, amend: bool
) -> None:
    old = work(hooked, "work")
    store.end(session)
    clone = Repo(tmp_path / "clone")
    hooked.git("clone", "-q", str(hooked.path), str(clone.path))
    installer.install(str(clone.path))
    refspecs = ("refs/agent-sessions/*:refs/agent-sessions/*", "refs/notes/agent-sessions:refs/notes/agent-sessions")
    clone.git("fetch", "-q", "origin", *refspecs)
    assert not (clone.path / ".git/agent-session/live").exists()
    if amend:
        clone.git("commit", "-q", "--amend", "-m", "better", env=NONE)
    else:
        clone.git(
            "rebase", "-q", "--force-rebase", "HEAD~1", env={**NONE, "GIT_COMMITTER_DATE": "2099-01-01T00:00:00Z"}
        )
    theirs = git_agent_session.open(str(clone.path))
    assert [(w.session.id, w.link.via) for w in theirs.which("HEAD")] == [(session, "rewrite")]
    assert {k.commit for k in theirs.commits(session)} == {clone.git("rev-parse", "HEAD")} != {old}


def squashed(repo: Repo, store: Store, goals: list[str]) -> str:
    """A branch for each goal, all with the same work by sessions of their own; one squash of it on main, by nobody."""
    for n, goal in enumerate(goals):
        repo.git("checkout", "-q", "-b", goal, "main")
        own = store.start(goal=goal, agent="codex").id
        work(repo, f"first {goal}", 1000 - n, a="1\n")
        work(repo, f"second {goal}", 900 - n, b="2\n")
        store.end(own)
    repo.git("checkout", "-q", "main")
    return hand(repo, "both at once", 100, a="1\n", b="2\n")


def test_a_squash_that_two_sessions_branches_fit_exactly_is_offered_and_not_linked(
    hooked: Repo, store: Store, cli: Cli
) -> None:
    commit = squashed(hooked, store, ["one", "two"])
    found = cli("relink", "--json").json
    assert found["linked"] == [] and sessions(hooked, commit) == []
    assert len({s["session"] for row in found["near"] for s in row["sessions"] if row["commit"] == commit}) == 2


def test_a_squash_that_two_branches_of_one_session_fit_exactly_is_linked(hooked: Repo, store: Store, cli: Cli) -> None:
    commit = squashed(hooked, store, ["one"])
    hooked.git("branch", "copy", "one~1")
    hooked.git("checkout", "-q", "copy")
    hooked.git("cherry-pick", "one", env={**NONE, **at(700)})
    hooked.git("checkout", "-q", "main")
    cli("relink")
    (session_id,) = sessions(hooked, "one")
    assert sessions(hooked, commit) == [session_id]


@pytest.mark.parametrize("seconds", [0, 1])
def test_of_two_commits_of_one_second_brought_from_elsewhere_neither_is_known_to_be_the_copy(
    hooked: Repo, store: Store, session: str, tmp_path: Path, seconds: int
) -> None:
    then = int(time.time()) - 300
    base = hooked.git("rev-parse", "HEAD")
    old = hooked.commit("work", files={"w": "w\n"}, env={"GIT_COMMITTER_DATE": f"{then} +0000"})
    store.end(session)
    env = {**SERVER, "GIT_COMMITTER_DATE": f"{then + seconds} +0000"}
    new = hooked.git("commit-tree", f"{old}^{{tree}}", "-p", base, "-m", "landed", env=env)
    hooked.git("branch", "landed", new)
    clone = Repo(tmp_path / "clone")
    hooked.git("clone", "-q", str(hooked.path), str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/agent-sessions/*:refs/agent-sessions/*")
    Cli(clone)("relink", "origin/landed")
    assert sessions(clone, new) == ([session] if seconds else [])


def test_all_branches_are_looked_at_where_that_is_asked(
    hooked: Repo, store: Store, session: str, cli: Cli, tmp_path: Path
) -> None:
    base = hooked.git("rev-parse", "HEAD")
    old = work(hooked, "work")
    store.end(session)
    new = copied(hooked, old, base, seconds=10, message="landed", keep=False)
    hooked.git("update-ref", "refs/remotes/origin/stable", new)
    assert cli("relink", "--json").json["linked"] == []
    assert [row["commit"] for row in cli("relink", "--all", "--dry-run", "--json").json["would_link"]] == [new]
    assert [row["commit"] for row in cli("relink", "--all", "--json").json["linked"]] == [new]
    assert sessions(hooked, new) == [session]
    assert "--all goes with no RANGE" in cli.fails("relink", "--all", "main", code=2)
