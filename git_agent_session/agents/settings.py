"""Turns capture of an agent on and off: `enable` and `disable` put our hooks into its settings and take them out.

The user's other settings stay as they are, in order and indentation. As long as the file is byte for byte what `enable`
wrote, `disable` brings the bytes back that were there before (or their absence); else it takes out exactly our entries.
The settings file's JSON is `settings_file`'s; nothing here runs an agent.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from git_agent_session import live
from git_agent_session.agents import registry
from git_agent_session.agents.settings_file import SettingsFile
from git_agent_session.errors import AgentSessionError, HookConflict, NotARepository, StorageError, UsageError
from git_agent_session.git.discover import Location

SCOPES = ("project", "local", "user")
FOLDER = "enable"

MARK = "git-agent-session hook "
# silent where the plugin is not installed: project settings are shared with people who may not have it
_COMMAND = (
    'PATH="$PATH:$HOME/.local/bin"; command -v git-agent-session >/dev/null 2>&1 || exit 0; '
    "exec git-agent-session hook {agent}"
)
# seconds; without one Claude ends SessionEnd hooks after 1.5
TIMEOUT = 20


_SAID = {
    "enabled": "hooks added to {path}",
    "disabled": "hooks taken out of {path}",
    "restored": "{path} is as it was before",
    "unchanged": "nothing to do in {path}",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One settings file: `action` is `enabled`, `disabled`, `restored` or `unchanged`."""

    scope: str
    path: str
    action: str

    def to_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {"scope": self.scope, "path": self.path, "action": self.action}


