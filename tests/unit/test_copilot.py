"""What Copilot CLI's hook payloads and transcripts become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.agents import copilot, registry
from git_agent_session.agents.protocol import Capture, Source
from git_agent_session.agents.settings_entries import Entries
from git_agent_session.ids import is_event_id

FIXTURES = Path(__file__).parent.parent / "fixtures" / "copilot"
SID = "5b0e7f7a-3c7c-4a3f-9d53-61c1a3f0c2d1"
SUBAGENT = "d4a1c0de-8f0b-4e0a-a5a7-0c9b7f3e11aa"
TOP = "/home/ada/project"
HOOK = {"COPILOT_CLI": "1", "COPILOT_PROJECT_DIR": TOP, "COPILOT_CLI_BINARY_VERSION": "1.0.102"}
MAIN = Source("", "")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A hook's environment, where the session's folder is there."""
    (tmp_path / "copilot" / "session-state" / SID).mkdir(parents=True)
    return {**HOOK, "COPILOT_HOME": str(tmp_path / "copilot")}


def run(name: str, env: dict[str, str]) -> list[Capture | None]:
    return [copilot.translate(payload, env, TOP) for payload in lines(name)]


def events(captures: list[Capture | None]) -> list[dict[str, Any]]:
    return [event.to_dict() for capture in captures if capture for event in capture.events]


def one(env: dict[str, str], **fields: Any) -> Capture:
    capture = copilot.translate({"sessionId": SID, "timestamp": 1893491696000, "cwd": TOP, **fields}, env, TOP)
    assert capture is not None
    return capture


def tool(env: dict[str, str], name: str, given: Any, output: str = "", kind: str = "success") -> dict[str, Any]:
    result = {"resultType": kind, "textResultForLlm": output}
    (event,) = one(env, toolName=name, toolArgs=given, toolResult=result).events
    return event.to_dict()


# -- hooks


def test_both_forms_of_a_run_make_the_same_events(env: dict[str, str]) -> None:
    own, claude = events(run("payloads.jsonl", env)), events(run("payloads_claude.jsonl", env))
    assert own == claude
    assert len({e["id"] for e in own}) == len(own) == 10


def test_both_forms_of_a_run_say_the_same_of_shell_files_and_session(env: dict[str, str]) -> None:
    def said(name: str) -> list[Any]:
        return [
            c
            and (
                c.native_id,
                c.at,
                c.begins,
                c.prompts,
                c.ends,
                c.settle,
                c.title,
                c.wrote,
                c.shell,
                c.command,
                c.output,
            )
            for c in run(name, env)
        ]

    assert said("payloads.jsonl") == said("payloads_claude.jsonl")


@pytest.mark.parametrize("name", ["payloads.jsonl", "payloads_claude.jsonl"])
@pytest.mark.parametrize("called", ["copilot", "claude-code"])
def test_a_call_is_copilots_whichever_hook_it_came_through(name: str, called: str) -> None:
    assert {registry.owner(called, p, HOOK) for p in lines(name)} == {copilot}


def test_claude_started_from_copilots_shell_is_not_copilot() -> None:
    payload = {"session_id": "x", "hook_event_name": "Stop", "transcript_path": "/h/.claude/projects/p/x.jsonl"}
    assert not copilot.is_own(payload, {"COPILOT_CLI": "1"})


def test_gemini_started_from_copilots_shell_is_not_copilot() -> None:
    payload = {"session_id": "x", "hook_event_name": "SessionStart", "timestamp": "2030-01-01T00:00:00.000Z"}
    assert not copilot.is_own(payload, {"COPILOT_CLI": "1"})
    assert not copilot.is_own({**payload, "transcript_path": "/h/.gemini/tmp/p/chats/session-1.jsonl"}, HOOK)


def test_the_prompt_gives_message_and_title(env: dict[str, str]) -> None:
    capture = one(env, prompt="Add a greeting\nand commit it")
    assert capture.prompts and capture.title == "Add a greeting"
    assert capture.events[0].data == {"role": "user", "text": "Add a greeting\nand commit it"}


