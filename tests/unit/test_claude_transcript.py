"""Tokens, model and cost out of Claude Code's transcripts."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from git_agent_session.agents import claude_transcript
from git_agent_session.agents.claude_transcript import Transcript

FIXTURES = Path(__file__).parent.parent / "fixtures" / "claude"
SID = "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e01"


class Nowhere:
    """No other session has counted anything; `before` belongs to another."""

    def __init__(self, before: str = "", cost: float = 0.0) -> None:
        self.before = before
        self.base = cost

    def counted(self, key: str, at: str) -> bool:
        return at < self.before

    def cost(self, start: int) -> float:
        return self.base


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "claude" / "projects" / "-home-ada-project" / f"{SID}.jsonl"
    found.parent.mkdir(parents=True)
    return found


def open_(path: Path) -> Transcript:
    return Transcript(str(path), {"CLAUDE_CONFIG_DIR": str(path.parent.parent.parent)})


def read(path: Path, memory: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
    memory = {} if memory is None else memory
    open_(path).read(memory, Nowhere(**kwargs))
    return memory


def record(n: int, output: int, *, message: str = "", at: str = "2099-01-01T00:00:00.000Z", **more: Any) -> str:
    usage = {"input_tokens": 1, "output_tokens": output}
    doc = {"type": "assistant", "requestId": f"r{n}", "timestamp": at, "version": "2.1.329", **more}
    doc["message"] = {"id": message or f"m{n}", "model": "claude-x", "usage": usage}
    return json.dumps(doc) + "\n"


def test_a_message_counts_once_with_its_last_usage(path: Path) -> None:
    path.write_bytes((FIXTURES / "transcript.jsonl").read_bytes())
    memory = read(path)
    assert memory["totals"] == {
        "input_tokens": 30,
        "output_tokens": 100,
        "cache_read_tokens": 1900,
        "cache_write_tokens": 300,
        "cost_usd": 0.0125,
    }
    assert (memory["model"], memory["version"]) == ("claude-sonnet-4-5-20250929", "2.1.329")


def test_subagents_count_but_do_not_name_the_model(path: Path) -> None:
    path.write_bytes((FIXTURES / "transcript.jsonl").read_bytes())
    folder = path.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-a01.jsonl").write_bytes((FIXTURES / "subagent.jsonl").read_bytes())
    memory = read(path)
    assert memory["totals"]["output_tokens"] == 109
    assert memory["model"] == "claude-sonnet-4-5-20250929"


def test_reading_in_pieces_gives_what_reading_at_once_gives(path: Path) -> None:
    data = (FIXTURES / "transcript.jsonl").read_bytes()
    path.write_bytes(data)
    whole = read(path)["totals"]
    for step in (1, 97, 500):
        path.write_bytes(b"")
        memory: dict[str, Any] = {}
        for end in range(step, len(data) + step, step):
            path.write_bytes(data[:end])
            # as it is kept between two processes
            memory = json.loads(json.dumps(read(path, memory)))
        assert memory["totals"] == whole


def test_a_line_that_is_still_being_written_waits(path: Path) -> None:
    path.write_text(record(1, 5) + record(2, 7)[:-10])
    assert read(path)["totals"]["output_tokens"] == 5


def test_a_later_record_corrects_the_count_after_the_message_was_recorded(path: Path) -> None:
    path.write_text(record(1, 1))
    memory = read(path)
    path.write_text(record(1, 1) + record(1, 50))
    assert read(path, memory)["totals"]["output_tokens"] == 50


def test_a_file_that_shrank_is_read_anew(path: Path) -> None:
    path.write_text(record(1, 5) + record(2, 7))
    memory = read(path)
    path.write_text(record(3, 9))
    assert read(path, memory)["totals"]["output_tokens"] == 9


def test_what_belongs_to_another_session_does_not_count(path: Path) -> None:
    path.write_text(record(1, 5, at="2026-01-01T00:00:00.000Z") + record(2, 7, at="2026-01-02T00:00:00.000Z"))
    assert read(path, before="2026-01-01T12:00:00.000Z")["totals"]["output_tokens"] == 7


def test_costs_are_the_rise_of_the_running_total(path: Path) -> None:
    def state(total: float) -> str:
        return json.dumps({"type": "cost-state", "totalCostUSD": total, "startTime": 1}) + "\n"

    path.write_text(state(0.5))
    memory = read(path, cost=0.2)
    path.write_text(state(0.5) + state(0.7) + state(0.1))
    assert read(path, memory, cost=0.2)["totals"]["cost_usd"] == pytest.approx(0.3 + 0.2 + 0.1)


@pytest.mark.parametrize(
    "line",
    [
        b'not json "assistant"\n',
        b'{"type":"assistant"}\n',
        b'{"type":"assistant","message":[]}\n',
        b'["assistant"]\n',
        b'{"type":"assistant","message":{"id":"x","usage":{"output_tokens":-5,"input_tokens":"many"}}}\n',
        b'{"type":"assistant","message":{"id":"x","usage":{"output_tokens":1e400}}}\n',
        b'{"type":"cost-state","totalCostUSD":true}\n',
        b'\xff\xfe "assistant"\n',
        b"[" * 100_000 + b'"assistant"\n',
    ],
)
def test_a_broken_record_is_passed_over(path: Path, line: bytes) -> None:
    path.write_bytes(line + record(1, 5).encode())
    assert read(path)["totals"]["output_tokens"] == 5


def test_a_record_that_is_too_long_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_transcript, "LINE", 1000)
    path.write_text(record(1, 5, pad="x" * 5000) + record(2, 7))
    assert read(path)["totals"]["output_tokens"] == 7


def test_memory_does_not_grow_with_the_file(path: Path) -> None:
    with path.open("w") as f:
        for n in range(20_000):
            f.write(json.dumps({"type": "api-request", "pad": "x" * 400}) + "\n" + record(n, 1))
    tracemalloc.start()
    memory = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory["totals"]["output_tokens"] == 20_000
    assert len(memory["recent"]) == claude_transcript.RECENT
    assert peak < 4 * 1024 * 1024


def test_a_missing_file_is_an_empty_one(path: Path) -> None:
    assert read(path).get("totals", {}) == {}


@pytest.mark.parametrize("name", ["../secret.jsonl", "a/b/c.jsonl", "a.txt", "../../x/y.jsonl"])
def test_a_path_outside_of_claudes_folder_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        Transcript(str(path.parent.parent / name), {"CLAUDE_CONFIG_DIR": str(path.parent.parent.parent)})


def test_a_link_that_leads_out_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text(record(1, 5))
    path.symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(ValueError, match="is not read"):
        open_(path)


def test_a_subagents_link_and_a_pipe_are_not_followed(path: Path, tmp_path: Path) -> None:
    path.write_text(record(1, 5))
    folder = path.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "agent-a.jsonl")
    assert read(path)["totals"]["output_tokens"] == 5


def test_an_agent_that_is_gone_writes_no_more(path: Path) -> None:
    env = {"CLAUDE_CONFIG_DIR": str(path.parent.parent.parent)}
    assert Transcript(str(path), {**env, "CLAUDE_PID": str(os.getpid())}).may_grow()
    assert not Transcript(str(path), {**env, "CLAUDE_PID": "99999999"}).may_grow()
    assert Transcript(str(path), env).may_grow()
