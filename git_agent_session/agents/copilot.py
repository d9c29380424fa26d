"""GitHub Copilot CLI: what its hook payloads say. What its transcripts say is `copilot_events`'.

Payloads are those of Copilot CLI 1.0.102, seen live. They come in two forms: hooks under Copilot's own names
(`postToolUse`) are sent camelCase keys, Copilot's tool names and no name of the event; hooks under Claude's names
(`PostToolUse`), those in `.claude/settings.json` too, snake_case keys and Claude's tool names. Both carry the same
instant, so a call that is delivered in both forms makes the same event with the same id.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.ids import event_id_from, is_event_id, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Capture, Found, Item, Source, Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "copilot"
TITLE = "Copilot CLI"
# no payload carries what Copilot answered, what a compaction left or that the user interrupted
TELLS = ("answer", "compact", "interrupt")
# the hooks to ask Copilot for
HOOKS = (
    *("sessionStart", "userPromptSubmitted", "preToolUse", "postToolUse", "postToolUseFailure"),
    *("agentStop", "subagentStart", "subagentStop", "errorOccurred", "sessionEnd"),
)

# keys that only payloads of other agents have
_FOREIGN = ("conversation_id", "generation_id", "cursor_version", "turn_id", "prompt_id")
# a tool is known by one name, whichever of its names a form has; several of Copilot's share one of Claude's
_TOOLS = {
    **dict.fromkeys(("Edit", "MultiEdit", "apply_patch", "str_replace_editor"), "edit"),
    **dict.fromkeys(("Bash", "powershell"), "bash"),
    **dict.fromkeys(("Grep", "rg"), "grep"),
    **dict.fromkeys(("Agent", "Task"), "task"),
    "Write": "create",
    "Read": "view",
    "Glob": "glob",
    "WebFetch": "web_fetch",
    "WebSearch": "web_search",
    "TodoWrite": "update_todo",
    "AskUserQuestion": "ask_user",
}
_WRITERS = ("create", "edit")
_SHELL = "bash"


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`. A subagent's calls carry its own id in the session's place, and its parent's beside it."""
    own_id, agent_id = read_.word(_get(payload, "session_id")), read_.word(_get(payload, "agent_id"))
    if not agent_id:
        return own_id
    path = _get(payload, "transcript_path")
    folder, name = os.path.split(path.replace("\\", "/")) if isinstance(path, str) else ("", "")
    if name == "events.jsonl" and is_event_id(os.path.basename(folder)):
        return os.path.basename(folder)
    return own_id if agent_id != own_id else read_.word(_get(payload, "parent_agent_id")) or own_id


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when Copilot made this call: it stamps its payloads, and names the project to hooks, not to its shell."""
    if not native_id(payload) or any(key in payload for key in _FOREIGN):
        return False
    at = payload.get("timestamp")
    if "sessionId" in payload:
        return read_.whole(at) is not None
    path = payload.get("transcript_path")
    elsewhere = isinstance(path, str) and os.path.basename(path.replace("\\", "/")) != "events.jsonl"
    return isinstance(at, str) and bool(env.get("COPILOT_PROJECT_DIR")) and not elsewhere


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """Where Copilot was started, then where it is."""
    return read_.absolute(env.get("COPILOT_PROJECT_DIR"), payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`. Most calls name no transcript: its place follows from the session's id."""
    read = _EVENTS.get(_event(payload))
    own_id = native_id(payload)
    if read is None or not is_event_id(own_id):
        return None
    path = os.path.join(home(env), "session-state", own_id, "events.jsonl")
    if _inner(payload) and not os.path.isdir(os.path.dirname(path)):
        return None  # of a subagent's subagent: the session is not named
    given = _get(payload, "transcript_path")
    capture = read_.begin(own_id, given if isinstance(given, str) and given else path, _at(payload))
    version = read_.word(env.get("COPILOT_CLI_BINARY_VERSION"))
    capture.agent = {"version": version} if version else {}
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    capture.begins = True


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    said = read_.text(payload.get("prompt"))
    if said and not _inner(payload):
        read_.prompt(capture, _id("prompt", payload, said), said)


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if _tool_name(payload) == _SHELL:
        capture.shell = "before"
        capture.command = read_.text(_given(payload).get("command"))


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    name, given, result = _tool_name(payload), _given(payload), read_.table(_get(payload, "tool_result"))
    output = read_.text(_get(result, "text_result_for_llm"))
    error = _failure(payload, name, result, output)
    data: Doc = {
        "name": name,
        "paths": read_.located(_patched(given, payload), worktree) or read_.paths(given, worktree),
        "outcome": "error" if error else "ok",
        "summary": read_.summary(given),
        "error": error,
        "agent_id": read_.word(_get(payload, "agent_id")),
    }
    if name == _SHELL:
        capture.shell = "after"
        capture.command, capture.output = read_.text(given.get("command")), output
    elif name in _WRITERS and not error:
        capture.wrote = data["paths"]
    capture.add(_id("tool", payload, name + repr(sorted(given.items(), key=repr))), "tool", data)


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    # the end of a subagent's turn is told by another hook
    capture.settle = not _inner(payload)


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    agent_id = read_.word(_get(payload, "agent_id"))
    kind = read_.word(_get(payload, "agent_type")) or read_.word(_get(payload, "agent_name"))
    action = "stop" if _event(payload) == "SubagentStop" else "start"
    if agent_id:
        capture.add(
            event_id_from("agent", action, agent_id, _at(payload)),
            "agent",
            {"action": action, "agent_id": agent_id, "type": kind},
        )


