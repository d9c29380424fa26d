"""What Codex's hook payloads and rollouts become."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import claude_code, codex, transcripts
from git_agent_session.agents.protocol import Capture, Source
from git_agent_session.ids import event_id_from, is_event_id
from git_agent_session.model import Doc
from tests import recorded
from tests.recorded import records, shapes

FIXTURES = recorded.FIXTURES / "codex"
SID = "0199aaaa-0000-7000-8000-00000000c0de"
SUB = "0199aaaa-0000-7000-8000-0000000051b1"
TURN = "0199aaaa-1111-7000-8000-000000000001"
TOP = "/home/dev/project"
PAYLOADS = records(FIXTURES / "hooks.jsonl")
MAIN = Source("", "rollout.jsonl")


def payload(event: str, **fields: Any) -> dict[str, Any]:
    found = next(p for p in PAYLOADS if p["hook_event_name"] == event and "agent_id" not in p)
    return {**found, **fields}


def translated(given: dict[str, Any]) -> Capture:
    capture = codex.translate(given, {}, TOP)
    assert capture is not None
    return capture


def one(given: dict[str, Any]) -> Doc:
    (event,) = translated(given).events
    assert is_event_id(event.id)
    return event.to_dict()


# -- whose call it is


def test_every_call_of_codex_is_its_own_and_not_claudes() -> None:
    for call in PAYLOADS:
        assert codex.is_own(call, {})
        assert not claude_code.is_own(call, {})


@pytest.mark.parametrize(
    "given",
    [
        {"session_id": "s", "transcript_path": "/home/dev/.claude/projects/-home-dev/s.jsonl"},
        {"session_id": "s", "transcript_path": "/home/dev/.factory/sessions/-home-dev/s.jsonl"},
        {"session_id": "s", "timestamp": "2026-03-04T10:00:00.000Z", "turn_id": "t"},
        {"conversation_id": "s", "session_id": "s", "turn_id": "t"},
        {"session_id": "", "turn_id": "t"},
        {"session_id": "s"},
        {},
    ],
)
def test_another_agents_call_is_not_codexs(given: dict[str, Any]) -> None:
    assert not codex.is_own({"hook_event_name": "Stop", **given}, {"CODEX_MANAGED_BY_NPM": "1"})


def test_a_session_without_a_rollout_is_known_by_its_turns() -> None:
    assert codex.is_own({"session_id": "s", "turn_id": "t", "transcript_path": None}, {})


def test_a_call_belongs_where_codex_is() -> None:
    assert codex.folders(payload("Stop"), {}) == [TOP]
    assert codex.folders({"cwd": 7}, {}) == []


# -- hooks


def test_a_session_begins_and_goes_on_after_a_compaction() -> None:
    starts = [translated(p) for p in PAYLOADS if p["hook_event_name"] == "SessionStart"]
    assert [(c.begins, c.forked, c.settle) for c in starts] == [(True, False, True), (False, False, True)]
    assert starts[0].agent == {"model": "gpt-5.4"}
    assert starts[0].notes["transcript"].endswith(f"{SID}.jsonl")


def test_a_start_names_the_version_and_a_fork_its_parent(tmp_path: Path) -> None:
    rollout = tmp_path / f"rollout-2026-03-04T11-00-00-{SID}.jsonl"
    meta = {"id": SID, "forked_from_id": "0199aaaa-parent", "cwd": TOP, "cli_version": "0.169.0"}
    rollout.write_text(json.dumps({"type": "session_meta", "payload": meta}, separators=(",", ":")) + "\n")
    capture = translated(payload("SessionStart", source="fork", transcript_path=str(rollout)))
    assert (capture.forked, capture.parent) == (True, "0199aaaa-parent")
    assert capture.agent["version"] == "0.169.0"


def test_a_prompt_is_the_users_message() -> None:
    capture = translated(payload("UserPromptSubmit"))
    assert capture.prompts and capture.title == "Add a greeting"
    assert one(payload("UserPromptSubmit"))["text"] == "Add a greeting\nand commit it"


def test_what_a_subagent_was_told_is_no_prompt_and_its_rollout_not_the_sessions() -> None:
    (call,) = (p for p in PAYLOADS if p["hook_event_name"] == "UserPromptSubmit" and "agent_id" in p)
    capture = translated(call)
    assert not capture.prompts and not capture.events and not capture.title
    assert capture.notes == {} and capture.agent == {}


def test_a_patch_that_codex_applies_itself_counts_before() -> None:
    given = payload("PreToolUse")
    event, capture = one(given), translated(given)
    paths = ["src/greet.py", "README.md", "docs/README.md"]
    assert (event["name"], event["paths"], event["id"]) == ("apply_patch", paths, "tool-call_01")
    assert "outcome" not in event
    assert capture.wrote == paths
    # the shell never sees it: there is no call after it to compare with
    assert capture.shell == ""


PATCH = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** End Patch"


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        (f"apply_patch <<'EOF'\n{PATCH}\nEOF", ["a.txt"]),
        (f"apply_patch <<EOF\n{PATCH}\nEOF\n", ["a.txt"]),
        (f"cd sub && apply_patch <<'EOF'\n{PATCH}\nEOF", ["sub/a.txt"]),
        (f"cd '{TOP}/sub' && apply_patch <<'EOF'\n{PATCH}\nEOF", ["sub/a.txt"]),
        # these the shell runs, and it knows no apply_patch
        (f"mkdir sub && cd sub && apply_patch <<'EOF'\n{PATCH}\nEOF", []),
        (f"apply_patch <<'EOF'\n{PATCH}\nEOF\ngit status", []),
        (f"cat <<'EOF'\n{PATCH}\nEOF", []),
        ("apply_patch", []),
        ("", []),
    ],
)
def test_only_a_command_that_is_a_patch_and_no_more_is_one(command: str, paths: list[str]) -> None:
    capture = translated(payload("PreToolUse", tool_input={"command": command}))
    assert capture.wrote == paths
    assert bool(capture.events) is bool(paths)
    assert capture.shell == ("" if paths else "before")


def test_a_command_is_bracketed() -> None:
    command = "git commit -qam 'Add a greeting'; git log --oneline"
    before = translated(payload("PreToolUse", tool_input={"command": command}))
    after = translated(payload("PostToolUse"))
    assert (before.shell, before.command, before.events) == ("before", command, [])
    assert (after.shell, after.command, after.output) == ("after", command, "1a2b3c4 Add a greeting\n")


def test_how_a_command_ended_stands_in_the_rollout(tmp_path: Path) -> None:
    path = str(shutil.copy(FIXTURES / "rollout.jsonl", tmp_path / f"rollout-2026-03-04T10-00-00-{SID}.jsonl"))
    good = one(payload("PostToolUse", transcript_path=path))
    assert (good["outcome"], good["duration_ms"]) == ("ok", 1250)
    bad = one(payload("PostToolUse", transcript_path=path, tool_use_id="call_03", tool_response="1 failed\n"))
    assert (bad["outcome"], bad["duration_ms"], bad["error"]) == ("error", 5, "1 failed\n")


def test_an_end_that_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    assert "outcome" not in one(payload("PostToolUse"))
    pipe = tmp_path / "rollout-x.jsonl"
    os.mkfifo(pipe)
    assert "outcome" not in one(payload("PostToolUse", transcript_path=str(pipe)))


def test_a_patch_as_a_tool_of_its_own_counts_afterwards() -> None:
    given = payload("PostToolUse", tool_name="apply_patch", tool_input={"command": PATCH}, tool_response="Success.")
    assert translated(given).wrote == ["a.txt"]
    failed = translated({**given, "tool_response": {"success": False}})
    assert failed.wrote == [] and failed.events[0].data["outcome"] == "error"


def test_a_subagents_tool_names_it() -> None:
    given = next(p for p in PAYLOADS if p.get("tool_use_id") == "call_05")
    assert one(given)["agent_id"] == SUB


def test_a_subagent_starts_and_stops() -> None:
    starts = [one(p) for p in PAYLOADS if p["hook_event_name"].startswith("Subagent")]
    assert [(e["action"], e["agent_id"], e["type"]) for e in starts] == [
        ("start", SUB, "explorer"),
        ("stop", SUB, "explorer"),
    ]


def test_the_end_of_a_turn_is_an_answer_and_a_good_moment() -> None:
    capture = translated(payload("Stop"))
    assert capture.settle
    assert one(payload("Stop"))["text"] == "The greeting is in."


def test_an_interrupt_is_the_one_that_the_rollout_tells_of() -> None:
    event = one(payload("Interrupt"))
    turn = payload("Interrupt")["turn_id"]
    (told,) = [i for r in records(FIXTURES / "rollout.jsonl") for i in codex.items(r, MAIN) if i.kind == "interrupt"]
    draft = transcripts.told(told, SID)
    assert draft is not None and draft.id == event["id"] == event_id_from("interrupt", SID, turn)


def test_a_session_ends() -> None:
    assert translated(payload("SessionEnd")).ends == "completed"


def test_a_second_delivery_says_nothing_new() -> None:
    first = [e.id for p in PAYLOADS for e in translated(p).events]
    again = [e.id for p in PAYLOADS for e in translated(p).events]
    assert first == again
    assert max(Counter(first).values()) == 1


def test_hooks_ask_for_what_is_understood_and_no_longer_than_codex_allows() -> None:
    setup = codex.setup()
    assert set(setup.events) == {p["hook_event_name"] for p in PAYLOADS}
    assert setup.handler is not None
    assert [setup.handler("x", e)["timeout"] for e in ("Stop", "SessionEnd", "Interrupt")] == [20, 3, 3]
    assert codex.resume(SID) == ["codex", "resume", SID]


# -- whatever comes


@given(shapes(PAYLOADS), st.sampled_from(codex.HOOKS))
def test_no_payload_breaks_it(given: dict[str, Any], event: str) -> None:
    codex.is_own(given, {})
    codex.folders(given, {})
    capture = codex.translate({**given, "hook_event_name": event}, {}, TOP)
    for draft in capture.events if capture else ():
        assert is_event_id(draft.id)
