"""The first build of an index, where other processes read ahead: the same rows, whatever becomes of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import git_agent_session
from benchmarks import large
from git_agent_session import codec, index, own_process
from git_agent_session.git.repository import SESSIONS
from git_agent_session.index import ahead, refresh, schema
from git_agent_session.index.derived import Index
from git_agent_session.model import Event, fold
from git_agent_session.store.store import Store

AT = "2026-02-27T01:43:51.042Z"
BROKEN = "00000000-5bb3-4e44-aec8-5b7d00443063"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large.repository(tmp_path_factory.mktemp("filled"), large.Size(12, 240, 24))


@pytest.fixture
def store(filled: Path) -> Store:
    return git_agent_session.open(str(filled))


def rows(found: Index) -> dict[str, list[tuple[object, ...]]]:
    """All that the index holds."""
    tables = {
        t.name: found.query(f"SELECT * FROM {t.name} ORDER BY 1, 2")
        for t in schema.TABLES[:-1]
        if t.key or not t.select
    }
    return tables | {"search": found.query("SELECT rowid FROM search WHERE search MATCH 'tests OR s*' ORDER BY 1")}


def indexes(found: Index) -> set[str]:
    return {name for (name,) in found.query("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}


@pytest.fixture
def alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[object, ...]]]:
    """What a build without another process makes."""
    found = index.open(store)
    found.refresh(rebuild=True)
    made = rows(found)
    monkeypatch.setattr(refresh, "SHARE", 2)
    return made


@pytest.mark.parametrize("processors", [1, 2, 100])
def test_rows_that_were_made_ahead_are_the_same(
    store: Store, alone: object, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    monkeypatch.setattr(own_process, "processors", lambda: processors)
    found = index.open(store)
    assert found.refresh(rebuild=True).events == 240
    assert rows(found) == alone
    assert {"events_session_id", "events_kind_session", "files_path_session"} <= indexes(found)


def test_a_process_that_cannot_start_hinders_nothing(
    store: Store, alone: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    found = index.open(store)
    found.refresh(rebuild=True)
    assert rows(found) == alone


@pytest.mark.parametrize("processors", [1, 2, 3])
def test_a_process_that_is_killed_hinders_nothing(
    store: Store, alone: object, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    monkeypatch.setattr(own_process, "processors", lambda: processors)
    take, count = ahead.Ahead.take, iter(range(100))

    def killing(self: ahead.Ahead, session_id: str) -> object:
        process = self.processes[0]
        if next(count) == 3 and process is not None:
            process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            process.wait()
        return take(self, session_id)

    monkeypatch.setattr(ahead.Ahead, "take", killing)
    found = index.open(store)
    found.refresh(rebuild=True)
    assert rows(found) == alone


def test_a_build_that_was_killed_is_made_good_by_the_next(
    store: Store, alone: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def stop(done: int, all: int) -> None:
        if done > 4:
            raise Killed

    monkeypatch.setattr(refresh, "PART", 5)
    found = index.open(store)
    with pytest.raises(Killed):
        found.refresh(stop, rebuild=True)
    assert found.query("SELECT count(*) FROM sessions") == [(5,)]
    assert not indexes(found)
    found.refresh()
    assert rows(found) == alone
    assert indexes(found)
    assert found.search("s*")


def test_a_broken_session_is_named_and_the_others_are_there(store: Store, alone: object) -> None:
    state = fold(BROKEN, [Event("s", AT, "start", {"goal": "Half"}, 1)]).doc
    files = {"session.toml": codec.dumps(state), "events.toml": b"[[event]]\nid = "}
    store.repo.swap(SESSIONS + BROKEN, store.repo.write_batch(files, [], "x"), None, "x")
    found = index.open(store)
    try:
        done = found.refresh(rebuild=True)
        assert [BROKEN[:8] in e.message for e in done.broken] == [True]
        assert found.query("SELECT goal FROM sessions WHERE id = ?", (BROKEN,)) == [("Half",)]
    finally:
        store.delete(BROKEN)
    found.refresh()
    assert rows(found) == alone


def test_many_new_sessions_beside_known_ones_are_searched_too(store: Store, alone: object) -> None:
    found = index.open(store)
    found.refresh(rebuild=True)
    words = found.query("SELECT text FROM messages LIMIT 1")[0][0].split()[0].strip(".")
    hits = len(found.search(words, limit=1000))
    gone = [row[0] for row in found.query("SELECT id FROM sessions ORDER BY started_at DESC LIMIT 3")]
    tips = {i: store.repo.tip(SESSIONS + i) for i in gone}
    for session_id, tip in tips.items():
        store.repo.swap(SESSIONS + session_id, None, tip, "x")
    found.refresh()
    for session_id, tip in tips.items():
        store.repo.swap(SESSIONS + session_id, tip, None, "x")
    assert found.refresh().sessions == 3
    assert len(found.search(words, limit=1000)) == hits
    assert len(indexes(found)) > 10
