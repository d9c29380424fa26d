"""Where sessions have been sent by hand, and of what was warned before: local files, which never travel.

    <common dir>/agent-session/sync/shared    a digest of each address that somebody has pushed sessions to by hand
    <common dir>/agent-session/sync/warned    a digest of each warning that was given

`shared` is the plugin's folder that all worktrees share. Sending by itself (agentSession.autoShare) needs the first: so
a setting that came from elsewhere, or was made for another remote, sends nothing to a fork, an upstream or a mirror
that nobody has chosen for sessions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from git_agent_session.sync.remote import Remote, without_password

_MAX_BYTES = 1024 * 1024


def confirm(shared: str, remote: Remote) -> None:
    """Remember that sessions may go to this address."""
    _add(shared, "shared", _digest(remote.url))


def confirmed(shared: str, remote: Remote) -> bool:
    """Whether somebody has sent sessions to this address by hand."""
    return _digest(remote.url) in _lines(shared, "shared")


def first_time(shared: str, topic: str, remote: Remote) -> bool:
    """True once for each topic and address: a warning that comes each time is read by nobody."""
    digest = _digest(f"{topic} {remote.url}")
    if digest in _lines(shared, "warned"):
        return False
    _add(shared, "warned", digest)
    return True


def public(shared: str, remote: Remote) -> list[str]:
    """What to say before the first push of sessions to a forge for everybody: a line, or none."""
    if not remote.looks_public or not first_time(shared, "public", remote):
        return []
    return [
        f"{remote.host} shows public repositories to everybody, and whether {remote.shown} is one cannot be seen from "
        "here: whoever can read it can read what was said in these sessions (said once)"
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(without_password(text).encode("utf-8", "surrogateescape")).hexdigest()


def _path(shared: str, name: str) -> str:
    return os.path.join(shared, "sync", name)


def _lines(shared: str, name: str) -> set[str]:
    try:
        with open(_path(shared, name), encoding="ascii", errors="replace") as f:
            return set(f.read(_MAX_BYTES).split())
    except OSError:
        return set()


def _add(shared: str, name: str, digest: str) -> None:
    if digest in _lines(shared, name):
        return
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(_path(shared, name)), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with open(os.open(_path(shared, name), flags, 0o600), "w", encoding="ascii") as f:
            f.write(f"{digest}\n")
