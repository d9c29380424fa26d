"""Installs the hooks for all repositories of a user: `install --global`, `uninstall --global`.

Git 2.54 and later takes hooks from its configuration and runs them beside the repository's own. An older git is given a
folder as core.hooksPath, which it takes for the only one; there, each hook that git knows runs the repository's own
first. Both need one file of configuration and a folder of data, and nothing in any repository. A repository that was
installed on its own is left to its own hooks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session.errors import AgentSessionError, HookConflict
from git_agent_session.hooks import config
from git_agent_session.hooks import manifest as manifests
from git_agent_session.hooks import user as users
from git_agent_session.hooks.config import Settings
from git_agent_session.hooks.manifest import ConfigChange, KeyChange, Manifest, after_change, digest
from git_agent_session.hooks.plain import CHANGED, refreshed
from git_agent_session.hooks.reach import CONFIG, PATH, seen_through, serving
from git_agent_session.hooks.report import OURS, Plan, Report, carried_out, problem
from git_agent_session.hooks.sources import (
    EVERYWHERE,
    FORWARDED,
    FORWARDED_IF_THERE,
    HOOKS,
    LIBRARY,
    PREVIOUS,
    look,
    sources,
)
from git_agent_session.hooks.steps import STAGED, Action, Step
from git_agent_session.hooks.user import CONFIG_HOOKS, HOOKS_PATH, RECORD, User

# core.fsmonitor names that hook's file itself: git looks for no such name
_UNUSED = "fsmonitor-watchman"
_FOLDERS = ("hooks", HOOKS_PATH, os.path.join(*RECORD))


@dataclass(frozen=True, slots=True)
class Status:
    """How all repositories of the user are served: by which `mode` (None: not at all), and what another install mends.

    `config` is the file of git's configuration and `folder` that of the hooks.
    """

    mode: str | None
    config: str
    folder: str
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {"mode": self.mode, "config": self.config, "folder": self.folder, "problems": list(self.problems)}


def install(*, dry_run: bool = False) -> Report:
    """Put the hooks and the `notes.*` configuration in place for all repositories, or bring them up to date.

    Raises StorageError when something cannot be written, HookConflict when git would not find the hooks, GitError; in
    each case nothing has changed.
    """
    user = users.find()
    return carried_out(
        lambda: _plan_install(user),
        lambda plan: _verify(user, plan),
        repository=None,
        where=user.config_file,
        files=[user.config_file],
        dry_run=dry_run,
    )


def uninstall(*, dry_run: bool = False) -> Report:
    """Take out what `install` put in; what was changed since is left and reported as `keep`. Raises like `install`."""
    user = users.find()
    return carried_out(
        lambda: _plan_uninstall(user),
        lambda plan: None,
        repository=None,
        where=user.config_file,
        files=_config_files(user),
        dry_run=dry_run,
    )


def status() -> Status:
    """How all repositories of the user are served. Raises StorageError and GitError."""
    user = users.find()
    settings = user.settings()
    mode = serving(settings)
    problems: list[str] = []
    if mode == CONFIG and user.version < CONFIG_HOOKS:
        mode = None
        problems.append("this git is older than 2.54 and runs no hooks of the configuration")
    if user.manifest() is not None or _entry(user, None, user.config_file, settings).keys:
        try:
            plan = _plan_install(user)
            problems += [problem(action) for step in plan.steps for action in step.actions()]
        except AgentSessionError as e:
            problems.append(e.line())
    return Status(mode, user.config_file, user.top, tuple(problems))


def _plan_install(user: User) -> Plan:
    known = user.manifest() or Manifest()
    settings = user.settings()
    mode = CONFIG if user.version >= CONFIG_HOOKS else PATH
    previous = _previous(user, settings, known) if mode == PATH else None
    files = _files(mode, previous)
    changes, warnings = config.notes_wanted(settings)
    changes += _wanted(user, settings, known, mode)
    configs, edits = _edited(user, known, changes, _stale(user, settings, mode))
    made = tuple(dict.fromkeys((*known.made, *_missing(user))))
    hashes = {name: (digest(data), *known.hashes(name)) for name, data in files.items()}
    kept = {name: old for name, old in known.files if name not in hashes}
    new = Manifest(False, tuple((n, tuple(dict.fromkeys(h))[:8]) for n, h in {**kept, **hashes}.items()), configs, made)
    steps = [
        *_written_down(user, new, files),
        *_placed(user, files, known),
        *edits,
        *_leftover(user, files, known),
        *warnings,
    ]
    return Plan(mode, tuple(steps))


def _verify(user: User, plan: Plan) -> None:
    if serving(user.settings()) == plan.mode:
        return
    key = config.HOOKS_PATH if plan.mode == PATH else "hook.agent-session-*"
    raise HookConflict(
        f"git does not find the hooks: another configuration file sets {key} again",
        hint="take it out of that file (git config --show-origin --list)",
    )


def _files(mode: str, previous: str | None) -> dict[str, bytes]:
    """What belongs into the folder, by its path there."""
    ours = sources()
    files = {os.path.join(*RECORD, LIBRARY): ours[LIBRARY]}
    files |= {os.path.join("hooks", name): ours[name] for name in HOOKS}
    if mode == CONFIG:
        return files | {os.path.join("hooks", EVERYWHERE): ours[EVERYWHERE]}
    names = [*HOOKS, *FORWARDED, *(n for n in FORWARDED_IF_THERE if n != _UNUSED)]
    if previous is not None and os.path.isabs(previous):
        names = [n for n in names if n not in FORWARDED_IF_THERE or os.path.isfile(os.path.join(previous, n))]
    files |= {os.path.join(HOOKS_PATH, name): ours[EVERYWHERE] for name in names}
    if previous is not None:
        files[os.path.join(HOOKS_PATH, PREVIOUS)] = os.fsencode(previous) + b"\n"
    return files


def _previous(user: User, settings: Settings, known: Manifest) -> str | None:
    """The folder that rules without ours; None where each repository's own does."""
    paths = settings.hooks_paths
    if not paths:
        return None
    foreign = [path.value for path in paths if not users.is_ours(path.value)]
    entry = known.config(user.config_file)
    change = entry.value_of(config.HOOKS_PATH) if entry else None
    if not users.is_ours(paths[-1].value):
        previous: str | None = paths[-1].value
    elif foreign and change is not None and change.before is None:
        # from a file that was not written to: it may have changed since
        previous = foreign[-1]
    else:
        beneath = seen_through(paths[-1:])
        previous = beneath[0].value if beneath and (change is None or change.before is not None) else None
    if previous is not None and "\n" in previous:
        raise HookConflict(
            "core.hooksPath holds a line break", hint="rename that folder, set the path and install again"
        )
    return previous


