"""What Codex's rollouts say, what is kept of them, and what they cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from git_agent_session.agents import codex, transcripts
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.agents.tally import Tally
from git_agent_session.git.discover import discover
from git_agent_session.model import Doc
from tests import recorded
from tests.recorded import shapes

FIXTURES = recorded.FIXTURES / "codex"
SID = "0199aaaa-0000-7000-8000-00000000c0de"
SUB = "0199aaaa-0000-7000-8000-0000000051b1"
TOP = "/home/dev/project"

MAIN = Source("", "rollout.jsonl")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of Codex's with a session of two rollouts."""
    day = tmp_path / "codex" / "sessions" / "2026" / "03" / "04"
    day.mkdir(parents=True)
    shutil.copy(FIXTURES / "rollout.jsonl", day / f"rollout-2026-03-04T10-00-00-{SID}.jsonl")
    shutil.copy(FIXTURES / "subagent.jsonl", day / f"rollout-2026-03-04T10-00-30-{SUB}.jsonl")
    return tmp_path / "codex"


def main_of(home: Path) -> Path:
    return next(home.glob(f"sessions/2026/03/04/*{SID}.jsonl"))


def records(name: str) -> list[Doc]:
    return recorded.records(FIXTURES / name)


def said(name: str) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for record in records(name) for item in codex.items(record, MAIN)]


def item(name: str, kind: str, own_id: str) -> Item:
    found = [i for record in records(name) for i in codex.items(record, MAIN) if (i.kind, i.id) == (kind, own_id)]
    assert len(found) == 1
    return found[0]


def counted(source: Source, memory: Doc | None = None) -> Tally:
    return recorded.count(codex, source, memory)


# -- what is said, what is stored


def test_a_rollout_says_each_thing_once() -> None:
    assert said("rollout.jsonl") == [
        ("model", ""),
        ("prompt", "Add a greeting\nand commit it"),
        ("thinking", "**Plan**\n\none file"),
        ("answer", "I will write it."),
        ("call", ""),
        ("result", item("rollout.jsonl", "result", "call_01").text),
        ("call", ""),
        ("result", item("rollout.jsonl", "result", "call_03").text),
        ("compact", "A greeting was added; a test fails."),
        ("answer", "The greeting is in."),
        ("interrupt", ""),
        ("error", "rate limited"),
    ]


def test_a_legacy_rollout_says_each_thing_once() -> None:
    assert said("legacy.jsonl") == [
        ("prompt", "Say hello"),
        ("model", ""),
        ("thinking", "**Greeting**"),
        ("call", ""),
        ("result", "hello\n"),
        ("call", ""),
        ("result", "no such file"),
        ("answer", "Hello."),
        ("interrupt", ""),
    ]


def test_the_first_rollouts_are_understood() -> None:
    assert said("bare.jsonl") == [("prompt", "Say hello"), ("call", ""), ("result", "hello\n"), ("answer", "Hello.")]
    assert item("bare.jsonl", "call", "call_b1").input == {"type": "exec", "command": ["echo", "hello"]}


