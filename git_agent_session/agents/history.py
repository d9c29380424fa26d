"""Finds an agent's own records of earlier sessions that worked in one repository. Reads only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from git_agent_session.agents.transcripts import json_object
from git_agent_session.git.discover import Location, discover
from git_agent_session.live import listed
from git_agent_session.model import Doc

# lines at the start of a transcript that may say where the agent was, and bytes of them
LINES = 60
BYTES = 4 * 1024 * 1024


def worktrees(location: Location) -> list[str]:
    """The top folders of all worktrees of the repository, those that are gone too as far as git knows them."""
    tops = [location.worktree] if location.worktree else []
    if os.path.basename(location.common_dir) == ".git":
        tops.append(os.path.dirname(location.common_dir))
    folder = os.path.join(location.common_dir, "worktrees")
    for name in listed(folder):
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
    for name in listed(root):
        # of a long path only the head is kept
        if any(name.startswith(head) or (len(name) > 150 and head.startswith(name[:150])) for head in heads):
            yield os.path.join(root, name)


def below(folder: str, suffix: str) -> Iterator[tuple[str, float]]:
    """The files in `folder` whose names end in `suffix`, with the time of their last change (seconds since 1970)."""
    for name in listed(folder):
        path = os.path.join(folder, name)
        if name.endswith(suffix) and os.path.isfile(path):
            yield path, os.stat(path).st_mtime


def where(path: str, key: str, location: Location) -> bool:
    """True when the first JSON line of a file that names a folder under `key` names one of this repository."""
    return belongs(first(path, key)[0], location)


def first(path: str, *keys: str) -> list[Any]:
    """Of each key the value in the first of a file's JSON lines that has it, at its top; None without one.

    Read no further than needed: transcripts are long, and most say all of it in their first lines.
    """
    found: dict[str, Any] = {}
    for row in _head(path):
        for key in keys:
            if found.get(key) is None:
                found[key] = row.get(key)
        if all(value is not None for value in found.values()):
            break
    return [found.get(key) for key in keys]


def _head(path: str) -> Iterator[Doc]:
    """The JSON objects among a file's first lines."""
    left = BYTES
    try:
        with open(path, "rb") as f:
            for _ in range(LINES):
                line = f.readline(left)
                left -= len(line)
                if not line:
                    return
                if (found := json_object(line)) is not None:
                    yield found
    except OSError:
        return
