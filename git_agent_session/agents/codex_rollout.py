"""Codex's rollouts: JSON lines of `{timestamp, type, payload}`, and what they say.

One thing often stands there twice, as what the model was sent or answered (`response_item`) and as what the user was
shown (`event_msg`). Rollouts whose records are numbered (`ordinal`) have an `item_completed` for all that was said;
older ones have `user_message` events, and answers as response items; the oldest have bare response items without
`payload`. Each thing is taken from one of the two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from git_agent_session.agents import codex, history, transcripts
from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Found, Item, Source

if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Tally
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

FOLDERS = ("sessions", "archived_sessions")
SUBAGENTS = 1000
# bytes: the first record is one line, its long instructions come last
META = 8 * 1024
# bytes before a place in which the last turn's model is looked for, tried one after the other
WINDOWS = (256 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)

# what Codex writes to be able to go on, or counts for itself
_OWN_RECORDS = ("world_state", "inter_agent_communication_metadata", "token_usage_record")
_OWN_PAYLOADS = ("thread_settings_applied", "ghost_snapshot")
_OWN_KEYS = {
    "": ("internal_chat_message_metadata_passthrough", "encrypted_content"),
    "session_meta": (
        *("base_instructions", "instructions", "user_instructions", "developer_instructions", "dynamic_tools"),
        *("context_window", "history_base"),
    ),
    "turn_context": (
        *("user_instructions", "developer_instructions", "collaboration_mode", "final_output_json_schema"),
        *("permission_profile", "disabled_plugin_ids"),
    ),
    "compacted": (
        *("replacement_history", "replacement_history_metadata", "retained_context", "resume_metadata"),
        "latest_token_usage_record",
    ),
    # the limits are those of the user's account
    "event_msg": ("rate_limits",),
}
# what stands before the summary that another model is given
_HANDOVER = "Another language model started to solve this problem"
_FAILED = ("apply_patch verification failed", "unsupported call", "unsupported custom tool call", "execution error")


# -- files


def sources(path: str, home: str) -> list[Source]:
    """See `protocol.Recorded.sources`; `home` is Codex's folder."""
    real = os.path.realpath(path)
    for folder in FOLDERS:
        root = os.path.realpath(os.path.join(home, folder))
        if real.startswith(root + os.sep) and codex.is_rollout(os.path.basename(real)):
            return [Source("", real), *_inner(real, root)]
    raise ValueError("the transcript does not lie in Codex's own folder: it is not read")


def _inner(real: str, root: str) -> list[Source]:
    """The rollouts of subagents, and of theirs: later files that name the session, or one of them, as parent."""
    known, out = {_thread(real)}, []
    for path in _rollouts(root, os.path.dirname(real)):
        if path != real and os.path.basename(path) >= os.path.basename(real):
            head = _head(path)
            named = {_named(head, "session_id"), _named(head, "parent_thread_id")}
            if known & named and _thread(path) not in known:
                known.add(_thread(path))
                out.append(Source(_thread(path), path))
    return out[:SUBAGENTS]


def _rollouts(root: str, since: str = "") -> Iterator[str]:
    """The rollouts below `root`, the oldest first, in folders from `since` on: one folder a day."""
    for folder, inner, names in os.walk(root):
        inner.sort()
        if folder >= since:
            paths = (os.path.join(folder, n) for n in sorted(names) if codex.is_rollout(n))
            yield from (path for path in paths if os.path.isfile(path))


def _thread(path: str) -> str:
    """The id at the end of a rollout's name: `rollout-<local time>-<uuid>.jsonl`."""
    return os.path.basename(path).removesuffix(".jsonl")[-36:]


def _head(path: str) -> str:
    try:
        with open(path, "rb") as f:
            return f.read(META).decode("utf-8", "replace")
    except OSError:
        return ""


def _named(head: str, key: str) -> str:
    return head.partition(f'"{key}":"')[2].partition('"')[0]


def found(location: Location, home: str) -> Iterator[Found]:
    """See `protocol.Importable.found`; the first record says where a session worked."""
    for folder in FOLDERS:
        for path in _rollouts(os.path.join(home, folder)):
            meta = _meta(path)
            own_id, origin = read_.word(meta.get("id")), meta.get("source")
            inner = isinstance(origin, dict) and "subagent" in origin
            if own_id and not inner and history.belongs(meta.get("cwd"), location):
                yield Found(own_id, path, os.stat(path).st_mtime)


