"""Transcripts that travel with their session: captured as they grow, once, without secrets, in small chunks."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from git_agent_session.agents import claude_code, transcripts
from git_agent_session.agents.protocol import Source
from git_agent_session.agents.reading import Reading
from git_agent_session.git.repository import SESSIONS
from git_agent_session.redact.engine import redact_value
from tests.e2e.claude import Claude

AT = "2099-01-01T00:00:00.000Z"


def said(n: int, text: Any, **more: Any) -> str:
    message = {"role": "user", "content": text}
    doc = {"type": "user", "uuid": f"u{n}", "timestamp": AT, "message": message, **more}
    return json.dumps(doc) + "\n"


def stored(claude: Claude, source: str = "") -> list[dict[str, Any]]:
    """The records of the session's stored chunks, in order."""
    store = claude.store()
    store.drain(claude.id)
    records = []
    for event in store.history(claude.id, kinds=("transcript",)):
        if event.data.get("source", "") == source:
            ref = SESSIONS + claude.id
            name = f"transcript/{event.id}.jsonl"
            holds = claude.repo.git("log", "--format=%H", ref, "--", name).splitlines()
            text = claude.repo.git("show", f"{holds[-1]}:{name}")
            assert len(text.splitlines()) == event.data["records"]
            records += [json.loads(line) for line in text.splitlines()]
    return records


def texts(claude: Claude) -> list[str]:
    return [record["message"]["content"] for record in stored(claude)]


def reading(claude: Claude, **config: str) -> Reading:
    for key, value in config.items():
        claude.repo.git("config", f"agentSession.{key}", value)
    store = claude.store()
    doc = store.get(claude.id).to_dict()
    said: list[str] = []
    found = Reading(claude_code, store.repo, doc, redact_value, said.append)
    assert said == []
    return found


def take(claude: Claude, **config: str) -> Reading:
    found = reading(claude, **config)
    found.read([Source("", str(claude.transcript))])
    return found


@pytest.fixture
def opened(claude: Claude) -> Claude:
    claude.prompt()
    claude.settled()
    return claude


def test_a_transcript_is_stored_turn_by_turn(opened: Claude) -> None:
    for n in (1, 2):
        with opened.transcript.open("a") as f:
            f.write(said(n, f"prompt {n}"))
        opened.stop(n)
        opened.settled(lambda s, n=n: s.counts.get("chunks") == n)  # type: ignore[misc]
    assert texts(opened) == ["prompt 1", "prompt 2"]


def test_secrets_do_not_reach_a_chunk(opened: Claude) -> None:
    key = "ghp_" + "a1B2" * 9
    opened.transcript.write_text(said(1, f"use {key}"))
    take(opened)
    assert texts(opened) == ["use [redacted: github-token]"]


def test_what_the_harness_wrote_is_left_out(opened: Claude) -> None:
    opened.transcript.write_text('{"type":"api-request","system":"…"}\n' + said(1, "x") + said(2, "y", isMeta=True))
    take(opened)
    assert texts(opened) == ["x"]


def test_nothing_is_stored_where_it_is_switched_off(opened: Claude) -> None:
    opened.transcript.write_text(said(1, "x"))
    take(opened, transcript="none")
    assert stored(opened) == []


def test_messages_alone_can_be_kept(opened: Claude) -> None:
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}}
    blocks = [{"type": "text", "text": "I will."}, call]
    answer = {"type": "assistant", "uuid": "a1", "timestamp": AT, "message": {"id": "m1", "content": blocks}}
    opened.transcript.write_text(said(1, "go") + json.dumps(answer) + "\n")
    take(opened, transcript="messages")
    found = [i for r in stored(opened) for i in transcripts.items_of("claude-code", r, Source("", ""))]
    assert [(i.kind, i.text) for i in found] == [("prompt", "go"), ("answer", "I will.")]
    assert "make" not in json.dumps(stored(opened))


IMAGE = "iVBORw0KGgo" + "A" * 5000


@pytest.mark.parametrize(("asked", "kept"), [("false", False), ("true", True)])
def test_images_are_dropped_unless_asked_for(opened: Claude, asked: str, kept: bool) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}
    opened.transcript.write_text(said(1, [{"type": "text", "text": "see"}, image]))
    take(opened, images=asked)
    text = json.dumps(stored(opened))
    assert (IMAGE in text) is kept and "see" in text
    assert kept or f"[image dropped: {len(IMAGE)} characters]" in text


