"""The entry point of agents' hooks: `git-agent-session hook AGENT`, a payload on standard input.

It always exits 0 and prints nothing: an agent takes output for instructions and a failure for a veto. (One thing may be
asked for, a brief for a session that begins: see `agent_brief`.) What goes wrong becomes a line in
`<common git dir>/agent-session/hook.log`. It runs on every tool call, so it imports neither click nor pygit2 nor `json`
(8 ms for the pattern module that C does without); heavy work is started detached and not waited for.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from git_agent_session.agents.protocol import Agent
    from git_agent_session.git.discover import Location

# bytes; a payload carries whole files
PAYLOAD = 16 * 1024 * 1024
# the hooks of whoever hands work to agents
DELEGATION = ("pre-delegate", "subagent-stop")
# what some programs of Windows begin a text with
_BOM = b"\xef\xbb\xbf"


def main(argv: list[str]) -> int:
    """Take one hook call of the agent named in `argv`; returns 0 whatever happens."""
    if argv and argv[0] in DELEGATION:
        # not an agent's own hook: it answers, and takes the time to
        from git_agent_session.hooks import delegate

        return delegate.main(argv)
    try:
        _take(argv[0] if argv else "")
    except BaseException as e:  # not even an interrupt may reach the agent
        _report(None, f"{type(e).__name__}: {e}")
    return 0


def _take(name: str) -> None:
    from git_agent_session.agents import plain_json, registry

    if name not in registry.names():
        return _report(None, f"there is no agent {name[:40]!r}")
    data = _stdin()
    if len(data) > PAYLOAD:
        return _report(None, f"{name}: a payload of more than {PAYLOAD} bytes is left out")
    try:
        # one byte of a file in another encoding costs itself, not the call
        payload = plain_json.parse(data.removeprefix(_BOM).decode(errors="replace"))
    except (ValueError, RecursionError) as e:
        return _report(None, f"{name}: the payload is no JSON: {e}")
    if not isinstance(payload, dict):
        return _report(None, f"{name}: the payload is no JSON object")
    agent = registry.owner(name, payload, os.environ)
    if agent is None:
        return None
    for location in _locations(agent, payload):
        try:
            if _record(location, agent, payload):
                return None
        except Exception as e:
            event = payload.get("hook_event_name")
            said = f"{agent.NAME} {event[:80] if isinstance(event, str) else ''}: {type(e).__name__}: {e}"
            return _report(location, said)
    return None


def _record(location: Location, agent: Agent, payload: Mapping[str, Any]) -> bool:
    """Record the call in one repository; True when no other repository is to be asked."""
    capture = agent.translate(payload, os.environ, location.worktree)
    if capture is None:
        return True
    from git_agent_session.agents import recorder
    from git_agent_session.redact.configured import setting

    session_id = recorder.record(location, agent.NAME, capture)
    if session_id and capture.settle:
        from git_agent_session.agents import detach

        detach.settle(location, agent.NAME, session_id, capture)
    if session_id and (capture.begins or capture.ends):
        _note_process(location, agent, session_id, ends=bool(capture.ends))
    if session_id and capture.begins and setting(location, "brief"):
        from git_agent_session.hooks import agent_brief

        agent_brief.say(location, agent.NAME, session_id)
    # an agent that went from one repository to another ends in both
    return not capture.ends


def _note_process(location: Location, agent: Agent, session_id: str, *, ends: bool) -> None:
    """Keep which process the session is of, where the agent tells: one that is gone without an end has crashed."""
    pid = os.environ.get(getattr(agent, "PID", ""), "")
    if pid:
        from git_agent_session import running

        if ends:
            running.forget(location.shared, session_id)
        else:
            running.note(location.shared, session_id, pid)


def _locations(agent: Agent, payload: Mapping[str, Any]) -> list[Location]:
    from git_agent_session import live
    from git_agent_session.git.discover import discover

    found: dict[str, Location] = {}
    for folder in agent.folders(payload, os.environ):
        location = discover(folder)
        if location is not None:
            # a later folder in the same repository says which worktree
            found[os.path.realpath(location.common_dir)] = location
    # an agent that looks into a submodule stays the session of the repository where it began
    own_id = agent.native_id(payload)
    return sorted(found.values(), key=lambda place: live.native(place.shared, agent.NAME, own_id) is None)


def _stdin() -> bytes:
    """Standard input, at most one byte more than is taken."""
    if os.isatty(0):
        return b""
    parts, size = [], 0
    while size <= PAYLOAD and (part := os.read(0, 1 << 20)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _report(location: Location | None, text: str) -> None:
    try:
        from git_agent_session.agents.recorder import log
        from git_agent_session.git.discover import discover

        location = location or discover()
        if location is not None:
            log(location.shared, text)
    except BaseException:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
