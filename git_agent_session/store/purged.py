"""Which sessions were purged here, so that nothing of them is fetched or sent again: a local list, which never travels.

    <common dir>/agent-session/purged    a session id a line

Whoever purges has a reason, and the remote, or somebody who has not purged yet, may still have it all.
"""

from __future__ import annotations

import os

from git_agent_session import live
from git_agent_session.errors import StorageError
from git_agent_session.ids import is_session_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "purged"
# thirty thousand sessions
_MAX_BYTES = 1024 * 1024


def ids(shared: str) -> set[str]:
    """The sessions that were purged in the repository whose common folder of the plugin is `shared`."""
    try:
        with open(os.path.join(shared, NAME), encoding="ascii", errors="replace") as f:
            return {word for word in f.read(_MAX_BYTES).split() if is_session_id(word)}
    except OSError:
        return set()


def remember(shared: str, gone: Iterable[str]) -> None:
    """Put sessions on the list. Raises StorageError."""
    _write(shared, ids(shared) | set(gone))


def forget(shared: str, back: Iterable[str]) -> None:
    """Take sessions off the list: the next fetch brings in what the remote has of them. Raises StorageError."""
    _write(shared, ids(shared) - set(back))


def _write(shared: str, wanted: set[str]) -> None:
    path = os.path.join(shared, NAME)
    try:
        os.makedirs(shared, mode=0o700, exist_ok=True)
        live.replace(path, "".join(f"{i}\n" for i in sorted(wanted)))
    except OSError as e:
        raise StorageError(
            f"cannot write {path}: {e.strerror}", hint="free disk space or make the repository writable"
        ) from e
