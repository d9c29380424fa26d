"""Puts the sh hooks into a repository and takes them out again: `install`, `uninstall`, `status`.

There are two ways in. Without core.hooksPath ours take the hook's name in `<common dir>/hooks` and run what stood
there (`plain.py`); with it, or where what stands there cannot be renamed, git is pointed at a folder of our own that
hands over (`redirected.py`). Both are planned from what is on disk, so that a second install repairs and an uninstall
works after a crash. It opens no session, and deletes none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from git_agent_session.errors import AgentSessionError, HookConflict
from git_agent_session.hooks import config, plain, redirected
from git_agent_session.hooks import manifest as manifests
from git_agent_session.hooks.manifest import ConfigChange, KeyChange, Manifest, after_change, digest
from git_agent_session.hooks.place import Place, find
from git_agent_session.hooks.reach import seen_through, serving
from git_agent_session.hooks.report import Plan, Report, carried_out, problem
from git_agent_session.hooks.sources import HOOKS, LIBRARY, look, sources
from git_agent_session.hooks.steps import Step
from git_agent_session.hooks.user import is_ours
from git_agent_session.store import register

PLAIN = "hooks"
REDIRECTED = "hooks-path"


@dataclass(frozen=True, slots=True)
class Status:
    """Whether git runs our hooks here (`installed`), by which `mode`, and what another install would put right.

    `everywhere` is the mode of an install for all repositories, where that reaches this one (see `reach.serving`).
    """

    repository: str
    installed: bool
    mode: str | None
    problems: tuple[str, ...]
    everywhere: str | None = None

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "repository": self.repository,
            "installed": self.installed,
            "mode": self.mode,
            "problems": list(self.problems),
            "everywhere": self.everywhere,
        }


@dataclass(frozen=True, slots=True)
class _Target:
    """The folder to hand over to, and the configuration file that is to point at ours."""

    previous: str
    file: str


def install(start: str | None = None, *, dry_run: bool = False) -> Report:
    """Put the hooks and the `notes.*` configuration into the repository around `start`, or bring them up to date.

    With `dry_run` nothing is written. Raises NotARepository, HookConflict when what is there cannot be kept working,
    StorageError when the repository cannot be written, GitError; in each case nothing has changed.
    """
    place = find(start)
    done = _carried_out(place, lambda: _plan_install(place), lambda plan: _verify(place, plan), dry_run=dry_run)
    if not dry_run:
        register.note(place.common, os.environ)
    return done


def uninstall(start: str | None = None, *, dry_run: bool = False) -> Report:
    """Take out what `install` put in and put back what was there; sessions, refs and notes stay.

    What was changed since is left as it is and reported as `keep`. Raises like `install`.
    """
    place = find(start)
    done = _carried_out(place, lambda: _plan_uninstall(place), lambda plan: None, dry_run=dry_run)
    if not dry_run:
        register.forget(place.common, os.environ)
    return done


def status(start: str | None = None) -> Status:
    """Whether the hooks are in place in the repository around `start`. Raises NotARepository and GitError."""
    place = find(start)
    settings = config.read(place.cwd, place.env)
    everywhere = serving(settings)
    redirect = _redirect_in_force(place)
    mode = REDIRECTED if redirect else PLAIN
    folder = place.folder if redirect else place.hooks
    effective = None if redirect else _effective(settings)
    running = [name for name in HOOKS if effective is None and _runs(os.path.join(folder, name))]
    problems: list[str] = []
    if effective is not None and _was_redirected(place):
        problems.append(f"core.hooksPath was set to {effective} since: git does not run the hooks")
    elif effective is not None and place.manifest() is not None:
        problems.append(f"core.hooksPath is {effective}: git does not run the hooks")
    elif effective is not None and everywhere is None and any(is_ours(p.value) for p in settings.hooks_paths):
        problems.append(f"core.hooksPath is {effective} here, where the install for all repositories does not reach")
    if running or place.manifest() is not None:
        try:
            plan = _plan_install(place)
            problems += [problem(action) for step in plan.steps for action in step.actions()]
        except AgentSessionError as e:
            problems.append(e.line())
    # to an install of the repository's own the other one leaves its commits, unless core.hooksPath was set back since
    aside = os.path.isfile(_library_of(place)) and (redirect or not _was_redirected(place))
    installed = len(running) == len(HOOKS) or (everywhere is not None and not aside)
    return Status(place.common, installed, mode if running else None, tuple(problems), everywhere)


def _carried_out(place: Place, plan: Callable[[], Plan], verify: Callable[[Plan], None], *, dry_run: bool) -> Report:
    common = place.common
    return carried_out(plan, verify, repository=common, where=common, files=place.config_files(), dry_run=dry_run)


def _verify(place: Place, plan: Plan) -> None:
    if plan.mode == REDIRECTED and not _redirect_in_force(place):
        raise HookConflict(
            "core.hooksPath cannot be pointed at our hooks: an included configuration file sets it again",
            hint="take core.hooksPath out of that file (git config --show-origin --get-all core.hooksPath)",
        )


def _redirect_in_force(place: Place) -> bool:
    paths = config.read(place.cwd, place.env).hooks_paths
    return bool(paths) and place.is_ours(paths[-1].value)


def _effective(settings: config.Settings) -> str | None:
    paths = seen_through(settings.hooks_paths)
    return paths[-1].value if paths else None


def _was_redirected(place: Place) -> bool:
    return place.previous() is not None


def _runs(path: str) -> bool:
    here = look(path)
    if here is not None and here.framework == "pre-commit":
        path += ".legacy"
        here = look(path)
    return here is not None and here.ours and os.access(path, os.X_OK)


def _plan_install(place: Place) -> Plan:
    files = sources()
    known = place.manifest() or Manifest()
    settings = config.read(place.cwd, place.env)
    target = _target(place, settings, known)
    wanted, warnings = config.notes_wanted(settings)
    changes: dict[str, list[KeyChange]] = {place.local_config: wanted}
    hooks: list[Step] = []
    if target is None:
        hooks += redirected.emptied(place)
        hooks += plain.placed(place.hooks, files, known)
    else:
        changes.setdefault(target.file, []).extend(_hooks_path_wanted(place, target, known))
        hooks += plain.taken_out(place.hooks, files, known)
        hooks += redirected.placed(place, target.previous, files, known)
    configs, edits = _configured(place, known, changes, keep_hooks_path=target is not None)
    made = target is None and (known.made_hooks or not os.path.lexists(place.hooks))
    new = Manifest(made, _hashes(known, files), configs)
    steps = [*_bookkeeping(place, new), *_library(place, files[LIBRARY]), *hooks, *edits, *warnings]
    return Plan(PLAIN if target is None else REDIRECTED, tuple(steps))


def _hashes(known: Manifest, files: dict[str, bytes]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    # the older ones too: an install that was killed half-way leaves hooks of the version before
    return tuple((name, tuple(dict.fromkeys((digest(files[name]), *known.hashes(name))))[:8]) for name in HOOKS)


def _bookkeeping(place: Place, new: Manifest) -> list[Step]:
    """The steps that make our folder and write down, first of all, what is going to be done."""
    folders = [os.path.dirname(place.folder), place.folder]
    steps = [Step("mkdir", path, internal=True) for path in folders if not os.path.isdir(path)]
    if place.manifest() == new:
        return steps
    mode = 0o644
    with contextlib.suppress(OSError):
        mode = os.stat(place.local_config).st_mode & 0o666
    path = os.path.join(place.folder, manifests.NAME)
    return [*steps, Step("write", path, data=new.to_bytes(), mode=mode, internal=True)]


def _library_of(place: Place) -> str:
    return os.path.join(place.folder, LIBRARY)


def _library(place: Place, source: bytes) -> list[Step]:
    path = _library_of(place)
    here = look(path)
    if here is not None and here.data == source:
        return []
    detail = "the functions that the hooks share" if here is None else "is of another version"
    return [Step("write", path, detail, data=source)]


def _target(place: Place, settings: config.Settings, known: Manifest) -> _Target | None:
    # hooks put into the repository go on running when the install for all repositories is taken out
    paths = seen_through(settings.hooks_paths)
    if not paths:
        return _Target(place.hooks, place.local_config) if _needs_redirect(place) else None
    last = paths[-1]
    file = place.worktree_config if last.scope == "worktree" else place.local_config
    foreign = [p.value for p in paths if not place.is_ours(p.value) and not place.was_ours(p.value)]
    if foreign and foreign[-1] == last.value:
        _check_other_worktrees(place, known, last.value, file)
        return _Target(last.value, file)
    entry = known.config(place.relative(file))
    change = entry.value_of(config.HOOKS_PATH) if entry else None
    recorded = place.previous()
    # a value from outside the repository may have changed since; one that ours replaced is only known from the record
    if foreign and (recorded is None or (change is not None and change.before is None)):
        return _Target(foreign[-1], file)
    if recorded is None:
        recorded = change.before if change is not None else None
    return _Target(place.hooks if recorded is None else recorded, file)


def _needs_redirect(place: Place) -> bool:
    # a linked folder is likely tracked; some hooks choose what to do by the name they were started under
    if os.path.islink(place.hooks):
        return True
    found = (look(os.path.join(place.hooks, name)) for name in HOOKS)
    return any(here is not None and here.reads_own_name for here in found)


def _check_other_worktrees(place: Place, known: Manifest, previous: str, file: str) -> None:
    for entry in known.configs:
        other = os.path.join(place.common, entry.file)
        if os.path.realpath(other) == os.path.realpath(file) or place.previous() in {None, previous}:
            continue
        if any(place.is_ours(value) for value in config.values_in(other, config.HOOKS_PATH)):
            raise HookConflict(
                f"another worktree hands over to {place.previous()}, this one has core.hooksPath {previous}",
                hint="give both the same core.hooksPath, or uninstall there first",
            )


def _hooks_path_wanted(place: Place, target: _Target, known: Manifest) -> list[KeyChange]:
    standing = config.values_in(target.file, config.HOOKS_PATH)
    if standing and place.is_ours(standing[-1]):
        return []
    before = standing[-1] if standing else None
    if before is not None and place.was_ours(before):
        entry = known.config(place.relative(target.file))
        change = entry.value_of(config.HOOKS_PATH) if entry else None
        before = change.before if change else None
    return [KeyChange(config.HOOKS_PATH, place.folder, before)]


def _configured(
    place: Place, known: Manifest, changes: dict[str, list[KeyChange]], *, keep_hooks_path: bool
) -> tuple[tuple[ConfigChange, ...], list[Step]]:
    """What the manifest will say of each configuration file, and the steps that change them."""
    entries = {entry.file: entry for entry in known.configs}
    if not keep_hooks_path:
        for name, e in entries.items():
            keys = tuple(k for k in e.keys if k.key != config.HOOKS_PATH)
            entries[name] = ConfigChange(name, e.before, e.after, keys)
    steps = []
    for file, wanted in changes.items():
        if not wanted:
            continue
        now = config.contents(file)
        data = config.with_changes(now, wanted)
        name = place.relative(file)
        entries[name] = after_change(entries.get(name), name, now, data, wanted)
        steps.append(Step("config", file, data=data, says=config.says(wanted, undone=False)))
    return tuple(entries.values()), steps


def _plan_uninstall(place: Place) -> Plan:
    files = sources()
    known = place.manifest()
    mode = None
    if os.path.isdir(place.folder):
        mode = PLAIN if place.previous() is None else REDIRECTED
    steps = _unconfigured(place, known)
    steps += plain.taken_out(place.hooks, files, known or Manifest())
    steps += redirected.taken_out(place, known or Manifest(), files)
    return Plan(mode, tuple(steps))


def _unconfigured(place: Place, known: Manifest | None) -> list[Step]:
    """The steps that put back each configuration file: whole if it is as we left it, else only our keys."""
    steps = []
    entries = {entry.file: entry for entry in known.configs} if known else {}
    for file in place.config_files():
        now = config.contents(file)
        entry = entries.get(place.relative(file)) or _seen(place, file, known)
        data = config.restored(now, entry)
        if data != now:
            steps.append(Step("config", file, data=data, says=config.says(entry.keys, undone=True)))
    return steps


def _seen(place: Place, file: str, known: Manifest | None) -> ConfigChange:
    """What stands in `file` that can only be ours: git copies a worktree's configuration to a new one."""
    replaced = [k.before for e in known.configs for k in e.keys if k.key == config.HOOKS_PATH] if known else []
    before = next((b for b in replaced if b is not None), None)
    ours = [v for v in config.values_in(file, config.HOOKS_PATH) if place.is_ours(v)]
    keys = [KeyChange(config.HOOKS_PATH, value, before) for value in ours]
    if known is None and os.path.isdir(place.folder):
        keys += [
            KeyChange(key, value)
            for key, value in ((config.REWRITE_REF, config.NOTES_REF), (config.REWRITE_MODE, config.NOTES_MODE))
            if value in config.values_in(file, key)
        ]
    return ConfigChange(place.relative(file), None, "", tuple(keys))
