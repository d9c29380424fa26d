"""Archives travel with the sessions, and a session that stands in one gets no second place by a sync."""

from __future__ import annotations

from git_agent_session import sync
from git_agent_session.store import archive, purge, purged
from tests.sync.team import SESSIONS, Clone, Team, agree, content


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


def test_with_a_selection_an_archive_goes_only_where_all_its_sessions_fit(team: Team, ada: Clone) -> None:
    mine, other = ended(ada), ada.store.start(goal="x", agent="codex", user="Eve <eve@example.org>").id
    ada.store.end(other)
    archive.run(ada.store, older_than=0)
    sync.push(ada.store, "origin", select=sync.Selection(user="ada@example.org"))
    assert team.server.lines("for-each-ref", SESSIONS) == []
    # one that is asked for by name goes alone
    sync.push(ada.store, "origin", select=sync.Selection(sessions=[mine]))
    assert team.server.lines("for-each-ref", "--format=%(refname)", SESSIONS) == [SESSIONS + mine]
    sync.push(ada.store, "origin", select=sync.Selection(sessions=[mine, other]))
    assert any("archive/" in ref for ref in team.server.lines("for-each-ref", "--format=%(refname)", SESSIONS))


def test_what_was_purged_here_comes_back_when_it_is_forgotten_and_not_before(
    team: Team, ada: Clone, bob: Clone
) -> None:
    secret, fine = ended(ada), ended(ada)
    ada.sync()
    bob.sync()
    purge.purge(bob.store, [secret])
    for _ in range(2):
        bob.sync()
        assert bob.store.ids() == {fine}
        assert [ref for ref in bob.tips("refs/") if secret in ref] == []
    assert secret in ada.store.ids()
    purged.forget(bob.store.shared, [secret])
    bob.sync()
    assert bob.store.ids() == {fine, secret}


def test_an_archive_with_a_purged_session_is_named_and_its_others_come_in(team: Team, ada: Clone, bob: Clone) -> None:
    secret, fine = ended(ada), ended(ada)
    archive.run(ada.store, older_than=0)
    ada.sync()
    purged.remember(bob.store.shared, [secret])
    report = sync.fetch(bob.store, "origin")
    assert [r.reason[:20] for r in report.latest() if r.status == "broken"] == [f"it has session {secret[:8]}"[:20]]
    assert bob.store.ids() == {fine}


def test_what_is_said_tells_archives_from_notes(ada: Clone, bob: Clone) -> None:
    ended(ada)
    archive.run(ada.store, older_than=0)
    assert ada.cli("push").stdout.endswith("\norigin: 1 archive\n")
    assert bob.cli("fetch").stdout.endswith("\norigin: 1 archive\n")


def test_what_two_record_who_archive_in_different_months_is_joined(ada: Clone, bob: Clone) -> None:
    session = ended(ada)
    ada.sync()
    bob.sync()
    for clone, month in ((ada, "2026-01"), (bob, "2026-02")):
        clone.store.resume(session)
        clone.store.log(session, "note", f"by {clone.path.name}")
        clone.store.end(session)
        repo = clone.store.repo
        archive.add(repo, month, {session: clone.tips()[SESSIONS + session]})
        clone.git("update-ref", "-d", SESSIONS + session)
    for clone in (ada, bob, ada):
        clone.sync()
    agree([ada, bob])
    assert {"by ada", "by bob"} <= {e.data.get("text") for e in ada.store.history(session)}
    archive.run(bob.store, older_than=0)
    for clone in (bob, ada):
        clone.sync()
    agree([ada, bob])
    assert SESSIONS + session not in ada.tips()
    assert {"by ada", "by bob"} <= {e.data.get("text") for e in ada.store.history(session)}
