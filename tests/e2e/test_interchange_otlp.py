"""OpenTelemetry: spans that OTLP's own protobuf takes, a real server that gets them, and spans read back."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from git_agent_session import interchange
from git_agent_session.agents.importing_report import Report
from git_agent_session.errors import UsageError
from git_agent_session.hooks import installer
from git_agent_session.interchange import Place, otlp_http
from git_agent_session.interchange.otlp_http import Endpoint, NotSent
from git_agent_session.model import Agent
from tests.e2e.cli import Cli
from tests.e2e.interchanging import SECRET, clone, opened
from tests.harness import Repo

# the first line of the examples of OTLP (opentelemetry-proto, examples/trace.json, Apache 2.0) with the values of
# "Simple chat completion" of the GenAI conventions (non-normative/examples-llm-calls.md, Apache 2.0)
CHAT = {
    "gen_ai.provider.name": "openai",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.usage.output_tokens": 47,
    "gen_ai.usage.input_tokens": 52,
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "system", "parts": [{"type": "text", "content": "You are a helpful bot"}]},
            {"role": "user", "parts": [{"type": "text", "content": "Tell me a joke about OpenTelemetry"}]},
        ]
    ),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "It traces the fun!"}], "finish_reason": "stop"}]
    ),
}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def worked(repo: Repo) -> str:
    """A session with two turns, tools, a subagent, tokens and a commit."""
    installer.install(str(repo.path))
    repo.commit("init")
    store = opened(repo)
    session = store.start(goal="Limit rates", agent="codex").id
    store.append(session, "model", {"model": "gpt-5-codex", "version": "0.9"})
    store.append(session, "message", {"role": "user", "text": "Add a limiter"})
    store.append(session, "tool", {"name": "shell", "summary": "make", "duration_ms": 1500, "outcome": "ok"})
    store.append(session, "agent", {"action": "start", "agent_id": "sub1", "type": "reviewer"})
    store.append(session, "tool", {"name": "grep", "duration_ms": 3, "outcome": "error", "agent_id": "sub1"})
    store.append(session, "agent", {"action": "stop", "agent_id": "sub1", "type": "reviewer"})
    store.append(session, "message", {"role": "assistant", "text": "Added."})
    store.append(session, "message", {"role": "user", "text": "go on"})
    store.append(session, "message", {"role": "user", "text": "go on"})
    tokens = {"input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 300, "cache_write_tokens": 40}
    store.usage(session, **tokens, cost_usd=0.25)
    repo.commit("limit", files={"f": "1\n"}, env={"GIT_AGENT_SESSION": session})
    store.end(session)
    return session


def strict(doc: Any) -> ExportTraceServiceRequest:
    """The request as protobuf: fields that OTLP has not are an error. Its JSON has ids in hex (OTLP, JSON encoding)."""

    def ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId") else ids(v)
                for k, v in value.items()
            }
        return [ids(v) for v in value] if isinstance(value, list) else value

    found: ExportTraceServiceRequest = json_format.ParseDict(ids(doc), ExportTraceServiceRequest())
    return found


def documents(repo: Repo, *, content: bool = False) -> list[Any]:
    store = opened(repo)
    place = Place("otlp", "x")
    return [json.loads(p) for p in interchange.pieces(store, place, store.list(), content=content)]


def spans(repo: Repo, *, content: bool = False) -> list[dict[str, Any]]:
    """The spans by protobuf, their attributes as plain values."""
    found = []
    for doc in documents(repo, content=content):
        for resource in strict(doc).resource_spans:
            for span in resource.scope_spans[0].spans:
                values = {a.key: getattr(a.value, a.value.WhichOneof("value") or "") for a in span.attributes}
                found.append({"span": span, "name": span.name, **values})
    return found


# -- out


def test_a_session_is_a_trace_of_the_conventions_spans(repo: Repo, worked: str) -> None:
    found = spans(repo)
    names = ["invoke_agent codex", *["chat gpt-5-codex"] * 3, "execute_tool shell", "execute_tool grep"]
    assert [s["name"] for s in found] == [*names, "invoke_agent reviewer"]
    for s in found:
        assert s["name"].split()[0] == s["gen_ai.operation.name"]
        assert (s["gen_ai.provider.name"], s["gen_ai.conversation.id"]) == ("openai", worked)
        assert s["span"].trace_id.hex() == worked.replace("-", "")
        assert 0 < s["span"].start_time_unix_nano <= s["span"].end_time_unix_nano
    assert len({s["span"].span_id for s in found}) == len(found)


def test_spans_lie_within_each_other(repo: Repo, worked: str) -> None:
    root, *inner = spans(repo)
    by_name = {s["name"]: s["span"] for s in inner}
    assert root["span"].parent_span_id == b""
    assert by_name["execute_tool grep"].parent_span_id == by_name["invoke_agent reviewer"].span_id
    others = [s["span"].parent_span_id for s in inner if s["name"] != "execute_tool grep"]
    assert set(others) == {root["span"].span_id}


def test_tokens_are_counted_as_the_conventions_say(repo: Repo, worked: str) -> None:
    root = spans(repo)[0]
    usage = {k.removeprefix("gen_ai.usage."): v for k, v in root.items() if k.startswith("gen_ai.usage.")}
    assert usage == {
        "input_tokens": 350,
        "output_tokens": 20,
        "cache_read.input_tokens": 300,
        "cache_creation.input_tokens": 40,
    }


def test_a_tool_has_its_duration_and_its_error(repo: Repo, worked: str) -> None:
    shell, grep = (s for s in spans(repo) if s["gen_ai.operation.name"] == "execute_tool")
    assert shell["span"].end_time_unix_nano - shell["span"].start_time_unix_nano == 1_500_000_000
    assert (shell["span"].status.code, grep["span"].status.code, grep["error.type"]) == (0, 2, "_OTHER")


def test_commits_are_events_of_the_root(repo: Repo, worked: str) -> None:
    root, *_ = spans(repo)
    [event] = root["span"].events
    assert (event.name, event.attributes[0].key) == ("git.commit", "vcs.ref.head.revision")
    assert event.attributes[0].value.string_value == repo.git("rev-parse", "HEAD")


def test_what_was_said_goes_out_only_where_asked_for(repo: Repo, worked: str) -> None:
    assert "limiter" not in json.dumps(documents(repo)) and "make" not in json.dumps(documents(repo))
    chat = spans(repo, content=True)[1]
    assert json.loads(chat["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Add a limiter"}]}
    ]
    [message] = json.loads(chat["gen_ai.output.messages"])
    assert message == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Added."}],
        "finish_reason": "stop",
    }


def test_enums_are_numbers_and_large_numbers_texts(repo: Repo, worked: str) -> None:
    [doc] = documents(repo)
    span = doc["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["kind"], type(span["startTimeUnixNano"])) == (1, str)
    assert (len(span["traceId"]), len(span["spanId"])) == (32, 16)
    values = {a["key"]: a["value"] for a in span["attributes"]}
    assert values["gen_ai.usage.input_tokens"] == {"intValue": "350"}


# -- over HTTP


@dataclass
class Server:
    """An OTLP endpoint of a test: it answers with `answers`, one after the other, then with success."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def requests(self) -> list[ExportTraceServiceRequest]:
        return [strict(json.loads(gzip.decompress(body))) for _, _, body in self.got]


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.path, dict(self.headers), body))
            status, headers, data = found.answers.pop(0) if found.answers else (200, {}, b"{}")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield found
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which take no time."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def test_an_endpoint_gets_the_spans_as_gzipped_json(repo: Repo, worked: str, server: Server) -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=a%20b,team=core"}
    done = Cli(repo)("export", "--to", f"otlp:{server.url}", env=env)
    assert done.out == f"{server.url}/v1/traces: 1 record of 1 session\n"
    [(path, headers, _)] = server.got
    assert (path, headers["Content-Type"], headers["Content-Encoding"]) == ("/v1/traces", "application/json", "gzip")
    assert (headers["x-api-key"], headers["team"]) == ("a b", "core")
    assert len(server.requests()[0].resource_spans[0].scope_spans[0].spans) == 7


