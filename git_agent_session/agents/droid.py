"""Droid, the agent of Factory: what its hook payloads say. What its transcripts say is `droid_session`'s.

Payloads are those of Droid 0.215 and 0.225, seen live, and of its hooks reference
(https://docs.factory.ai/reference/hooks-reference). They have Claude Code's names, and neither times nor ids of calls.
A call that fails, a command that ends with an error too, reaches no hook after it, and a prompt given to `droid exec`
none at all: prompts and answers are taken from the transcript, which has them in any case.
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

NAME = "droid"
TITLE = "Droid"
TELLS = ("prompt", "answer", "compact", "error", "interrupt")

# keys that only payloads of other agents have
_FOREIGN = ("sessionId", "conversation_id", "generation_id", "cursor_version", "toolName", "timestamp", "turn_id")
_WRITERS = ("Create", "Edit", "MultiEdit", "ApplyPatch")
_SHELL = "Execute"


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`."""
    return read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when Droid made this call: it names the project to its hooks, not to its shell, and has its own folder."""
    own_id, path = native_id(payload), payload.get("transcript_path")
    if not own_id or any(key in payload for key in _FOREIGN):
        return False
    parts = path.replace("\\", "/").split("/") if isinstance(path, str) else []
    if parts and (len(parts) < 3 or parts[-1] != f"{own_id}.jsonl" or parts[-3] != "sessions"):
        return False
    return bool(env.get("DROID_PROJECT_DIR") or env.get("FACTORY_PROJECT_DIR") or ".factory" in parts)


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """Where Droid was started, then where it is."""
    return read_.absolute(env.get("FACTORY_PROJECT_DIR"), payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`. Payloads name neither model nor version; the files of the session do."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    if read is None or not native_id(payload):
        return None
    capture = read_.begin(native_id(payload), payload.get("transcript_path"))
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    # a compaction starts no run, it goes on within one
    capture.begins = payload.get("source") != "compact"


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if said := read_.text(payload.get("prompt")):
        capture.prompts = True
        capture.title = read_.title(said)


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if payload.get("tool_name") == _SHELL:
        capture.shell = "before"
        capture.command = read_.text(read_.table(payload.get("tool_input")).get("command"))


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    name, given = read_.word(payload.get("tool_name")) or "unknown", read_.table(payload.get("tool_input"))
    response = payload.get("tool_response")
    output = read_.text(response)
    error = failure(response)
    data: Doc = {
        "name": name,
        "paths": read_.located(_patched(given, payload), worktree) or read_.paths(given, worktree),
        "outcome": "error" if error else "ok",
        "summary": read_.summary(given),
        "error": error,
    }
    if name == _SHELL:
        capture.shell = "after"
        capture.command, capture.output = read_.text(given.get("command")), output
    elif name in _WRITERS and not error:
        capture.wrote = data["paths"]
    capture.add(_id("tool", payload, name + repr(given) + repr(response)), "tool", data)


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    kind = read_.word(payload.get("task_name"))
    error = read_.text(payload.get("task_error"), read_.ERROR)
    if kind:
        data = {"action": "stop", "type": kind, "error": error}
        capture.add(_id("agent", payload, kind + repr(payload.get("task_result"))), "agent", data)


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _before_tool,
    "PostToolUse": _tool,
    "SubagentStop": _subagent,
    "Stop": _stop,
    "SessionEnd": read_.session_end,
}
# the hooks to ask Droid for
HOOKS = tuple(_EVENTS)


def _id(what: str, payload: Payload, said: str) -> str:
    """The event id of a call, by its content and how far the transcript had come.

    Payloads have neither ids nor times. The transcript grows from one call to the next and not between two deliveries
    of the same.
    """
    path = payload.get("transcript_path")
    try:
        size = os.stat(path).st_size if isinstance(path, str) and path else 0
    except (OSError, ValueError):
        size = 0
    return read_.turn_id(what, f"{native_id(payload)}-{size}" if size else "", said)


def _patched(given: Mapping[str, Any], payload: Payload) -> list[str]:
    """The files that a patch touches, which it names from where Droid is."""
    patch, cwd = given.get("input", given.get("patch")), payload.get("cwd")
    found = read_.patched(patch) if isinstance(patch, str) and patch.lstrip().startswith("***") else []
    return [os.path.join(cwd, p) if isinstance(cwd, str) else p for p in found]


def failure(response: object) -> str:
    """What a tool's answer says went wrong, "" for nothing."""
    if isinstance(response, dict):
        failed = response.get("success") is False or response.get("is_error") is True
        return (read_.text(response.get("error"), read_.ERROR) or "failed") if failed else ""
    if not isinstance(response, str):
        return ""
    if response.startswith(("Error:", '{"success":false')):
        return read_.text(response, read_.ERROR)
    head, _, code = response.rstrip()[-60:].rpartition("[Process exited with code ")
    code = code.rstrip("]")
    return f"exit code {code}" if (head or response.startswith("[")) and code.isdecimal() and code != "0" else ""


# -- settings, resuming


def home(env: Mapping[str, str]) -> str:
    """Droid's own folder. The variable takes the place of the home folder, not of `.factory` in it."""
    return os.path.join(env.get("FACTORY_HOME_OVERRIDE") or os.path.expanduser("~"), ".factory")


def setup() -> Setup:
    """See `protocol.Installable`.

    Hooks in `settings.json` stand under `hooks`. Droid also has a `hooks.json`, with the events at its top (under
    `hooks` they are passed over); where there is one, it does not look for hooks in that folder's `settings.json`.
    """
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="droid",
        home=("FACTORY_HOME_OVERRIDE", ""),
        files={"project": ".factory/settings.json", "user": ".factory/settings.json"},
        form="groups",
        events=HOOKS,
        handler=lambda command, event: {"type": "command", "command": command, "timeout": 20},
        matchers={"PreToolUse": _SHELL},
        hint="where a hooks.json lies beside the settings, Droid reads hooks from there alone: move its hooks over",
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["droid", "--resume", native_id]


# -- transcripts: `droid_session` has it all, and is not loaded for a hook


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: the session's settings, which have its tokens, lie beside the transcript."""
    from git_agent_session.agents import droid_session

    return droid_session.sources(path, home(env))


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import droid_session

    return droid_session.read(source, place)


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import droid_session

    return droid_session.kept(record, source)


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import droid_session

    return droid_session.items(record, source)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import droid_session

    droid_session.count(record, tally, source)


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`."""
    from git_agent_session.agents import droid_session

    return droid_session.found(location, home(env))
