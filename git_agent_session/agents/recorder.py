"""Stores what an agent's hook call said: opens, resumes and closes the agent's session, appends its events.

It runs inside the agent's own loop, so it only appends to the journal and writes small files, whatever the size of
session or transcript. The rest (the ref, tokens, who the user is) is the settle step's, in a process of its own.
"""

from __future__ import annotations

import os

from git_agent_session import journal, live
from git_agent_session.agents import payload, traces
from git_agent_session.agents.protocol import Draft
from git_agent_session.ids import event_id_from, is_event_id, native_session_id
from git_agent_session.redact.configured import redactor, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_agent_session.agents.protocol import Capture
    from git_agent_session.git.discover import Location
    from git_agent_session.model import Doc

FOLDER = "capture"
LOG = "hook.log"
LOG_BYTES = 256 * 1024
# what git takes for false (git-config(1))
OFF = ("false", "no", "off", "0")
# characters of a text, by the key that it stands under
LIMITS = {"summary": payload.SUMMARY, "error": payload.ERROR, "title": payload.TITLE, "paths": payload.PATH}


def record(location: Location, agent: str, capture: Capture) -> str | None:
    """Store one hook call in a repository; returns the session's id.

    None when it is not known here and only ends, and where `agentSession.enabled` is false.

    Raises OSError or StorageError when the repository cannot be written, ValueError for an id that is no plain name.
    """
    shared, native_id = location.shared, capture.native_id
    if not is_event_id(native_id):
        raise ValueError("the session id is no plain name")
    known = live.native(shared, agent, native_id)
    if known is None and capture.ends:
        return None
    if setting(location, "enabled").strip().lower() in OFF:
        return None
    if known is None:
        known = _begin(location, agent, capture)
        traces.leave(location, known, capture)
        return known
    events = list(capture.events)
    if not live.is_open(shared, known):
        if capture.begins:
            # not open yet: a fork first announces itself by the id of the session that it copies (2.1.197)
            live.replace(_mark(shared, known, "begun"), "")
        elif not capture.ends and _goes_on(shared, known, capture):
            _resume(location, agent, capture, known)
    elif capture.prompts and os.path.exists(_mark(shared, known, "ended")):
        # opened again by hand, or what ended it was killed before it closed it: the end that was is over
        _resume(location, agent, capture, known)
    if capture.ends and live.is_open(shared, known):
        events.append(Draft(event_id_from("end", _run(shared, agent, native_id)), capture.at, "end", _end(capture)))
    elif capture.ends:
        # paused, or ended by hand: only the ref knows
        capture.notes["ends"] = capture.ends
    if capture.ends:
        live.replace(_mark(shared, known, "ended"), "")
    _append(location, known, capture, events)
    traces.leave(location, known, capture)
    if capture.ends:
        _unlink(_mark(shared, known, "begun"))
        live.set_closed(shared, known)
    return known


def _goes_on(shared: str, session_id: str, capture: Capture) -> bool:
    """True when a closed session is worked in again: by anything after a new beginning, by a prompt after its end.

    One that its user paused or ended by hand, while the agent ran on, stays so until the agent begins anew.
    """
    if os.path.exists(_mark(shared, session_id, "begun")):
        return bool(capture.prompts or capture.events)
    return capture.prompts and os.path.exists(_mark(shared, session_id, "ended"))


def _begin(location: Location, agent: str, capture: Capture) -> str:
    shared = location.shared
    session_id = native_session_id(agent, capture.native_id)
    live.prepare(shared)
    os.makedirs(os.path.join(shared, FOLDER), mode=0o700, exist_ok=True)
    data: Doc = {"agent": {"type": agent, **capture.agent, "native_id": capture.native_id}}
    if capture.forked:
        data["meta"] = {"source": "fork"}
        if is_event_id(capture.parent) and capture.parent != capture.native_id:
            data["parent"] = native_session_id(agent, capture.parent)
    events = [Draft(event_id_from("start", capture.native_id), capture.at, "start", data), *capture.events]
    if _stored(location.common_dir, session_id):
        # from another clone, or from before `native` was lost: its start is known, and it may have ended
        events.insert(1, Draft(event_id_from("resume", capture.native_id, capture.at), capture.at, "resume", {}))
    _append(location, session_id, capture, events)
    # known last: killed in between, the next call begins it again, with the same ids
    _open(location, agent, capture, session_id)
    live.set_native(shared, agent, capture.native_id, session_id)
    return session_id


def _stored(common_dir: str, session_id: str) -> bool:
    ref = f"refs/agent-sessions/{session_id}"
    if os.path.exists(os.path.join(common_dir, ref)):
        return True
    try:
        with open(os.path.join(common_dir, "packed-refs"), "rb") as f:
            packed = f.read()
    except OSError:
        packed = b""
    return f" {ref}\n".encode() in packed or _archived(common_dir, session_id, packed)


