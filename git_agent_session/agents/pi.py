"""Pi: what our extension in it says, as events; its transcripts; where the extension goes.

Pi has no command hooks: an extension (plugins/pi.ts) watches it and calls ours. Events, fields and the transcript's
format (version 3, a tree of entries in one file of JSON lines) are those of Pi 0.74.2 and 0.87.1, seen live, and of its
docs/session-format.md.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Capture, Found, Item, Source
from git_agent_session.ids import event_id_from, is_event_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "pi"
TITLE = "Pi"
# the variable, set by the extension, that holds the process which writes the transcript
PID = "PI_PID"
# an error that Pi tries again and an interrupt stand in the transcript alone
TELLS = ("error", "interrupt")

_WRITERS = ("write", "edit")


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`."""
    return read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True for a call of our extension."""
    return payload.get("agent") == NAME and bool(native_id(payload))


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """The folder that Pi works in."""
    return read_.absolute(payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    own_id = native_id(payload)
    if read is None or not own_id:
        return None
    capture = read_.begin(own_id, payload.get("transcript_path"), read_.instant(payload.get("timestamp")))
    capture.agent = read_.filled(version=read_.word(payload.get("version")), model=read_.word(payload.get("model")))
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    reason, parent = payload.get("reason"), payload.get("parent_session")
    capture.settle = capture.begins = True
    capture.parent = _id_of(parent) if isinstance(parent, str) else ""
    # a session that was started anew from within another names it too, but copies nothing
    capture.forked = reason == "fork" or (bool(capture.parent) and reason != "new")


def _id_of(path: str) -> str:
    """The session's id in a transcript's name, `<time>_<id>.jsonl`."""
    name = os.path.basename(path.replace("\\", "/"))
    own_id = name.removesuffix(".jsonl").partition("_")[2]
    return own_id if name.endswith(".jsonl") and is_event_id(own_id) else ""


def _input(capture: Capture, payload: Payload, worktree: str | None) -> None:
    said = read_.text(payload.get("text"))
    if said and payload.get("source") != "extension":
        read_.prompt(capture, _id("prompt", capture, said), said)


def _tool_call(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.shell = "before"
    capture.command = read_.text(payload.get("command"))


def _tool_result(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given, name = read_.table(payload.get("input")), read_.word(payload.get("tool")) or "unknown"
    failed, path, cwd = payload.get("failed") is True, given.get("path"), payload.get("cwd")
    # Pi takes paths from its own folder, not from the worktree's top
    if isinstance(path, str) and path and isinstance(cwd, str) and os.path.isabs(cwd):
        paths = read_.paths({"path": os.path.join(cwd, os.path.expanduser(path))}, worktree)
    else:
        paths = read_.paths(given, worktree)
    data: Doc = {
        "name": name,
        "paths": paths,
        "duration_ms": read_.whole(payload.get("duration_ms")),
        "outcome": "interrupted" if payload.get("interrupted") is True else "error" if failed else "ok",
        "summary": read_.summary(given),
        "error": read_.text(payload.get("error"), read_.ERROR),
    }
    if isinstance(given.get("command"), str):
        capture.shell = "after"
        capture.command, capture.output = read_.text(given["command"]), read_.text(payload.get("output"))
    elif name in _WRITERS and not failed:
        capture.wrote = paths
    # some models number their calls anew in each turn
    capture.add(read_.tool_id(payload.get("call_id"), capture.at), "tool", data)


def _agent_end(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if said := read_.text(payload.get("text")):
        read_.answer(capture, _id("answer", capture, said), said)


def _compacted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    summary, entry = read_.text(payload.get("text")), read_.word(payload.get("entry_id"))
    data = {"trigger": read_.word(payload.get("trigger")), "summary": summary}
    event_id = event_id_from("compact", capture.native_id, entry) if entry else _id("compact", capture, summary)
    capture.add(event_id, "compact", data)


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "session_start": _session_start,
    "input": _input,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "agent_end": _agent_end,
    "session_compact": _compacted,
    "session_shutdown": read_.session_end,
}
# what the extension tells
HOOKS = tuple(_EVENTS)


def _id(what: str, capture: Capture, said: str) -> str:
    """The event id of a text: Pi gives none to extensions, so the time that ours took it stands for one."""
    return read_.turn_id(what, f"{capture.native_id}-{capture.at}", said)


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="pi",
        home=("PI_CODING_AGENT_DIR", ".pi/agent"),
        files={"project": ".pi/extensions/git-agent-session.ts", "user": "extensions/git-agent-session.ts"},
        form="file",
        events=HOOKS,
        content=_extension,
        hint="Start Pi anew or type /reload; a project's extensions are loaded once Pi trusts the project.",
    )


def _extension(command: str) -> str:
    """The extension's text. It finds and runs the command itself: without a shell between them, on Windows too."""
    from git_agent_session.agents import plugins

    return plugins.text(NAME, "pi.ts")


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["pi", "--session", native_id]


# -- transcripts

