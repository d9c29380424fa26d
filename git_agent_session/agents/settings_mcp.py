"""The MCP server in an agent's settings: `enable --mcp` puts it in, `disable` takes it out.

Agents keep their servers in other files than their hooks, or beside them; each place and form below is one that the
agent's documentation gives and, where the agent could be run, that it reads. The machinery, byte for byte back where
nobody else has changed the file, is that of `settings`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from git_agent_session.agents import settings
from git_agent_session.agents.settings_backup import Backup
from git_agent_session.agents.settings_entries import HINT
from git_agent_session.agents.settings_jsonc import Document
from git_agent_session.agents.settings_place import Place
from git_agent_session.errors import HookConflict, UsageError

NAME = "git-agent-session"
WHAT = "server"


def _plain(command: Sequence[str]) -> dict[str, Any]:
    return {"command": command[0], "args": list(command[1:])}


@dataclass(frozen=True, slots=True)
class Servers:
    """Where an agent looks for MCP servers: a file for each scope, as in `setup.Setup`, and the table in it.

    `entry` makes the entry of a server from its command. `hint` is what a user has to do afterwards.
    """

    files: Mapping[str, str]
    table: str = "mcpServers"
    entry: Callable[[Sequence[str]], dict[str, Any]] = _plain
    hint: str = ""


SERVERS = {
    # the user's are in a file that Claude Code writes all the time: `claude mcp add -s user` is for them
    "claude-code": Servers({"project": ".mcp.json"}, hint="Claude Code asks once whether to use the project's server"),
    "codex": Servers(
        {"project": ".codex/config.toml", "user": "config.toml"},
        "mcp_servers",
        hint="Codex reads a project's servers once the folder is trusted",
    ),
    "gemini": Servers({"project": ".gemini/settings.json", "user": ".gemini/settings.json"}),
    "copilot": Servers(
        {"project": ".github/mcp.json", "user": "mcp-config.json"},
        entry=lambda command: {"type": "local", **_plain(command), "tools": ["*"]},
    ),
    "opencode": Servers(
        {"project": "opencode.json", "user": "opencode.json"},
        "mcp",
        lambda command: {"type": "local", "command": list(command), "enabled": True},
    ),
    "cursor": Servers({"project": ".cursor/mcp.json", "user": "mcp.json"}),
    "droid": Servers(
        {"project": ".factory/mcp.json", "user": ".factory/mcp.json"},
        entry=lambda command: {"type": "stdio", **_plain(command), "disabled": False},
    ),
}


def put(at: Place, scope: str, *, write: bool = False) -> settings.Report:
    """Put the server into the agent's settings of a scope; with `write` one that may record.

    Raises as `settings.enable` does, UsageError where the agent or the scope has no servers.
    """
    there, known = place(at, scope), SERVERS[at.name]
    file = there.file(scope)
    ours = _entries(known, write)
    changed = settings.add(file, ours, _backup(there, scope))
    action = "enabled" if changed else "unchanged"
    change = settings.Change(scope, file.path, action, WHAT)
    return settings.Report(at.name, (change,), hint=known.hint if changed else "")


def take(at: Place, scope: str) -> settings.Change:
    """Take the server out of the settings of a scope, whichever kind it is."""
    there = place(at, scope)
    file = there.file(scope)
    action = settings.take_out(file, _entries(SERVERS[at.name], write=False), _backup(there, scope))
    return settings.Change(scope, file.path, action, WHAT)


def scopes(at: Place) -> tuple[str, ...]:
    """The scopes that can have the server here."""
    return tuple(s for s in place(at).scopes) if at.name in SERVERS else ()


def check(at: Place, scope: str) -> None:
    """Raise UsageError or NotARepository where the server cannot be set up."""
    place(at, scope).file(scope)


def place(at: Place, scope: str = "") -> Place:
    """The agent's place with the files of its servers instead of those of its hooks."""
    known = SERVERS.get(at.name)
    if known is None:
        raise UsageError(f"{at.name} has no MCP servers in its settings", hint=f"these have: {', '.join(SERVERS)}")
    if scope and scope not in known.files:
        others = " or ".join("no option" if s == "project" else f"--{s}" for s in known.files)
        raise UsageError(f"the MCP server of {at.name} cannot be set up for {scope}", hint=f"use {others}")
    return replace(at, setup=replace(at.setup, files=known.files))


