"""What Codex has been told to trust: its hooks run only once the user has approved each of them (seen with 0.169).

Codex keeps its approvals in `config.toml` of its folder, one table a handler, under the place of the handler and with a
hash of what it runs. `/hooks` in Codex writes them; this writes and removes the same for our handlers, when the user
asks for it, and tells whether they are there. The rest of the file, comments included, stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from git_agent_session.agents.settings_file import SettingsFile
from git_agent_session.errors import HookConflict

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

AGENT = "codex"
TRUSTED, UNTRUSTED = "trusted", "not trusted"
NO_PROJECT, NEITHER = "project not trusted", "neither hooks nor project trusted"

# seconds: what a handler without a time limit gets, and what these events get at most
_DEFAULT_TIMEOUT = 600
_LONGEST = {"SessionEnd": 3, "Interrupt": 3}
# these have nothing to match, a matcher of theirs is passed over
_UNMATCHED = ("UserPromptSubmit", "Stop")
_BY_HAND = "run /hooks in Codex instead"
_HINT = "correct it (or move it away), then try again"


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler of ours in a hooks file: which event's, in which group of it, and at which place in the group."""

    event: str
    group: int
    number: int
    entry: Mapping[str, Any]
    matcher: str | None = None

    def key(self, hooks: str) -> str:
        """The name of its approval; `hooks` is the absolute path of the hooks file."""
        return f"{hooks}:{_snake(self.event)}:{self.group}:{self.number}"

    @property
    def hash(self) -> str:
        """What Codex compares: the handler as it reads it, defaults filled in, in sorted compact JSON."""
        timeout = self.entry.get("timeout", _DEFAULT_TIMEOUT)
        handler = {
            "async": self.entry.get("async", False),
            "command": self.entry.get("command"),
            "timeout": min(timeout, _LONGEST.get(self.event, timeout)),
            "type": self.entry.get("type"),
        }
        doc: dict[str, Any] = {"event_name": _snake(self.event), "hooks": [handler]}
        if self.matcher is not None and self.event not in _UNMATCHED:
            doc["matcher"] = self.matcher
        text = json.dumps(doc, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Trust:
    """The approvals in one `config.toml`, for the handlers of one hooks file at the absolute path `hooks`."""

    def __init__(self, config: str, hooks: str) -> None:
        self.config = SettingsFile(config)
        self.hooks = hooks

    def state(self, handlers: list[Handler], projects: tuple[str, ...] = ()) -> str:
        """TRUSTED, UNTRUSTED, NO_PROJECT or NEITHER: Codex reads a project's hooks only where it trusts the project.

        `projects` are the folders one of which has to be trusted, none for the user's own hooks. Raises HookConflict
        and OSError.
        """
        doc = self._read()
        known = _states(doc)
        fine = all(_hash_in(known.get(h.key(self.hooks))) == h.hash for h in handlers)
        if projects and not any(_trusts_project(doc, project) for project in projects):
            return NO_PROJECT if fine else NEITHER
        return TRUSTED if fine else UNTRUSTED

    def give(self, handlers: list[Handler]) -> bool:
        """Approve `handlers`; True when anything had to be written. Raises HookConflict, OSError."""
        doc = self._read()
        known: Any = _states(doc)
        missing = [h for h in handlers if _hash_in(known.get(h.key(self.hooks))) != h.hash]
        for handler in missing:
            entry = known.get(handler.key(self.hooks))
            if isinstance(entry, dict):
                entry["trusted_hash"] = handler.hash
        # new ones at the end: a table may stand anywhere, and so all that is there keeps its place
        text = doc.as_string()
        text += "\n" if missing and text and not text.endswith("\n") else ""
        text += "".join(self._table(h) for h in missing if h.key(self.hooks) not in known)
        if missing:
            self._write(text, {h.key(self.hooks): h.hash for h in missing})
        return bool(missing)

    def take(self, handlers: list[Handler]) -> bool:
        """Withdraw the approvals of `handlers`, those alone that are for what they run; True when there were any."""
        if self.config.read() is None:
            return False
        known = _states(self._read())
        ours = [h for h in handlers if _hash_in(known.get(h.key(self.hooks))) == h.hash]
        if not ours:
            return False
        text = (self.config.read() or b"").decode("utf-8")
        for handler in ours:
            text = text.replace(self._table(handler), "", 1)
        self._write(self._without(text, [h.key(self.hooks) for h in ours]), {})
        return True

    def _table(self, handler: Handler) -> str:
        key = json.dumps(handler.key(self.hooks), ensure_ascii=False)
        return f'\n[hooks.state.{key}]\ntrusted_hash = "{handler.hash}"\n'

    def _without(self, text: str, keys: list[str]) -> str:
        """`text` without the approvals that somebody, Codex itself above all, has written in another form."""
        doc = _parse(text, self.config.path)
        known: Any = _states(doc)
        left = [key for key in keys if key in known]
        for key in left:
            del known[key]
        hooks: Any = doc.get("hooks")
        if left and not known:
            del hooks["state"]
        if left and not hooks:
            del doc["hooks"]
        return doc.as_string()

    def _read(self) -> TOMLDocument:
        try:
            text = (self.config.read() or b"").decode("utf-8")
        except UnicodeDecodeError as e:
            raise HookConflict(f"{self.config.path}: it is not UTF-8 text", hint=_HINT) from e
        return _parse(text, self.config.path)

    def _write(self, text: str, wanted: Mapping[str, str]) -> None:
        try:
            states = _states(tomllib.loads(text))
        except tomllib.TOMLDecodeError as e:  # such as a table that is written in one line
            raise HookConflict(f"{self.config.path}: it cannot be added to: {e}", hint=_BY_HAND) from e
        if any(_hash_in(states.get(key)) != value for key, value in wanted.items()):
            raise HookConflict(f"{self.config.path}: it cannot be changed in its form", hint=_BY_HAND)
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as e:
            raise HookConflict(f"{self.hooks}: the path is not UTF-8, TOML cannot hold it", hint=_BY_HAND) from e
        self.config.write(data if text.strip() else None)


def _parse(text: str, path: str) -> TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except (TOMLKitError, RecursionError) as e:
        raise HookConflict(f"{path}: it is no TOML: {e}", hint=_HINT) from e


def _states(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    hooks = doc.get("hooks")
    state = hooks.get("state") if isinstance(hooks, Mapping) else None
    return state if isinstance(state, Mapping) else {}


def _hash_in(entry: object) -> object:
    return entry.get("trusted_hash") if isinstance(entry, Mapping) else None


def _trusts_project(doc: Mapping[str, Any], folder: str) -> bool:
    projects = doc.get("projects")
    for name in (folder, os.path.realpath(folder)):
        project = projects.get(name) if isinstance(projects, Mapping) else None
        if isinstance(project, Mapping) and project.get("trust_level") == "trusted":
            return True
    return False


def _snake(event: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(event))
