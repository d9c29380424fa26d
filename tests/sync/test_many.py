"""Where there are many sessions: they are checked by several processes, and only what moved is fetched."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from git_agent_session import own_process, sync
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import joining, many
from git_agent_session.git.repository import Repository
from git_agent_session.store import checking
from git_agent_session.sync import transfer
from tests.sync.team import SESSIONS, TRACKED, Clone, Team, agree

BAD = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"


@pytest.fixture
def several(ada: Clone) -> list[str]:
    """Six sessions on the server, each with a link."""
    ids = [ada.store.start(goal=f"number {n}", agent="codex", activate=False).id for n in range(6)]
    for session in ids:
        ada.store.link(session, ["HEAD"])
    ada.sync()
    return ids


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions are enough for a process of their own."""
    monkeypatch.setattr(checking, "SHARE", 2)
    monkeypatch.setattr(own_process, "processors", lambda: 3)


def tips_of(clone: Clone) -> dict[str, str]:
    return {name.removeprefix(SESSIONS): tip for name, tip in clone.tips().items() if name.startswith(SESSIONS)}


def test_other_processes_find_what_this_one_finds(ada: Clone, several: list[str], helped: None) -> None:
    repo = ada.store.repo
    found = dict(checking.checked(repo, tips_of(ada)))
    assert found == {i: checking.check(repo, i, tip, None) for i, tip in tips_of(ada).items()}
    assert found.keys() == set(several)


def test_they_leave_what_is_broken_to_be_named(
    ada: Clone, team: Team, bob: Clone, several: list[str], helped: None
) -> None:
    team.raw(SESSIONS + BAD, team.server.git("hash-object", "-w", "--stdin", input="x"))
    report = sync.fetch(bob.store, "origin")
    assert {r.session: r.status for r in report.latest() if r.session} == {
        **dict.fromkeys(several, "new"),
        BAD: "broken",
    }
    assert {s.id for s in bob.store.list()} == set(several)