def _backup(at: Place, scope: str) -> Backup:
    return Backup(at.location, f"{at.name}-mcp", scope, at.env)


def _entries(known: Servers, write: bool) -> settings.Edits:
    entry = known.entry([NAME, "mcp", *(["--write"] if write else [])])
    is_toml = any(path.endswith(".toml") for path in known.files.values())
    return TomlServer(known.table, entry) if is_toml else JsonServer(known.table, entry)


@dataclass(frozen=True, slots=True)
class JsonServer:
    """Our server in a JSON document; see `settings.Edits`."""

    table: str
    entry: Mapping[str, Any]

    def present(self, text: str) -> bool:
        """True when a server of our name is there."""
        return NAME in self._servers(_document(text))

    def added(self, text: str) -> str:
        """The text with our server in it, as it is to be."""
        doc = _document(text)
        if self.table not in doc.value:
            doc.put((self.table,), {NAME: self.entry})
        elif self._servers(doc).get(NAME) != self.entry:
            doc.put((self.table, NAME), self.entry)
        return doc.text

    def removed(self, text: str, original: str | None = None) -> str | None:
        """The text without our server; None for a file in which nothing else is left."""
        doc = _document(text)
        if NAME not in self._servers(doc):
            return doc.text
        doc.remove((self.table, NAME))
        before = _document(original).value if original is not None else {}
        if doc.is_bare((self.table,)) and self.table not in before:
            doc.remove((self.table,))
        return None if doc.is_bare() and not (original or "").strip() else doc.text

    def _servers(self, doc: Document) -> Mapping[str, Any]:
        found = doc.value.get(self.table, {})
        if not isinstance(found, dict):
            raise HookConflict(f"its `{self.table}` is not a table", hint=HINT)
        return found


@dataclass(frozen=True, slots=True)
class TomlServer:
    """The same in TOML: a table at the end, so that all that is there keeps its place."""

    table: str
    entry: Mapping[str, Any]

    def present(self, text: str) -> bool:
        """True when a server of our name is there."""
        return NAME in self._servers(text)

    def added(self, text: str) -> str:
        """The text with our server in it, as it is to be."""
        if self._servers(text).get(NAME) == self.entry:
            return text
        without = (self.removed(text) or "") if self.present(text) else text
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in self.entry.items()]
        gap = "" if not without.strip() else "\n" if without.endswith("\n") else "\n\n"
        out = without + gap + "\n".join([f"[{self.table}.{NAME}]", *lines]) + "\n"
        if self._servers(out).get(NAME) != self.entry:
            raise HookConflict("it cannot be added to in its form", hint="add the server by hand, see docs/mcp.md")
        return out

    def removed(self, text: str, original: str | None = None) -> str | None:
        """The text without our server; None for a file in which nothing else is left."""
        import tomlkit

        if not self.present(text):
            return text
        doc: Any = tomlkit.parse(text)
        del doc[self.table][NAME]
        if not doc[self.table]:
            del doc[self.table]
        out = str(doc.as_string())
        return out if out.strip() or (original or "").strip() else None

    def _servers(self, text: str) -> Mapping[str, Any]:
        try:
            found = tomllib.loads(text).get(self.table, {})
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise HookConflict(f"it is no TOML: {e}", hint=HINT) from e
        if not isinstance(found, dict):
            raise HookConflict(f"its `{self.table}` is not a table", hint=HINT)
        return found


def _document(text: str) -> Document:
    try:
        return Document(text)
    except ValueError as e:
        raise HookConflict(f"it is no JSON: {e}", hint=HINT) from e
