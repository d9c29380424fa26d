"""Turns capture of an agent on and off: `enable` and `disable` put our hooks into its settings and take them out.

The user's other settings stay as they are. As long as the file is byte for byte what `enable` wrote, `disable` brings
the bytes back that were there before (or their absence); else it takes out exactly our entries. Nothing here runs an
agent.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from git_agent_session.agents import registry
from git_agent_session.agents.settings_backup import Backup, Kept, digest
from git_agent_session.agents.settings_entries import HINT, Entries, handlers
from git_agent_session.agents.settings_file import SettingsFile
from git_agent_session.agents.settings_place import Place
from git_agent_session.agents.setup import Setup
from git_agent_session.errors import AgentSessionError, HookConflict, StorageError, UsageError
from git_agent_session.git.discover import Location

ON, OUTDATED, OFF, BROKEN = "enabled", "out of date", "not enabled", "broken"

_SAID = {
    "enabled": "{what} added to {path}",
    "trusted": "{what} in {path} are trusted now",
    "disabled": "{what} taken out of {path}",
    "restored": "{path} is as it was before",
    "unchanged": "nothing to do in {path}",
}
_WHAT = {"hooks": "hooks", "server": "the MCP server"}


@dataclass(frozen=True, slots=True)
class Change:
    """One settings file: `action` is `enabled`, `trusted`, `disabled`, `restored` or `unchanged`.

    `what` is what was put in or taken out: `hooks`, or `server` for the MCP server.
    """

    scope: str
    path: str
    action: str
    what: str = "hooks"

    def said(self, path: str) -> str:
        """The same for people, with the path as it is to be shown."""
        return _SAID[self.action].format(path=path, what=_WHAT[self.what])

    def to_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {"scope": self.scope, "path": self.path, "action": self.action, "what": self.what}


@dataclass(frozen=True, slots=True)
class Report:
    """What `enable` or `disable` did.

    `errors` are the files that `disable`, asked for all of them, had to leave; `hint` is what is left for a person.
    """

    agent: str
    changes: tuple[Change, ...]
    errors: tuple[AgentSessionError, ...] = ()
    hint: str = ""

    @property
    def changed(self) -> bool:
        """Whether any file is different now."""
        return any(change.action != "unchanged" for change in self.changes)

    def lines(self) -> list[str]:
        """The same for people."""
        return [f"{self.agent}: {change.said(change.path)}" for change in self.changes]

    def to_dict(self) -> dict[str, object]:
        """For `--json`: `agent`, `changed`, `changes` (each `scope`, `path`, `action`), `errors`, `hint` if any."""
        changes, errors = [c.to_dict() for c in self.changes], [e.to_dict() for e in self.errors]
        hint = {"hint": self.hint} if self.hint else {}
        return {"agent": self.agent, "changed": self.changed, "changes": changes, "errors": errors, **hint}


@dataclass(frozen=True, slots=True)
class Look:
    """How a settings file stands: `state` is ON, OUTDATED, OFF or BROKEN, then with the `problem`.

    `trust` is `codex_trust`'s word for it where the agent asks for trust, else empty.
    """

    scope: str
    path: str
    state: str
    problem: str = ""
    trust: str = ""


class Edits(Protocol):
    """What is ours in a settings file, as a function of its text; one that cannot be understood raises HookConflict."""

    def present(self, text: str) -> bool:
        """True when any of it is there."""

    def added(self, text: str) -> str:
        """The text with it, up to date; the same text where it is already."""

    def removed(self, text: str, original: str | None = None) -> str | None:
        """The text without it, None where nothing is left; `original` is what was there before it came."""


def names() -> tuple[str, ...]:
    """The agents that can be enabled."""
    return registry.names()


def place(name: str, location: Location | None, env: Mapping[str, str] | None = None) -> Place:
    """Where the agent `name` keeps its settings. Raises UsageError when there is no such agent."""
    module: Any = registry.load(name)
    if module is None:
        raise UsageError(f"{name[:40]!r} is no agent that can be captured", hint=f"use {', '.join(names())}")
    setup: Setup = module.setup()
    return Place(name, setup, location, os.environ if env is None else env)


def enable(
    name: str,
    location: Location | None,
    scope: str = "project",
    env: Mapping[str, str] | None = None,
    *,
    trust: bool = False,
) -> Report:
    """Put the hooks of the agent `name` into its settings, or bring them up to date; with `trust` approve them too.

    `scope` is `project` (the worktree's settings, shared by commit), `local` (the worktree's, one's own) or `user`.
    The user's need no repository: `location` may be None. Raises UsageError, NotARepository, StorageError, and
    HookConflict when the settings cannot be understood (they are untouched).
    """
    return put(place(name, location, env), scope, trust=trust)


def put(at: Place, scope: str, *, trust: bool = False) -> Report:
    """As `enable`, for a place."""
    from git_agent_session.agents import settings_trust

    file, entries = at.file(scope), Entries(at.name, at.setup)
    if trust and not settings_trust.asked_by(at.name):
        raise UsageError(f"{at.name} runs hooks without asking", hint="leave --trust out")
    changed = add(file, entries, Backup(at.location, at.name, scope, at.env))
    action = "enabled" if changed else "unchanged"
    with _told(file.path):
        after = _text(file.read())
    if trust and settings_trust.give(at, scope, handlers(after, entries)):
        action = "trusted" if action == "unchanged" else action
    hint = at.setup.hint if changed else ""
    if settings_trust.asked_by(at.name):
        hint = settings_trust.hint(settings_trust.state(at, scope, handlers(after, entries)))
    return Report(at.name, (Change(scope, file.path, action),), hint=hint)


def add(file: SettingsFile, entries: Edits, backup: Backup) -> bool:
    """Put what is ours into a file, and keep what was there; True when the file is different now."""
    with _told(file.path):
        before = file.read()
        after = entries.added(_text(before)).encode("utf-8")
        if after != before:
            backup.save(_keep(backup.load(), file, before, after, entries))
            file.write(after)
    return after != before


def _keep(kept: Kept | None, file: SettingsFile, before: bytes | None, after: bytes, entries: Edits) -> Kept:
    made = tuple(file.missing_folders())
    if kept is not None and kept.wrote(file.path, before):
        # enabled again over our own text: what was there before the first time is what comes back
        return Kept(file.path, kept.original, digest(after), (*made, *kept.made))
    original = before
    if before is not None and entries.present(_text(before)):
        # somebody else enabled it: what comes back is without ours
        without = entries.removed(_text(before))
        original = None if without is None else without.encode("utf-8")
    return Kept(file.path, original, digest(after), made)


def disable(
    name: str, location: Location | None, scope: str | None = None, env: Mapping[str, str] | None = None
) -> Report:
    """Take the hooks of the agent `name` out of one scope, or of all.

    Raises like `enable`; of all scopes, one whose file is broken does not keep the others, and is in `errors`.
    """
    at = place(name, location, env)
    changes, errors = _without_server(at, scope)
    if scope is not None:
        return Report(name, (*changes, take(at, scope)), tuple(errors))
    kept = [Backup(at.location, at.name, each, at.env).load() for each in at.scopes]
    for each in at.scopes:
        try:
            changes.append(take(at, each))
        except (HookConflict, StorageError) as e:
            errors.append(e)
    # a folder that one scope made may have held the settings of the next until now
    _drop({folder for each in kept if each is not None for folder in each.made})
    return Report(name, tuple(changes), tuple(errors))


def _without_server(at: Place, scope: str | None) -> tuple[list[Change], list[AgentSessionError]]:
    """Take the MCP server out first: where it shares a file with the hooks, it came after them."""
    from git_agent_session.agents import settings_mcp

    changes: list[Change] = []
    errors: list[AgentSessionError] = []
    for each in settings_mcp.scopes(at):
        if scope in (None, each):
            try:
                done = settings_mcp.take(at, each)
                changes += [done] if done.action != "unchanged" else []
            except (HookConflict, StorageError) as e:
                errors.append(e)
    return changes, errors


def take(at: Place, scope: str) -> Change:
    """As `disable`, for the hooks in one scope of a place."""
    from git_agent_session.agents import settings_trust

    file, entries = at.file(scope), Entries(at.name, at.setup)

    def distrust(text: str) -> None:
        if settings_trust.asked_by(at.name):
            settings_trust.take(at, scope, handlers(text, entries))

    action = take_out(file, entries, Backup(at.location, at.name, scope, at.env), distrust)
    return Change(scope, file.path, action)


def take_out(
    file: SettingsFile, entries: Edits, backup: Backup, first: Callable[[str], None] = lambda text: None
) -> str:
    """Take what is ours out of a file; the action. `first` is called with the text before it is changed."""
    with _told(file.path):
        before, kept = file.read(), backup.load()
        after, action = before, "unchanged"
        if kept is not None and kept.wrote(file.path, before):
            after, action = kept.original, "restored"
        elif before is not None and entries.present(_text(before)):
            original = kept.original if kept is not None else None
            without = entries.removed(_text(before), None if original is None else _text(original))
            after, action = None if without is None else without.encode("utf-8"), "disabled"
        if after != before:
            first(_text(before))
            file.write(after)
        _drop(kept.made if kept is not None else ())
        backup.drop()
    return action


def _drop(folders: Iterable[str]) -> None:
    """Remove the folders that are empty."""
    for folder in sorted(folders, key=len, reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def enabled(name: str, location: Location | None, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The scopes in which the agent's hooks are in place and up to date; files that cannot be read count as without."""
    return tuple(found.scope for found in look(place(name, location, env)) if found.state == ON)


def look(at: Place) -> list[Look]:
    """How the settings of each scope stand; raises nothing for what is wrong with a file."""
    return [_look(at, scope) for scope in at.scopes]


def _look(at: Place, scope: str) -> Look:
    from git_agent_session.agents import settings_trust

    file, entries = at.file(scope), Entries(at.name, at.setup)
    try:
        with _told(file.path):
            data = file.read()
            text = _text(data)
            if data is None or not entries.present(text):
                return Look(scope, file.path, OFF)
            state = ON if entries.added(text) == text else OUTDATED
            trust = ""
            if settings_trust.asked_by(at.name):
                trust = settings_trust.state(at, scope, handlers(text, entries))
            return Look(scope, file.path, state, trust=trust)
    except (HookConflict, StorageError) as e:
        return Look(scope, file.path, BROKEN, e.line())


def _text(data: bytes | None) -> str:
    try:
        return (data or b"").decode("utf-8")
    except UnicodeDecodeError as e:
        raise HookConflict("it is not UTF-8 text", hint=HINT) from e


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """Name the file in what goes wrong with it."""
    try:
        yield
    except HookConflict as e:
        raise HookConflict(e.message if os.sep in e.message else f"{path}: {e.message}", hint=e.hint) from e
    except OSError as e:
        raise StorageError(
            f"cannot change {e.filename or path}: {e.strerror}", hint="make it writable, then try again"
        ) from e
