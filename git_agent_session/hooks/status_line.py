"""Claude Code's status line: its JSON on standard input, one line about the session on standard output.

Claude Code runs it after every message, so it keeps the bounds of a hook call: the standard library alone, no git, no
click, nothing written. What the agent knows best (model, cost, context) is the agent's word; which session this is here
and how many commits it has comes from the plugin's own files. What is not known is left out, never guessed. It always
exits 0: an error would leave the line empty, and no more.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from git_agent_session.git.discover import Location

AGENT = "claude-code"
# bytes; the payload is a few hundred
_PAYLOAD = 1024 * 1024
# bytes of what is known of a session's links: more would take longer than a hook may
_LINKS = 4 * 1024 * 1024
_APART = " | "


def main() -> int:
    """Print the line for the payload on standard input; returns 0 whatever happens."""
    try:
        text = line(_stdin())
    except BaseException:  # not even an interrupt may reach the agent
        return 0
    if text:
        os.write(1, f"{text}\n".encode("utf-8", "replace"))
    return 0


def _stdin() -> bytes:
    if os.isatty(0):
        return b""
    data = b""
    while len(data) <= _PAYLOAD and (part := os.read(0, 1 << 16)):
        data += part
    return data


def line(data: bytes) -> str:
    """The status line for a payload; "" for what is none."""
    from git_agent_session.agents import plain_json

    try:
        payload = plain_json.parse(data[: _PAYLOAD + 1].decode("utf-8", "replace").removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(payload, dict):
        return ""
    from git_agent_session import term

    recorded, commits = _recorded(payload)
    cost = _number(_table(payload, "cost").get("total_cost_usd"))
    parts = [
        recorded,
        term.fit(term.clean(_text(_table(payload, "model"), "display_name", "id")), 40),
        f"${cost:.2f}" if cost is not None else "",
        _context(payload),
        "" if commits is None else term.count(commits, "commit"),
    ]
    return _APART.join(part for part in parts if part)


def _recorded(payload: dict[str, Any]) -> tuple[str, int | None]:
    """Which session of ours this is, and its commits; where it is none, that it is not recorded."""
    from git_agent_session import live
    from git_agent_session.git.discover import discover

    own_id, found = _text(payload, "session_id"), None
    for folder in _folders(payload):
        location = discover(folder)
        if location is None or not os.path.isdir(location.shared):
            continue
        found = location
        session_id = live.native(location.shared, AGENT, own_id) if own_id else None
        if session_id is not None:
            return session_id[:8], commits(location, session_id)
    return ("not recorded" if found is not None else "", None)


def _folders(payload: dict[str, Any]) -> Iterator[str]:
    """Where the agent may be at work, the likeliest first: where it is, then where it began."""
    workspace = _table(payload, "workspace")
    for folder in (workspace.get("current_dir"), payload.get("cwd"), workspace.get("project_dir")):
        if isinstance(folder, str) and folder and "\0" not in folder:
            yield folder


def _context(payload: dict[str, Any]) -> str:
    """How full the context is. The totals beside it mean the whole session in some versions of Claude Code and the
    context in others, so what the last call used is what counts."""
    from git_agent_session import term

    window = _table(payload, "context_window")
    used = _table(window, "current_usage")
    keys = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    size = sum(int(_number(used.get(key)) or 0) for key in keys)
    share = _number(window.get("used_percentage"))
    if not size:
        return ""
    return f"{term.si(size)} tokens" + (f" ({share:.0f}%)" if share is not None else "")


# -- commits


def commits(location: Location, session_id: str) -> int | None:
    """How many commits are linked to a session, told from files; None where they do not tell."""
    ref = os.path.join(location.common_dir, "refs", "agent-sessions", session_id)
    told, tip = None, _read(ref).strip()
    # what is drained leaves the journal after the ref has moved: read between the two, it would be missed
    for _ in range(3):
        told, before = _commits_at(location, session_id, tip), tip
        tip = _read(ref).strip()
        if tip == before:
            break
    return told


def _commits_at(location: Location, session_id: str, tip: str) -> int | None:
    seen = _seen(os.path.join(location.shared, "seen", session_id)) if tip else None
    waiting = list(_waiting(location.shared, session_id))
    if seen is not None and seen[0] == tip:
        linked = seen[1]
        _apply(linked, waiting)
        return len(linked)
    kinds = [event.get("kind") for event in waiting]
    base = _counted(os.path.join(location.common_dir, "objects"), tip) if tip else 0
    # without its beginning in the journal, a session has a ref that is packed; and of a rewrite, only those who know
    # every link can say what it takes away
    if base is None or not (tip or "start" in kinds) or "rewrite" in kinds:
        return None
    return max(0, base + kinds.count("commit") - kinds.count("unlink"))


def _counted(objects: str, tip: str) -> int | None:
    """The commits that the state at `tip` counts; None where its objects are packed or are none of ours."""
    tree = _object(objects, tip)[5:].partition(b"\n")[0].decode("ascii", "replace")
    name = b"100644 session.toml\0"
    entries = _object(objects, tree)
    at = entries.find(name)
    # an entry ends with the object's id, which is as long as that of the tree
    blob = entries[at + len(name) :][: len(tree) // 2].hex() if at >= 0 else ""
    text = _object(objects, blob).decode("utf-8", "replace")
    if not text:
        return None
    for row in text.partition("\n[counts]\n")[2].split("\n"):
        key, _, value = row.partition(" = ")
        if key == "commits" and value.isdigit():
            return int(value)
        if row.startswith("["):
            break
    return 0


def _object(objects: str, number: str) -> bytes:
    """What a loose object holds, b"" for one that is not there (gitformat-loose(5): header, zero byte, content)."""
    import zlib

    if len(number) not in (40, 64) or not set(number) <= set("0123456789abcdef"):
        return b""
    try:
        with open(os.path.join(objects, number[:2], number[2:]), "rb") as f:
            return zlib.decompressobj().decompress(f.read(_LINKS), _LINKS).partition(b"\0")[2]
    except (OSError, zlib.error):
        return b""


def _seen(path: str) -> tuple[str, set[str]] | None:
    """The tip that the file of a session's links is good for, and the commits; see store/seen.py."""
    from git_agent_session.agents import plain_json

    tip, linked = None, set[str]()
    for text in filter(None, _read(path).split("\n")):
        try:
            step = plain_json.parse(text)
            if step["on"] == tip:
                _apply(linked, step["linking"])
                tip = step["tip"]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return (tip, linked) if isinstance(tip, str) else None