def test_the_endpoint_may_be_named_by_the_environment(repo: Repo, worked: str, server: Server) -> None:
    Cli(repo)("export", "--to", "otlp", env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/base/"})
    Cli(repo)("export", "--to", "otlp", env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.url}/all"})
    assert [path for path, _, _ in server.got] == ["/base/v1/traces", "/all"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_the_server_cannot_take_now_is_tried_again(
    repo: Repo, worked: str, server: Server, quick: list[float], status: int
) -> None:
    server.answers = [(status, {"Retry-After": "7"}, b""), (status, {}, b"")]
    store = opened(repo)
    assert interchange.send(store, Place.parse(f"otlp:{server.url}"), env={}).records == 1
    assert (len(server.got), quick[0], 0 < quick[1] <= 4) == (3, 7.0, True)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 500])
def test_what_it_will_never_take_is_not(
    repo: Repo, worked: str, server: Server, quick: list[float], status: int
) -> None:
    body = json.dumps({"message": "no such\u001b[31m tenant"}).encode()
    server.answers = [(status, {"Location": f"{server.url}/elsewhere"}, body)]
    with pytest.raises(NotSent) as e:
        interchange.send(opened(repo), Place.parse(f"otlp:{server.url}"), env={})
    assert f"it answered {status} (no such" in e.value.message and "\x1b" not in e.value.message
    assert (len(server.got), quick) == (1, [])


