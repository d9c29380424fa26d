"""Purging: nothing of a session stays that git or we could find again on this machine.

`delete` takes a session off the lists; here the archive and the notes also get a history in which it never was, and
what lies beside the refs goes: reflogs, tracking refs, files, indexes. The objects themselves are git's to collect,
which `collect` asks for. What others have fetched is out of reach; but what they send comes in here no more, until
somebody says so (`purged`).
"""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session import live, lock
from git_agent_session.errors import SessionNotFound, StorageError
from git_agent_session.git import all_notes, notes
from git_agent_session.git.archives import ARCHIVES, INDEX, drop_refs
from git_agent_session.git.ref_files import NOTES_TRACKING, TRACKING
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.git.run import run
from git_agent_session.ids import is_session_id
from git_agent_session.store import archive, links, purged, sweep

if TYPE_CHECKING:
    from git_agent_session.model import Doc
    from git_agent_session.store.store import Store

# what is derived from sessions, and made again when it is missed; SQLite keeps deleted rows in its file
_DERIVED = ("index.sqlite", "patches.sqlite")
_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Purged:
    """What went: refs by name, months of archives that were written anew, commits whose notes were, files.

    `tips` are the commits that hold what the sessions were; git has them until it collects (`remaining`).
    """

    ids: tuple[str, ...]
    refs: tuple[str, ...]
    archives: tuple[str, ...]
    notes: int
    files: int
    tips: tuple[str, ...]

    def to_dict(self) -> Doc:
        """For `--json`."""
        return {
            "sessions": list(self.ids),
            "refs": list(self.refs),
            "archives": list(self.archives),
            "notes": self.notes,
            "files": self.files,
        }


def find(store: Store, texts: Iterable[str]) -> tuple[str, ...]:
    """The ids that `texts` name. Raises SessionNotFound for a session of which nothing is here, AmbiguousSession."""
    known = set(store.repo.sessions())
    before = purged.ids(store.shared)
    found = []
    for text in texts:
        session_id = text if text in before else store.resolve(text)
        tracked = any(name.endswith(f"/{session_id}") for name in store.repo.refs(TRACKING))
        here = session_id in known or tracked or session_id in before
        if not here and not sweep.files(store.repo.location, session_id):
            raise SessionNotFound(f"nothing is here of session {session_id}", hint="see `git agent-session list`")
        found.append(session_id)
    return tuple(dict.fromkeys(found))