def _waiting(shared: str, session_id: str) -> Iterator[dict[str, str]]:
    """What the journal holds beyond that: its events, the commits of git's hooks, and rewrites not worked in yet."""
    from git_agent_session import live

    folder = os.path.join(shared, "journal")
    for name in live.listed(folder):
        if name.startswith(f"{session_id}.") and name.endswith(".toml"):
            yield from _events(_read(os.path.join(folder, name)))
    folder = os.path.join(shared, "rewrites")
    for name in live.listed(folder):
        for text in _read(os.path.join(folder, name)).split("\n")[1:]:
            old, _, new = text.partition(" ")
            if new:
                yield {"kind": "rewrite", "old": old, "new": new.split()[0]}


def _events(text: str) -> Iterator[dict[str, str]]:
    """The events of a journal, their keys of one line alone: no TOML reader is that fast."""
    event: dict[str, str] = {}
    for row in text.split("\n"):
        if row == "[[event]]":
            if event:
                yield event
            event = {}
        else:
            key, equals, value = row.partition(" = ")
            if equals and key in ("kind", "commit", "old", "new"):
                event.setdefault(key, value.strip('"'))
    if event:
        yield event


def _apply(linked: set[str], events: Iterable[dict[str, Any]]) -> None:
    """The links after `events`, as model.fold has them."""
    for event in events:
        kind = event.get("kind")
        if kind == "commit":
            linked.add(str(event.get("commit")))
        elif kind == "unlink":
            linked.discard(str(event.get("commit")))
        elif kind == "rewrite" and event.get("old") in linked:
            linked.discard(str(event.get("old")))
            linked.add(str(event.get("new")))


def _read(path: str) -> str:
    """A small file's text, "" where it cannot be read or is none of that size."""
    try:
        with open(path, "rb") as f:
            data = f.read(_LINKS + 1)
    except OSError:
        return ""
    return data.decode("utf-8", "replace") if len(data) <= _LINKS else ""


# -- what anybody may have sent


def _table(doc: dict[str, Any], key: str) -> dict[str, Any]:
    value = doc.get(key)
    return value if isinstance(value, dict) else {}


def _text(doc: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that is a text with anything in it."""
    for key in keys:
        value = doc.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()[:200]
    return ""


def _number(value: Any) -> float | None:
    """An amount; None for what is none."""
    return value if type(value) in (int, float) and 0 <= value < 1e12 else None
