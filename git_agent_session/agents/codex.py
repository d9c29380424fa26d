"""Codex: what its hook payloads and its transcripts, called rollouts, say.

Payloads are those of Codex 0.169.0, seen live; rollouts from the bare records of early 2025 on. In three things a hook
is silent: it says nothing when a patch that the shell tool was given has been applied (Codex applies it itself, so the
call before it counts), it does not say how a command ended (the rollout's last lines do), and not what a compaction
left (the rollout does).
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.ids import event_id_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Capture, Found, Item, Source, Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "codex"
TITLE = "Codex"
# a compaction has a hook, but only the rollout has its summary and an id of its own
TELLS = ("compact", "error", "interrupt")

# keys that only payloads of other agents have
_FOREIGN = ("sessionId", "conversation_id", "generation_id", "cursor_version", "toolName", "timestamp", "prompt_id")
# bytes: where the end of a command stands in a rollout, and what a rollout says of itself at its start
_TAIL = 64 * 1024
_HEAD = 8 * 1024
# seconds: Codex allows these hooks no more, and warns of a longer limit
_SHORT = {"SessionEnd": 3, "Interrupt": 3}
# how a message in the user's name begins that no person wrote
_HARNESS = (
    *(
        "<environment_context",
        "<user_instructions",
        "<turn_aborted",
        "<subagent_notification",
        "<skill",
        "<model_switch",
    ),
    *("<permissions instructions", "<collaboration_mode", "<apps_instructions", "<plugins_instructions"),
    *("# AGENTS.md instructions", "<INSTRUCTIONS", "<personality", "<context_window", "<goal_context"),
)


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`: a subagent's calls name the session that started it."""
    return read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when Codex made this call: no variable says so, but it alone counts turns and writes rollouts."""
    if any(key in payload for key in _FOREIGN) or not native_id(payload):
        return False
    path = payload.get("transcript_path")
    name = os.path.basename(path.replace("\\", "/")) if isinstance(path, str) else ""
    return is_rollout(name) if name else bool(read_.word(payload.get("turn_id")))


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """See `protocol.Agent`."""
    return read_.absolute(payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`. Payloads carry no time."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    if read is None or not native_id(payload):
        return None
    # a subagent's calls name the subagent's own rollout, its stop both
    inner = _agent_id(payload) and event != "SubagentStop"
    capture = read_.begin(native_id(payload), None if inner else payload.get("transcript_path"))
    if not _agent_id(payload) and (model := read_.word(payload.get("model"))):
        capture.agent["model"] = model
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    source = payload.get("source")
    capture.settle = True
    # a compaction starts no run, it goes on within one
    capture.begins = source != "compact"
    capture.forked = source == "fork"
    head = _part(payload.get("transcript_path"), _HEAD)
    if capture.forked:
        capture.parent = _named(head, b"forked_from_id")
    if version := _named(head, b"cli_version"):
        capture.agent["version"] = version


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    said = read_.text(payload.get("prompt"))
    if said and not _agent_id(payload) and not is_harness(said):
        read_.prompt(capture, read_.turn_id("prompt", read_.word(payload.get("turn_id")), said), said)


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if payload.get("tool_name") != "Bash":
        return
    command = read_.text(read_.table(payload.get("tool_input")).get("command"))
    if changed := _applied(command):
        # no call follows that would say how it went
        capture.wrote = _from_folder(changed, payload, worktree)
        _add_tool(capture, payload, {"name": "apply_patch", "paths": capture.wrote})
    else:
        capture.shell, capture.command = "before", command


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given, response = read_.table(payload.get("tool_input")), payload.get("tool_response")
    name = read_.word(payload.get("tool_name")) or "unknown"
    data: Doc = {"name": name, "paths": read_.paths(given, worktree), "summary": read_.summary(given)}
    failed = any(read_.table(response).get(key) is value for key, value in (("success", False), ("isError", True)))
    data["outcome"] = "error" if failed else "ok"
    if name == "Bash":
        capture.shell = "after"
        capture.command = read_.text(given.get("command"))
        capture.output = read_.text(response)
        data["outcome"], data["duration_ms"] = _ended(payload)
    elif name == "apply_patch":
        patch = given.get("command") or given.get("input")
        data["paths"] = _from_folder(read_.patched(read_.text(patch)), payload, worktree)
        data["summary"] = ""
        capture.wrote = [] if failed else data["paths"]
    if data["outcome"] == "error":
        data["error"] = read_.text(response, read_.ERROR)
    _add_tool(capture, payload, data)


def _add_tool(capture: Capture, payload: Payload, data: Doc) -> None:
    capture.add(read_.tool_id(payload.get("tool_use_id")), "tool", {**data, "agent_id": _agent_id(payload)})


def _from_folder(paths: list[str], payload: Payload, worktree: str | None) -> list[str]:
    """The paths of a patch, which are relative to where Codex is, from the worktree's top."""
    base = (read_.absolute(payload.get("cwd")) or [""])[0]
    return read_.located((os.path.join(base, path) for path in paths), worktree)


