"""Plans for a repository whose hooks lie in `<common dir>/hooks`: ours stand under the hook's name, what was there
stands beside it and is run by ours.

Frameworks do the same to us: pre-commit renames what it finds to `<name>.legacy` and goes on running it, lefthook
renames it to `<name>.old` and does not. A plan here puts ours in front again, and leaves the framework, once ours is
taken out, in the state it would be in had ours never been there.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from git_agent_session.errors import HookConflict
from git_agent_session.hooks.manifest import Manifest, digest
from git_agent_session.hooks.sources import ASIDE, FRAMEWORK_ASIDE, HOOKS, HookFile, look
from git_agent_session.hooks.steps import STAGED, Step

CHANGED = "was changed since it was installed"


def placed(hooks: str, sources: dict[str, bytes], manifest: Manifest) -> list[Step]:
    """The steps that put our hooks into the folder `hooks`. Raises HookConflict."""
    if os.path.lexists(hooks) and not os.path.isdir(hooks):
        raise HookConflict(f"{hooks} is not a folder", hint="move it away and install again")
    steps = [] if os.path.isdir(hooks) else [Step("mkdir", hooks)]
    for name in HOOKS:
        steps += _placed_one(os.path.join(hooks, name), sources[name], _known(name, sources, manifest))
    return steps


def _known(name: str, sources: dict[str, bytes], manifest: Manifest) -> set[str]:
    return {*manifest.hashes(name), digest(sources[name])}


def _placed_one(path: str, source: bytes, known: Collection[str]) -> list[Step]:
    here = look(path)
    if here is None:
        return [Step("write", path, "ours", data=source, mode=0o755)]
    if here.ours:
        return refreshed(path, here, source, known)
    if os.path.isdir(path) and not os.path.islink(path):
        raise HookConflict(f"{path} is a folder", hint="move it away and install again")
    front = Step(
        "aside", path, f"renamed to {os.path.basename(path)}{ASIDE}; ours runs it first", source, 0o755, path + ASIDE
    )
    return [*_cleared(path, here, known), front]


def _cleared(path: str, here: HookFile, known: Collection[str]) -> list[Step]:
    """The steps that make the name free under which the foreign hook `here` will be kept."""
    moved = _moved(path)
    if any(digest(file.data) not in known for file in moved.values()):
        raise HookConflict(f"{next(iter(moved))} {CHANGED}", hint="move it away and install again")
    kept = look(path + ASIDE)
    if kept is None or _same(here, kept):
        # where pre-commit ran ours it would run it again, and ours would run pre-commit
        steps = [Step("remove", name, "ours, which another hook put aside") for name in moved]
        return steps if kept is None else [*steps, Step("remove", path + ASIDE, "an older copy of the hook there now")]
    if not moved:
        raise HookConflict(
            f"{path} is not ours any more, and {path + ASIDE} keeps another hook",
            hint=f"put what you need of both into {path}, delete {os.path.basename(path) + ASIDE} and install again",
        )
    first, *rest = moved
    steps = [Step("restore", first, "what ours had put aside, in place of ours", to=path + ASIDE)]
    return steps + [Step("remove", name, "ours, which another hook put aside") for name in rest]


def _moved(path: str) -> dict[str, HookFile]:
    found = {path + suffix: look(path + suffix) for suffix in FRAMEWORK_ASIDE}
    return {name: file for name, file in found.items() if file is not None and file.ours}


def _same(here: HookFile, kept: HookFile) -> bool:
    return here.data == kept.data or (here.framework != "" and here.framework == kept.framework)


def refreshed(path: str, here: HookFile, source: bytes, known: Collection[str]) -> list[Step]:
    """The step that brings our hook `here` up to date: none when it is, a `keep` when the user changed it."""
    if here.data == source:
        return [] if here.mode & 0o111 else [Step("write", path, "is not executable", data=source, mode=0o755)]
    if digest(here.data) not in known:
        return [Step("keep", path, CHANGED)]
    return [Step("write", path, "is of another version", data=source, mode=0o755)]


def taken_out(hooks: str, sources: dict[str, bytes], manifest: Manifest) -> list[Step]:
    """The steps that take our hooks out of the folder `hooks` and put back what was there."""
    if not os.path.isdir(hooks):
        return []
    steps: list[Step] = []
    for name in HOOKS:
        steps += _taken_out_one(os.path.join(hooks, name), _known(name, sources, manifest))
    names = set(os.listdir(hooks))
    staged = sorted(name for name in names if any(name.startswith(f"{hook}{STAGED}") for hook in HOOKS))
    steps += [Step("remove", os.path.join(hooks, name), "left by an install that was killed") for name in staged]
    gone = {os.path.basename(step.path) for step in steps if step.kind == "remove"}
    if manifest.made_hooks and names <= gone:
        steps.append(Step("rmdir", hooks))
    return steps


def _taken_out_one(path: str, known: Collection[str]) -> list[Step]:
    here, kept, moved = look(path), look(path + ASIDE), _moved(path)
    back = Step("restore", path, "the hook that was there before", to=path + ASIDE)
    if here is None:
        return [back] if kept else []
    if here.ours:
        if digest(here.data) not in known:
            return [Step("keep", path, f"{CHANGED}; remove it by hand")]
        return [back if kept else Step("remove", path, "ours")]
    if moved:
        first, *rest = moved
        steps = [Step("remove", name, "ours, which another hook put aside") for name in rest]
        if kept and not _same(here, kept):
            return [*steps, Step("restore", first, "what ours had put aside, in place of ours", to=path + ASIDE)]
        steps.append(Step("remove", first, "ours, which another hook put aside"))
        return [*steps, Step("remove", path + ASIDE, "an older copy of the hook there now")] if kept else steps
    if kept and _same(here, kept):
        return [Step("remove", path + ASIDE, "an older copy of the hook there now")]
    if kept:
        return [
            Step("keep", path + ASIDE, f"{os.path.basename(path)} was replaced since; this is what was there before")
        ]
    return []
