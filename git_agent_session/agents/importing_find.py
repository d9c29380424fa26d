"""Which transcripts an import reads: those that an agent's module finds for a repository, or those that a user names.

A path that the user names may lie anywhere: the check that it is in the agent's own folder guards against hooks that
somebody else calls.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from git_agent_session.agents import history
from git_agent_session.agents.importing_forks import Head, head, in_order
from git_agent_session.agents.protocol import Found, Source
from git_agent_session.git.discover import Location, discover
from git_agent_session.ids import is_event_id

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_ID_KEYS = ("sessionId", "session_id", "id")


class Candidate:
    """A transcript that may become a session: `source` is the main one of `sources`, `modified` seconds since 1970."""

    __slots__ = ("head", "modified", "native_id", "source", "sources")

    def __init__(self, native_id: str, modified: float, sources: list[Source], start: Head) -> None:
        self.native_id = native_id
        self.modified = modified
        self.sources = sources
        self.source = sources[0]
        self.head = start


def candidates(
    agent: Any, location: Location, env: Mapping[str, str], paths: Sequence[str], *, cloned: bool = False
) -> tuple[list[Candidate], dict[str, str]]:
    """The sessions to import, the older ones first, and what is wrong with those that cannot be: by path.

    `cloned`: the paths came with this repository, so that the folders they name may be another clone's.
    """
    failed: dict[str, str] = {}
    native: dict[str, tuple[Found, list[Source], Head]] = {}
    for one in _named(agent, location, env, paths, failed) if paths else agent.found(location, env):
        try:
            if not is_event_id(one.native_id):
                raise ValueError("its session id is no plain name")
            sources = _sources(agent, one.path, env, named=bool(paths))
            start = head(agent, sources[0])
            if paths and not cloned and _is_elsewhere(start.folder, location):
                raise ValueError(f"its agent worked in another repository, {start.folder}")
            native[one.native_id] = (one, sources, start)
        except (OSError, ValueError) as e:
            failed[one.path] = str(getattr(e, "strerror", None) or e)
    ordered = in_order([found for found, _, _ in native.values()], {i: start for i, (_, _, start) in native.items()})
    return [Candidate(f.native_id, f.modified, *native[f.native_id][1:]) for f in ordered], failed


def _sources(agent: Any, path: str, env: Mapping[str, str], *, named: bool) -> list[Source]:
    try:
        found = list(agent.sources(path, env))
    except ValueError:
        if not named:
            raise
        found = []
    if not found and not named:
        raise ValueError("there is nothing to read")
    return found or [Source("", os.path.realpath(path))]


def _named(
    agent: Any, location: Location, env: Mapping[str, str], paths: Sequence[str], failed: dict[str, str]
) -> list[Found]:
    """The sessions whose transcripts the user has named."""
    known = {os.path.realpath(f.path): f for f in agent.found(location, env)}
    found = []
    for path in paths:
        if own := known.get(os.path.realpath(path)):
            found.append(own)
            continue
        if not os.path.isfile(path):
            is_folder = os.path.isdir(path)
            failed[path] = "it is a folder; name the transcript in it" if is_folder else "there is no such file"
            continue
        found.append(Found(_native_id(path), os.path.abspath(path), os.stat(path).st_mtime))
    return found


def _is_elsewhere(folder: str, location: Location) -> bool:
    return os.path.isdir(folder) and discover(folder) is not None and not history.belongs(folder, location)


def _native_id(path: str) -> str:
    """The agent's own id of a session: its file is named after it, or its first records name it."""
    stem = os.path.splitext(os.path.basename(path))[0]
    if named := _UUID.findall(stem):
        return str(named[-1])
    return next((i for i in history.first(path, *_ID_KEYS) if isinstance(i, str) and is_event_id(i)), stem)
