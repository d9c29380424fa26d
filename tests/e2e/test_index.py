"""The derived index: what it holds beside what the store says, how it keeps up, and what cannot break it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import codec, index, journal, lock
from git_agent_session.errors import StorageError, UsageError
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.index import database, schema
from git_agent_session.index import look as looking
from git_agent_session.index.derived import Index
from git_agent_session.index.search import BEGIN, END, Where
from git_agent_session.model import Event, fold
from git_agent_session.store import archive
from git_agent_session.store.reader import Filter
from git_agent_session.store.store import Store
from git_agent_session.store.union import join
from tests.e2e.cli import Cli
from tests.harness import Repo

AT = "2026-02-27T01:43:51.042Z"
ID = "3f2a9c1e-5bb3-4e44-aec8-5b7d00443063"


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    return git_agent_session.open(str(repo.path))


@pytest.fixture
def found(store: Store) -> Index:
    return index.open(store)


def worked(store: Store, goal: str = "Add rate limiting", **more: Any) -> str:
    """A session with one event of each kind that has a table, all but the last two drained."""
    session = store.start(goal=goal, agent="codex", tags=["api", "auth"], **more).id
    store.append(session, "message", {"role": "user", "text": "Please add a limiter"})
    store.append(session, "tool", {"name": "Edit", "paths": ["src/limiter.py"], "duration_ms": 12, "outcome": "ok"})
    store.usage(session, input_tokens=100, cost_usd=0.25)
    store.add_context(session, {"file_count": 3, "token_estimate": 400})
    store.append(session, "agent", {"action": "start", "agent_id": "a1", "type": "plan", "model": "large"})
    store.append(session, "agent", {"action": "stop", "agent_id": "a1"})
    store.link(session, ["HEAD"])
    store.append(session, "message", {"role": "assistant", "text": "It is in the gateway now"})
    store.append(session, "decision", {"text": "A token bucket", "not_known_yet": {"deep": [1, 2]}})
    return session


def as_events(found: Index, session: str) -> list[dict[str, Any]]:
    """What the index has of a session's events, as `history` gives them."""
    query = "SELECT id, at, kind, clock, waits, data FROM events WHERE session = ? ORDER BY clock, id"
    rows = found.query(query, (session,))
    return [
        {"id": i, "at": at, "kind": kind, **({} if waits else {"clock": clock}), **json.loads(data)}
        for i, at, kind, clock, waits, data in rows
    ]


def agrees(store: Store, found: Index) -> None:
    """Check that the index says what the store says."""
    fresh = git_agent_session.open(store.repo.location.worktree)
    sessions = fresh.list()
    assert found.sessions() == sessions
    assert [s.doc for s in found.sessions()] == [s.doc for s in sessions]
    for session in sessions:
        assert as_events(found, session.id) == [e.to_dict() for e in fresh.history(session.id)]
        linked = found.query("SELECT commit_id FROM commits WHERE session = ? AND replaced_by = ''", (session.id,))
        assert {row[0] for row in linked} == {link.commit for link in fresh.commits(session.id)}
    count = found.query("SELECT count(*) FROM events WHERE session NOT IN (SELECT id FROM sessions)")
    assert count == [(0,)]


def test_holds_what_the_store_says_with_what_waits_in_the_journal(store: Store, found: Index) -> None:
    worked(store)
    worked(store, goal="Second")
    found.refresh()
    agrees(store, found)
    assert found.query("SELECT count(*) FROM events WHERE waits = 1") == [(4,)]


def test_each_table_has_its_rows(store: Store, found: Index) -> None:
    session = worked(store)
    found.refresh()
    head = store.repo.head()
    assert found.query("SELECT tag FROM tags ORDER BY 1") == [("api",), ("auth",)]
    assert found.query("SELECT name, outcome, duration_ms FROM tools") == [("Edit", "ok", 12.0)]
    assert found.query("SELECT path, event IS NULL, commit_id FROM files ORDER BY 2") == [
        ("src/limiter.py", 0, ""),
        ("src/limiter.py", 1, head),
    ]
    assert found.query("SELECT session, commit_id, via FROM commits") == [(session, head, "manual")]
    assert found.query("SELECT agent_id, type, model, status, started_at <= ended_at FROM agents") == [
        ("a1", "plan", "large", "complete", 1)
    ]
    assert found.query("SELECT file_count, token_estimate FROM snapshots") == [(3, 400)]
    assert found.query("SELECT input_tokens, cost_usd FROM usage") == [(100, 0.25)]
    assert found.query("SELECT input_tokens, cost_usd, agent, messages FROM sessions") == [(100, 0.25, "codex", 2)]
    assert [r[0] for r in found.query("SELECT role FROM messages ORDER BY at")] == ["user", "assistant"]