def _error(capture: Capture, payload: Payload, worktree: str | None) -> None:
    error = payload.get("error")
    said = read_.text(read_.table(error).get("message") or error, read_.ERROR)
    data: Doc = {"text": said, "context": read_.word(_get(payload, "error_context"))}
    if payload.get("recoverable") is True:
        data["recoverable"] = True  # Copilot tries again
    capture.add(_id("error", payload, said), "error", data)


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _before_tool,
    "PostToolUse": _tool,
    "PostToolUseFailure": _tool,
    "Stop": _stop,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "ErrorOccurred": _error,
    "SessionEnd": read_.session_end,
}


def _event(payload: Payload) -> str:
    """What happened, by Claude's name for it; payloads that do not say so are told by their keys."""
    named = payload.get("hook_event_name")
    if isinstance(named, str):
        return named
    if "hookName" in payload or "transformedPrompt" in payload:
        return ""
    if "toolName" in payload:
        failed = "PostToolUseFailure" if "error" in payload else "PreToolUse"
        return "PostToolUse" if "toolResult" in payload else failed
    if "agentName" in payload:
        return "SubagentStop" if "stopReason" in payload else "SubagentStart"
    keys = (
        *(("reason", "SessionEnd"), ("error", "ErrorOccurred"), ("stopReason", "Stop")),
        *(("prompt", "UserPromptSubmit"), ("source", "SessionStart")),
    )
    return next((event for key, event in keys if key in payload), "")


def _get(values: Mapping[str, Any], key: str) -> Any:
    """The value under a key in either form. SubagentStart mixes both."""
    if key in values:
        return values[key]
    head, *rest = key.split("_")
    return values.get(head + "".join(part.capitalize() for part in rest))


def _inner(payload: Payload) -> bool:
    """True for a call that a subagent made itself; not for what is said of it."""
    agent_id = read_.word(_get(payload, "agent_id"))
    return bool(agent_id) and agent_id == read_.word(_get(payload, "session_id"))


def _at(payload: Payload) -> str:
    at = payload.get("timestamp")
    ms = read_.whole(at)
    # to the end of the year 9999
    return timestamp(ms * 1_000_000) if ms is not None and ms < 253_402_300_800_000 else read_.instant(at)


