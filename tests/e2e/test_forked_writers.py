"""Writers forked from one process share libgit2's names for temporary files, also those that killed ones left."""

from __future__ import annotations

import os
import signal

import pytest

import git_agent_session
from tests.harness import Repo

resource = pytest.importorskip("resource")

# libgit2 gives up after 32 names that are taken
NAMES = 32


def die_writing(repo: Repo) -> int:
    """Fork a process that the system kills at the first byte of an object, and return the signal."""
    pid = os.fork()
    if pid == 0:
        writer = git_agent_session.open(str(repo.path)).repo
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        try:
            writer.write_batch({"session.toml": os.urandom(300)}, [], "never ends")
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])


def test_what_killed_writers_left_stops_no_other(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="survive").id
    objects = repo.path / ".git" / "objects"
    for _ in range(NAMES + 4):
        assert die_writing(repo) == signal.SIGXFSZ
    assert len(list(objects.glob("tmp_*"))) == NAMES + 4
    store.append(session_id, "interaction", {"type": "note", "text": "survives"})
    store.drain(session_id)
    assert [e.data["text"] for e in store.history(session_id) if e.kind == "interaction"] == ["survives"]
    assert store.get(session_id).counts["events"] == 2
