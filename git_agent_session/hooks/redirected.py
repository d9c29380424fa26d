"""Plans for a repository where core.hooksPath rules: git is pointed at a folder of our own, which holds our hooks
and, under the name of every other hook, a forwarder to the folder that was in force before. That folder is never
written to.
"""

from __future__ import annotations

import os

from git_agent_session.errors import HookConflict
from git_agent_session.hooks import manifest as manifests
from git_agent_session.hooks.manifest import Manifest, digest
from git_agent_session.hooks.place import Place
from git_agent_session.hooks.plain import CHANGED, refreshed
from git_agent_session.hooks.sources import (
    FORWARD,
    FORWARDED,
    FORWARDED_IF_THERE,
    HOOKS,
    LIBRARY,
    MARKER,
    PREVIOUS,
    HookFile,
    look,
)
from git_agent_session.hooks.steps import REMOVED, STAGED, Step


def placed(place: Place, previous: str, sources: dict[str, bytes], manifest: Manifest) -> list[Step]:
    """The steps that fill our folder so that it hands over to the folder `previous`. Raises HookConflict."""
    if "\n" in previous:
        raise HookConflict(
            "core.hooksPath holds a line break", hint="rename that folder, set the path and install again"
        )
    steps: list[Step] = []
    for name in HOOKS:
        path = os.path.join(place.folder, name)
        here = look(path)
        if here is None:
            steps.append(Step("write", path, "ours", data=sources[name], mode=0o755))
        elif here.ours:
            steps += refreshed(path, here, sources[name], {*manifest.hashes(name), digest(sources[name])})
        else:
            raise HookConflict(
                f"{path} is not ours any more: another tool wrote its hook there",
                hint=f"move it to {os.path.join(previous, name)} and install again",
            )
    for name in _forwarded(place, previous):
        steps += _forwarder(os.path.join(place.folder, name), sources[FORWARD])
    if place.previous() != previous:
        path = os.path.join(place.folder, PREVIOUS)
        steps.append(Step("write", path, f"hands over to {previous or '/'}", data=os.fsencode(previous) + b"\n"))
    return steps


def _forwarded(place: Place, previous: str) -> list[str]:
    there = [n for n in FORWARDED_IF_THERE if os.path.isfile(os.path.join(place.cwd, previous, n))]
    return [*FORWARDED, *there]


def _forwarder(path: str, source: bytes) -> list[Step]:
    here: HookFile | None = look(path)
    if here is None:
        return [Step("write", path, "the forwarder is not there", data=source, mode=0o755)]
    if not here.ours:
        return [Step("keep", path, "another tool wrote its hook there; it runs in place of the one before")]
    if here.data == source and here.mode & 0o111:
        return []
    return [Step("write", path, "is of another version", data=source, mode=0o755)]


def emptied(place: Place) -> list[Step]:
    """The steps that take all but the bookkeeping out of our folder, where git has gone back to plain hooks."""
    names = sorted(os.listdir(place.folder)) if os.path.isdir(place.folder) else []
    return [
        Step("remove", os.path.join(place.folder, name), "core.hooksPath does not point here any more")
        for name in names
        if name not in {LIBRARY, manifests.NAME} and _ours(place, name)
    ]


def taken_out(place: Place, manifest: Manifest, sources: dict[str, bytes]) -> list[Step]:
    """The steps that remove our folder; what others put into it stays, and is named."""
    parent, name = os.path.split(place.folder)
    beside = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
    left = [Step("discard", os.path.join(parent, n), internal=True) for n in beside if n.startswith(name + REMOVED)]
    if not os.path.isdir(place.folder):
        return [*left, Step("prune", parent, internal=True)] if left else []
    known = {hash for _, hashes in manifest.files for hash in hashes} | {digest(data) for data in sources.values()}
    names = sorted(os.listdir(place.folder))
    foreign = [name for name in names if not _ours(place, name)]
    changed = [name for name in names if name in HOOKS and name not in foreign and not _known(place, name, known)]
    if not foreign and not changed:
        return [*left, Step("discard", place.folder, "ours"), Step("prune", parent, internal=True)]
    kept = [Step("keep", os.path.join(place.folder, name), "another tool wrote it") for name in foreign]
    kept += [Step("keep", os.path.join(place.folder, name), f"{CHANGED}; remove it by hand") for name in changed]
    gone = [name for name in names if name not in foreign and name not in changed]
    return [*(Step("remove", os.path.join(place.folder, name), "ours") for name in gone), *kept]


def _ours(place: Place, name: str) -> bool:
    if name in {LIBRARY, PREVIOUS, manifests.NAME} or STAGED in name:
        return True
    here = look(os.path.join(place.folder, name))
    return here is not None and here.plain and MARKER in here.data[:256]


def _known(place: Place, name: str, known: set[str]) -> bool:
    here = look(os.path.join(place.folder, name))
    return here is None or digest(here.data) in known