_TOKENS = (
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("cache_read_tokens", "cacheRead"),
    ("cache_write_tokens", "cacheWrite"),
    ("reasoning_tokens", "reasoning"),
)
# entries that say nothing of the work: what extensions keep, bookmarks, what leaves the model's context
_OWN = ("custom", "label", "context_edit", "thinking_level_change")
# of a message: whole diffs and files beside its content, and what the provider needs to see again
_DROPPED = ("details", "toolsAdded", "sections", "responseId")


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: one file holds all of a session."""
    real, folder = os.path.realpath(path), env.get("PI_CODING_AGENT_SESSION_DIR")
    homes = [os.path.join(_home(env), "sessions"), *([folder] if folder else [])]
    below = [os.path.relpath(real, os.path.realpath(home)).split(os.sep) for home in homes if _same_drive(real, home)]
    if not real.endswith(".jsonl") or not any(len(p) <= 2 and p[0] not in (os.pardir, os.curdir) for p in below):
        raise ValueError("the transcript does not lie in Pi's own folder: it is not read")
    return [Source("", real)]


def _same_drive(path: str, other: str) -> bool:
    return os.path.splitdrive(path)[0] == os.path.splitdrive(os.path.realpath(other))[0]


def _home(env: Mapping[str, str]) -> str:
    return env.get("PI_CODING_AGENT_DIR") or os.path.join(os.path.expanduser("~"), ".pi", "agent")


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`: without system prompts and what extensions keep."""
    message = record.get("message")
    if record.get("type") in _OWN or read_.table(message).get("role") == "system":
        return None
    left = {k: v for k, v in record.items() if k not in ("systemMessage", "details")}
    if isinstance(message, dict):
        left["message"] = {k: v for k, v in message.items() if k not in _DROPPED}
    return left


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`: in the file's order, branches that were left as well."""
    own_id, at = read_.word(record.get("id")), read_.instant(record.get("timestamp"))
    kind, message = record.get("type"), read_.table(record.get("message"))
    if kind == "message":
        yield from _message(message, own_id, at)
    elif kind == "compaction":
        yield Item("compact", own_id, at, record["summary"] if _is_text(record, "summary") else "")
    elif kind == "model_change" and (name := read_.word(record.get("modelId"))):
        yield Item("model", own_id, at, name=name)


def _is_text(of: Mapping[str, Any], key: str) -> bool:
    return isinstance(of.get(key), str)


def _message(message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    role = message.get("role")
    if role == "user" and (said := read_.plain(message.get("content"))).strip():
        yield Item("prompt", own_id, at, said)
    elif role == "assistant":
        yield from _answer(message, own_id, at)
    elif role == "toolResult":
        outcome = "error" if message.get("isError") is True else "ok"
        call = read_.word(message.get("toolCallId"))
        yield Item("result", call, at, read_.plain(message.get("content")), outcome=outcome)
    elif role == "bashExecution" and _is_text(message, "command"):
        # a command of the user's own
        yield Item("call", own_id, at, name="bash", input={"command": message["command"]})
        outcome = "interrupted" if message.get("cancelled") is True else "error" if message.get("exitCode") else "ok"
        yield Item("result", own_id, at, message["output"] if _is_text(message, "output") else "", outcome=outcome)


def _answer(message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    for n, block in enumerate(read_.blocks(message.get("content"))):
        kind, block_id = block.get("type"), f"{own_id}.{n}" if n else own_id
        if kind == "text" and (said := read_.prose(block.get("text"))):
            yield Item("answer", block_id, at, said)
        elif kind == "thinking" and (said := read_.prose(block.get("thinking"))):
            yield Item("thinking", block_id, at, said)
        elif kind == "toolCall":
            name, given = read_.word(block.get("name")), read_.table(block.get("arguments"))
            yield Item("call", read_.word(block.get("id")), at, name=name, input=given)
    if message.get("stopReason") == "error":
        yield Item("error", f"{own_id}.error", at, read_.text(message.get("errorMessage")))
    elif message.get("stopReason") == "aborted":
        yield Item("interrupt", f"{own_id}.interrupt", at)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`: input is without the cache, output with reasoning; a fork copies entries with their ids.

    Besides answers, summaries, tools of extensions and the warming of a cache have usage.
    """
    message = read_.table(record.get("message"))
    model = read_.word(message.get("model")) or read_.word(record.get("model"))
    usage, at = read_.table(message.get("usage") or record.get("usage")), record.get("timestamp")
    at = at if isinstance(at, str) else ""
    tokens = {ours: read_.whole(usage.get(theirs)) or 0 for ours, theirs in _TOKENS}
    if any(tokens.values()):
        key = f"{read_.word(record.get('id'))}:{at[:40]}"
        tally.message(key, at, model, tokens)
        cost = read_.table(usage.get("cost")).get("total")
        # 0 where Pi knows no price
        if isinstance(cost, int | float) and cost > 0:
            tally.cost(key, at, float(cost))
    if message.get("role") == "assistant" and model:
        tally.name(model=model)


# -- what there was before


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`. A folder is named after the path that Pi was started in, between dashes."""
    from git_agent_session.agents.history import belongs, below, first, named

    sessions = os.path.join(_home(env), "sessions")
    folders = [*named(sessions, location, _folder), *([s] if (s := env.get("PI_CODING_AGENT_SESSION_DIR")) else [])]
    for folder in folders:
        for path, modified in below(folder, ".jsonl"):
            own_id, cwd = first(path, "id", "cwd")
            if isinstance(own_id, str) and is_event_id(own_id) and belongs(cwd, location):
                yield Found(own_id, path, modified)


def _folder(path: str) -> str:
    return "--" + path.lstrip("/\\").translate(dict.fromkeys(map(ord, "/\\:"), "-"))