def test_what_they_do_not_answer_is_checked_here(
    ada: Clone, several: list[str], helped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    code = "import os, signal; print('{\"id\":', flush=True); os.kill(os.getpid(), signal.SIGKILL)"

    def dying(*words: str) -> list[str]:
        started.append(words)
        return [sys.executable, "-c", code]

    monkeypatch.setattr(own_process, "argv", dying)
    assert dict(checking.checked(ada.store.repo, tips_of(ada))).keys() == set(several)
    assert len(started) == 2


def test_what_was_refused_is_not_read_again(team: Team, bob: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    team.raw(SESSIONS + BAD, team.batch("not TOML", ""))
    reasons = [[r.reason for r in sync.fetch(bob.store, "origin").latest() if r.session == BAD] for _ in range(2)]
    assert reasons[0] == reasons[1] != []
    monkeypatch.setattr(checking, "check", lambda *_: pytest.fail("it was read again"))
    assert [r.status for r in sync.fetch(bob.store, "origin").latest() if r.session == BAD] == ["broken"]


def test_a_refused_session_that_moves_is_looked_at_anew(team: Team, ada: Clone, bob: Clone) -> None:
    team.raw(SESSIONS + BAD, team.batch("not TOML", ""))
    sync.fetch(bob.store, "origin")
    session = ada.store.start(goal="good", agent="codex").id
    ada.sync()
    good = team.server.git("rev-parse", SESSIONS + session)
    team.raw(SESSIONS + BAD, good)
    report = sync.fetch(bob.store, "origin")
    assert ["not the state of this session" in r.reason for r in report.latest() if r.session == BAD] == [True]


def test_objects_that_come_later_are_seen(ada: Clone, several: list[str]) -> None:
    tips = tips_of(ada)
    (session, tip), *_ = tips.items()
    there = Path(ada.store.repo.location.common_dir, "objects", tip[:2], tip[2:])
    aside = there.with_name("aside")
    there.rename(aside)
    assert isinstance(checked_anew(ada, session, tip), AgentSessionError)
    aside.rename(there)
    assert isinstance(checked_anew(ada, session, tip), checking.Checked)


def checked_anew(clone: Clone, session: str, tip: str) -> object:
    """By a repository that has nothing in memory."""
    return dict(checking.checked(Repository.find(str(clone.path)), {session: tip}))[session]


def test_with_many_refs_only_what_moved_is_fetched(
    ada: Clone, bob: Clone, several: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.sync()
    monkeypatch.setattr(transfer, "_MANY", 1)
    asked: list[list[str]] = []
    brought = transfer.Connection._brought

    def listening(self: transfer.Connection, tips: Iterable[str]) -> bool:
        asked.append(list(tips))
        return brought(self, asked[-1])

    monkeypatch.setattr(transfer.Connection, "_brought", listening)
    monkeypatch.setattr(transfer.Connection, "fetch", lambda _: pytest.fail("all refs were asked for"))
    bob.sync()
    assert asked == []
    ada.store.log(several[2], "note", "more")
    ada.store.drain(several[2])
    monkeypatch.setattr(transfer, "_MANY", 500)
    assert sync.push(ada.store, "origin").ok
    monkeypatch.setattr(transfer, "_MANY", 1)
    bob.sync()
    assert asked == [[ada.tips()[SESSIONS + several[2]]]]
    assert bob.tips() == ada.tips()


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_first_fetch_makes_a_line_of_each_ref_and_no_file(
    ada: Clone, bob: Clone, several: list[str], monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(joining, "MANY", 2)
    bob.git("config", "protocol.version", version)
    report = sync.fetch(bob.store, "origin")
    assert {r.session: r.status for r in report.latest() if r.session} == dict.fromkeys(several, "new")
    assert {ref for ref in loose(bob) if "agent-sessions/" in ref or "agent-sessions-remotes/" in ref} == set()
    assert bob.tips() == ada.tips() and bob.tips(TRACKED).keys() == {TRACKED + i for i in several}
    assert bob.run("git", "fsck", "--strict").returncode == 0
    agree([ada, bob])


def loose(clone: Clone) -> set[str]:
    top = clone.path / ".git"
    return {str(path.relative_to(top)) for path in (top / "refs").rglob("*") if path.is_file()}


def test_where_the_remote_gives_no_objects_by_their_ids_git_fetches_all(
    ada: Clone, bob: Clone, several: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.Connection, "_brought", lambda *_: False)
    assert sync.fetch(bob.store, "origin").ok
    agree([ada, bob])


def test_a_tracking_ref_in_the_way_of_others_goes(ada: Clone, bob: Clone, several: list[str]) -> None:
    bob.git("update-ref", f"{TRACKED}{several[0]}/x", bob.git("rev-parse", "HEAD"))
    report = sync.fetch(bob.store, "origin")
    assert bob.store.ids() == set(several)
    assert (report.ok, report.warnings) == (True, [])


def test_what_no_tracking_ref_can_be_written_for_keeps_nothing_else_away(
    ada: Clone, bob: Clone, several: list[str]
) -> None:
    blocked = bob.path / ".git" / TRACKED / several[0] / "x.lock"
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    report = sync.fetch(bob.store, "origin")
    assert bob.store.ids() == set(several[1:])
    assert any(several[0] in line for line in report.warnings)


def test_killed_once_the_objects_are_there_the_next_fetch_goes_on(
    ada: Clone, bob: Clone, several: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as m:
        m.setattr(transfer.Connection, "_tracked", dies)
        with pytest.raises(Killed):
            sync.fetch(bob.store, "origin")
    assert bob.tips() == {} and bob.tips(TRACKED) == {}
    bob.sync()
    agree([ada, bob])


def test_git_finds_the_same_batches_as_libgit2(ada: Clone, several: list[str]) -> None:
    ada.store.log(several[0], "note", "more")
    ada.store.drain(several[0])
    repo = ada.store.repo
    commits = [c for tip in tips_of(ada).values() for c in repo.chain(tip)]
    with many.Batches(repo, checking._LIMITS) as batches:
        assert list(batches.read(commits)) == [joining.read_batch(repo, c, checking._LIMITS) for c in commits]
    assert len(commits) > len(several)


def test_what_is_no_batch_is_left_to_be_judged_and_the_next_is_read(ada: Clone, several: list[str], team: Team) -> None:
    repo = ada.store.repo
    good = tips_of(ada)[several[0]]
    blob = ada.git("rev-parse", f"{good}:session.toml")
    tree = ada.git("rev-parse", f"{good}^{{tree}}")
    bare = ada.git("commit-tree", ada.git("mktree", input=""), "-m", "x")
    folder = ada.git("mktree", input=f"040000 tree {tree}\tevents.toml\n100644 blob {blob}\tsession.toml\n")
    odd = [blob, tree, "1" * 40, bare, ada.git("commit-tree", folder, "-m", "x")]
    with many.Batches(repo, checking._LIMITS) as batches:
        found = list(batches.read([good, *[c for one in odd for c in (one, good)]]))
    assert [batch.id if batch else None for batch in found] == [good, *[None, good] * len(odd)]
    with many.Batches(repo, {"session.toml": 10, "events.toml": 10_000}) as batches:
        assert list(batches.read([good, good])) == [None, None]


def test_sessions_of_several_batches_and_joins_are_checked_all_the_same(
    ada: Clone, bob: Clone, several: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.sync()
    for clone in (ada, bob):
        clone.store.log(several[1], "note", clone.path.name)
        clone.store.drain(several[1])
    for clone in (ada, bob, ada):
        clone.sync()
    monkeypatch.setattr(checking, "FEW", 1)
    repo, tips = ada.store.repo, tips_of(ada)
    assert dict(checking.checked(repo, tips)) == {i: checking.check(repo, i, tip, None) for i, tip in tips.items()}
    assert checking.check(repo, several[1], tips[several[1]], None).joins
