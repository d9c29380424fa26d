"""Links through rewritten history: what an amend or a rebase replaces, undoes or only seems to replace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.git import notes
from git_agent_session.store import links
from git_agent_session.store.store import Store
from tests.harness import Repo

NONE = {"GIT_AGENT_SESSION": "none"}


def subjects(repo: Repo, store: Store, session: str) -> list[str]:
    """The subjects of a session's commits, with a mark on those that HEAD does not reach."""
    reached = set(repo.lines("rev-list", "HEAD"))
    made = [link.commit for link in store.commits(session)]
    return sorted(repo.git("log", "-1", "--format=%s", c) + ("" if c in reached else " (gone)") for c in made)


def noted(repo: Repo, commit: str = "HEAD") -> list[tuple[str, bool]]:
    text = repo.git("log", "-1", "--format=%N", "--notes=agent-sessions", commit, "--")
    return [(n.session_id, n.primary) for n in links.parse(text)]


def edit_todo(tmp_path: Path, script: str) -> dict[str, str]:
    path = tmp_path / "todo-editor"
    path.write_text(f'#!/bin/sh\nsed -e "{script}" "$1" >"$1.x" && mv "$1.x" "$1"\n')
    path.chmod(0o755)
    return {"GIT_SEQUENCE_EDITOR": str(path), "GIT_EDITOR": "true"}


@pytest.mark.parametrize("ended", [True, False])
def test_many_amends_in_a_row(hooked: Repo, store: Store, session: str, ended: bool) -> None:
    hooked.commit("one")
    if ended:
        store.end(session)
    else:
        store.drain(session)
    for n in range(5):
        hooked.git("commit", "-q", "--amend", "--allow-empty", "-m", f"v{n}")
    assert subjects(hooked, store, session) == ["v4"]
    assert noted(hooked) == [(session, True)]
    assert store.get(session).counts["commits"] == 1


