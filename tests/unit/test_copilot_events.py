"""What Copilot CLI's transcripts say: items, tokens, what is kept of them, which may be read and found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session.agents import copilot, transcripts
from git_agent_session.agents.protocol import Source
from git_agent_session.agents.tally import Tally
from git_agent_session.git.discover import discover
from tests.harness import Repo

FIXTURES = Path(__file__).parent.parent / "fixtures" / "copilot"
SID = "5b0e7f7a-3c7c-4a3f-9d53-61c1a3f0c2d1"
MAIN = Source("", "")


class Nowhere:
    """No other session has counted anything."""

    def counted(self, key: str, at: str) -> bool:
        return False

    def cost(self, start: int) -> float:
        return 0.0


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / "events.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "copilot" / "session-state" / SID).mkdir(parents=True)
    return {"COPILOT_HOME": str(tmp_path / "copilot")}


def items(kind: str) -> list[Any]:
    return [i for record in records() for i in copilot.items(record, MAIN) if i.kind == kind]


def count(*found: dict[str, Any]) -> Tally:
    tally = Tally({}, Nowhere())  # type: ignore[arg-type]
    for record in found:
        copilot.count(record, tally, MAIN)
    return tally


def test_what_was_said_is_the_users_and_the_main_agents() -> None:
    assert [i.text for i in items("prompt")] == ["Add a greeting\nand commit it"]
    assert [i.text for i in items("answer")] == ["I will add it.", "All done."]
    assert [i.text for i in items("thinking")] == ["A file is enough."]


def test_calls_and_results_belong_together() -> None:
    assert [i.id for i in items("call")] == ["t1", "t2", "t3", "t4"]
    assert {i.id: i.outcome for i in items("result")} == {
        "t1": "ok",
        "t2": "error",
        "t4": "ok",
        "t3": "ok",
        "t5": "error",
    }
    assert items("call")[1].input == {"command": "make check"}


def test_a_compaction_an_interrupt_and_an_error_are_told() -> None:
    assert [i.text for i in items("compact")] == ["We added a greeting."]
    assert len(items("interrupt")) == 1
    assert [i.text for i in items("error")] == ["Could not connect"]


def test_the_model_is_the_main_agents() -> None:
    assert [i.name for i in items("model")] == ["gpt-5"]


def test_items_have_ids_of_their_own_on_every_read() -> None:
    found = [[(i.kind, i.id) for r in records() for i in copilot.items(r, MAIN)] for _ in range(2)]
    assert found[0] == found[1] and len(set(found[0])) == len(found[0])


def test_an_item_of_each_kind_that_is_told_becomes_an_event() -> None:
    for kind in copilot.TELLS:
        assert all(transcripts.told(i, SID) is not None for i in items(kind)) and items(kind)


def test_a_prompt_is_told_by_the_hook_alone() -> None:
    assert "prompt" not in copilot.TELLS


def test_every_request_counts_once_without_what_the_cache_gave() -> None:
    assert count(*records()).totals == {
        "gpt-5": {
            "input_tokens": 1200 + 400 + 400 + 500,
            "output_tokens": 57 * 3 + 30,
            "cache_read_tokens": 800 * 3 + 400,
            "cache_write_tokens": 300,
        },
        "gpt-5-mini": {"input_tokens": 500, "output_tokens": 20, "cache_read_tokens": 0, "cache_write_tokens": 0},
    }


def test_a_record_that_stands_twice_counts_once() -> None:
    assert count(*records(), *records()).totals == count(*records()).totals


def test_a_number_of_premium_requests_is_no_cost() -> None:
    record = {"type": "session.usage_record", "data": {"usage": {"model": "unheard-of", "inputTokens": 9, "cost": 1.0}}}
    assert count(record).cost_usd == 0


def test_model_and_version_are_the_main_agents() -> None:
    memory = count(*records()).memory
    assert (memory["model"], memory["version"]) == ("gpt-5", "1.0.102")


def shutdown(given: int) -> dict[str, Any]:
    usage = {"inputTokens": given, "outputTokens": 10, "cacheReadTokens": 40, "cacheWriteTokens": 0}
    return {"type": "session.shutdown", "data": {"modelMetrics": {"gpt-4.1": {"usage": usage}}}}


def test_early_versions_have_running_totals_alone() -> None:
    assert count(shutdown(100), shutdown(250)).totals["gpt-4.1"]["input_tokens"] == 210


def test_what_copilot_writes_for_itself_is_dropped() -> None:
    kept = [k for r in records() if (k := copilot.kept(r, MAIN))]
    text = json.dumps(kept)
    assert "SYSTEM-PROMPT" not in text and "OPAQUE" not in text and "current_datetime" not in text
    assert not {"hook.start", "system.message", "model.messages_snapshot", "session.usage_record"} & {
        k["type"] for k in kept
    }


def test_what_was_said_and_done_is_kept_as_it_is() -> None:
    kept = [k for r in records() if (k := copilot.kept(r, MAIN))]

    def rows(found: list[dict[str, Any]]) -> list[Any]:
        return [transcripts.item_row(i) for r in found for i in copilot.items(r, MAIN)]

    assert rows(kept) == rows(records())


def test_a_change_is_kept_and_what_was_only_read_twice_is_not() -> None:
    results = [k["data"].get("result", {}) for r in records() if (k := copilot.kept(r, MAIN))]
    assert [r["detailedContent"] for r in results if "detailedContent" in r] == ["+hi"]


def test_a_pasted_image_is_known_as_one() -> None:
    record = transcripts.without_images(copilot.kept(records()[3], MAIN))
    assert record["data"]["attachments"][0]["data"] == "[image dropped: 660 characters]"


# -- files


def state(env: dict[str, str]) -> Path:
    return Path(env["COPILOT_HOME"], "session-state")


def test_the_transcript_in_copilots_folder_is_read(env: dict[str, str]) -> None:
    path = state(env) / SID / "events.jsonl"
    assert [(s.name, s.path) for s in copilot.sources(str(path), env)] == [("", str(path.resolve()))]
    assert copilot.sources(str(state(env) / "old.jsonl"), env)


@pytest.mark.parametrize("path", ["/etc/passwd", "notes.txt", "../../events.jsonl", "x/y/events.jsonl", "x/plan.md"])
def test_a_path_elsewhere_is_refused(env: dict[str, str], path: str) -> None:
    with pytest.raises(ValueError, match="own folder"):
        copilot.sources(str(state(env) / path), env)


def test_a_link_out_of_the_folder_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (state(env) / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="own folder"):
        copilot.sources(str(state(env) / "linked" / "events.jsonl"), env)


def test_a_folder_with_a_name_that_only_begins_alike_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="own folder"):
        copilot.sources(f"{state(env)}-evil/{SID}/events.jsonl", env)


def test_sessions_of_this_repository_are_found(env: dict[str, str], repo: Repo, tmp_path: Path) -> None:
    for own_id, cwd in (("a1", repo.path), ("b2", tmp_path), ("c3", None)):
        (state(env) / own_id).mkdir()
        data = {"sessionId": own_id, "context": {"cwd": str(cwd)} if cwd else None}
        (state(env) / own_id / "events.jsonl").write_text(json.dumps({"type": "session.start", "data": data}) + "\n")
    location = discover(str(repo.path))
    assert location
    found = list(copilot.found(location, env))
    assert [f.native_id for f in found] == ["a1"] and found[0].modified > 0


def test_no_folder_means_no_sessions(repo: Repo, tmp_path: Path) -> None:
    location = discover(str(repo.path))
    assert location and not list(copilot.found(location, {"COPILOT_HOME": str(tmp_path / "none")}))


# -- anything may come

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DATA_KEYS = sorted({key for record in records() for key in record["data"]})
TYPES = sorted({record["type"] for record in records()})


@given(
    kind=st.sampled_from(TYPES),
    data=JSON | st.dictionaries(st.sampled_from(DATA_KEYS), JSON),
    more=st.dictionaries(st.sampled_from(["id", "timestamp", "agentId", "parentId"]), JSON),
)
def test_no_record_makes_it_fail(kind: str, data: Any, more: dict[str, Any]) -> None:
    record = {**more, "type": kind, "data": data}
    list(copilot.items(record, MAIN))
    copilot.kept(record, MAIN)
    count(record)
