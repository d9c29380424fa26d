"""Claude Code: what its hook payloads and its transcripts say.

Payload fields and hook names are those of Claude Code 2.1.329, seen live, and of its hooks reference
(https://code.claude.com/docs/en/hooks); transcripts from 2.0.74 on. Other agents run Claude's hooks as well (Copilot
CLI, Cursor, Droid): those calls are told by payload and environment. Nothing of the environment is stored but the
version that Claude names itself by.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Capture, Found, Item, Source
from git_agent_session.ids import event_id_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "claude-code"
TITLE = "Claude Code"
# the variable that holds the process which writes the transcript
PID = "CLAUDE_PID"
# an interrupt and an error of the API reach no hook
TELLS = ("error", "interrupt")
SUBAGENTS = 1000

# turns that the harness starts in the user's name (`promptSource: "system"` in the transcript)
_HARNESS = (
    *("<task-notification", "<system-reminder", "<local-command", "<command-name", "<command-message"),
    *("<bash-stdout", "<bash-input", "<teammate-message", "<ide_", "Caveat: The messages below"),
)
# keys that only payloads of other agents have
_FOREIGN = ("sessionId", "conversation_id", "generation_id", "cursor_version", "toolName", "timestamp", "turn_id")
# set by other agents that run Claude's hooks
_FOREIGN_VARIABLES = (
    *("COPILOT_CLI", "COPILOT_PROJECT_DIR", "CURSOR_AGENT", "CURSOR_VERSION"),
    *("DROID_PROJECT_DIR", "FACTORY_PROJECT_DIR", "GEMINI_PROJECT_DIR"),
)
_WRITERS = ("Write", "Edit", "MultiEdit", "NotebookEdit")


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`."""
    return read_.word(payload.get("session_id"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    if read is None or not native_id(payload):
        return None
    capture = read_.begin(native_id(payload), payload.get("transcript_path"))
    capture.agent = read_.filled(version=_version(env), model=read_.word(payload.get("model")))
    read(capture, payload, worktree)
    return capture


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """Where the agent was started, then where it is; of two worktrees of a repository the one that it is in counts."""
    return read_.absolute(env.get("CLAUDE_PROJECT_DIR"), payload.get("cwd"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when the real Claude Code made this call.

    It alone sets both variables; an agent started from Claude's shell inherits them, with another session's id.
    Versions that set neither are known by their transcript's place, `…/projects/<folder>/<session id>.jsonl`.
    """
    if any(key in payload for key in _FOREIGN):
        return False
    own_id = payload.get("session_id")
    if not isinstance(own_id, str) or env.get("CLAUDE_CODE_SESSION_ID", own_id) != own_id:
        return False
    if env.get("CLAUDECODE") and env.get("CLAUDE_CODE_CHILD_SESSION"):
        return True
    path = payload.get("transcript_path")
    if any(env.get(name) for name in _FOREIGN_VARIABLES) or not isinstance(path, str):
        return False
    folder, name = os.path.split(path)
    return name == f"{own_id}.jsonl" and os.path.basename(os.path.dirname(folder)) == "projects"


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    # a compaction starts no run, it goes on within one
    capture.begins = payload.get("source") != "compact"
    # a fork's transcript opens with a copy of the other session's
    capture.forked = payload.get("source") == "fork"


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    said = read_.text(payload.get("prompt"))
    if said and not said.lstrip().startswith(_HARNESS):
        read_.prompt(capture, read_.turn_id("prompt", read_.word(payload.get("prompt_id")), said), said)


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if payload.get("tool_name") == "Bash":
        capture.shell = "before"


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given, response = read_.table(payload.get("tool_input")), read_.table(payload.get("tool_response"))
    failed = payload.get("hook_event_name") == "PostToolUseFailure"
    stopped = payload.get("is_interrupt") is True or response.get("interrupted") is True
    name = read_.word(payload.get("tool_name")) or "unknown"
    data: Doc = {
        "name": name,
        "paths": read_.paths(given, worktree),
        "duration_ms": read_.whole(payload.get("duration_ms")),
        "outcome": "interrupted" if stopped else "error" if failed else "ok",
        "summary": read_.summary(given),
        "agent_id": read_.word(payload.get("agent_id")),
    }
    if failed:
        data["error"] = read_.text(payload.get("error"), read_.ERROR)
    elif name in _WRITERS:
        capture.wrote = read_.paths(given, worktree)
    capture.add(read_.tool_id(payload.get("tool_use_id")), "tool", data)


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if said := read_.text(payload.get("last_assistant_message")):
        read_.answer(capture, read_.turn_id("answer", read_.word(payload.get("prompt_id")), said), said)


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    agent_id, kind = read_.word(payload.get("agent_id")), read_.word(payload.get("agent_type"))
    if not agent_id or not kind:
        return  # compaction runs agents of its own, without a type
    action = "start" if payload.get("hook_event_name") == "SubagentStart" else "stop"
    data = {"action": action, "agent_id": agent_id, "type": kind}
    capture.add(event_id_from("agent", action, agent_id, read_.word(payload.get("prompt_id"))), "agent", data)


def _compacted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    summary = read_.text(payload.get("compact_summary"))
    data = {"trigger": read_.word(payload.get("trigger")), "summary": summary}
    capture.add(read_.turn_id("compact", read_.word(payload.get("prompt_id")), summary), "compact", data)


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PostToolUse": _tool,
    "PostToolUseFailure": _tool,
    "Stop": _stop,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "PostCompact": _compacted,
    "SessionEnd": read_.session_end,
}
# the hooks to ask Claude for
HOOKS = tuple(_EVENTS)


def _version(env: Mapping[str, str]) -> str:
    """`claude-code_2-1-329_harness` names its version."""
    name, _, rest = env.get("AI_AGENT", "").partition("_")
    numbers = rest.partition("_")[0].split("-")
    return ".".join(numbers) if name == NAME and len(numbers) == 3 and all(n.isdecimal() for n in numbers) else ""


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`. The time limit: without one Claude ends SessionEnd hooks after 1.5 seconds."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="claude",
        home=("CLAUDE_CONFIG_DIR", ".claude"),
        files={"project": ".claude/settings.json", "local": ".claude/settings.local.json", "user": "settings.json"},
        form="groups",
        events=HOOKS,
        handler=lambda command, event: {"type": "command", "command": command, "timeout": 20},
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["claude", "--resume", native_id]


# -- transcripts

_TOKENS = (
    ("input_tokens", "input_tokens"),
    ("output_tokens", "output_tokens"),
    ("cache_read_tokens", "cache_read_input_tokens"),
    ("cache_write_tokens", "cache_creation_input_tokens"),
)
# what a record is when it says something of the work; the rest Claude writes for itself
_KEPT = ("user", "assistant", "summary", "system", "pr-link")
# a record's fields that repeat in every one, or hold whole files
_DROPPED = ("toolUseResult", "thinkingMetadata", "todos", "permissionMode", "userType", "slug", "entrypoint")


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: subagents' transcripts lie in a folder beside the session's own."""
    projects = os.path.realpath(os.path.join(_home(env), "projects"))
    real = os.path.realpath(path)
    below = os.path.relpath(real, projects).split(os.sep)
    if len(below) != 2 or below[0] == os.pardir or not real.endswith(".jsonl"):
        raise ValueError("the transcript does not lie in Claude's own folder: it is not read")
    folder = os.path.join(real.removesuffix(".jsonl"), "subagents")
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".jsonl"))
    except OSError:
        names = []
    inner = [Source(n.removeprefix("agent-").removesuffix(".jsonl"), os.path.join(folder, n)) for n in names]
    return [Source("", real), *inner[:SUBAGENTS]]


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    if record.get("type") not in _KEPT or record.get("isMeta") is True:
        return None
    if record.get("type") == "system" and record.get("subtype") not in ("compact_boundary", "api_error"):
        return None
    return {k: v for k, v in record.items() if k not in _DROPPED}


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    own_id, at = read_.word(record.get("uuid")), read_.instant(record.get("timestamp"))
    message = read_.table(record.get("message"))
    if record.get("isMeta") is True:
        return
    if record.get("isApiErrorMessage") is True:
        yield Item("error", own_id, at, read_.plain(message.get("content")))
    elif record.get("type") == "assistant":
        yield from _assistant(message, own_id, at)
    elif record.get("type") == "user":
        yield from _user(record, message, own_id, at)


def _assistant(message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    for n, block in enumerate(read_.blocks(message.get("content"))):
        kind = block.get("type")
        block_id = f"{own_id}.{n}" if n else own_id
        if kind == "text" and (said := read_.prose(block.get("text"))):
            yield Item("answer", block_id, at, said)
        elif kind == "thinking" and isinstance(block.get("thinking"), str) and block["thinking"]:
            yield Item("thinking", block_id, at, block["thinking"])
        elif kind == "tool_use":
            name, given = read_.word(block.get("name")), read_.table(block.get("input"))
            yield Item("call", read_.word(block.get("id")), at, name=name, input=given)


def _user(record: Doc, message: Mapping[str, Any], own_id: str, at: str) -> Iterator[Item]:
    blocks = read_.blocks(message.get("content"))
    said = read_.plain([block for block in blocks if not str(block.get("text", "")).lstrip().startswith(_HARNESS)])
    if record.get("isCompactSummary") is True:
        yield Item("compact", own_id, at, said)
    elif said.startswith("[Request interrupted by user"):
        yield Item("interrupt", own_id, at)
    elif said and record.get("promptSource") != "system":
        yield Item("prompt", own_id, at, said)
    for block in blocks:
        if block.get("type") == "tool_result":
            outcome = "error" if block.get("is_error") is True else "ok"
            yield Item(
                "result", read_.word(block.get("tool_use_id")), at, read_.plain(block.get("content")), outcome=outcome
            )


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`.

    One record for each content block repeats its message's usage, so a message counts once, by (message id, request
    id), and the last record wins. Input is without what the cache gave and took, output with reasoning.
    """
    if record.get("type") == "cost-state" and not source.name:
        total, start = record.get("totalCostUSD"), record.get("startTime")
        if isinstance(total, int | float):
            tally.total_cost(total, start if isinstance(start, int) else 0)
        return
    message = record.get("message")
    if record.get("type") != "assistant" or not isinstance(message, dict):
        return
    model, usage = read_.word(message.get("model")), message.get("usage")
    if isinstance(usage, dict):
        key = f"{message.get('id') or record.get('uuid')}:{record.get('requestId') or ''}"[:400]
        at = record.get("timestamp")
        tokens = {ours: usage.get(theirs) or 0 for ours, theirs in _TOKENS}
        tally.message(key, at if isinstance(at, str) else "", "" if model.startswith("<") else model, tokens)
    if not source.name and record.get("isSidechain") is not True:
        tally.name(model=model, version=read_.word(record.get("version")))


# -- what there was before


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`. A folder is named after the path that Claude was started in, signs made dashes."""
    from git_agent_session.agents.history import below, named, where

    for folder in named(os.path.join(_home(env), "projects"), location, _folder):
        for path, modified in below(folder, ".jsonl"):
            if where(path, "cwd", location):
                yield Found(os.path.basename(path).removesuffix(".jsonl"), path, modified)


def _folder(path: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in path)


def _home(env: Mapping[str, str]) -> str:
    return env.get("CLAUDE_CONFIG_DIR") or os.path.join(os.path.expanduser("~"), ".claude")
