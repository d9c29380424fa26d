"""Reading a session's transcript: `history --transcript`, `show --full`, and what can be wrong with a stored one."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from git_agent_session.agents import registry, transcripts
from git_agent_session.agents.protocol import Source
from git_agent_session.report.timeline import KINDS, Timeline
from git_agent_session.store import transcript
from tests.e2e.cli import Cli
from tests.e2e.kept import Kept, answer, at, call, prompt, record, result, thinking
from tests.harness import ROOT, Repo

EVIL = "a \x1b[31mred\x1b]0;owned\x07 \u202egnirts\u2066 \x9b2J \ud800 <b>"


@pytest.fixture
def kept(repo: Repo) -> Kept:
    repo.commit("one")
    return Kept(repo)


@pytest.fixture
def cli(kept: Kept) -> Cli:
    return Cli(kept.repo)


def said(kept: Kept, **how: object) -> list[tuple[str, str]]:
    timeline = Timeline(kept.store, kept.store.get(kept.id), kept.store.history(kept.id), **how)  # type: ignore[arg-type]
    return [(e.kind, e.text or e.name) for e in timeline.entries()]


def test_a_conversation_is_shown_as_it_went(kept: Kept, cli: Cli) -> None:
    kept.chunk(
        prompt(1, "Limit the logins\n\nto five"),
        thinking(2, "Where are they?"),
        call(3, "Bash", {"command": "grep login"}),
        result(4, "t3", "login.py:1\nlogin.py:2"),
    )
    kept.chunk(answer(5, "Done."), record("user", 6, "[Request interrupted by user]"))
    out = cli("history", "--transcript", kept.id[:8]).out
    assert out.splitlines() == [
        "Prompt  Thu Jan 1 10:00:01 2099 +0000",
        "    Limit the logins",
        "",
        "    to five",
        "",
        "Thinking  Thu Jan 1 10:00:02 2099 +0000",
        "    Where are they?",
        "",
        "Tool Bash  Thu Jan 1 10:00:03 2099 +0000",
        "    grep login",
        "  | login.py:1",
        "  | login.py:2",
        "",
        "Answer  Thu Jan 1 10:00:05 2099 +0000",
        "    Done.",
        "",
        "Interrupted  Thu Jan 1 10:00:06 2099 +0000",
    ]


def test_a_long_output_is_cut_unless_all_is_asked_for(kept: Kept, cli: Cli) -> None:
    kept.chunk(call(1, "Bash", {"command": "seq 50"}), result(2, "t1", "\n".join(f"line {n}" for n in range(50))))
    out = cli("history", "--transcript").out
    assert "line 19\n" in out and "line 20" not in out and "… 30 more lines" in out
    assert "  | line 49\n" in cli("history", "--transcript", "--full").out


def test_a_result_that_does_not_follow_its_call_says_whose_it_is(kept: Kept, cli: Cli) -> None:
    kept.chunk(call(1, "Read", {"file_path": "a"}), call(2, "Grep", {"pattern": "b"}))
    kept.chunk(result(3, "t1", "of a", failed=True), result(4, "t2", "of b"))
    lines = cli("history", "--transcript").out.splitlines()
    first, second = lines.index("  | of a"), lines.index("  | of b")
    assert lines[first - 2].startswith("Result Read ") and lines[first - 1] == "  = error"
    assert lines[second - 1].startswith("Result Grep ")


def test_a_subagents_transcript_stands_where_it_began(kept: Kept, cli: Cli) -> None:
    kept.store.append(kept.id, "agent", {"action": "start", "agent_id": "a01", "type": "Explore"})
    kept.chunk(prompt(1, "main one"), call(2, "Task", {"prompt": "look"}), result(9, "t2", "found"), answer(10, "end"))
    kept.chunk(prompt(3, "look"), answer(4, "found"), source="a01", first=at(3))
    rows = cli("history", "--transcript", "--json").json
    order = [(r.get("source", ""), r["kind"]) for r in rows]
    assert order == [
        *[("", "prompt"), ("", "call")],
        *[("a01", "prompt"), ("a01", "answer")],
        *[("", "result"), ("", "answer")],
    ]
    assert {r["agent"] for r in rows if "source" in r} == {"Explore"}
    out = cli("history", "--transcript").out
    assert "\n  Subagent Explore (a01)\n\n    Prompt  " in out and "\n        look\n" in out


def test_a_subagent_that_says_no_time_comes_last(kept: Kept) -> None:
    kept.chunk(prompt(3, "sub"), source="a02")
    kept.chunk(prompt(1, "one"), prompt(2, "two"))
    assert [text for _, text in said(kept)] == ["one", "two", "sub"]


def test_what_was_stored_twice_comes_once_as_it_was_last(kept: Kept) -> None:
    kept.chunk(prompt(1, "one"), answer(2, "half an ans"), prompt(3, "three"))
    kept.chunk(answer(2, "half an answer, and"), prompt(3, "three"), prompt(4, "four"))
    kept.chunk(answer(2, "the whole answer"))
    assert [text for _, text in said(kept)] == ["one", "the whole answer", "three", "four"]


def test_the_same_id_in_a_subagent_is_another_item(kept: Kept) -> None:
    kept.chunk(prompt(1, "mine"))
    kept.chunk(prompt(1, "its"), source="a01")
    assert [text for _, text in said(kept)] == ["mine", "its"]


def test_items_without_id_and_time_are_never_taken_for_one(kept: Kept) -> None:
    plain = {"type": "agent-session-item", "items": [{"kind": "answer", "text": "ok"}]}
    kept.chunk(*[json.dumps(plain) + "\n"] * 2)
    assert said(kept) == [("answer", "ok"), ("answer", "ok")]


def test_limit_and_type_choose(kept: Kept, cli: Cli) -> None:
    kept.chunk(prompt(1, "one"), answer(2, "two"), prompt(3, "three"), answer(4, "four"))
    kept.chunk(answer(2, "two"), answer(5, "five"))
    rows = cli("history", "--transcript", "--json", "--type", "answer", "-n", "2").json
    assert [r["text"] for r in rows] == ["four", "five"]
    assert [text for _, text in said(kept, limit=1)] == ["five"]
    assert said(kept, limit=0) == []


def test_what_makes_no_sense_with_a_transcript_is_refused(kept: Kept, cli: Cli) -> None:
    assert "--limit" in cli.fails("history", "--transcript", "--reverse", code=2)
    assert "prompt, answer" in cli.fails("history", "--transcript", "--type", "start", code=2)
    assert "--transcript" in cli.fails("history", "--full", code=2)
    assert "export --format json" in cli("show", "--full", "--json", code=2).err


def test_a_session_without_a_transcript_says_so(kept: Kept, cli: Cli) -> None:
    done = cli("history", "--transcript")
    assert done.out == "" and "has no transcript" in done.err
    assert cli("history", "--transcript", "--json").json == []


def test_every_item_has_the_documented_keys(kept: Kept, cli: Cli) -> None:
    kept.chunk(prompt(1, "x"), call(2, "Bash", {"command": "y"}), result(3, "t2", "z"), answer(4, "w"))
    kept.chunk(prompt(5, "s"), source="a01")
    rows = cli("history", "--transcript", "--json").json
    allowed = {"kind", "id", "at", "text", "name", "input", "outcome", "duration_ms", "source", "agent"}
    assert all(set(r) <= allowed and r["kind"] in KINDS for r in rows)
    assert rows[1]["input"] == {"command": "y"} and (rows[2]["name"], rows[2]["outcome"]) == ("Bash", "ok")


TRANSCRIPTS = {
    "claude-code": "claude/transcript.jsonl",
    "codex": "codex/rollout.jsonl",
    "gemini": "gemini/chat.jsonl",
    "copilot": "copilot/events.jsonl",
    "droid": "droid/session.jsonl",
    "cursor": "cursor/transcript.jsonl",
    "pi": "pi/session.jsonl",
}


@pytest.mark.parametrize("agent", TRANSCRIPTS)
def test_every_agents_transcript_reads_alike_and_once(kept: Kept, agent: str) -> None:
    module = registry.load(agent)
    source = Source("", str(ROOT / "tests/fixtures" / TRANSCRIPTS[agent]))
    records = [r for r, _ in transcripts.reader(module)(source, None) if r is not None]
    stored = [transcripts.stored(module, r, source, transcripts.FULL) for r in records]  # type: ignore[arg-type]
    lines = [json.dumps(r) + "\n" for r in stored if r is not None]
    kept.store.append(kept.id, "start", {"agent": {"type": agent}})
    kept.chunk(*lines)
    once = said(kept)
    # as after a lost memory
    kept.chunk(*lines[len(lines) // 2 :])
    assert said(kept) == once
    assert {"prompt", "answer", "call"} <= {kind for kind, _ in once}


# -- show


def test_show_says_what_was_used_to_the_token(kept: Kept, cli: Cli) -> None:
    kept.store.append(
        kept.id,
        "usage",
        {"cost_usd": 0.1234, "by": "genai-prices 0.2.3 (2026-11-04)", "unpriced": ["m1"]},
    )
    kept.store.append(
        kept.id,
        "usage",
        {"input_tokens": 12340, "output_tokens": 2100, "cache_read_tokens": 88000, "reasoning_tokens": 50},
    )
    out = cli("show").out
    assert "Tokens:    12,340 in, 2,100 out, 88,000 cache read, 50 of the output reasoning\n" in out
    assert "Cost:      $0.1234 (genai-prices 0.2.3 (2026-11-04)); no price is known for m1\n" in out


def test_show_says_where_no_cost_is_known(kept: Kept, cli: Cli) -> None:
    kept.store.append(kept.id, "usage", {"output_tokens": 5, "unpriced": ["m1", "m2"]})
    out = cli("show").out
    assert "Cost:      no price is known for m1, m2\n" in out and "$" not in out


def test_show_in_full_has_all_events_and_the_transcript(kept: Kept, cli: Cli) -> None:
    for n in range(15):
        kept.store.append(kept.id, "tool", {"name": "Bash", "summary": f"make {n}", "outcome": "ok"})
    kept.chunk(prompt(1, "Limit it"), call(2, "Bash", {"command": "x"}), result(3, "t2", "\n".join("abcdefg" * 5)))
    out = cli("show", "--full").out
    assert "make 0" in out and "make 14" in out and "Events:" in out
    head, _, below = out.partition("\nTranscript:\n\n")
    assert "Goal" not in below and below.startswith("  Prompt  ") and "more lines" not in below
    assert "make 0" in head and "make 0" not in cli("show").out


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("transcript", {"records": 3, "bytes": 4400, "source": "a01"}, "3 records, 4.4kB, of subagent a01"),
        ("usage", {"output_tokens": 5, "model": "m1", "unpriced": ["m1"]}, "no price is known for m1"),
        ("usage", {"cost_usd": 0.5, "by": "agent"}, "cost by agent"),
        ("interrupt", {}, "interrupt"),
    ],
)
def test_history_knows_the_kinds_that_agents_leave(
    kept: Kept, cli: Cli, kind: str, data: dict[str, object], shown: str
) -> None:
    kept.store.append(kept.id, kind, data)
    assert shown in cli("history", "--type", kind).out


# -- what somebody else may have pushed


def test_nothing_of_a_hostile_text_steers_the_terminal(kept: Kept, cli: Cli) -> None:
    kept.store.append(kept.id, "agent", {"action": "start", "agent_id": EVIL[:50], "type": EVIL})
    kept.chunk(prompt(1, EVIL), answer(2, EVIL), thinking(3, EVIL), call(4, EVIL, {EVIL: EVIL, "x": [EVIL]}, "t4"))
    kept.chunk(result(5, "t4", EVIL), result(6, EVIL, EVIL))
    kept.chunk(prompt(7, EVIL), source=EVIL[:50])
    for args in (["history", "--transcript"], ["show", "--full"], ["history", "--transcript", "--json"]):
        out = cli(*args).out
        assert "red" in out
        assert not {c for c in out if c != "\n" and not c.isprintable()}, args


def test_lines_that_are_broken_are_passed_over_and_said(kept: Kept, cli: Cli) -> None:
    deep = '{"type":"user","uuid":"d","message":' + "[" * 100_000 + "]" * 100_000 + "}\n"
    kept.chunk(prompt(1, "before"), "{not json\n", "[]\n", b"\xff\xfe\n", deep, "\n", prompt(2, "after"))
    done = cli("history", "--transcript")
    assert "before" in done.out and "after" in done.out
    assert "has 4 lines that cannot be read" in done.err and done.err.count("warning: ") == 1


def test_records_that_are_not_what_an_agent_writes_do_no_harm(kept: Kept) -> None:
    odd = [
        {"type": "user", "uuid": 5, "timestamp": [], "message": {"role": "user", "content": "odd id"}},
        {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": {}, "name": [], "input": "x"}]}},
        {"type": "agent-session-item", "items": [5, {"kind": "answer", "text": 7}, {"kind": "nonsense", "text": "x"}]},
        {"type": "agent-session-item", "items": [{"kind": "result", "duration_ms": -5, "outcome": "great"}]},
        {"type": "user", "message": 12},
    ]
    kept.chunk(*[json.dumps(doc) + "\n" for doc in odd], prompt(1, "fine"))
    timeline = Timeline(kept.store, kept.store.get(kept.id))
    rows = [e.to_dict() for e in timeline.entries()]
    assert rows[0]["text"] == "odd id" and rows[-1]["text"] == "fine"
    assert {"kind": "result"} in rows and not [r for r in rows if r["kind"] not in KINDS]


def test_a_chunk_that_is_not_there_is_reported_and_the_others_are_shown(kept: Kept, cli: Cli) -> None:
    kept.chunk(prompt(1, "before"))
    gone = kept.chunk(prompt(2, "lost"), lost=True)
    kept.chunk(prompt(3, "after"))
    done = cli("history", "--transcript")
    assert "before" in done.out and "after" in done.out and "lost" not in done.out
    assert f"transcript/{gone.id}.jsonl cannot be read: it is not there" in done.err
    assert [data for _, data in transcript.chunks(kept.store, kept.id)] == [
        prompt(1, "before").encode(),
        prompt(3, "after").encode(),
    ]


def test_a_chunk_without_bounds_is_not_read(kept: Kept, cli: Cli) -> None:
    kept.chunk(prompt(1, "x" * (transcript.MAX_CHUNK + 1)))
    kept.chunk(prompt(2, "after"))
    done = cli("history", "--transcript")
    assert len(done.out) < 200 and "after" in done.out and "more than" in done.err


def test_a_line_of_five_megabytes_is_shown_short(kept: Kept, cli: Cli) -> None:
    kept.chunk(call(1, "Bash", {"command": "x"}), result(2, "t1", "y" * 5_000_000))
    assert "… (5,000,000 characters)" in cli("history", "--transcript").out
    assert len(cli("history", "--transcript", "--full").out) > 5_000_000


def test_an_unknown_agents_transcript_shows_what_is_in_our_own_terms(repo: Repo) -> None:
    repo.commit("one")
    kept = Kept(repo)
    kept.store.append(kept.id, "start", {"agent": {"type": "nobody-knows-it"}})
    kept.chunk(prompt(1, "x"), json.dumps({"type": "agent-session-item", "items": [{"kind": "prompt", "text": "p"}]}))
    assert said(kept) == [("prompt", "p")]


@pytest.mark.large
def test_memory_does_not_grow_with_the_transcript(kept: Kept) -> None:
    for part in range(30):
        kept.chunk(*[answer(part * 100 + n, "word " * 1000) for n in range(100)])
    timeline = Timeline(kept.store, kept.store.get(kept.id))
    tracemalloc.start()
    total = sum(len(e.text) for e in timeline.entries())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 15_000_000
    assert peak < 4_000_000


@pytest.mark.large
def test_memory_does_not_grow_with_what_was_said_anew(kept: Kept) -> None:
    for word in ("word ", "Word "):
        for part in range(12):
            kept.chunk(*[answer(part * 100 + n, word * 1000) for n in range(100)])
    timeline = Timeline(kept.store, kept.store.get(kept.id))
    tracemalloc.start()
    total = sum(e.text.count("Word") for e in timeline.entries())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 1_200_000
    assert peak < 4_000_000
