"""What OpenCode's plugin says, how that becomes events, and how its database is read."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session.agents import opencode, plugins
from git_agent_session.agents.protocol import Capture, Item, Source
from git_agent_session.agents.setup import MARK
from git_agent_session.git.discover import Location, discover
from git_agent_session.ids import is_event_id
from tests.harness import Repo

FIXTURES = Path(__file__).parent.parent / "fixtures" / "opencode"
HOOKS = [json.loads(line) for line in (FIXTURES / "hooks.jsonl").read_text().splitlines()]
SID = HOOKS[0]["session_id"]
TOP = "/home/dev/orchard"
OLD = "ses_5d01b2c3dffeOldOrchard77"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="runs the plugin itself, which needs node")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def translated(payload: Mapping[str, Any]) -> Capture:
    capture = opencode.translate(payload, {"XDG_DATA_HOME": "/home/dev/data"}, TOP)
    assert capture is not None
    return capture


def captures(event: str) -> list[Capture]:
    return [translated(p) for p in HOOKS if p["hook_event_name"] == event]


def one(capture: Capture) -> dict[str, Any]:
    (event,) = capture.events
    assert is_event_id(event.id)
    return event.to_dict()


class Sums:
    """Adds up as `tally.Tally` does: the last amounts for a key win."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, int]] = {}
        self.costs: dict[str, float] = {}
        self.model = ""

    def message(self, key: str, at: str, model: str, tokens: Mapping[str, int]) -> None:
        self.tokens[key] = dict(tokens)

    def cost(self, key: str, at: str, usd: float) -> None:
        self.costs[key] = usd

    def total(self, model: str, tokens: Mapping[str, int]) -> None:
        raise AssertionError("OpenCode counts single requests")

    def total_cost(self, usd: float, start: int) -> None:
        raise AssertionError("OpenCode counts single requests")

    def name(self, *, model: str = "", version: str = "") -> None:
        self.model = model or self.model

    def sum(self, key: str) -> int:
        return sum(tokens.get(key, 0) for tokens in self.tokens.values())


# -- hooks


def test_every_event_of_the_plugin_is_understood_and_its_own() -> None:
    assert {p["hook_event_name"] for p in HOOKS} == set(opencode.HOOKS)
    for payload in HOOKS:
        assert opencode.is_own(payload, {})
        assert opencode.native_id(payload) == SID
        assert opencode.folders(payload, {}) == [TOP]
        assert translated(payload).notes["transcript"] == f"/home/dev/data/opencode/opencode.db#{SID}"


def test_the_call_of_another_agent_is_not_its_own() -> None:
    assert not opencode.is_own({**HOOKS[0], "agent": "pi"}, {})
    assert not opencode.is_own({"hook_event_name": "session.start"}, {"OPENCODE": "1"})


def test_a_second_delivery_has_the_same_event_ids() -> None:
    for payload in HOOKS:
        assert [e.id for e in translated(payload).events] == [e.id for e in translated(payload).events]
    ids = [e.id for p in HOOKS for e in translated(p).events]
    assert len(ids) == len(set(ids))


def test_a_session_starts_with_its_version() -> None:
    (capture,) = captures("session.start")
    assert capture.begins and capture.settle and not capture.forked
    assert capture.agent == {"version": "1.18.33"}
    assert translated({**HOOKS[0], "source": "fork"}).forked


def test_a_prompt_gives_the_title_without_the_quotes_of_the_command_line() -> None:
    (capture,) = captures("chat.message")
    assert capture.prompts and capture.title == "Plant a pear tree" and capture.agent == {"model": "larch-2"}
    event = one(capture)
    assert (event["kind"], event["role"], event["text"]) == ("message", "user", '"Plant a pear tree"')
    assert event["at"] == "2026-10-05T08:00:01.300Z"


def test_a_tool_that_writes_names_the_path_from_the_worktree() -> None:
    capture = captures("tool.after")[0]
    event = one(capture)
    assert event["name"] == "write" and event["outcome"] == "ok" and event["duration_ms"] == 20
    assert event["paths"] == capture.wrote == ["trees/pear.txt"]


