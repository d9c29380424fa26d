"""The parts of an import: what calls write, what git's words say, which transcript copies which."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from git_agent_session.agents import claude_code, codex
from git_agent_session.agents import importing_forks as forks
from git_agent_session.agents.importing_find import _native_id
from git_agent_session.agents.importing_read import Past, Runs
from git_agent_session.agents.importing_writes import Folders, Written, blob_id, command, paths
from git_agent_session.agents.protocol import Found, Source
from git_agent_session.git.discover import discover
from git_agent_session.git.repository import Repository
from git_agent_session.ids import native_session_id
from git_agent_session.store.proof import Evidence
from tests.harness import Repo
from tests.recorded import FIXTURES, records


@pytest.fixture
def folders(repo: Repo) -> Folders:
    location = discover(str(repo.path))
    assert location is not None
    return Folders(location, str(repo.path))


def wrote(folders: Folders, *calls: dict[str, Any], **told: Any) -> list[tuple[str, str]]:
    written = Written(folders)
    found: list[tuple[str, str]] = []
    for given in calls:
        found += written.by(given, {"toolUseResult": told} if told else {})
    return found


def test_a_blob_id_is_gits(repo: Repo) -> None:
    for text in ("", "a\n", "ä – 漢\r\n"):
        assert blob_id(text) == repo.git("hash-object", "--stdin", input=text)


@pytest.mark.parametrize(
    "given",
    [
        {"file_path": "a.py", "content": "x\n"},
        {"filePath": "a.py", "content": "x\n"},
        {"path": "a.py", "file_text": "x\n", "command": "create"},
        {"input": "*** Begin Patch\n*** Add File: a.py\n+x\n*** End Patch\n"},
        {"command": ["apply_patch", "*** Begin Patch\n*** Add File: a.py\n+x\n*** End Patch"]},
        {"file_path": "a.py", "old_string": "", "new_string": "x\n"},
    ],
)
def test_every_agents_form_of_a_write_is_read(folders: Folders, given: dict[str, Any]) -> None:
    assert wrote(folders, given) == [("a.py", blob_id("x\n"))]


@pytest.mark.parametrize(
    "edit",
    [
        {"file_path": "a", "old_string": "one", "new_string": "two"},
        {"filePath": "a", "oldString": "one", "newString": "two"},
        {"path": "a", "old_str": "one", "new_str": "two"},
        {"path": "a", "edits": [{"oldText": "one", "newText": "two"}]},
        {
            "file_path": "a",
            "edits": [{"old_string": "one", "new_string": "2"}, {"old_string": "2", "new_string": "two"}],
        },
    ],
)
def test_an_edit_of_known_content_gives_known_content(folders: Folders, edit: dict[str, Any]) -> None:
    first = {"file_path": "a", "content": "one\n"}
    assert wrote(folders, first, edit)[-1] == ("a", blob_id("two\n"))


def test_an_edit_of_what_the_agent_says_the_file_was(folders: Folders) -> None:
    edit = {"file_path": "a", "old_string": "1", "new_string": "2"}
    assert wrote(folders, edit, originalFile="1\n") == [("a", blob_id("2\n"))]
    assert wrote(folders, edit, originalFile="1\n", userModified=True) == [("a", "")]


@pytest.mark.parametrize(
    "edit",
    [
        {"file_path": "a", "old_string": "x", "new_string": "y"},
        {"file_path": "a", "old_string": "none", "new_string": "y"},
        {"notebook_path": "a", "new_source": "y"},
        {"path": "a", "insert_line": 1, "insert_text": "y"},
        {"input": "*** Begin Patch\n*** Update File: a\n@@\n-x\n+y\n*** End Patch"},
    ],
)
def test_content_that_cannot_be_told_is_unknown(folders: Folders, edit: dict[str, Any]) -> None:
    assert wrote(folders, {"file_path": "a", "content": "x x\n"}, edit)[-1] == ("a", "")


def test_reading_is_no_writing_and_what_lies_outside_does_not_count(folders: Folders) -> None:
    assert wrote(folders, {"file_path": "a", "offset": 1}, {"file_path": "/etc/x", "content": "x"}) == []


def test_paths_are_relative_to_the_worktree_they_lie_in(repo: Repo) -> None:
    repo.commit("init")
    inner = repo.path / "trees" / "side"
    repo.git("worktree", "add", "-q", "-b", "side", str(inner))
    location = discover(str(repo.path))
    assert location is not None
    found = Folders(location, str(repo.path / "src"))
    assert found.relative(str(inner / "lib/b.py")) == "lib/b.py"
    assert found.relative(str(repo.path / "a.py")) == "a.py"
    assert found.relative("c.py") == "src/c.py"
    assert found.relative(os.path.expanduser("~/x")) == "~/x"
    assert paths({"file_path": str(inner / "z"), "path": "c.py"}, found) == ["z", "src/c.py"]


def test_a_command_is_found_in_every_agents_form() -> None:
    assert command({"command": "make"}) == command({"cmd": "make"}) == command({"command": ["make"]}) == "make"
    assert command({"description": "make"}) == ""


def seen(output: str, ran: str = "make") -> Evidence:
    evidence = Evidence("s")
    evidence.ran(ran, output, 1.0, 2.0, lambda v: v)
    return evidence


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("[main 1a2b3c4] Subject\n 1 file changed", [("1a2b3c4", "Subject")]),
        ("[main (root-commit) 1a2b3c4] Subject", [("1a2b3c4", "Subject")]),
        ("[detached HEAD 1a2b3c4] Subject", [("1a2b3c4", "Subject")]),
        ("ok\n[feat/x-1 1a2b3c4f] Fix [a] thing\n", [("1a2b3c4f", "Fix [a] thing")]),
        ("1a2b3c4 Subject", []),
        ("HEAD is now at 1a2b3c4 Subject", []),
        ("   1a2b3c4..5d6e7f8  main -> main", []),
        ("  [main 1a2b3c4] quoted", []),
        ("[main 1a2b3] too short", []),
    ],
)
def test_only_gits_own_words_after_a_commit_name_one(output: str, found: list[tuple[str, str]]) -> None:
    assert [(s.id, s.subject) for s in seen(output).shown] == found


@pytest.mark.parametrize(
    ("ran", "kept"),
    [
        ("git commit -m x", True),
        ("cd a && git -C b commit -qam 'x'", True),
        ("git log; make commit", False),
        ("git status", False),
    ],
)
def test_only_commands_that_commit_are_kept(ran: str, kept: bool) -> None:
    assert bool(seen("", ran).commands) is kept


def test_evidence_comes_back_as_it_was_and_what_is_read_twice_is_there_once() -> None:
    evidence = seen("[main 1a2b3c4] S", "git commit -m S")
    evidence.ran("git commit -m S", "[main 1a2b3c4] S", 1.0, 2.0, lambda v: v)
    evidence.wrote("a", 3.0, "")
    assert (len(evidence.shown), len(evidence.commands)) == (1, 1)
    assert Evidence.from_doc("s", evidence.to_doc()) == evidence
    for broken in ({}, {**evidence.to_doc(), "shown": [["x"]]}, {**evidence.to_doc(), "first": None}):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Evidence.from_doc("s", broken)


def heads(**parents: str) -> dict[str, forks.Head]:
    found = {}
    for name, parent in parents.items():
        found[name] = forks.Head()
        found[name].parent = parent
    return found


@pytest.mark.parametrize(
    ("parents", "order"),
    [
        ({"a": "", "b": "", "c": ""}, "cba"),
        ({"a": "", "b": "", "c": "a"}, "bac"),
        ({"a": "", "b": "a", "c": "b"}, "abc"),
        ({"a": "b", "b": "a", "c": ""}, "cba"),
        ({"a": "gone", "b": "b", "c": ""}, "cba"),
    ],
)
def test_a_fork_comes_after_what_it_copies(parents: dict[str, str], order: str) -> None:
    # by the last change alone it would be c, b, a
    found = [Found(name, name, -ord(name)) for name in parents]
    assert "".join(f.native_id for f in forks.in_order(found, heads(**parents))) == order


def test_a_fork_names_what_it_copies() -> None:
    uuid = "1c0ffee0-0000-4000-8000-00000000000a"
    assert forks._parent({"forkedFrom": {"sessionId": uuid}}) == uuid
    assert forks._parent({"payload": {"forked_from_id": uuid}}) == uuid
    assert forks._parent({"parentSession": f"/s/2026-03-04T10_{uuid}.jsonl"}) == uuid
    assert forks._parent({"forkedFrom": "x", "payload": {"forked_from_id": 3}}) == ""


def test_the_start_of_a_transcript_says_when_where_and_what() -> None:
    found = forks.head(codex, Source("", str(FIXTURES / "codex/rollout.jsonl")))
    assert (found.at, found.folder) == ("2026-03-04T10:00:00.000Z", "/home/dev/project")
    assert found.prompt and found.opening.startswith("prompt:")


def test_what_two_transcripts_share_is_found(tmp_path: Path) -> None:
    whole = FIXTURES / "claude/transcript.jsonl"
    lines = whole.read_text().splitlines(keepends=True)
    fork = tmp_path / "fork.jsonl"
    new = '{"type":"user","uuid":"new","timestamp":"2027-01-01T00:00:00.000Z","message":{"content":"Anew"}}\n'
    fork.write_text('{"type":"mode"}\n' + "".join(lines) + new)
    found = forks.copied(claude_code, Source("", str(fork)), [("old", Source("", str(whole)))])
    assert found.parent == "old" and 0 < found.records <= len(lines) + 1
    assert (found.at, found.prompt) == ("2027-01-01T00:00:00.000Z", "Anew")
    assert forks.copied(claude_code, Source("", str(whole)), []).records == 0


@pytest.mark.parametrize("skipped", [False, True])
def test_a_forks_running_totals_begin_where_the_copy_ends(repo: Repo, skipped: bool) -> None:
    repository = Repository.find(str(repo.path))
    folder = os.path.join(repository.location.shared, "capture")
    os.makedirs(folder)
    source = Source("", str(FIXTURES / "codex/rollout.jsonl"))
    rollout = records(Path(source.path))
    found = Past(
        codex,
        repository,
        {"id": native_session_id("codex", "x"), "status": "active", "agent": {"native_id": "x"}},
        lambda value: value,
        lambda said: None,
        folders=Folders(repository.location, ""),
        runs=Runs(folder),
        modified=0.0,
    )
    if skipped:
        found.skip(source, len(rollout))
    for record in rollout[-1:] if skipped else rollout:
        codex.count(record, found.tally, source)
    tokens = sum(sum(amounts.values()) for amounts in found.tally.totals.values())
    assert (tokens == 0) is skipped


@pytest.mark.parametrize(
    ("name", "content", "native_id"),
    [
        ("1c0ffee0-0000-4000-8000-00000000000a.jsonl", "", "1c0ffee0-0000-4000-8000-00000000000a"),
        ("rollout-2026-1c0ffee0-0000-4000-8000-00000000000a.jsonl", "", "1c0ffee0-0000-4000-8000-00000000000a"),
        ("session-x.jsonl", '{"a":1}\n{"sessionId":"own"}\n', "own"),
        ("plain.jsonl", "{}\n", "plain"),
    ],
)
def test_a_named_transcript_says_whose_it_is(tmp_path: Path, name: str, content: str, native_id: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert _native_id(str(path)) == native_id
