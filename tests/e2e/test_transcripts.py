"""Transcripts that travel with their session: captured as they grow, once, without secrets, in small chunks."""

from __future__ import annotations

import errno
import json
import tracemalloc
from typing import Any

import pytest

from git_agent_session.agents import claude_code, transcripts
from git_agent_session.agents.protocol import Source
from git_agent_session.agents.reading import Reading
from git_agent_session.errors import StorageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.redact.engine import redact_value
from git_agent_session.store import drain as draining
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


@pytest.mark.large
def test_memory_stays_flat(opened: Claude) -> None:
    with opened.transcript.open("w") as f:
        for n in range(1500):
            f.write(said(n, "word " * 1000))
    tracemalloc.start()
    take(opened)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened.transcript.stat().st_size > 7_000_000
    assert peak < 6_000_000, peak
    assert opened.session().counts["chunks"] > 10


def test_a_lost_memory_repeats_no_record(opened: Claude) -> None:
    for n in (1, 2):
        with opened.transcript.open("a") as f:
            f.write(said(n, f"prompt {n}"))
        take(opened)
    (opened.shared / "capture" / f"{opened.id}.json").unlink()
    with opened.transcript.open("a") as f:
        f.write(said(3, "prompt 3"))
    take(opened)
    assert texts(opened) == ["prompt 1", "prompt 2", "prompt 3"]


def test_one_file_that_shrank_is_no_reason_to_store_the_others_again(opened: Claude) -> None:
    folder = opened.transcript.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    opened.transcript.write_text(said(1, "main"))
    (folder / "agent-a01.jsonl").write_text(said(2, "sub") + said(3, "sub again"))
    opened.stop(1)
    opened.settled(lambda s: s.counts.get("chunks") == 2)
    (folder / "agent-a01.jsonl").write_text(said(4, "another"))
    opened.stop(2)
    opened.settled(lambda s: s.counts.get("chunks") == 3)
    assert texts(opened) == ["main"]


def test_a_transcript_that_another_one_replaced_is_read_from_its_start(opened: Claude) -> None:
    opened.transcript.write_text(said(1, "one"))
    take(opened)
    opened.transcript.write_text(said(2, "another one that is longer") + said(3, "x"))
    take(opened)
    assert texts(opened) == ["one", "another one that is longer", "x"]


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


KEY = "ghp_" + "a1B2" * 9


def test_a_secret_that_a_title_would_cut_is_taken_out_whole(claude: Claude) -> None:
    claude.prompt("word " * 20 + KEY)
    assert "ghp_" not in claude.settled().title and "[redacted: github-" in claude.session().title
    assert len(claude.session().title) <= 120


def test_no_field_of_a_record_or_a_call_carries_a_secret_into_git(opened: Claude) -> None:
    folder = opened.transcript.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    (folder / f"agent-{KEY}.jsonl").write_text(said(2, "sub"))
    message = {"id": KEY, "model": f"{KEY}m", "content": "x", "usage": {"output_tokens": 5, KEY: 1}}
    record = {"type": "assistant", "uuid": KEY, "requestId": KEY, "timestamp": KEY, "version": f"{KEY}v", KEY: KEY}
    opened.transcript.write_text(json.dumps({**record, "message": message}) + "\n")
    opened.call("SubagentStart", agent_id=KEY, agent_type=KEY, prompt_id=KEY)
    opened.call("PostToolUse", tool_name=KEY, tool_use_id=KEY, tool_input={"file_path": KEY}, agent_id=KEY)
    opened.call("SessionEnd", reason=KEY)
    opened.settled(lambda s: s.ended and s.counts.get("chunks") == 2)
    objects = opened.repo.git("rev-list", "--objects", "--no-object-names", SESSIONS + opened.id).split()
    held = [opened.repo.git("cat-file", "-p", o) for o in objects]
    assert not [text for text in held if "a1B2" in text]
    assert KEY not in opened.log()
    for folder_ in ("journal", "seen"):
        assert not [p for p in (opened.shared / folder_).iterdir() if KEY in p.read_text()]


# -- what cannot be written


def answered(n: int, text: str = "x") -> str:
    """A record with tokens, and one of an error that no hook speaks of."""
    message = {"id": f"m{n}", "content": text, "usage": {"output_tokens": 10}}
    answer = {"type": "assistant", "uuid": f"a{n}", "requestId": "r", "timestamp": AT, "message": message}
    error = {"type": "assistant", "uuid": f"e{n}", "timestamp": AT, "isApiErrorMessage": True}
    return f"{json.dumps(answer)}\n{json.dumps({**error, 'message': {'content': f'Overloaded {n}'}})}\n"


def assert_all_is_there_once(opened: Claude, turns: int) -> None:
    assert len(stored(opened)) == 2 * turns
    assert opened.session().usage["output_tokens"] == 10 * turns
    assert len(list(opened.store().history(opened.id, kinds=("error",)))) == turns


def test_a_full_disk_loses_no_chunk(opened: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.transcript.write_text(answered(1))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as m, pytest.raises(OSError, match="No space"):
        m.setattr(Reading, "_write", full)
        take(opened)
    take(opened)
    assert_all_is_there_once(opened, 1)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_batch_that_fails_loses_nothing_of_its_chunk(
    opened: Claude, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    opened.transcript.write_text("".join(answered(n, "word " * 25_000) for n in range(9)))
    drain, calls = draining.drain, []

    def fails_once(*args: Any, **kwargs: Any) -> str | None:
        calls.append(1)
        if len(calls) == failing:
            raise StorageError("the lock is held by another process")
        return drain(*args, **kwargs)

    with monkeypatch.context() as m, pytest.raises(StorageError):
        m.setattr(draining, "drain", fails_once)
        take(opened)
    take(opened)
    assert_all_is_there_once(opened, 9)


def test_a_memory_that_cannot_be_carried_out_is_not_lost(opened: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (1, 2):
        with opened.transcript.open("a") as f:
            f.write(answered(n))
        with monkeypatch.context() as m, pytest.raises(StorageError):
            m.setattr(draining, "drain", failing_drain)
            take(opened)
        with monkeypatch.context() as m, pytest.raises(OSError, match="No space"):
            m.setattr(Reading, "_save", full_save)
            reading(opened)
        take(opened)
    assert_all_is_there_once(opened, 2)


def failing_drain(*_: object) -> None:
    raise StorageError("the lock is held by another process")


def full_save(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