def test_the_time_of_a_call_is_the_payloads(env: dict[str, str]) -> None:
    assert one(env, prompt="x").at == "2030-01-01T09:54:56.000Z"


def test_the_version_is_the_environments(env: dict[str, str]) -> None:
    assert one(env, prompt="x").agent == {"version": "1.0.102"}


def test_the_transcripts_place_follows_from_the_session(env: dict[str, str]) -> None:
    path = Path(env["COPILOT_HOME"], "session-state", SID, "events.jsonl")
    assert one(env, prompt="x").notes == {"transcript": str(path)}


def test_the_transcript_that_is_named_wins(env: dict[str, str]) -> None:
    capture = one(env, transcriptPath="/x/session-state/1/events.jsonl", stopReason="end_turn")
    assert capture.settle and capture.notes == {"transcript": "/x/session-state/1/events.jsonl"}


@pytest.mark.parametrize(
    ("one_name", "other"),
    [("create", "Write"), ("edit", "Edit"), ("view", "Read"), ("bash", "Bash"), ("task", "Agent"), ("rg", "Grep")],
)
def test_a_tool_has_one_name(env: dict[str, str], one_name: str, other: str) -> None:
    assert tool(env, one_name, {"path": "x"}) == tool(env, other, {"path": "x"})


def test_a_file_that_was_written_is_kept_relative(env: dict[str, str]) -> None:
    capture = run("payloads.jsonl", env)[3]
    assert capture and capture.wrote == ["greeting.txt"] and capture.events[0].data["paths"] == ["greeting.txt"]


def test_a_failed_edit_wrote_nothing(env: dict[str, str]) -> None:
    capture = run("payloads.jsonl", env)[4]
    assert capture and capture.wrote == []
    assert (capture.events[0].data["outcome"], capture.events[0].data["error"]) == ("error", "No match found")


def test_a_patch_names_its_files_from_where_copilot_is(env: dict[str, str]) -> None:
    patch = "*** Begin Patch\n*** Update File: a.py\n*** End Patch"
    result = {"resultType": "success", "textResultForLlm": "Done"}
    assert one(env, cwd=f"{TOP}/lib", toolName="apply_patch", toolArgs=patch, toolResult=result).wrote == ["lib/a.py"]


def test_arguments_may_be_a_text_of_json(env: dict[str, str]) -> None:
    assert tool(env, "bash", '{"command": "ls"}')["summary"] == "ls"


def test_a_command_is_bracketed_and_its_output_known(env: dict[str, str]) -> None:
    captures = run("payloads.jsonl", env)
    before, after = captures[6], captures[7]
    assert before and after and (before.shell, after.shell) == ("before", "after")
    assert after.command == "git commit -qam greet" and after.output.startswith("[main 1a2b3c4]")


def test_only_commands_are_bracketed(env: dict[str, str]) -> None:
    assert one(env, toolName="create", toolArgs={}).shell == ""


def test_a_command_that_failed_is_an_error(env: dict[str, str]) -> None:
    event = tool(env, "bash", {"command": "make"}, "no rule\n<shellId: 3 completed with exit code 2>\n")
    assert (event["outcome"], event["error"]) == ("error", "exit code 2")


@pytest.mark.parametrize("output", ["", "exit code 2", "a\n<shellId: 0 completed with exit code 0>", "<exit code x>"])
def test_what_only_looks_like_a_failure_is_none(env: dict[str, str], output: str) -> None:
    assert tool(env, "bash", {"command": "make"}, output)["outcome"] == "ok"


def test_a_refused_call_is_an_error(env: dict[str, str]) -> None:
    assert tool(env, "view", {"path": "x"}, "not allowed", "denied")["error"] == "not allowed"


def test_a_subagents_calls_are_the_sessions(env: dict[str, str]) -> None:
    captures = run("payloads.jsonl", env)
    assert {c.native_id for c in captures if c} == {SID}
    grep = captures[11]
    assert grep and grep.events[0].data["agent_id"] == SUBAGENT