def _meta(path: str) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as f:
            record = json.loads(f.readline(transcripts.LINE))
    except (OSError, ValueError, RecursionError):
        return {}
    return read_.table(record.get("payload")) if isinstance(record, dict) else {}


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded.read`. A record of tokens gets the `model` of its turn, which it does not name."""
    model = _model_before(source.path, place) if isinstance(place, int) and place > 0 else ""
    for record, after in transcripts.json_lines(source.path, place):
        if record is not None and record.get("type") == "turn_context":
            model = read_.word(read_.table(record.get("payload")).get("model")) or model
        elif record is not None and model and _usage(record):
            record = {**record, "model": model}
        yield record, after


def _model_before(path: str, place: int) -> str:
    """The model of the last turn that began before the byte `place`, "" for none."""
    mark = b'"type":"turn_context"'
    for size in WINDOWS:
        with open(path, "rb") as f:
            f.seek(max(0, place - size))
            data = f.read(min(size, place))
        at = data.rfind(mark)
        start = data.rfind(b"\n", 0, max(at, 0)) + 1
        if at >= 0 and (start or place <= size):
            try:
                record = json.loads(data[start:].partition(b"\n")[0])
            except (ValueError, RecursionError):
                return ""
            return read_.word(read_.table(read_.table(record).get("payload")).get("model"))
        if place <= size:
            break
    return ""


# -- what is stored


def kept(record: Doc) -> Doc | None:
    """See `protocol.Recorded.kept`."""
    kind, payload = record.get("type"), record.get("payload")
    if kind in _OWN_RECORDS or "record_type" in record:
        return None
    if not isinstance(payload, dict):
        return None if kind == "message" and _is_own_message(record) else _without(record, "")
    if payload.get("type") in _OWN_PAYLOADS or (payload.get("type") == "message" and _is_own_message(payload)):
        return None
    payload = _without(payload, str(kind))
    if payload.get("type") == "reasoning" and not payload.get("summary") and not payload.get("content"):
        return None  # what was thought is encrypted
    return {**{k: v for k, v in record.items() if k != "metadata"}, "payload": payload}


def _is_own_message(payload: Mapping[str, Any]) -> bool:
    role = payload.get("role")
    if role != "user":
        return role in ("developer", "system")
    texts = _texts(payload.get("content"))
    return bool(texts) and all(codex.is_harness(t) for t in texts)


def _without(payload: Mapping[str, Any], kind: str) -> Doc:
    drop = (*_OWN_KEYS[""], *_OWN_KEYS.get(kind, ()))
    out = {k: v for k, v in payload.items() if k not in drop}
    if isinstance(content := out.get("content"), list):
        out["content"] = [p for p in content if read_.table(p).get("type") != "encrypted_content"]
    result = out.get("result")
    if str(out.get("type")).startswith("image_generation") and isinstance(result, str):
        out["result"] = {"type": "image", "dropped": len(result)}
    return out


# -- what is said


def items(record: Doc) -> Iterator[Item]:
    """See `protocol.Recorded.items`."""
    kind, at, payload = record.get("type"), transcripts.stamp(record), read_.table(record.get("payload"))
    if kind == "event_msg":
        yield from _event(payload, at)
    elif kind == "response_item":
        yield from _response(payload, at, prompts=False, says="ordinal" not in record)
    elif kind == "compacted":
        window = read_.word(payload.get("window_id")) or at
        yield Item("compact", f"compact-{window}", at, _summary(payload.get("message")))
    elif kind == "turn_context" and (model := read_.word(payload.get("model"))):
        yield Item("model", f"model-{read_.word(payload.get('turn_id')) or at}", at, name=model)
    elif "payload" not in record:
        yield from _response(record, at, prompts=True, says=True)


def _event(payload: Mapping[str, Any], at: str) -> Iterator[Item]:
    kind, turn = payload.get("type"), read_.word(payload.get("turn_id"))
    if kind == "user_message":
        yield from _said("prompt", {}, at, _text(payload.get("message")))
    elif kind == "item_completed":
        item = read_.table(payload.get("item"))
        name = {"UserMessage": "prompt", "AgentMessage": "answer", "Reasoning": "thinking"}.get(str(item.get("type")))
        if name:
            parts = item.get("summary_text") if name == "thinking" else item.get("content")
            yield from _said(name, item, at, "\n".join(_texts(parts)))
    elif kind == "turn_aborted":
        yield Item("interrupt", turn or f"interrupt-{at}", at)
    elif kind == "error":
        yield from _said("error", {}, at, _text(payload.get("message")) or "error")
    elif kind == "task_complete" and isinstance(error := payload.get("error"), dict):
        yield Item("error", f"error-{turn or at}", at, _text(error.get("message")))


def _response(payload: Mapping[str, Any], at: str, *, prompts: bool, says: bool) -> Iterator[Item]:
    kind, call = str(payload.get("type")), read_.word(payload.get("call_id")) or read_.word(payload.get("id"))
    if kind == "message" and says:
        said, role = "\n".join(_texts(payload.get("content"))), payload.get("role")
        if role == "assistant" or (role == "user" and prompts):
            yield from _said("answer" if role == "assistant" else "prompt", payload, at, said)
    elif kind == "reasoning" and says:
        parts = payload.get("summary") or payload.get("content")
        yield from _said("thinking", payload, at, "\n".join(_texts(parts)))
    elif kind.endswith("_call") and call:
        yield Item("call", call, at, name=read_.word(payload.get("name")) or kind, input=_input(payload))
    elif kind.endswith("_output") and call:
        said, outcome, spent = _result(payload.get("output", payload.get("tools")))
        yield Item("result", call, at, said, outcome=outcome, duration_ms=spent)


def _said(kind: str, payload: Mapping[str, Any], at: str, said: str) -> Iterator[Item]:
    if said.strip() and not (kind == "prompt" and codex.is_harness(said)):
        own_id = read_.word(payload.get("id")) or f"{kind}-{at}-{read_.checksum(said)}"
        yield Item(kind, own_id, at, said)


def _input(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a tool was given: JSON in a text, plain text, or a table."""
    given: Any = next((payload[k] for k in ("arguments", "input", "action") if payload.get(k)), {})
    if isinstance(given, str):
        try:
            value = json.loads(given)
        except (ValueError, RecursionError):
            value = None
        return value if isinstance(value, dict) else {"input": given}
    return read_.table(given)


def _result(output: Any) -> tuple[str, str, int | None]:
    """What a tool gave back, its outcome, and its time in ms where the text says so."""
    given = read_.table(output)
    said = "\n".join(_texts(output)) or _text(given.get("output")) or _text(given.get("content"))
    failed, spent = given.get("success") is False, None
    if said.startswith('{"output":'):
        try:
            inner = json.loads(said)
        except (ValueError, RecursionError):
            inner = {}
        meta = read_.table(read_.table(inner).get("metadata"))
        said, failed = _text(read_.table(inner).get("output")) or said, meta.get("exit_code") not in (0, None)
        spent = _milliseconds(meta.get("duration_seconds"))
        return said, "error" if failed else "ok", spent
    return said, *_header(said, failed)


def _header(said: str, failed: bool) -> tuple[str, int | None]:
    """What the lines before the output say; those of a patch come after a first `Output:`."""
    spent, last = None, ""
    for line in said[:400].split("\n"):
        if last == "Output:" and not line.startswith("Exit code: "):
            break
        for mark in ("Process exited with code ", "Exit code: "):
            if line.startswith(mark) and line[len(mark) :].strip() != "0":
                failed = True
        if line.startswith("Wall time: "):
            spent = _milliseconds(line.removeprefix("Wall time: ").partition(" ")[0])
        if line == "aborted by user":
            return "interrupted", spent
        last = line
    return "error" if failed or said.startswith(_FAILED) else "ok", spent


def _milliseconds(seconds: Any) -> int | None:
    try:
        return read_.whole(float(seconds) * 1000)
    except (TypeError, ValueError, OverflowError):
        return None


def _summary(message: Any) -> str:
    said = _text(message)
    return said.partition("\n")[2] if said.startswith(_HANDOVER) else said


def _texts(value: Any) -> list[str]:
    """The texts in a message's content: a text, a part, or a list of both."""
    parts = value if isinstance(value, list) else [value]
    found = [p if isinstance(p, str) else read_.table(p).get("text") for p in parts]
    return [t for t in found if isinstance(t, str)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


# -- tokens


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded.count`.

    Input is with what the cache gave and took, output with reasoning. A request counts by the running total after it,
    which two records name: a rollout is not read for its last total, since a fork's goes on from its parent's. After a
    compaction the total is repeated beside an estimate of what is left.
    """
    payload = read_.table(record.get("payload"))
    if record.get("type") == "session_meta" and not source.name:
        tally.name(version=read_.word(payload.get("cli_version")))
    elif record.get("type") == "turn_context" and not source.name:
        tally.name(model=read_.word(payload.get("model")))
    elif usage := _usage(record):
        last, total = usage
        given, out = _amount(last, "input_tokens"), _amount(last, "output_tokens")
        read, wrote = _amount(last, "cached_input_tokens"), _amount(last, "cache_write_input_tokens")
        if given or out:
            names = ("input_tokens", "cached_input_tokens", "output_tokens", "total_tokens")
            key = ":".join([source.name, *(str(_amount(total, name)) for name in names)])
            tokens = {
                "input_tokens": max(0, given - read - wrote),
                "cache_read_tokens": read,
                "cache_write_tokens": wrote,
                "output_tokens": out,
                "reasoning_tokens": _amount(last, "reasoning_output_tokens"),
            }
            tally.message(key, transcripts.stamp(record), read_.word(record.get("model")), tokens)


def _usage(record: Doc) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """What a request took, and the running total after it; None for a record of something else."""
    payload = read_.table(record.get("payload"))
    if record.get("type") == "token_usage_record":
        last, total = payload.get("usage"), payload.get("thread_token_usage")
    else:
        info = read_.table(payload.get("info")) if payload.get("type") == "token_count" else {}
        last, total = info.get("last_token_usage"), info.get("total_token_usage")
    return (last, total) if isinstance(last, dict) and isinstance(total, dict) else None


def _amount(usage: Mapping[str, Any], name: str) -> int:
    return read_.whole(usage.get(name)) or 0
