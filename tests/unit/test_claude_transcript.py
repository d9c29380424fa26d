"""What Claude Code's transcripts say: items, tokens, what is kept of them, and which may be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import claude_code, transcripts
from git_agent_session.agents.protocol import Item, Source
from git_agent_session.agents.tally import Tally

FIXTURES = Path(__file__).parent.parent / "fixtures" / "claude"
SID = "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e01"
MAIN = Source("", "")


class Nowhere:
    """No other session has counted anything; what is before `before` belongs to another."""

    def __init__(self, before: str = "", cost: float = 0.0) -> None:
        self.before = before
        self.base = cost

    def counted(self, key: str, at: str) -> bool:
        return at < self.before

    def cost(self, start: int) -> float:
        return self.base


def tally(*records: dict[str, Any], source: Source = MAIN, **kwargs: Any) -> Tally:
    found = Tally({}, Nowhere(**kwargs))  # type: ignore[arg-type]
    for record in records:
        claude_code.count(record, found, source)
    return found


def answer(n: int, output: int, *, at: str = "2099-01-01T00:00:00.000Z", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": output}
    message = {"id": f"m{n}", "model": "claude-sonnet-4-5", "usage": usage}
    return {
        "type": "assistant",
        "requestId": f"r{n}",
        "timestamp": at,
        "version": "2.1.329",
        "message": message,
        **more,
    }


def output(found: Tally) -> int:
    return sum(amounts["output_tokens"] for amounts in found.totals.values())


def fixture(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / name).read_text().splitlines()]


def test_a_message_counts_once_with_its_last_usage() -> None:
    found = tally(*fixture("transcript.jsonl"))
    assert found.totals == {
        "claude-sonnet-4-5-20250929": {
            "input_tokens": 30,
            "output_tokens": 100,
            "cache_read_tokens": 1900,
            "cache_write_tokens": 300,
        }
    }
    assert (found.cost_usd, found.cost_by) == (0.0125, "agent")
    assert (found.memory["model"], found.memory["version"]) == ("claude-sonnet-4-5-20250929", "2.1.329")


def test_subagents_count_but_do_not_name_the_model() -> None:
    found = tally(*fixture("subagent.jsonl"), source=Source("a01", ""))
    assert output(found) == 9 and "model" not in found.memory


def test_a_later_record_corrects_the_count() -> None:
    assert output(tally(answer(1, 1), answer(2, 7), answer(1, 50))) == 57


def test_what_belongs_to_another_session_does_not_count() -> None:
    old, new = answer(1, 5, at="2026-01-01T00:00:00.000Z"), answer(2, 7, at="2026-01-02T00:00:00.000Z")
    assert output(tally(old, new, before="2026-01-01T12:00:00.000Z")) == 7


def test_costs_are_the_rise_of_the_running_total() -> None:
    states = [{"type": "cost-state", "totalCostUSD": usd, "startTime": 1} for usd in (0.5, 0.5, 0.7, 0.1)]
    assert tally(*states, cost=0.2).cost_usd == pytest.approx(0.3 + 0.2 + 0.1)


def test_without_a_cost_of_its_own_a_table_is_asked() -> None:
    found = tally(answer(1, 1000))
    assert found.cost_usd > 0 and found.cost_by.startswith("genai-prices ")


@pytest.mark.parametrize(
    "record",
    [
        {"type": "assistant"},
        {"type": "assistant", "message": []},
        {"type": "assistant", "message": {"id": "x", "usage": {"output_tokens": -5, "input_tokens": "many"}}},
        {"type": "assistant", "message": {"id": "x", "usage": {"output_tokens": float("inf")}}},
        {"type": "cost-state", "totalCostUSD": True},
        {"type": "cost-state", "totalCostUSD": -1},
    ],
)
def test_a_broken_record_counts_nothing(record: dict[str, Any]) -> None:
    found = tally(record, answer(1, 5))
    assert output(found) == 5


def items(*records: dict[str, Any]) -> list[tuple[str, str]]:
    found = [item for record in records for item in claude_code.items(record, MAIN)]
    return [(item.kind, item.text or item.name) for item in found]


def user(content: Any, **more: Any) -> dict[str, Any]:
    at = "2026-11-21T10:00:00.000Z"
    return {"type": "user", "uuid": "u1", "timestamp": at, "message": {"role": "user", "content": content}, **more}


def test_a_person_is_told_from_the_harness() -> None:
    assert items(user("Fix it")) == [("prompt", "Fix it")]
    assert items(user([{"type": "text", "text": "Fix it"}])) == [("prompt", "Fix it")]
    assert items(user("<task-notification>done</task-notification>")) == []
    assert items(user("Look", promptSource="system")) == []
    opened = {"type": "text", "text": "<ide_opened_file>The user opened a.py</ide_opened_file>"}
    assert items(user([opened, {"type": "text", "text": "Fix it"}])) == [("prompt", "Fix it")]
    assert items(user("Caveat", isMeta=True)) == []
    assert items(user("What went before", isCompactSummary=True)) == [("compact", "What went before")]
    assert items(user([{"type": "text", "text": "[Request interrupted by user for tool use]"}])) == [("interrupt", "")]


def test_a_call_and_its_result_share_an_id() -> None:
    call = answer(1, 1, uuid="a1")
    call["message"]["content"] = [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make"}}]
    result = user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "no rule", "is_error": True}])
    made: Item
    (made,) = claude_code.items(call, MAIN)
    (came,) = claude_code.items(result, MAIN)
    assert (made.kind, made.id, made.name, made.input) == ("call", "toolu_1", "Bash", {"command": "make"})
    assert (came.kind, came.id, came.text, came.outcome) == ("result", "toolu_1", "no rule", "error")


def test_an_error_of_the_api_is_an_error() -> None:
    record = answer(1, 1, uuid="a1", isApiErrorMessage=True)
    record["message"]["content"] = [{"type": "text", "text": "Overloaded"}]
    assert items(record) == [("error", "Overloaded")]


def test_what_the_harness_writes_for_itself_is_not_kept() -> None:
    kept = [claude_code.kept(r, MAIN) for r in ({"type": "api-request"}, {"type": "file-history-snapshot"})]
    assert kept == [None, None]
    whole = claude_code.kept({**user("x"), "toolUseResult": {"originalFile": "…"}}, MAIN)
    assert whole is not None and "toolUseResult" not in whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("type", "uuid", "message", "timestamp", "isMeta", "isApiErrorMessage", "totalCostUSD", "subtype", "version")


@given(record=st.dictionaries(st.sampled_from(KEYS), JSON), kind=st.sampled_from(("user", "assistant", "cost-state")))
def test_no_record_makes_it_fail(record: dict[str, Any], kind: str) -> None:
    for each in (record, {**record, "type": kind}, {"type": kind, "message": record}):
        list(claude_code.items(each, MAIN))
        claude_code.kept(each, MAIN)
        tally(each)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "claude"
    (found / "projects" / "-home-ada-project").mkdir(parents=True)
    return found


def sources(home: Path, path: Path) -> list[Source]:
    return claude_code.sources(str(path), {"CLAUDE_CONFIG_DIR": str(home)})


@pytest.mark.parametrize("name", ["../secret.jsonl", "a/b/c.jsonl", "a.txt", "../../x/y.jsonl"])
def test_a_path_outside_of_claudes_folder_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        sources(home, home / "projects" / name)


def test_a_link_that_leads_out_is_refused(home: Path, tmp_path: Path) -> None:
    path = home / "projects" / "-home-ada-project" / f"{SID}.jsonl"
    (tmp_path / "secret.jsonl").write_text("{}\n")
    path.symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(ValueError, match="is not read"):
        sources(home, path)


def test_subagents_lie_beside_the_sessions_own(home: Path) -> None:
    path = home / "projects" / "-home-ada-project" / f"{SID}.jsonl"
    (path.with_suffix("") / "subagents").mkdir(parents=True)
    (path.with_suffix("") / "subagents" / "agent-a01.jsonl").write_text("{}\n")
    assert [s.name for s in sources(home, path)] == ["", "a01"]


def test_a_pipe_and_a_link_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list(transcripts.json_lines(str(tmp_path / "pipe"), None)) == []
    (tmp_path / "real").write_text("{}\n")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError):
        list(transcripts.json_lines(str(tmp_path / "link"), None))
