"""What Cursor's hook payloads and transcripts become."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.agents import cursor, registry, transcripts
from git_agent_session.agents.protocol import Capture, Source
from git_agent_session.agents.settings_entries import Entries
from git_agent_session.git.discover import discover
from git_agent_session.ids import is_event_id
from tests.harness import Repo

FIXTURES = Path(__file__).parent.parent / "fixtures" / "cursor"
SID = "c3d2a1b0-7e6f-4d5c-8b9a-0f1e2d3c4b5a"
TOP = "/home/ada/project"
FILE = Source("", str(FIXTURES / "transcript.jsonl"))
# how Claude's names of hooks differ from Cursor's
CLAUDE = {"beforeSubmitPrompt": "UserPromptSubmit"}


def payloads(home: Path | str = "/home/ada") -> list[dict[str, Any]]:
    text = (FIXTURES / "payloads.jsonl").read_text(encoding="utf-8").replace("{home}", str(home))
    return [json.loads(line) for line in text.splitlines()]


def run() -> list[Capture]:
    found = [cursor.translate(p, {}, TOP) for p in payloads()]
    assert all(found)
    return [c for c in found if c]


def events(kind: str) -> list[dict[str, Any]]:
    return [e.to_dict() for c in run() for e in c.events if e.kind == kind]


def one(event: str, **fields: Any) -> Capture:
    base = {"conversation_id": SID, "generation_id": "g", "cursor_version": "3.9.16", "hook_event_name": event}
    capture = cursor.translate({**base, **fields}, {}, TOP)
    assert capture
    return capture


# -- hooks


@pytest.mark.parametrize("called", ["cursor", "claude-code"])
def test_a_call_is_cursors_whichever_hook_it_came_through(called: str) -> None:
    assert {registry.owner(called, p, {}) for p in payloads()} == {cursor}


def test_claude_in_cursors_terminal_is_not_cursor() -> None:
    payload = {"session_id": "x", "hook_event_name": "Stop", "transcript_path": "/h/.claude/projects/p/x.jsonl"}
    assert not cursor.is_own(payload, {"CURSOR_TRACE_ID": "1", "CURSOR_AGENT": "1"})


def test_claudes_name_of_a_hook_makes_the_same_event() -> None:
    for payload in payloads():
        name = payload["hook_event_name"]
        renamed = {**payload, "hook_event_name": CLAUDE.get(name) or name[0].upper() + name[1:]}
        first, second = cursor.translate(payload, {}, TOP), cursor.translate(renamed, {}, TOP)
        assert first and second
        assert [(e.id, e.kind, e.data) for e in first.events] == [(e.id, e.kind, e.data) for e in second.events]


def test_every_event_has_an_id_of_its_own() -> None:
    found = [e.id for c in run() for e in c.events]
    assert len(set(found)) == len(found) == 9


def test_prompt_and_answer_are_messages() -> None:
    assert [(e["role"], e["text"]) for e in events("message")] == [
        ("user", "Add a greeting\nplease"),
        ("assistant", "All done."),
    ]
    capture = run()[1]
    assert capture.prompts and capture.title == "Add a greeting"


def test_model_and_version_are_known() -> None:
    assert run()[0].agent == {"version": "3.9.16", "model": "gpt-5.5"}
    assert one("stop", model="auto").agent["model"] == "auto"


def test_the_users_address_is_nowhere() -> None:
    assert "ada@example.org" not in json.dumps([[e.to_dict() for e in c.events] + [c.agent, c.notes] for c in run()])


def test_the_transcript_is_the_payloads_or_the_environments() -> None:
    assert run()[0].notes["transcript"].endswith(f"{SID}.jsonl")
    payload = {"conversation_id": SID, "cursor_version": "1", "hook_event_name": "stop", "transcript_path": None}
    capture = cursor.translate(payload, {"CURSOR_TRANSCRIPT_PATH": "/x/y.jsonl"}, TOP)
    assert capture and capture.notes == {"transcript": "/x/y.jsonl"}


def test_a_command_is_bracketed_with_its_output() -> None:
    before, after = run()[2:4]
    assert (before.shell, before.command) == ("before", "git commit -qam greet") and not before.events
    assert (after.shell, after.command, after.output) == ("after", before.command, "[main 1a2b3c4] greet")
    assert not after.events


def test_claudes_hooks_alone_bracket_a_command_too() -> None:
    before = one("PreToolUse", tool_name="Bash", tool_input={"command": "make"})
    after = one("PostToolUse", tool_name="Bash", tool_input={"command": "make"}, tool_output='{"output": "x"}')
    assert (before.shell, after.shell, after.output) == ("before", "after", "x")
    assert after.events[0].data["name"] == "Shell"


def test_an_edit_is_written_and_the_call_is_one_event() -> None:
    edited, called = run()[5:7]
    assert edited.wrote == ["greeting.txt"] and not edited.events
    assert [e.data["paths"] for e in called.events] == [["greeting.txt"]]


def test_tool_calls_have_duration_and_outcome() -> None:
    found = [(e["name"], e.get("duration_ms"), e["outcome"], e.get("error")) for e in events("tool")]
    assert found == [("Shell", 120, "ok", None), ("Write", 5, "ok", None), ("Read", 2, "error", "no such file")]


@pytest.mark.parametrize("output", [{"exitCode": 2}, '{"exitCode": 2, "output": ""}'])
def test_a_command_that_failed_is_an_error(output: object) -> None:
    (event,) = one("postToolUse", tool_name="Shell", tool_input={"command": "make"}, tool_output=output).events
    assert (event.data["outcome"], event.data["error"]) == ("error", "exit code 2")


def test_an_interrupted_call_says_so() -> None:
    (event,) = one("postToolUseFailure", tool_name="Read", tool_use_id="t", is_interrupt=True).events
    assert event.data["outcome"] == "interrupted"


def test_a_tools_id_may_be_two_lines() -> None:
    first, second = (one("postToolUse", tool_name="Read", tool_use_id="call_1\nfc_2").events[0].id for _ in range(2))
    assert first == second and is_event_id(first)


def test_a_subagent_starts_and_stops() -> None:
    assert [(e["action"], e["agent_id"], e["type"]) for e in events("agent")] == [
        ("start", "s1", "explore"),
        ("stop", "s1", "explore"),
    ]


def test_compaction_and_interrupt_are_told() -> None:
    assert [e["trigger"] for e in events("compact")] == ["auto"] and len(events("interrupt")) == 1


def test_a_turn_that_failed_is_an_error() -> None:
    (event,) = one("stop", status="error", error_message="no network").events
    assert (event.kind, event.data) == ("error", {"message": "no network"})


@pytest.mark.parametrize("status", ["completed", None, 7, [], {}])
def test_a_turn_that_ended_well_says_nothing(status: object) -> None:
    capture = one("stop", status=status)
    assert capture.settle and not capture.events


def test_the_session_begins_and_ends() -> None:
    captures = run()
    assert captures[0].begins and captures[0].settle
    assert (captures[-1].ends, captures[-1].reason) == ("completed", "completed")
    assert one("sessionEnd", reason="aborted").ends == "aborted"


def test_the_project_comes_before_the_folders_that_are_open() -> None:
    payload = {"workspace_roots": ["/a", "/b", 7, "rel"], "cwd": "/b"}
    assert cursor.folders(payload, {"CURSOR_PROJECT_DIR": "/p"}) == ["/p", "/a", "/b"]


# -- settings, resuming


def test_the_settings_are_what_cursor_reads() -> None:
    document = json.loads(Entries("cursor", cursor.setup()).added(""))
    assert document["version"] == 1 and tuple(document["hooks"]) == cursor.HOOKS
    assert "preToolUse" not in document["hooks"]
    (entry,) = document["hooks"]["stop"]
    assert entry["timeout"] == 20 and "git-agent-session hook cursor" in entry["command"]


def test_resuming() -> None:
    assert cursor.resume("abc") == ["cursor-agent", "--resume=abc"]


# -- transcripts


def read(place: object = None) -> list[tuple[Any, Any]]:
    return list(cursor.read(FILE, place))


def items(kind: str) -> list[Any]:
    return [i for record, _ in read() for i in cursor.items(record, FILE) if i.kind == kind]


def test_a_prompt_is_what_the_user_said_alone() -> None:
    assert [i.text for i in items("prompt")] == ["Add a greeting", "Thanks"]


def test_answers_thoughts_calls_and_results() -> None:
    assert [i.text for i in items("answer")] == ["I will add it.", "All done."]
    assert [i.text for i in items("thinking")] == ["A file."]
    assert [(i.name, i.input) for i in items("call")] == [("Write", {"path": "greeting.txt"})]
    assert [(i.id, i.text) for i in items("result")] == [("t1", "ok")]


def test_a_turn_that_was_stopped_is_an_interrupt() -> None:
    assert len(items("interrupt")) == 1 and not items("error")


def test_ids_are_the_same_wherever_reading_begins() -> None:
    whole = read()
    for n, (_, place) in enumerate(whole):
        assert read(place) == whole[n + 1 :]
    ids = [(i.kind, i.id) for record, _ in whole for i in cursor.items(record, FILE)]
    assert len(set(ids)) == len(ids)


def test_what_was_said_and_done_is_kept_with_its_place() -> None:
    kept = [k for record, _ in read() if (k := cursor.kept(record, FILE))]
    assert len(kept) == 8
    rows = [
        [transcripts.item_row(i) for r in found for i in cursor.items(r, FILE)]
        for found in (kept, [r for r, _ in read()])
    ]
    assert rows[0] == rows[1]


@pytest.fixture
def transcript(home: Path) -> Path:
    folder = home / ".cursor" / "projects" / "home-ada-project" / "agent-transcripts" / SID
    (folder / "subagents").mkdir(parents=True)
    shutil.copy(FIXTURES / "transcript.jsonl", folder / f"{SID}.jsonl")
    shutil.copy(FIXTURES / "transcript.jsonl", folder / "subagents" / "s1.jsonl")
    return folder / f"{SID}.jsonl"


def test_subagents_have_files_of_their_own(transcript: Path) -> None:
    found = cursor.sources(str(transcript), {})
    assert [(s.name, Path(s.path).name) for s in found] == [("", f"{SID}.jsonl"), ("s1", "s1.jsonl")]


def test_a_file_beside_the_others_is_read(transcript: Path) -> None:
    assert len(cursor.sources(str(transcript.parent.parent / "old.jsonl"), {})) == 1


def test_a_transcript_elsewhere_is_refused(transcript: Path, home: Path, tmp_path: Path) -> None:
    (transcript.parent / "linked.jsonl").symlink_to(tmp_path / "x.jsonl")
    inside = home / ".cursor" / "projects"
    for path in (
        "/etc/passwd",
        inside / "x" / "other" / "a.jsonl",
        transcript.parent / "linked.jsonl",
        f"{transcript}.txt",
    ):
        with pytest.raises(ValueError, match="own folder"):
            cursor.sources(str(path), {})


def test_sessions_of_this_repository_are_found(home: Path, repo: Repo) -> None:
    projects = home / ".cursor" / "projects"
    slug = str(repo.path).strip("/").replace("/", "-").replace("_", "-")
    for name, own_id in ((slug, "a1"), (f"{slug}-two", "b2")):
        folder = projects / name / "agent-transcripts" / own_id
        folder.mkdir(parents=True)
        (folder / f"{own_id}.jsonl").write_text("{}\n")
    (projects / slug / "agent-transcripts" / "c3.jsonl").write_text("{}\n")
    location = discover(str(repo.path))
    assert location and sorted(f.native_id for f in cursor.found(location, {})) == ["a1", "c3"]


# -- anything may come

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PAYLOAD_KEYS = sorted({key for p in payloads() for key in p} - {"conversation_id", "hook_event_name"})
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "thinking", "tool_use", "tool_result"])},
        optional=dict.fromkeys(("text", "thinking", "id", "name", "input", "content", "is_error"), JSON),
    )
)


@given(
    fields=st.dictionaries(st.sampled_from(PAYLOAD_KEYS), JSON), event=st.sampled_from([*cursor.HOOKS, "PreToolUse"])
)
def test_no_payload_makes_it_fail_or_write_what_cannot_be_read(fields: dict[str, Any], event: str) -> None:
    payload = {**fields, "conversation_id": SID, "hook_event_name": event}
    cursor.is_own(payload, {})
    cursor.folders(payload, {})
    capture = cursor.translate(payload, {}, TOP)
    assert capture
    for found in capture.events:
        assert is_event_id(found.id)
        (back,) = codec.events_in(codec.event_block(found))
        assert back.to_dict() == found.to_dict()


@given(
    record=st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "x"])},
        optional={
            "type": st.sampled_from(["turn_ended", "x"]),
            "status": st.sampled_from(["error", "aborted"]) | JSON,
            "error": JSON,
            "offset": JSON,
            "message": JSON | st.fixed_dictionaries({"content": JSON | BLOCKS}),
        },
    )
)
def test_no_record_makes_it_fail(record: dict[str, Any]) -> None:
    list(cursor.items(record, FILE))
    cursor.kept(record, FILE)