def _archived(common_dir: str, session_id: str, packed: bytes) -> bool:
    """Whether an archive has the session: git is asked where there are archives, at the first word of a session."""
    prefix = "refs/agent-sessions/archive/"
    try:
        refs = {prefix + name for name in os.listdir(os.path.join(common_dir, *prefix.split("/")[:-1]))}
    except OSError:
        refs = set()
    at = packed.find(f" {prefix}".encode())
    while at >= 0:
        refs.add(packed[at + 1 : packed.index(b"\n", at)].decode("utf-8", "replace"))
        at = packed.find(f" {prefix}".encode(), at + 1)
    months = sorted(ref for ref in refs if ref[len(prefix) :].replace("-", "").isdigit())
    if not months:
        return False
    import subprocess

    argv = ("git", "grep", "-q", "-F", "-e", f'{session_id} = "', *months, "--", "sessions.toml")
    env = {**os.environ, "GIT_DIR": common_dir, "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}
    for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"):
        env.pop(name, None)
    try:
        quiet = subprocess.DEVNULL
        done = subprocess.run(argv, env=env, stdin=quiet, stdout=quiet, stderr=quiet, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _resume(location: Location, agent: str, capture: Capture, session_id: str) -> None:
    shared = location.shared
    event_id = event_id_from("resume", _run(shared, agent, capture.native_id))
    journal.append(shared, session_id, [Draft(event_id, capture.at, "resume", {})])
    # a new run before it is open: killed in between, it is resumed once more, and its end is not the last run's
    live.set_native(shared, agent, capture.native_id, session_id)
    _open(location, agent, capture, session_id)
    for name in ("begun", "ended"):
        _unlink(_mark(shared, session_id, name))


def _open(location: Location, agent: str, capture: Capture, session_id: str) -> None:
    # the ref is to stand, and the trailer setting to be known, soon
    capture.settle = True
    live.set_open(location.shared, session_id, agent)
    # older than any config file: until the settle step has read the trailer setting, git hooks ask for it themselves
    os.utime(os.path.join(location.shared, "live", session_id), (0, 0))
    live.push_recent(location.private, session_id)


def _append(location: Location, session_id: str, capture: Capture, events: list[Draft]) -> None:
    shared = location.shared
    titled = _mark(shared, session_id, "titled")
    named = bool(capture.title) and not os.path.exists(titled)
    if named:
        events.append(Draft(event_id_from("title", capture.native_id), capture.at, "set", {"title": capture.title}))
    if not events:
        return
    redact = redactor(location, session_id, lambda problem: log(shared, problem))
    for event in events:
        event.data = cut(redact.value(event.data))
        # ids are made of the agent's own
        if (own := redact.text(event.id)) != event.id:
            event.id = event_id_from(event.kind, own)
    if journal.append(shared, session_id, events) > journal.DRAIN_BYTES:
        capture.settle = True
    if named:
        live.replace(titled, "")


def cut(data: Doc) -> Doc:
    """An event's data with texts that are too long cut, which say so. After redaction: a cut may halve a secret."""
    out: Doc = {}
    for key, value in data.items():
        limit = LIMITS.get(key, payload.TEXT)
        if isinstance(value, str) and len(value) > limit:
            value = payload.shorten(value) if key == "title" else _cut(value, limit)
        elif key == "paths" and isinstance(value, list):
            value = [v[:limit] if isinstance(v, str) else v for v in value]
        out[key] = value
    return out


def _cut(text: str, limit: int) -> str:
    whole = len(text)
    head, mark, rest = text.rpartition("… [cut: ")
    if mark and rest.removesuffix(" characters]").isdecimal():
        # it was longer than what was kept of it until here
        whole = len(head) + int(rest.removesuffix(" characters]"))
    return text if whole <= limit else f"{text[:limit]}… [cut: {whole - limit} characters]"


def _end(capture: Capture) -> dict[str, str]:
    data = {"status": capture.ends, "reason": capture.reason}
    if capture.reason != "other":
        data["message"] = capture.reason
    return data


def _run(shared: str, agent: str, native_id: str) -> str:
    """What tells one run of the agent's session from the next: its own id, and when it was last opened here."""
    return f"{native_id}-{os.stat(os.path.join(shared, 'native', agent, native_id)).st_mtime_ns}"


def _mark(shared: str, session_id: str, name: str) -> str:
    return os.path.join(shared, FOLDER, f"{session_id}.{name}")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def log(shared: str, text: str) -> None:
    """Add a line to hook.log; past 256 KB its older half goes. Where there is no folder for it, do nothing."""
    from git_agent_session.codec import clean
    from git_agent_session.ids import timestamp

    path = os.path.join(shared, LOG)
    line = f"{timestamp()} {' '.join(clean(text, 2000).split())}\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line.encode("utf-8", "replace"))
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        if size > LOG_BYTES:
            with open(path, "rb") as f:
                f.seek(size - LOG_BYTES // 2)
                rest = f.read(LOG_BYTES)
            live.replace(path, rest.partition(b"\n")[2].decode("utf-8", "replace"))
    except OSError:
        pass
