"""Two chains of one session are joined: the same events, the same state, the same commit, whoever joins them."""

from __future__ import annotations

import pytest

from git_agent_session import sync
from git_agent_session.store import union
from tests.sync.team import Clone, agree


def shared(ada: Clone, bob: Clone) -> str:
    """A session that both have."""
    session = ada.store.start(goal="shared", agent="codex").id
    ada.sync()
    bob.sync()
    return session


def test_a_clone_gets_sessions_and_notes_by_one_fetch(ada: Clone, bob: Clone) -> None:
    session = ada.store.start(goal="first contact", agent="codex").id
    commit = ada.git("rev-parse", "HEAD")
    ada.store.link(session, [commit])
    ada.sync()
    report = sync.fetch(bob.store, "origin")
    assert [(r.session, r.status) for r in report.results if r.session] == [(session, "new")]
    assert bob.store.get(session).goal == "first contact"
    assert list(bob.notes()) == [commit]


def test_what_the_remote_has_more_of_moves_the_ref_forward(ada: Clone, bob: Clone) -> None:
    session = shared(ada, bob)
    ada.store.log(session, "note", "one more")
    ada.sync()
    report = sync.fetch(bob.store, "origin")
    assert [r.status for r in report.results if r.session] == ["updated"]
    assert bob.tips() == ada.tips()


def diverged(ada: Clone, bob: Clone) -> str:
    session = shared(ada, bob)
    for clone, text in ((ada, "by ada"), (bob, "by bob")):
        clone.store.log(session, "note", text)
        clone.store.drain(session)
    return session


def test_two_chains_become_a_commit_with_two_parents_and_no_events(ada: Clone, bob: Clone) -> None:
    session = diverged(ada, bob)
    tips = {clone.tips()[f"refs/agent-sessions/{session}"] for clone in (ada, bob)}
    ada.sync()
    report = bob.sync()
    assert "merged" in {r.status for r in report.results if r.session == session}
    tip = f"refs/agent-sessions/{session}"
    assert set(bob.git("log", "-1", "--format=%P", tip).split()) == tips
    assert bob.git("show", f"{tip}:events.toml") == ""
    assert {e.data.get("text") for e in bob.store.history(session)} >= {"by ada", "by bob"}


def test_both_sides_joining_at_once_make_the_same_commit(ada: Clone, bob: Clone) -> None:
    session = diverged(ada, bob)
    ref = f"refs/agent-sessions/{session}"
    mine, theirs = ada.tips()[ref], bob.tips()[ref]
    ada.git("fetch", "-q", str(bob.path), ref)
    bob.git("fetch", "-q", str(ada.path), ref)
    bob.git("config", "user.name", "Somebody Else")
    one = union.join(ada.store.repo, session, (mine, theirs))
    assert one == union.join(bob.store.repo, session, (theirs, mine))


def test_the_state_after_a_join_is_that_of_all_events_in_order(ada: Clone, bob: Clone) -> None:
    session = shared(ada, bob)
    ada.store.end(session, status="failed")
    bob.store.tag(session, add=["late"])
    bob.store.usage(session, input_tokens=5)
    bob.sync()
    ada.sync()
    bob.sync()
    agree([ada, bob])
    state = ada.store.get(session)
    assert (state.status, state.tags, state.usage["input_tokens"]) == ("failed", ("late",), 5)
    assert state.counts["events"] == len(ada.store.history(session))


def test_one_id_on_both_sides_counts_once_and_the_first_in_order_on_both(ada: Clone, bob: Clone) -> None:
    session = shared(ada, bob)
    bob.store.log(session, "note", "so that bob's clock is ahead")
    for clone, amount in ((ada, 1), (bob, 100)):
        clone.store.append(session, "usage", {"input_tokens": amount}, id="same")
        clone.store.drain(session)
    bob.sync()
    ada.sync()
    bob.sync()
    agree([ada, bob])
    assert ada.store.get(session).usage["input_tokens"] == 1


def test_one_id_with_one_clock_is_the_same_event_whoever_looks(ada: Clone, bob: Clone) -> None:
    session = shared(ada, bob)
    for clone, text in ((ada, "x"), (bob, "y")):
        clone.store.append(session, "message", {"role": "user", "text": text}, id="same")
        clone.store.drain(session)
    bob.sync()
    ada.sync()
    bob.sync()
    agree([ada, bob])
    # at a join anew, with the older of the two known first
    carl = Clone(ada.path.parent / "carl")
    ada.run("git", "clone", "-q", str(ada.path), str(carl.path), check=True)
    sync.fetch(carl.store, str(bob.path))
    assert [e.data["text"] for e in carl.store.history(session) if e.id == "same"] == [
        e.data["text"] for e in ada.store.history(session) if e.id == "same"
    ]


def test_sessions_of_one_agent_begun_apart_meet_in_one(ada: Clone, bob: Clone) -> None:
    from git_agent_session.model import Agent

    for clone in (ada, bob):
        session = clone.store.start(goal=clone.path.name, agent=Agent("codex", native_id="own")).id
    ada.sync()
    bob.sync()
    ada.sync()
    agree([ada, bob])
    assert ada.store.get(session).counts["events"] == 2