def test_counts_follow_an_amend_at_once(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("one")
    hooked.git("commit", "-q", "--amend", "--allow-empty", "-m", "two")
    fresh = git_agent_session.open(str(hooked.path))
    assert fresh.list()[0].counts["commits"] == fresh.get(session).counts["commits"] == 1


@pytest.mark.parametrize("coarse", [True, False])
def test_many_rebases_in_a_row_read_at_once(hooked: Repo, store: Store, session: str, coarse: bool) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    for name in "abc":
        hooked.commit(name, files={name: "1\n"})
    store.end(session)
    for n in range(3):
        hooked.git("checkout", "-q", "main")
        hooked.commit(f"base {n}", files={f"base{n}": "1\n"})
        hooked.git("rebase", "-q", "main", "topic")
    if coarse:
        for path in (hooked.path / ".git/agent-session/rewrites").iterdir():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    assert subjects(hooked, store, session) == ["a", "b", "c"]


def test_a_rebase_that_was_undone_and_done_again(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("work", files={"a": "1\n"})
    before = hooked.git("rev-parse", "HEAD")
    store.end(session)
    hooked.git("checkout", "-q", "main")
    hooked.commit("base", files={"b": "1\n"})
    hooked.git("rebase", "-q", "main", "topic")
    assert subjects(hooked, store, session) == ["work"]
    hooked.git("reset", "-q", "--hard", before)
    assert subjects(hooked, store, session) == ["work"]
    assert [w.session.id for w in store.which("HEAD")] == [session]
    hooked.git("checkout", "-q", "main")
    hooked.commit("base again", files={"c": "1\n"})
    hooked.git("rebase", "-q", "main", "topic")
    assert "work" in subjects(hooked, store, session)
    assert [w.link.via for w in store.which("HEAD")] == ["active"]


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("live", [True, False])
def test_a_commit_made_by_hand_at_an_edit_stop_takes_no_links(
    hooked: Repo, store: Store, session: str, tmp_path: Path, moved: bool, live: bool
) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    author = {"GIT_AUTHOR_DATE": "1700000000 +0000"}
    for name in "abc":
        hooked.commit(name, files={name: "1\n"}, env=author)
    store.end(session)
    if moved:
        hooked.git("checkout", "-q", "main")
        hooked.commit("base", files={"base": "1\n"})
        hooked.git("checkout", "-q", "topic")
    base = "main" if moved else "HEAD~3"
    hooked.git("rebase", "-q", "-i", base, env=edit_todo(tmp_path, "2s/pick/edit/"))
    other = store.start(goal="other").id if live else ""
    hooked.commit("by hand", files={"hand": "1\n"})
    hooked.git("rebase", "--continue", env={"GIT_EDITOR": "true"})
    assert subjects(hooked, store, session) == ["a", "b", "c"]
    by_hand = hooked.git("log", "-1", "--format=%H", "--grep=by hand")
    assert noted(hooked, by_hand) == ([(other, True)] if live else [])
    if live:
        assert subjects(hooked, store, other) == ["by hand"]


def test_a_squash_of_two_sessions_work_belongs_to_both(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    hooked.commit("one", files={"a": "1\n"})
    other = store.start(goal="other", agent="gemini").id
    hooked.commit("two", files={"b": "1\n"}, env={"GIT_AUTHOR_NAME": "Somebody Else"})
    hooked.git("rebase", "-q", "-i", "HEAD~2", env=edit_todo(tmp_path, "2s/pick/squash/"))
    assert subjects(hooked, store, session) == subjects(hooked, store, other) == ["one"]
    assert noted(hooked) == sorted([(session, True), (other, False)])


def test_an_amend_by_another_session_leaves_one_primary(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("one")
    other = store.start(goal="other", agent="gemini").id
    hooked.git("commit", "-q", "--amend", "--allow-empty", "-m", "two")
    assert [w.session.id for w in store.which("HEAD")] == [session, other]
    assert sorted(noted(hooked)) == sorted([(session, True), (other, False)])
    store.link(other, ["HEAD"], primary=True)
    assert sorted(noted(hooked)) == sorted([(session, False), (other, True)])


def test_a_link_survives_the_loss_of_the_notes(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("one")
    store.drain(session)
    hooked.git("update-ref", "-d", "refs/notes/agent-sessions")
    hooked.git("commit", "-q", "--amend", "--allow-empty", "-m", "two", env=NONE)
    assert subjects(hooked, store, session) == ["two"]
    assert noted(hooked) == [(session, True)]


def test_a_note_that_could_not_be_written_at_a_drain_comes_with_the_next(
    hooked: Repo, store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = hooked.path / ".git/refs/notes/agent-sessions.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    hooked.commit("one")
    monkeypatch.setattr("git_agent_session.git.repository.WAIT_SECONDS", 0.05)

    def refuse(*args: object) -> None:
        raise git_agent_session.AgentSessionError("the notes are locked")

    monkeypatch.setattr(notes, "update", refuse)
    with pytest.raises(git_agent_session.AgentSessionError):
        store.drain(session)
    monkeypatch.undo()
    lock.unlink()
    assert noted(hooked) == []
    store.drain(session)
    assert noted(hooked) == [(session, True)]
    assert store.get(session).counts["commits"] == 1


def test_a_note_without_an_event_is_not_confirmed(hooked: Repo, store: Store, session: str) -> None:
    store.end(session)
    text = f'sessions.{session} = {{ agent = "x", primary = true }}'
    hooked.git("notes", "--ref=agent-sessions", "add", "-m", text, "HEAD")
    assert [w.link.via for w in store.which("HEAD")] == ["note"]
    assert store.commits(session) == []


def test_notes_of_others_come_out_as_they_went_in(hooked: Repo, store: Store, session: str) -> None:
    (hooked.path / "odd").write_bytes(b"caf\xe9\n")
    hooked.git("notes", "--ref=agent-sessions", "add", "-F", "odd", "HEAD")
    large = hooked.commit("large", env=NONE)
    (hooked.path / "large").write_bytes(b"y" * 1_200_000)
    hooked.git("notes", "--ref=agent-sessions", "add", "-F", "large", large)
    store.link(session, ["HEAD~1", large])
    blob = hooked.git("notes", "--ref=agent-sessions", "list", "HEAD~1")
    assert os.fsencode(hooked.git("cat-file", "-p", blob)).startswith(b"caf\xe9\nsessions.")
    assert len(hooked.git("notes", "--ref=agent-sessions", "show", large)) == 1_200_000
    assert {link.commit for link in store.commits(session)} == {large, hooked.git("rev-parse", "HEAD~1")}
