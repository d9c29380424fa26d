"""Where there are many sessions: they are checked by several processes, and only what moved is fetched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from git_agent_session import sync
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.repository import Repository
from git_agent_session.store import checking
from git_agent_session.sync import transfer
from tests.sync.team import SESSIONS, Clone, Team

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
    monkeypatch.setattr("os.cpu_count", lambda: 3)


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

    def dying(argv: list[str], **given: Any) -> subprocess.Popen[bytes]:
        started.append(argv)
        return subprocess.Popen([sys.executable, "-c", code], **given)

    monkeypatch.setattr(checking, "subprocess", SimpleNamespace(Popen=dying, DEVNULL=subprocess.DEVNULL))
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
    fetched = transfer.Connection._fetched

    def listening(self: transfer.Connection, specs: list[str]) -> object:
        asked.append(list(specs))
        return fetched(self, specs)

    monkeypatch.setattr(transfer.Connection, "_fetched", listening)
    bob.sync()
    assert asked == []
    ada.store.log(several[2], "note", "more")
    ada.sync()
    asked.clear()
    bob.sync()
    assert [[spec.partition(":")[0] for spec in specs] for specs in asked] == [[f"+{SESSIONS}{several[2]}"]]
    assert bob.tips() == ada.tips()