def test_links_made_on_both_sides_of_one_commit_stand_in_one_note(ada: Clone, bob: Clone) -> None:
    commit = ada.git("rev-parse", "HEAD")
    bob.git("fetch", "-q", str(ada.path), "main")
    bob.git("reset", "-q", "--hard", "FETCH_HEAD")
    ids = {clone.store.start(goal="x", agent="codex").id for clone in (ada, bob)}
    for clone in (ada, bob):
        clone.store.link(None, [commit])
    ada.sync()
    bob.sync()
    ada.sync()
    agree([ada, bob])
    assert all(i in ada.notes()[commit] for i in ids)


def test_a_link_that_was_taken_back_stays_away_when_the_other_notes_have_it(ada: Clone, bob: Clone) -> None:
    session = ada.store.start(goal="x", agent="codex").id
    commit = ada.git("rev-parse", "HEAD")
    ada.store.link(session, [commit])
    ada.sync()
    bob.sync()
    other = bob.store.start(goal="y", agent="codex").id
    bob.git("fetch", "-q", str(ada.path), "main")
    bob.store.link(other, [commit])
    ada.store.unlink(session, [commit])
    bob.sync()
    ada.sync()
    bob.sync()
    agree([ada, bob])
    assert session not in ada.notes()[commit]
    assert other in ada.notes()[commit]


def test_lines_of_others_in_a_note_are_kept_from_both_sides(ada: Clone, bob: Clone) -> None:
    session = ada.store.start(goal="x", agent="codex").id
    ada.store.link(session, ["HEAD"])
    commit = ada.git("rev-parse", "HEAD")
    ada.sync()
    bob.sync()
    bob.git("fetch", "-q", str(ada.path), "main")
    for clone in (ada, bob):
        clone.git("notes", "--ref=agent-sessions", "append", "-m", f"reviewed by {clone.path.name}", commit)
    ada.sync()
    bob.sync()
    ada.sync()
    assert ada.notes() == bob.notes()
    assert {"reviewed by ada", "reviewed by bob"} <= set(ada.notes()[commit].splitlines())
    assert session in ada.notes()[commit]


def test_a_second_sync_has_nothing_to_do(ada: Clone, bob: Clone) -> None:
    diverged(ada, bob)
    ada.sync()
    bob.sync()
    ada.sync()
    for clone in (ada, bob):
        before = clone.tips("refs/")
        assert not [r for r in clone.sync().latest() if r.moved]
        assert clone.tips("refs/") == before


def test_which_of_two_with_one_id_counts_does_not_depend_on_which_was_read_first() -> None:
    from itertools import permutations

    from git_agent_session.model import Event
    from git_agent_session.store.order import in_order

    early, late = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"
    same = [
        Event("x", late, "message", {"text": "a"}, 5),
        Event("x", early, "message", {"text": "c"}, 5),
        Event("x", early, "message", {"text": "b"}, 5),
        Event("w", late, "message", {}, 5),
    ]
    found = {tuple(e.data.get("text") for e in in_order(given)) for given in permutations(same)}
    assert found == {(None, "b")}


def linked(ada: Clone, bob: Clone) -> tuple[str, str]:
    """A session that both have, and the commit that it is linked to."""
    session = ada.store.start(goal="x", agent="codex").id
    commit = ada.git("rev-parse", "HEAD")
    ada.store.link(session, [commit])
    ada.sync()
    bob.sync()
    bob.git("fetch", "-q", str(ada.path), "main")
    return session, commit


def test_a_link_that_was_taken_back_stays_away_when_notes_have_nothing_in_common(ada: Clone, bob: Clone) -> None:
    session, commit = linked(ada, bob)
    bob.store.unlink(session, [commit])
    bob.git("update-ref", "-d", "refs/notes/agent-sessions")
    bob.store.link(bob.store.start(goal="y", agent="codex").id, [bob.commit("mine")])
    bob.sync()
    ada.sync()
    agree([ada, bob])
    assert commit not in ada.notes()


@pytest.mark.parametrize("also", [False, True], ids=["deleted alone", "ours went on"])
def test_who_deletes_a_session_for_oneself_takes_no_notes_from_others(ada: Clone, bob: Clone, also: bool) -> None:
    session, commit = linked(ada, bob)
    if also:
        ada.store.link(session, [ada.commit("more")])
    before = ada.notes()
    bob.store.delete(session)
    sync.push(bob.store, "origin")
    ada.sync()
    assert ada.notes() == before
    assert [(w.session.id, w.link.primary) for w in ada.store.which(commit)] == [(session, True)]
    bob.sync()
    agree([ada, bob])


def test_a_commit_that_both_sides_linked_has_one_main_session(ada: Clone, bob: Clone) -> None:
    commit = ada.git("rev-parse", "HEAD")
    bob.git("fetch", "-q", str(ada.path), "main")
    for clone in (ada, bob):
        clone.store.link(clone.store.start(goal="x", agent="codex").id, [commit])
    ada.sync()
    bob.sync()
    ada.sync()
    agree([ada, bob])
    assert [w.link.primary for w in ada.store.which(commit)] == [True, False]
