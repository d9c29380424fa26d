"""Cursor, its editor's agent and its command line's: what hook payloads and transcripts say.

Payload fields and hook names are those of its hooks reference (https://cursor.com/docs/hooks), which holds for versions
from 2.4 on: earlier ones have no `postToolUse`. Cursor runs Claude Code's hooks as well where its user lets it, then
under Claude's names (https://cursor.com/docs/reference/third-party-hooks). It tells nobody how many tokens it used.
"""

from __future__ import annotations

import os

from git_agent_session.agents import payload as read_
from git_agent_session.agents.protocol import Found, Item, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Capture, Tally
    from git_agent_session.agents.setup import Setup
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

    Payload = Mapping[str, Any]

NAME = "cursor"
TITLE = "Cursor"
# hooks speak of everything
TELLS: tuple[str, ...] = ()
SUBAGENTS = 1000

_PATH_KEYS = (*read_.PATH_KEYS, "target_file", "target_notebook", "relative_workspace_path")
_SHELL = "Shell"
# Claude's names of tools and hooks, as Cursor maps them
_TOOLS = {"Bash": _SHELL}
_NAMES = {"UserPromptSubmit": "beforeSubmitPrompt"}
_FOLDER = "agent-transcripts"
# what the user said, in a message with all that Cursor adds to it
_QUERY, _QUERY_END = "<user_query>", "</user_query>"


# -- hooks


def native_id(payload: Payload) -> str:
    """See `protocol.Agent`."""
    return read_.word(payload.get("conversation_id")) or read_.word(payload.get("session_id"))


def is_own(payload: Payload, env: Mapping[str, str]) -> bool:
    """True when Cursor made this call: no other agent names its version or its generations."""
    return bool(native_id(payload)) and ("cursor_version" in payload or "generation_id" in payload)


def folders(payload: Payload, env: Mapping[str, str]) -> list[str]:
    """The project, the folders that are open, then where a command runs."""
    roots = payload.get("workspace_roots")
    opened = [_native_path(r) for r in roots if isinstance(r, str)] if isinstance(roots, list) else []
    return list(dict.fromkeys(read_.absolute(env.get("CURSOR_PROJECT_DIR"), *opened, payload.get("cwd"))))


def translate(payload: Payload, env: Mapping[str, str], worktree: str | None = None) -> Capture | None:
    """See `protocol.Agent`."""
    event = payload.get("hook_event_name")
    read = _EVENTS.get(_own_name(event)) if isinstance(event, str) else None
    if read is None or not native_id(payload):
        return None
    capture = read_.begin(native_id(payload), payload.get("transcript_path") or env.get("CURSOR_TRANSCRIPT_PATH"))
    # the model's name alone, without how hard it thinks
    model = read_.word(payload.get("model_id")) or read_.word(payload.get("model"))
    capture.agent = read_.filled(version=read_.word(payload.get("cursor_version")), model=model)
    read(capture, payload, worktree)
    return capture


def _own_name(event: str) -> str:
    """Cursor's name of a hook, which Claude's differ from by their first letter."""
    return _NAMES.get(event) or event[:1].lower() + event[1:]


def _native_path(path: str) -> str:
    """A folder as Windows writes it, where Cursor has it as `/c:/folder`."""
    drive = len(path) > 2 and path[0] == "/" and path[2] == ":"
    return path[1:].replace("/", os.sep) if os.name == "nt" and drive else path


