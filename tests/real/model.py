"""A model that follows a script, on loopback: what the published agents talk to instead of a provider.

It speaks four wire formats: Anthropic's Messages, OpenAI's Responses and Chat Completions, Google's generateContent,
each whole and as a stream of server-sent events. A prompt names its script by a word, `[name]`; the last such word in
the conversation counts, and the number of tool results after it tells which step comes next.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Step = Mapping[str, Any]
Doc = dict[str, Any]

# tokens that each answer reports, by the provider's own counting rules (input is whole with OpenAI and Google)
INPUT, CACHED, WRITTEN, OUTPUT, REASONING = 2000, 800, 300, 57, 9

_serial = itertools.count(1)


def call(name: str, **arguments: Any) -> Step:
    """A step that calls a tool."""
    return {"tool": name, "input": arguments}


def say(text: str) -> Step:
    """A step that answers."""
    return {"text": text}


class Model:
    """The server: `scripts` maps a name to its steps; `requests` keeps what was asked, for a look at a failure."""

    def __init__(self) -> None:
        self.scripts: dict[str, Sequence[Step]] = {}
        self.requests: list[Doc] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def step(self, request: Doc) -> Step:
        """What comes next in the conversation that a request holds."""
        if not request.get("tools"):
            return say("A title")
        steps: Sequence[Step] = ()
        done = 0
        for text in _conversation(request):
            if text is None:
                done += 1
                continue
            for name in self.scripts:
                if f"[{name}]" in text:
                    steps, done = self.scripts[name], 0
        return steps[done] if done < len(steps) else say("Done.")


def _conversation(request: Doc) -> Iterator[str | None]:
    """The texts of a request in their order, None for each tool result, whatever the wire format."""
    for entry in request.get("messages") or request.get("input") or request.get("contents") or ():
        if not isinstance(entry, dict):
            continue
        if entry.get("role") == "tool" or str(entry.get("type", "")).endswith("call_output"):
            yield None
        elif entry.get("role") == "user":
            content = entry.get("content", entry.get("parts"))
            for part in [{"text": content}] if isinstance(content, str) else content or ():
                if part.get("type") == "tool_result" or "functionResponse" in part:
                    yield None
                elif isinstance(part.get("text"), str):
                    yield part["text"]


def _handler(model: Model) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._send("text/plain", b"")

        def do_GET(self) -> None:
            self._json({"data": [], "models": []})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                request = json.loads(body)
            except ValueError:
                request = {}
            path = self.path.partition("?")[0]
            model.requests.append({"path": path, **request})
            answer = next((make for end, make in _FORMATS if end in path), None)
            if path.endswith("/count_tokens"):
                self._json({"input_tokens": INPUT})
            elif answer is None:
                self._json({})
            else:
                whole, events = answer(model.step(request), str(request.get("model", "")))
                streams = request.get("stream") is True or "streamGenerateContent" in path
                self._stream(events) if streams else self._json(whole)

        def _json(self, doc: Doc) -> None:
            self._send("application/json", json.dumps(doc).encode())

        def _stream(self, events: Sequence[tuple[str, Any]]) -> None:
            parts = []
            for name, data in events:
                head = f"event: {name}\n" if name else ""
                parts.append(f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n")
            self._send("text/event-stream", "".join(parts).encode())

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _anthropic(step: Step, model: str) -> tuple[Doc, list[tuple[str, Any]]]:
    usage = {
        "input_tokens": INPUT - CACHED - WRITTEN,
        "cache_creation_input_tokens": WRITTEN,
        "cache_read_input_tokens": CACHED,
        "output_tokens": OUTPUT,
    }
    n = next(_serial)
    if "tool" in step:
        block = {"type": "tool_use", "id": f"toolu_{n:024}", "name": step["tool"], "input": step["input"]}
        empty: Doc = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(step["input"])}
    else:
        block = {"type": "text", "text": step["text"]}
        empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": step["text"]}
    stop = "tool_use" if "tool" in step else "end_turn"
    whole: Doc = {"id": f"msg_{n:024}", "type": "message", "role": "assistant", "model": model, "content": [block]}
    whole.update({"stop_reason": stop, "stop_sequence": None, "usage": usage})
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    rows: list[Doc] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": OUTPUT}},
        {"type": "message_stop"},
    ]
    return whole, [(row["type"], row) for row in rows]


def _responses(step: Step, model: str) -> tuple[Doc, list[tuple[str, Any]]]:
    n = next(_serial)
    if "tool" in step:
        item: Doc = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": step["tool"]}
        item.update({"arguments": json.dumps(step["input"]), "status": "completed"})
    else:
        content = [{"type": "output_text", "text": step["text"], "annotations": []}]
        item = {"type": "message", "id": f"m_{n}", "role": "assistant", "status": "completed", "content": content}
    usage = {
        "input_tokens": INPUT,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": REASONING},
        "total_tokens": INPUT + OUTPUT,
    }
    whole: Doc = {"id": f"resp_{n}", "object": "response", "status": "completed", "model": model, "output": [item]}
    whole["usage"] = usage
    rows: list[Doc] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [(row["type"], row) for row in rows]


def _chat(step: Step, model: str) -> tuple[Doc, list[tuple[str, Any]]]:
    n = next(_serial)
    if "tool" in step:
        function = {"name": step["tool"], "arguments": json.dumps(step["input"])}
        calls = [{"index": 0, "id": f"call_{n}", "type": "function", "function": function}]
        message: Doc = {"role": "assistant", "content": None, "tool_calls": calls}
    else:
        message = {"role": "assistant", "content": step["text"]}
    usage = {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }
    why = "tool_calls" if "tool" in step else "stop"
    base = {"id": f"chatcmpl_{n}", "created": 1_800_000_000, "model": model}
    whole = {**base, "object": "chat.completion", "usage": usage}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": why}]
    part = {**base, "object": "chat.completion.chunk"}
    rows: list[tuple[str, Any]] = [
        ("", {**part, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}),
        ("", {**part, "choices": [{"index": 0, "delta": {}, "finish_reason": why}], "usage": usage}),
        ("", "[DONE]"),
    ]
    return whole, rows


def _google(step: Step, model: str) -> tuple[Doc, list[tuple[str, Any]]]:
    named = {"functionCall": {"name": step.get("tool"), "args": step.get("input")}}
    part = named if "tool" in step else {"text": step["text"]}
    content = {"role": "model", "parts": [part]}
    whole: Doc = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}
    whole["usageMetadata"] = {
        "promptTokenCount": INPUT,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - REASONING,
        "thoughtsTokenCount": REASONING,
        "totalTokenCount": INPUT + OUTPUT,
    }
    whole.update({"modelVersion": "gemini-2.5-pro", "responseId": str(next(_serial))})
    return whole, [("", whole)]


_FORMATS = (
    ("/messages", _anthropic),
    ("/responses", _responses),
    ("/chat/completions", _chat),
    ("enerateContent", _google),
)