def test_what_a_subagent_is_asked_is_no_prompt(env: dict[str, str]) -> None:
    capture = run("payloads.jsonl", env)[10]
    assert capture and not capture.prompts and not capture.events and not capture.title


def test_the_end_of_a_subagents_turn_is_not_the_sessions(env: dict[str, str]) -> None:
    capture = run("payloads.jsonl", env)[12]
    assert capture and not capture.settle


def test_a_subagent_starts_and_stops(env: dict[str, str]) -> None:
    found = [e for e in events(run("payloads_claude.jsonl", env)) if e["kind"] == "agent"]
    assert [(e["action"], e["agent_id"], e["type"]) for e in found] == [
        ("start", SUBAGENT, "explore"),
        ("stop", SUBAGENT, "explore"),
    ]


def test_a_subagents_subagent_opens_no_session(env: dict[str, str]) -> None:
    inner = "0c0c0c0c-0000-4000-8000-000000000000"
    fields = {"sessionId": inner, "agentId": inner, "parentAgentId": SUBAGENT, "timestamp": 1893491696000}
    assert copilot.translate({**fields, "toolName": "bash", "toolArgs": {}, "toolResult": {}}, env, TOP) is None


def test_an_error_that_copilot_tries_again_says_so(env: dict[str, str]) -> None:
    (event,) = [e for e in events(run("payloads.jsonl", env)) if e["kind"] == "error"]
    assert (event["text"], event["context"], event["recoverable"]) == ("connection refused", "model_call", True)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("complete", "completed"), ("error", "error"), ("abort", "aborted"), ("user_exit", "completed")],
)
def test_the_end_has_a_status(env: dict[str, str], reason: str, status: str) -> None:
    capture = one(env, reason=reason)
    assert capture.settle and (capture.ends, capture.reason) == (status, reason)


@pytest.mark.parametrize(
    "fields", [{"hookName": "permissionRequest", "toolName": "bash"}, {"transformedPrompt": "x"}, {}]
)
def test_other_calls_say_nothing(env: dict[str, str], fields: dict[str, Any]) -> None:
    assert copilot.translate({"sessionId": SID, "timestamp": 1, **fields}, env, TOP) is None


@pytest.mark.parametrize("own_id", ["", None, 7, "../../x", "a b"])
def test_an_id_that_is_no_plain_name_is_refused(env: dict[str, str], own_id: object) -> None:
    assert copilot.translate({"sessionId": own_id, "timestamp": 1, "prompt": "x"}, env, TOP) is None


# -- settings, resuming


def test_the_settings_are_what_copilot_reads() -> None:
    setup = copilot.setup()
    document = json.loads(Entries("copilot", setup).added(""))
    assert document["version"] == 1 and tuple(document["hooks"]) == copilot.HOOKS
    (entry,) = document["hooks"]["preToolUse"]
    assert entry["matcher"] == "bash|powershell" and "git-agent-session hook copilot" in entry["bash"]
    # an empty matcher makes Copilot refuse the whole file
    assert all(e.get("matcher", "x") for entries in document["hooks"].values() for e in entries)


def test_resuming() -> None:
    assert copilot.resume("abc") == ["copilot", "--resume=abc"]


# -- anything may come

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PAYLOAD_KEYS = sorted({key for name in ("payloads.jsonl", "payloads_claude.jsonl") for p in lines(name) for key in p})


@given(fields=st.dictionaries(st.sampled_from(PAYLOAD_KEYS), JSON), event=st.sampled_from(["", *copilot._EVENTS]))
def test_no_payload_makes_it_fail_or_write_what_cannot_be_read(fields: dict[str, Any], event: str) -> None:
    payload = {**fields, "session_id": SID, **({"hook_event_name": event} if event else {})}
    copilot.is_own(payload, HOOK)
    copilot.folders(payload, HOOK)
    capture = copilot.translate(payload, HOOK, TOP)
    for found in capture.events if capture else ():
        assert is_event_id(found.id)
        (back,) = codec.events_in(codec.event_block(found))
        assert back.to_dict() == found.to_dict()
