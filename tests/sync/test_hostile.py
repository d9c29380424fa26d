"""What a remote may hold that nobody should have pushed: each is named and left out, and all else still syncs."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from git_agent_session import sync
from git_agent_session.bounds import MAX_CLOCK
from git_agent_session.git import notes
from git_agent_session.git.repository import Repository
from git_agent_session.store import archive_check, checking
from tests.sync.team import SESSIONS, TRACKED, Clone, Team, agree

BAD = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
AT = "2026-01-01T00:00:00.000Z"


def event(id: str = "s", clock: object = 1, kind: str = "start", more: str = "") -> str:
    return f'[[event]]\nid = "{id}"\nat = "{AT}"\nkind = "{kind}"\nclock = {clock}\n{more}# end\n'


def state(id: str = BAD, clock: int = 1, more: str = "") -> str:
    return (
        f'schema = 1\nid = "{id}"\nstatus = "active"\nstarted_at = "{AT}"\nupdated_at = "{AT}"\nclock = {clock}\n{more}'
    )


@pytest.fixture
def good(ada: Clone, team: Team) -> str:
    """An honest session that is on the server too."""
    session = ada.store.start(goal="honest", agent="codex").id
    ada.store.link(session, ["HEAD"])
    ada.sync()
    return session


def refused(bob: Clone, good: str) -> str:
    """Fetch: the honest session is here, the other is not, and this is what is said of it."""
    report = sync.fetch(bob.store, "origin")
    assert not report.errors
    assert [s.id for s in bob.store.list()] == [good]
    assert bob.store.broken == []
    assert SESSIONS + BAD not in bob.tips()
    found = [r for r in report.latest() if r.status == "broken"]
    assert [r.session for r in found] == [BAD]
    # what was recorded here meanwhile goes out all the same
    bob.store.log(good, "note", "still working")
    bob.sync()
    return found[0].reason


def blob(team: Team, text: str) -> str:
    return team.server.git("hash-object", "-w", "--stdin", input=text)


def test_a_ref_to_a_blob(team: Team, bob: Clone, good: str) -> None:
    team.raw(SESSIONS + BAD, blob(team, "x"))
    assert "its commit is a blob" in refused(bob, good)


def test_a_ref_to_a_tree(team: Team, bob: Clone, good: str) -> None:
    team.raw(SESSIONS + BAD, team.server.git("mktree", input=""))
    assert "its commit is a tree" in refused(bob, good)


def test_a_ref_to_a_tag(team: Team, bob: Clone, good: str) -> None:
    commit = team.batch(state(), event())
    tag = f"object {commit}\ntype commit\ntag x\ntagger A <a@b> 1700000000 +0000\n\nx\n"
    team.raw(SESSIONS + BAD, team.server.git("mktag", input=tag))
    assert "its commit is a tag" in refused(bob, good)


@pytest.mark.parametrize("name", ["not-an-id", "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA", "a/b/c", "$(x)", "archive/x"])
def test_a_ref_that_is_no_session_id_is_passed_over(team: Team, ada: Clone, bob: Clone, good: str, name: str) -> None:
    team.raw(SESSIONS + name, team.batch(state(), event()))
    report = bob.sync()
    assert [r.ref for r in report.latest() if r.status == "ignored"] == [SESSIONS + name]
    assert list(bob.tips()) == [SESSIONS + good]
    done = bob.cli("sync")
    assert done.returncode == 0
    assert "its name is no session id" in done.stderr


BATCHES = {
    "no state": ("", event(), "no session.toml"),
    "another's state": (state("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"), event(), "not the state of this session"),
    "no TOML": (state(), "[[event", "events.toml of batch"),
    "an id with a path": (state(), event("../../x"), "an event's id cannot be"),
    "deep nesting": (state(), event(more=f"x = {'[' * 5000}{']' * 5000}\n"), "events.toml of batch"),
    "a later schema": (state().replace("schema = 1", "schema = 9"), event(), "schema is newer"),
    "a clock at its end": (state(clock=MAX_CLOCK), event(clock=MAX_CLOCK), "leaves no room"),
    "a state behind its events": (state(), event(clock=1000), "older than its events"),
    "a large state": (state(more=f'x = "{"y" * 5_000_000}"\n'), event(), "more than 4194304"),
    "a large batch": (state(), event(more=f'x = "{"y" * 34_000_000}"\n'), "more than 33554432"),
    "a million tables": (state(), event(more=f"x = [{'{},' * 1_100_000}]\n"), "more than 1000000 tables"),
}


@pytest.mark.parametrize("what", BATCHES)
def test_a_batch_that_cannot_be(team: Team, bob: Clone, good: str, what: str) -> None:
    state, events, reason = BATCHES[what]
    team.raw(SESSIONS + BAD, team.batch(state, events))
    assert reason in refused(bob, good)


def test_an_earlier_batch_that_cannot_be_read(team: Team, bob: Clone, good: str) -> None:
    first = team.batch(state(), "not TOML at all")
    team.raw(SESSIONS + BAD, team.batch(state(clock=2), event("t", 2), first))
    assert first[:10] in refused(bob, good)


def test_a_bad_batch_on_top_of_a_session_that_is_here(team: Team, ada: Clone, bob: Clone, good: str) -> None:
    bob.sync()
    before = bob.tips()
    honest = team.server.git("rev-parse", SESSIONS + good)
    team.raw(SESSIONS + good, team.batch(state(good, 99), "x =", honest))
    report = sync.sync(bob.store, "origin", patience=0)
    assert {r.status for r in report.latest() if r.session == good and r.direction == "received"} == {"broken"}
    assert bob.tips() == before
    assert bob.store.get(good).goal == "honest"
    # and what is recorded on ours is not lost: it waits here until theirs can be read
    bob.store.log(good, "note", "mine")
    report = sync.sync(bob.store, "origin", patience=0)
    assert [r.status for r in report.latest() if r.session == good and r.direction == "sent"] == ["rejected"]


def test_one_id_twice_counts_once(team: Team, bob: Clone, good: str) -> None:
    events = event() + event("x", 2, "usage", "input_tokens = 1\n") + event("x", 3, "usage", "input_tokens = 9\n")
    team.raw(SESSIONS + BAD, team.batch(state(clock=3), events))
    bob.sync()
    assert [e.data.get("input_tokens") for e in bob.store.history(BAD)] == [None, 1]


def test_a_history_that_is_not_there(team: Team, bob: Clone, good: str) -> None:
    gone = team.batch(state(), event())
    tip = team.batch(state(clock=2), event("t", 2), gone)
    team.raw(SESSIONS + BAD, tip)
    path = team.server.path / "objects" / gone[:2] / gone[2:]
    path.unlink()
    # the server itself cannot send it, and then sends nothing: once it is mended all comes
    assert sync.fetch(bob.store, "origin").errors
    team.server.git("update-ref", "-d", SESSIONS + BAD)
    bob.sync()
    assert [s.id for s in bob.store.list()] == [good]


def test_control_characters_reach_no_terminal(team: Team, bob: Clone, good: str) -> None:
    team.raw(SESSIONS + BAD, team.batch(state(), event(id="\\u001b[31mred")))
    done = bob.cli("fetch")
    assert "\x1b" not in done.stdout + done.stderr
    assert BAD[:8] in done.stderr


def test_a_server_that_says_escape_sequences(team: Team, ada: Clone, good: str) -> None:
    hook = team.server.path / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nprintf '\\033[31mred\\007\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    ada.store.log(good, "note", "x")
    done = ada.cli("push")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr


def noted(team: Team, path: str, text: str) -> None:
    """A note on the server, on top of those that are there."""
    old = team.server.git("rev-parse", notes.REF)
    rows = team.server.git("ls-tree", notes.REF)
    tree = team.server.git("mktree", input=f"{rows}\n100644 blob {blob(team, text)}\t{path}\n")
    team.raw(notes.REF, team.server.git("commit-tree", tree, "-p", old, "-m", "x"))


@pytest.mark.parametrize(
    "text", ["x" * 2_000_000, "\x00\x01\x02", "\x1b]0;title\x07"], ids=["large", "binary", "escapes"]
)
@pytest.mark.parametrize("had", [False, True], ids=["first contact", "later"])
def test_a_note_that_is_none(team: Team, ada: Clone, bob: Clone, good: str, text: str, had: bool) -> None:
    if had:
        bob.sync()
    noted(team, "d" * 40, text)
    report = bob.sync()
    said = [r.reason for r in report.latest() if r.ref == notes.REF and r.direction == "received"]
    assert f"note on {'d' * 10}" in said[0]
    assert good in bob.notes()[ada.git("rev-parse", "HEAD")]
    # nobody who syncs after that gets it
    assert "d" * 40 not in bob.notes()
    ada.sync()
    agree([ada, bob])


def test_notes_that_are_no_tree_of_notes(team: Team, bob: Clone, good: str) -> None:
    team.raw(notes.REF, blob(team, "x"))
    report = sync.fetch(bob.store, "origin")
    assert [s.id for s in bob.store.list()] == [good]
    found = [r for r in report.latest() if r.ref == notes.REF]
    assert found[0].status == "broken"


@pytest.mark.parametrize("name", ["-x", "--upload-pack=touch x", "a\nb", " a"])
def test_a_remote_that_looks_like_an_option(ada: Clone, name: str) -> None:
    done = ada.cli("fetch", "--", name)
    assert done.returncode == 2
    assert "is no remote" in done.stderr


@pytest.mark.sync
def test_memory_stays_bounded(team: Team, bob: Clone, good: str) -> None:
    many = team.server.path / "many"
    many.write_bytes(b"[[event]]\n" * 20_000_000)
    large = team.server.git("hash-object", "-w", str(many))
    tree = team.server.git("mktree", input=f"100644 blob {large}\tevents.toml\n100644 blob {large}\tsession.toml\n")
    team.raw(SESSIONS + BAD, team.server.git("commit-tree", tree, "-m", "x"))
    many.unlink()
    # git has it first, in a process of its own; ours must not take what it refuses
    bob.git("fetch", "-q", "origin", f"+{SESSIONS}*:{TRACKED}*")
    code = "from git_agent_session import sync, open; print([x.status for x in sync.fetch(open(), 'origin').results])"
    limit = 150 * 1024 * 1024

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bob.path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small,
    )
    assert "'broken'" in done.stdout and "'new'" in done.stdout, (done.stdout, done.stderr)


# -- archives


MONTH = f"{SESSIONS}archive/2026-01"


def archived(team: Team, *rows: tuple[str, str], parents: tuple[str, ...] | None = None) -> str:
    """An archive on the server that names these sessions, whatever their tips are."""
    index = "".join(["schema = 1\n\n[sessions]\n", *(f'{i} = "{tip}"\n' for i, tip in rows)])
    tree = team.server.git("mktree", input=f"100644 blob {blob(team, index)}\tsessions.toml\n")
    kept = parents if parents is not None else tuple(dict.fromkeys(tip for _, tip in rows))
    given = [a for p in kept for a in ("-p", p)]
    return team.server.git("commit-tree", tree, *given, "-m", "archive")


@pytest.mark.parametrize(
    "what", [pytest.param(w, marks=pytest.mark.sync if "million" in w or "large" in w else ()) for w in BATCHES]
)
def test_a_session_in_an_archive_that_cannot_be_read_is_named_and_the_others_come_in(
    team: Team, bob: Clone, good: str, what: str
) -> None:
    states, events, reason = BATCHES[what]
    fine = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1"
    rows = (BAD, team.batch(states, events)), (fine, team.batch(state(fine), event()))
    team.raw(MONTH, archived(team, *rows))
    report = sync.fetch(bob.store, "origin")
    assert not report.errors
    (named,) = (r for r in report.latest() if r.status == "broken")
    assert named.session == BAD and reason in named.reason
    store = bob.store
    found = archive_check.Look(store.repo).unreadable(None, bob.tips()[MONTH])
    assert list(found) == [BAD] and reason in found[BAD].message
    assert {s.id for s in store.list()} >= {good, fine}
    assert store.get(fine).status == "active" and len(store.history(fine)) == 1
    done = bob.cli("show", BAD)
    if done.returncode == 0:
        done = bob.cli("history", BAD)
    assert done.returncode in (0, 1) and done.stderr.count("\n") <= 1 and "Traceback" not in done.stderr
    bob.store.log(good, "note", "still working")
    bob.sync()


def test_no_more_sessions_of_archives_are_looked_into_than_was_said(team: Team, bob: Clone, good: str) -> None:
    ids = [f"{n:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb" for n in range(3)]
    team.raw(MONTH, archived(team, *((i, team.batch(state(i), "not TOML")) for i in ids)))
    sync.fetch(bob.store, "origin")
    look = archive_check.Look(bob.store.repo, most=2)
    assert list(look.unreadable(None, bob.tips()[MONTH])) == ids[:2]
    assert look.unreadable(None, bob.tips()[MONTH]) == {}


def test_a_look_into_many_goes_on_in_another_process_and_finds_the_same(
    team: Team, bob: Clone, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "FEW", 2)
    ids = [f"{n:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb" for n in range(4)]
    texts = {i: event() if n % 2 else "not TOML" for n, i in enumerate(ids)}
    team.raw(MONTH, archived(team, *((i, team.batch(state(i), text)) for i, text in texts.items())))
    report = sync.fetch(bob.store, "origin")
    assert {r.session for r in report.latest() if r.status == "broken"} == {ids[0], ids[2]}
    found = archive_check.Look(bob.store.repo).unreadable(None, bob.tips()[MONTH])
    assert {i: e.message for i, e in found.items()} == {
        r.session: r.reason for r in report.latest() if r.status == "broken"
    }
    assert bob.store.ids() == {good, *ids}


def test_all_archives_of_a_fetch_are_looked_into_by_one_process(
    team: Team, bob: Clone, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[tuple[str, str]]] = []

    class Counted(checking.Helper):
        def __init__(self, repo: Repository, rows: list[tuple[str, str]]) -> None:
            started.append(rows)
            super().__init__(repo, rows)

    monkeypatch.setattr(checking, "FEW", 2)
    monkeypatch.setattr(checking, "Helper", Counted)
    ids = [f"{n:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb" for n in range(6)]
    for month, own in (("2026-01", ids[:3]), ("2026-02", ids[3:])):
        rows = ((i, team.batch(state(i), "not TOML" if i in (ids[1], ids[4]) else event())) for i in own)
        team.raw(f"{SESSIONS}archive/{month}", archived(team, *rows))
    report = sync.fetch(bob.store, "origin")
    assert {r.session for r in report.latest() if r.status == "broken"} == {ids[1], ids[4]}
    assert [sorted(i for i, _ in rows) for rows in started] == [ids]


def test_an_archive_ref_that_is_not_what_it_says_is_named_and_left_out(team: Team, bob: Clone, good: str) -> None:
    large = blob(team, "x" * 34_000_000)
    strange = {
        "2026-01": blob(team, "x"),
        "2026-02": team.server.git("mktree", input=""),
        "2026-03": team.batch(state(), event()),
        "2026-04": team.server.git(
            "commit-tree", team.server.git("mktree", input=f"100644 blob {large}\tsessions.toml\n"), "-m", "x"
        ),
    }
    for month, oid in strange.items():
        team.raw(f"{SESSIONS}archive/{month}", oid)
    report = sync.fetch(bob.store, "origin")
    broken = {r.ref.rpartition("/")[2]: r.reason for r in report.latest() if r.status == "broken"}
    assert broken.keys() == strange.keys()
    assert all(f"the archive {month} cannot be read" in reason for month, reason in broken.items())
    assert [s.id for s in bob.store.list()] == [good] and bob.store.broken == []
    assert [ref for ref in bob.tips() if "archive" in ref] == []
    bob.store.log(good, "note", "still working")
    bob.sync()


def test_an_archive_that_names_what_it_does_not_keep_takes_nothing_over(team: Team, bob: Clone, good: str) -> None:
    rows = (good, team.server.git("rev-parse", SESSIONS + good)), (BAD, "1" * 40)
    team.raw(MONTH, archived(team, *rows, parents=()))
    bob.sync()
    assert SESSIONS + good in bob.tips() and bob.store.ids() == {good}
    assert MONTH not in bob.tips() or bob.store.broken == []


def test_what_the_remote_has_no_more_is_named_no_more(team: Team, bob: Clone, good: str) -> None:
    root = team.server.git("rev-parse", SESSIONS + good)
    names = [SESSIONS + BAD, SESSIONS + "archive/2026-13", SESSIONS + "no-id"]
    for name in names:
        team.raw(name, root)
    assert {r.ref for r in sync.fetch(bob.store, "origin").results if r.status in ("broken", "ignored")} == set(names)
    for name in names:
        team.server.git("update-ref", "-d", name)
    report = sync.fetch(bob.store, "origin")
    assert [r.ref for r in report.results] == [SESSIONS + good, notes.REF]
    assert list(bob.tips(TRACKED)) == [TRACKED + good]


def test_a_name_that_stood_in_the_way_is_no_hindrance_once_it_is_gone(team: Team, ada: Clone, bob: Clone) -> None:
    session = ada.store.start(goal="x", agent="codex").id
    ada.commit("root")
    team.server.git("fetch", "-q", str(ada.path), f"main:{SESSIONS}{session}/x")
    sync.fetch(bob.store, "origin")
    team.server.git("update-ref", "-d", f"{SESSIONS}{session}/x")
    ada.sync()
    report = sync.fetch(bob.store, "origin")
    assert [(r.session, r.status) for r in report.results] == [(session, "new")]
    assert report.warnings == []
