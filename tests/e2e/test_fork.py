"""`fork`: a session that goes on from a point of another one, with a worktree of the commit in force there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.errors import CommitNotFound, UsageError
from git_agent_session.hooks import installer
from git_agent_session.store.store import Store
from git_agent_session.work import fork
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def work(hooked: Repo, store: Store, session: str) -> tuple[str, list[str]]:
    """A session with two commits and a note before, between and after them."""
    commits = []
    store.log(session, "note", "before")
    for name in ("one", "two"):
        commits.append(hooked.commit(name, files={name: f"{name}\n"}, env={"GIT_AGENT_SESSION": session}))
        store.log(session, "note", f"after {name}")
    store.set(session, goal="a later goal")
    return session, commits


def notes(store: Store, session: str) -> list[str]:
    return [e.data["text"] for _, found in fork.lineage(store, session) for e in found if e.kind == "interaction"]


def note(store: Store, session: str, text: str) -> str:
    return next(e.id for e in store.history(session, kinds=("note",)) if e.data["text"] == text)


def test_a_fork_says_where_it_comes_from_and_copies_no_events(store: Store, work: tuple[str, list[str]]) -> None:
    session, commits = work
    made = fork.fork(store, session)
    assert made.session.parent == session and made.commit == commits[1]
    origin = fork.origin_of(made.session)
    assert origin == {"session": session, "event": store.history(session)[-1].id, "commit": commits[1]}
    assert [e.kind for e in store.history(made.session.id)] == ["start"]
    assert notes(store, made.session.id) == ["before", "after one", "after two"]


def test_it_inherits_what_the_session_was_about_at_that_point(store: Store, work: tuple[str, list[str]]) -> None:
    session, commits = work
    assert fork.fork(store, session).session.goal == "a later goal"
    at_first = fork.fork(store, session, at=commits[0])
    assert at_first.session.goal == "test the hooks" and at_first.session.agent.type == "codex"
    assert fork.fork(store, session, goal="my own").session.goal == "my own"


def test_the_point_is_an_event_a_commit_or_a_time(store: Store, work: tuple[str, list[str]]) -> None:
    session, commits = work
    middle = note(store, session, "after one")
    by_event = fork.point(store, session, middle)
    assert by_event.event == middle and by_event.commit == commits[0]
    assert fork.point(store, session, middle[:8]).event == middle
    assert fork.point(store, session, commits[1][:9]).commit == commits[1]
    assert fork.point(store, session, "HEAD~1").commit == commits[0]
    at_time = fork.point(store, session, by_event.events[-1].at)
    assert at_time.commit == commits[0] and by_event.events == at_time.events[: len(by_event.events)]
    before = fork.point(store, session, note(store, session, "before"))
    assert before.commit == store.repo.commit_facts(commits[0])["parents"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("form", "hours"), [("%Y-%m-%dT%H:%M:%SZ", 0), ("%Y-%m-%dT%H:%M:%S+02:00", 2), ("%Y-%m-%dt%H:%M:%S.5-05:30", -5.5)]
)
def test_a_time_may_have_any_form_of_rfc_3339(
    store: Store, work: tuple[str, list[str]], form: str, hours: float
) -> None:
    later = datetime.now(UTC) + timedelta(hours=hours, minutes=1)
    assert fork.point(store, work[0], later.strftime(form)) == fork.point(store, work[0])
    last = store.history(work[0])[-1].at
    assert fork.point(store, work[0], f"{last[:19]}Z") == fork.point(store, work[0], last)
    early = later - timedelta(days=1)
    with pytest.raises(UsageError, match="began after"):
        fork.point(store, work[0], early.strftime(form))


def test_a_time_before_the_session_is_none_of_its_points(store: Store, work: tuple[str, list[str]]) -> None:
    with pytest.raises(UsageError, match="began after"):
        fork.point(store, work[0], "2001-01-01T00:00:00.000Z")


@pytest.mark.parametrize("at", ["no-such", "HEAD~2", "", "0000000", "20260101", "2026-01-31", "2026-01-31T12:00:00"])
def test_what_is_no_point_is_refused(hooked: Repo, store: Store, work: tuple[str, list[str]], at: str) -> None:
    if not at:
        assert fork.point(store, work[0], at).commit == work[1][1]
        return
    assert "no event and no commit of session" in Cli(hooked).fails("fork", work[0], "--at", at, code=2)


def test_a_fork_of_a_fork_is_followed_back_to_the_first(store: Store, work: tuple[str, list[str]]) -> None:
    session, commits = work
    first = fork.fork(store, session, at=commits[0]).session.id
    store.log(first, "note", "tried")
    second = fork.fork(store, first).session.id
    store.log(second, "note", "tried again")
    store.log(first, "note", "not for the second")
    assert notes(store, second) == ["before", "tried", "tried again"]


def test_a_parent_that_is_gone_ends_the_walk(store: Store, work: tuple[str, list[str]]) -> None:
    made = fork.fork(store, work[0]).session.id
    store.delete(work[0])
    assert [s for s, _ in fork.lineage(store, made)] == [made]


def test_sessions_that_come_from_each_other_end_the_walk(store: Store, work: tuple[str, list[str]]) -> None:
    made = fork.fork(store, work[0]).session.id
    last = store.history(made)[-1].id
    # as it would stand in somebody else's push
    store.append(work[0], "start", {"forked_from": {"session": made, "event": last}})
    assert [s for s, _ in fork.lineage(store, made)] == [work[0], made]


@pytest.mark.parametrize("origin", [{"session": "../x", "event": "e"}, {"session": 5}, "x", {}])
def test_a_strange_origin_is_none(store: Store, session: str, origin: object) -> None:
    store.append(session, "start", {"forked_from": origin})
    assert fork.origin_of(store.get(session)) == {}


def test_a_worktree_holds_the_tree_of_the_point_and_the_fork_is_current_there(
    hooked: Repo, store: Store, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    session, commits = work
    before = hooked.git("status", "--porcelain"), hooked.git("rev-parse", "HEAD")
    made = fork.fork(store, session, at=commits[0], worktree=str(tmp_path / "try"), branch="try/it")
    there = Repo(tmp_path / "try")
    assert there.git("rev-parse", "HEAD") == commits[0] and there.git("branch", "--show-current") == "try/it"
    assert not (there.path / "two").exists()
    assert (hooked.git("status", "--porcelain"), hooked.git("rev-parse", "HEAD")) == before
    assert git_agent_session.open(str(there.path)).current_id() == made.session.id
    assert git_agent_session.open(str(hooked.path)).current_id() == session
    commit = there.commit("tried", files={"t": "1"})
    assert [k.commit for k in store.commits(made.session.id)] == [commit]


def test_a_fork_in_a_worktree_of_its_own_is_its_user_s(
    hooked: Repo, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    eve = {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "eve@example.org", "GIT_DIR": str(hooked.path / ".git")}
    made = Cli(hooked)("fork", work[0], "--worktree", str(tmp_path / "try"), "--json", env=eve).json
    assert made["user"] == "Eve <eve@example.org>"


def test_a_branch_alone_is_made_and_not_checked_out(hooked: Repo, store: Store, work: tuple[str, list[str]]) -> None:
    fork.fork(store, work[0], at=work[1][0], branch="try")
    assert hooked.git("rev-parse", "try") == work[1][0]
    assert hooked.git("branch", "--show-current") == "main"


def test_a_folder_that_is_not_empty_is_left_alone(
    hooked: Repo, store: Store, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    line = Cli(hooked).fails("fork", work[0], "--worktree", str(tmp_path / "full"))
    assert "is not empty" in line and (tmp_path / "full/file").read_text() == "mine"
    assert len(store.list()) == 1


@pytest.mark.parametrize("branch", ["--force", "a b", "main", "x..y"])
def test_a_branch_that_cannot_be_made_opens_no_session(
    hooked: Repo, store: Store, work: tuple[str, list[str]], branch: str
) -> None:
    done = Cli(hooked)("fork", work[0], f"--branch={branch}", code=None)
    assert done.code in (1, 2) and done.out == "" and len(store.list()) == 1


def test_a_commit_that_is_not_here_opens_no_worktree(store: Store, session: str, tmp_path: Path) -> None:
    store.append(session, "commit", {"commit": "a" * 40, "via": "manual"})
    with pytest.raises(CommitNotFound):
        fork.fork(store, session, worktree=str(tmp_path / "x"))
    assert not (tmp_path / "x").exists() and len(store.list()) == 1


def test_no_hook_of_the_commit_runs_in_its_worktree(hooked: Repo, store: Store, session: str, tmp_path: Path) -> None:
    installer.uninstall(str(hooked.path))
    hooked.git("config", "core.hooksPath", ".hooks")
    hooked.write({".hooks/post-checkout": f"#!/bin/sh\ntouch '{tmp_path}/ran'\n"})
    (hooked.path / ".hooks/post-checkout").chmod(0o755)
    hooked.git("add", ".hooks")
    commit = hooked.commit("hostile")
    store.link(session, [commit])
    fork.fork(store, session, worktree=str(tmp_path / "w"))
    assert (tmp_path / "w/.hooks/post-checkout").exists() and not (tmp_path / "ran").exists()


def test_the_command_says_what_it_made(hooked: Repo, work: tuple[str, list[str]], tmp_path: Path) -> None:
    cli = Cli(hooked)
    out = cli("fork", work[0], "--at", work[1][0], "--worktree", str(tmp_path / "t"), "--branch", "t").out
    assert out.startswith(f"Forked session {work[0][:8]} at event ")
    assert f"commit:   {work[1][0][:10]}" in out and "branch:   t" in out and f"worktree: {tmp_path / 't'}" in out
    row = cli("fork", work[0], "--json").json
    assert row["forked_from"]["session"] == work[0] and row["commit"] == work[1][1]
    assert cli("fork", work[0], "-q").out.count("\n") == 1