def test_a_refresh_takes_in_only_what_is_new(store: Store, found: Index) -> None:
    session = worked(store)
    other = worked(store)
    store.drain_all()
    found.refresh()
    before = dict(found.query("SELECT id, key FROM events"))
    store.append(session, "message", {"role": "user", "text": "One more"})
    store.drain(session)
    done = found.refresh()
    assert (done.sessions, done.events) == (1, 1)
    after = dict(found.query("SELECT id, key FROM events"))
    assert {k: v for k, v in after.items() if k in before} == before
    assert other in {r[0] for r in found.query("SELECT session FROM events")}
    agrees(store, found)


def test_what_waited_is_taken_once_when_it_is_drained(store: Store, found: Index) -> None:
    session = worked(store)
    found.refresh()
    store.drain(session)
    found.refresh()
    agrees(store, found)
    assert found.query("SELECT count(*) FROM events WHERE waits = 1") == [(0,)]
    assert len(found.search("gateway")) == 1


def test_two_joined_chains_are_taken_by_event_id(store: Store, found: Index) -> None:
    session = worked(store)
    store.drain(session)
    found.refresh()
    repo, ref = store.repo, SESSIONS + session
    base = repo.tip(ref)
    assert base is not None
    state = store.get(session)
    both = Event("both", AT, "message", {"role": "user", "text": "on both sides"}, 90)
    tips = []
    for own in ("left", "right"):
        events = [both, Event(own, AT, "message", {"role": "user", "text": own}, 91)]
        files = {
            "session.toml": codec.dumps(fold(session, events, _state(state.doc)).doc),
            "events.toml": codec.join(events),
        }
        tips.append(repo.write_batch(files, [base], own))
    repo.swap(ref, tips[0], base, "left")
    found.refresh()
    repo.swap(ref, join(repo, session, tips), tips[0], "join")
    found.refresh()
    agrees(store, found)
    ids = [r[0] for r in found.query("SELECT id FROM events WHERE id IN ('both', 'left', 'right') ORDER BY 1")]
    assert ids == ["both", "left", "right"]


def _state(doc: dict[str, Any]) -> Any:
    from git_agent_session.model import State

    return State(doc)


def test_a_session_that_is_gone_leaves_nothing(store: Store, found: Index) -> None:
    session = worked(store)
    kept = worked(store, goal="Kept")
    found.refresh()
    store.delete(session)
    found.refresh()
    agrees(store, found)
    for table in schema.OF_SESSION:
        assert found.query(f"SELECT count(*) FROM {table.name} WHERE session = ?", (session,)) == [(0,)], table.name
    assert {hit.session for hit in found.search("limiter")} == {kept}


def test_a_chain_that_was_replaced_is_read_anew(store: Store, found: Index) -> None:
    session = worked(store)
    store.drain(session)
    found.refresh()
    repo, ref = store.repo, SESSIONS + session
    event = Event("alone", AT, "start", {"goal": "Another chain"}, 1)
    files = {"session.toml": codec.dumps(fold(session, [event]).doc), "events.toml": codec.join([event])}
    repo.swap(ref, repo.write_batch(files, [], "anew"), repo.tip(ref), "replace")
    found.refresh()
    agrees(store, found)
    assert found.query("SELECT id FROM events") == [("alone",)]


def test_archived_sessions_stay(store: Store, found: Index) -> None:
    session = worked(store)
    store.end(session)
    found.refresh()
    assert archive.run(store, older_than=0)
    assert store.repo.pointed(SESSIONS + session) is None
    found.refresh()
    agrees(store, found)
    os.unlink(found.path)
    assert found.refresh().sessions == 1


def test_an_amended_commit_is_marked_as_replaced(repo: Repo, store: Store, found: Index) -> None:
    session = worked(store)
    old = repo.git("rev-parse", "HEAD")
    repo.git("commit", "-q", "--amend", "-m", "amended")
    new = repo.git("rev-parse", "HEAD")
    store.append(session, "rewrite", {"old": old, "new": new, "operation": "amend"})
    found.refresh()
    assert dict(found.query("SELECT commit_id, replaced_by FROM commits")) == {old: new, new: ""}


# -- sessions, search, query


