"""What the reports say, given plain data: short ids, counts, events of every kind, JSON that is safe to print."""

from __future__ import annotations

import json

import pytest

from git_agent_session import term
from git_agent_session.model import Event, Link
from git_agent_session.report import view as words
from git_agent_session.report.events import describe
from git_agent_session.report.rows import commit_row, dump
from git_agent_session.report.view import View, abbreviations

AT = "2026-01-01T00:00:00.000Z"


def test_ids_are_short_unless_they_would_be_ambiguous() -> None:
    a, b, c = "11111111-aaaa-4000-8000-000000000000", "22222222-aaaa-4000-8000-000000000000", ""
    c = b[:9] + "b" + b[10:]
    assert abbreviations([a, b, c]) == {a: "11111111", b: "22222222-a", c: "22222222-b"}


def test_an_abbreviation_does_not_end_in_a_dash() -> None:
    a = "22222222-aaaa-4000-8000-000000000000"
    for short in abbreviations([a, "22222223-aaaa-4000-8000-000000000000"]).values():
        assert not short.endswith("-")


def test_lists_break_after_commas() -> None:
    assert words.wrapped("3 commits, 12 messages, 1 error", 24) == ["3 commits, 12 messages,", "1 error"]
    assert words.wrapped("3 commits, 12 messages", 0) == ["3 commits, 12 messages"]


def test_counts_and_usage_leave_out_what_is_not_there() -> None:
    assert words.counts({"events": 9, "commits": 1, "tools": 0, "x_new": 2}) == "1 commit, 2 x_new"
    assert words.usage({}) == ""
    assert words.usage({"cost_usd": 0.5}) == "cost: $0.50"
    view = View(term.Palette({}, isatty=False, env={}))
    assert words.recorded(view, {}, {}) == []


@pytest.mark.parametrize(
    ("kind", "data", "wanted"),
    [
        ("start", {"goal": "g"}, "g"),
        ("end", {"status": "failed", "message": "m"}, "failed: m"),
        ("pause", {}, ""),
        ("set", {"goal": "g", "meta": {"a": 1}}, "goal=g, meta=a=1"),
        ("tag", {"add": ["a"], "remove": ["b"]}, "+a -b"),
        ("message", {"role": "user", "text": "hi\nthere"}, "user: hi there"),
        ("tool", {"name": "Bash", "summary": "ls", "outcome": "ok"}, "Bash ls"),
        (
            "tool",
            {"name": "Read", "paths": ["a", "b"], "outcome": "error", "duration_ms": 1500},
            "Read a, b (error) in 1.5s",
        ),
        ("context", {"type": "initial", "file_count": 1, "token_estimate": 1200}, "initial, 1 file, about 1.2k tokens"),
        ("metric", {"name": "m", "value": 0.5}, "m = 0.5"),
        ("usage", {"input_tokens": 5}, "tokens: 5 in"),
        ("model", {"model": "m", "version": "2"}, "m 2"),
        ("agent", {"action": "start", "type": "Explore", "agent_id": "1"}, "start Explore"),
        ("compact", {"trigger": "auto", "summary": "s"}, "auto"),
        ("error", {"message": "m"}, "m"),
        ("commit", {"commit": "a" * 40, "via": "env"}, "aaaaaaaaaa S (env)"),
        ("rewrite", {"old": "a" * 40, "new": "b" * 40}, "aaaaaaaaaa is now bbbbbbbbbb S"),
        ("x-new", {"a": [1, True], "b": {"c": "d"}}, "a=1, true, b=c=d"),
        ("tool", {"name": ["odd"], "paths": 3, "duration_ms": "x"}, "odd 3"),
        ("tag", {"add": "odd"}, ""),
        ("context", {"type": 3, "file_count": "x"}, "3"),
    ],
)
def test_every_kind_of_event_reads_as_one_line(kind: str, data: dict[str, object], wanted: str) -> None:
    assert describe(Event("e", AT, kind, data), lambda commit: "S") == wanted


def test_json_has_no_character_that_a_terminal_obeys() -> None:
    text = "\x1b\x7f\x9b\u2028\u202e\ud800é"
    out = dump({"k": text})
    assert out == '{\n  "k": "\\u001b\\u007f\\u009b\\u2028\\u202e\\ud800é"\n}\n'
    assert json.loads(out) == {"k": text}
    assert dump("é", ascii_only=True) == '"\\u00e9"\n'


def test_a_row_leaves_out_what_is_not_known() -> None:
    assert commit_row("s", Link("c", "env", ""), lambda commit: {}).to_dict() == {
        "session": "s",
        "commit": "c",
        "via": "env",
    }


def test_a_moment_that_is_none_is_shown_as_it_is() -> None:
    assert words.local_time("not\x07 a time") == "not a time"


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (
            [{"path": "a", "agent": "1-3@1 7", "human": "9"}, {"path": "b", "mixed": "2-2@4"}],
            "4 agent, 1 mixed, 1 human",
        ),
        ([], "nothing is known of its lines"),
        (["x", {"agent": ["1"]}, {"agent": "9-1 x-2 1-x 1-99999999999"}], "nothing is known of its lines"),
        (7, "nothing is known of its lines"),
    ],
)
def test_an_event_about_lines_says_how_many_are_whose(files: object, text: str) -> None:
    event = Event("e", AT, "lines", {"commit": "ab" * 20, "files": files})
    assert describe(event, lambda commit: "Subject") == f"ababababab Subject: {text}"


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.5, "$0.50"), (0.0042, "$0.0042"), (0.00001, "<$0.0001"), (1234.5, "$1,234.50")],
)
def test_little_money_does_not_look_like_none(amount: float, text: str) -> None:
    assert words.usd(amount) == text


@pytest.mark.parametrize(("amount", "text"), [(-37.8, "-$37.80"), (-0.0042, "-$0.0042"), (-0.0, "$0.00")])
def test_a_cost_that_was_set_lower_does_not_look_like_little(amount: float, text: str) -> None:
    assert words.usd(amount) == text
