"""The large repository of the benchmarks is one that the store would have written."""

from __future__ import annotations

from pathlib import Path

import git_agent_session
from benchmarks import large
from git_agent_session import index
from git_agent_session.model import fold
from tests.harness import Repo


def test_a_made_repository_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    size = large.Size(3, 72, 6)
    path = large.repository(tmp_path, size)
    store = git_agent_session.open(str(path))
    sessions = store.list()
    assert len(sessions) == 3 and not store.broken
    for session in sessions:
        events = store.history(session.id)
        assert len(events) == 24
        assert fold(session.id, events).doc == session.doc
        links = store.commits(session.id)
        assert [store.which(link.commit)[0].session.id for link in links] == [session.id] * 2
        assert all(store.repo.changed_paths(link.commit)[0] == list(link.paths) for link in links)
    assert large.repository(tmp_path, size) == path
    again = Repo(large.repository(tmp_path / "again", size))
    assert again.git("rev-parse", "main") == Repo(path).git("rev-parse", "main")
    assert git_agent_session.open(str(again.path)).repo.sessions() == store.repo.sessions()


def test_the_index_takes_all_of_it(tmp_path: Path) -> None:
    path = large.repository(tmp_path, large.Size(3, 72, 6))
    found = index.open(git_agent_session.open(str(path)))
    done = found.refresh()
    assert (done.sessions, done.events, done.broken) == (3, 72, ())
    assert found.query("SELECT count(*) FROM commits") == [(6,)]
