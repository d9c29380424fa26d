"""Adds thousands of new refs at once, as lines of packed-refs: what git does when it clones, and offers nobody else.

A ref made by `git update-ref` is a file: ten thousand take seconds to write, 40 MB of disk, and each of them is opened
whenever refs are listed. Here the whole text is written aside first; then git's own lock on packed-refs is taken by
linking that file under the lock's name, what it was made from is looked at once more, and one rename puts it in place
and gives the lock back. So the lock is held for some system calls, and what a process that is killed there leaves is
known as ours.

Only names are added under which there is nothing: a ref that somebody writes meanwhile is a file, and files go before
lines, so nobody's ref is ever moved back by this. Whatever is unusual is left to git.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from git_agent_session.git import ref_files
from git_agent_session.git.ref_files import PACKED

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository

_HEAD = b"# pack-refs with: peeled fully-peeled sorted \n"
_ASIDE = "packed-refs.agent-session"
_STALE_SECONDS = 30.0
_TRIES = 20

# the line of a ref, and that of what a tag points at
_Lines = dict[bytes, tuple[bytes, bytes]]


def fits(repo: Repository) -> bool:
    """Whether git would do no more for a new ref of ours than write it: no hook of the user's, no reflog, no rights."""
    hooks = repo.config("core.hooksPath") or os.path.join(repo.location.common_dir, "hooks")
    top = repo.location.worktree or repo.location.git_dir
    hook = os.path.join(top, os.path.expanduser(hooks), "reference-transaction")
    logged = (repo.config("core.logAllRefUpdates") or "").lower() == "always"
    shared = (repo.config("core.sharedRepository") or "umask").lower() not in ("umask", "false", "0")
    return not (logged or shared or os.path.lexists(hook) or _has_config_hooks(repo))


def _has_config_hooks(repo: Repository) -> bool:
    # git 2.54 and newer: hook.<name>.event
    return any(e.name.startswith("hook.") and e.value == "reference-transaction" for e in repo.raw.config)


def add(common: str, refs: Mapping[str, str], *, over: bool = False) -> set[str]:
    """Add refs (name -> a commit's id) in one step; returns the names of those that stand now as they were given.

    A name that is taken is left alone; with `over` it gets the new value where it is a line already. All are left alone
    where packed-refs is not as git writes it, or others hold its lock. What names may be is the caller's to have
    checked, and whether git would do more for a ref (`fits`). Raises OSError when it cannot be written.
    """
    if not hasattr(os, "link") or os.path.islink(os.path.join(common, PACKED)):
        return set()
    clear(common)
    for _ in range(_TRIES):
        data = ref_files.packed(common)
        lines = _parsed(data)
        if lines is None:
            return set()
        wanted = _free(common, refs, lines, over=over)
        if not wanted or _put(common, data, _text(lines, wanted)):
            # a file that came meanwhile is what counts
            files = _Files(common)
            return {name for name in wanted if name not in files}
        time.sleep(random.random() * 0.05)
    return set()


def _parsed(data: bytes) -> _Lines | None:
    """The lines of packed-refs by name; None for what this git does not write."""
    head, _, rest = data.partition(b"\n") if data.startswith(b"#") else (b"", b"", data)
    if data and not {b"fully-peeled", b"sorted"} <= set(head.split()):
        return None
    lines: _Lines = {}
    name = b""
    for line in rest.split(b"\n"):
        if line.startswith(b"^"):
            if not name:
                return None
            lines[name] = lines[name][0], line
        elif line:
            tip, blank, name = line.partition(b" ")
            if not blank or len(tip) != 40:
                return None
            lines[name] = line, b""
    return lines


def _free(common: str, refs: Mapping[str, str], lines: _Lines, *, over: bool) -> dict[str, str]:
    """Those of `refs` that neither a file nor a line stands in the way of."""
    names = {os.fsencode(name) for name in refs}
    # a ref cannot be where others are below it, nor below another
    folders: set[bytes] = set()
    for full in (*lines, *names):
        folder = full.rpartition(b"/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition(b"/")[0]
    blocked = {f for f in folders if f in lines or f in names or os.path.isfile(_path(common, os.fsdecode(f)))}
    files = _Files(common)
    found = {}
    for name, tip in refs.items():
        raw = os.fsencode(name)
        taken = raw in folders or (raw in lines and not over)
        if not taken and not _is_below(raw, blocked) and name not in files:
            found[name] = tip
    return found


class _Files:
    """The refs that are files, or folders of such: each folder is looked into once."""

    def __init__(self, common: str) -> None:
        self._common = common
        self._folders: dict[str, frozenset[str]] = {}

    def __contains__(self, ref: str) -> bool:
        folder, _, name = ref.rpartition("/")
        known = self._folders.get(folder)
        if known is None:
            try:
                known = frozenset(os.listdir(_path(self._common, folder)))
            except (FileNotFoundError, NotADirectoryError):
                known = frozenset()
            self._folders[folder] = known
        return name in known


def _is_below(name: bytes, blocked: set[bytes]) -> bool:
    return bool(blocked) and any(name.startswith(folder + b"/") for folder in blocked)


def _text(lines: _Lines, wanted: Mapping[str, str]) -> bytes:
    rows = {**lines, **{os.fsencode(n): (f"{tip} ".encode() + os.fsencode(n), b"") for n, tip in wanted.items()}}
    parts = [_HEAD]
    for name in sorted(rows):
        line, peeled = rows[name]
        parts.append(line + b"\n" + (peeled + b"\n" if peeled else b""))
    return b"".join(parts)


def _put(common: str, before: bytes, after: bytes) -> bool:
    """Put a new text in the place of `before`; False where others were first, or have the lock."""
    path, lock = os.path.join(common, PACKED), os.path.join(common, f"{PACKED}.lock")
    aside = os.path.join(common, f"{_ASIDE}.{os.getpid()}.{os.urandom(3).hex()}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as f:
        f.write(after)
        f.flush()
        os.fsync(f.fileno())
    try:
        with contextlib.suppress(FileNotFoundError):
            # a repository that a group shares
            os.chmod(aside, os.stat(path).st_mode & 0o777)
        try:
            os.link(aside, lock)
        except FileExistsError:
            return False
        try:
            if ref_files.packed(common) != before:
                os.unlink(lock)
                return False
            os.replace(lock, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(lock)
            raise
        return True
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside)


def clear(common: str) -> None:
    """Remove what a killed process of ours has left."""
    for path in stale(common):
        with contextlib.suppress(OSError):
            os.unlink(path)


def stale(common: str) -> list[str]:
    """The files that killed processes of ours have left, and git's lock if it is one of these: git never removes it."""
    lock = os.path.join(common, f"{PACKED}.lock")
    found = []
    for name in _left(common):
        path = os.path.join(common, name)
        with contextlib.suppress(OSError):
            stat = os.stat(path)
            if time.time() - stat.st_mtime < _STALE_SECONDS:
                continue
            # the lock first: without the file beside it, it would be nobody's
            if os.path.exists(lock) and os.path.samestat(os.stat(lock), stat):
                found.append(lock)
            found.append(path)
    return found


def _left(common: str) -> Iterable[str]:
    with contextlib.suppress(OSError):
        return [name for name in os.listdir(common) if name.startswith(f"{_ASIDE}.")]
    return []


def _path(common: str, name: str) -> str:
    return os.path.join(common, *name.split("/"))
