"""Copilot CLI's transcripts: `session-state/<session id>/events.jsonl`, a record for each thing that happened.

Records are `{type, data, id, timestamp, parentId}`, those of subagents with `agentId`; as seen in 1.0.102 and described
by the schema in its package (schemas/session-events.schema.json). Most of a file repeats what hooks were sent, what the
model was sent and how Copilot was set up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import history
from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Found, Item, Source
from git_agent_session.agents.transcripts import stamp
from git_agent_session.live import listed

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Tally
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

FOLDER = "session-state"
FILE = "events.jsonl"

# what says something of the work; a tool's start repeats the message that asked for it
_KEPT = (
    *("session.start", "session.resume", "session.model_change", "session.error", "session.compaction_complete"),
    *("session.truncation", "session.context_changed", "session.handoff", "session.task_complete", "session.shutdown"),
    *("user.message", "assistant.message", "assistant.reasoning", "tool.execution_complete", "tool.user_requested"),
    *("subagent.started", "subagent.completed", "subagent.failed", "system.notification", "abort"),
)
# what Copilot adds for the model, its service and its own accounts
_DROPPED = (
    *("transformedContent", "supportedNativeDocumentMimeTypes", "nativeDocumentPathFallbackPaths"),
    *("responsesReasoning", "reasoningOpaque", "encryptedContent", "reasoningBlocks", "toolTelemetry", "rte"),
    *("accountingSnapshot", "providerModelMetrics", "agentMetrics", "usageAccountingWatermarks", "stack"),
)


# -- files


def sources(path: str, home: str) -> list[Source]:
    """The file of a session. Raises ValueError when it does not lie in Copilot's own folder."""
    top, real = os.path.join(os.path.realpath(os.path.join(home, FOLDER)), ""), os.path.realpath(path)
    below = real.removeprefix(top).split(os.sep) if real.startswith(top) else []
    # early versions had a file for a session, without a folder
    flat = len(below) == 1 and real.endswith(".jsonl")
    if not (flat or (len(below) == 2 and below[1] == FILE)):
        raise ValueError("the transcript does not lie in Copilot's own folder: it is not read")
    return [Source("", real)]


def found(location: Location, home: str) -> Iterator[Found]:
    """The sessions that began in the repository, by the folder that their first record names."""
    top = os.path.join(home, FOLDER)
    for name in listed(top):
        path = os.path.join(top, name) if name.endswith(".jsonl") else os.path.join(top, name, FILE)
        data = read_.table(history.first(path, "data")[0])
        if history.belongs(read_.table(data.get("context")).get("cwd"), location):
            own_id = read_.word(data.get("sessionId")) or name.removesuffix(".jsonl")
            yield Found(own_id, path, os.stat(path).st_mtime)


# -- records


def kept(record: Doc) -> Doc | None:
    """See `protocol.Recorded`."""
    data = record.get("data")
    if record.get("type") not in _KEPT or not isinstance(data, dict):
        return None
    left = {k: v for k, v in data.items() if k not in _DROPPED}
    result = left.get("result")
    # the change that a tool made; what it only read stands in `content`
    if isinstance(result, dict) and not data.get("fileEdits"):
        left["result"] = {k: v for k, v in result.items() if k != "detailedContent"}
    return {**record, "data": left}


def items(record: Doc) -> Iterator[Item]:
    """See `protocol.Recorded`. Of subagents only calls and results: what they are asked and answer is a call's."""
    kind, data = record.get("type"), read_.table(record.get("data"))
    own_id, at, inner = read_.word(record.get("id")), stamp(record), _is_inner(record, data)
    if kind == "user.message" and not inner:
        # others than the user speak as a `source`; Copilot drives itself on in its autopilot
        own = not data.get("source") and data.get("isAutopilotContinuation") is not True
        if own and (said := read_.prose(data.get("content"))):
            yield Item("prompt", own_id, at, said)
    elif kind == "assistant.message":
        yield from _message(data, own_id, at, inner)
    elif kind == "assistant.reasoning" and not inner:
        if said := read_.prose(data.get("content")):
            yield Item("thinking", own_id, at, said)
    elif kind == "tool.user_requested":
        yield _call(data.get("toolName"), data, at)
    elif kind == "tool.execution_complete":
        yield _result(data, at)
    elif not inner:
        yield from _session(str(kind), data, own_id, at)