@pytest.mark.parametrize(
    ("name", "call", "outcome", "spent"),
    [
        ("rollout.jsonl", "call_01", "ok", 0),
        ("rollout.jsonl", "call_03", "error", 2500),
        ("legacy.jsonl", "call_l1", "ok", 400),
        ("legacy.jsonl", "call_l2", "error", 0),
        ("bare.jsonl", "call_b1", "ok", None),
    ],
)
def test_a_result_says_how_the_tool_ended(name: str, call: str, outcome: str, spent: int | None) -> None:
    found = item(name, "result", call)
    assert (found.outcome, found.duration_ms) == (outcome, spent)


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("Wall time: 5.1 seconds\naborted by user", "interrupted"),
        ("apply_patch verification failed: no such file", "error"),
        ("unsupported call: nosuch", "error"),
        ({"content": "no", "success": False}, "error"),
        ([{"type": "input_text", "text": "a.txt\n"}], "ok"),
        ("Process exited with code 0\nOutput:\nProcess exited with code 7", "ok"),
        (None, "ok"),
    ],
)
def test_the_forms_of_a_result(output: object, outcome: str) -> None:
    record = {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": output}}
    (found,) = codex.items(record, MAIN)
    assert found.outcome == outcome


@pytest.mark.parametrize("name", ["rollout.jsonl", "legacy.jsonl", "bare.jsonl", "subagent.jsonl"])
def test_what_is_stored_says_the_same(name: str) -> None:
    for record in records(name):
        stored = codex.kept(record, MAIN)
        before = [transcripts.item_row(i) for i in codex.items(record, MAIN)]
        after = [transcripts.item_row(i) for i in codex.items(stored, MAIN)] if stored is not None else []
        assert before == after


def test_what_the_harness_wrote_for_itself_is_not_stored() -> None:
    stored = json.dumps([codex.kept(r, MAIN) for name in ("rollout.jsonl", "legacy.jsonl") for r in records(name)])
    for text in (
        *("You are a coding agent", "Be good", "Ask first", "environment_context", "AGENTS.md", "world_state"),
        *("gAAA", "plan_type", "replacement_history", "ghost_commit", "token_usage_record", "history_sequence"),
    ):
        assert text not in stored
    assert "print('hello')" in stored and "1 failed" in stored


def test_a_generated_image_is_not_stored() -> None:
    record = {"type": "response_item", "payload": {"type": "image_generation_call", "id": "i", "result": "iVBOR" * 99}}
    stored = codex.kept(record, MAIN)
    assert stored is not None and stored["payload"]["result"] == {"type": "image", "dropped": 495}


# -- tokens


def test_requests_add_up_to_the_last_total(home: Path) -> None:
    tally = counted(Source("", str(main_of(home))))
    last = [r for r in records("rollout.jsonl") if r["type"] == "token_usage_record"][-1]["payload"]
    total = last["thread_token_usage"]
    assert tally.totals == {
        "gpt-5.4": {
            "input_tokens": total["input_tokens"] - total["cached_input_tokens"] - 500,
            "cache_read_tokens": total["cached_input_tokens"],
            "cache_write_tokens": 500,
            "output_tokens": total["output_tokens"],
            "reasoning_tokens": total["reasoning_output_tokens"],
        }
    }
    assert (tally.memory["model"], tally.memory["version"]) == ("gpt-5.4", "0.169.0")


def test_a_legacy_rollout_counts_each_request_once() -> None:
    tally = counted(Source("", str(FIXTURES / "legacy.jsonl")))
    amounts = tally.totals["gpt-5.1-codex"]
    assert (amounts["input_tokens"], amounts["cache_read_tokens"], amounts["output_tokens"]) == (1000, 3500, 100)


def test_a_fork_counts_its_own_requests_and_not_its_parents_total(tmp_path: Path) -> None:
    usage = {"input_tokens": 100, "cached_input_tokens": 0, "output_tokens": 10, "total_tokens": 110}
    total = {"input_tokens": 90_100, "cached_input_tokens": 0, "output_tokens": 5010, "total_tokens": 95_110}
    payload = {"usage": usage, "thread_token_usage": total}
    path = tmp_path / "rollout-fork.jsonl"
    path.write_text(json.dumps({"type": "token_usage_record", "payload": payload}) + "\n")
    assert counted(Source("", str(path))).totals[""]["input_tokens"] == 100


def test_reading_in_pieces_gives_what_reading_at_once_gives(home: Path) -> None:
    path = main_of(home)
    data = path.read_bytes()
    whole = counted(Source("", str(path))).totals
    for step in (97, 1999, 5000):
        memory: dict[str, Any] = {}
        for end in range(step, len(data) + step, step):
            path.write_bytes(data[:end])
            # as it is kept between two processes
            memory = json.loads(json.dumps(counted(Source("", str(path)), memory).memory))
        assert memory["totals"] == whole


def test_a_subagent_counts_by_its_own_model_and_does_not_name_the_sessions(home: Path) -> None:
    main, inner = codex.sources(str(main_of(home)), {"CODEX_HOME": str(home)})
    tally = counted(main)
    tally = counted(inner, tally.memory)
    assert tally.totals["gpt-5.4-mini"]["output_tokens"] == 50
    assert tally.memory["model"] == "gpt-5.4"


# -- files


def test_a_session_has_the_rollouts_of_its_subagents(home: Path) -> None:
    found = codex.sources(str(main_of(home)), {"CODEX_HOME": str(home)})
    assert [s.name for s in found] == ["", SUB]


def test_another_sessions_rollout_is_not_a_subagents(home: Path) -> None:
    other = "0199aaaa-0000-7000-8000-0000000000ee"
    path = main_of(home).with_name(f"rollout-2026-03-04T11-00-00-{other}.jsonl")
    meta = {"id": other, "session_id": other, "forked_from_id": SID, "cwd": TOP}
    path.write_text(json.dumps({"type": "session_meta", "payload": meta}, separators=(",", ":")) + "\n")
    assert len(codex.sources(str(main_of(home)), {"CODEX_HOME": str(home)})) == 2


def test_an_archived_rollout_is_read(home: Path) -> None:
    (home / "archived_sessions").mkdir()
    moved = shutil.move(main_of(home), home / "archived_sessions")
    assert codex.sources(str(moved), {"CODEX_HOME": str(home)})[0].path == os.path.realpath(moved)


@pytest.mark.parametrize(
    "name",
    ["rollout-x.jsonl", "sessions/../rollout-x.jsonl", "sessions/a.jsonl", "sessions/x/rollout-x.txt", "auth.json"],
)
def test_a_path_outside_of_codexs_folders_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        codex.sources(str(home / name), {"CODEX_HOME": str(home)})


def test_a_link_that_leads_out_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "rollout-secret.jsonl").write_text("{}\n")
    link = home / "sessions" / "rollout-secret.jsonl"
    link.symlink_to(tmp_path / "rollout-secret.jsonl")
    with pytest.raises(ValueError, match="is not read"):
        codex.sources(str(link), {"CODEX_HOME": str(home)})


def test_earlier_sessions_of_this_repository_are_found(home: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    subprocess.run(["git", "init", "-q", str(here)], check=True)
    location = discover(str(here))
    assert location is not None
    assert list(codex.found(location, {"CODEX_HOME": str(home)})) == []
    for path in home.glob("sessions/*/*/*/*.jsonl"):
        path.write_text(path.read_text().replace(TOP, str(here)))
    # the subagent's is a part of the session's
    assert [(f.native_id, f.path) for f in codex.found(location, {"CODEX_HOME": str(home)})] == [
        (SID, str(main_of(home)))
    ]


# -- whatever comes


@given(shapes([r for name in ("rollout.jsonl", "legacy.jsonl", "bare.jsonl") for r in records(name)]))
def test_no_record_breaks_it(record: dict[str, Any]) -> None:
    codex.count(record, recorded.tally_of(), MAIN)
    list(codex.items(record, MAIN))
    codex.kept(record, MAIN)
