"""Git AI's notes: written as Git AI Standard 3.0.0 says, read back, and never put in place of another tool's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_agent_session import interchange
from git_agent_session.answers import blame
from git_agent_session.hooks import installer
from git_agent_session.ids import native_session_id
from git_agent_session.interchange import Place, git_ai
from tests.e2e.claude import free, until
from tests.e2e.cli import Cli
from tests.e2e.interchanging import OLD, SECRET, clone, opened, work
from tests.e2e.writing import Writer
from tests.harness import Repo

GIT_AI = Place.parse("git-ai")
# section 1.2.7 of the standard, "Complete Example (Mixed Format)" (Apache 2.0), with other names and numbers
MIXED = """src/main.rs
  s_c9883b05a2487d::t_9f8e7d6c5b4a32 1-2,4
  h_31dce776f88375 5-6
"src/my lib.rs"
  abcd1234abcd1234 1-3
---
{
  "schema_version": "authorship/3.0.0",
  "git_ai_version": "1.4.5",
  "base_commit_sha": "7734793b756b3921c88db5375a8c156e9532447b",
  "prompts": {
    "abcd1234abcd1234": {
      "agent_id": {"tool": "cursor", "id": "old_session_id", "model": "gpt-4"},
      "human_author": "Developer <dev@example.com>",
      "total_additions": 50,
      "total_deletions": 0,
      "accepted_lines": 50,
      "overriden_lines": 0
    }
  },
  "humans": {"h_31dce776f88375": {"author": "Developer <dev@example.com>"}},
  "sessions": {
    "s_c9883b05a2487d": {
      "agent_id": {"tool": "claude", "id": "conv_abc123", "model": "claude-sonnet-4-5-20250514"},
      "human_author": "dev@example.com",
      "custom_attributes": {"team": "backend"}
    }
  }
}"""


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Writer]:
    installer.install(str(repo.path))
    repo.commit("init", files={"old.py": OLD})
    found = Writer(repo, home)
    found.ask("Write the parser")
    yield found
    until(lambda: free(found.shared, found.id), 5.0)


def note(repo: Repo, commit: str) -> str:
    return repo.git("notes", "--ref=ai", "show", commit)


def with_note(repo: Repo, text: str) -> str:
    commit = repo.commit("theirs", files={"src/main.rs": "a\nb\nc\nd\ne\nf\n", "src/my lib.rs": "x\ny\nz\n"})
    repo.git("notes", "--ref=ai", "add", "-F", "-", commit, input=text)
    return commit


# -- out


def test_a_note_has_the_lines_that_are_known_to_be_the_agents_and_no_other(agent: Writer) -> None:
    commit = work(agent)
    done = interchange.send(agent.store(), GIT_AI)
    assert (done.records, done.kept) == (1, 0)
    log = git_ai.parse(note(agent.repo, commit))
    found = {path: [spans for _, spans in entries] for path, entries in log.files.items()}
    assert found == {"new file.py": [[(1, 2)]], "old.py": [[(2, 3)]]}


def test_a_note_is_in_the_form_of_the_standard(agent: Writer) -> None:
    commit = work(agent)
    interchange.send(agent.store(), GIT_AI)
    head, _, rest = note(agent.repo, commit).partition("\n---\n")
    key = "s_" + hashlib.sha256(f"claude:{agent.sid}".encode()).hexdigest()[:14]
    assert head.splitlines()[0] == '"new file.py"'
    for row in head.splitlines():
        assert row[0] != " " or re.fullmatch(rf"  {key}::t_[0-9a-f]{{14}} [0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*", row)
    doc = json.loads(rest)
    assert (doc["schema_version"], doc["base_commit_sha"], doc["prompts"]) == ("authorship/3.0.0", commit, {})
    assert doc["sessions"][key]["agent_id"] == {"tool": "claude", "id": agent.sid, "model": "unknown"}
    assert not {"messages", "messages_url", "total_additions"} & doc["sessions"][key].keys()


def test_each_prompt_has_a_trace_id_of_its_own(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.answer()
    agent.ask("And gamma")
    agent.edit("old.py", "gamma = 3\n", "gamma = 30\n")
    commit = agent.commit()
    agent.answer()
    interchange.send(agent.store(), GIT_AI)
    entries = git_ai.parse(note(agent.repo, commit)).files["old.py"]
    assert [spans for _, spans in entries] == [[(2, 2)], [(3, 3)]]
    assert len({key for key, _ in entries}) == 2


def test_writing_again_changes_nothing(agent: Writer) -> None:
    work(agent)
    interchange.send(agent.store(), GIT_AI)
    before = agent.repo.git("rev-parse", git_ai.REF)
    assert interchange.send(agent.store(), GIT_AI).records == 0
    assert agent.repo.git("rev-parse", git_ai.REF) == before


def test_a_note_has_all_sessions_of_its_commit_whichever_is_asked_for(repo: Repo) -> None:
    with_note(repo, MIXED)
    first, second = sorted(r.session for r in interchange.bring(opened(repo), GIT_AI).rows)
    repo.git("update-ref", "-d", git_ai.REF)
    store = opened(repo)
    assert interchange.send(store, GIT_AI, [store.get(first)]).records == 1
    assert interchange.send(store, GIT_AI, [store.get(second)]).records == 0
    text = note(repo, repo.git("rev-parse", "HEAD"))
    assert git_ai.parse(text).files.keys() == {"src/main.rs", "src/my lib.rs"}


def test_a_note_of_git_ai_stays_as_it_is(agent: Writer) -> None:
    commit = work(agent)
    agent.repo.git("notes", "--ref=ai", "add", "-F", "-", commit, input=MIXED)
    done = interchange.send(agent.store(), GIT_AI)
    assert (done.records, done.kept) == (0, 1)
    assert note(agent.repo, commit) == MIXED


def test_a_note_that_another_writes_meanwhile_is_not_lost(agent: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = agent.repo.git("rev-parse", "HEAD")
    commit = work(agent)
    store = agent.store()
    swap = store.repo.swap
    raced: list[str] = []

    def late(*args: object, **kwargs: object) -> None:
        if not raced:
            raced.append(agent.repo.git("notes", "--ref=ai", "add", "-m", "theirs", first))
        swap(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store.repo, "swap", late)
    assert interchange.send(store, GIT_AI).records == 1
    assert note(agent.repo, first) == "theirs"
    assert git_ai.is_ours(note(agent.repo, commit))


# -- in


def test_the_standards_example_becomes_sessions_with_their_lines(repo: Repo) -> None:
    commit = with_note(repo, MIXED)
    report = interchange.bring(opened(repo), GIT_AI)
    claude, cursor = (native_session_id(*p) for p in (("claude-code", "conv_abc123"), ("cursor", "old_session_id")))
    assert {(r.session, r.outcome) for r in report.rows} == {(claude, "imported"), (cursor, "imported")}
    store = opened(repo)
    assert (store.get(claude).agent.model, store.get(claude).user) == ("claude-sonnet-4-5-20250514", "dev@example.com")
    assert [(k.commit, k.via) for k in store.commits(claude)] == [(commit, "git-ai")]
    lines = list(blame.blame(store, "src/main.rs").lines())
    assert [line.kind for line in lines] == ["agent", "agent", "unknown", "agent", "human", "human"]
    assert [line.session for line in lines][:2] == [claude, claude]
    assert {line.session for line in blame.blame(store, "src/my lib.rs").lines()} == {cursor}


def test_a_second_import_adds_nothing_and_a_later_note_adds_its_commit(repo: Repo) -> None:
    with_note(repo, MIXED)
    interchange.bring(opened(repo), GIT_AI)
    refs = repo.git("for-each-ref", "refs/agent-sessions")
    assert {r.outcome for r in interchange.bring(opened(repo), GIT_AI).rows} == {"known"}
    assert repo.git("for-each-ref", "refs/agent-sessions") == refs
    later = repo.commit("more", files={"src/main.rs": "A\nB\n"})
    repo.git("notes", "--ref=ai", "add", "-F", "-", later, input=MIXED)
    report = interchange.bring(opened(repo), GIT_AI)
    assert ({r.outcome for r in report.rows}, report.linked) == ({"grown"}, [later])


def test_a_dry_run_writes_nothing(repo: Repo) -> None:
    with_note(repo, MIXED)
    before = repo.git("for-each-ref")
    report = interchange.bring(opened(repo), GIT_AI, dry_run=True)
    assert [r.outcome for r in report.rows] == ["imported", "imported"]
    assert repo.git("for-each-ref") == before
    assert opened(repo).list() == []


def test_a_session_that_hooks_recorded_is_left_alone(agent: Writer) -> None:
    work(agent)
    interchange.send(agent.store(), GIT_AI)
    tip = agent.repo.git("rev-parse", f"refs/agent-sessions/{agent.id}")
    assert [r.outcome for r in interchange.bring(agent.store(), GIT_AI).rows] == ["recorded"]
    assert agent.repo.git("rev-parse", f"refs/agent-sessions/{agent.id}") == tip


def test_what_was_written_comes_back_elsewhere_with_the_same_id_and_lines(agent: Writer, tmp_path: Path) -> None:
    commit = work(agent)
    interchange.send(agent.store(), GIT_AI)
    other = clone(agent.repo, tmp_path / "other", git_ai.REF)
    interchange.bring(opened(other), GIT_AI)
    store = opened(other)
    assert [s.id for s in store.list()] == [agent.id]
    assert store.get(agent.id).agent.native_id == agent.sid
    assert [k.commit for k in store.commits(agent.id)] == [commit]
    kinds = [line.kind for line in blame.blame(store, "old.py").lines()]
    assert kinds == ["human", "agent", "agent", "human", "unknown"]


def test_secrets_in_a_note_are_not_stored(repo: Repo) -> None:
    with_note(repo, MIXED.replace("backend", SECRET))
    interchange.bring(opened(repo), GIT_AI)
    for session in opened(repo).list():
        assert SECRET not in repo.git("grep", "-h", "-e", "", f"refs/agent-sessions/{session.id}")


@pytest.mark.parametrize(
    "text",
    ["no divider", "a\n---\nnot json", '---\n{"schema_version": "authorship/2.0.0"}', "---\n[]", "---\n{}"],
)
def test_a_note_that_is_no_log_is_said_and_passed_over(repo: Repo, text: str) -> None:
    with_note(repo, MIXED)
    bad = repo.commit("bad")
    repo.git("notes", "--ref=ai", "add", "-F", "-", bad, input=text)
    report = interchange.bring(opened(repo), GIT_AI)
    assert len(report.rows) == 2
    assert [f"note of {bad[:10]}" in said for said in report.said] == [True]


def test_ranges_without_end_are_left_out(repo: Repo) -> None:
    with_note(repo, MIXED.replace("1-2,4", "1-999999999,3"))
    interchange.bring(opened(repo), GIT_AI)
    kinds = [line.kind for line in blame.blame(opened(repo), "src/main.rs").lines()]
    assert kinds[:4] == ["unknown", "unknown", "agent", "unknown"]


def test_the_commands_say_what_they_did(agent: Writer, tmp_path: Path) -> None:
    work(agent)
    assert Cli(agent.repo)("export", "--to", "git-ai").out == "refs/notes/ai: 1 record of 1 session\n"
    other = clone(agent.repo, tmp_path / "other", git_ai.REF)
    assert Cli(other)("import", "--from", "git-ai").out == "1 session imported, 1 commit linked\n"
