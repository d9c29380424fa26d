"""OpenCode: what our plugin in it says, as events; where it goes; how a session is taken up again.

OpenCode has no command hooks: a plugin (plugins/opencode.js) watches it and calls ours. Its names of events, and what
OpenCode gives to plugins, are those of OpenCode 1.18, seen live. Subagents are sessions of their own there; here they
are part of the session that started them. Its transcripts are `opencode_transcript`'s.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Capture
from git_agent_session.ids import event_id_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Found, Item, Source, Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "opencode"
TITLE = "OpenCode"
# the variable that holds the process which writes the transcript
PID = "OPENCODE_PID"
# the plugin hears of errors, but not which message an interrupt ended
TELLS = ("interrupt",)

_WRITERS = ("write", "edit", "multiedit", "patch", "apply_patch")
# an interrupt is told by the transcript
_ABORTED = "MessageAbortedError"


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`: of a subagent's event the id of the session that started it."""
    return read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True for a call of our plugin."""
    return payload.get("agent") == NAME and bool(native_id(payload))


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """The folder that the session belongs to."""
    return read_.absolute(payload.get("cwd"))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(event) if isinstance(event, str) else None
    own_id = native_id(payload)
    if read is None or not own_id:
        return None
    capture = read_.begin(own_id, f"{database(env)}#{own_id}", read_.instant(payload.get("timestamp")))
    capture.agent = read_.filled(version=read_.word(payload.get("version")), model=read_.word(payload.get("model")))
    read(capture, payload, worktree)
    return capture


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = capture.begins = True
    # a fork is a copy of the other session under new ids, which says nowhere whose
    capture.forked = payload.get("source") == "fork"


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    said = read_.text(payload.get("text"))
    if not said:
        return
    read_.prompt(capture, _id("prompt", payload, said), said)
    # `opencode run` puts an argument with spaces between quotes
    if len(said) > 2 and said[0] == said[-1] == '"' and '"' not in said[1:-1]:
        capture.title = read_.title(said[1:-1])


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.shell = "before"
    capture.command = read_.text(payload.get("command"))


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    given = read_.table(payload.get("input"))
    name, code = read_.word(payload.get("tool")) or "unknown", payload.get("exit")
    failed = payload.get("status") == "error" or (isinstance(code, int) and code != 0)
    paths = _paths(payload, given, worktree)
    data: Doc = {
        "name": name,
        "paths": paths,
        "duration_ms": read_.whole(payload.get("duration_ms")),
        "outcome": "interrupted" if payload.get("interrupted") is True else "error" if failed else "ok",
        "summary": read_.summary(given),
        "agent_id": read_.word(payload.get("agent_id")),
        "error": read_.text(payload.get("error"), read_.ERROR),
    }
    if isinstance(given.get("command"), str):
        capture.shell = "after"
        capture.command, capture.output = read_.text(given["command"]), read_.text(payload.get("output"))
    elif name in _WRITERS and data["outcome"] == "ok":
        capture.wrote = paths
    capture.add(read_.tool_id(payload.get("part_id")), "tool", data)


def _paths(payload: Payload, given: Mapping[str, Any], worktree: str | None) -> list[str]:
    """The paths of a call, relative to the worktree; OpenCode takes those that are not absolute from its own folder."""
    cwd, patch = payload.get("cwd"), payload.get("patch")
    named = [p for key in ("filePath", "path") if isinstance(p := given.get(key), str) and p]
    named += read_.patched(patch) if isinstance(patch, str) else []
    top = cwd if isinstance(cwd, str) and os.path.isabs(cwd) else ""
    return read_.located((os.path.join(top, p) for p in named[:500]), worktree)


def _idle(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    if said := read_.text(payload.get("text")):
        read_.answer(capture, _id("answer", payload, said), said)


def _compacted(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    summary = read_.text(payload.get("text"))
    data = {
        "trigger": read_.word(payload.get("trigger")),
        "summary": summary,
        "agent_id": read_.word(payload.get("agent_id")),
    }
    capture.add(_id("compact", payload, summary), "compact", data)


def _error(capture: Capture, payload: Payload, worktree: str | None) -> None:
    name = read_.word(payload.get("name"))
    capture.settle = True
    if name == _ABORTED:
        return
    said = read_.text(payload.get("error"), read_.ERROR) or name
    if said:
        data = {"text": said, "type": name, "agent_id": read_.word(payload.get("agent_id"))}
        capture.add(read_.turn_id("error", f"{capture.native_id}-{capture.at}", said), "error", data)


def _agent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    agent_id, kind = read_.word(payload.get("agent_id")), read_.word(payload.get("agent_type"))
    if not agent_id:
        return
    action = "start" if payload.get("hook_event_name") == "agent.start" else "stop"
    data = {"action": action, "agent_id": agent_id, "type": kind or "agent"}
    capture.add(event_id_from("agent", action, agent_id, read_.word(payload.get("message_id"))), "agent", data)


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "session.start": _session_start,
    "chat.message": _prompt,
    "tool.before": _before_tool,
    "tool.after": _tool,
    "session.idle": _idle,
    "session.compacted": _compacted,
    "session.error": _error,
    "agent.start": _agent,
    "agent.stop": _agent,
    "session.end": read_.session_end,
}
# what the plugin tells
HOOKS = tuple(_EVENTS)


def _id(what: str, payload: Payload, said: str) -> str:
    return read_.turn_id(what, read_.word(payload.get("message_id")), said)


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="opencode",
        home=("OPENCODE_CONFIG_DIR", ".config/opencode"),
        files={"project": ".opencode/plugins/git-agent-session.js", "user": "plugins/git-agent-session.js"},
        form="file",
        events=HOOKS,
        content=_plugin,
        hint="Start OpenCode anew: it loads plugins when it starts.",
    )


def _plugin(command: str) -> str:
    """The plugin's text. It finds and runs the command itself: without a shell between them, on Windows too."""
    from git_agent_session.agents import plugins

    return plugins.text(NAME, "opencode.js")


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`."""
    return ["opencode", "--session", native_id]


# -- transcripts


def data_folder(env: Mapping[str, str]) -> str:
    """Where OpenCode keeps its data, on every system."""
    base = env.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "opencode")


def database(env: Mapping[str, str]) -> str:
    """OpenCode's database; `OPENCODE_DB` names another, from the data folder on where it is relative."""
    return os.path.join(data_folder(env), env.get("OPENCODE_DB") or "opencode.db")


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: `DATABASE#SESSION`, then the sessions of its subagents."""
    from git_agent_session.agents import opencode_transcript

    return opencode_transcript.sources(path, env)


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`: a message with its parts is a record; one that changed comes again."""
    from git_agent_session.agents import opencode_transcript

    return opencode_transcript.read(source, place)


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import opencode_transcript

    return opencode_transcript.kept(record)


def items(record: Doc, source: Source) -> Iterable[Item]:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import opencode_transcript

    return opencode_transcript.items(record, source)


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`."""
    from git_agent_session.agents import opencode_transcript

    opencode_transcript.count(record, tally, source)


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`."""
    from git_agent_session.agents import opencode_transcript

    return opencode_transcript.found(location, env)
