"""What Pi's extension says, how that becomes events, and what its transcripts hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session.agents import pi, plugins
from git_agent_session.agents.protocol import Capture, Source
from git_agent_session.agents.setup import MARK
from git_agent_session.git.discover import Location, discover
from git_agent_session.ids import is_event_id
from tests.harness import Repo

FIXTURES = Path(__file__).parent.parent / "fixtures" / "pi"
HOOKS = [json.loads(line) for line in (FIXTURES / "hooks.jsonl").read_text().splitlines()]
RECORDS = [json.loads(line) for line in (FIXTURES / "session.jsonl").read_text().splitlines()]
SID = HOOKS[0]["session_id"]
TOP = "/home/dev/orchard"
MAIN = Source("", "session.jsonl")
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="runs the extension itself, which needs node")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def translated(payload: Mapping[str, Any]) -> Capture:
    capture = pi.translate(payload, {}, TOP)
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
        self.tokens: dict[str, tuple[str, dict[str, int]]] = {}
        self.costs: dict[str, float] = {}
        self.model = ""

    def message(self, key: str, at: str, model: str, tokens: Mapping[str, int]) -> None:
        self.tokens[key] = (model, dict(tokens))

    def cost(self, key: str, at: str, usd: float) -> None:
        self.costs[key] = usd

    def total(self, model: str, tokens: Mapping[str, int]) -> None:
        raise AssertionError("Pi counts single requests")

    def total_cost(self, usd: float, start: int) -> None:
        raise AssertionError("Pi counts single requests")

    def name(self, *, model: str = "", version: str = "") -> None:
        self.model = model or self.model

    def sum(self, key: str) -> int:
        return sum(tokens.get(key, 0) for _, tokens in self.tokens.values())


# -- hooks


def test_every_event_of_the_extension_is_understood_and_its_own() -> None:
    assert {p["hook_event_name"] for p in HOOKS} == set(pi.HOOKS)
    for payload in HOOKS:
        capture = translated(payload)
        assert pi.is_own(payload, {}) and pi.native_id(payload) == capture.native_id == SID
        assert pi.folders(payload, {}) == [TOP]
        assert capture.notes["transcript"].endswith(f"_{SID}.jsonl")
        assert capture.at == payload["timestamp"] and capture.agent["model"] == "larch-2"


def test_the_call_of_another_agent_is_not_its_own() -> None:
    assert not pi.is_own({**HOOKS[0], "agent": "opencode"}, {"PI_SESSION_ID": SID})


def test_a_second_delivery_has_the_same_event_ids() -> None:
    ids = [e.id for p in HOOKS for e in translated(p).events]
    assert ids == [e.id for p in HOOKS for e in translated(p).events]
    assert len(ids) == len(set(ids))


def test_a_call_id_that_a_model_uses_again_is_another_call() -> None:
    call = next(p for p in HOOKS if p["hook_event_name"] == "tool_result")
    later = {**call, "timestamp": "2026-10-05T10:00:00.000Z"}
    assert one(translated(call))["id"] != one(translated(later))["id"]


def test_a_session_starts_with_its_version() -> None:
    (capture,) = captures("session_start")
    assert capture.begins and capture.settle and not capture.forked and not capture.parent
    assert capture.agent == {"version": "0.87.1", "model": "larch-2"}


@pytest.mark.parametrize(("reason", "forked"), [("startup", True), ("fork", True), ("new", False)])
def test_a_session_that_names_another_is_its_copy_unless_it_is_new(reason: str, forked: bool) -> None:
    parent = "/home/dev/.pi/agent/sessions/--home-dev-orchard--/2026-10-04T09-00-00-000Z_01a0-parent.jsonl"
    capture = translated({**HOOKS[0], "reason": reason, "parent_session": parent})
    assert (capture.forked, capture.parent) == (forked, "01a0-parent")


def test_a_prompt_gives_the_title() -> None:
    (capture,) = captures("input")
    assert capture.prompts and capture.title == one(capture)["text"] == "Plant a pear tree"
    by_extension = pi.translate({**HOOKS[1], "source": "extension"}, {}, TOP)
    assert by_extension is not None and not by_extension.prompts and by_extension.events == []


def test_a_tool_that_writes_names_the_path_from_the_worktree() -> None:
    capture = captures("tool_result")[0]
    assert one(capture)["paths"] == capture.wrote == ["trees/pear.txt"]
    below = translated({**HOOKS[2], "cwd": f"{TOP}/north"})
    assert below.wrote == ["north/trees/pear.txt"]


def test_a_shell_command_is_seen_before_and_after() -> None:
    (before,) = captures("tool_call")
    assert (before.shell, before.command, before.events) == ("before", "git commit -am pear", [])
    after = captures("tool_result")[1]
    assert (after.shell, after.command, after.output) == ("after", before.command, "[main 4be1c90] pear\n")


def test_a_failure_and_an_interrupt_are_told_apart() -> None:
    failed, stopped = captures("tool_result")[2:]
    assert one(failed)["outcome"] == "error" and one(failed)["error"] == "ENOENT: no such file"
    assert one(failed)["paths"] == ["plum.txt"] and failed.wrote == []
    assert one(stopped)["outcome"] == "interrupted"


def test_the_end_of_a_turn_a_compaction_and_the_end() -> None:
    (turn,), (compact,), (end,) = (captures(e) for e in ("agent_end", "session_compact", "session_shutdown"))
    assert turn.settle and one(turn)["role"] == "assistant" and one(turn)["text"] == "Done: a pear."
    assert one(compact)["trigger"] == "threshold" and one(compact)["summary"] == "A pear was planted."
    assert (end.ends, end.reason) == ("completed", "quit")


@settings(max_examples=150)
@given(JSON, st.sampled_from(pi.HOOKS))
def test_no_payload_makes_it_raise(value: Any, event: str) -> None:
    keys = ("text", "input", "duration_ms", "cwd", "timestamp", "call_id", "reason", "parent_session", "model", "tool")
    payload = {**dict.fromkeys(keys, value), "hook_event_name": event, "session_id": SID}
    path = {**payload, "cwd": TOP, "input": {"path": value, "command": value}}
    for given_ in (payload, path, {"hook_event_name": value, "session_id": value}):
        pi.translate(given_, {}, TOP)
        pi.is_own(given_, {})
        pi.folders(given_, {})


# -- settings


def test_the_extension_bears_the_mark_and_a_session_can_be_resumed() -> None:
    setup = pi.setup()
    assert setup.content is not None
    assert f"{MARK}pi" in setup.content("").splitlines()[0]
    assert setup.files == {
        "project": ".pi/extensions/git-agent-session.ts",
        "user": "extensions/git-agent-session.ts",
    }
    assert pi.resume("01a0") == ["pi", "--session", "01a0"]


# -- transcripts


def test_items_are_what_was_said_and_done() -> None:
    found = [(i.kind, i.id, i.text or i.name, i.outcome) for r in RECORDS for i in pi.items(r, MAIN)]
    assert found == [
        ("model", "10000001", "larch-2", ""),
        ("prompt", "10000004", "Plant a pear tree", ""),
        ("thinking", "10000005", "A pear, then.", ""),
        ("answer", "10000005.1", "I plant it.", ""),
        ("call", "call_1", "write", ""),
        ("result", "call_1", "Successfully wrote", "ok"),
        ("compact", "10000008", "A pear was planted.", ""),
        ("error", "1000000a.error", "503: the wood is full", ""),
        ("answer", "1000000b", "Done: a pear.", ""),
        ("interrupt", "1000000b.interrupt", "", ""),
        ("call", "1000000c", "bash", ""),
        ("result", "1000000c", "pear.txt\n", "ok"),
    ]
    assert all(i.at.startswith("2026-10-05T09:00:") for r in RECORDS for i in pi.items(r, MAIN))


def test_what_is_kept_is_without_prompts_of_the_harness_and_says_the_same() -> None:
    kept = [(r, k) for r in RECORDS if (k := pi.kept(r, MAIN)) is not None]
    for record, left in kept:
        assert [i.id for i in pi.items(left, MAIN)] == [i.id for i in pi.items(record, MAIN)]
    text = json.dumps([left for _, left in kept])
    assert not any(gone in text for gone in ("You are a gardener", "garden", "+pear", "thinkingLevel"))
    assert len(kept) == len(RECORDS) - 3


def test_tokens_and_costs_of_answers_summaries_and_the_rest_count_once() -> None:
    sums = Sums()
    for record in RECORDS * 2:
        pi.count(record, sums, MAIN)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    assert [sums.sum(name) for name in names] == [155, 47, 700, 0, 12]
    assert sorted(sums.costs.values()) == [0.001, 0.004]
    assert sums.model == "larch-3" and {model for model, _ in sums.tokens.values()} == {"larch-2", "larch-3", ""}


def test_a_transcript_elsewhere_is_refused(tmp_path: Path) -> None:
    env = {"PI_CODING_AGENT_DIR": str(tmp_path / "agent"), "PI_CODING_AGENT_SESSION_DIR": str(tmp_path / "kept")}
    for inside in ("agent/sessions/--a--/t_1.jsonl", "kept/t_1.jsonl"):
        (source,) = pi.sources(str(tmp_path / inside), env)
        assert (source.name, source.path) == ("", os.path.realpath(tmp_path / inside))
    for outside in ("agent/auth.jsonl", "agent/sessions/--a--/t_1.json", "agent/sessions/../../x.jsonl", "x.jsonl"):
        with pytest.raises(ValueError, match="Pi's own folder"):
            pi.sources(str(tmp_path / outside), env)


def test_a_link_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "agent" / "sessions" / "--a--"
    folder.mkdir(parents=True)
    (tmp_path / "secret.jsonl").write_text("{}\n")
    (folder / "t_1.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(ValueError, match="Pi's own folder"):
        pi.sources(str(folder / "t_1.jsonl"), {"PI_CODING_AGENT_DIR": str(tmp_path / "agent")})


def test_its_earlier_sessions_of_this_repository_are_found(repo: Repo, tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    for cwd, own_id in ((repo.path, "01a0-here"), (tmp_path / "else", "01a0-there")):
        folder = agent / "sessions" / f"--{str(cwd).strip('/').replace('/', '-')}--"
        folder.mkdir(parents=True)
        header = {"type": "session", "version": 3, "id": own_id, "cwd": str(cwd)}
        (folder / f"2026-10-05T09-00-00-000Z_{own_id}.jsonl").write_text(json.dumps(header) + "\n")
    location = discover(str(repo.path))
    assert isinstance(location, Location)
    env = {"PI_CODING_AGENT_DIR": str(agent)}
    (found,) = pi.found(location, env)
    assert found.native_id == "01a0-here" and found.modified > 0
    assert pi.sources(found.path, env)


@settings(max_examples=150)
@given(JSON)
def test_no_record_makes_it_raise(value: Any) -> None:
    block = {"type": value, "text": value, "thinking": value, "id": value, "arguments": value}
    blocks = [block, *({**block, "type": kind} for kind in ("text", "thinking", "toolCall")), value]
    for record in (
        value if isinstance(value, dict) else {},
        *({"type": kind, "id": value, "timestamp": value, "usage": value} for kind in ("compaction", "usage", value)),
        *(
            {"type": "message", "id": value, "message": {"role": role, "content": content, "usage": value}}
            for role in ("user", "assistant", "toolResult", "bashExecution", value)
            for content in (value, blocks)
        ),
        {"type": "message", "message": {"role": "assistant", "usage": {"input": 1, "cost": value}, "model": value}},
    ):
        list(pi.items(record, MAIN))
        pi.kept(record, MAIN)
        pi.count(record, Sums(), MAIN)


# -- the extension itself


class Driven:
    """The extension in node, with a command in the place of ours that writes down what it is given."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.log, self.extension = folder / "bin", folder / "log", folder / "extension.mjs"
        self.bin.mkdir()
        self.extension.write_text(plugins.text("pi", "pi.ts"))
        self.home = folder

    def install(self) -> None:
        script = self.bin / "git-agent-session"
        script.write_text(f'#!/bin/sh\nprintf "%s %s %s\\n" "$*" "$PI_PID" "$(cat)" >> {self.log}\n')
        script.chmod(0o755)

    def run(self) -> dict[str, Any]:
        argv = [NODE or "node", str(FIXTURES / "drive.mjs"), str(self.extension), str(FIXTURES / "watched.jsonl")]
        env = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.home)}
        done = subprocess.run([*argv, str(self.home)], env=env, capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@needs_node
def test_the_extension_tells_a_session_in_order(tmp_path: Path) -> None:
    driven = Driven(tmp_path)
    driven.install()
    out = driven.run()
    heads, payloads = zip(*(line.split(" {", 1) for line in driven.log.read_text().splitlines()), strict=True)
    told = [json.loads("{" + payload) for payload in payloads]
    assert all(head.startswith("hook pi ") and head.split()[2].isdecimal() for head in heads)
    assert [p["hook_event_name"] for p in told] == [
        *("session_start", "input", "tool_result", "tool_call", "tool_result"),
        *("session_compact", "agent_end", "session_shutdown"),
    ]
    assert "whole file" not in json.dumps(told)
    assert {p["session_id"] for p in told} == {SID} and out["named"] == SID
    assert told[6]["text"] == "Done." and told[4]["output"] == "[main 4be1c90] pear\n"
    for payload in told:
        assert pi.translate(payload, {}, str(tmp_path)) is not None


@needs_node
def test_without_the_command_the_extension_listens_to_nothing(tmp_path: Path) -> None:
    assert Driven(tmp_path).run() == {"hooks": [], "named": ""}
