"""Entire's branch of checkpoints: written as its documents say, read back, never forced and never over its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from git_agent_session import interchange
from git_agent_session.answers import blame
from git_agent_session.errors import AgentSessionError
from git_agent_session.hooks import installer
from git_agent_session.ids import native_session_id
from git_agent_session.interchange import Place, entire
from git_agent_session.interchange.outside import Unreadable
from git_agent_session.store import transcript
from tests.e2e.claude import free, until
from tests.e2e.cli import Cli
from tests.e2e.history import Past
from tests.e2e.interchanging import OLD, SECRET, clone, opened, said, work
from tests.e2e.writing import Writer
from tests.harness import Repo

ENTIRE = Place.parse("entire")
BRANCH = "entire/checkpoints/v1"
# the keys of CommittedMetadata and CheckpointSummary in its checkpoint/checkpoint.go that are always written
META = {"checkpoint_id", "session_id", "strategy", "created_at", "checkpoints_count", "files_touched"}
SUMMARY = {"checkpoint_id", "strategy", "checkpoints_count", "files_touched", "sessions"}
TOKENS = {"input_tokens", "cache_creation_tokens", "cache_read_tokens", "output_tokens", "api_call_count"}
SID = "7b0c3f7e-0f2e-4f57-9d52-5b7f8a1f2c11"


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Writer]:
    installer.install(str(repo.path))
    repo.commit("init", files={"old.py": OLD})
    found = Writer(repo, home)
    found.ask("Write the parser")
    said(found, "Write the parser", "Done.")
    yield found
    until(lambda: free(found.shared, found.id), 5.0)


def shown(repo: Repo, path: str) -> str:
    return repo.run("git", "show", f"{BRANCH}:{path}", check=True).stdout


def checkpoint(repo: Repo, message: str, files: dict[str, str]) -> None:
    """Add files to the branch as Entire does, without a look at this worktree."""
    env = {"GIT_INDEX_FILE": str(repo.path / ".git" / "theirs")}
    tip = repo.run("git", "rev-parse", "-q", "--verify", f"refs/heads/{BRANCH}").stdout.strip()
    repo.git("read-tree", *([tip] if tip else ["--empty"]), env=env)
    for path, text in files.items():
        blob = repo.git("hash-object", "-w", "--stdin", input=text)
        repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
    tree = repo.git("write-tree", env=env)
    new = repo.git("commit-tree", tree, "-m", message, *(["-p", tip] if tip else []))
    repo.git("update-ref", f"refs/heads/{BRANCH}", new)


def theirs(repo: Repo, name: str, *, meta: dict[str, Any] | None = None, **files: str) -> None:
    """A checkpoint with one session, as sessions-and-checkpoints.md draws it."""
    folder = f"{name[:2]}/{name[2:]}"
    told = {
        "checkpoint_id": name,
        "session_id": SID,
        "strategy": "manual-commit",
        "created_at": "2026-01-20T10:00:00.123456Z",
        "branch": "main",
        "checkpoints_count": 3,
        "files_touched": ["file1.txt"],
        "agent": "Cursor",
        "token_usage": {"input_tokens": 1500, "cache_creation_tokens": 200, "cache_read_tokens": 800}
        | {"output_tokens": 500, "api_call_count": 3},
        **(meta or {}),
    }
    own = {f"{folder}/0/{n.replace('_', '.')}": text for n, text in files.items()}
    summary = {"checkpoint_id": name, "strategy": "manual-commit", "checkpoints_count": 3, "files_touched": []}
    summary["sessions"] = [{"metadata": f"/{folder}/0/metadata.json"}]
    texts = {f"{folder}/metadata.json": json.dumps(summary), f"{folder}/0/metadata.json": json.dumps(told), **own}
    checkpoint(repo, f"Checkpoint: {name}", texts)


def records(prompt: str, n: int = 1) -> str:
    """What Claude Code writes of a prompt and its answer."""
    record = {"parentUuid": None, "timestamp": "2026-01-20T09:00:00.000Z", "sessionId": SID}
    answer = {"role": "assistant", "content": [{"type": "text", "text": "Built."}]}
    rows = [
        {**record, "type": "user", "uuid": f"u{n}", "message": {"role": "user", "content": prompt}},
        {**record, "type": "assistant", "uuid": f"s{n}", "message": answer},
    ]
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


# -- out


def test_a_commit_is_a_checkpoint_in_the_form_that_is_documented(agent: Writer) -> None:
    commit = work(agent)
    assert interchange.send(agent.store(), ENTIRE).records == 1
    name = hashlib.sha256(f"git-agent-session:{commit}".encode()).hexdigest()[:12]
    folder = f"{name[:2]}/{name[2:]}"
    summary = json.loads(shown(agent.repo, f"{folder}/metadata.json"))
    meta = json.loads(shown(agent.repo, f"{folder}/0/metadata.json"))
    assert summary.keys() >= SUMMARY and meta.keys() >= META
    assert (summary["checkpoint_id"], meta["session_id"], meta["agent"]) == (name, agent.sid, "Claude Code")
    assert summary["token_usage"].keys() == TOKENS == meta["token_usage"].keys()
    assert summary["files_touched"] == ["new file.py", "old.py"]
    for place in filter(None, summary["sessions"][0].values()):
        assert place.startswith("/") and shown(agent.repo, place[1:])
    assert agent.repo.git("log", "-1", "--format=%s", BRANCH) == f"Checkpoint: {name}"
    trailers = agent.repo.git("log", "-1", "--format=%(trailers:only)", BRANCH).split("\n")
    assert trailers[:2] == [f"Entire-Session: {agent.sid}", "Entire-Strategy: manual-commit"]


def test_a_checkpoint_has_the_agents_records_their_hash_and_the_prompts(agent: Writer) -> None:
    commit = work(agent)
    interchange.send(agent.store(), ENTIRE)
    name = hashlib.sha256(f"git-agent-session:{commit}".encode()).hexdigest()[:12]
    folder = f"{name[:2]}/{name[2:]}/0"
    records = [json.loads(line) for line in shown(agent.repo, f"{folder}/full.jsonl").splitlines()]
    assert [r["uuid"] for r in records] == ["u1", "s1", "a1", "a2"]
    digest = hashlib.sha256(shown(agent.repo, f"{folder}/full.jsonl").encode()).hexdigest()
    assert shown(agent.repo, f"{folder}/content_hash.txt") == f"sha256:{digest}"
    assert shown(agent.repo, f"{folder}/prompt.txt") == "Write the parser"


def test_writing_again_adds_nothing(agent: Writer) -> None:
    work(agent)
    interchange.send(agent.store(), ENTIRE)
    tip = agent.repo.git("rev-parse", BRANCH)
    assert interchange.send(agent.store(), ENTIRE).records == 0
    assert agent.repo.git("rev-parse", BRANCH) == tip


def test_a_session_that_went_on_is_told_anew_in_all_its_checkpoints(agent: Writer) -> None:
    work(agent)
    interchange.send(agent.store(), ENTIRE)
    first = agent.repo.lines("ls-tree", "-r", "--name-only", BRANCH)
    agent.ask("And gamma")
    agent.edit("old.py", "gamma = 3\n", "gamma = 30\n")
    agent.commit()
    agent.answer()
    assert interchange.send(agent.store(), ENTIRE).records == 2
    found = agent.repo.lines("ls-tree", "-r", "--name-only", BRANCH)
    assert set(first) < set(found) and len(found) == 2 * len(first)
    prompts = {shown(agent.repo, path) for path in found if path.endswith("prompt.txt")}
    assert prompts == {"Write the parser\n\n---\n\nAnd gamma"}


def test_many_checkpoints_are_one_commit(agent: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entire, "MOST_COMMITS", 1)
    work(agent)
    agent.write("third.py", "x = 1\n")
    agent.commit()
    agent.answer()
    assert interchange.send(agent.store(), ENTIRE).records == 2
    assert agent.repo.lines("log", "--format=%s", BRANCH) == ["Checkpoints: 2"]
    assert len(agent.repo.lines("ls-tree", "-r", "--name-only", BRANCH)) == 10


def test_a_commit_that_names_a_checkpoint_keeps_entires_own(agent: Writer) -> None:
    theirs(agent.repo, "a3b2c4d5e6f7")
    agent.write("new.py", "x = 1\n")
    agent.commit(message="work\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    agent.answer()
    tip = agent.repo.git("rev-parse", BRANCH)
    done = interchange.send(agent.store(), ENTIRE)
    assert (done.records, done.kept, agent.repo.git("rev-parse", BRANCH)) == (0, 1, tip)


def test_the_branch_is_only_added_to(agent: Writer) -> None:
    theirs(agent.repo, "a3b2c4d5e6f7")
    tip = agent.repo.git("rev-parse", BRANCH)
    work(agent)
    assert interchange.send(agent.store(), ENTIRE).records == 1
    assert agent.repo.git("rev-parse", f"{BRANCH}^") == tip
    assert json.loads(shown(agent.repo, "a3/b2c4d5e6f7/0/metadata.json"))["session_id"] == SID


def test_a_checkpoint_that_entire_writes_meanwhile_is_not_lost(agent: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    work(agent)
    store = agent.store()
    swap = store.repo.swap
    raced: list[bool] = []

    def late(*args: Any, **kwargs: Any) -> None:
        if not raced:
            raced.append(True)
            theirs(agent.repo, "a3b2c4d5e6f7")
        swap(*args, **kwargs)

    monkeypatch.setattr(store.repo, "swap", late)
    assert interchange.send(store, ENTIRE).records == 1
    assert len(agent.repo.lines("ls-tree", BRANCH)) == 2


def test_a_branch_that_only_the_remote_has_is_gone_on_with(agent: Writer, tmp_path: Path) -> None:
    theirs(agent.repo, "a3b2c4d5e6f7")
    work(agent)
    tip = agent.repo.git("rev-parse", BRANCH)
    agent.repo.git("update-ref", entire.REMOTE, tip)
    agent.repo.git("branch", "-q", "-D", BRANCH)
    interchange.send(agent.store(), ENTIRE)
    assert agent.repo.git("rev-parse", f"{BRANCH}^") == tip


def test_a_branch_that_is_checked_out_is_not_moved(agent: Writer) -> None:
    theirs(agent.repo, "a3b2c4d5e6f7")
    work(agent)
    agent.repo.git("checkout", "-q", "-f", BRANCH)
    with pytest.raises(AgentSessionError, match="checked out"):
        interchange.send(opened(agent.repo), ENTIRE)


# -- in


def test_an_agents_records_become_its_session_with_the_commit_of_the_trailer(repo: Repo) -> None:
    theirs(repo, "a3b2c4d5e6f7", meta={"agent": "Claude Code"}, full_jsonl=records("Build it"), prompt_txt="Build it")
    commit = repo.commit("Build it\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    assert (row.session, row.outcome) == (native_session_id("claude-code", SID), "imported")
    store = opened(repo)
    assert [(k.commit, k.via) for k in store.commits(row.session)] == [(commit, "entire")]
    assert [e.data["text"] for e in store.history(row.session, kinds=("message",))] == ["Build it", "Built."]
    assert [r.outcome for r in interchange.bring(opened(repo), ENTIRE).rows] == ["known"]
    assert [w.session.id for w in store.which(commit)] == [row.session]


def test_of_another_agent_there_are_prompts_tokens_and_commits(repo: Repo) -> None:
    theirs(repo, "a3b2c4d5e6f7", prompt_txt="First\n\n---\n\nSecond")
    commit = repo.commit("x\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    store = opened(repo)
    session = store.get(row.session)
    assert (session.id, session.agent.type, session.title) == (native_session_id("cursor", SID), "cursor", "First")
    assert [e.data["text"] for e in store.history(session.id, kinds=("message",))] == ["First", "Second"]
    assert session.usage == {
        "input_tokens": 1500,
        "cache_write_tokens": 200,
        "cache_read_tokens": 800,
        "output_tokens": 500,
    }
    assert session.started_at == "2026-01-20T10:00:00.123Z"
    assert [k.commit for k in store.commits(session.id)] == [commit]


def test_the_tokens_of_a_sessions_checkpoints_are_added_up_and_later_ones_added(repo: Repo) -> None:
    repo.commit("x")
    theirs(repo, "a3b2c4d5e6f7", prompt_txt="First")
    interchange.bring(opened(repo), ENTIRE)
    theirs(repo, "b3b2c4d5e6f7", meta={"created_at": "2026-01-21T10:00:00Z"}, prompt_txt="Second")
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    assert row.outcome == "grown"
    session = opened(repo).get(row.session)
    assert (session.usage["input_tokens"], session.ended_at) == (3000, "2026-01-21T10:00:00.000Z")
    assert [r.outcome for r in interchange.bring(opened(repo), ENTIRE).rows] == ["known"]


def test_what_was_written_comes_back_elsewhere(agent: Writer, tmp_path: Path) -> None:
    commit = work(agent)
    before = agent.session()
    Cli(agent.repo)("export", "--to", "entire")
    other = clone(agent.repo, tmp_path / "other", entire.REF)
    assert Cli(other)("import", "--from", "entire").out == "1 session imported, 1 commit linked\n"
    store = opened(other)
    session = store.get(agent.id)
    assert (session.title, session.agent.model, session.user) == (before.title, before.agent.model, before.user)
    assert [k.commit for k in store.commits(agent.id)] == [commit]
    # the session may still be at work: its calls and its last answer wait for what follows them
    assert [e.data["text"] for e in store.history(agent.id, kinds=("message",))] == ["Write the parser"]
    records = [json.loads(line) for _, data in transcript.chunks(store, agent.id) for line in data.splitlines()]
    assert [r["uuid"] for r in records] == ["u1", "s1", "a1", "a2"]
    kinds = [line.kind for line in blame.blame(store, "old.py").lines()]
    assert kinds == ["human", "agent", "agent", "human", "unknown"]
    assert dict(session.usage) == dict(before.usage)


def test_a_session_without_records_comes_back_with_its_id(repo: Repo, tmp_path: Path) -> None:
    installer.install(str(repo.path))
    store = opened(repo)
    mine = store.start(goal="by hand", agent="cursor")
    store.log(mine.id, "prompt", "Make it so", role="user")
    commit = repo.commit("x", files={"f": "1\n"}, env={"GIT_AGENT_SESSION": mine.id})
    interchange.send(opened(repo), ENTIRE)
    other = clone(repo, tmp_path / "other", entire.REF)
    interchange.bring(opened(other), ENTIRE)
    [session] = opened(other).list()
    assert (session.id, session.title, session.user) == (mine.id, "by hand", mine.user)
    assert [k.commit for k in opened(other).commits(mine.id)] == [commit]


def test_a_session_that_went_on_for_days_is_one(repo: Repo) -> None:
    """Entire once put the date of the checkpoint before the agent's id."""
    for day, name, prompt in (("19", "a3b2c4d5e6f7", "Build it"), ("20", "b3b2c4d5e6f7", "Go on")):
        meta = {"agent": "Claude Code", "session_id": f"2026-01-{day}-{SID}", "created_at": f"2026-01-{day}T10:00:00Z"}
        theirs(repo, name, meta=meta, full_jsonl=records(prompt), prompt_txt=prompt)
    commits = [repo.commit(f"x\n\nEntire-Checkpoint: {name}") for name in ("a3b2c4d5e6f7", "b3b2c4d5e6f7")]
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    assert row.session == native_session_id("claude-code", SID)
    assert {k.commit for k in opened(repo).commits(row.session)} == set(commits)


