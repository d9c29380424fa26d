"""What Claude Code's hook payloads become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.agents import claude_code, payload, recorder
from git_agent_session.agents.plain_json import parse
from git_agent_session.agents.protocol import Capture
from git_agent_session.ids import is_event_id
from git_agent_session.redact import engine

SID = "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e01"
ENV = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_CODE_SESSION_ID": SID}
TOP = "/home/ada/project"


def read(event: str, worktree: str | None = TOP, env: dict[str, str] | None = None, **fields: Any) -> Capture | None:
    call = {"session_id": SID, "cwd": TOP, "hook_event_name": event, **fields}
    env = ENV if env is None else env
    if not claude_code.is_own(call, env):
        return None
    capture = claude_code.translate(call, env, worktree)
    if capture is not None:
        # as the recorder does it
        capture.title = engine.redact(capture.title)
        for draft in capture.events:
            draft.data = recorder.cut(engine.redact_value(draft.data))
    return capture


def one(event: str, **fields: Any) -> dict[str, Any]:
    capture = read(event, **fields)
    assert capture is not None
    (found,) = capture.events
    assert is_event_id(found.id)
    return found.to_dict()


def none(event: str, **fields: Any) -> bool:
    capture = read(event, **fields)
    return capture is None or not capture.events


def tool(**fields: Any) -> dict[str, Any]:
    return one("PostToolUse", **{"tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": {}, **fields})


def test_a_prompt_is_the_users_message() -> None:
    event = one("UserPromptSubmit", prompt_id="p1", prompt="Fix it\nnow")
    assert (event["kind"], event["role"], event["text"]) == ("message", "user", "Fix it\nnow")


def test_the_first_line_of_a_prompt_is_the_title() -> None:
    capture = read("UserPromptSubmit", prompt_id="p1", prompt="\n  Fix   the login\nand more")
    assert capture and capture.title == "Fix the login"


def test_a_long_title_is_cut() -> None:
    capture = read("UserPromptSubmit", prompt_id="p1", prompt="x" * 500)
    assert capture and len(payload.shorten(capture.title)) == 120


@pytest.mark.parametrize("prompt", ["<task-notification>\n<task-id>1</task-id>", " <system-reminder>x", "", None, 7])
def test_a_turn_of_the_harness_is_no_prompt(prompt: object) -> None:
    capture = read("UserPromptSubmit", prompt_id="p1", prompt=prompt)
    assert capture and not capture.events and not capture.prompts and not capture.title


def test_a_tool_call_has_name_paths_duration_and_outcome() -> None:
    event = tool(tool_name="Edit", tool_input={"file_path": f"{TOP}/src/a b.py"}, duration_ms=12)
    assert event["name"] == "Edit"
    assert event["paths"] == ["src/a b.py"]
    assert (event["duration_ms"], event["outcome"]) == (12, "ok")


def test_a_command_is_the_summary_of_a_shell_call() -> None:
    assert tool(tool_input={"command": "make", "description": "Build"})["summary"] == "make"


def test_contents_of_files_are_not_kept() -> None:
    event = tool(
        tool_name="Write", tool_input={"file_path": f"{TOP}/a", "content": "BODY"}, tool_response={"x": "BODY"}
    )
    assert "BODY" not in json.dumps(event)


def test_a_failing_tool_says_so() -> None:
    event = one("PostToolUseFailure", tool_name="Bash", tool_use_id="t", error="Exit code 3", is_interrupt=False)
    assert (event["outcome"], event["error"]) == ("error", "Exit code 3")


def test_an_interrupted_tool_says_so() -> None:
    failed = one("PostToolUseFailure", tool_name="Bash", tool_use_id="t", error="x", is_interrupt=True)
    assert failed["outcome"] == "interrupted"
    assert tool(tool_response={"interrupted": True})["outcome"] == "interrupted"


def test_a_subagents_tool_names_the_subagent() -> None:
    assert tool(agent_id="a01", agent_type="general-purpose")["agent_id"] == "a01"


def test_a_path_outside_the_worktree_does_not_name_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert tool(tool_input={"file_path": "/home/ada/notes.txt"})["paths"] == ["~/notes.txt"]
    assert tool(tool_input={"file_path": f"{TOP}/../notes.txt"})["paths"] == ["~/notes.txt"]
    assert tool(tool_input={"file_path": "/etc/hosts"})["paths"] == ["/etc/hosts"]
    assert tool(tool_input={"file_path": f"{TOP}-2/a"})["paths"] == ["~/project-2/a"]


def test_a_path_through_a_link_to_the_worktree_is_inside(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    event = tool(worktree=str(tmp_path / "link"), tool_input={"file_path": str(tmp_path.resolve() / "real" / "a.py")})
    assert event["paths"] == ["a.py"]


def test_the_answer_is_the_assistants_message() -> None:
    capture = read("Stop", prompt_id="p1", last_assistant_message="Done.")
    assert capture and capture.settle
    assert capture.events[0].data == {"role": "assistant", "text": "Done."}


def test_two_answers_of_one_turn_are_two_events() -> None:
    first = one("Stop", prompt_id="p1", last_assistant_message="Done.")
    second = one("Stop", prompt_id="p1", last_assistant_message="Done, really.")
    assert first["id"] != second["id"]


def test_a_turn_without_an_answer_still_settles() -> None:
    capture = read("Stop", prompt_id="p1", last_assistant_message="")
    assert capture and capture.settle and not capture.events


def test_subagents_start_and_stop() -> None:
    start = one("SubagentStart", agent_id="a01", agent_type="Explore", prompt_id="p1")
    stop = one("SubagentStop", agent_id="a01", agent_type="Explore", prompt_id="p1")
    assert (start["action"], start["agent_id"], start["type"]) == ("start", "a01", "Explore")
    assert stop["action"] == "stop" and stop["id"] != start["id"]


def test_the_agents_of_a_compaction_are_passed_over() -> None:
    assert none("SubagentStop", agent_id="a02", agent_type="", prompt_id="p1")


def test_a_compaction_is_one_event() -> None:
    assert none("PreCompact", trigger="auto", prompt_id="p1")
    event = one("PostCompact", trigger="auto", compact_summary="all of it", prompt_id="p1")
    assert (event["kind"], event["trigger"], event["summary"]) == ("compact", "auto", "all of it")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("other", "completed"),
        ("clear", "completed"),
        ("logout", "completed"),
        ("api_error", "error"),
        (None, "completed"),
    ],
)
def test_the_reason_gives_the_final_status(reason: str | None, status: str) -> None:
    capture = read("SessionEnd", reason=reason)
    assert capture and capture.ends == status and capture.settle


def test_a_fork_is_known_as_one() -> None:
    capture = read("SessionStart", source="fork")
    assert capture and capture.forked and capture.begins


def test_a_compaction_begins_no_run() -> None:
    capture = read("SessionStart", source="compact")
    assert capture and not capture.begins


def test_model_and_version_are_taken_where_they_are_said() -> None:
    capture = read("SessionStart", source="startup", model="m1", env={**ENV, "AI_AGENT": "claude-code_2-1-329_harness"})
    assert capture and capture.agent == {"version": "2.1.329", "model": "m1"}


@pytest.mark.parametrize("name", ["", "pi", "claude-code", "claude-code_dev_harness", "claude-code_2-1_x", "x_2-1-3_y"])
def test_a_version_that_is_none_is_left_out(name: str) -> None:
    capture = read("SessionStart", source="startup", env={**ENV, "AI_AGENT": name})
    assert capture and capture.agent == {}


def test_a_second_delivery_has_the_same_ids() -> None:
    lines = Path(__file__).parent.parent.joinpath("fixtures/claude/payloads.jsonl").read_text().splitlines()
    for call in map(json.loads, lines):
        base = {"session_id": SID, "cwd": TOP}
        first, second = (claude_code.translate({**base, **call}, ENV, TOP) for _ in range(2))
        if first is not None and second is not None:
            assert [e.id for e in first.events] == [e.id for e in second.events]


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"CLAUDE_PROJECT_DIR": TOP},
        {"CLAUDECODE": "1"},
        {**ENV, "CLAUDE_CODE_SESSION_ID": "another"},
    ],
)
def test_a_call_that_is_not_claudes_is_ignored(env: dict[str, str]) -> None:
    assert read("UserPromptSubmit", prompt="x", prompt_id="p1", env=env) is None


def test_a_version_without_marks_is_known_by_its_transcript() -> None:
    path = f"/home/ada/.claude/projects/-home-ada-project/{SID}.jsonl"
    assert read("UserPromptSubmit", prompt="x", env={}, transcript_path=path) is not None
    for other in (
        f"/home/ada/.factory/sessions/-home-ada-project/{SID}.jsonl",
        f"/home/ada/.cursor/projects/p/agent-transcripts/{SID}/{SID}.jsonl",
        path.replace(SID, "another"),
    ):
        assert read("UserPromptSubmit", prompt="x", env={}, transcript_path=other) is None
    assert read("UserPromptSubmit", prompt="x", env={"COPILOT_CLI": "1"}, transcript_path=path) is None


@pytest.mark.parametrize("key", ["cursor_version", "conversation_id", "sessionId", "timestamp"])
def test_a_payload_of_another_agent_is_ignored(key: str) -> None:
    assert not claude_code.is_own({"session_id": SID, "hook_event_name": "Stop", key: "1"}, ENV)


def test_an_event_that_is_not_captured_says_nothing() -> None:
    assert read("Notification", message="hello") is None


def test_secrets_never_reach_an_event() -> None:
    key = "ghp_" + "a1B2" * 9
    for capture in (
        read("UserPromptSubmit", prompt_id="p", prompt=f"use {key}"),
        read("Stop", prompt_id="p", last_assistant_message=f"used {key}"),
        read("PostToolUse", tool_name="Bash", tool_use_id="t", tool_input={"command": f"TOKEN={key} make"}),
        read("PostToolUseFailure", tool_name="Bash", tool_use_id="t", error=f"bad {key}"),
        read("PostCompact", trigger="auto", compact_summary=key, prompt_id="p"),
        read("PostToolUse", tool_name="Read", tool_use_id="t", tool_input={"file_path": f"{TOP}/{key}"}),
    ):
        assert capture and capture.events
        assert key not in str([e.to_dict() for e in capture.events]) + capture.title


def test_a_secret_on_the_cut_is_still_found() -> None:
    key = "ghp_" + "a1B2" * 9
    text = "x" * (payload.SUMMARY - 21) + " " + key
    event = tool(tool_input={"command": text})
    assert "ghp_" not in event["summary"]


def test_long_texts_are_cut_and_say_so() -> None:
    event = tool(tool_input={"command": "x" * 10_000})
    assert len(event["summary"]) < payload.SUMMARY + 40
    assert event["summary"].endswith(f"[cut: {10_000 - payload.SUMMARY} characters]")


def test_control_characters_are_dropped() -> None:
    assert one("UserPromptSubmit", prompt_id="p", prompt="a\x1b[31mb\r\nc\ud800")["text"] == "ab\nc\ufffd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    *("prompt", "prompt_id", "tool_name", "tool_input", "tool_response", "tool_use_id", "duration_ms", "error"),
    *("is_interrupt", "agent_id", "agent_type", "last_assistant_message", "trigger", "compact_summary", "reason"),
    *("source", "model", "transcript_path", "cwd"),
)


@given(event=st.sampled_from(claude_code.HOOKS), fields=st.dictionaries(st.sampled_from(KEYS), JSON))
def test_no_payload_makes_it_fail_or_write_what_cannot_be_read(event: str, fields: dict[str, Any]) -> None:
    capture = read(event, **fields)
    assert capture is not None
    for found in capture.events:
        (back,) = codec.events_in(codec.event_block(found))
        assert back.to_dict() == found.to_dict()


@given(value=JSON)
def test_the_quick_parser_reads_what_json_reads(value: object) -> None:
    text = json.dumps(value)
    assert parse(f" {text}\n") == value


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "nul", "{} {}", '{"a":1}x', '{"a"}', "\ufeff{}", '"\x01"'])
def test_the_quick_parser_refuses_what_json_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