def _wanted(user: User, settings: Settings, known: Manifest, mode: str) -> list[KeyChange]:
    if mode == CONFIG:
        return [KeyChange(key, value) for key, value in user.hook_keys() if settings.values(key)[-1:] != [value]]
    standing = config.values_in(user.config_file, config.HOOKS_PATH)
    if standing and standing[-1] == user.hooks_path:
        return []
    before = standing[-1] if standing else None
    if before is not None and users.is_ours(before):
        entry = known.config(user.config_file)
        change = entry.value_of(config.HOOKS_PATH) if entry else None
        before = change.before if change else None
    return [KeyChange(config.HOOKS_PATH, user.hooks_path, before)]


def _stale(user: User, settings: Settings, mode: str) -> list[KeyChange]:
    """What an install with another version of git left in the configuration file."""
    entry = _entry(user, user.manifest(), user.config_file, settings)
    if mode == CONFIG:
        return [k for k in entry.keys if k.key == config.HOOKS_PATH]
    return [k for k in entry.keys if k.key.startswith("hook.")]


def _entry(user: User, known: Manifest | None, file: str, settings: Settings) -> ConfigChange:
    """What was written down of `file`; without that, what stands there and can only be ours."""
    entry = known.config(file) if known else None
    if entry is not None:
        return entry
    keys = [KeyChange(config.HOOKS_PATH, v) for v in config.values_in(file, config.HOOKS_PATH) if users.is_ours(v)]
    named = [s for s in settings.all if s.scope == "global" and s.key.startswith("hook.agent-session-")]
    keys += [KeyChange(s.key, s.value) for s in named]
    if keys:
        notes = ((config.REWRITE_REF, config.NOTES_REF), (config.REWRITE_MODE, config.NOTES_MODE))
        keys += [KeyChange(key, value) for key, value in notes if value in config.values_in(file, key)]
    return ConfigChange(file, None, "", tuple(keys))


def _edited(
    user: User, known: Manifest, wanted: Sequence[KeyChange], stale: Sequence[KeyChange]
) -> tuple[tuple[ConfigChange, ...], list[Step]]:
    """What the manifest will say of the configuration files, and the step that changes the user's."""
    if not wanted and not stale:
        return known.configs, []
    file = user.config_file
    now = config.contents(file)
    data = config.with_changes(config.without_changes(now, stale), wanted)
    entry = after_change(known.config(file), file, now, data, wanted)
    gone = {k.key for k in stale}
    keys = tuple(k for k in entry.keys if k.key not in gone)
    entry = ConfigChange(file, entry.before, entry.after, keys)
    says = (*_says(stale, undone=True), *_says(wanted, undone=False))
    others = tuple(c for c in known.configs if c.file != file)
    return (*others, entry), [Step("config", file, data=data, says=says)]


def _says(keys: Sequence[KeyChange], *, undone: bool) -> tuple[Action, ...]:
    # a hook's command is long and says nothing to a reader
    hooks = dict.fromkeys(k.key.rpartition(".")[0] for k in keys if k.key.startswith("hook."))
    plain = config.says([k for k in keys if not k.key.startswith("hook.")], undone=undone)
    return (*plain, *(Action("config", name, "taken out" if undone else "set") for name in hooks))