def test_a_shell_command_is_seen_before_and_after() -> None:
    (before,) = captures("tool.before")
    assert (before.shell, before.command, before.events) == (
        "before",
        "git add -A && git commit -qm 'Plant a pear'",
        [],
    )
    after = captures("tool.after")[1]
    assert (after.shell, after.command, after.output) == ("after", before.command, "[main 4be1c90] Plant a pear\n")
    assert one(after)["summary"] == before.command and not after.wrote


def test_a_command_that_fails_and_a_tool_that_throws_are_errors() -> None:
    failed, thrown = captures("tool.after")[2:4]
    assert one(failed)["outcome"] == "error"
    assert one(thrown)["outcome"] == "error" and one(thrown)["error"].startswith("File not found")
    assert thrown.wrote == []


def test_a_tool_that_was_stopped_is_interrupted() -> None:
    payload = {**next(p for p in HOOKS if p["hook_event_name"] == "tool.after"), "interrupted": True, "status": "error"}
    assert one(translated(payload))["outcome"] == "interrupted"


def test_a_subagent_is_part_of_the_session_that_started_it() -> None:
    start, stop = captures("agent.start")[0], captures("agent.stop")[0]
    assert start.native_id == stop.native_id == SID
    assert one(start)["action"] == "start" and one(stop)["action"] == "stop"
    assert one(start)["agent_id"] == one(stop)["agent_id"] != SID
    patched = captures("tool.after")[4]
    assert one(patched)["agent_id"] == one(start)["agent_id"]
    assert patched.wrote == ["trees/pear.txt", "trees/quince.txt"]


def test_the_answer_comes_at_the_end_of_a_turn() -> None:
    (capture,) = captures("session.idle")
    assert capture.settle and not capture.ends
    assert one(capture)["role"] == "assistant" and one(capture)["text"] == "The pear is planted."


def test_an_error_is_recorded_and_an_interrupt_left_to_the_transcript() -> None:
    failed, aborted = captures("session.error")
    assert one(failed)["kind"] == "error" and one(failed)["text"] == "rate limit reached"
    assert aborted.events == [] and "interrupt" in opencode.TELLS


def test_a_compaction_has_its_summary_and_an_exit_ends_the_session() -> None:
    assert one(captures("session.compacted")[0])["summary"] == "A pear was planted."
    (end,) = captures("session.end")
    assert end.ends == "completed" and end.settle


@settings(max_examples=150)
@given(JSON, st.sampled_from(opencode.HOOKS))
def test_no_payload_makes_it_raise(value: Any, event: str) -> None:
    keys = ("text", "input", "patch", "exit", "duration_ms", "cwd", "timestamp", "message_id", "part_id", "reason")
    payload = {**dict.fromkeys(keys, value), "hook_event_name": event, "session_id": SID, "agent_id": value}
    for given_ in (payload, {"hook_event_name": value, "session_id": value}, value if isinstance(value, dict) else {}):
        opencode.translate(given_, {}, TOP)
        opencode.is_own(given_, {})
        opencode.folders(given_, {})


# -- settings


def test_the_plugin_bears_the_mark_and_a_session_can_be_resumed() -> None:
    setup = opencode.setup()
    assert setup.content is not None
    assert f"{MARK}opencode" in setup.content("").splitlines()[0]
    assert setup.files["project"].startswith(".opencode/plugins/")
    assert opencode.resume("ses_1") == ["opencode", "--session", "ses_1"]


# -- transcripts


class Base:
    """A database as OpenCode makes it."""

    def __init__(self, home: Path) -> None:
        self.path = home / "opencode" / "opencode.db"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.env = {"XDG_DATA_HOME": str(home)}
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(
            "CREATE TABLE session (id text PRIMARY KEY, parent_id text, directory text, time_updated integer)"
        )
        for table, key in (("message", "session_id text"), ("part", "message_id text, session_id text")):
            times = "time_created integer, time_updated integer, data text"
            self.db.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, {key}, {times})")

    def session(self, id: str, directory: str = TOP, parent: str | None = None) -> None:
        self.db.execute("INSERT INTO session VALUES (?, ?, ?, 1790000000000)", (id, parent, directory))

    def message(self, id: str, at: int, session: str = SID, **info: Any) -> None:
        data = json.dumps({"time": {"created": at}, **info})
        self.db.execute("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?)", (id, session, at, at, data))

    def part(self, id: str, message: str, at: int, **part: Any) -> None:
        row = (id, message, SID, at, at, json.dumps(part))
        self.db.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?)", row)

    def source(self, session: str = SID) -> Source:
        return opencode.sources(f"{self.path}#{session}", self.env)[0]


