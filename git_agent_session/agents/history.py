"""Finds an agent's own records of earlier sessions that worked in one repository. Reads only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from git_agent_session.git.discover import Location, discover

# lines at the start of a transcript that may say where the agent was, and bytes of them
LINES = 60
BYTES = 4 * 1024 * 1024


def worktrees(location: Location) -> list[str]:
    """The top folders of all worktrees of the repository, those that are gone too as far as git knows them."""
    tops = [location.worktree] if location.worktree else []
    if os.path.basename(location.common_dir) == ".git":
        tops.append(os.path.dirname(location.common_dir))
    folder = os.path.join(location.common_dir, "worktrees")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for name in names:
        try:
            with open(os.path.join(folder, name, "gitdir"), encoding="utf-8", errors="surrogateescape") as f:
                tops.append(os.path.dirname(f.read().rstrip("\r\n")))
        except OSError:
            continue
    found = [os.path.abspath(t) for t in tops]
    return list(dict.fromkeys([*found, *(os.path.realpath(t) for t in found)]))


def belongs(folder: object, location: Location) -> bool:
    """True for a folder in one of the repository's worktrees; one that is gone counts by its path."""
    if not isinstance(folder, str) or not os.path.isabs(folder) or "\x00" in folder:
        return False
    if os.path.isdir(folder):
        there = discover(folder)
        return there is not None and os.path.realpath(there.common_dir) == os.path.realpath(location.common_dir)
    real = os.path.realpath(folder)
    return any(path == top or path.startswith(top + os.sep) for top in worktrees(location) for path in (folder, real))


def named(root: str, location: Location, rename: Callable[[str], str]) -> Iterator[str]:
    """The folders in `root` that an agent may have named after a folder in the repository's worktrees."""
    heads = {rename(top) for top in worktrees(location)}
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        # of a long path only the head is kept
        if any(name.startswith(head) or (len(name) > 150 and head.startswith(name[:150])) for head in heads):
            yield os.path.join(root, name)


def below(folder: str, suffix: str) -> Iterator[tuple[str, float]]:
    """The files in `folder` whose names end in `suffix`, with the time of their last change (seconds since 1970)."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(suffix) and os.path.isfile(path):
            yield path, os.stat(path).st_mtime


def where(path: str, key: str, location: Location) -> bool:
    """True when the first JSON line of a file that names a folder under `key` names one of this repository."""
    folder = first(path, key)
    return folder is not None and belongs(folder, location)


def first(path: str, key: str) -> Any:
    """The value under `key` in the first of a file's JSON lines that has it, at its top; None without one."""
    try:
        with open(path, "rb") as f:
            head = f.read(BYTES).split(b"\n")[:LINES]
    except OSError:
        return None
    for line in head:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get(key) is not None:
            return record[key]
    return None