def purge(store: Store, ids: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Purged:
    """Take all traces of sessions out of this repository, but for the objects that git has yet to collect.

    Nothing that waits in a journal is written into git first, and no fetch brings any of it back. `progress` is called
    with how many sessions are done, and how many there are. Raises StorageError; called again, it goes on.
    """
    repo = store.repo
    purged.remember(store.shared, ids)
    tips = _tips(repo, ids)
    gone: list[str] = []
    files = 0
    for number, session_id in enumerate(ids):
        if progress is not None:
            progress(number, len(ids))
        # whoever drains it now is waited for: afterwards there is nothing to drain
        with lock.held(store.shared, session_id):
            files += _close(store, session_id)
            if repo.pointed(SESSIONS + session_id):
                sweep.drop_ref(repo, session_id)
                gone.append(SESSIONS + session_id)
    if progress is not None:
        progress(len(ids), len(ids))
    gone += drop_refs(repo, _tracking(repo, set(ids)), "purge")
    months = archive.forget(repo, ids)
    noted = _purge_notes(repo, ids)
    _expire(repo, [*gone, notes.REF, *(ARCHIVES + month for month in months)])
    for name in _DERIVED:
        for path in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal"):
            files += _unlink(os.path.join(store.shared, path))
    return Purged(tuple(ids), tuple(gone), tuple(months), noted, files, tips)


def _tips(repo: Repository, ids: Sequence[str]) -> tuple[str, ...]:
    found = {tip for i in ids if (tip := repo.tip(SESSIONS + i))}
    found.update(tip for name, tip in repo.refs(TRACKING).items() if name.rpartition("/")[2] in ids)
    return tuple(sorted(found))


def _close(store: Store, session_id: str) -> int:
    location = store.repo.location
    sweep.close(location, session_id)
    for path in _natives(store.shared, session_id):
        _unlink(path)
    return sum(_unlink(path) for path in sweep.files(location, session_id))


def _natives(shared: str, session_id: str) -> list[str]:
    """The files that map an agent's own id to this session."""
    found = []
    for folder, _, names in os.walk(os.path.join(shared, "native")):
        agent = os.path.basename(folder)
        found += [os.path.join(folder, name) for name in names if live.native(shared, agent, name) == session_id]
    return found


def _unlink(path: str) -> int:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return 1


def _tracking(repo: Repository, ids: set[str]) -> dict[str, str]:
    """What was fetched and has a part of the sessions; the next fetch brings back what the remote still has."""
    found = {}
    for ref, tip in repo.refs(TRACKING).items():
        name = ref.rpartition("/")[2]
        if name in ids or (not is_session_id(name) and _may_name(repo, tip, ids)):
            found[ref] = tip
    noted = {ref: tip for ref, tip in repo.refs(NOTES_TRACKING).items() if ref.endswith("/agent-sessions")}
    return {**found, **noted}


def _may_name(repo: Repository, tip: str, ids: set[str]) -> bool:
    try:
        return INDEX not in repo.commit_at(tip).tree or not ids.isdisjoint(repo.archives.index(tip))
    except ValueError:
        return True


def _purge_notes(repo: Repository, ids: Sequence[str]) -> int:
    """Write the notes without the sessions' lines and without a history; returns how many commits' notes changed."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while tip := repo.tip(notes.REF):
        named = all_notes.naming(repo, tip, ids)
        changes = without_lines(named, ids)
        try:
            repo.swap(notes.REF, all_notes.fresh(repo, tip, changes, "purge"), tip, "purge")
            return len(named)
        except Moved as e:
            if time.monotonic() > deadline:
                raise StorageError("the notes are written by others again and again", hint="try again") from e
            time.sleep(random.random() * 0.02)
    return 0


def without_lines(commits: Iterable[str], ids: Sequence[str]) -> Mapping[str, notes.Change]:
    """For each commit, what takes the sessions' lines out of its note."""
    edits = tuple(links.Edit(i, False) for i in ids)
    return {commit: functools.partial(links.edited, edits=edits) for commit in commits}


def _expire(repo: Repository, refs: Sequence[str]) -> None:
    """Empty the reflogs of refs: what they name is kept from git's collecting."""
    where = repo.location.git_dir
    expired = ("reflog", "expire", "--expire=now", "--expire-unreachable=now")
    for ref in refs:
        path = os.path.join(repo.location.common_dir, "logs", *ref.split("/"))
        if repo.pointed(ref) is None:
            _unlink(path)
        elif os.path.exists(path):
            run(*expired, ref, cwd=where, env={"GIT_DIR": where})


def collect(repo: Repository) -> None:
    """Let git collect what no ref and no reflog reaches, of any age. Raises GitError."""
    run("gc", "--prune=now", "--quiet", cwd=repo.location.git_dir, env={"GIT_DIR": repo.location.git_dir})


def remaining(repo: Repository, tips: Iterable[str]) -> list[str]:
    """Those of `tips` that git still has."""
    ids = "".join(f"{tip}\n" for tip in tips)
    where = repo.location.git_dir
    # a partial clone would fetch what it misses
    env = {"GIT_DIR": where, "GIT_NO_LAZY_FETCH": "1"}
    said = run("cat-file", "--batch-check", cwd=where, env=env, input=ids.encode()).stdout.decode()
    return [line.split(" ")[0] for line in said.splitlines() if not line.endswith(" missing")]
