"""What Gemini CLI's hook payloads become."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import claude_code, codex, gemini
from git_agent_session.agents.protocol import Capture
from git_agent_session.ids import is_event_id
from git_agent_session.model import Doc
from tests import recorded
from tests.recorded import records, shapes

SID = "5e55aaaa-0000-4000-8000-000000000001"
TOP = "/home/dev/project"
ENV = {"GEMINI_SESSION_ID": SID, "GEMINI_PROJECT_DIR": TOP, "CLAUDE_PROJECT_DIR": TOP}
PAYLOADS = records(recorded.FIXTURES / "gemini" / "hooks.jsonl")


def payload(event: str, tool: str = "", number: int = 0, **fields: Any) -> dict[str, Any]:
    found = [p for p in PAYLOADS if p["hook_event_name"] == event and p.get("tool_name", "") == tool]
    return {**found[number], **fields}


def translated(call: dict[str, Any]) -> Capture:
    capture = gemini.translate(call, ENV, TOP)
    assert capture is not None
    return capture


def one(call: dict[str, Any]) -> Doc:
    (event,) = translated(call).events
    assert is_event_id(event.id)
    return event.to_dict()


def test_every_call_of_gemini_is_its_own_and_no_other_agents() -> None:
    for call in PAYLOADS:
        assert gemini.is_own(call, ENV)
        # an old version's, or one whose environment was cleared
        assert gemini.is_own(call, {})
        assert not claude_code.is_own(call, ENV)
        assert not codex.is_own(call, ENV)


@pytest.mark.parametrize(
    ("fields", "env"),
    [
        ({"timestamp": None}, ENV),
        ({"session_id": "another"}, ENV),
        ({"session_id": ""}, ENV),
        ({"turn_id": "t"}, ENV),
        ({"conversation_id": "c"}, ENV),
        ({"transcript_path": "/home/dev/.claude/projects/-home-dev/s.jsonl"}, {}),
        ({"transcript_path": None}, {}),
    ],
)
def test_another_agents_call_is_not_geminis(fields: dict[str, Any], env: dict[str, str]) -> None:
    assert not gemini.is_own(payload("AfterAgent", **fields), env)


def test_a_call_belongs_where_gemini_was_started_then_where_it_is() -> None:
    assert gemini.folders({"cwd": "/elsewhere"}, ENV) == [TOP, "/elsewhere"]
    assert gemini.folders({"cwd": 7}, {}) == []


def test_a_session_begins_with_its_chat() -> None:
    capture = translated(payload("SessionStart"))
    assert (capture.begins, capture.settle, capture.at) == (True, True, "2026-03-04T10:00:00.000Z")
    assert capture.notes["transcript"].endswith("-5e55aaaa.jsonl")


def test_a_resumed_session_does_not_move_to_the_chat_that_stays_empty() -> None:
    capture = translated(payload("SessionStart", source="resume"))
    assert capture.begins and capture.notes == {}


def test_a_prompt_is_the_users_message_at_its_time() -> None:
    event, capture = one(payload("BeforeAgent")), translated(payload("BeforeAgent"))
    assert (event["role"], event["text"], event["at"]) == (
        "user",
        "Add a greeting\nand commit it",
        "2026-03-04T10:00:00.500Z",
    )
    assert capture.prompts and capture.title == "Add a greeting"


def test_the_end_of_a_turn_is_an_answer_and_a_good_moment() -> None:
    event = one(payload("AfterAgent"))
    assert (event["role"], event["text"]) == ("assistant", "The greeting is in.")
    assert translated(payload("AfterAgent")).settle


def test_a_file_that_was_written_is_noted() -> None:
    event, capture = one(payload("AfterTool", "write_file")), translated(payload("AfterTool", "write_file"))
    assert (event["name"], event["paths"], event["outcome"]) == ("write_file", ["src/greet.py"], "ok")
    assert capture.wrote == ["src/greet.py"]


def test_a_file_that_could_not_be_changed_is_not_noted() -> None:
    event, capture = one(payload("AfterTool", "replace")), translated(payload("AfterTool", "replace"))
    assert (event["outcome"], event["error"]) == ("error", "Could not find an exact match")
    assert capture.wrote == []


def test_a_command_is_bracketed() -> None:
    command = "git commit -qam 'Add a greeting'; git log --oneline"
    before, after = (translated(payload(e, "run_shell_command")) for e in ("BeforeTool", "AfterTool"))
    assert (before.shell, before.command, before.events) == ("before", command, [])
    assert (after.shell, after.command) == ("after", command)
    assert "1a2b3c4 Add a greeting" in after.output


def test_another_tool_is_not() -> None:
    assert translated(payload("BeforeTool", "write_file")).shell == ""
    assert translated(payload("AfterTool", "write_file")).shell == ""


@pytest.mark.parametrize(
    ("number", "outcome", "error"),
    [(0, "ok", False), (1, "error", True), (2, "interrupted", False)],
)
def test_how_a_command_ended(number: int, outcome: str, error: bool) -> None:
    event = one(payload("AfterTool", "run_shell_command", number))
    assert (event["outcome"], "error" in event) == (outcome, error)


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("Output: Exit Code: 3", "ok"),
        ("Output: (empty)\nError: (none)\nExit Code: 0\nSignal: 0\nBackground PIDs: (none)", "ok"),
        ("Output: (empty)\nError: (none)\nExit Code: 0\nSignal: (none)", "ok"),
        ("Output: Exit Code: 1\nall is well\nProcess Group PGID: 1", "ok"),
        ("Output: (empty)\nSignal: 9\nProcess Group PGID: 1", "error"),
        ("Output: (empty)\nError: spawn bash ENOENT", "error"),
        ("Command was automatically cancelled because it exceeded the timeout", "interrupted"),
        ("", "ok"),
    ],
)
def test_the_lines_below_an_output(output: str, outcome: str) -> None:
    assert gemini.shell_outcome(output) == outcome


def test_a_session_ends() -> None:
    capture = translated(payload("SessionEnd"))
    assert (capture.ends, capture.reason, capture.settle) == ("completed", "exit", True)


def test_what_comes_before_every_request_says_nothing() -> None:
    assert gemini.translate(payload("PreCompress"), ENV, TOP) is None
    assert "PreCompress" not in gemini.HOOKS


def test_a_second_delivery_says_nothing_new() -> None:
    calls = [p for p in PAYLOADS if p["hook_event_name"] in gemini.HOOKS]
    first = [e.id for p in calls for e in translated(p).events]
    assert first == [e.id for p in calls for e in translated(p).events]
    assert max(Counter(first).values()) == 1


def test_two_tools_at_the_same_moment_are_two_events() -> None:
    call = payload("AfterTool", "write_file")
    other = {**call, "tool_input": {**call["tool_input"], "file_path": f"{TOP}/b.py"}}
    assert one(call)["id"] != one(other)["id"]


def test_settings_are_geminis() -> None:
    setup = gemini.setup()
    assert setup.handler is not None
    assert setup.handler("run me", "AfterTool") == {
        "type": "command",
        "name": "git-agent-session",
        "command": "run me",
        "timeout": 20_000,
    }
    assert setup.also == {"hooksConfig": {"enabled": True}}
    # the variable names what stands for the home folder
    assert (setup.home, setup.files["user"]) == (("GEMINI_CLI_HOME", ""), ".gemini/settings.json")
    assert gemini.resume(SID) == ["gemini", "--resume", SID]


@given(shapes(PAYLOADS), st.sampled_from(gemini.HOOKS))
def test_no_payload_breaks_it(call: dict[str, Any], event: str) -> None:
    gemini.is_own(call, {})
    gemini.folders(call, {})
    capture = gemini.translate({**call, "hook_event_name": event}, {}, TOP)
    for draft in capture.events if capture else ():
        assert is_event_id(draft.id)