def _missing(user: User) -> list[str]:
    """Each path that an install makes, from the outermost folder inwards, and the configuration file."""
    paths: list[str] = [] if os.path.lexists(user.config_file) else [user.config_file]
    folder = user.top
    while not os.path.isdir(folder):
        paths.insert(0, folder)
        folder = os.path.dirname(folder)
    return paths


def _written_down(user: User, new: Manifest, files: Mapping[str, bytes]) -> list[Step]:
    """The steps that make our folders and write down, first of all, what is going to be done."""
    folders = [path for path in _missing(user) if path != user.config_file]
    folders += [os.path.join(user.top, RECORD[0]), *(os.path.join(user.top, f) for f in _FOLDERS)]
    wanted = {os.path.dirname(os.path.join(user.top, name)) for name in files}
    steps = [
        Step("mkdir", path, internal=True)
        for path in dict.fromkeys(folders)
        if not os.path.isdir(path) and any(f"{folder}{os.sep}".startswith(f"{path}{os.sep}") for folder in wanted)
    ]
    if user.manifest() == new:
        return steps
    # the configuration it holds may have credentials
    path = os.path.join(user.record, manifests.NAME)
    return [*steps, Step("write", path, data=new.to_bytes(), mode=0o600, internal=True)]


def _placed(user: User, files: Mapping[str, bytes], known: Manifest) -> list[Step]:
    steps: list[Step] = []
    for name, data in files.items():
        path = os.path.join(user.top, name)
        here = look(path)
        mode = 0o755 if os.path.basename(name) not in {LIBRARY, PREVIOUS} else 0o644
        if here is None:
            steps.append(Step("write", path, OURS, data=data, mode=mode))
        elif mode == 0o644:
            steps += [] if here.data == data else [Step("write", path, "is of another version", data=data)]
        elif here.ours:
            steps += refreshed(path, here, data, {digest(data), *known.hashes(name)})
        else:
            steps.append(Step("keep", path, "another tool wrote its hook there; it runs in place of ours"))
    return _grouped(steps)


def _grouped(steps: Sequence[Step]) -> list[Step]:
    """The same steps, with one line of the report for all files of ours in a folder."""
    seen: set[tuple[str, str]] = set()
    grouped = []
    for step in steps:
        if step.detail == OURS:
            folder = os.path.dirname(step.path)
            new = (step.kind, folder) not in seen
            seen.add((step.kind, folder))
            step = replace(step, says=(Action(step.kind, folder, OURS),) if new else (), internal=True)
        grouped.append(step)
    return grouped


def _leftover(user: User, files: Mapping[str, bytes], known: Manifest) -> list[Step]:
    """The steps that take out what an install with another version of git, or one that was killed, left behind."""
    steps = [s for s in _taken_out(user, known) if os.path.relpath(s.path, user.top) not in files]
    if any(step.kind == "remove" for step in steps):
        steps.append(Step("prune", os.path.join(user.top, HOOKS_PATH), internal=True))
    return _grouped(steps)


def _taken_out(user: User, known: Manifest) -> list[Step]:
    """A step for each file in our folders: `remove` for ours, `keep` for what another tool or the user wrote."""
    steps: list[Step] = []
    for folder in _FOLDERS:
        top = os.path.join(user.top, folder)
        for entry in sorted(os.listdir(top)) if os.path.isdir(top) else []:
            path, name = os.path.join(top, entry), os.path.join(folder, entry)
            here = look(path)
            if entry == manifests.NAME or here is None:
                continue
            hashes = known.hashes(name)
            unseen = here.ours and not hashes
            if entry in {LIBRARY, PREVIOUS} or STAGED in entry or unseen or digest(here.data) in hashes:
                steps.append(Step("remove", path, OURS))
            else:
                detail = f"{CHANGED}; remove it by hand" if here.ours else "another tool wrote it"
                steps.append(Step("keep", path, detail))
    return steps


def _config_files(user: User) -> list[str]:
    known = user.manifest()
    recorded = [entry.file for entry in known.configs] if known else []
    return list(dict.fromkeys([user.config_file, *recorded]))


def _plan_uninstall(user: User) -> Plan:
    known = user.manifest()
    settings = user.settings()
    steps: list[Step] = []
    for file in _config_files(user):
        entry = _entry(user, known, file, settings)
        now = config.contents(file)
        data = config.restored(now, entry)
        if data == now:
            continue
        steps.append(Step("config", file, data=data, says=_says(entry.keys, undone=True)))
        if not data and known is not None and file in known.made:
            steps.append(Step("remove", file, "made by the install"))
    files = _taken_out(user, known or Manifest())
    record = os.path.join(user.record, manifests.NAME)
    if os.path.isfile(record):
        files.append(Step("remove", record, internal=True))
    if files:
        made = [path for path in known.made if path not in _config_files(user)] if known else []
        inner = [os.path.join(user.top, folder) for folder in (*_FOLDERS, RECORD[0])]
        files += [Step("prune", path, internal=True) for path in dict.fromkeys([*inner, user.top, *reversed(made)])]
    return Plan(serving(settings), (*steps, *_grouped(files)))
