"""Several sync the same session at the same moment: each gets through, and nothing is missing."""

from __future__ import annotations

import os
import traceback

import pytest

from git_agent_session.git import notes
from tests.sync.team import SESSIONS, Team, agree

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="those who sync are forked")

PEOPLE, ROUNDS = 4, 3


@pytest.mark.large
def test_four_who_sync_at_once_all_get_through(team: Team) -> None:
    clones = [team.clone(f"clone{n}") for n in range(PEOPLE)]
    for clone in clones:
        clone.commit("root")
    session = clones[0].store.start(goal="shared", agent="codex").id
    for clone in clones:
        clone.sync()
    children = []
    for n, clone in enumerate(clones):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for turn in range(ROUNDS):
                    clone.store.append(session, "message", {"text": "x"}, id=f"by-{n}-{turn}")
                    clone.store.link(session, [clone.commit(f"{n} {turn}")])
                    clone.sync()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * PEOPLE
    for clone in clones:
        clone.sync()
    for clone in clones:
        clone.sync()
    agree(clones)
    found = {e.id for e in clones[0].store.history(session)}
    assert {f"by-{n}-{turn}" for n in range(PEOPLE) for turn in range(ROUNDS)} <= found
    assert len(clones[0].notes()) == PEOPLE * ROUNDS
    assert set(team.server.git("for-each-ref", "--format=%(refname)").split()) == {SESSIONS + session, notes.REF}
