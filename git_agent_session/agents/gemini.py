"""Gemini CLI: what its hook payloads and its transcripts, called chats, say.

Payloads are those of Gemini CLI 0.61.0, seen live, and of its hooks reference (docs/hooks/reference.md in its package).
They have times and no ids, so an event's id is made of session, time and content. PreCompress is not asked for: it runs
before every request to the model, and the chat tells of a real compaction. A tool call that Gemini refuses (unknown
tool, wrong arguments) reaches no hook either. Git hooks do not run in Gemini's shell, so its commands are bracketed.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Capture, Found, Item, Source, Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "gemini"
TITLE = "Gemini CLI"
# its shell runs git with `core.hooksPath=` (seen live, 0.61)
HOOKS_OFF = True
# none of these has a hook that says so
TELLS = ("compact", "error", "interrupt")
SHELL = "run_shell_command"

# keys that only payloads of other agents have
_FOREIGN = ("sessionId", "conversation_id", "generation_id", "cursor_version", "toolName", "turn_id", "prompt_id")
_WRITERS = ("write_file", "replace", "edit")
_PATH_KEYS = (*read_.PATH_KEYS, "dir_path")
_CANCELLED = ("Command was cancelled", "Command was automatically cancelled")
# characters at the end of a command's output in which Gemini says how it ended, and the lines that stand there
_FOOTER = 400
_FAILURES = ("Exit Code", "Signal", "Error")
_FOOTERS = (*_FAILURES, "Background PIDs", "Process Group PGID", "</untrusted_context>", "")


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`."""
    return read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when Gemini CLI made this call: it stamps its payloads, and names session and project to its hooks."""
    own_id = native_id(payload)
    if not own_id or not isinstance(payload.get("timestamp"), str) or any(key in payload for key in _FOREIGN):
        return False
    if env.get("GEMINI_SESSION_ID", own_id) != own_id:
        return False
    if env.get("GEMINI_SESSION_ID") or env.get("GEMINI_PROJECT_DIR"):
        return True
    path = payload.get("transcript_path")
    folder, name = os.path.split(path.replace("\\", "/")) if isinstance(path, str) else ("", "")
    return is_chat(name) and os.path.basename(folder) == "chats"


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """Where Gemini was started, then where it is."""
    return read_.absolute(env.get("GEMINI_PROJECT_DIR"), payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`. Payloads name neither model nor version; the chat names the model."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    if read is None or not native_id(payload):
        return None
    # a resumed session goes on in its old chat, but its first call names a new one that stays empty
    resumed = event == "SessionStart" and payload.get("source") == "resume"
    path = None if resumed else payload.get("transcript_path")
    capture = read_.begin(native_id(payload), path, read_.instant(payload.get("timestamp")))
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    capture.begins = True


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if said := read_.text(payload.get("prompt")):
        read_.prompt(capture, _id("prompt", payload, said), said)


def _answer(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if said := read_.text(payload.get("prompt_response")):
        read_.answer(capture, _id("answer", payload, said), said)


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if payload.get("tool_name") == SHELL:
        capture.shell = "before"
        capture.command = read_.text(read_.table(payload.get("tool_input")).get("command"))


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given, response = read_.table(payload.get("tool_input")), read_.table(payload.get("tool_response"))
    name = read_.word(payload.get("tool_name")) or "unknown"
    output = read_.text(response.get("llmContent"))
    outcome, error = "ok", read_.table(response.get("error"))
    if error:
        outcome = "error"
    elif name == SHELL:
        outcome = shell_outcome(output)
    data: Doc = {
        "name": name,
        "paths": read_.paths(given, worktree, _PATH_KEYS),
        "outcome": outcome,
        "summary": read_.summary(given),
        "error": read_.text(error.get("message") or output, read_.ERROR) if outcome == "error" else "",
    }
    if name == SHELL:
        capture.shell = "after"
        capture.command, capture.output = read_.text(given.get("command")), output
    elif name in _WRITERS and outcome == "ok":
        capture.wrote = data["paths"]
    capture.add(_id("tool", payload, name + repr(given)), "tool", data)


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "BeforeAgent": _prompt,
    "BeforeTool": _before_tool,
    "AfterTool": _tool,
    "AfterAgent": _answer,
    "SessionEnd": read_.session_end,
}
# the hooks to ask Gemini for
HOOKS = tuple(_EVENTS)


def _id(what: str, payload: Payload, said: str) -> str:
    """The event id of a call: a second delivery has the same time and content."""
    at = read_.word(payload.get("timestamp"))
    return read_.turn_id(what, f"{native_id(payload)}-{at}" if at else "", said)


def shell_outcome(output: str) -> str:
    """How a command ended, by the lines that Gemini puts below its output; what ended well says nothing."""
    if output.removeprefix("<untrusted_context>\n").startswith(_CANCELLED):
        return "interrupted"
    for line in reversed(output[-_FOOTER:].split("\n")):
        head, _, rest = line.partition(": ")
        if head in _FAILURES and rest.strip() not in ("0", "(none)"):
            return "error"
        if head not in _FOOTERS:
            break
    return "ok"


def is_chat(name: str) -> bool:
    """True for the file name of a session's chat."""
    return name.startswith("session-") and name.endswith((".jsonl", ".json"))


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`. `GEMINI_CLI_HOME` takes the place of the home folder, not of `.gemini` in it."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="gemini",
        home=("GEMINI_CLI_HOME", ""),
        files={"project": ".gemini/settings.json", "user": ".gemini/settings.json"},
        form="groups",
        events=HOOKS,
        # milliseconds
        handler=lambda command, event: {
            "type": "command",
            "name": "git-agent-session",
            "command": command,
            "timeout": 20_000,
        },
        also={"hooksConfig": {"enabled": True}},
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["gemini", "--resume", native_id]


# -- transcripts: `gemini_chat` has it all, and is not loaded for a hook


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: subagents' chats lie in a folder beside the session's, named after its id."""
    from git_agent_session.agents import gemini_chat

    return gemini_chat.sources(path, _home(env))


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import gemini_chat

    return gemini_chat.read(source, place)


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import gemini_chat

    return gemini_chat.kept(record)


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import gemini_chat

    return gemini_chat.items(record)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import gemini_chat

    gemini_chat.count(record, tally, source)


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`."""
    from git_agent_session.agents import gemini_chat

    return gemini_chat.found(location, _home(env))


def _home(env: Mapping[str, str]) -> str:
    return os.path.join(env.get("GEMINI_CLI_HOME") or os.path.expanduser("~"), ".gemini")