def test_a_server_that_is_not_there_is_given_up(repo: Repo, worked: str, quick: list[float]) -> None:
    with pytest.raises(NotSent, match="refused"):
        interchange.send(opened(repo), Place.parse("otlp:http://127.0.0.1:1"), env={})
    assert len(quick) == otlp_http.TRIES - 1


def test_rejected_spans_are_said_and_not_sent_again(repo: Repo, worked: str, server: Server) -> None:
    server.answers = [(200, {}, b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}')]
    done = Cli(repo)("export", "--to", f"otlp:{server.url}")
    assert "2 spans were rejected: too old" in done.err and len(server.got) == 1


@pytest.mark.parametrize(("answer", "is_said"), [(b"<html>Log in</html>", True), (b"", False), (b"{}", False)])
def test_an_answer_that_is_none_of_otlps_is_said(
    repo: Repo, worked: str, server: Server, answer: bytes, is_said: bool
) -> None:
    server.answers = [(200, {}, answer)]
    done = repo.cli("export", "--to", f"otlp:{server.url}")
    assert done.returncode == 0 and ("look there whether" in done.stderr) == is_said


def test_a_key_in_the_urls_query_is_not_shown(repo: Repo, worked: str, server: Server) -> None:
    done = Cli(repo)("export", "--to", f"otlp:{server.url}/in?key=abc", "--json")
    assert done.json["to"] == f"{server.url}/in" and server.got[0][0] == "/in?key=abc"


@pytest.mark.parametrize(
    ("url", "env"),
    [
        ("", {}),
        ("ftp://x", {}),
        ("http://", {}),
        ("http://u:p@x", {}),
        ("http://x y", {}),
        ("http://x:99999", {}),
        ("http://x", {"OTEL_EXPORTER_OTLP_HEADERS": "nothing"}),
        ("http://x", {"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0ac"}),
        ("http://x", {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(url: str, env: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Endpoint.parse(url, env)


# -- in


def span(attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    def value(v: Any) -> dict[str, Any]:
        return {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}

    rows = [{"key": k, "value": value(v)} for k, v in attributes.items()]
    times = {"startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000"}
    return {"traceId": TRACE, "spanId": SPAN, "name": "x", "kind": 3, **times, "attributes": rows, **more}


def bring(repo: Repo, path: Path, *found: dict[str, Any], dry_run: bool = False) -> Report:
    doc = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(found)}]}]}
    strict(doc)
    path.write_text(json.dumps(doc))
    return interchange.bring(opened(repo), Place.parse(f"otlp:{path}"), dry_run=dry_run)


def test_the_conventions_example_becomes_a_session(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    [row] = bring(repo, tmp_path / "t.json", span(CHAT)).rows
    store = opened(repo)
    session = store.get(row.session)
    assert (session.title, session.agent.model) == ("Tell me a joke about OpenTelemetry", "gpt-4-0613")
    assert dict(session.usage) == {"input_tokens": 52, "output_tokens": 47}
    assert (session.started_at, session.ended_at) == ("2018-12-13T14:51:00.000Z", "2018-12-13T14:51:01.000Z")
    said = [(e.data["role"], e.data["text"]) for e in store.history(session.id, kinds=("message",))]
    assert said == [("user", "Tell me a joke about OpenTelemetry"), ("assistant", "It traces the fun!")]
    assert [r.outcome for r in bring(repo, tmp_path / "t.json", span(CHAT)).rows] == ["known"]


def test_a_prompt_that_stands_in_several_requests_is_one(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    [row] = bring(repo, tmp_path / "t.json", span(CHAT), span(CHAT, spanId="00f067aa0ba902b8")).rows
    roles = [e.data["role"] for e in opened(repo).history(row.session, kinds=("message",))]
    assert roles == ["user", "assistant", "assistant"]


def test_an_agents_tokens_do_not_count_beside_its_requests(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Gemini-CLI"}
    total = {"gen_ai.usage.input_tokens": 52, "gen_ai.usage.output_tokens": 47}
    top = span({**agent, **total}, spanId="00f067aa0ba902b0")
    [row] = bring(repo, tmp_path / "t.json", top, span(CHAT, parentSpanId="00f067aa0ba902b0")).rows
    session = opened(repo).get(row.session)
    assert (session.agent.type, dict(session.usage)) == ("gemini", {"input_tokens": 52, "output_tokens": 47})


def test_spans_of_other_conventions_are_counted_and_left_out(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    report = bring(repo, tmp_path / "t.json", span({"http.request.method": "GET"}), span(CHAT))
    assert (len(report.rows), report.said) == (1, ["1 spans are not of the GenAI conventions"])


def test_what_was_written_comes_back_elsewhere(repo: Repo, worked: str, tmp_path: Path) -> None:
    before = opened(repo).get(worked)
    Cli(repo)("export", "--to", f"otlp:{tmp_path / 't.jsonl'}", "--content")
    other = clone(repo, tmp_path / "other")
    Cli(other)("import", "--from", f"otlp:{tmp_path / 't.jsonl'}")
    store = opened(other)
    [session] = store.list()
    assert (session.id, session.title, session.user) == (worked, before.about, before.user)
    assert (session.agent.type, session.agent.model, session.agent.version) == ("codex", "gpt-5-codex", "0.9")
    assert dict(session.usage) == dict(before.usage)
    assert [k.commit for k in store.commits(worked)] == [repo.git("rev-parse", "HEAD")]
    texts = [e.data["text"] for e in store.history(worked, kinds=("message",))]
    assert sorted(texts) == sorted(["Add a limiter", "Added.", "go on", "go on"])
    tools = [(e.data["name"], e.data["outcome"]) for e in store.history(worked, kinds=("tool",))]
    assert sorted(tools) == [("grep", "error"), ("shell", "ok")]


def test_two_agents_that_call_their_conversations_alike_are_two_sessions(repo: Repo, tmp_path: Path) -> None:
    store = opened(repo)
    ids = [store.start(goal=name, agent=Agent(name, native_id="small"), activate=False).id for name in ("codex", "pi")]
    for session in ids:
        store.append(session, "message", {"role": "user", "text": "hello"})
    Cli(repo)("export", "--to", f"otlp:{tmp_path / 't.jsonl'}", "--content")
    other = clone(repo, tmp_path / "other")
    Cli(other)("import", "--from", f"otlp:{tmp_path / 't.jsonl'}")
    found = {s.id: (s.agent.type, s.agent.native_id, s.counts["messages"]) for s in opened(other).list()}
    assert found == {ids[0]: ("codex", "small", 1), ids[1]: ("pi", "small", 1)}


def test_a_dry_run_writes_nothing(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    before = repo.git("for-each-ref")
    assert [r.outcome for r in bring(repo, tmp_path / "t.json", span(CHAT), dry_run=True).rows] == ["imported"]
    assert repo.git("for-each-ref") == before


def test_secrets_in_spans_are_not_stored(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    said = {k: v.replace("a joke", SECRET) if isinstance(v, str) else v for k, v in CHAT.items()}
    [row] = bring(repo, tmp_path / "t.json", span(said)).rows
    assert SECRET not in repo.git("grep", "-h", "-e", "", f"refs/agent-sessions/{row.session}")