def _applied(command: str) -> list[str]:
    """The paths in a command that Codex does not run but applies: `[cd FOLDER &&] apply_patch <<END`, and no more."""
    folder, rest = "", command.strip()
    if rest.startswith("cd ") and "&&" in rest.partition("\n")[0]:
        folder, _, rest = rest[3:].partition("&&")
        folder, rest = folder.strip().strip("'\""), rest.strip()
    lines = rest.split("\n")
    head, _, end = lines[0].partition("<<")
    if head.strip() not in ("apply_patch", "applypatch") or lines[-1].strip() != end.strip().strip("'\"") or not end:
        return []
    return [os.path.join(folder, path) for path in read_.patched(rest)]


def _ended(payload: Payload) -> tuple[str, int | None]:
    """The outcome of a command, "" where it is not known, and its time in ms: by the end of the rollout."""
    call = read_.word(payload.get("tool_use_id")).encode()
    for line in reversed(_part(payload.get("transcript_path"), -_TAIL).split(b"\n")):
        code = _digits(line, b'"exit_code":') if call and b'"' + call + b'"' in line else ""
        if code:
            seconds, nanos = (_digits(line, mark) for mark in (b'"duration":{"secs":', b',"nanos":'))
            spent = int(seconds) * 1000 + int(nanos) // 1_000_000 if seconds.isdecimal() and nanos.isdecimal() else None
            return "ok" if code == "0" else "error", spent
    return "", None


def _digits(line: bytes, mark: bytes) -> str:
    """The number after the first `mark`; marks in a text are none, since quotes are escaped there."""
    found = line.partition(mark)[2][:20].lstrip()
    size = next((n for n, c in enumerate(found) if c not in b"-0123456789"), len(found))
    return found[:size].decode()


def _part(path: object, size: int) -> bytes:
    """The first `size` bytes of a rollout, or its last ones when `size` is negative; b"" where it cannot be read."""
    if not isinstance(path, str) or not is_rollout(os.path.basename(path)):
        return b""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(fd, "rb") as f:
            if size < 0:
                f.seek(max(0, f.seek(0, os.SEEK_END) + size))
            return f.read(abs(size))
    except (OSError, ValueError):
        return b""


def _named(head: bytes, key: bytes) -> str:
    """The text under the first `key` in the start of a rollout."""
    found = head.partition(b'"' + key + b'":"')[2].partition(b'"')[0]
    return read_.word(found.decode("utf-8", "replace"))


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if said := read_.text(payload.get("last_assistant_message")):
        read_.answer(capture, read_.turn_id("answer", read_.word(payload.get("turn_id")), said), said)


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    agent_id = _agent_id(payload)
    if agent_id:
        action = "start" if payload.get("hook_event_name") == "SubagentStart" else "stop"
        data = {"action": action, "agent_id": agent_id, "type": read_.word(payload.get("agent_type"))}
        capture.add(event_id_from("agent", action, agent_id, read_.word(payload.get("turn_id"))), "agent", data)


def _compacted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True


def _interrupted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    turn = read_.word(payload.get("turn_id"))
    if turn and not _agent_id(payload):
        # the id that the rollout's own record of it gets
        capture.add(event_id_from("interrupt", capture.native_id, turn), "interrupt", {})


def _agent_id(payload: Payload) -> str:
    return read_.word(payload.get("agent_id"))


def is_harness(said: str) -> bool:
    """True for what Codex itself says in the user's name."""
    return said.lstrip().startswith(_HARNESS)


def is_rollout(name: str) -> bool:
    """True for a rollout's file name."""
    return name.startswith("rollout-") and name.endswith(".jsonl")


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "SessionStart": _session_start,
    "UserPromptSubmit": _prompt,
    "PreToolUse": _before_tool,
    "PostToolUse": _tool,
    "Stop": _stop,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "PostCompact": _compacted,
    "Interrupt": _interrupted,
    "SessionEnd": read_.session_end,
}
# the hooks to ask Codex for
HOOKS = tuple(_EVENTS)


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`. Codex passes over hooks that its user has not trusted, without a word."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="codex",
        home=("CODEX_HOME", ".codex"),
        files={"project": ".codex/hooks.json", "user": "hooks.json"},
        form="groups",
        events=HOOKS,
        handler=lambda command, event: {"type": "command", "command": command, "timeout": _SHORT.get(event, 20)},
        hint="in Codex, trust this folder and run /hooks once to trust the hooks",
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["codex", "resume", native_id]


# -- transcripts: `codex_rollout` has it all, and is not loaded for a hook


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: a subagent has a rollout of its own, which names the session in its first record."""
    from git_agent_session.agents import codex_rollout

    return codex_rollout.sources(path, _home(env))


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import codex_rollout

    return codex_rollout.read(source, place)


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import codex_rollout

    return codex_rollout.kept(record)


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import codex_rollout

    return codex_rollout.items(record)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import codex_rollout

    codex_rollout.count(record, tally, source)


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`."""
    from git_agent_session.agents import codex_rollout

    return codex_rollout.found(location, _home(env))


def _home(env: Mapping[str, str]) -> str:
    return env.get("CODEX_HOME") or os.path.join(os.path.expanduser("~"), ".codex")
