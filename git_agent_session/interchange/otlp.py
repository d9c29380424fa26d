"""OpenTelemetry: sessions as traces in OTLP's JSON encoding, by the semantic conventions for GenAI of 1.41.1.

https://opentelemetry.io/docs/specs/otlp/ and
https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-agent-spans.md. A session is one
trace, whose id is the session's: a span `invoke_agent` from its start to its end, in it a span `chat` for each turn,
`execute_tool` for each tool call, and `invoke_agent` for each subagent. What was said goes in only where asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import git_agent_session
from git_agent_session.interchange import names
from git_agent_session.model import Doc, Event, Session
from git_agent_session.store.reader import Reader

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
INTERNAL, CLIENT = 1, 3
ERROR = 2
# attributes of our own, where no convention has one
OWN = "git_agent_session"
COMMIT_EVENT = "git.commit"
REVISION = "vcs.ref.head.revision"
# spans of a session, and of one request
MOST_SPANS = 50_000
BATCH = 1000


def document(spans: Iterable[Doc], project: str = "") -> Doc:
    """An ExportTraceServiceRequest of spans of one repository."""
    resource = {"service.name": names.OWN, "service.version": git_agent_session.__version__}
    if project:
        resource["vcs.repository.name"] = project
    scope = {"name": names.OWN, "version": git_agent_session.__version__}
    scoped = {"scope": scope, "spans": list(spans), "schemaUrl": SCHEMA_URL}
    resources = {"resource": {"attributes": attributes(resource)}, "scopeSpans": [scoped], "schemaUrl": SCHEMA_URL}
    return {"resourceSpans": [resources]}


def lines(reader: Reader, sessions: Iterable[Session], *, content: bool) -> Iterator[str]:
    """The sessions as OTLP files have them: one request a line (OpenTelemetry Protocol File Exporter)."""
    for session in sessions:
        for part in batches(spans(reader, session, content=content)):
            yield json.dumps(document(part, session.project), ensure_ascii=False, separators=(",", ":")) + "\n"


def batches(found: Iterable[Doc]) -> Iterator[list[Doc]]:
    """Spans in lists of at most a thousand."""
    part: list[Doc] = []
    for span in found:
        part.append(span)
        if len(part) == BATCH:
            yield part
            part = []
    if part:
        yield part


def spans(reader: Reader, session: Session, *, content: bool) -> Iterator[Doc]:
    """The spans of a session, the outermost first. Raises AgentSessionError."""
    events = reader.history(session.id)[:MOST_SPANS]
    made = Trace(session, content=content)
    yield made.root(events, [link.commit for link in reader.commits(session.id)])
    yield from made.turns(events)
    yield from made.tools(events)
    yield from made.subagents(events)


class Trace:
    """Makes the spans of one session. With `content` they hold what was said."""

    def __init__(self, session: Session, *, content: bool) -> None:
        self.session = session
        self.content = content
        self.trace = session.id.replace("-", "")
        self.top = _span_id(session.id)
        agent = session.agent
        self.common: Doc = {
            "gen_ai.conversation.id": agent.native_id or session.id,
            "gen_ai.provider.name": names.provider(agent),
        }
        self.named: Doc = {k: v for k, v in (("gen_ai.request.model", agent.model),) if v}

    def root(self, events: Iterable[Event], commits: Iterable[str]) -> Doc:
        """The span of the whole session, with its tokens; each commit of it is an event of the span."""
        session, agent = self.session, self.session.agent
        used = session.usage
        cached, written = int(used.get("cache_read_tokens", 0)), int(used.get("cache_write_tokens", 0))
        amounts = {
            # the convention counts what came from the cache and what went into it as input
            "gen_ai.usage.input_tokens": int(used.get("input_tokens", 0)) + cached + written,
            "gen_ai.usage.output_tokens": int(used.get("output_tokens", 0)),
            "gen_ai.usage.cache_read.input_tokens": cached,
            "gen_ai.usage.cache_creation.input_tokens": written,
            "gen_ai.usage.reasoning.output_tokens": int(used.get("reasoning_tokens", 0)),
            f"{OWN}.cost_usd": float(used.get("cost_usd", 0)),
        }
        said: Doc = {
            "gen_ai.agent.name": agent.type,
            "gen_ai.agent.version": agent.version,
            f"{OWN}.id": session.id,
            f"{OWN}.status": session.status,
            f"{OWN}.native_id": agent.native_id,
            **({f"{OWN}.title": session.about, f"{OWN}.user": session.user} if self.content else {}),
        }
        attrs = {**{k: v for k, v in said.items() if v}, **self.named, **{k: v for k, v in amounts.items() if v}}
        end = session.ended_at or session.updated_at or session.started_at
        span = self._span(self.top, _named("invoke_agent", agent.type), session.started_at, end, attrs, "invoke_agent")
        at = {str(e.data.get("commit")): e.at for e in events if e.kind == "commit"}
        span["events"] = [
            {
                "timeUnixNano": nanoseconds(at.get(commit, end)),
                "name": COMMIT_EVENT,
                "attributes": attributes({REVISION: commit}),
            }
            for commit in commits
        ]
        if session.status in ("failed", "error"):
            span["status"] = {"code": ERROR}
        return span

    def turns(self, events: Iterable[Event]) -> Iterator[Doc]:
        """A span for each prompt, up to the last answer to it. One without an answer ends where it begins."""
        prompt: Event | None = None
        answer: Event | None = None
        for event in events:
            role = event.data.get("role") if event.kind in ("message", "interaction") else None
            if role == "user":
                if prompt is not None:
                    yield self._turn(prompt, answer)
                prompt, answer = event, None
            elif role == "assistant":
                answer = event
        if prompt is not None:
            yield self._turn(prompt, answer)

    def _turn(self, prompt: Event, answer: Event | None) -> Doc:
        attrs = dict(self.named)
        if self.content:
            attrs["gen_ai.input.messages"] = json.dumps([_message("user", prompt)], ensure_ascii=False)
            if answer is not None:
                said = {**_message("assistant", answer), "finish_reason": "stop"}
                attrs["gen_ai.output.messages"] = json.dumps([said], ensure_ascii=False)
        end = answer.at if answer is not None else prompt.at
        name = _named("chat", self.session.agent.model)
        span = self._span(_span_id(self.session.id, prompt.id), name, prompt.at, end, attrs, "chat", CLIENT)
        return {**span, "parentSpanId": self.top}

    def tools(self, events: Iterable[Event]) -> Iterator[Doc]:
        """A span for each tool call; one whose duration is not known has none."""
        for event in events:
            if event.kind != "tool":
                continue
            data = event.data
            tool, outcome = str(data.get("name") or "unknown"), data.get("outcome")
            attrs: Doc = {"gen_ai.tool.name": tool, "gen_ai.tool.type": "function", "gen_ai.tool.call.id": event.id}
            if outcome not in (None, "ok"):
                attrs["error.type"] = str(outcome) if outcome != "error" else "_OTHER"
            if self.content:
                given = {k: data[k] for k in ("summary", "paths") if data.get(k)}
                if given:
                    attrs["gen_ai.tool.call.arguments"] = json.dumps(given, ensure_ascii=False)
            spent = data.get("duration_ms")
            ns = int(spent) * 1_000_000 if isinstance(spent, int) and 0 <= spent < 1 << 40 else 0
            end = int(nanoseconds(event.at))
            own = _span_id(self.session.id, event.id)
            span = self._span(own, _named("execute_tool", tool), event.at, event.at, attrs, "execute_tool")
            span |= {"startTimeUnixNano": str(max(0, end - ns)), "parentSpanId": self._within(data)}
            yield {**span, "status": {"code": ERROR}} if "error.type" in attrs else span

    def _within(self, data: Mapping[str, Any]) -> str:
        agent = data.get("agent_id")
        return _span_id(self.session.id, "agent", agent) if isinstance(agent, str) and agent else self.top

    def subagents(self, events: Iterable[Event]) -> Iterator[Doc]:
        """A span for each subagent, from its start to its stop; one of which only tools are told has none."""
        began: dict[str, Event] = {}
        ended: dict[str, str] = {}
        for event in events:
            name = event.data.get("agent_id")
            if event.kind == "agent" and isinstance(name, str) and name:
                began.setdefault(name, event)
            if isinstance(name, str) and name in began:
                ended[name] = max(ended.get(name, ""), event.at)
        for name, event in began.items():
            kind = str(event.data.get("type") or "agent")
            attrs = {"gen_ai.agent.name": kind, "gen_ai.agent.id": name}
            own = _span_id(self.session.id, "agent", name)
            span = self._span(own, _named("invoke_agent", kind), event.at, ended[name], attrs, "invoke_agent")
            yield {**span, "parentSpanId": self.top}

    def _span(self, own: str, name: str, at: str, end: str, attrs: Doc, operation: str, kind: int = INTERNAL) -> Doc:
        start, stop = nanoseconds(at), nanoseconds(end)
        return {
            "traceId": self.trace,
            "spanId": own,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": start,
            "endTimeUnixNano": max(start, stop, key=int),
            "attributes": attributes({"gen_ai.operation.name": operation, **self.common, **attrs}),
        }


def attributes(values: Mapping[str, Any]) -> list[Doc]:
    """OTLP's list of keys and values; 64-bit numbers are texts there."""
    return [{"key": key, "value": _any(value)} for key, value in values.items()]


def _any(value: Any) -> Doc:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value).encode("utf-8", "replace").decode()}


def nanoseconds(at: str) -> str:
    """A moment of an event as nanoseconds since 1970, in decimal digits; "0" for none."""
    try:
        since = datetime.fromisoformat(at) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError):
        return "0"
    return str(max(0, (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000))


def _span_id(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def _named(operation: str, what: str) -> str:
    return f"{operation} {what}" if what else operation


def _message(role: str, event: Event) -> Doc:
    return {"role": role, "parts": [{"type": "text", "content": str(event.data.get("text", ""))}]}