@dataclass(frozen=True, slots=True)
class Report:
    """What `enable` or `disable` did; `errors` are the files that `disable`, asked for all of them, had to leave."""

    agent: str
    changes: tuple[Change, ...]
    errors: tuple[AgentSessionError, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether any file is different now."""
        return any(change.action != "unchanged" for change in self.changes)

    def lines(self) -> list[str]:
        """The same for people."""
        return [f"{self.agent}: {_SAID[change.action].format(path=change.path)}" for change in self.changes]

    def to_dict(self) -> dict[str, object]:
        """For `--json`: `agent`, `changed`, `changes` (each `scope`, `path`, `action`), `errors`."""
        changes, errors = [c.to_dict() for c in self.changes], [e.to_dict() for e in self.errors]
        return {"agent": self.agent, "changed": self.changed, "changes": changes, "errors": errors}


def names() -> tuple[str, ...]:
    """The agents that can be enabled."""
    return registry.names()


def enable(
    name: str, location: Location | None, scope: str = "project", env: Mapping[str, str] | None = None
) -> Report:
    """Put the hooks of the agent `name` into its settings, or bring them up to date.

    `scope` is `project` (the worktree's settings, shared by commit), `local` (the worktree's, one's own) or `user`.
    The user's need no repository: `location` may be None. Raises UsageError, NotARepository, StorageError, and
    HookConflict when the settings cannot be understood (they are untouched).
    """
    file = _Place(name, location, env).file(scope)
    with _told(file.path):
        before = file.read()
        after = file.edited(before, lambda doc: _add(doc, name))
        if after == before:
            return Report(name, (Change(scope, file.path, "unchanged"),))
        backup = _Backup(location, name, scope, env)
        kept = backup.load()
        # enabled again over our own text: what was there before the first time is what comes back
        original = kept.original if kept and kept.wrote(file.path, before) else before
        made_folder = not os.path.isdir(os.path.dirname(file.path)) or bool(kept and kept.made_folder)
        backup.save(_Kept(file.path, original, _digest(after), made_folder))
        file.write(after)
    return Report(name, (Change(scope, file.path, "enabled"),))


def disable(
    name: str, location: Location | None, scope: str | None = None, env: Mapping[str, str] | None = None
) -> Report:
    """Take the hooks of the agent `name` out of one scope, or of all.

    Raises like `enable`; of all scopes, one whose file is broken does not keep the others, and is in `errors`.
    """
    if scope is not None:
        return Report(name, (_disable(name, location, scope, env),))
    changes, errors = [], []
    for each in _scopes(location):
        try:
            changes.append(_disable(name, location, each, env))
        except (HookConflict, StorageError) as e:
            errors.append(e)
    return Report(name, tuple(changes), tuple(errors))


def enabled(name: str, location: Location | None, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The scopes in which the agent's hooks are in place and up to date; files that cannot be read count as without."""
    found = []
    for scope in _scopes(location):
        file = _Place(name, location, env).file(scope)
        with contextlib.suppress(HookConflict, StorageError, OSError):
            before = file.read()
            if before is not None and file.edited(before, lambda doc: _add(doc, name)) == before:
                found.append(scope)
    return tuple(found)


def _scopes(location: Location | None) -> tuple[str, ...]:
    # outside a repository and in a bare one there are the user's settings alone
    return SCOPES if location is not None and location.worktree is not None else ("user",)


def _disable(name: str, location: Location | None, scope: str, env: Mapping[str, str] | None) -> Change:
    file = _Place(name, location, env).file(scope)
    backup = _Backup(location, name, scope, env)
    with _told(file.path):
        before, kept = file.read(), backup.load()
        if kept is not None and kept.wrote(file.path, before):
            file.write(kept.original)
            action = "restored"
        else:
            after = file.edited(before, _remove) if before is not None else None
            if after == before:
                backup.drop()
                return Change(scope, file.path, "unchanged")
            file.write(after)
            action = "disabled"
        if kept is not None and kept.made_folder:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(file.path))
        backup.drop()
    return Change(scope, file.path, action)


# -- the entries


def _add(doc: dict[str, Any], name: str) -> None:
    hooks = doc.setdefault("hooks", {})
    if not isinstance(hooks, dict):
        raise HookConflict("its `hooks` is not a table", hint="correct it, then enable again")
    command = _COMMAND.format(agent=name)
    agent = registry.load(name)
    for event in agent.HOOKS if agent else ():
        groups = hooks.setdefault(event, [])
        if not isinstance(groups, list):
            raise HookConflict(f"its `hooks.{event}` is not a list", hint="correct it, then enable again")
        ours = [h for h in _handlers(groups) if _is_ours(h)]
        wanted = {"type": "command", "command": command, "timeout": TIMEOUT}
        if not ours:
            groups.append({"hooks": [wanted]})
        for handler in ours:
            if handler != wanted:
                handler.clear()
                handler.update(wanted)


def _remove(doc: dict[str, Any]) -> None:
    hooks = doc.get("hooks")
    if not isinstance(hooks, dict):
        return
    for event in list(hooks):
        groups = hooks[event]
        if not isinstance(groups, list) or not any(_is_ours(h) for h in _handlers(groups)):
            continue
        for group in groups:
            if isinstance(group, dict) and isinstance(group.get("hooks"), list):
                left = [h for h in group["hooks"] if not _is_ours(h)]
                if left != group["hooks"]:
                    group["hooks"] = left
                    group["emptied"] = not left
        hooks[event] = [g for g in groups if not (isinstance(g, dict) and g.pop("emptied", False))]
        if not hooks[event]:
            del hooks[event]
    if not hooks:
        del doc["hooks"]


def _handlers(groups: list[Any]) -> list[Any]:
    inner = [g["hooks"] for g in groups if isinstance(g, dict) and isinstance(g.get("hooks"), list)]
    return [handler for handlers in inner for handler in handlers]


def _is_ours(handler: object) -> bool:
    command = handler.get("command") if isinstance(handler, dict) else None
    return isinstance(command, str) and MARK in command


# -- where


class _Place:
    """Where an agent keeps its settings. One agent so far: Claude Code's settings.json files, by its documentation."""

    def __init__(self, name: str, location: Location | None, env: Mapping[str, str] | None) -> None:
        if name not in registry.names():
            raise UsageError(f"{name[:40]!r} is no agent that can be captured", hint=f"use {', '.join(names())}")
        self.location = location
        self.env = os.environ if env is None else env

    def file(self, scope: str) -> SettingsFile:
        """The settings file of a scope."""
        if scope not in SCOPES:
            raise UsageError(f"{scope[:40]!r} is no scope", hint=f"use {', '.join(SCOPES)}")
        if scope == "user":
            home = self.env.get("CLAUDE_CONFIG_DIR") or os.path.join(os.path.expanduser("~"), ".claude")
            return SettingsFile(os.path.join(home, "settings.json"))
        if self.location is None:
            raise NotARepository("not a git repository, so there are no settings of a project", hint="use --user")
        if self.location.worktree is None:
            raise UsageError("a bare repository has no settings of its own", hint="use --user")
        name = "settings.json" if scope == "project" else "settings.local.json"
        return SettingsFile(os.path.join(self.location.worktree, ".claude", name))


# -- what was there before


@dataclass(frozen=True, slots=True)
class _Kept:
    path: str
    original: bytes | None
    digest: str
    made_folder: bool

    def wrote(self, path: str, now: bytes | None) -> bool:
        """True when `now`, what stands in the file, is what `enable` wrote."""
        return self.path == path and now is not None and _digest(now) == self.digest


class _Backup:
    """`<common dir>/agent-session/enable/<agent>-<scope>-<file>.json`: each worktree has settings of its own.

    What is the user's is in the user's state folder, since no repository owns it.
    """

    def __init__(self, location: Location | None, name: str, scope: str, env: Mapping[str, str] | None) -> None:
        if location is None or scope == "user":
            state = (os.environ if env is None else env).get("XDG_STATE_HOME", "")
            # XDG Base Directory Specification: a path that is not absolute counts as unset
            state = state if os.path.isabs(state) else os.path.join(os.path.expanduser("~"), ".local", "state")
            self.path = os.path.join(state, "git-agent-session", FOLDER, f"{name}-{scope}.json")
            return
        where = hashlib.sha1((location.worktree or "").encode("utf-8", "surrogateescape"), usedforsecurity=False)
        self.path = os.path.join(location.shared, FOLDER, f"{name}-{scope}-{where.hexdigest()[:10]}.json")

    def load(self) -> _Kept | None:
        """What was kept, or None."""
        try:
            with open(self.path, encoding="utf-8") as f:
                doc = json.load(f)
            original = doc["original"]
            data = None if original is None else base64.b64decode(original)
            return _Kept(os.fsdecode(base64.b64decode(doc["path"])), data, doc["digest"], doc["made_folder"] is True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, kept: _Kept) -> None:
        """Keep it; this comes before the settings are touched."""
        original = None if kept.original is None else base64.b64encode(kept.original).decode()
        path = base64.b64encode(os.fsencode(kept.path)).decode()
        doc = {"path": path, "original": original, "digest": kept.digest, "made_folder": kept.made_folder}
        live.replace(self.path, json.dumps(doc))

    def drop(self) -> None:
        """Forget it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path))


def _digest(data: bytes | None) -> str:
    return hashlib.sha256(data or b"").hexdigest()


@contextlib.contextmanager
def _told(path: str) -> Any:
    """Name the file in what goes wrong with it."""
    try:
        yield
    except HookConflict as e:
        raise HookConflict(f"{path}: {e.message}", hint=e.hint) from e
    except OSError as e:
        raise StorageError(
            f"cannot change {e.filename or path}: {e.strerror}", hint="make it writable, then try again"
        ) from e
