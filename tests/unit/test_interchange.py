"""What comes from other tools, whoever wrote it: read within bounds, or refused with an error of ours."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session import ids
from git_agent_session.errors import UsageError
from git_agent_session.git.repository import Repository
from git_agent_session.ids import timestamp
from git_agent_session.interchange import Place, agent_trace, git_ai, names, otlp, otlp_read, outside
from git_agent_session.interchange.arrivals import MOST_EVENTS, Arrival, keep
from git_agent_session.interchange.otlp_http import Endpoint
from git_agent_session.interchange.outside import Unreadable
from git_agent_session.model import Agent
from tests.harness import Repo

KEYS = (
    *("version", "id", "timestamp", "vcs", "type", "revision", "tool", "name", "files", "path", "conversations", "url"),
    *("contributor", "model_id", "ranges", "start_line", "end_line", "metadata", "git-agent-session", "session"),
    *("resourceSpans", "resource", "attributes", "key", "value", "stringValue", "intValue", "doubleValue"),
    *("kvlistValue", "arrayValue", "values", "scopeSpans", "spans", "traceId", "spanId", "startTimeUnixNano"),
    *("schema_version", "prompts", "sessions", "humans", "agent_id", "custom_attributes", "role", "parts", "content"),
)
VALUES = (
    *("git", "ai", "0.1.0", "authorship/3.0.0", "a" * 40, "2026-01-25T10:00:00Z", "src/a.py", "chat", "user", "text"),
    *("gen_ai.operation.name", "gen_ai.input.messages", "invoke_agent", "execute_tool", "s_c9883b05a2487d"),
    *("gen_ai.usage.input_tokens", "gen_ai.tool.call.arguments", "git_agent_session.id", "1544712660000000000"),
    "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e01",
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(VALUES)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=10,
)


def shaped(**keys: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(keys) | JSON


RANGE = shaped(start_line=JSON, end_line=JSON)
CONVERSATION = shaped(url=SCALARS, contributor=JSON, ranges=st.lists(RANGE, max_size=3))
RECORDS = shaped(
    id=SCALARS,
    timestamp=SCALARS,
    vcs=JSON,
    tool=JSON,
    metadata=JSON,
    files=st.lists(shaped(path=SCALARS, conversations=st.lists(CONVERSATION, max_size=2)), max_size=2),
)
VALUE = shaped(stringValue=SCALARS) | shaped(intValue=SCALARS) | shaped(doubleValue=SCALARS) | JSON
ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": st.sampled_from(VALUES), "value": VALUE}), max_size=6)
SPAN = shaped(
    traceId=SCALARS,
    spanId=st.text(min_size=1, max_size=16),
    startTimeUnixNano=SCALARS,
    endTimeUnixNano=SCALARS,
    attributes=ATTRIBUTES,
    events=JSON,
    status=JSON,
)
TRACES = shaped(
    resourceSpans=st.lists(
        shaped(scopeSpans=st.lists(shaped(spans=st.lists(SPAN, max_size=3)), max_size=1)), max_size=1
    )
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repo = Repo.init(tmp_path_factory.mktemp("project") / "repo")
    repo.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "x")
    return Repository.find(str(repo.path))


# -- hostile input


def test_null_is_nothing_and_no_text() -> None:
    assert outside.value('{"user": null, "agent": {"model": null, "name": "x"}}') == {"agent": {"name": "x"}}


def test_the_end_of_a_file_of_lines_is_read_without_its_cut_line() -> None:
    assert list(outside.documents(b'ersion": 1}\n{"a": 1}\n{"b": 2}\n')) == [None, {"a": 1}, {"b": 2}]
    assert list(outside.documents(b'{\n"rows": [\n{"a": 1}\n]}\n')) == [{"rows": [{"a": 1}]}]
    with pytest.raises(Unreadable):
        list(outside.documents(b"no\njson\n"))


@settings(max_examples=40)
@given(st.lists(RECORDS, max_size=3))
def test_no_trace_record_does_harm(project: Repository, docs: list[Any]) -> None:
    try:
        found, _ = agent_trace.arrivals(project, "\n".join(map(json.dumps, docs)).encode())
    except Unreadable:
        return
    assert all(row.outcome != "failed" for row in keep(project, found, dry=True).rows)


@settings(max_examples=40)
@given(st.lists(TRACES, max_size=3))
def test_no_trace_of_spans_does_harm(project: Repository, docs: list[Any]) -> None:
    try:
        found, _ = otlp_read.arrivals(project, "\n".join(map(json.dumps, docs)).encode())
    except Unreadable:
        return
    assert all(row.outcome != "failed" for row in keep(project, found, dry=True).rows)


@given(st.text() | st.tuples(st.text(), JSON).map(lambda t: f"{t[0]}\n---\n{json.dumps(t[1])}"))
def test_no_note_does_harm(text: str) -> None:
    try:
        log = git_ai.parse(text)
    except Unreadable:
        return
    assert all(0 < first <= last for rows in log.files.values() for _, ranges in rows for first, last in ranges)


@given(st.binary())
def test_no_bytes_do_harm(project: Repository, data: bytes) -> None:
    for read in (agent_trace.arrivals, otlp_read.arrivals):
        try:
            read(project, data)
        except Unreadable:
            continue


@given(st.text())
def test_no_url_and_no_place_do_harm(text: str) -> None:
    for parse in (lambda: Endpoint.parse(text, {"OTEL_EXPORTER_OTLP_HEADERS": text}), lambda: Place.parse(text)):
        try:
            parse()
        except UsageError:
            continue


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, '{"a":' * 50_000, "NaN", "\ud800", ""])
def test_json_without_end_is_refused_or_bounded(text: str) -> None:
    try:
        found = outside.value(text)
    except Unreadable:
        return
    assert len(str(found)) < 5000


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "MAX_FILE", 100)
    (tmp_path / "large").write_bytes(b" " * 101)
    with pytest.raises(Unreadable, match="larger"):
        outside.read(str(tmp_path / "large"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreadable, match="no file"):
        outside.read(str(tmp_path / "pipe"))


def test_a_session_holds_so_many_events_and_no_more() -> None:
    arrival = Arrival(names.OTLP, "x", Agent("codex"))
    for n in range(MOST_EVENTS + 10):
        arrival.add(f"e{n}", "2026-01-25T10:00:00.000Z", "message", {"role": "user", "text": "x"})
    assert len(arrival.events) == MOST_EVENTS


# -- forms


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z /._-]{0,20}[a-z]", fullmatch=True).filter(lambda p: outside.path(p) == p),
        st.lists(st.tuples(st.integers(1, 9999), st.integers(0, 500)), min_size=1, max_size=5),
        max_size=4,
    )
)
def test_a_note_is_read_as_it_was_written(files: dict[str, list[tuple[int, int]]]) -> None:
    ranges = {p: sorted({(first, first + more) for first, more in spans}) for p, spans in files.items()}
    key = "s_c9883b05a2487d::t_9f8e7d6c5b4a32"
    log = git_ai.Log({p: [(key, r)] for p, r in ranges.items()}, {"schema_version": git_ai.SCHEMA})
    assert git_ai.parse(log.text()) == log


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("claude", "claude-code"),
        ("Claude Code", "claude-code"),
        ("Gemini CLI", "gemini"),
        ("Factory AI Droid", "droid"),
        ("Some New/Agent!", "some-new-agent"),
        ("", "unknown"),
        (None, "unknown"),
        ("---", "unknown"),
    ],
)
def test_an_agent_has_our_name_for_it(said: object, ours: str) -> None:
    assert names.agent_type(said) == ours


@pytest.mark.parametrize(
    ("agent", "model", "provider"),
    [
        (Agent("claude-code", "", "claude-opus-4-5"), "anthropic/claude-opus-4-5", "anthropic"),
        (Agent("codex", "", "gpt-5-codex"), "openai/gpt-5-codex", "openai"),
        (Agent("gemini", "", "gemini-3-pro"), "google/gemini-3-pro", "gcp.gemini"),
        (Agent("opencode", "", "openrouter/x"), "openrouter/x", "opencode"),
        (Agent("codex"), "", "openai"),
        (Agent("mine", "", "own-7b"), "own-7b", "mine"),
    ],
)
def test_a_model_has_its_makers_name(agent: Agent, model: str, provider: str) -> None:
    assert (names.model_id(agent), names.provider(agent)) == (model, provider)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-01-25T10:00:00Z", "2026-01-25T10:00:00.000Z"),
        ("2026-01-25T10:00:00.123456+02:00", "2026-01-25T08:00:00.123Z"),
        ("2026-01-25", "2026-01-25T00:00:00.000Z"),
        ("0001-01-01T00:00:00+14:00", ""),
        ("1969-12-31T23:59:59Z", ""),
        ("yesterday", ""),
        (5, ""),
    ],
)
def test_a_time_is_that_of_events(said: object, at: str) -> None:
    assert ids.moment(said) == at


@given(st.integers(0, 253_402_300_799_999))
def test_nanoseconds_are_those_of_the_moment(ms: int) -> None:
    assert otlp.nanoseconds(timestamp(ms * 1_000_000)) == str(ms * 1_000_000)