@pytest.fixture
def base(tmp_path: Path) -> Base:
    base = Base(tmp_path / "data")
    base.session(SID)
    base.message("msg_1", 1000, role="user", summary={"diffs": [{"patch": "whole"}]})
    base.part("prt_1", "msg_1", 1000, type="text", text="Plant a pear")
    base.part("prt_2", "msg_1", 1000, type="text", text="<file>", synthetic=True)
    base.part("prt_2b", "msg_1", 1000, type="file", mime="image/png", url="data:image/png;base64,aGk=")
    tokens = {"input": 100, "output": 20, "reasoning": 5, "cache": {"read": 300, "write": 40}}
    base.message("msg_2", 2000, role="assistant", modelID="larch-2", cost=0.01, tokens=tokens, path={"cwd": TOP})
    base.part("prt_3", "msg_2", 2000, type="step-start", snapshot="4be1c90")
    base.part("prt_4", "msg_2", 2000, type="reasoning", text="A pear, then.", time={"start": 2100, "end": 2200})
    state = {"input": {"command": "make"}, "output": "no", "metadata": {"exit": 2, "diff": "+"}}
    state |= {"status": "completed", "time": {"start": 2200, "end": 2300}}
    base.part("prt_5", "msg_2", 2300, type="tool", tool="bash", callID="c1", state=state)
    base.part("prt_6", "msg_2", 2400, type="text", text="Planted.", time={"start": 2350, "end": 2400})
    return base


def records(source: Source, place: Any = None) -> tuple[list[Any], Any]:
    found = list(opencode.read(source, place))
    return [record for record, _ in found], found[-1][1] if found else place


def said(base: Base) -> list[Item]:
    source = base.source()
    return [item for record in records(source)[0] for item in opencode.items(record, source)]


def test_messages_come_in_order_and_once(base: Base) -> None:
    found, place = records(base.source())
    assert [r["id"] for r in found] == ["msg_1", "msg_2"]
    assert found[0]["timestamp"] == "1970-01-01T00:00:01.000Z"
    assert records(base.source(), json.loads(json.dumps(place))) == ([], place)


def test_a_message_whose_part_changed_comes_again_and_a_new_one_too(base: Base) -> None:
    _, place = records(base.source())
    base.part("prt_6", "msg_2", 2450, type="text", text="Planted well.")
    base.message("msg_3", 9000, role="user")
    found, place = records(base.source(), place)
    assert [r["id"] for r in found] == ["msg_2", "msg_3"]
    assert found[0]["parts"][-1]["text"] == "Planted well."
    assert records(base.source(), place)[0] == []


def test_a_pass_that_was_cut_short_goes_on_and_misses_no_change(base: Base) -> None:
    base.message("msg_3", 3000, role="user")
    source = base.source()
    reader = opencode.read(source, None)
    next(reader)
    _, place = next(reader)
    reader.close()  # type: ignore[attr-defined]
    base.message("msg_1", 1000, role="user", changed=True)
    base.db.execute("UPDATE message SET time_updated = 8000 WHERE id = 'msg_1'")
    found, place = records(source, json.loads(json.dumps(place)))
    assert [r["id"] for r in found] == ["msg_3"]
    assert [r["id"] for r in records(source, place)[0]] == ["msg_1"]


def test_it_reads_while_another_process_writes(base: Base) -> None:
    base.db.execute("BEGIN IMMEDIATE")
    base.message("msg_3", 3000, role="user")
    assert len(records(base.source())[0]) == 2
    base.db.execute("COMMIT")
    assert len(records(base.source())[0]) == 3


