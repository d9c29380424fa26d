"""Claude Code: what its hook payloads say, as events. A pure function of payload and environment.

Payload fields and hook names are those of Claude Code 2.1.329, seen live, and of its hooks reference
(https://code.claude.com/docs/en/hooks). Other agents run Claude's hooks as well (Copilot CLI, Cursor, Droid): those
calls are told by the environment and refused. Nothing of the environment is stored but the version that Claude names
itself by. Transcripts are `claude_transcript`'s.
"""

from __future__ import annotations

import os
from binascii import crc32

from git_agent_session import live
from git_agent_session.agents.protocol import Capture
from git_agent_session.codec import clean
from git_agent_session.ids import event_id_from, new_event_id, timestamp
from git_agent_session.redact.engine import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import UsageReader
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "claude-code"

# characters; what is longer is cut, and says so
TEXT = 256 * 1024
SUMMARY = 2 * 1024
ERROR = 1024
PATH = 1024
TITLE = 120

# turns that the harness starts in the user's name (`promptSource: "system"` in the transcript)
_HARNESS = (
    "<task-notification",
    "<system-reminder",
    "<local-command",
    "<command-name",
    "<command-message",
    "<bash-stdout",
    "<teammate-message",
)
# keys that only payloads of other agents have
_FOREIGN = ("sessionId", "conversation_id", "generation_id", "cursor_version", "toolName", "timestamp", "turn_id")
# set by other agents that run Claude's hooks
_FOREIGN_VARIABLES = (
    "COPILOT_CLI",
    "COPILOT_PROJECT_DIR",
    "CURSOR_AGENT",
    "CURSOR_VERSION",
    "DROID_PROJECT_DIR",
    "FACTORY_PROJECT_DIR",
    "GEMINI_PROJECT_DIR",
)
_PATH_KEYS = ("file_path", "notebook_path", "path")
_SUMMARY_KEYS = ("command", "pattern", "query", "url", "skill", "description", "subject", "subagent_type", "prompt")
# reasons of SessionEnd that are no normal end; all others are
_END_STATUS = (
    ("error", "error"),
    ("crash", "error"),
    ("fail", "error"),
    ("interrupt", "aborted"),
    ("abort", "aborted"),
)


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """What one hook call says; None for another agent's call and for one that says nothing. Never raises on content."""
    native_id, event = payload.get("session_id"), payload.get("hook_event_name")
    if not isinstance(event, str) or not isinstance(native_id, str) or not is_own(payload, env):
        return None
    read = _EVENTS.get(event)
    if read is None:
        return None
    capture = Capture(native_id, timestamp())
    capture.agent = {k: v for k, v in (("version", _version(env)), ("model", _word(payload.get("model")))) if v}
    path = payload.get("transcript_path")
    if isinstance(path, str) and 0 < len(path) < 4096 and path.isprintable():
        capture.notes["transcript"] = path
    read(capture, payload, worktree)
    return capture


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """Where the call may belong, the likeliest first: where the agent was started, then where it is.

    Where both are worktrees of one repository, the one that it is in counts.
    """
    given = (env.get("CLAUDE_PROJECT_DIR"), payload.get("cwd"))
    return [folder for folder in given if isinstance(folder, str) and os.path.isabs(folder) and "\x00" not in folder]


