"""Where an agent keeps its settings, and what shows that somebody uses it here. It looks, and runs nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from git_agent_session.agents.settings_file import SettingsFile
from git_agent_session.agents.setup import SCOPES, Setup
from git_agent_session.errors import NotARepository, UsageError
from git_agent_session.git.discover import Location


@dataclass(frozen=True, slots=True)
class Place:
    """The settings of the agent `name`, as seen from a repository (None: from outside of one)."""

    name: str
    setup: Setup
    location: Location | None
    env: Mapping[str, str]

    @property
    def home(self) -> str:
        """The agent's own folder; it need not exist."""
        variable, default = self.setup.home
        return (self.env.get(variable) if variable else "") or os.path.join(os.path.expanduser("~"), default)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the agent has and that have settings here."""
        # outside a repository and in a bare one there are the user's settings alone
        inside = self.location is not None and self.location.worktree is not None
        return tuple(s for s in SCOPES if s in self.setup.files and (inside or s == "user"))

    def file(self, scope: str) -> SettingsFile:
        """The settings file of a scope. Raises UsageError and NotARepository where there is none."""
        if scope not in SCOPES:
            raise UsageError(f"{scope[:40]!r} is no scope", hint=f"use {', '.join(SCOPES)}")
        if scope not in self.setup.files:
            others = " or ".join("--" + s if s != "project" else "no option" for s in SCOPES if s in self.setup.files)
            raise UsageError(f"{self.name} has no {scope} settings", hint=f"use {others}")
        if scope == "user":
            return SettingsFile(os.path.join(self.home, *self.setup.files["user"].split("/")))
        if self.location is None:
            raise NotARepository("not a git repository, so there are no settings of a project", hint="use --user")
        if self.location.worktree is None:
            raise UsageError("a bare repository has no settings of its own", hint="use --user")
        return SettingsFile(os.path.join(self.location.worktree, *self.setup.files[scope].split("/")))

    def program(self) -> str | None:
        """The agent's executable on `PATH`."""
        return shutil.which(self.setup.program, path=self.env.get("PATH", os.defpath))

    def version(self) -> str:
        """The version that the npm package of the executable names, "" for one from elsewhere; starts no process."""
        program = self.program()
        folder = os.path.dirname(os.path.realpath(program)) if program else ""
        for _ in range(4 if folder else 0):
            try:
                with open(os.path.join(folder, "package.json"), encoding="utf-8") as f:
                    package = json.load(f)
                bins = package.get("bin")
                if self.setup.program in bins if isinstance(bins, dict) else bins is not None:
                    return str(package["version"])[:40]
            except (OSError, ValueError, KeyError, AttributeError):
                pass
            folder = os.path.dirname(folder)
        return ""

    def signs(self) -> tuple[str, ...]:
        """What shows that the agent is used: `installed`, `configured` (for the user), `project` (settings here)."""
        found = ["installed"] if self.program() else []
        # an agent whose home is the user's own has its folder below it
        own = self.home if self.setup.home[1] else os.path.dirname(self.file("user").path)
        if os.path.isdir(own):
            found.append("configured")
        if "project" in self.scopes:
            folder = os.path.dirname(self.setup.files["project"])
            assert self.location is not None and self.location.worktree is not None
            if folder and os.path.isdir(os.path.join(self.location.worktree, *folder.split("/"))):
                found.append("project")
        return tuple(found)