def test_items_are_what_was_said_and_done(base: Base) -> None:
    found = [(i.kind, i.id, i.text, i.outcome) for i in said(base)]
    assert found == [
        ("prompt", "msg_1", "Plant a pear", ""),
        ("thinking", "prt_4", "A pear, then.", ""),
        ("call", "prt_5", "", ""),
        ("result", "prt_5", "no", "error"),
        ("answer", "prt_6", "Planted.", ""),
    ]
    result = said(base)[3]
    assert result.duration_ms == 100 and result.at == "1970-01-01T00:00:02.300Z"


def test_errors_interrupts_and_summaries_are_items(base: Base) -> None:
    base.message("msg_7", 7000, role="assistant", error={"name": "MessageAbortedError", "data": {"message": "stopped"}})
    base.message("msg_8", 8000, role="assistant", error={"name": "APIError", "data": {"message": "503"}})
    base.message("msg_9", 9000, role="assistant", summary=True)
    base.part("prt_9", "msg_9", 9000, type="text", text="A pear was planted.")
    found = [(i.kind, i.text) for i in said(base)[5:]]
    assert found == [("interrupt", ""), ("error", "503"), ("compact", "A pear was planted.")]


def test_a_command_that_was_stopped_is_interrupted(base: Base) -> None:
    output = "half\n\n<shell_metadata>\nUser aborted the command\n</shell_metadata>"
    state = {"status": "completed", "input": {"command": "sleep 9"}, "output": output, "metadata": {"exit": None}}
    base.part("prt_5", "msg_2", 2300, type="tool", tool="bash", callID="c1", state=state)
    assert said(base)[3].outcome == "interrupted"


def test_what_is_kept_is_without_what_opencode_wrote_for_itself_and_says_the_same(base: Base) -> None:
    source = base.source()
    for record in records(source)[0]:
        kept = opencode.kept(record, source)
        assert kept is not None
        assert [i.id for i in opencode.items(kept, source)] == [i.id for i in opencode.items(record, source)]
        text = json.dumps(kept)
        assert not any(gone in text for gone in ("step-start", "4be1c90", "<file>", "whole", TOP, '"diff"'))
    base.message("msg_3", 3000, role="user")
    assert opencode.kept(records(source)[0][-1], source) is None


def test_output_counts_with_reasoning_and_input_without_the_cache(base: Base) -> None:
    sums, source = Sums(), base.source()
    for _ in range(2):
        for record in records(source)[0]:
            opencode.count(record, sums, source)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    assert [sums.sum(name) for name in names] == [100, 25, 300, 40, 5]
    assert list(sums.costs.values()) == [0.01] and sums.model == "larch-2"


def test_the_copy_that_a_fork_makes_has_the_keys_of_the_first(base: Base) -> None:
    first, second = Sums(), Sums()
    base.session("ses_fork")
    base.message("msg_copy", 2000, "ses_fork", **records(base.source())[0][1]["info"])
    for sums, source in ((first, base.source()), (second, base.source("ses_fork"))):
        for record in records(source)[0]:
            opencode.count(record, sums, source)
    assert first.tokens.keys() == second.tokens.keys() != set()


def test_a_model_without_a_price_leaves_the_cost_open(base: Base) -> None:
    sums, source = Sums(), base.source()
    record = records(source)[0][1]
    opencode.count({**record, "info": {**record["info"], "cost": 0}}, sums, source)
    assert sums.tokens and not sums.costs


def test_the_sessions_of_subagents_are_sources_and_their_prompts_no_persons(base: Base) -> None:
    base.session("ses_child", parent=SID)
    base.session("ses_grandchild", parent="ses_child")
    base.message("msg_c", 3000, "ses_child", role="user")
    base.part("prt_c", "msg_c", 3000, type="text", text="Look")
    found = opencode.sources(f"{base.path}#{SID}", base.env)
    assert [s.name for s in found] == ["", "ses_child", "ses_grandchild"]
    (record,) = records(found[1])[0]
    assert list(opencode.items(record, found[1])) == []


