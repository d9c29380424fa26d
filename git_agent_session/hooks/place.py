"""Where the hooks of one repository live, and what an earlier install left there. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass

from git_agent_session.errors import HookConflict, NotARepository, UnsupportedRepository
from git_agent_session.git import owner
from git_agent_session.git.discover import SUPPORTED, discover, foreign_format
from git_agent_session.git.run import git
from git_agent_session.hooks import manifest
from git_agent_session.hooks.sources import PREVIOUS


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as the installer sees it; `cwd` and `env` are how git is run in it."""

    common: str
    git_dir: str
    cwd: str
    env: dict[str, str]

    @property
    def hooks(self) -> str:
        """Where git looks for hooks as long as core.hooksPath is not set."""
        return os.path.join(self.common, "hooks")

    @property
    def folder(self) -> str:
        """The folder of our own."""
        return os.path.join(self.common, "agent-session", "hooks")

    @property
    def local_config(self) -> str:
        """The configuration that all worktrees share."""
        return os.path.join(self.common, "config")

    @property
    def worktree_config(self) -> str:
        """The configuration of this worktree alone (git-worktree(1), `extensions.worktreeConfig`)."""
        return os.path.join(self.git_dir, "config.worktree")

    def relative(self, path: str) -> str:
        """`path` as it reads from the common folder."""
        return os.path.relpath(path, self.common)

    def config_files(self) -> list[str]:
        """Every configuration file of the repository that exists or is ours to write."""
        folders = [self.common]
        worktrees = os.path.join(self.common, "worktrees")
        if os.path.isdir(worktrees):
            folders += [os.path.join(worktrees, name) for name in sorted(os.listdir(worktrees))]
        own = [os.path.join(folder, "config.worktree") for folder in folders]
        return [self.local_config, *(file for file in own if os.path.isfile(file))]

    def is_ours(self, hooks_path: str) -> bool:
        """Whether a value of core.hooksPath names our folder."""
        there = os.path.realpath(os.path.join(self.cwd, hooks_path))
        return os.path.normcase(there) == os.path.normcase(os.path.realpath(self.folder))

    def was_ours(self, hooks_path: str) -> bool:
        """Whether it names our folder as it was before the repository was moved or copied."""
        parts = os.path.normpath(hooks_path).split(os.sep)
        return os.path.isabs(hooks_path) and parts[-2:] == ["agent-session", "hooks"] and self.previous() is not None

    def previous(self) -> str | None:
        """The value of core.hooksPath that ours took the place of; None when we did not take any."""
        try:
            with open(os.path.join(self.folder, PREVIOUS), "rb") as f:
                return os.fsdecode(f.read().removesuffix(b"\n"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def manifest(self) -> manifest.Manifest | None:
        """What the last install wrote down."""
        try:
            with open(os.path.join(self.folder, manifest.NAME), "rb") as f:
                return manifest.parse(f.read())
        except (FileNotFoundError, NotADirectoryError):
            return None


def find(start: str | None) -> Place:
    """The repository around `start`; without it, the one git would take here, `GIT_DIR` included.

    Raises NotARepository, and GitError or HookConflict where git itself would use another repository or none.
    """
    asked = start is None and bool(os.environ.get("GIT_DIR"))
    found = discover(start, os.environ if start is None else None)
    if found is None:
        raise NotARepository("not a git repository", hint="run it inside one, or run `git init`")
    if reason := foreign_format(found.common_dir):
        raise UnsupportedRepository(f"this repository uses {reason}", hint=SUPPORTED)
    owner.check(found)
    worktree = found.worktree
    cwd = worktree if worktree and os.path.isdir(worktree) else found.git_dir
    env = {"GIT_DIR": os.path.abspath(found.git_dir)} if asked else {}
    seen = os.fsdecode(git("rev-parse", "--git-dir", cwd=cwd, env=env).removesuffix(b"\n"))
    if not os.path.samefile(os.path.join(cwd, seen), found.git_dir):
        raise HookConflict(
            f"git takes {seen} for the repository here, not {found.git_dir}", hint="run it in the worktree"
        )
    return Place(os.path.abspath(found.common_dir), os.path.abspath(found.git_dir), os.path.abspath(cwd), env)