@pytest.mark.parametrize(
    "where",
    [
        Filter(),
        Filter(status=["active"]),
        Filter(status=["completed", "failed"]),
        Filter(agent_type="codex"),
        Filter(user="ÄDA"),
        Filter(tags=["api", "auth"]),
        Filter(project="other"),
        Filter(since="2999-01-01T00:00:00.000Z"),
        Filter(until="2999-01-01T00:00:00.000Z", agent_type="gemini"),
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [None, 0, 1])
def test_sessions_gives_what_list_gives(store: Store, found: Index, where: Filter, limit: int | None) -> None:
    worked(store, user="Äda")
    store.end(worked(store, project="other"))
    store.start(goal="third", agent="gemini", tags=["auth"])
    found.refresh()
    assert found.sessions(where, limit=limit) == store.list(where, limit=limit)


def test_search_ranks_and_marks_what_fits(store: Store, found: Index) -> None:
    session = worked(store)
    worked(store, goal="Something else")
    found.refresh()
    hits = found.search('"token bucket"', Where(session=session))
    assert [(h.session, h.kind, h.snippet) for h in hits] == [
        (session, "decision", f"A {BEGIN}token bucket{END}"),
    ]
    assert {h.kind for h in found.search("limit*", Where(session=session))} == {"start", "message", "tool"}
    assert found.search("rate limiting")[0].kind == "start"


@pytest.mark.parametrize("text", ['"', "AND", "a OR b", "text:x", "(", "NEAR(a b)", "x^2", "-a", 'a"b"c', "é*", "\0a"])
def test_no_text_is_read_as_a_query(store: Store, found: Index, text: str) -> None:
    worked(store)
    found.refresh()
    if any(c.isalnum() for c in text):
        found.search(text)
    else:
        with pytest.raises(UsageError):
            found.search(text)


def test_search_is_filtered(store: Store, found: Index) -> None:
    session = worked(store)
    store.start(goal="limiter", agent="gemini")
    found.refresh()
    head = store.repo.head() or ""
    for where in (
        Where(agent="codex"),
        Where(tag="api"),
        Where(commit=head),
        Where(path="src"),
        Where(path="src/limiter.py"),
        Where(kinds=("message",)),
    ):
        assert {h.session for h in found.search("limiter", where)} == {session}, where
    assert found.search("limiter", Where(since="2999-01-01T00:00:00.000Z")) == []


def test_a_file_has_its_sessions_and_a_folder_too(store: Store, found: Index) -> None:
    session = worked(store)
    found.refresh()
    assert found.touched("src/limiter.py") == found.touched("src/") == found.touched("./src") == [session]
    assert found.touched("src/limiter") == found.touched("sr") == []


def test_search_does_without_fts5(store: Store, found: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    session = worked(store)
    # what a SQLite without the module says
    monkeypatch.setattr(schema, "SEARCH", schema.SEARCH.replace("fts5(", "fts5_is_not_here("))
    found.refresh()
    hits = found.search("limiter", Where(kinds=("message",)))
    assert [(h.session, h.snippet) for h in hits] == [(session, f"Please add a {BEGIN}limiter{END}")]
    assert found.search("100%_") == []
    monkeypatch.undo()
    found.refresh(wait=1)
    store.append(session, "message", {"role": "user", "text": "limiter again"})
    found.refresh()
    assert {h.score > 0 for h in found.search("limiter")} == {True}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM sessions",
        "CREATE TABLE x (y)",
        "PRAGMA user_version = 7",
        "ATTACH DATABASE '{tmp}/evil.db' AS evil",
        "SELECT nothing FROM nowhere",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_query_can_only_read(store: Store, found: Index, tmp_path: Path, sql: str) -> None:
    worked(store)
    found.refresh()
    with pytest.raises(UsageError):
        found.query(sql.replace("{tmp}", str(tmp_path)))
    assert not (tmp_path / "evil.db").exists()
    assert found.query("SELECT count(*) FROM sessions") == [(1,)]


# -- what cannot break it


def hostile(store: Store, session: str, text: bytes) -> None:
    """A session of somebody's, with these events."""
    state = fold(session, [Event("s", AT, "start", {"goal": "Hostile"}, 1)]).doc
    tip = store.repo.write_batch({"session.toml": codec.dumps(state), "events.toml": text}, [], "x")
    store.repo.swap(SESSIONS + session, tip, None, "x")


def table(kind: str, **values: str) -> bytes:
    rows = "".join(f"{k} = {v}\n" for k, v in values.items())
    return f'[[event]]\nid = "{kind}-{len(rows)}"\nat = "{AT}"\nkind = "{kind}"\nclock = 2\n{rows}# end\n'.encode()


def test_values_of_the_wrong_type_are_taken_as_none(store: Store, found: Index) -> None:
    text = b"".join(
        [
            table("tool", name="[1, 2]", paths='"one"', duration_ms='"long"', outcome="{ a = 1 }"),
            table("usage", input_tokens="99999999999999999999999", cost_usd="nan", model="7"),
            table("context", type="1979-05-27", file_count="true", token_estimate="-9223372036854775808"),
            table("message", role="[[1]]", text='{ x = "\\u0000nul" }'),
            table("agent", agent_id="3", action='"start"'),
            table("commit", commit='"no id"', paths="[1]"),
            table("metric", name='"n"', value="inf"),
            table("somebody.s-own", data='["kept", { deep = "é\\u0000" }]'),
        ]
    )
    hostile(store, ID, text)
    worked(store)
    done = found.refresh()
    assert not done.broken
    assert found.query("SELECT input_tokens, cost_usd, model FROM usage WHERE session = ?", (ID,)) == [(0, 0.0, "7")]
    assert found.query("SELECT name, duration_ms FROM tools WHERE session = ?", (ID,)) == [("", None)]
    assert found.query("SELECT data FROM events WHERE kind LIKE 'somebody%'") == [('{"data":["kept",{"deep":"é"}]}',)]
    assert found.query("SELECT count(*) FROM messages WHERE instr(text, char(0))") == [(0,)]


def test_a_text_without_end_is_bounded(store: Store, found: Index) -> None:
    hostile(store, ID, table("message", role='"user"', text=f'"{"word " * 1_000_000}"'))
    found.refresh()
    ((size,),) = found.query("SELECT max(length(data)) FROM events")
    assert 10_000 < size <= 1024 * 1024
    assert os.path.getsize(found.path) < 3_000_000


def test_a_broken_session_is_named_and_the_others_are_there(store: Store, found: Index) -> None:
    session = worked(store)
    hostile(store, ID, b"[[event]]\nthis is no TOML")
    other = ID.replace("3f", "4f")
    store.repo.swap(SESSIONS + other, store.repo.write_batch({"x": b""}, [], "x"), None, "x")
    done = found.refresh()
    assert sorted(e.message[:16] for e in done.broken) == [f"session {i[:8]}" for i in (ID, other)]
    assert {s.id for s in found.sessions()} == {session, ID}


@pytest.mark.parametrize("harm", ["garbage", "half", "older", "newer", "empty", "tables", "folder"])
def test_a_file_that_is_no_index_is_made_anew(store: Store, found: Index, harm: str) -> None:
    worked(store)
    found.refresh()
    path = Path(found.path)
    if harm in ("garbage", "empty", "half"):
        data = path.read_bytes()
        database.drop(store.shared)
        path.write_bytes({"garbage": b"garbage" * 999, "empty": b"", "half": data[: len(data) // 2]}[harm])
    elif harm == "folder":
        database.drop(store.shared)
    else:
        with sqlite3.connect(path) as db:
            if harm == "tables":
                db.execute("DROP TABLE tools")
            else:
                db.execute(f"PRAGMA user_version = {schema.VERSION + (1 if harm == 'newer' else -1)}")
        db.close()
    worked(store)
    found.refresh()
    agrees(store, found)


def test_the_log_of_a_deleted_index_is_not_taken_for_the_next_ones(store: Store, found: Index) -> None:
    worked(store)
    found.refresh()
    session = worked(store, goal="To be purged")
    with found.connection() as db:
        # its reading keeps the log from being worked in
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sessions").fetchone()
        found.refresh()
        log = Path(f"{found.path}-wal").read_bytes()
    assert session.encode() in log
    database.drop(store.shared)
    Path(f"{found.path}-wal").write_bytes(log)
    store.delete(session)
    found.refresh()
    agrees(store, found)
    assert session.encode() not in Path(found.path).read_bytes()


def test_the_index_is_for_its_owner_alone(store: Store, found: Index) -> None:
    worked(store)
    found.refresh()
    with database.reading(store.shared) as db:
        names = [n for n in os.listdir(store.shared) if n.startswith("index.sqlite")]
        assert names and all(stat.S_IMODE(os.stat(os.path.join(store.shared, n)).st_mode) == 0o600 for n in names)
    db.close()


def test_one_refreshes_at_a_time(store: Store, found: Index) -> None:
    worked(store)
    with lock.held(store.shared, database.LOCK), pytest.raises(StorageError, match="held by another"):
        found.refresh(wait=0.05)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(store: Store, found: Index) -> None:
    worked(store)
    os.chmod(store.shared, 0o500)
    try:
        with pytest.raises(StorageError):
            found.refresh()
    finally:
        os.chmod(store.shared, 0o700)


def test_asking_without_an_index_says_how_to_make_one(store: Store, found: Index) -> None:
    with pytest.raises(StorageError, match="cannot be read") as caught:
        found.sessions()
    assert "git agent-session index" in caught.value.hint


def test_readers_and_refreshers_at_once_lose_nothing(repo: Repo, store: Store, found: Index) -> None:
    sessions = [worked(store, goal=f"Goal {n}") for n in range(4)]
    found.refresh()
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        mine = index.open(git_agent_session.open(str(repo.path)))
        try:
            while not stop.is_set():
                assert len(mine.sessions()) == 4
                mine.search("limiter")
        except BaseException as e:
            errors.append(e)

    def refresh() -> None:
        mine = index.open(git_agent_session.open(str(repo.path)))
        try:
            while not stop.is_set():
                mine.refresh(wait=20)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=t) for t in (read, read, refresh, refresh)]
    for thread in threads:
        thread.start()
    for n in range(30):
        store.append(sessions[n % 4], "message", {"role": "user", "text": f"limiter {n}"})
        if n % 7 == 0:
            store.drain(sessions[n % 4])
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    found.refresh()
    agrees(store, found)


_BUILD = (
    "import sys, git_agent_session\nfrom git_agent_session import index\n"
    "found = index.open(git_agent_session.open(sys.argv[1]))\n"
    "print('go', flush=True)\n"
    "while True: found.refresh(rebuild=True)\n"
)


def test_a_killed_refresh_leaves_an_index_that_the_next_completes(repo: Repo, store: Store, found: Index) -> None:
    for n in range(5):
        worked(store, goal=f"Goal {n}")
    store.drain_all()
    for wait in (0.0, 0.03, 0.06):
        child = subprocess.Popen([sys.executable, "-c", _BUILD, str(repo.path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found.refresh()
        agrees(store, found)


def test_nothing_to_do_is_seen_without_reading_a_ref(
    store: Store, found: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "UNSETTLED_SECONDS", 0.0)
    session = worked(store)
    store.drain(session)
    assert found.refresh().sessions == 1

    def fail(self: Repository) -> dict[str, str]:
        raise AssertionError("refs were read")

    with monkeypatch.context() as patched:
        patched.setattr(Repository, "sessions", fail)
        assert found.refresh().sessions == 0
    store.append(session, "message", {"role": "user", "text": "new"})
    assert found.refresh().sessions == 1
    store.repo.swap(SESSIONS + session, None, store.repo.tip(SESSIONS + session), "gone")
    assert not journal.waiting(store.shared) or store.drain_all() == []
    found.refresh()
    assert found.sessions() == git_agent_session.open(store.repo.location.worktree).list()


def test_a_list_and_the_index_share_the_file(store: Store, found: Index) -> None:
    worked(store)
    store.drain_all()
    assert len(store.list()) == 1
    found.refresh()
    fresh = git_agent_session.open(store.repo.location.worktree)
    excerpts: Any = fresh.excerpts
    assert len(excerpts.load()) == 1
    worked(store)
    assert len(fresh.list()) == 2
    found.refresh()
    agrees(store, found)


# -- the command


def test_the_command_refreshes_and_says_where(repo: Repo, store: Store, found: Index) -> None:
    worked(store)
    cli = Cli(repo)
    done = cli("index")
    assert done.out.strip() == found.path and "1 session and 10 events taken in" in done.err
    told = cli("index", "--json", "--rebuild").json
    assert (told["path"], told["sessions"], told["events"]) == (found.path, 1, 10)
    assert cli("index", "--path").err == ""


def test_the_command_names_broken_sessions(repo: Repo, store: Store) -> None:
    hostile(store, ID, b"[[event]]\nthis is no TOML")
    assert f"warning: session {ID[:8]}" in Cli(repo)("index").err


def test_the_command_outside_a_repository_is_refused(tmp_path: Path) -> None:
    assert "not a git repository" in Cli(Repo(tmp_path))("index", code=1).err