def test_transcripts_that_have_what_was_new_are_put_together(repo: Repo) -> None:
    """Later versions of Entire keep the whole one in each checkpoint: what two have is there once."""
    first, second, third = records("Build it", 1), records("Go on", 2), records("And on", 3)
    repo.commit("x")
    for name, day, text in (("c", 19, first), ("b", 20, third), ("a", 21, "")):
        meta = {"agent": "Claude Code", "created_at": f"2026-01-{day}T10:00:00Z"}
        theirs(repo, name * 12, meta=meta, **({"full_jsonl": text} if text else {"prompt_txt": "x"}))
    meta = {"agent": "Claude Code", "created_at": "2026-01-19T11:00:00Z"}
    theirs(repo, "d" * 12, meta=meta, full_jsonl=first + second)
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    assert b"".join(data for _, data in transcript.chunks(opened(repo), row.session)).decode() == first + second + third


@pytest.mark.parametrize("agent", ["Agent", None])
def test_records_of_an_agent_without_a_name_are_known_by_their_form(repo: Repo, agent: str | None) -> None:
    repo.commit("x")
    theirs(repo, "a3b2c4d5e6f7", meta={"agent": agent}, full_jsonl=records("Build it"), prompt_txt="Build it")
    theirs(repo, "b3b2c4d5e6f7", meta={"agent": agent, "session_id": "other"}, full_jsonl="{}\n", prompt_txt="Go")
    found = {row.native_id: row.agent for row in interchange.bring(opened(repo), ENTIRE).rows}
    assert found == {SID: "claude-code", "other": "agent" if agent else "unknown"}
    session = native_session_id("claude-code", SID)
    assert [e.data["text"] for e in opened(repo).history(session, kinds=("message",))] == ["Build it", "Built."]