def began(payload: Payload, location: Location) -> bool:
    """True when the agent's session is known in this repository."""
    native_id = payload.get("session_id")
    return isinstance(native_id, str) and live.native(location.shared, NAME, native_id) is not None


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when the real Claude Code made this call.

    It alone sets both variables; an agent started from Claude's shell inherits them, with another session's id.
    Versions that set neither are known by their transcript's place, `…/projects/<folder>/<session id>.jsonl`.
    """
    if any(key in payload for key in _FOREIGN):
        return False
    native_id = payload.get("session_id")
    if env.get("CLAUDE_CODE_SESSION_ID", native_id) != native_id:
        return False
    if env.get("CLAUDECODE") and env.get("CLAUDE_CODE_CHILD_SESSION"):
        return True
    path = payload.get("transcript_path")
    if any(env.get(name) for name in _FOREIGN_VARIABLES) or not isinstance(path, str):
        return False
    folder, name = os.path.split(path)
    return name == f"{native_id}.jsonl" and os.path.basename(os.path.dirname(folder)) == "projects"


def usage_reader(transcript: str, env: Mapping[str, str]) -> UsageReader:
    """The reader of the transcript at this path. Raises ValueError when the path is not one of Claude's."""
    from git_agent_session.agents.claude_transcript import Transcript

    return Transcript(transcript, env)


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    # a compaction starts no run, it goes on within one
    capture.begins = payload.get("source") != "compact"
    # a fork's transcript opens with a copy of the other session's
    capture.forked = payload.get("source") == "fork"


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    text = _text(payload.get("prompt"), TEXT)
    if not text or text.lstrip().startswith(_HARNESS):
        return
    capture.prompts = True
    capture.title = _title(text)
    capture.add(_id(payload, "prompt", text), "message", {"role": "user", "text": text})


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given = payload.get("tool_input")
    given = given if isinstance(given, dict) else {}
    response = payload.get("tool_response")
    failed = payload.get("hook_event_name") == "PostToolUseFailure"
    response = response if isinstance(response, dict) else {}
    stopped = payload.get("is_interrupt") is True or response.get("interrupted") is True
    data: Doc = {
        "name": _word(payload.get("tool_name")) or "unknown",
        "paths": _paths(given, worktree),
        "duration_ms": _whole(payload.get("duration_ms")),
        "outcome": "interrupted" if stopped else "error" if failed else "ok",
        "summary": next((s for key in _SUMMARY_KEYS if (s := _text(given.get(key), SUMMARY))), ""),
        "agent_id": _word(payload.get("agent_id")),
    }
    if failed:
        data["error"] = _text(payload.get("error"), ERROR)
    used = _word(payload.get("tool_use_id"))
    capture.add(event_id_from("tool", used) if used else new_event_id(), "tool", data)


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if text := _text(payload.get("last_assistant_message"), TEXT):
        capture.add(_id(payload, "answer", text), "message", {"role": "assistant", "text": text})


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    agent_id, kind = _word(payload.get("agent_id")), _word(payload.get("agent_type"))
    if not agent_id or not kind:
        return  # compaction runs agents of its own, without a type
    action = "start" if payload.get("hook_event_name") == "SubagentStart" else "stop"
    data = {"action": action, "agent_id": agent_id, "type": kind}
    capture.add(event_id_from("agent", action, agent_id, _word(payload.get("prompt_id"))), "agent", data)


def _compacted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    summary = _text(payload.get("compact_summary"), TEXT)
    data = {"trigger": _word(payload.get("trigger")), "summary": summary}
    capture.add(_id(payload, "compact", summary), "compact", data)


def _session_end(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    capture.reason = _word(payload.get("reason")) or "other"
    capture.ends = next((status for word, status in _END_STATUS if word in capture.reason.lower()), "completed")


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PostToolUse": _tool,
    "PostToolUseFailure": _tool,
    "Stop": _stop,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "PostCompact": _compacted,
    "SessionEnd": _session_end,
}
# the hooks to ask Claude for
HOOKS = tuple(_EVENTS)


def _id(payload: Payload, what: str, text: str) -> str:
    """The id of what a turn says: a prompt id can carry several texts, such as one for each forced turn."""
    turn = _word(payload.get("prompt_id"))
    return event_id_from(what, turn, f"{crc32(text.encode('utf-8', 'replace')):08x}") if turn else new_event_id()


def _text(value: object, limit: int) -> str:
    """`value` cleaned, without secrets, at most `limit` characters; "" when it is no text."""
    if not isinstance(value, str) or not value:
        return ""
    # more than is kept, so that a secret which the cut would halve is still known as one
    out = redact(clean(value[: 2 * limit], 2 * limit))
    if len(value) <= 2 * limit:
        return clean(out, limit)
    return f"{out[:limit]}… [cut: {len(value) - limit} characters]"


def _word(value: object, limit: int = 200) -> str:
    """A name of the agent's own, such as an id or a model; "" when it is none."""
    return " ".join(clean(value, limit).split()) if isinstance(value, str) and len(value) <= limit else ""


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        return None
    return int(value)


def _title(text: str) -> str:
    line = " ".join(text.strip().partition("\n")[0].split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rstrip() + "…"


def _version(env: Mapping[str, str]) -> str:
    """`claude-code_2-1-329_harness` names its version."""
    name, _, rest = env.get("AI_AGENT", "").partition("_")
    numbers = rest.partition("_")[0].split("-")
    return ".".join(numbers) if name == NAME and len(numbers) == 3 and all(n.isdecimal() for n in numbers) else ""


def _paths(given: Mapping[str, Any], worktree: str | None) -> list[str]:
    found = []
    for key in _PATH_KEYS:
        path = given.get(key)
        if isinstance(path, str) and path and "\x00" not in path:
            found.append(_text(_relative(path, worktree), PATH))
    return found


def _relative(path: str, worktree: str | None) -> str:
    """`path` from the worktree's top; outside of it from the home folder, whose name is not for others."""
    if not os.path.isabs(path):
        return path
    path = os.path.normpath(path)
    for top, mark in ((worktree, ""), (os.path.expanduser("~"), "~/")):
        for base in dict.fromkeys((top, os.path.realpath(top))) if top and top != os.sep else ():
            if path == base:
                return mark.rstrip("/") or "."
            if path.startswith(base.rstrip(os.sep) + os.sep):
                return (mark + path[len(base.rstrip(os.sep)) + 1 :]).replace(os.sep, "/")
    return path
