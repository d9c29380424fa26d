"""Where sessions have been sent by hand, and of what was warned before: local files, which never travel.

    <common dir>/agent-session/sync/shared    a digest of each address that somebody has pushed sessions to by hand
    <common dir>/agent-session/sync/warned    a digest of each warning that was given

Sending by itself (agentSession.autoShare) needs the first. So a setting that came from elsewhere, or was made for
another remote, sends nothing to a fork, an upstream or a mirror that nobody has chosen for sessions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from git_agent_session.git.repository import Repository
from git_agent_session.sync.remote import Remote, without_password

_MAX_BYTES = 1024 * 1024


def confirm(repo: Repository, remote: Remote) -> None:
    """Remember that sessions may go to this address."""
    _add(repo, "shared", _digest(remote.url))


def confirmed(repo: Repository, remote: Remote) -> bool:
    """Whether somebody has sent sessions to this address by hand."""
    return _digest(remote.url) in _lines(repo, "shared")


def first_time(repo: Repository, topic: str, remote: Remote) -> bool:
    """True once for each topic and address: a warning that comes each time is read by nobody."""
    digest = _digest(f"{topic} {remote.url}")
    if digest in _lines(repo, "warned"):
        return False
    _add(repo, "warned", digest)
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(without_password(text).encode("utf-8", "surrogateescape")).hexdigest()


def _path(repo: Repository, name: str) -> str:
    return os.path.join(repo.location.shared, "sync", name)


def _lines(repo: Repository, name: str) -> set[str]:
    try:
        with open(_path(repo, name), encoding="ascii", errors="replace") as f:
            return set(f.read(_MAX_BYTES).split())
    except OSError:
        return set()


def _add(repo: Repository, name: str, digest: str) -> None:
    if digest in _lines(repo, name):
        return
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(_path(repo, name)), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with open(os.open(_path(repo, name), flags, 0o600), "w", encoding="ascii") as f:
            f.write(f"{digest}\n")
