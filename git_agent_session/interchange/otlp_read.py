"""Reads OTLP JSON with spans of the GenAI conventions: what one conversation's spans say becomes a session.

Spans without `gen_ai.operation.name` are no one's business here. Without a conversation id a trace is a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from git_agent_session import term
from git_agent_session.agents import payload
from git_agent_session.git.repository import Repository
from git_agent_session.ids import event_id_from, is_session_id, timestamp
from git_agent_session.interchange import names, otlp, outside
from git_agent_session.interchange.arrivals import Arrival, link, session_id
from git_agent_session.model import Agent, Doc

_MOST_SPANS = 200_000
_DEEPEST = 12
_ASKS = ("chat", "text_completion", "generate_content")
_LAST_NS = 1 << 62


class Span:
    """One span: its attributes as plain values, its times as events have them."""

    __slots__ = ("at", "attributes", "end", "failed", "marks", "name", "ns", "own", "parent", "trace")

    def __init__(self, doc: Doc, resource: Mapping[str, Any]) -> None:
        self.attributes: Doc = {**resource, **plain(doc.get("attributes"))}
        self.trace = outside.text(doc.get("traceId")).lower()
        self.own = outside.text(doc.get("spanId")).lower()
        self.parent = outside.text(doc.get("parentSpanId")).lower()
        self.name = outside.text(doc.get("name"))
        start, end = _ns(doc.get("startTimeUnixNano")), _ns(doc.get("endTimeUnixNano"))
        self.at = timestamp(start) if start else ""
        self.end = timestamp(end) if end else self.at
        self.ns = max(0, end - start) if start else 0
        self.failed = outside.table(doc.get("status")).get("code") == otlp.ERROR
        self.marks = outside.tables(doc.get("events"), 5000)

    def text(self, key: str) -> str:
        """An attribute that is a name."""
        return outside.text(self.attributes.get(key))


def arrivals(repo: Repository, data: bytes) -> tuple[list[Arrival], list[str]]:
    """The sessions that the spans in `data` tell of, and what is to be said of the file. Raises Unreadable."""
    found: list[Span] = []
    ours: dict[str, str] = {}
    others = broken = 0
    for doc in outside.documents(data):
        if doc is None:
            broken += 1
            continue
        for span in _spans(doc):
            if not span.text("gen_ai.operation.name") or not span.own:
                others += 1
                continue
            found.append(span)
            own = span.attributes.get(f"{otlp.OWN}.id")
            if isinstance(own, str) and is_session_id(own):
                ours[span.trace] = own
    groups: dict[str, list[Span]] = {}
    for span in found:
        # two agents may call their conversations alike
        key = ours.get(span.trace) or span.text("gen_ai.conversation.id") or span.trace
        groups.setdefault(key, []).append(span)
    said = [f"{term.count(broken, 'line')} passed over: no OTLP"] if broken else []
    said += [f"{others} spans are not of the GenAI conventions"] if others else []
    own_ids = set(ours.values())
    return [_arrival(repo, key, spans, key if key in own_ids else None) for key, spans in groups.items()], said


def _spans(doc: Doc) -> Iterator[Span]:
    room = _MOST_SPANS
    for resource in outside.tables(doc.get("resourceSpans")):
        common = plain(outside.table(resource.get("resource")).get("attributes"))
        for scope in outside.tables(resource.get("scopeSpans")):
            for row in outside.tables(scope.get("spans"), room):
                room -= 1
                yield Span(row, common)


def _ns(found: object) -> int:
    if isinstance(found, str):
        found = int(found) if found.isascii() and found.isdigit() and len(found) < 20 else 0
    return found if isinstance(found, int) and 0 < found < _LAST_NS else 0


# -- attributes


def plain(found: object) -> Doc:
    """OTLP's list of keys and values as a table of plain values."""
    return {outside.text(row.get("key")): _value(row.get("value")) for row in outside.tables(found, 1000)}


def _value(found: object, depth: int = 0) -> Any:
    row = outside.table(found)
    if depth > _DEEPEST:
        return None
    if "intValue" in row:
        return outside.whole(row["intValue"])
    for key in ("stringValue", "boolValue", "doubleValue"):
        if key in row:
            return row[key]
    if "arrayValue" in row:
        return [_value(v, depth + 1) for v in outside.rows(outside.table(row["arrayValue"]).get("values"))]
    if "kvlistValue" in row:
        values = outside.tables(outside.table(row["kvlistValue"]).get("values"))
        return {outside.text(v.get("key")): _value(v.get("value"), depth + 1) for v in values}
    return None


def structure(found: object) -> Any:
    """A structured attribute, which may also be given as JSON text."""
    if isinstance(found, str):
        try:
            return outside.value(found)
        except outside.Unreadable:
            return None
    return found


# -- one conversation


