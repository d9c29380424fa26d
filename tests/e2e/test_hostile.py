"""Sessions that somebody else wrote, and callers that pass anything: nobody else's work may stop for them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import codec, journal
from git_agent_session.errors import BrokenSession, UsageError
from git_agent_session.model import Event
from git_agent_session.store.reader import Reader
from git_agent_session.store.seen import Seen
from git_agent_session.store.store import Store
from tests.harness import Repo

REFS = "refs/agent-sessions/"
OTHER = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
AT = "2026-01-01T00:00:00.000Z"
START = f'[[event]]\nid = "s"\nat = "{AT}"\nkind = "start"\nclock = 1\n# end\n'


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("root", files={"f": "1\n"})
    return git_agent_session.open(str(repo.path))


def put(repo: Repo, state: str, events: str = START, parent: str = "") -> None:
    """A session written by plain git."""
    rows = []
    for name, text in (("events.toml", events), ("session.toml", state)):
        rows.append(f"100644 blob {repo.git('hash-object', '-w', '--stdin', input=text)}\t{name}\n")
    parents = ["-p", parent] if parent else []
    commit = repo.git("commit-tree", repo.git("mktree", input="".join(rows)), *parents, "-m", "x")
    repo.git("update-ref", REFS + OTHER, commit)


def state(**keys: str) -> str:
    """A `session.toml` with some keys replaced by other TOML; an empty one is left out."""
    plain = {
        "schema": "1",
        "id": f'"{OTHER}"',
        "status": '"active"',
        "started_at": f'"{AT}"',
        "updated_at": f'"{AT}"',
        "clock": "1",
    }
    return "".join(f"{k} = {v}\n" for k, v in {**plain, **keys}.items() if v)


WRONG = {
    "tags": "5",
    "meta": "{ x = 2026-01-01T00:00:00Z }",
    "counts": '{ events = "x" }',
    "usage": '{ cost_usd = nan, input_tokens = "x" }',
    "clock": '"x"',
    "started_at": "5",
    "updated_at": "",
    "agent": "{ type = { a = 1 } }",
    "status": "[1]",
    "goal": "2026-01-01",
    "later": "{ day = 2026-01-01 }",
}


@pytest.mark.parametrize("key", WRONG)
def test_a_state_of_wrong_types_can_be_read_and_written(repo: Repo, store: Store, key: str) -> None:
    mine = store.start(goal="mine")
    put(repo, state(**{key: WRONG[key]}))
    for _ in range(2):
        fresh = git_agent_session.open(str(repo.path))
        listed = fresh.list()
        assert {s.id for s in listed} == {mine.id, OTHER}
        json.dumps([s.to_dict() for s in listed], allow_nan=False)
    fresh.log(OTHER, "note", "x")
    fresh.usage(OTHER, cost_usd=1.0, input_tokens=5)
    fresh.tag(OTHER, add=["t"])
    before = fresh.get(OTHER).to_dict()
    fresh.drain(OTHER)
    after = git_agent_session.open(str(repo.path)).get(OTHER)
    assert after.to_dict() == before
    assert (after.usage, after.tags, after.status) == ({"cost_usd": 1.0, "input_tokens": 5}, ("t",), "active")
    assert fresh.summary(OTHER).duration_ms >= 0
    fresh.end(OTHER)


@pytest.mark.parametrize("schema", ["true", "0", "-1", "1.0", '"1"', "2", "9" * 4000])
def test_a_state_of_another_schema_is_broken(repo: Repo, store: Store, schema: str) -> None:
    mine = store.start(goal="mine")
    put(repo, state(schema=schema))
    assert [s.id for s in store.list()] == [mine.id]
    assert len(store.broken) == 1
    with pytest.raises(BrokenSession):
        store.log(OTHER, "note", "x")


def test_a_date_in_an_event_is_text(repo: Repo, store: Store) -> None:
    commit = repo.git("rev-parse", "HEAD")
    put(
        repo,
        state(clock="2"),
        START
        + f'[[event]]\nid = "c"\nat = "{AT}"\nkind = "commit"\nclock = 2\ncommit = "{commit}"\nwhen = 2026-01-01\n',
    )
    (Path(store.shared) / "seen").mkdir(parents=True)
    for _ in range(2):
        assert [link.commit for link in store.commits(OTHER)] == [commit]
    assert store.history(OTHER)[1].to_dict()["when"] == "2026-01-01"


def test_an_id_of_two_lines_hides_no_event_of_ours(repo: Repo, store: Store) -> None:
    evil = f'[[event]]\nid = "x\\nmine-1"\nat = "{AT}"\nkind = "message"\nclock = 2\n# end\n'
    put(repo, state(), START + evil)
    with pytest.raises(BrokenSession, match=r"id cannot be 'x\\nmine-1'"):
        store.history(OTHER)
    store.append(OTHER, "note", {"text": "acknowledged"}, id="mine-1")
    with pytest.raises(BrokenSession):
        store.drain(OTHER)
    assert "mine-1" in [e.id for e in journal.read(store.shared, OTHER).events]


def test_of_two_events_with_one_id_the_first_in_order_counts(repo: Repo, store: Store) -> None:
    def noted(text: str, clock: int) -> str:
        return f'[[event]]\nid = "twice"\nat = "{AT}"\nkind = "note"\nclock = {clock}\ntext = "{text}"\n# end\n'

    commit = repo.git("rev-parse", "HEAD")
    link = f'[[event]]\nid = "l"\nat = "{AT}"\nkind = "%s"\nclock = %d\ncommit = "{commit}"\n# end\n'
    put(repo, state(clock="3"), START + noted("first", 2) + link % ("commit", 3))
    put(repo, state(clock="5"), noted("last", 4) + link % ("unlink", 5), REFS + OTHER)
    assert [e.data["text"] for e in store.history(OTHER, kinds=["note"])] == ["first"]
    assert [k.commit for k in store.commits(OTHER)] == [commit]


# -- what callers pass


@pytest.mark.parametrize("key", ["id", "at", "kind", "clock", "id\x00"])
def test_data_cannot_have_an_events_own_keys(store: Store, key: str) -> None:
    session = store.start(goal="x")
    with pytest.raises(UsageError, match="cannot have the key"):
        store.append(session.id, "note", {key: "end"})
    assert len(store.history(session.id)) == 1


CALLS: dict[str, Callable[[Store, str], object]] = {
    "kind None": lambda s, i: s.append(i, None, {}),  # type: ignore[arg-type]
    "kind empty": lambda s, i: s.append(i, "", {}),
    "kind of two lines": lambda s, i: s.append(i, "a\nb", {}),
    "kind too long": lambda s, i: s.append(i, "a" * 65, {}),
    "data a list": lambda s, i: s.append(i, "note", [1]),  # type: ignore[arg-type]
    "id of two lines": lambda s, i: s.append(i, "note", {}, id="x\ny"),
    "id a number": lambda s, i: s.append(i, "note", {}, id=5),  # type: ignore[arg-type]
    "text None": lambda s, i: s.log(i, "note", None),  # type: ignore[arg-type]
    "type a number": lambda s, i: s.log(i, 5, "x"),  # type: ignore[arg-type]
    "role a number": lambda s, i: s.log(i, "note", "x", role=5),  # type: ignore[arg-type]
    "metric too large": lambda s, i: s.metric(i, "m", 10**400),
    "metric past 64 bit": lambda s, i: s.metric(i, "m", 2**70),
    "metric a text": lambda s, i: s.metric(i, "m", "5"),  # type: ignore[arg-type]
    "usage NaN": lambda s, i: s.usage(i, cost_usd=float("nan")),
    "usage a text": lambda s, i: s.usage(i, input_tokens="5"),  # type: ignore[arg-type]
    "usage a bool": lambda s, i: s.usage(i, input_tokens=True),
    "usage of nothing": lambda s, i: s.usage(i),
    "tag None": lambda s, i: s.tag(i, add=[None]),  # type: ignore[list-item]
    "tags a text": lambda s, i: s.tag(i, add="abc"),
    "goal None": lambda s, i: s.set(i, goal=None),
    "meta a text": lambda s, i: s.set(i, meta="x"),
    "session a number": lambda s, i: s.get(5),  # type: ignore[arg-type]
    "revisions a text": lambda s, i: s.link(i, "HEAD"),
    "status a number": lambda s, i: s.end(i, status=5),  # type: ignore[arg-type]
    "message a number": lambda s, i: s.end(i, message=5),  # type: ignore[arg-type]
    "start: goal a number": lambda s, i: s.start(goal=5),  # type: ignore[arg-type]
    "start: agent a number": lambda s, i: s.start(agent=5),  # type: ignore[arg-type]
    "start: tags a text": lambda s, i: s.start(tags="abc"),
    "start: meta a list": lambda s, i: s.start(meta=[1]),  # type: ignore[arg-type]
    "event too large": lambda s, i: s.append(i, "note", {"texts": ["y" * 262_144] * 5}),
    "meta too large": lambda s, i: s.set(i, meta={"k": "v" * 70_000}),
    "meta of many tables": lambda s, i: s.set(i, meta={"k" * 190: {str(n): {} for n in range(2000)}}),
    "snapshot too large": lambda s, i: s.add_context(i, {"texts": ["y" * 262_144] * 40}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_is_wrong_is_refused_and_leaves_nothing(repo: Repo, store: Store, name: str) -> None:
    session = store.start(goal="x")
    with pytest.raises(UsageError) as error:
        CALLS[name](store, session.id)
    assert error.value.hint
    assert len(store.history(session.id)) == 1
    assert len(store.list()) == 1


def test_metadata_is_bounded_over_all_calls(store: Store) -> None:
    session = store.start(goal="x", meta={"a": "v" * 40_000})
    with pytest.raises(UsageError, match="metadata is larger than 64 KiB"):
        store.set(session.id, meta={"b": "v" * 40_000})
    store.set(session.id, meta={"a": "v" * 50_000})
    store.append(session.id, "set", {"meta": {"b": "v" * 40_000}})
    store.drain(session.id)
    assert {k: len(v) for k, v in store.get(session.id).meta.items()} == {"a": 50_000}


def test_texts_of_any_length_leave_a_session_that_can_be_read(repo: Repo, store: Store) -> None:
    long = "\U0001f980" * 200_000
    session = store.start(goal=long)
    for key in ("title", "project"):
        store.set(session.id, **{key: long})
    store.end(session.id, message=long)
    assert len(repo.git("cat-file", "-p", f"{REFS}{session.id}:session.toml")) < 4 * 1024 * 1024
    ended = git_agent_session.open(str(repo.path)).get(session.id)
    assert ended.status == "completed" and ended.goal.endswith("\U0001f980…")
    assert store.history(session.id)[0].data["goal"] == long


# -- size


def test_a_large_journal_becomes_batches_that_can_be_read(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    text = "y" * 250_000
    for n in range(36):
        journal.append(store.shared, session.id, [Event(f"e{n}", AT, "message", {"text": text})])
    snapshot = store.add_context(session.id, {"branch": "main"})
    batches = repo.lines("rev-list", REFS + session.id)
    assert len(batches) == 3
    sizes = [int(repo.git("cat-file", "-s", f"{batch}:events.toml")) for batch in batches]
    assert max(sizes) <= codec.MAX_BATCH
    fresh = git_agent_session.open(str(repo.path))
    assert [e.id for e in fresh.history(session.id)[1:]] == [*(f"e{n}" for n in range(36)), snapshot.id]
    assert fresh.get(session.id).counts["messages"] == 36
    assert [doc for _, doc in fresh.contexts(session.id)] == [{"branch": "main"}]


# -- caches


def waiting(store: Store, session_id: str, n: int) -> None:
    journal.append(store.shared, session_id, [Event(f"e{n}", AT, "message", {"text": "x"})])


def test_a_state_is_folded_on_as_the_journal_grows(repo: Repo, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    session = store.start(goal="x")
    store.drain(session.id)
    waiting(store, session.id, 0)
    store.get(session.id)
    whole: list[str] = []
    read = Reader._read_state

    def counted(self: Reader, session_id: str, *rest: Any) -> Any:
        whole.append(session_id)
        return read(self, session_id, *rest)

    monkeypatch.setattr(Reader, "_read_state", counted)
    for n in range(1, 6):
        waiting(store, session.id, n)
        waiting(store, session.id, n)  # a second delivery
        assert store.get(session.id).counts["messages"] == n + 1
    assert whole == []
    other = git_agent_session.open(str(repo.path))
    assert store.get(session.id).to_dict() == other.get(session.id).to_dict()
    other.set(session.id, goal="y")
    other.drain(session.id)
    waiting(store, session.id, 6)
    assert (store.get(session.id).goal, store.get(session.id).counts["messages"]) == ("y", 7)


def test_a_late_line_in_the_file_of_seen_ids_is_passed_over(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    tips: list[str] = []
    for n in range(3):
        store.append(session.id, "note", {}, id=f"n{n}")
        store.drain(session.id)
        tips.append(repo.git("rev-parse", REFS + session.id))
    path = Path(store.shared) / "seen" / session.id
    late = {"on": tips[0], "tip": tips[1], "ids": ["n1", "n9"], "linking": []}
    with path.open("a") as f:
        f.write(json.dumps(late) + '\n{"on": "' + tips[2])
    seen = Seen.load(store.shared, store.repo, session.id, tips[2])
    assert {i for i in seen.ids if i.startswith("n")} == {"n0", "n1", "n2"}
    store.append(session.id, "note", {}, id="n9")
    store.drain(session.id)
    assert [e.id for e in store.history(session.id)][1:] == ["n0", "n1", "n2", "n9"]
    again = Seen.load(store.shared, store.repo, session.id, repo.git("rev-parse", REFS + session.id))
    assert "n9" in again.ids


def test_a_rebuilt_file_of_seen_ids_is_replaced_whole(
    repo: Repo, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = store.start(goal="x")
    store.log(session.id, "note", "x")
    store.drain(session.id)
    path = Path(store.shared) / "seen" / session.id
    path.write_text("damaged\n")
    before = path.stat().st_ino
    replaced: list[str] = []
    replace = os.replace

    def noted(source: str, target: str) -> None:
        replaced.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    assert len(store.commits(session.id)) == 0
    assert replaced == [str(path)] and path.stat().st_ino != before
    shutil.rmtree(path.parent)
    assert len(store.commits(session.id)) == 0


def test_a_state_that_json_cannot_hold_only_costs_its_row(store: Store) -> None:
    session = store.start(goal="x")
    excerpts: Any = store.excerpts
    excerpts.save({OTHER: ("1" * 40, {"x": object()}), session.id: ("2" * 40, {"id": session.id})}, [])
    assert set(excerpts.load()) == {session.id}


@pytest.mark.parametrize("what", ["{}", "{}^{{tree}}", "{}:session.toml", "{}:events.toml"])
def test_a_damaged_object_breaks_its_session_alone(repo: Repo, what: str) -> None:
    store = git_agent_session.open(str(repo.path))
    good, bad = store.start(goal="good"), store.start(goal="bad")
    name = repo.git("rev-parse", what.format(f"refs/agent-sessions/{bad.id}"))
    path = repo.path / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"junk")
    fresh = git_agent_session.open(str(repo.path))
    assert good.id in [s.id for s in fresh.list()]
    with pytest.raises(BrokenSession):
        fresh.summary(bad.id)


def test_deleting_a_hostile_session_touches_no_file_but_its_own(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="x")
    victim = repo.path / "victim"
    victim.write_text("mine")
    doc = f'schema = 1\nid = "{session.id}"\n[agent]\ntype = "../../.."\nnative_id = "victim"\n'
    blob = repo.git("hash-object", "-w", "--stdin", input=doc)
    tree = repo.git("mktree", input=f"100644 blob {blob}\tsession.toml\n")
    repo.git("update-ref", f"refs/agent-sessions/{session.id}", repo.git("commit-tree", "-m", "x", tree))
    store.delete(session.id)
    assert victim.read_text() == "mine"


def test_a_lost_note_comes_back_by_linking_again(repo: Repo) -> None:
    repo.commit("root")
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="x")
    store.link(session.id, ["HEAD"])
    repo.git("update-ref", "-d", "refs/notes/agent-sessions")
    assert store.link(session.id, ["HEAD"]) == []
    assert session.id in repo.git("log", "-1", "--format=%N", "--notes=agent-sessions")