def _is_inner(record: Doc, data: Mapping[str, Any]) -> bool:
    """True for what a subagent says; early versions name only the call that it answers."""
    return bool(record.get("agentId") or data.get("parentToolCallId"))


def _message(data: Mapping[str, Any], own_id: str, at: str, inner: bool) -> Iterator[Item]:
    if not inner and (said := read_.prose(data.get("reasoningText"))):
        yield Item("thinking", f"{own_id}.thinking", at, said)
    if not inner and (said := read_.prose(data.get("content"))):
        yield Item("answer", own_id, at, said)
    requests = data.get("toolRequests")
    for request in requests if isinstance(requests, list) else ():
        if isinstance(request, dict):
            yield _call(request.get("name"), request, at)


def _session(kind: str, data: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    if kind in ("session.start", "session.model_change"):
        model = read_.word(data.get("selectedModel")) or read_.word(data.get("newModel"))
        if model:
            yield Item("model", own_id, at, name=model)
    elif kind == "session.compaction_complete" and data.get("success") is True:
        yield Item("compact", own_id, at, read_.prose(data.get("summaryContent")))
    elif kind == "session.error":
        yield Item("error", own_id, at, read_.prose(data.get("message")))
    elif kind == "abort":
        yield Item("interrupt", own_id, at)


def _call(name: object, data: Mapping[str, Any], at: str) -> Item:
    given = data.get("arguments")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = {"input": given}
    return Item("call", read_.word(data.get("toolCallId")), at, name=read_.word(name), input=read_.table(given))


def _result(data: Mapping[str, Any], at: str) -> Item:
    result, error = read_.table(data.get("result")), read_.table(data.get("error"))
    code = read_.table(data.get("shellExecution")).get("exitCode")
    failed = data.get("success") is False or code not in (None, 0)
    said = read_.prose(result.get("content")) or read_.prose(error.get("message"))
    return Item("result", read_.word(data.get("toolCallId")), at, said, outcome="error" if failed else "ok")


# -- tokens


def count(record: Doc, tally: Tally) -> None:
    """See `protocol.Recorded`.

    A `session.usage_record` for each request, subagents' too; a compaction's request has its amounts in the record of
    the compaction alone. `session.shutdown` has running totals of the same requests, which outlive a resume: they count
    where nothing else was written, in early versions. Its `cost` is no money, but a number of premium requests.
    """
    kind, data = record.get("type"), read_.table(record.get("data"))
    if kind == "session.usage_record":
        _count_request(record, read_.table(data.get("usage")), tally)
    elif kind == "session.compaction_complete":
        used = read_.table(data.get("compactionTokensUsed"))
        if used:
            key = read_.word(data.get("compactionAttemptId")) or read_.word(record.get("id"))
            tally.message(f"compaction:{key}", stamp(record), read_.word(used.get("model")), _tokens(used))
    elif kind == "session.shutdown" and not data.get("usageAccountingWatermarks"):
        for model, metrics in read_.table(data.get("modelMetrics")).items():
            usage = read_.table(read_.table(metrics).get("usage"))
            if usage:
                tally.total(read_.word(model), _tokens(usage))
    elif kind in ("session.start", "session.resume", "session.model_change") and not _is_inner(record, data):
        model = read_.word(data.get("selectedModel")) or read_.word(data.get("newModel"))
        tally.name(model=model, version=read_.word(data.get("copilotVersion")))


def _count_request(record: Doc, usage: Mapping[str, Any], tally: Tally) -> None:
    model, which = read_.word(usage.get("model")), read_.table(usage.get("accounting"))
    parts = [str(which.get(k) or "")[:130] for k in ("sourceSessionId", "sequence", "usageId")]
    key = ":".join(parts) if any(parts) else read_.word(usage.get("apiCallId")) or read_.word(record.get("id"))
    tally.message(key, stamp(record), model, _tokens(usage))
    if not _is_inner(record, usage):
        tally.name(model=model)


def _tokens(usage: Mapping[str, Any]) -> dict[str, int]:
    """Amounts by our names: Copilot's input has in it what the cache gave and took, whoever provides the model."""
    given, output, read, wrote = (
        read_.whole(usage.get(k)) or 0 for k in ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
    )
    return {
        "input_tokens": max(0, given - read - wrote),
        "output_tokens": output,
        "cache_read_tokens": read,
        "cache_write_tokens": wrote,
    }
