"""The Python API on real repositories: lifecycle, records, links, and what is broken or hostile."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import Agent, Filter, live
from git_agent_session.errors import (
    AmbiguousSession,
    BrokenSession,
    CommitNotFound,
    NotARepository,
    SessionNotFound,
    SessionState,
    StorageError,
    UnsupportedRepository,
    UsageError,
)
from git_agent_session.store.store import Store
from tests.harness import Repo

REFS = "refs/agent-sessions/"


@pytest.fixture
def store(repo: Repo) -> Store:
    repo.commit("root", files={"f": "1\n"})
    return git_agent_session.open(str(repo.path))


def in_ref(repo: Repo, session: str, name: str = "session.toml") -> dict[str, object]:
    return tomllib.loads(repo.git("cat-file", "-p", f"{REFS}{session}:{name}"))


# -- lifecycle


def test_start_writes_a_ref_that_git_reads(repo: Repo, store: Store) -> None:
    session = store.start(
        goal="Add rate limiting",
        agent=Agent("claude-code", "2.1.0", "sonnet"),
        tags=["b", "a"],
        meta={"ticket": 12},
        project="shop",
        type="full",
    )
    doc = in_ref(repo, session.id)
    assert doc["id"] == session.id
    assert doc["status"] == "active"
    assert doc["goal"] == "Add rate limiting"
    assert doc["project"] == "shop"
    assert doc["type"] == "full"
    assert doc["user"] == "Ada Tester <ada@example.org>"
    assert doc["tags"] == ["a", "b"]
    assert doc["meta"] == {"ticket": 12}
    assert doc["agent"] == {"type": "claude-code", "version": "2.1.0", "model": "sonnet"}
    assert "ended_at" not in doc
    assert repo.git("log", "--format=%s", REFS + session.id) == "start"
    assert store.get(session.id).to_dict() == doc


def test_started_session_is_current_until_it_ends(store: Store) -> None:
    first = store.start(goal="one")
    second = store.start(goal="two")
    assert store.current() is not None and store.resolve("@") == second.id
    assert store.resolve("@{-1}") == first.id
    store.end()
    assert store.current() is None
    assert store.resolve("@{-1}") == second.id
    with pytest.raises(SessionNotFound, match="no session @\\{-9\\}"):
        store.resolve("@{-9}")


def test_variable_comes_before_the_active_session(repo: Repo, store: Store) -> None:
    first = store.start(goal="one")
    store.start(goal="two")
    for value in (first.id, first.id[:8]):
        mine = git_agent_session.open(str(repo.path), env={"GIT_AGENT_SESSION": value})
        assert mine.resolve() == first.id
    lost = git_agent_session.open(str(repo.path), env={"GIT_AGENT_SESSION": "zz"})
    with pytest.raises(SessionNotFound, match="GIT_AGENT_SESSION"):
        lost.resolve()


@pytest.mark.parametrize("status", ["completed", "failed", "error", "aborted", "abandoned"])
def test_end_keeps_status_message_and_time(repo: Repo, store: Store, status: str) -> None:
    session = store.start(goal="x")
    ended = store.end(session.id, status=status, message="Connection lost")
    assert (ended.status, ended.message) == (status, "Connection lost")
    assert ended.ended_at == in_ref(repo, session.id)["ended_at"]
    with pytest.raises(SessionState, match="has ended"):
        store.end(session.id)
    assert store.resume(session.id).status == "active"
    assert store.get(session.id).ended_at == ""


def test_unknown_status_changes_nothing(store: Store) -> None:
    session = store.start(goal="x")
    with pytest.raises(UsageError, match="'done' is no final status"):
        store.end(session.id, status="done")
    assert store.get(session.id).status == "active"


def test_pause_resume_and_switch(store: Store) -> None:
    first, second = store.start(goal="one"), store.start(goal="two")
    assert store.pause().status == "paused"
    assert not live.is_open(store.shared, second.id)
    with pytest.raises(SessionState):
        store.pause()
    assert store.resume().status == "active"
    with pytest.raises(SessionState, match="active already"):
        store.resume()
    assert store.switch(first.id).id == first.id
    assert store.resolve() == first.id
    store.end(second.id)
    with pytest.raises(SessionState):
        store.switch(second.id)


def test_delete_takes_ref_journal_marks_and_notes(repo: Repo, store: Store) -> None:
    keep, gone = store.start(goal="keep"), store.start(goal="gone", agent=Agent("codex", native_id="n1"))
    for session in (keep, gone):
        store.link(session.id, ["HEAD"])
    store.log(gone.id, "note", "x")
    store.delete(gone.id)
    with pytest.raises(SessionNotFound):
        store.get(gone.id)
    left = [str(p.relative_to(store.shared)) for p in Path(store.shared).rglob("*") if gone.id in p.name]
    assert [p for p in left if not p.startswith("lock")] == []
    assert repo.git("for-each-ref", REFS + gone.id) == ""
    assert gone.id not in repo.git("log", "-1", "--format=%N", "--notes=agent-sessions")
    assert [w.session.id for w in store.which("HEAD")] == [keep.id]
    assert live.native(store.shared, "codex", "n1") is None


def test_a_session_deleted_elsewhere_is_current_nowhere(repo: Repo, store: Store, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "wt"))
    linked = git_agent_session.open(str(tmp_path / "wt"))
    first, second = linked.start(goal="one"), linked.start(goal="two")
    store.delete(second.id)
    assert linked.current() is None
    assert linked.resolve("@{-1}") == first.id
    with pytest.raises(SessionNotFound, match="no current session"):
        linked.log(None, "note", "x")


def test_variable_may_say_none(repo: Repo, store: Store) -> None:
    store.start(goal="x")
    silent = git_agent_session.open(str(repo.path), env={"GIT_AGENT_SESSION": "none"})
    assert silent.current() is None
    assert len(silent.list()) == 1


# -- ids


def test_an_abbreviation_must_be_known_and_unambiguous(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    twin = session.id[:5] + ("0" if session.id[5] != "0" else "1") + session.id[6:]
    repo.git("update-ref", REFS + twin, repo.git("rev-parse", REFS + session.id))
    assert store.resolve(session.id[:6]) == session.id
    with pytest.raises(AmbiguousSession, match="fits 2 sessions"):
        store.resolve(session.id[:4])
    for bad in ("abc", "../../etc", "zzzz", "", "@{x}", "\x1b[31m"):
        with pytest.raises(SessionNotFound):
            store.resolve(bad)
    missing = "f" * 4 if not session.id.startswith("ffff") else "0000"
    with pytest.raises(SessionNotFound, match="no session"):
        store.resolve(missing)


def test_an_agents_own_id_gives_one_session(store: Store) -> None:
    first = store.start(agent=Agent("codex", native_id="abc"))
    with pytest.raises(SessionState, match="exists already"):
        store.start(agent=Agent("codex", native_id="abc"))
    assert live.native(store.shared, "codex", "abc") == first.id


# -- records


def test_records_come_back_in_order_and_are_counted(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    store.log(session.id, "user_message", "Please", role="user", meta={"n": 1})
    store.metric(session.id, "tokens_used", 15000, meta={"model": "m"})
    store.usage(session.id, input_tokens=10, cost_usd=0.25)
    store.usage(session.id, input_tokens=5, cost_usd=0.5)
    store.tag(session.id, add=["auth", "api"])
    store.tag(session.id, remove=["api"])
    store.set(session.id, goal="y", meta={"k": True})
    before = store.get(session.id).to_dict()
    kinds = [e.kind for e in store.history(session.id)]
    assert kinds == ["start", "interaction", "metric", "usage", "usage", "tag", "tag", "set"]
    store.drain(session.id)
    after = store.get(session.id)
    assert {k: v for k, v in after.to_dict().items() if k != "clock"} == {
        k: v for k, v in before.items() if k != "clock"
    }
    assert after.usage == {"input_tokens": 15, "cost_usd": 0.75}
    assert after.tags == ("auth",)
    assert after.goal == "y"
    assert after.counts["interactions"] == after.counts["metrics"] == 1
    (event,) = store.history(session.id, kinds=["user_message"])
    assert (event.data["role"], event.data["text"], event.data["meta"]) == ("user", "Please", {"n": 1})
    assert [e.kind for e in store.history(session.id, limit=2)] == ["tag", "set"]
    assert [e.kind for e in store.history(session.id, limit=2, reverse=True)] == ["set", "tag"]
    assert "interaction" in repo.git("log", "-1", "--format=%s", REFS + session.id)


def test_text_is_stored_without_control_characters_and_secrets(repo: Repo, store: Store) -> None:
    secret = "ghp_" + "a1B2" * 9
    session = store.start(goal=f"use {secret}\x1b[31m\x00", meta={"k\x07": "v\x9b"})
    store.log(session.id, "note", f"\ud800 {secret} \r\n end")
    store.add_context(session.id, {"documents": [{"path": "README", "text": secret}]})
    store.drain(session.id)
    everything = subprocess.run(
        ["git", "cat-file", "--batch", "--batch-all-objects"], cwd=repo.path, capture_output=True, check=True
    ).stdout
    assert secret.encode() not in everything
    goal = store.get(session.id).goal
    assert goal.startswith("use [redacted: ") and "\x1b" not in goal and "\x00" not in goal
    assert store.history(session.id, kinds=["note"])[0].data["text"].endswith("\n end")


def test_a_long_session_drains_by_itself_past_64_kb(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    for n in range(30):
        store.log(session.id, "note", f"{n} " + "x" * 4000)
    batches = repo.lines("rev-list", REFS + session.id)
    assert 2 <= len(batches) <= 4
    assert len(store.history(session.id)) == 31
    for batch in batches:
        assert "events.toml" in repo.lines("ls-tree", "--name-only", batch)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True])
def test_metric_takes_numbers_only(store: Store, value: float) -> None:
    session = store.start(goal="x")
    with pytest.raises(UsageError, match="no number"):
        store.metric(session.id, "n", value)
    assert len(store.history(session.id)) == 1


def test_records_need_a_session_that_is_there(store: Store) -> None:
    with pytest.raises(SessionNotFound):
        store.log("939cc486-5bb3-4e44-aec8-5b7d00443063", "note", "x")
    with pytest.raises(SessionNotFound, match="no current session"):
        store.log(None, "note", "x")
    assert not (Path(store.shared) / "journal").exists() or not list((Path(store.shared) / "journal").iterdir())


def test_context_snapshots_are_kept_with_their_counts(repo: Repo, store: Store) -> None:
    session = store.start(goal="x", context={"file_count": 3, "token_estimate": 40, "branch": "main"})
    store.add_context(session.id, {"file_count": 4, "token_estimate": 50}, type="refresh")
    (first, doc), (second, _) = store.contexts(session.id)
    assert (first.data["type"], first.data["file_count"], doc["branch"]) == ("initial", 3, "main")
    assert second.data["type"] == "refresh"
    assert store.get(session.id).counts["snapshots"] == 2
    with pytest.raises(UsageError):
        store.add_context(session.id, {}, type="other")


# -- lists


def test_list_filters_and_orders(repo: Repo, store: Store) -> None:
    a = store.start(goal="a", agent="codex", project="p", tags=["x", "y"])
    b = store.start(goal="b", agent="gemini", project="q", user="Bob <bob@example.org>")
    store.end(b.id, status="failed")
    store.log(a.id, "note", "pending events count too")

    def ids(**where: object) -> list[str]:
        return [s.id for s in store.list(Filter(**where))]  # type: ignore[arg-type]

    assert ids() == [b.id, a.id]
    assert ids(project="p") == ids(agent_type="codex") == ids(tags=["x", "y"]) == ids(status=["active"]) == [a.id]
    assert ids(user="BOB@") == ids(status=["failed", "error"]) == [b.id]
    assert ids(since=b.started_at) == [b.id]
    assert ids(until=a.started_at) == [a.id]
    assert ids(tags=["x", "z"]) == []
    assert [s.id for s in store.list(limit=1)] == [b.id]
    listed = {s.id: s for s in store.list()}
    assert listed[a.id].counts["interactions"] == 1


def test_list_follows_other_writers(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    assert [s.goal for s in store.list()] == ["x"]
    other = git_agent_session.open(str(repo.path))
    other.set(session.id, goal="z")
    other.drain(session.id)
    assert [s.goal for s in store.list()] == ["z"]
    other.delete(session.id)
    assert store.list() == []


# -- links


def test_a_commit_has_a_main_session_also_when_the_one_that_was_it_is_unlinked(repo: Repo, store: Store) -> None:
    one, two = (store.start(goal=goal, agent="codex") for goal in "ab")
    commit = repo.commit("by hand")
    store.link(one.id, [commit])
    store.link(two.id, [commit])
    store.unlink(one.id, [commit])
    assert [(w.session.id, w.link.primary) for w in store.which(commit)] == [(two.id, True)]


def test_link_and_unlink_by_hand(repo: Repo, store: Store) -> None:
    one, two = store.start(goal="one", agent="codex"), store.start(goal="two")
    commit = repo.git("rev-parse", "HEAD")
    assert store.link(one.id, ["HEAD", "main"]) == [commit]
    assert store.link(one.id, ["HEAD"]) == []
    assert store.link(two.id, ["HEAD"]) == [commit]
    assert [(w.session.id, w.link.primary) for w in store.which("HEAD")] == [(one.id, True), (two.id, False)]
    store.link(two.id, ["HEAD"], primary=True)
    assert [(w.session.id, w.link.primary) for w in store.which("HEAD")] == [(two.id, True), (one.id, False)]
    assert store.unlink(two.id, ["HEAD"]) == [commit]
    assert [w.session.id for w in store.which("HEAD")] == [one.id]
    with pytest.raises(SessionState, match="not linked"):
        store.unlink(two.id, ["HEAD"])
    assert store.link(two.id, ["HEAD"]) == [commit]
    assert store.get(two.id).counts["commits"] == 1
    with pytest.raises(CommitNotFound):
        store.link(one.id, ["no-such-branch"])
    with pytest.raises(CommitNotFound):
        store.which("HEAD^{tree}")


def test_making_a_link_primary_keeps_how_it_was_known(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    commit = repo.git("rev-parse", "HEAD")
    store.append(session.id, "commit", {"commit": commit, "via": "env"})
    store.link(session.id, ["HEAD"], primary=True)
    ((_, link),) = [(w.session, w.link) for w in store.which("HEAD")]
    assert (link.via, link.primary) == ("env", True)


def test_flat_and_deep_notes_of_other_tools_are_read_and_kept(repo: Repo, store: Store) -> None:
    commits = [repo.commit(str(n)) for n in range(4)]
    repo.git("notes", "--ref=agent-sessions", "add", "-m", "flat", commits[0])
    session = store.start(goal="x")
    store.link(session.id, commits)
    assert repo.git("notes", "--ref=agent-sessions", "show", commits[0]).startswith("flat\n")
    for commit in commits:
        assert session.id in repo.git("notes", "--ref=agent-sessions", "show", commit)
    assert len(repo.lines("notes", "--ref=agent-sessions", "list")) == 4
    assert all("/" in ln.split("\t")[1] for ln in repo.lines("ls-tree", "-r", "refs/notes/agent-sessions"))


def test_summary_has_all_in_one(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    store.link(session.id, ["HEAD"])
    store.append(session.id, "tool", {"name": "Bash", "outcome": "ok"})
    store.append(session.id, "tool", {"name": "Bash", "outcome": "error"})
    summary = store.summary(session.id)
    assert summary.session.counts["tools"] == 2
    assert summary.tools == {"Bash": 2}
    assert len(summary.commits) == 1
    assert summary.duration_ms >= 0


# -- broken and hostile


def broken_refs(repo: Repo) -> dict[str, str]:
    """Session refs that are none, by what is wrong with them."""
    blob = repo.git("hash-object", "-w", "--stdin", input="x")
    tree = repo.git("rev-parse", "HEAD^{tree}")
    bad = repo.git("hash-object", "-w", "--stdin", input="schema = [")
    deep = repo.git("hash-object", "-w", "--stdin", input="a = " + "[" * 100_000)
    newer = repo.git("hash-object", "-w", "--stdin", input='schema = 99\nid = "00000006-0000-4000-8000-000000000000"')

    def commit(content: str) -> str:
        made = repo.git("mktree", input=f"100644 blob {content}\tsession.toml\n")
        return repo.git("commit-tree", "-m", "x", made)

    repo.git("tag", "-a", "-m", "t", "atag")
    return {
        "blob": blob,
        "tree": tree,
        "tag": repo.git("rev-parse", "atag"),
        "no state": repo.git("rev-parse", "HEAD"),
        "no toml": commit(bad),
        "deep": commit(deep),
        "newer": commit(newer),
        "another's": commit(repo.git("hash-object", "-w", "--stdin", input='schema = 1\nid = "x"')),
    }


def test_broken_sessions_are_named_and_the_others_work(repo: Repo, store: Store) -> None:
    good = store.start(goal="good")
    ids = []
    for n, target in enumerate(broken_refs(repo).values()):
        ids.append(f"0000000{n}-0000-4000-8000-000000000000")
        repo.git("update-ref", REFS + ids[-1], target)
    repo.git("update-ref", REFS + "not-a-uuid", "HEAD")
    repo.git("symbolic-ref", REFS + "0000000f-0000-4000-8000-000000000000", "refs/heads/main")
    fresh = git_agent_session.open(str(repo.path))
    assert [s.id for s in fresh.list()] == [good.id]
    assert len(fresh.broken) == len(ids)
    for session_id in ids:
        assert any(session_id[:8] in e.line() for e in fresh.broken)
        with pytest.raises(BrokenSession):
            fresh.get(session_id)
    store.log(good.id, "note", "still works")
    store.drain(good.id)


def test_broken_history_is_named(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    state = repo.git("rev-parse", f"{REFS}{session.id}:session.toml")
    bad = repo.git("hash-object", "-w", "--stdin", input="[[event]]\nid = ")
    tree = repo.git("mktree", input=f"100644 blob {bad}\tevents.toml\n100644 blob {state}\tsession.toml\n")
    tip = repo.git("commit-tree", "-m", "x", "-p", REFS + session.id, tree)
    repo.git("update-ref", REFS + session.id, tip)
    assert store.get(session.id).goal == "x"
    with pytest.raises(BrokenSession, match=r"events\.toml of batch"):
        store.history(session.id)


def test_hostile_notes_are_passed_over(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    store.link(session.id, ["HEAD"])
    text = repo.git("notes", "--ref=agent-sessions", "show", "HEAD")
    noise = 'sessions.../../x = { agent = "a" }\n\x1b[2J\nsessions.0 = 1\n' + "y" * 100_000
    repo.git("notes", "--ref=agent-sessions", "add", "-f", "-F", "-", "HEAD", input=f"{noise}\n{text}\n")
    assert [w.session.id for w in store.which("HEAD")] == [session.id]
    unknown = "939cc486-5bb3-4e44-aec8-5b7d00443063"
    more = f'{text}\nsessions.{unknown} = {{ agent = "codex" }}'
    repo.git("notes", "--ref=agent-sessions", "add", "-f", "-m", more, "HEAD")
    assert {w.session.status for w in store.which("HEAD")} == {"active", "unknown"}


def test_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="not a git repository"):
        git_agent_session.open(str(tmp_path))


def test_sha256_is_said_by_name(tmp_path: Path) -> None:
    Repo.init(tmp_path / "r", "--object-format=sha256")
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        git_agent_session.open(str(tmp_path / "r"))


def test_reftable_is_said_by_name(repo: Repo) -> None:
    # git older than 2.45 cannot make one; its config is what is looked at
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    with pytest.raises(UnsupportedRepository, match="reftable"):
        git_agent_session.open(str(repo.path))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom the file system refuses")
def test_read_only_repository_is_said_and_can_be_read(repo: Repo, store: Store) -> None:
    session = store.start(goal="x")
    store.link(session.id, ["HEAD"])
    subprocess.run(["chmod", "-R", "a-w", str(repo.path / ".git")], check=True)
    try:
        fresh = git_agent_session.open(str(repo.path))
        assert [s.id for s in fresh.list()] == [session.id]
        assert [w.session.id for w in fresh.which("HEAD")] == [session.id]
        assert fresh.summary(session.id).session.goal == "x"
        for attempt in (lambda: fresh.log(session.id, "note", "x"), lambda: fresh.start(goal="y")):
            with pytest.raises(StorageError, match="cannot write"):
                attempt()
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(repo.path / ".git")], check=True)


def test_folder_that_cannot_be_written_is_said(repo: Repo, store: Store) -> None:
    Path(store.shared).write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        store.start(goal="x")
    Path(store.shared).unlink()
    assert store.start(goal="y").goal == "y"


def test_bare_repository_and_worktrees_share_sessions(repo: Repo, store: Store, tmp_path: Path) -> None:
    session = store.start(goal="x")
    repo.git("worktree", "add", "-q", str(tmp_path / "wt"))
    linked = git_agent_session.open(str(tmp_path / "wt"))
    assert linked.current() is None
    assert linked.get(session.id).goal == "x"
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    bare = git_agent_session.open(str(tmp_path / "bare.git"))
    assert bare.start(goal="in bare").project == "bare"


def test_git_dir_in_the_environment_is_honoured(repo: Repo, store: Store, tmp_path: Path) -> None:
    session = store.start(goal="x")
    env = {"GIT_DIR": str(repo.path / ".git")}
    assert git_agent_session.open(str(tmp_path), env=env).get(session.id).goal == "x"
    with pytest.raises(NotARepository):
        git_agent_session.open(str(tmp_path), env={"GIT_DIR": "nowhere"})