@pytest.mark.parametrize("path", ["/etc/passwd#ses_1", "{home}/opencode/auth.json#ses_1", "{base}#../x", "{base}", "#"])
def test_a_foreign_path_is_refused(base: Base, path: str) -> None:
    given_ = path.format(base=base.path, home=base.env["XDG_DATA_HOME"])
    with pytest.raises(ValueError, match="OpenCode's own folder"):
        opencode.sources(given_, base.env)


def test_a_database_that_is_gone_foreign_or_broken_is_an_os_error(base: Base) -> None:
    source = base.source()
    base.db.execute("ALTER TABLE message DROP COLUMN time_updated")
    with pytest.raises(OSError, match="OpenCode's database cannot be read"):
        list(opencode.read(source, None))
    base.db.close()
    for leftover in base.path.parent.glob("opencode.db*"):
        leftover.unlink()
    with pytest.raises(FileNotFoundError, match="is not there"):
        list(opencode.read(source, None))
    base.path.write_bytes(b"no database at all" * 100)
    with pytest.raises(OSError, match="cannot be read"):
        list(opencode.read(source, None))
    assert opencode.sources(f"{base.path}#{SID}", base.env)[0].name == ""


def test_the_files_of_older_versions_are_read_too(tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path)}
    shutil.copytree(FIXTURES / "storage", tmp_path / "opencode" / "storage")
    main, child = opencode.sources(f"{tmp_path}/opencode/storage#{OLD}", env)
    assert child.name == "ses_5d01b2c3cffeOldChild0077"
    found, place = records(main)
    kinds = [item.kind for record in found for item in opencode.items(record, main)]
    assert kinds == ["prompt", "call", "result", "answer"]
    assert records(main, place)[0] == []
    sums = Sums()
    for record in found:
        opencode.count(record, sums, main)
    assert sums.sum("output_tokens") == 6 and list(sums.costs.values()) == [0.002]


def test_its_earlier_sessions_of_this_repository_are_found(base: Base, repo: Repo) -> None:
    shutil.copytree(FIXTURES / "storage", base.path.parent / "storage")
    info = base.path.parent / "storage" / "session" / "prj_orchard" / f"{OLD}.json"
    info.write_text(info.read_text().replace(TOP, str(repo.path)))
    inside = repo.path / "trees"
    inside.mkdir()
    base.session("ses_here", str(inside))
    base.session("ses_child", str(inside), parent="ses_here")
    base.session("ses_there", str(base.path.parent))
    location = discover(str(repo.path))
    assert isinstance(location, Location)
    found = {f.native_id: f for f in opencode.found(location, base.env)}
    assert set(found) == {"ses_here", OLD}
    assert found["ses_here"].modified == 1790000000.0
    for one_found in found.values():
        assert opencode.sources(one_found.path, base.env)


@settings(max_examples=150)
@given(JSON)
def test_no_record_makes_it_raise(value: Any) -> None:
    source = Source("", "x")
    part = {"type": "tool", "id": value, "state": value, "text": value, "time": value}
    state = {"status": "completed", "metadata": value, "time": value, "output": value, "input": value}
    info = {"role": "assistant", "tokens": value, "cost": value, "error": value, "time": value, "modelID": value}
    for record in (
        value if isinstance(value, dict) else {},
        {"id": value, "info": value, "parts": value, "timestamp": value},
        {"id": "m", "info": info, "parts": [part, {**part, "state": state}, {**part, "type": "text"}]},
        {"id": "m", "info": {**info, "tokens": {"input": 1, "cache": value}}, "parts": [value]},
    ):
        list(opencode.items(record, source))
        opencode.kept(record, source)
        opencode.count(record, Sums(), source)


# -- the plugin itself