def _id(what: str, payload: Payload, said: str) -> str:
    """The event id of a call: payloads carry no ids, and a second delivery has the same time and content."""
    at = _at(payload)
    return read_.turn_id(what, f"{read_.word(_get(payload, 'session_id'))}-{at}" if at else "", said)


def _tool_name(payload: Payload) -> str:
    # Copilot's own form has `toolName`, the other one `tool_name`
    name = read_.word(_get(payload, "tool_name")) or "unknown"
    return _TOOLS.get(name, name)


def _given(payload: Payload) -> Mapping[str, Any]:
    """A tool's arguments; the form that Copilot's documents describe has them as a text of JSON."""
    given = payload.get("tool_input", payload.get("toolArgs"))
    if not isinstance(given, str):
        return read_.table(given)
    from git_agent_session.agents import plain_json

    try:
        return read_.table(plain_json.parse(given))
    except (ValueError, RecursionError):
        return {"input": given}


def _patched(given: Mapping[str, Any], payload: Payload) -> list[str]:
    """The files that a patch touches, which it names from where Copilot is."""
    patch = next((p for key in ("input", "patch") if isinstance(p := given.get(key), str) and p.startswith("***")), "")
    cwd = payload.get("cwd")
    return [os.path.join(cwd, p) if isinstance(cwd, str) else p for p in read_.patched(patch)]


def _failure(payload: Payload, name: str, result: Mapping[str, Any], output: str) -> str:
    """What went wrong with a tool call, "" for nothing. A command that failed counts as a success to Copilot."""
    if "error" in payload:
        error = payload["error"]
        return read_.text(read_.table(error).get("message") or error, read_.ERROR) or "failed"
    kind = _get(result, "result_type")
    if isinstance(kind, str) and kind != "success":
        return read_.text(output, read_.ERROR) or read_.word(kind) or "failed"
    return exit_of(output) if name == _SHELL else ""


def exit_of(output: str) -> str:
    """How a command failed, by the line that Copilot puts below its output; "" when it ended well."""
    last = output.rstrip().rpartition("\n")[2]
    code = last.rpartition("exit code ")[2].rstrip(">")
    failed = last.startswith("<") and last.endswith(">") and code.lstrip("-").isdecimal() and code != "0"
    return f"exit code {code}" if failed else ""


# -- settings, resuming


def home(env: Mapping[str, str]) -> str:
    """Copilot's own folder."""
    return env.get("COPILOT_HOME") or os.path.join(os.path.expanduser("~"), ".copilot")


def setup() -> Setup:
    """See `protocol.Installable`. Copilot reads every file in a folder of hooks: ours is one of our own."""
    from git_agent_session.agents.setup import Setup

    def handler(command: str, event: str) -> dict[str, Any]:
        entry = {"type": "command", "bash": command, "timeoutSec": 20}
        return {**entry, "matcher": "bash|powershell"} if event == "preToolUse" else entry

    return Setup(
        program="copilot",
        home=("COPILOT_HOME", ".copilot"),
        files={"project": ".github/hooks/git-agent-session.json", "user": "hooks/git-agent-session.json"},
        form="list",
        events=HOOKS,
        handler=handler,
        also={"version": 1},
        hint="Copilot runs a project's hooks only in a folder that it trusts: say yes when it asks",
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["copilot", f"--resume={native_id}"]


# -- transcripts: `copilot_events` has it all, and is not loaded for a hook


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: subagents are in the session's own file."""
    from git_agent_session.agents import copilot_events

    return copilot_events.sources(path, home(env))


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import copilot_events

    return copilot_events.kept(record)


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import copilot_events

    return copilot_events.items(record)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import copilot_events

    copilot_events.count(record, tally)


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`."""
    from git_agent_session.agents import copilot_events

    return copilot_events.found(location, home(env))