def _arrival(repo: Repository, key: str, spans: list[Span], own: str | None) -> Arrival:
    spans.sort(key=lambda s: (s.at, s.own))
    agents = [s for s in spans if s.text("gen_ai.operation.name") == "invoke_agent"]
    inside = {s.own for s in spans}
    tops = [s for s in agents if s.parent not in inside]
    first = (tops or agents or spans)[0]
    model = next((m for s in spans if (m := s.text("gen_ai.response.model") or s.text("gen_ai.request.model"))), "")
    name = names.agent_type(first.text("gen_ai.agent.name") or first.text("service.name"))
    native = first.text(f"{otlp.OWN}.native_id") if own else ""
    agent = Agent(name, first.text("gen_ai.agent.version"), names.bare_model(model), native)
    session = session_id(own, name, f"{names.OTLP}:{key}")
    arrival = Arrival(
        names.OTLP,
        session,
        agent,
        title=first.text(f"{otlp.OWN}.title"),
        user=first.text(f"{otlp.OWN}.user"),
        meta={} if own else {"conversation": key, "trace": first.trace},
    )
    seen: set[str] = set()
    for span in spans:
        arrival.passes(span.at)
        arrival.passes(span.end)
        operation = span.text("gen_ai.operation.name")
        if operation in _ASKS:
            _ask(arrival, span, seen, own=bool(own))
        elif operation == "execute_tool":
            _tool(arrival, span)
    _usage(arrival, [s for s in spans if s.text("gen_ai.operation.name") in _ASKS], tops or agents)
    for span in tops:
        for mark in span.marks:
            revision = plain(mark.get("attributes")).get(otlp.REVISION)
            if mark.get("name") == otlp.COMMIT_EVENT and isinstance(revision, str):
                when = _ns(mark.get("timeUnixNano"))
                link(repo, arrival, revision, timestamp(when) if when else "")
    if not arrival.events:
        _nothing(arrival, first)
    return arrival


def _nothing(arrival: Arrival, span: Span) -> None:
    """A conversation of which no more is known than that it was."""
    data = {"type": names.OTLP, "text": span.name or span.text("gen_ai.operation.name")}
    arrival.add(event_id_from("span", span.trace, span.own), span.at or timestamp(), "interaction", data)


def _ask(arrival: Arrival, span: Span, seen: set[str], *, own: bool) -> None:
    """What a user said last before a request, and the answer."""
    asked = _said(span, "gen_ai.input.messages", "user")
    if asked and span.at:
        arrival.title = arrival.title or asked[-1]
        # a prompt stands in every request that follows it, but for our own: there each span has its own
        which = span.own if own else str(len(asked))
        name = event_id_from("user", arrival.session_id, which, payload.checksum(asked[-1]))
        if name not in seen:
            seen.add(name)
            arrival.add(name, span.at, "message", {"role": "user", "text": asked[-1]})
    told = _said(span, "gen_ai.output.messages", "assistant")
    if told and span.end:
        name = event_id_from("assistant", arrival.session_id, span.own)
        arrival.add(name, span.end, "message", {"role": "assistant", "text": told[-1]})


def _said(span: Span, key: str, role: str) -> list[str]:
    rows = outside.tables(structure(span.attributes.get(key)), 1000)
    return [text for row in rows if row.get("role") == role and (text := _text(row))]


def _text(message: Doc) -> str:
    parts = [p for p in outside.tables(message.get("parts"), 1000) if p.get("type") == "text"]
    return "\n".join(str(p["content"]) for p in parts if isinstance(p.get("content"), str))


def _tool(arrival: Arrival, span: Span) -> None:
    if not span.end:
        return
    given = outside.table(structure(span.attributes.get("gen_ai.tool.call.arguments")))
    failed = span.failed or bool(span.text("error.type"))
    paths = [p for p in outside.rows(given.get("paths"), 100) if outside.path(p)]
    data: Doc = {
        "name": span.text("gen_ai.tool.name") or span.name or "unknown",
        "summary": given["summary"] if isinstance(given.get("summary"), str) else payload.summary(given),
        "paths": paths,
        "duration_ms": span.ns // 1_000_000,
        "outcome": "error" if failed else "ok",
    }
    call = span.text("gen_ai.tool.call.id") or f"{span.trace}-{span.own}"
    arrival.add(event_id_from("tool", call), span.end, "tool", data)


def _usage(arrival: Arrival, asks: list[Span], agents: list[Span]) -> None:
    """Tokens: those of requests, else those of agents; an agent's are the sum of its requests'."""
    counted = [s for s in asks if _amounts(s)] or [s for s in agents if _amounts(s)]
    for span in counted:
        data = _amounts(span)
        if span.at:
            arrival.add(event_id_from("usage", span.trace, span.own), span.end, "usage", data)


def _amounts(span: Span) -> Doc:
    def tokens(name: str) -> int:
        return outside.whole(span.attributes.get(f"gen_ai.usage.{name}"))

    cached, written = tokens("cache_read.input_tokens"), tokens("cache_creation.input_tokens")
    cost = span.attributes.get(f"{otlp.OWN}.cost_usd")
    found: Doc = {
        "input_tokens": max(0, tokens("input_tokens") - cached - written),
        "output_tokens": tokens("output_tokens"),
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": tokens("reasoning.output_tokens"),
        "cost_usd": round(cost, 6) if isinstance(cost, float) and 0 < cost < 1e9 else 0,
    }
    return {k: v for k, v in found.items() if v}