class Driven:
    """The plugin in node, with a command in the place of ours that writes down what it is given."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.log, self.plugin = folder / "bin", folder / "log", folder / "plugin.mjs"
        self.bin.mkdir()
        self.plugin.write_text(plugins.text("opencode", "opencode.js"))
        self.watched = folder / "watched.jsonl"
        self.watched.write_text((FIXTURES / "watched.jsonl").read_text().replace(TOP, str(folder)))
        self.home = folder

    def install(self) -> None:
        script = self.bin / "git-agent-session"
        script.write_text(f'#!/bin/sh\nprintf "%s %s\\n" "$*" "$(cat)" >> {self.log}\n')
        script.chmod(0o755)

    def run(self, mode: str = "", code: int = 0) -> dict[str, Any]:
        argv = [NODE or "node", str(FIXTURES / "drive.mjs"), str(self.plugin), str(self.watched), mode]
        env = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.home)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        return json.loads(done.stdout) if done.stdout else {}

    def told(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        assert all(line.startswith("hook opencode {") for line in lines)
        return [json.loads(line.partition("opencode ")[2]) for line in lines]


@pytest.fixture
def driven(tmp_path: Path) -> Driven:
    driven = Driven(tmp_path)
    driven.install()
    return driven


SAID = [
    *("session.start", "chat.message", "tool.after", "tool.before", "tool.after"),
    *("agent.start", "agent.stop", "session.idle", "session.end"),
]


@needs_node
def test_the_plugin_tells_a_session_in_order_and_each_thing_once(driven: Driven) -> None:
    out = driven.run()
    told = driven.told()
    assert [p["hook_event_name"] for p in told] == SAID
    assert out["exports"] == []  # OpenCode would take every export for a plugin
    assert {p["session_id"] for p in told} == {SID}
    assert told[1]["text"] == "Plant a pear" and told[7]["text"] == "Planted."
    assert "whole file" not in json.dumps(told)
    for payload in told:
        assert opencode.translate(payload, {}, str(driven.home)) is not None
    assert translated(told[2]).wrote and translated(told[4]).output == "[main 4be1c90] pear\n"


@needs_node
def test_the_shell_of_a_subagent_gets_the_id_of_the_session_that_started_it(driven: Driven) -> None:
    assert driven.run()["env"] == [SID, SID]


@needs_node
def test_a_session_that_goes_on_in_a_new_process_is_asked_for_and_begins_again(driven: Driven) -> None:
    driven.run("resumed")
    told = driven.told()
    assert [p["hook_event_name"] for p in told][:2] == ["session.start", "chat.message"]
    assert told[0]["source"] == "resume"


@needs_node
def test_a_tool_that_is_stopped_is_told_though_its_turn_is_over(driven: Driven) -> None:
    stopped = driven.watched.read_text().splitlines()
    output = "[main 4be1c90] pear\\n"
    late = stopped[8].replace(output, "<shell_metadata>\\nUser aborted the command\\n</shell_metadata>")
    assert late != stopped[8]
    driven.watched.write_text("\n".join([*stopped[:3], stopped[15], late, stopped[16]]) + "\n")
    driven.run()
    told = driven.told()
    assert [p["hook_event_name"] for p in told][2:] == ["session.idle", "tool.after", "session.end"]
    assert told[3]["interrupted"] is True


@needs_node
def test_what_a_fork_copies_is_not_told_again(driven: Driven) -> None:
    lines = driven.watched.read_text().splitlines()
    created = lines[0].replace("New session", "Pears (fork #1)")
    driven.watched.write_text("\n".join([created, *lines[4:6], *lines[1:3]]) + "\n")
    driven.run()
    assert [(p["hook_event_name"], p.get("source")) for p in driven.told()] == [
        ("session.start", "fork"),
        ("chat.message", None),
        ("session.end", None),
    ]


@needs_node
def test_two_copies_of_the_plugin_tell_everything_once(driven: Driven) -> None:
    driven.run("twice")
    assert [p["hook_event_name"] for p in driven.told()] == SAID


@needs_node
def test_a_signal_still_ends_the_session_and_the_process(driven: Driven) -> None:
    driven.run("killed", code=-15)
    assert driven.told()[-1]["hook_event_name"] == "session.end"


@needs_node
def test_without_the_command_the_plugin_has_no_hooks(tmp_path: Path) -> None:
    assert Driven(tmp_path).run()["hooks"] == []


@needs_node
def test_a_command_that_fails_or_hangs_does_no_harm(driven: Driven) -> None:
    script = driven.bin / "git-agent-session"
    script.write_text("#!/bin/sh\nexit 1\n")
    assert len(driven.run()["hooks"]) == 5
    script.write_text("#!/no/such/interpreter\n")
    assert len(driven.run()["hooks"]) == 5