def _session_start(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    # a compaction starts no run, it goes on within one
    capture.begins = payload.get("source") != "compact"


def _prompt(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if said := read_.text(payload.get("prompt")):
        read_.prompt(capture, read_.turn_id("prompt", _turn(payload), said), said)


def _answer(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if said := read_.text(payload.get("text")):
        read_.answer(capture, read_.turn_id("answer", _turn(payload), said), said)


def _before_shell(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.shell = "before"
    capture.command = read_.text(payload.get("command"))


def _after_shell(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.shell = "after"
    capture.command, capture.output = read_.text(payload.get("command")), read_.text(payload.get("output"))


def _edited(capture: Capture, payload: Payload, worktree: str | None) -> None:
    # the call itself comes with `postToolUse`
    capture.wrote = read_.paths(payload, worktree, ("file_path",))


def _before_tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    if _tool_name(payload) == _SHELL:
        _before_shell(capture, read_.table(payload.get("tool_input")), worktree)


def _tool(capture: Capture, payload: Payload, worktree: str | None) -> None:
    name, given = _tool_name(payload), _table(payload.get("tool_input"))
    # `tool_output` is a text of JSON, `tool_response` what Claude's hooks are used to
    result = payload.get("tool_output", payload.get("tool_response"))
    failed = _own_name(str(payload.get("hook_event_name"))) == "postToolUseFailure"
    error = read_.text(payload.get("error_message"), read_.ERROR) or ("failed" if failed else "")
    if name == _SHELL:
        output = _table(result)
        code = output.get("exitCode", output.get("exit_code"))
        error = error or (f"exit code {read_.whole(code) or code}" if code not in (None, 0, "") else "")[:100]
        said = next((s for k in ("output", "stdout") if (s := read_.text(output.get(k)))), "")
        _after_shell(capture, {"command": given.get("command"), "output": said}, worktree)
    stopped = payload.get("is_interrupt") is True
    data: Doc = {
        "name": name,
        "paths": read_.paths(given, worktree, _PATH_KEYS),
        "duration_ms": read_.whole(payload.get("duration")),
        "outcome": "interrupted" if stopped else "error" if error else "ok",
        "summary": read_.summary(given),
        "error": error,
    }
    capture.add(read_.tool_id(payload.get("tool_use_id")), "tool", data)


def _subagent(capture: Capture, payload: Payload, worktree: str | None) -> None:
    action = "start" if _own_name(str(payload.get("hook_event_name"))) == "subagentStart" else "stop"
    path = payload.get("agent_transcript_path")
    named = os.path.basename(path.replace("\\", "/")).partition(".")[0] if isinstance(path, str) else ""
    agent_id = read_.word(payload.get("subagent_id")) or read_.word(payload.get("agent_id")) or read_.word(named)
    kind = read_.word(payload.get("subagent_type")) or read_.word(payload.get("agent_type"))
    if agent_id or kind:
        what = read_.text(payload.get("task"), read_.SUMMARY)
        data = {"action": action, "agent_id": agent_id, "type": kind, "summary": what}
        capture.add(read_.turn_id(f"agent-{action}", _turn(payload), agent_id or kind + what), "agent", data)


def _compacting(capture: Capture, payload: Payload, worktree: str | None) -> None:
    count = read_.whole(payload.get("message_count"))
    data = {"trigger": read_.word(payload.get("trigger"))}
    capture.add(read_.turn_id("compact", _turn(payload), str(count)), "compact", data)


def _stop(capture: Capture, payload: Payload, worktree: str | None) -> None:
    capture.settle = True
    status = payload.get("status")
    kind = {"aborted": "interrupt", "error": "error"}.get(status) if isinstance(status, str) else None
    if kind:
        said = read_.text(payload.get("error_message"), read_.ERROR)
        capture.add(read_.turn_id(kind, _turn(payload), said), kind, {"message": said})


_EVENTS: dict[str, Callable[[Capture, Payload, str | None], None]] = {
    "sessionStart": _session_start,
    "beforeSubmitPrompt": _prompt,
    "preToolUse": _before_tool,
    "beforeShellExecution": _before_shell,
    "afterShellExecution": _after_shell,
    "afterFileEdit": _edited,
    "postToolUse": _tool,
    "postToolUseFailure": _tool,
    "afterAgentResponse": _answer,
    "subagentStart": _subagent,
    "subagentStop": _subagent,
    "preCompact": _compacting,
    "stop": _stop,
    "sessionEnd": read_.session_end,
}
# the hooks to ask Cursor for: around commands it has more exact ones than before every tool
HOOKS = tuple(name for name in _EVENTS if name != "preToolUse")


def _turn(payload: Payload) -> str:
    """The id of what a prompt sets going."""
    return read_.word(payload.get("generation_id"))


def _tool_name(payload: Payload) -> str:
    name = read_.word(payload.get("tool_name")) or "unknown"
    return _TOOLS.get(name, name)


def _table(value: object) -> Mapping[str, Any]:
    """A table, or the one that a text of JSON holds."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return read_.table(value)
    from git_agent_session.agents import plain_json

    try:
        return read_.table(plain_json.parse(value))
    except (ValueError, RecursionError):
        return {}


# -- settings, resuming


def setup() -> Setup:
    """See `protocol.Installable`. Time limits are in seconds."""
    from git_agent_session.agents.setup import Setup

    return Setup(
        program="cursor-agent",
        home=("", ".cursor"),
        files={"project": ".cursor/hooks.json", "user": "hooks.json"},
        form="list",
        events=HOOKS,
        handler=lambda command, event: {"command": command, "timeout": 20},
        also={"version": 1},
    )


def resume(native_id: str) -> list[str]:
    """See `protocol.Resumable`: the command line's syntax; what began in the editor goes on there."""
    return ["cursor-agent", f"--resume={native_id}"]


# -- transcripts: JSON lines `{role, message: {content}}`, without ids or times


def sources(path: str, env: Mapping[str, str]) -> list[Source]:
    """See `protocol.Recorded`: a session's file lies in a folder of its name or, earlier, beside the others."""
    top, real = os.path.join(os.path.realpath(os.path.join(_home(), "projects")), ""), os.path.realpath(path)
    below = real.removeprefix(top).split(os.sep) if real.startswith(top) else []
    if len(below) not in (3, 4) or below[1] != _FOLDER or not real.endswith(".jsonl"):
        raise ValueError("the transcript does not lie in Cursor's own folder: it is not read")
    folder = os.path.join(os.path.dirname(real), "subagents")
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".jsonl")) if len(below) == 4 else []
    except OSError:
        names = []
    inner = [Source(n.removesuffix(".jsonl"), os.path.join(folder, n)) for n in names]
    return [Source("", real), *inner[:SUBAGENTS]]


def read(source: Source, place: Any) -> Iterator[tuple[Doc | None, Any]]:
    """See `protocol.Recorded`. Where a record begins, in bytes, is put into it: it has no other id."""
    from git_agent_session.agents.transcripts import json_lines

    start = place if isinstance(place, int) and place > 0 else 0
    for record, after in json_lines(source.path, start):
        yield record if record is None else {**record, "offset": start}, after
        start = after


def kept(record: Doc, source: Source) -> Doc | None:
    """See `protocol.Recorded`."""
    said = record.get("role") in ("user", "assistant") or record.get("type") == "turn_ended"
    return record if said else None


def items(record: Doc, source: Source) -> Iterator[Item]:
    """See `protocol.Recorded`."""
    offset = read_.whole(record.get("offset"))
    own_id = str(offset) if offset is not None else ""
    if record.get("type") == "turn_ended" and record.get("status") in ("error", "aborted"):
        said = read_.prose(record.get("error"))
        stopped = record.get("status") == "aborted" or "aborted" in said
        yield Item("interrupt", own_id, "") if stopped else Item("error", own_id, "", said)
        return
    content = read_.table(record.get("message")).get("content")
    for n, block in enumerate(read_.blocks(content)):
        yield from _block(block, record.get("role"), f"{own_id}.{n}" if n else own_id)


def _block(block: Mapping[str, Any], role: object, own_id: str) -> Iterator[Item]:
    kind = block.get("type")
    if kind == "text" and role == "user":
        if said := _query(read_.prose(block.get("text"))):
            yield Item("prompt", own_id, "", said)
    elif kind == "text" and role == "assistant":
        if said := read_.prose(block.get("text")):
            yield Item("answer", own_id, "", said)
    elif kind == "thinking" and (said := read_.prose(block.get("thinking"))):
        yield Item("thinking", own_id, "", said)
    elif kind == "tool_use":
        name, given = read_.word(block.get("name")), read_.table(block.get("input"))
        yield Item("call", read_.word(block.get("id")) or own_id, "", name=name, input=given)
    elif kind == "tool_result":
        said = "\n".join(t for b in read_.blocks(block.get("content")) if (t := read_.prose(b.get("text"))))
        outcome = "error" if block.get("is_error") is True else "ok"
        yield Item("result", read_.word(block.get("tool_use_id")) or own_id, "", said, outcome=outcome)


def _query(text: str) -> str:
    """What the user said, without what Cursor puts around it; "" for what Cursor alone says."""
    head, found, rest = text.partition(_QUERY)
    if found:
        return rest.partition(_QUERY_END)[0].strip()
    return "" if head.lstrip().startswith(("<system", "<timestamp", "<open_and_recently", "<attached_files")) else head


def count(record: Doc, tally: Tally, source: Source) -> None:
    """See `protocol.Recorded`: Cursor records no tokens."""


# -- what there was before


def found(location: Location, env: Mapping[str, str]) -> Iterator[Found]:
    """See `protocol.Importable`.

    A folder's name is all that says where a session was, and it leaves out signs: only a worktree's own counts, not
    what may as well be another folder beside it.
    """
    from git_agent_session.agents.history import below, worktrees
    from git_agent_session.live import listed

    for slug in dict.fromkeys(_slug(top) for top in worktrees(location)):
        folder = os.path.join(_home(), "projects", slug, _FOLDER)
        for inner in (folder, *(os.path.join(folder, n) for n in listed(folder))):
            for path, modified in below(inner, ".jsonl"):
                yield Found(os.path.basename(path).removesuffix(".jsonl"), path, modified)


def _slug(path: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in path)
    return "-".join(kept.split())


def _home() -> str:
    return os.path.join(os.path.expanduser("~"), ".cursor")