def test_a_subagents_transcript_is_its_own(opened: Claude) -> None:
    folder = opened.transcript.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    opened.transcript.write_text(said(1, "main"))
    (folder / "agent-a01.jsonl").write_text(said(2, "sub"))
    opened.stop()
    opened.settled(lambda s: s.counts.get("chunks") == 2)
    assert texts(opened) == ["main"]
    assert [r["message"]["content"] for r in stored(opened, "a01")] == ["sub"]


def test_no_chunk_and_no_record_is_large(opened: Claude) -> None:
    lines = [said(n, "word " * 2000) for n in range(150)]
    opened.transcript.write_text("".join(lines) + said(1000, "x" * 5_000_000))
    take(opened)
    store = opened.store()
    store.drain(opened.id)
    sizes = [e.data["bytes"] for e in store.history(opened.id, kinds=("transcript",))]
    assert len(sizes) > 1 and max(sizes) < 1_000_000
    last = stored(opened)[-1]["message"]["content"]
    assert last.endswith(" characters]") and len(last) < transcripts.RECORD


def test_a_record_of_many_texts_is_cut_until_it_fits() -> None:
    record = {f"k{n}": "y" * 100_000 for n in range(50)}
    line = transcripts.line(record, lambda v: v)
    assert len(line) < transcripts.RECORD and json.loads(line)["k49"].startswith("yyyy")
    assert b"agent-session-cut" in transcripts.line({f"k{n}": 1 for n in range(100_000)}, lambda v: v)


def test_memory_stays_flat(opened: Claude) -> None:
    with opened.transcript.open("w") as f:
        for n in range(3000):
            f.write(said(n, "word " * 1000))
    tracemalloc.start()
    take(opened)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened.transcript.stat().st_size > 14_000_000
    assert peak < 12_000_000
    assert opened.session().counts["chunks"] > 20


def test_a_lost_memory_repeats_no_chunk(opened: Claude) -> None:
    opened.transcript.write_text(said(1, "x"))
    take(opened)
    before = opened.session().counts["chunks"]
    (opened.shared / "capture" / f"{opened.id}.json").unlink()
    take(opened)
    assert opened.session().counts["chunks"] == before == 1


def test_an_interrupt_and_an_error_become_events(opened: Claude) -> None:
    message = {"role": "assistant", "content": [{"type": "text", "text": "Overloaded"}]}
    error = {"type": "assistant", "uuid": "e1", "timestamp": AT, "isApiErrorMessage": True, "message": message}
    opened.transcript.write_text(said(1, "[Request interrupted by user]") + json.dumps(error) + "\n")
    for _ in range(2):
        take(opened)
    found = [(e.kind, e.data.get("text")) for e in opened.store().history(opened.id, kinds=("interrupt", "error"))]
    assert found == [("interrupt", None), ("error", "Overloaded")]


def test_a_fork_does_not_store_the_copy_again(claude: Claude) -> None:
    claude.call("SessionStart", source="fork")
    claude.settled()
    old = json.loads(said(1, "before"))
    old["timestamp"] = "2020-01-01T00:00:00.000Z"
    claude.transcript.write_text(json.dumps(old) + "\n" + said(2, "after"))
    take(claude)
    assert texts(claude) == ["after"]


def test_cost_is_labelled_and_what_has_no_price_is_named(opened: Claude) -> None:
    def answer(n: int, model: str) -> str:
        message = {"id": f"m{n}", "model": model, "usage": {"input_tokens": 1000, "output_tokens": 1000}}
        return json.dumps({"type": "assistant", "requestId": "r", "timestamp": AT, "message": message}) + "\n"

    opened.transcript.write_text(answer(1, "claude-sonnet-4-5") + answer(2, "nobody-knows-it"))
    take(opened)
    doc = opened.session().to_dict()
    assert doc["cost"]["by"].startswith("genai-prices ") and doc["cost"]["unpriced"] == ["nobody-knows-it"]
    assert doc["usage"]["cost_usd"] == pytest.approx(0.018)
    by_model = {e.data.get("model"): e.data for e in opened.store().history(opened.id, kinds=("usage",))}
    assert by_model["nobody-knows-it"]["output_tokens"] == 1000
    with opened.transcript.open("a") as f:
        f.write(json.dumps({"type": "cost-state", "totalCostUSD": 0.5, "startTime": 1}) + "\n")
    take(opened)
    doc = opened.session().to_dict()
    assert (doc["usage"]["cost_usd"], doc["cost"]) == (0.5, {"by": "agent", "unpriced": []})


def test_a_shrunk_transcript_is_read_anew(opened: Claude) -> None:
    opened.transcript.write_text(said(1, "one") + said(2, "two"))
    take(opened)
    opened.transcript.write_text(said(3, "three"))
    take(opened)
    assert texts(opened) == ["one", "two", "three"]
