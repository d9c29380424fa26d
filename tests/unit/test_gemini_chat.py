"""What Gemini CLI's chats say, what is kept of them, and what they cost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from git_agent_session.agents import gemini, transcripts
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.git.discover import discover
from git_agent_session.model import Doc
from tests import recorded
from tests.recorded import shapes

FIXTURES = recorded.FIXTURES / "gemini"
SID = "5e55aaaa-0000-4000-8000-000000000001"
OLD = "5e55aaaa-0000-4000-8000-0000000000d0"
SUB = "a6e7aaaa-0000-4000-8000-000000000002"
MAIN = Source("", "chat.jsonl")
RECORDS = recorded.records(FIXTURES / "chat.jsonl")
DOCUMENT: Doc = json.loads((FIXTURES / "document.json").read_text())


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """The chats of a project: one with a subagent, and one of an older version."""
    folder = tmp_path / ".gemini" / "tmp" / "project" / "chats"
    (folder / SID).mkdir(parents=True)
    shutil.copy(FIXTURES / "chat.jsonl", folder / "session-2026-03-04T10-00-5e55aaaa.jsonl")
    shutil.copy(FIXTURES / "subagent.jsonl", folder / SID / f"{SUB}.jsonl")
    shutil.copy(FIXTURES / "document.json", folder / "session-2025-10-01T10-00-5e55aaaa.json")
    return folder


def env_of(chats: Path) -> dict[str, str]:
    return {"GEMINI_CLI_HOME": str(chats.parents[3])}


def said(records: list[Doc]) -> list[tuple[str, str, str]]:
    found: dict[tuple[str, str], Item] = {}
    for record in records:
        # a message is written again: the same id is the same thing
        found.update({(i.kind, i.id): i for i in gemini.items(record, MAIN)})
    return [(i.kind, i.id, i.outcome or i.text) for i in found.values()]


def read(path: Path, place: Any = None) -> tuple[list[Doc], Any]:
    out = []
    for record, after in gemini.read(Source("", str(path)), place):
        # as it is kept between two processes
        place = json.loads(json.dumps(after))
        out += [record] if record is not None else []
    return out, place


# -- what is said, what is stored


def test_a_chat_says_each_thing_once() -> None:
    assert said(RECORDS) == [
        ("prompt", "p1", "Add a greeting @README.md"),
        ("thinking", "g1.0", "Plan\none file"),
        ("answer", "g1", "I will write it."),
        ("call", "write_file__1", ""),
        ("result", "write_file__1", "ok"),
        ("call", "run_shell_command__2", ""),
        ("result", "run_shell_command__2", "error"),
        ("call", "nosuch__3", ""),
        ("result", "nosuch__3", "error"),
        ("interrupt", "i1", ""),
        ("error", "e1", "[API Error: quota]"),
        ("compact", "snap", "<state_snapshot>\nA greeting was added.\n</state_snapshot>"),
        ("prompt", "p2", "And now?"),
        ("answer", "g3", "The greeting is in."),
    ]


def test_items_have_their_own_times() -> None:
    times = {(i.kind, i.id): i.at for record in RECORDS for i in gemini.items(record, MAIN)}
    assert times["thinking", "g1.0"] == "2026-03-04T10:00:00.900Z"
    assert times["call", "write_file__1"] == "2026-03-04T10:00:01.000Z"
    assert times["result", "write_file__1"] == "2026-03-04T10:00:01.200Z"


def test_a_chat_of_an_older_version_is_understood(chats: Path) -> None:
    records, _ = read(chats / "session-2025-10-01T10-00-5e55aaaa.json")
    assert said(records) == [
        ("prompt", "d1", "Say hello"),
        ("call", "sh-1", ""),
        ("result", "sh-1", "error"),
        ("call", "sh-2", ""),
        ("result", "sh-2", "ok"),
        ("answer", "d3", "Hello."),
    ]


def test_a_call_that_has_not_ended_has_no_result() -> None:
    call = {"id": "c", "name": "x", "status": "executing"}
    assert said([{"id": "g", "type": "gemini", "content": "", "toolCalls": [call]}]) == [("call", "c", "")]
    call["status"] = "cancelled"
    assert ("result", "c", "interrupted") in said([{"id": "g", "type": "gemini", "toolCalls": [call]}])


def test_what_is_stored_says_the_same() -> None:
    for record in [*RECORDS, *DOCUMENT["messages"], DOCUMENT]:
        stored = gemini.kept(record, MAIN)
        before = [transcripts.item_row(i) for i in gemini.items(record, MAIN)]
        after = [transcripts.item_row(i) for i in gemini.items(stored, MAIN)] if stored is not None else []
        assert before == after


def test_what_the_harness_wrote_for_itself_is_not_stored() -> None:
    stored = [gemini.kept(r, MAIN) for r in RECORDS]
    text = json.dumps(stored)
    for part in ("session_context", "The tool's manual", "originalContent", "newContent", "Got it. Thanks"):
        assert part not in text
    assert "fileDiff" in text and "Adds a greeting" in text and "$rewindTo" in text
    # nothing but a time
    assert stored[RECORDS.index({"$set": {"lastUpdated": "2026-03-04T10:00:01.000Z"}})] is None


# -- tokens


def test_tokens_count_once_by_message_and_make_up_the_total(chats: Path) -> None:
    tally = recorded.count(gemini, Source("", str(chats / "session-2026-03-04T10-00-5e55aaaa.jsonl")))
    assert tally.totals == {
        "gemini-2.5-pro": {
            "input_tokens": 1000 + 1000 + 70,
            "cache_read_tokens": 9000,
            "output_tokens": 160 + 80,
            "reasoning_tokens": 40,
        },
        "gemini-2.5-flash": {
            "input_tokens": 900,
            "cache_read_tokens": 0,
            "output_tokens": 40,
            "reasoning_tokens": 10,
        },
    }
    last = {r["id"]: r["tokens"]["total"] for r in RECORDS if r.get("tokens")}
    ours = [v for model in tally.totals.values() for k, v in model.items() if k != "reasoning_tokens"]
    assert sum(ours) == sum(last.values())
    assert tally.memory["model"] == "gemini-2.5-flash"


def test_a_subagent_counts_but_does_not_name_the_sessions_model(chats: Path) -> None:
    main, inner = gemini.sources(str(chats / "session-2026-03-04T10-00-5e55aaaa.jsonl"), env_of(chats))
    tally = recorded.count(gemini, inner, recorded.count(gemini, main).memory)
    assert tally.totals["gemini-2.5-flash-lite"]["output_tokens"] == 55
    assert tally.memory["model"] == "gemini-2.5-flash"


def test_an_older_chat_counts(chats: Path) -> None:
    tally = recorded.count(gemini, Source("", str(chats / "session-2025-10-01T10-00-5e55aaaa.json")))
    assert tally.totals["gemini-2.5-pro"]["input_tokens"] == 160


# -- reading


def test_an_older_chat_goes_on_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "session-x.json"
    messages = DOCUMENT["messages"]
    path.write_text(json.dumps({**DOCUMENT, "messages": messages[:2]}))
    first, place = read(path)
    assert [r.get("id") for r in first] == [None, "d1", "d2"]
    assert read(path, place)[0] == []
    path.write_text(json.dumps(DOCUMENT))
    later, place = read(path, place)
    assert [r["id"] for r in later] == ["d3"]
    # its last message is written anew when a tool has ended
    path.write_text(json.dumps({**DOCUMENT, "messages": [*messages[:2], {**messages[2], "content": "Hello!"}]}))
    assert [r["content"] for r in read(path, place)[0]] == ["Hello!"]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"messages": 7}', "[" * 100_000])
def test_a_broken_document_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session-x.json"
    path.write_text(text)
    assert [r for r in read(path)[0] if "id" in r] == []


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "session-x.json")
    assert read(tmp_path / "session-x.json") == ([], None)


# -- files


def test_a_session_has_the_chats_of_its_subagents(chats: Path) -> None:
    found = gemini.sources(str(chats / "session-2026-03-04T10-00-5e55aaaa.jsonl"), env_of(chats))
    assert [(s.name, os.path.basename(s.path)) for s in found[1:]] == [(SUB, f"{SUB}.jsonl")]
    # another session with the same first digits
    assert len(gemini.sources(str(chats / "session-2025-10-01T10-00-5e55aaaa.json"), env_of(chats))) == 1


def test_a_session_id_is_no_path(chats: Path) -> None:
    path = chats / "session-2026-03-04T11-00-00000000.jsonl"
    path.write_text(json.dumps({"sessionId": f"../chats/{SID}"}) + "\n")
    assert len(gemini.sources(str(path), env_of(chats))) == 1


@pytest.mark.parametrize(
    "name", ["../session-x.jsonl", "x/session-x.jsonl", "other.jsonl", "session-x.txt", "../../../settings.json"]
)
def test_a_path_outside_of_geminis_folders_is_refused(chats: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        gemini.sources(str(chats / name), env_of(chats))


def test_a_link_that_leads_out_is_refused(chats: Path, tmp_path: Path) -> None:
    (tmp_path / "session-secret.jsonl").write_text("{}\n")
    (chats / "session-link.jsonl").symlink_to(tmp_path / "session-secret.jsonl")
    with pytest.raises(ValueError, match="is not read"):
        gemini.sources(str(chats / "session-link.jsonl"), env_of(chats))


@pytest.mark.parametrize("way", ["root", "projects", "hash"])
def test_earlier_sessions_of_this_repository_are_found(chats: Path, tmp_path: Path, way: str) -> None:
    here = tmp_path / "here"
    subprocess.run(["git", "init", "-q", str(here)], check=True)
    location = discover(str(here))
    assert location is not None
    assert list(gemini.found(location, env_of(chats))) == []
    if way == "root":
        (chats.parent / ".project_root").write_text(str(here))
    elif way == "projects":
        projects = {"projects": {str(here): "project", "/elsewhere": "other"}}
        (tmp_path / ".gemini" / "projects.json").write_text(json.dumps(projects))
    else:
        chats.parent.rename(chats.parent.with_name(hashlib.sha256(str(here).encode()).hexdigest()))
    assert sorted(f.native_id for f in gemini.found(location, env_of(chats))) == [SID, OLD]


def test_a_chat_that_went_on_as_json_lines_is_found_once(chats: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "here")], check=True)
    location = discover(str(tmp_path / "here"))
    assert location is not None
    (chats.parent / ".project_root").write_text(str(tmp_path / "here"))
    later = chats / "session-2025-10-01T10-00-5e55aaaa.jsonl"
    later.write_text(json.dumps({"sessionId": OLD, "projectHash": "0" * 64}) + "\n")
    found = [f.path for f in gemini.found(location, env_of(chats)) if f.native_id == OLD]
    assert found == [str(later)]


# -- whatever comes


@given(shapes([*RECORDS, *DOCUMENT["messages"], DOCUMENT]))
def test_no_record_breaks_it(record: dict[str, Any]) -> None:
    gemini.count(record, recorded.tally_of(), MAIN)
    list(gemini.items(record, MAIN))
    gemini.kept(record, MAIN)
