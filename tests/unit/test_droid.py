"""What Droid's hook payloads, transcripts and session settings become."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from git_agent_session import codec
from git_agent_session.agents import droid, registry, transcripts
from git_agent_session.agents.protocol import Capture, Source
from git_agent_session.agents.settings_entries import Entries
from git_agent_session.agents.tally import Tally
from git_agent_session.git.discover import discover
from git_agent_session.ids import is_event_id
from tests.harness import Repo

FIXTURES = Path(__file__).parent.parent / "fixtures" / "droid"
SID = "2b6f3d1c-94a5-4a0e-8f3b-5d2a7c9e4f10"
TOP = "/home/ada/project"
HOOK = {"DROID_PROJECT_DIR": TOP, "FACTORY_PROJECT_DIR": TOP, "CLAUDE_PROJECT_DIR": TOP}
MAIN, SETTINGS = Source("", ""), Source("settings", "")


class Nowhere:
    """No other session has counted anything."""

    def counted(self, key: str, at: str) -> bool:
        return False

    def cost(self, start: int) -> float:
        return 0.0


@pytest.fixture
def session(home: Path) -> Path:
    """A session's transcript in Droid's own folder, with its settings beside it."""
    folder = home / ".factory" / "sessions" / "-home-ada-project"
    folder.mkdir(parents=True)
    shutil.copy(FIXTURES / "session.jsonl", folder / f"{SID}.jsonl")
    shutil.copy(FIXTURES / "session.settings.json", folder / f"{SID}.settings.json")
    return folder / f"{SID}.jsonl"


def payloads(home: Path | str = "/home/ada") -> list[dict[str, Any]]:
    text = (FIXTURES / "payloads.jsonl").read_text(encoding="utf-8").replace("{home}", str(home))
    return [json.loads(line) for line in text.splitlines()]


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / "session.jsonl").read_text(encoding="utf-8").splitlines()]


def run(home: Path | str = "/home/ada") -> list[Capture]:
    found = [droid.translate(p, HOOK, TOP) for p in payloads(home)]
    assert all(found)
    return [c for c in found if c]


def tool(name: str, given: Any, response: Any) -> dict[str, Any]:
    payload = {"session_id": SID, "hook_event_name": "PostToolUse", "tool_name": name, "tool_input": given}
    capture = droid.translate({**payload, "tool_response": response}, HOOK, TOP)
    assert capture
    return capture.events[0].to_dict()


# -- hooks


@pytest.mark.parametrize("called", ["droid", "claude-code"])
def test_a_call_is_droids_whichever_hook_it_came_through(called: str) -> None:
    assert {registry.owner(called, p, HOOK) for p in payloads()} == {droid}
    assert {registry.owner(called, p, {}) for p in payloads()} == {droid}


def test_claude_under_droid_is_not_droid() -> None:
    payload = {"session_id": "x", "hook_event_name": "Stop", "transcript_path": "/h/.claude/projects/p/x.jsonl"}
    assert not droid.is_own(payload, {}) and not droid.is_own(payload, HOOK)


def test_the_start_begins_and_a_compaction_does_not() -> None:
    start = payloads()[0]
    for source, begins in (("startup", True), ("resume", True), ("compact", False)):
        capture = droid.translate({**start, "source": source}, HOOK, TOP)
        assert capture and capture.begins is begins and capture.settle


def test_a_prompt_gives_the_title_and_is_left_to_the_transcript() -> None:
    capture = run()[1]
    assert capture.prompts and capture.title == "Add a greeting" and not capture.events
    assert "prompt" in droid.TELLS and "answer" in droid.TELLS


def test_a_command_is_bracketed() -> None:
    before, after = run()[2:4]
    assert (before.shell, after.shell, after.command) == ("before", "after", "git commit -qam greet")
    assert after.output.startswith("[main 1a2b3c4]")


def test_what_was_written_is_kept_relative() -> None:
    captures = run()
    assert captures[4].wrote == ["greeting.txt"] and captures[5].wrote == ["lib/a.py", "lib/b.py"]


def test_a_tool_call_has_name_paths_and_outcome() -> None:
    event = run()[4].events[0].to_dict()
    assert (event["kind"], event["name"], event["paths"], event["outcome"]) == (
        "tool",
        "Create",
        ["greeting.txt"],
        "ok",
    )


@pytest.mark.parametrize(
    ("response", "error"),
    [
        ("make failed\n[Process exited with code 2]", "exit code 2"),
        ("[Process exited with code 1]", "exit code 1"),
        ('{"success":false,"error":"no"}', '{"success":false,"error":"no"}'),
        ({"success": False, "error": "no match"}, "no match"),
        ("Error: gone", "Error: gone"),
    ],
)
def test_a_failure_is_known_by_the_answer(response: Any, error: str) -> None:
    event = tool("Execute", {"command": "make"}, response)
    assert (event["outcome"], event["error"]) == ("error", error)


@pytest.mark.parametrize("response", ["x\n[Process exited with code 0]", "", None, {"success": True}, ["Error:"]])
def test_what_went_well_is_ok(response: Any) -> None:
    assert tool("Execute", {"command": "make"}, response)["outcome"] == "ok"


def test_a_call_that_is_delivered_twice_is_one_event(session: Path, home: Path) -> None:
    first, second = run(home), run(home)
    assert [e.id for c in first for e in c.events] == [e.id for c in second for e in c.events]


def test_the_same_call_made_again_is_another_event(session: Path, home: Path) -> None:
    first = run(home)[3].events[0].id
    with session.open("a") as f:
        f.write("{}\n")
    assert run(home)[3].events[0].id != first


def test_without_a_transcript_every_call_is_another_event() -> None:
    assert run()[3].events[0].id != run()[3].events[0].id


def test_a_subagents_end_is_told() -> None:
    (event,) = run()[6].events
    assert event.data == {"action": "stop", "type": "explorer"}


def test_turn_and_session_end() -> None:
    stop, end = run()[7:9]
    assert stop.settle and not stop.ends
    assert end.settle and (end.ends, end.reason) == ("completed", "other")


# -- settings, resuming


def test_the_settings_are_what_droid_reads() -> None:
    document = json.loads(Entries("droid", droid.setup()).added(""))
    assert tuple(document["hooks"]) == droid.HOOKS
    (group,) = document["hooks"]["PreToolUse"]
    assert group["matcher"] == "Execute" and group["hooks"][0]["timeout"] == 20
    assert "matcher" not in document["hooks"]["Stop"][0]


def test_resuming() -> None:
    assert droid.resume("abc") == ["droid", "--resume", "abc"]


# -- transcripts


def items(kind: str) -> list[Any]:
    return [i for record in records() for i in droid.items(record, MAIN) if i.kind == kind]


def test_only_what_a_person_said_is_a_prompt() -> None:
    assert [(i.text, i.at) for i in items("prompt")] == [("Add a greeting", "2030-01-01T09:54:56.040Z")]


def test_answers_thoughts_calls_and_results() -> None:
    assert [i.text for i in items("answer")] == ["I will add it.", "All done."]
    assert [i.text for i in items("thinking")] == ["A file."]
    assert [(i.id, i.name) for i in items("call")] == [("t1", "Create"), ("t2", "Execute")]
    assert [(i.id, i.outcome) for i in items("result")] == [("t1", "ok"), ("t2", "error")]


def test_a_compaction_is_one_and_a_change_of_provider_is_none() -> None:
    assert [i.text for i in items("compact")] == ["We added a greeting."]


def test_an_error_and_an_interrupt_are_told() -> None:
    assert [i.text for i in items("error")] == ["Error: Your custom model is not known"]
    assert len(items("interrupt")) == 1


def test_items_have_ids_of_their_own_on_every_read() -> None:
    found = [[(i.kind, i.id) for r in records() for i in droid.items(r, MAIN)] for _ in range(2)]
    assert found[0] == found[1] and len(set(found[0])) == len(found[0])


def test_what_droid_writes_for_itself_is_dropped() -> None:
    text = json.dumps([droid.kept(r, MAIN) for r in records()])
    assert not any(word in text for word in ("TOOLS", "ENV", "hookEventName", "systemInfo", "hostId"))


def test_what_was_said_and_done_is_kept_as_it_is() -> None:
    def rows(found: list[Any]) -> list[Any]:
        return [transcripts.item_row(i) for r in found for i in droid.items(r, MAIN)]

    assert rows([k for r in records() if (k := droid.kept(r, MAIN))]) == rows(records())


# -- tokens


def count(sources: list[Source], memory: dict[str, Any], places: dict[str, Any]) -> Tally:
    """As the engine reads: each source from where it was left."""
    tally = Tally(memory, Nowhere())  # type: ignore[arg-type]
    for source in sources:
        for record, place in droid.read(source, places.get(source.name)):
            if record is not None:
                droid.count(record, tally, source)
            places[source.name] = json.loads(json.dumps(place))
    return tally


def write(session: Path, model: str, amount: int, output: int) -> None:
    usage = {"inputTokens": amount, "outputTokens": output, "cacheReadTokens": 0, "cacheCreationTokens": 0}
    session.with_suffix(".settings.json").write_text(json.dumps({"model": model, "tokenUsage": usage}))


def test_the_totals_in_the_settings_are_counted(session: Path) -> None:
    tally = count(droid.sources(str(session), {}), {}, {})
    assert tally.totals == {
        "claude-sonnet-4-5": {
            "input_tokens": 3000,
            "output_tokens": 360,
            "cache_read_tokens": 12000,
            "cache_write_tokens": 40,
        }
    }
    assert tally.memory["model"] == "claude-sonnet-4-5"


def test_settings_that_did_not_change_are_not_counted_again(session: Path) -> None:
    memory: dict[str, Any] = {}
    places: dict[str, Any] = {}
    sources = droid.sources(str(session), {})
    first = count(sources, memory, places).totals
    assert count(sources, memory, places).totals == first


def test_after_a_change_of_model_only_the_rest_is_the_new_ones(session: Path) -> None:
    memory: dict[str, Any] = {}
    places: dict[str, Any] = {}
    sources = droid.sources(str(session), {})
    for model, amount in (("m1", 100), ("m2", 150)):
        write(session, model, amount, amount // 10)
        totals = count(sources, memory, places).totals
    assert {m: (t["input_tokens"], t["output_tokens"]) for m, t in totals.items()} == {"m1": (100, 10), "m2": (50, 5)}


def test_totals_that_fell_have_started_anew(session: Path) -> None:
    memory: dict[str, Any] = {}
    places: dict[str, Any] = {}
    sources = droid.sources(str(session), {})
    for amount in (100, 30):
        write(session, "m", amount, 0)
        totals = count(sources, memory, places).totals
    assert totals["m"]["input_tokens"] == 130


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tokenUsage": 7}', '{"tokenUsage": {"inputTokens": "x"}}'])
def test_settings_that_cannot_be_read_count_nothing(session: Path, text: str) -> None:
    session.with_suffix(".settings.json").write_text(text)
    assert count(droid.sources(str(session), {}), {}, {}).totals == {}


def test_settings_say_and_keep_nothing() -> None:
    record = {"type": "message", "message": {"role": "user", "content": "x"}}
    assert droid.kept(record, SETTINGS) is None and not list(droid.items(record, SETTINGS))


def test_the_version_of_early_transcripts_is_known() -> None:
    tally = Tally({}, Nowhere())  # type: ignore[arg-type]
    for version in (2, "2", "0.81.0"):
        droid.count({"type": "session_start", "version": version}, tally, MAIN)
    assert tally.memory == {"version": "0.81.0"}


# -- files


def test_a_transcript_elsewhere_is_refused(session: Path, home: Path, tmp_path: Path) -> None:
    (session.parent / "linked.jsonl").symlink_to(tmp_path / "x.jsonl")
    for path in ("/etc/passwd", home / ".factory" / "auth.jsonl", session.parent / "linked.jsonl", f"{session}x"):
        with pytest.raises(ValueError, match="own folder"):
            droid.sources(str(path), {})


def test_the_settings_are_not_read_through_a_link(session: Path, tmp_path: Path) -> None:
    settings = session.with_suffix(".settings.json")
    settings.rename(tmp_path / "away.json")
    settings.symlink_to(tmp_path / "away.json")
    with pytest.raises(OSError):
        count(droid.sources(str(session), {}), {}, {})


def test_droids_home_can_lie_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / ".factory" / "sessions" / "-x" / "a.jsonl"
    assert droid.sources(str(path), {"FACTORY_HOME_OVERRIDE": str(tmp_path)})[0].path == str(path.resolve())


def test_sessions_of_this_repository_are_found(home: Path, repo: Repo, tmp_path: Path) -> None:
    sessions = home / ".factory" / "sessions"
    for own_id, cwd in (("a1", repo.path), ("b2", tmp_path)):
        folder = sessions / str(cwd).replace("/", "-")
        folder.mkdir(parents=True)
        (folder / f"{own_id}.jsonl").write_text(json.dumps({"type": "session_start", "cwd": str(cwd)}) + "\n")
        (folder / f"{own_id}.settings.json").write_text("{}")
    location = discover(str(repo.path))
    assert location and [f.native_id for f in droid.found(location, {})] == ["a1"]


# -- anything may come

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PAYLOAD_KEYS = sorted({key for p in payloads() for key in p} - {"session_id", "hook_event_name"})
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"])},
    optional={
        "visibility": JSON,
        "content": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["text", "thinking", "tool_use", "tool_result"])},
                optional=dict.fromkeys(("text", "thinking", "id", "name", "input", "content", "is_error"), JSON),
            )
        ),
    },
)


@given(fields=st.dictionaries(st.sampled_from(PAYLOAD_KEYS), JSON), event=st.sampled_from(droid.HOOKS))
def test_no_payload_makes_it_fail_or_write_what_cannot_be_read(fields: dict[str, Any], event: str) -> None:
    payload = {**fields, "session_id": SID, "hook_event_name": event}
    droid.is_own(payload, HOOK)
    droid.folders(payload, HOOK)
    capture = droid.translate(payload, HOOK, TOP)
    assert capture
    for found in capture.events:
        assert is_event_id(found.id)
        (back,) = codec.events_in(codec.event_block(found))
        assert back.to_dict() == found.to_dict()


@given(
    kind=st.sampled_from(sorted({r["type"] for r in records()} | {"settings"})),
    more=st.dictionaries(st.sampled_from(["id", "timestamp", "version", "reason", "turnId", "summaryText"]), JSON),
    message=JSON | MESSAGES,
    source=st.sampled_from([MAIN, SETTINGS]),
)
@example(kind="message", more={}, message={"role": "user", "content": [{"type": "text"}]}, source=MAIN)
def test_no_record_makes_it_fail(kind: str, more: dict[str, Any], message: Any, source: Source) -> None:
    record = {**more, "type": kind, "message": message, "gained": message, "total": more}
    list(droid.items(record, source))
    droid.kept(record, source)
    droid.count(record, Tally({}, Nowhere()), source)  # type: ignore[arg-type]