def test_a_session_whose_records_are_not_here_keeps_its_prompts_and_commits(repo: Repo) -> None:
    """As in a partial clone."""
    theirs(repo, "a3b2c4d5e6f7", meta={"agent": "Claude Code"}, full_jsonl=records("Build it"), prompt_txt="Build it")
    blob = repo.git("rev-parse", f"{BRANCH}:a3/b2c4d5e6f7/0/full.jsonl")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    commit = repo.commit("x\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    report = interchange.bring(opened(repo), ENTIRE)
    assert [(r.agent, r.outcome, r.commits) for r in report.rows] == [("claude-code", "imported", [commit])]
    assert report.said == ["the agent's records of 1 session are not here, or too large: no answers, no tools"]
    assert [e.data["text"] for e in opened(repo).history(report.rows[0].session, kinds=("message",))] == ["Build it"]


def test_how_far_it_is_is_told(repo: Repo) -> None:
    repo.commit("x")
    theirs(repo, "a3b2c4d5e6f7", meta={"agent": "Claude Code"}, full_jsonl=records("Build it"), prompt_txt="Build it")
    told: list[tuple[int, int]] = []
    interchange.bring(opened(repo), ENTIRE, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


def test_a_session_is_its_commits_authors_and_not_who_imports_it(repo: Repo) -> None:
    other, nobodys = "b" * 12, SID.replace("7", "8")
    theirs(repo, "a" * 12, meta={"agent": "Claude Code"}, full_jsonl=records("Build it"))
    theirs(repo, other, meta={"session_id": "elsewhere"}, prompt_txt="Go")
    text = records("Go", 2).replace(SID, nobodys)
    theirs(repo, "c" * 12, meta={"session_id": nobodys, "agent": "Claude Code"}, full_jsonl=text)
    ada = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
    repo.commit(f"x\n\nEntire-Checkpoint: {'a' * 12}", env=ada)
    repo.commit(f"x\n\nEntire-Checkpoint: {other}", env=ada)
    rows = interchange.bring(opened(repo), ENTIRE).rows
    found = {row.native_id: opened(repo).get(row.session).user for row in rows}
    assert found == {SID: "Ada <ada@example.org>", "elsewhere": "Ada <ada@example.org>", nobodys: ""}


def test_a_dry_run_writes_nothing(repo: Repo) -> None:
    theirs(repo, "a3b2c4d5e6f7", prompt_txt="First")
    repo.commit("x\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    before = repo.git("for-each-ref")
    report = interchange.bring(opened(repo), ENTIRE, dry_run=True)
    assert ([r.outcome for r in report.rows], len(report.linked)) == (["imported"], 1)
    assert repo.git("for-each-ref") == before


def test_a_dry_run_counts_a_commit_once_that_records_prove_too(repo: Repo, home: Path) -> None:
    past = Past(home, repo, SID).prompt("Build it").write("a", "1\n")
    commit = past.commit("Build it\n\nEntire-Checkpoint: a3b2c4d5e6f7")
    past.answer("Built.")
    text = "".join(json.dumps(r) + "\n" for r in past.records)
    theirs(repo, "a3b2c4d5e6f7", meta={"agent": "Claude Code"}, full_jsonl=text)
    assert interchange.bring(opened(repo), ENTIRE, dry_run=True).linked == [commit]
    assert interchange.bring(opened(repo), ENTIRE).linked == [commit]


def test_secrets_in_a_checkpoint_are_not_stored(repo: Repo) -> None:
    repo.commit("x")
    theirs(repo, "a3b2c4d5e6f7", prompt_txt=f"Use {SECRET}")
    [row] = interchange.bring(opened(repo), ENTIRE).rows
    assert SECRET not in repo.git("grep", "-h", "-e", "", f"refs/agent-sessions/{row.session}")


def test_what_is_broken_on_the_branch_is_passed_over(repo: Repo) -> None:
    repo.commit("x")
    theirs(repo, "a3b2c4d5e6f7", prompt_txt="First")
    bad = {"b1/0000000000/0/metadata.json": "{", "b2/0000000000/0/metadata.json": "[]", "b3/x/0/metadata.json": "{}"}
    checkpoint(repo, "bad", {**bad, "b4/0000000000/0/metadata.json": '{"session_id": 5}', "top": "x"})
    assert [r.outcome for r in interchange.bring(opened(repo), ENTIRE).rows] == ["imported"]


def test_a_repository_without_the_branch_is_said(repo: Repo) -> None:
    repo.commit("x")
    with pytest.raises(Unreadable, match="no branch"):
        interchange.bring(opened(repo), ENTIRE)
