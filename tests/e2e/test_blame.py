"""`blame`: who wrote each line, by what hooks and transcripts recorded of a run in a real repository."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import index
from git_agent_session.agents import attribution
from git_agent_session.answers import blame
from git_agent_session.answers.blame import BlamedLine
from git_agent_session.answers.lines import Attribution
from git_agent_session.answers.options import Options
from git_agent_session.errors import GitError, UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.hooks import installer
from git_agent_session.index import database
from tests.e2e.claude import free, until
from tests.e2e.writing import Writer
from tests.harness import Repo

OLD = "alpha = 1\nbeta = 2\ngamma = 3\n"


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Writer]:
    installer.install(str(repo.path))
    repo.commit("init", files={"old.py": OLD})
    found = Writer(repo, home)
    found.ask("Write the parser")
    yield found
    assert found.log() == ""
    until(lambda: free(found.shared, found.id), 5.0)


def lines(agent: Writer, path: str, options: Options | None = None) -> list[BlamedLine]:
    return list(blame.blame(agent.store(), path, options).lines())


def kinds(agent: Writer, path: str, options: Options | None = None) -> list[str]:
    return [line.kind for line in lines(agent, path, options)]


def mixed_commit(agent: Writer) -> str:
    """A commit with lines of the agent's and of a person's, settled."""
    agent.write("new.py", "def parse(text):\n    return text.split()\n")
    agent.edit("old.py", "beta = 2\n", "beta = 20\ndelta = 4\n")
    agent.person("old.py", "alpha = 1\nbeta = 20\ndelta = 4\ngamma = 3\nwritten_by_a_person = True\n")
    commit = agent.commit()
    agent.answer()
    return commit


def recorded(agent: Writer) -> list[str]:
    return [str(e.data["commit"]) for e in agent.store().history(agent.id, kinds=("lines",))]


MIXED = ["human", "agent", "agent", "human", "human"]

# -- one commit


@pytest.mark.parametrize("processes", [False, True])
def test_the_agents_lines_and_a_persons_in_one_commit_are_told_apart(agent: Writer, processes: bool) -> None:
    agent.processes = processes
    mixed_commit(agent)
    assert kinds(agent, "new.py") == ["agent", "agent"]
    found = lines(agent, "old.py")
    assert [line.kind for line in found] == MIXED
    assert [line.session for line in found] == ["", agent.id, agent.id, "", agent.id]
    assert [line.prompt for line in found] == [0, 1, 1, 0, 0]
    assert {line.agent for line in found} == {"claude-code", ""}


def test_each_line_has_the_prompt_that_led_to_it(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.answer()
    agent.ask("And gamma")
    agent.edit("old.py", "gamma = 3\n", "gamma = 30\n")
    agent.commit()
    agent.answer()
    assert [line.prompt for line in lines(agent, "old.py")] == [0, 1, 2]


def test_a_commit_is_not_judged_by_edits_that_came_later(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    first = agent.commit()
    agent.edit("old.py", "beta = 20\n", "beta = 200\n")
    agent.commit()
    agent.answer()
    assert kinds(agent, "old.py", Options(revision=first)) == ["human", "agent", "human"]


def test_an_agents_line_that_a_person_changed_is_mixed(agent: Writer) -> None:
    agent.write("new.py", "def parse(text):\n    return text.split()\n")
    agent.person("new.py", "def parse(text, sep=None):\n    return text.split()\n")
    agent.commit()
    agent.answer()
    assert kinds(agent, "new.py") == ["mixed", "agent"]


def test_what_a_command_of_the_agents_may_have_written_is_unknown(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.shell("echo 'made = 1' >> old.py")
    agent.commit()
    agent.answer()
    assert kinds(agent, "old.py") == ["human", "agent", "human", "unknown"]


def test_a_commit_without_a_session_is_a_persons(agent: Writer) -> None:
    agent.repo.commit("by hand", files={"own.py": "x\n"})
    agent.answer()
    assert [(line.kind, line.session) for line in lines(agent, "own.py")] == [("human", "")]


def test_a_session_that_records_no_tools_leaves_its_lines_unknown(agent: Writer) -> None:
    session = agent.store().start(goal="by hand", agent="codex").id
    agent.repo.commit("mine", files={"own.py": "x\n"}, env={"GIT_AGENT_SESSION": session})
    assert [(line.kind, line.session) for line in lines(agent, "own.py")] == [("unknown", session)]


def test_crlf_files_are_attributed_as_others(agent: Writer) -> None:
    agent.person("dos.txt", "one\r\ntwo\r\n")
    agent.repo.commit("dos", files={"dos.txt": "one\r\ntwo\r\n"})
    agent.edit("dos.txt", "two\r\n", "2\r\n")
    agent.person("dos.txt", "one\r\n2\r\nthree\r\n")
    agent.commit()
    agent.answer()
    assert kinds(agent, "dos.txt") == ["human", "agent", "human"]


def test_of_a_binary_file_nothing_is_claimed(agent: Writer) -> None:
    agent.repo.write({"f.bin": b"\0\1\2\n\3"})
    agent.commit()
    agent.answer()
    assert set(kinds(agent, "f.bin")) == {"unknown"}


@pytest.mark.parametrize("name", ["with space.py", 'quo"te\\.py', "ümlaut é.py", "new\nline.py", "-dash.py"])
def test_any_name_of_a_file_works(agent: Writer, name: str) -> None:
    agent.write(name, "one\n")
    agent.person(name, "one\ntyped by hand\n")
    agent.commit()
    agent.answer()
    assert kinds(agent, name) == ["agent", "human"]


# -- what is recorded, and what is left where it is not


def test_the_lines_travel_with_the_session(agent: Writer, tmp_path: Path) -> None:
    commit = mixed_commit(agent)
    assert recorded(agent) == [commit]
    clone = Repo(tmp_path / "clone")
    agent.repo.git("clone", "-q", str(agent.repo.path), str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/agent-sessions/*:refs/agent-sessions/*", "refs/notes/*:refs/notes/*")
    store = git_agent_session.open(str(clone.path))
    assert [line.kind for line in blame.blame(store, "old.py").lines()] == MIXED


def test_a_commit_after_the_last_turn_is_found_out_when_it_is_asked_for(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.answer()
    agent.commit()
    assert kinds(agent, "old.py") == ["human", "agent", "human"]
    assert recorded(agent) == []
    kept = agent.shared / "answers" / agent.id
    assert kept.exists()
    assert kinds(agent, "old.py") == ["human", "agent", "human"]
    kept.write_text("{")
    assert kinds(agent, "old.py") == ["human", "agent", "human"]


def test_without_a_transcript_the_file_as_the_agent_left_it_counts(agent: Writer) -> None:
    agent.repo.git("config", "agentSession.transcript", "none")
    agent.write("new.py", "a = 1\n")
    agent.write("touched.py", "b = 2\n")
    agent.person("touched.py", "b = 2\nc = 3\n")
    agent.commit()
    agent.answer()
    assert kinds(agent, "new.py") == ["agent"]
    assert kinds(agent, "touched.py") == ["unknown", "unknown"]


def test_a_session_that_is_not_here_is_named(agent: Writer, tmp_path: Path) -> None:
    mixed_commit(agent)
    clone = Repo(tmp_path / "clone")
    agent.repo.git("clone", "-q", str(agent.repo.path), str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
    found = list(blame.blame(git_agent_session.open(str(clone.path)), "new.py").lines())
    assert [(line.kind, line.session, line.present) for line in found] == [("unknown", agent.id, False)] * 2


def test_a_broken_session_is_reported_and_the_rest_is_shown(agent: Writer) -> None:
    mixed_commit(agent)
    empty = agent.repo.git("commit-tree", "-m", "x", agent.repo.git("write-tree"))
    agent.repo.git("update-ref", f"refs/agent-sessions/{agent.id}", empty)
    shutil.rmtree(agent.shared / "seen")
    answer = blame.blame(agent.store(), "old.py")
    found = list(answer.lines())
    assert [line.kind for line in found] == ["human", "unknown", "unknown", "human", "unknown"]
    assert len(answer.attribution.broken) == 1


# -- through rewrites


def test_an_amend_keeps_the_lines_and_adds_its_own(agent: Writer) -> None:
    mixed_commit(agent)
    agent.person("old.py", (agent.repo.path / "old.py").read_text() + "amended_by_a_person = 1\n")
    agent.repo.git("commit", "-q", "-a", "--amend", "--no-edit")
    assert kinds(agent, "old.py") == [*MIXED, "human"]
    agent.ask("more")
    agent.answer()
    assert kinds(agent, "old.py") == [*MIXED, "human"]


def test_an_amend_with_more_of_the_agents_lines(agent: Writer) -> None:
    mixed_commit(agent)
    agent.ask("more")
    agent.edit("old.py", "gamma = 3\n", "gamma = 30\n")
    agent.repo.git("commit", "-q", "-a", "--amend", "--no-edit")
    agent.answer()
    found = lines(agent, "old.py")
    assert [line.kind for line in found] == ["human", "agent", "agent", "agent", "human"]
    assert [line.prompt for line in found] == [0, 1, 1, 2, 0]


def test_a_rebase_that_moves_the_lines_keeps_who_wrote_them(agent: Writer) -> None:
    agent.repo.git("checkout", "-q", "-b", "topic")
    mixed_commit(agent)
    agent.repo.git("checkout", "-q", "main")
    agent.repo.commit("above", files={"old.py": "first = 0\nsecond = 0\n" + OLD})
    agent.repo.git("rebase", "-q", "main", "topic")
    assert kinds(agent, "old.py") == ["human", "human", *MIXED]
    agent.ask("more")
    agent.answer()
    assert agent.repo.git("rev-parse", "HEAD") in recorded(agent)
    assert kinds(agent, "old.py") == ["human", "human", *MIXED]


def test_a_squash_keeps_the_lines_of_both(agent: Writer) -> None:
    mixed_commit(agent)
    agent.ask("more")
    agent.edit("old.py", "alpha = 1\n", "alpha = 10\n")
    agent.commit()
    agent.answer()
    editor = {"GIT_SEQUENCE_EDITOR": "sed -i.bak -e '2s/pick/fixup/'", "GIT_EDITOR": "true"}
    agent.repo.git("rebase", "-q", "-i", "HEAD~2", env=editor)
    found = lines(agent, "old.py")
    assert [line.kind for line in found] == ["agent", "agent", "agent", "human", "human"]
    assert [line.prompt for line in found] == [2, 1, 1, 0, 0]


def test_a_squash_merge_brings_the_lines_of_the_branchs_commits(agent: Writer) -> None:
    agent.repo.commit("base", files={"f.py": "one = 1\n"})
    agent.repo.git("checkout", "-q", "-b", "topic")
    agent.edit("f.py", "one = 1\n", "one = 1\nagent_one = 1\n")
    agent.commit()
    agent.edit("f.py", "agent_one = 1\n", "agent_one = 1\nagent_two = 2\n")
    agent.commit()
    agent.answer()
    agent.repo.git("checkout", "-q", "main")
    agent.repo.git("merge", "-q", "--squash", "topic")
    agent.commit(message="squashed")
    assert kinds(agent, "f.py") == ["human", "agent", "agent"]


def test_a_rewritten_commit_is_not_judged_by_what_came_after_the_one_it_was(agent: Writer) -> None:
    agent.repo.git("checkout", "-q", "-b", "topic")
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.commit()
    agent.answer()
    agent.ask("higher")
    agent.edit("old.py", "beta = 20\n", "beta = 200\n")
    agent.commit()
    agent.answer()
    agent.repo.git("checkout", "-q", "main")
    agent.repo.commit("beside", files={"other": "x\n"})
    agent.repo.git("rebase", "-q", "main", "topic")
    assert kinds(agent, "old.py", Options(revision="HEAD~")) == ["human", "agent", "human"]
    assert [line.prompt for line in lines(agent, "old.py")] == [0, 2, 0]


def test_a_renamed_file_keeps_who_wrote_its_lines(agent: Writer) -> None:
    mixed_commit(agent)
    agent.repo.git("mv", "old.py", "moved.py")
    agent.repo.commit("move")
    assert kinds(agent, "moved.py") == MIXED


# -- what is not committed, and what is cut off


def test_lines_that_are_in_no_commit_yet(agent: Writer) -> None:
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.answer()
    agent.person("old.py", "alpha = 1\nbeta = 20\ngamma = 3\ntyped by hand\n")
    found = lines(agent, "old.py")
    assert [(line.kind, line.committed) for line in found] == [
        *(("human", True), ("agent", False), ("human", True), ("human", False)),
    ]
    assert found[1].session == agent.id and found[1].agent == "claude-code" and found[1].prompt == 1


def test_a_shallow_clone_claims_nothing_of_lines_from_before(agent: Writer, tmp_path: Path) -> None:
    mixed_commit(agent)
    agent.repo.commit("later", files={"other": "x\n"})
    clone = Repo(tmp_path / "clone")
    agent.repo.git("clone", "-q", "--depth=1", f"file://{agent.repo.path}", str(clone.path))
    store = git_agent_session.open(str(clone.path))
    assert {line.kind for line in blame.blame(store, "old.py").lines()} == {"unknown"}


def test_at_the_end_of_a_shallow_clone_only_what_is_recorded_counts(agent: Writer, tmp_path: Path) -> None:
    agent.write("old.py", OLD + "delta = 4\n")
    agent.answer()
    agent.commit()
    everything = ("refs/agent-sessions/*:refs/agent-sessions/*", "refs/notes/*:refs/notes/*")

    def cloned(name: str) -> list[str]:
        agent.store().drain(agent.id)
        clone = Repo(tmp_path / name)
        agent.repo.git("clone", "-q", "--depth=1", f"file://{agent.repo.path}", str(clone.path))
        clone.git("fetch", "-q", "origin", *everything)
        store = git_agent_session.open(str(clone.path))
        return [line.kind for line in blame.blame(store, "old.py").lines()]

    assert cloned("before") == ["unknown"] * 4
    agent.ask("more")
    agent.answer()
    assert cloned("after") == ["unknown", "unknown", "unknown", "agent"]


def test_a_linked_worktree_and_a_bare_repository_answer_too(agent: Writer, tmp_path: Path) -> None:
    mixed_commit(agent)
    agent.repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    there = git_agent_session.open(str(tmp_path / "other"))
    assert [line.kind for line in blame.blame(there, "old.py").lines()] == MIXED
    agent.repo.git("clone", "-q", "--mirror", str(agent.repo.path), str(tmp_path / "bare"))
    bare = git_agent_session.open(str(tmp_path / "bare"))
    assert [line.kind for line in blame.blame(bare, "old.py", Options(revision="HEAD")).lines()] == MIXED


# -- git's options and errors


def test_gits_options_choose_lines_and_history(agent: Writer) -> None:
    commit = mixed_commit(agent)
    assert [line.number for line in lines(agent, "old.py", Options(("2,3",)))] == [2, 3]
    assert kinds(agent, "old.py", Options(("/gamma/,+1",))) == ["human"]
    assert kinds(agent, "old.py", Options(revision=f"{commit}~")) == ["human"] * 3
    agent.repo.commit("indent", files={"new.py": "def parse(text):\n        return text.split()\n"})
    assert kinds(agent, "new.py") == ["agent", "human"]
    assert kinds(agent, "new.py", Options(ignore_whitespace=True)) == ["agent", "agent"]
    assert set(kinds(agent, "old.py", Options(since="2100-01-01"))) <= {"unknown", "agent", "human"}


def test_what_git_cannot_blame_is_an_error(agent: Writer) -> None:
    agent.answer()
    for path, options in (("none.py", Options()), ("old.py", Options(("9,9",))), ("old.py", Options(revision="nope"))):
        with pytest.raises(GitError):
            lines(agent, path, options)
    with pytest.raises(UsageError):
        lines(agent, "old.py", Options(revision="--output=x"))


def test_how_many_sessions_are_read_is_told(agent: Writer) -> None:
    mixed_commit(agent)
    told: list[tuple[int, int]] = []
    blame.blame(agent.store(), "old.py", progress=lambda done, all: told.append((done, all)))
    assert told == [(0, 1), (1, 1)]


# -- with an index


def test_an_index_spares_the_chains_of_sessions(agent: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = mixed_commit(agent)
    store = agent.store()
    index.open(store).refresh()
    expected = Attribution(store).record(agent.id, commit)
    monkeypatch.setattr(attribution, "kept", lambda *_: pytest.fail("a chain is read"))
    asked = Attribution(store)
    asked.load([agent.id])
    assert asked.record(agent.id, commit).to_data() == expected.to_data()


def test_what_came_after_the_index_counts(agent: Writer) -> None:
    index.open(agent.store()).refresh()
    mixed_commit(agent)
    assert kinds(agent, "old.py") == MIXED


def test_an_index_hides_no_broken_session(agent: Writer) -> None:
    mixed_commit(agent)
    store = agent.store()
    tip = store.repo.tip(SESSIONS + agent.id)
    state = store.repo.files(str(tip), "session.toml")["session.toml"]
    broken = store.repo.write_batch({"session.toml": state, "events.toml": b"[[event]]\nid = "}, [], "x")
    agent.repo.git("update-ref", SESSIONS + agent.id, broken)
    shutil.rmtree(agent.shared / "seen")
    assert index.open(agent.store()).refresh().broken
    answer = blame.blame(agent.store(), "old.py")
    assert len(answer.attribution.broken) == 1


def test_an_index_that_is_being_built_is_not_asked(agent: Writer) -> None:
    mixed_commit(agent)
    found = index.open(agent.store())
    found.refresh()
    tips = {agent.id: str(found.store.repo.tip(SESSIONS + agent.id))}
    assert len(found.committed(tips, "lines")[agent.id]) == 1
    assert found.committed(dict.fromkeys(tips, "0" * 40), "lines") == {}
    with contextlib.closing(database.connect(found.store.shared)) as db:
        database.begin_build(db)
    assert found.committed(tips, "lines") == {}
    assert kinds(agent, "old.py") == MIXED
