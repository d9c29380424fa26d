"""Archives travel with the sessions, and a session that stands in one gets no second place by a sync."""

from __future__ import annotations

from git_agent_session.store import archive
from tests.sync.team import SESSIONS, Clone, content


def ended(clone: Clone) -> str:
    session = clone.store.start(goal=clone.path.name, agent="codex", activate=False).id
    clone.store.end(session)
    return session


def test_an_archive_comes_over_whole(ada: Clone, bob: Clone) -> None:
    ids = {ended(ada), ended(ada)}
    archive.run(ada.store, older_than=0)
    ada.sync()
    bob.sync()
    assert bob.store.ids() == ids
    assert content(bob) == content(ada)
    assert not [ref for ref in bob.tips() if ref.removeprefix(SESSIONS) in ids]


def test_two_archives_of_one_month_are_joined(ada: Clone, bob: Clone) -> None:
    ids = {ended(ada), ended(bob)}
    for clone in (ada, bob):
        archive.run(clone.store, older_than=0)
    for clone in (ada, bob, ada):
        clone.sync()
    assert ada.store.ids() == bob.store.ids() == ids
    assert ada.tips() == bob.tips()


def test_a_sync_does_not_bring_back_the_ref_of_an_archived_session(ada: Clone, bob: Clone) -> None:
    session = ended(ada)
    ada.sync()
    bob.sync()
    archive.run(ada.store, older_than=0)
    for clone in (ada, bob, ada):
        clone.sync()
        assert clone.store.get(session).status == "completed"
    assert SESSIONS + session not in ada.tips()
    assert SESSIONS + session not in bob.tips()


def test_what_one_records_while_the_other_archives_is_kept(ada: Clone, bob: Clone) -> None:
    session = ended(ada)
    ada.sync()
    bob.sync()
    archive.run(ada.store, older_than=0)
    bob.store.resume(session)
    bob.store.log(session, "note", "one more thing")
    for clone in (ada, bob, ada, bob):
        clone.sync()
    assert content(ada) == content(bob)
    assert [e.data["text"] for e in ada.store.history(session) if e.kind == "interaction"] == ["one more thing"]
