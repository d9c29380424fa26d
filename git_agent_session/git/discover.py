"""Finds the repository that a folder belongs to, by reading files alone.

Hooks and the command line both need the git folder, the common folder and the worktree before anything heavy is
imported. The rules are those of git-rev-parse(1): `GIT_DIR`, `GIT_COMMON_DIR` and `GIT_WORK_TREE` win where the caller
asks for the environment, a `.git` file points elsewhere, `GIT_CEILING_DIRECTORIES` ends the walk. It opens nothing and
validates nothing beyond the shape of a git folder; pygit2 does that on opening.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# what to say of a repository that has it
SUPPORTED = "sessions need a repository with SHA-1 objects and file refs for now"


class Location:
    """Where a repository is: `git_dir` of this worktree, `common_dir` shared by all, `worktree` (None if bare).

    `met` says that nothing but the folder's looks made it one: no `.git`, no `GIT_DIR`.
    """

    __slots__ = ("common_dir", "git_dir", "met", "worktree")

    def __init__(self, git_dir: str, common_dir: str, worktree: str | None, *, met: bool = False) -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.worktree = worktree
        self.met = met

    @property
    def shared(self) -> str:
        """The plugin's folder that all worktrees share."""
        return os.path.join(self.common_dir, "agent-session")

    @property
    def private(self) -> str:
        """The plugin's folder of this worktree alone."""
        return os.path.join(self.git_dir, "agent-session")


def discover(start: str | None = None, env: Mapping[str, str] | None = None) -> Location | None:
    """The repository around the folder `start` (default: the current one), or None.

    `env`, when given, is searched for `GIT_DIR`, `GIT_COMMON_DIR`, `GIT_WORK_TREE` and `GIT_CEILING_DIRECTORIES` as
    git(1) does; without it the folder alone decides, which is what an agent's hook needs.
    """
    try:
        here = os.path.abspath(start or os.getcwd())
    except OSError:
        return None
    env = env or {}
    if given := env.get("GIT_DIR"):
        return _given(os.path.join(here, given), here, env)
    top, found = _around(here, env)
    real = os.path.realpath(here) if start else here
    if real != here and (found is None or not _is_within(real, os.path.realpath(top))):
        # behind a symbolic link: git goes there first, and looks around then
        found = _around(real, env)[1]
    return found


def foreign_format(common_dir: str) -> str:
    """What a repository uses that libgit2 cannot open, in words; "" for nothing that is known."""
    try:
        with open(os.path.join(common_dir, "config"), encoding="utf-8", errors="replace") as f:
            text = f.read().lower()
    except OSError:
        return ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "objectformat" and value == "sha256":
            return "the SHA-256 object format"
        if key == "refstorage" and value == "reftable":
            return "the reftable ref storage"
    return ""


def _given(git_dir: str, here: str, env: Mapping[str, str]) -> Location | None:
    """The repository that GIT_DIR names, by a `.git` file as well."""
    worktree = env.get("GIT_WORK_TREE")
    folder = here
    if pointed := _pointed(git_dir):
        git_dir, folder = pointed, os.path.dirname(git_dir)
    top = os.path.join(here, worktree) if worktree else _worktree_of(git_dir, folder)
    return _location(git_dir, top, env) if _is_git_dir(git_dir) else None


def _around(here: str, env: Mapping[str, str]) -> tuple[str, Location | None]:
    """The repository around a folder, and in which of those above it it was found."""
    ceilings = {os.path.realpath(p) for p in env.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep) if p}
    while True:
        found = _at(here, env)
        parent = os.path.dirname(here)
        if found or parent == here or os.path.realpath(parent) in ceilings:
            return here, found
        here = parent


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _at(folder: str, env: Mapping[str, str]) -> Location | None:
    dot_git = os.path.join(folder, ".git")
    if os.path.isdir(dot_git) and _is_git_dir(dot_git):
        return _location(dot_git, folder, env)
    git_dir = _pointed(dot_git)
    if git_dir and _is_git_dir(git_dir):
        return _location(git_dir, folder, env)
    if _is_git_dir(folder):
        return _location(folder, _worktree_of(folder, None), env, met=True)
    return None


def _location(git_dir: str, worktree: str | None, env: Mapping[str, str], *, met: bool = False) -> Location:
    if given := env.get("GIT_COMMON_DIR"):
        return Location(git_dir, os.path.abspath(given), worktree, met=met)
    common = _read_line(os.path.join(git_dir, "commondir"))
    # what is above a link is not what is above where it leads
    base = os.path.realpath(git_dir) if common and os.path.islink(git_dir) else git_dir
    common_dir = os.path.normpath(os.path.join(base, common)) if common else git_dir
    return Location(git_dir, common_dir, worktree, met=met)


def _pointed(dot_git: str) -> str:
    """The git folder that a `.git` file names, "" for what is none."""
    target = _read_line(dot_git) if os.path.isfile(dot_git) else ""
    if not target.startswith("gitdir: "):
        return ""
    return os.path.normpath(os.path.join(os.path.dirname(dot_git), target[len("gitdir: ") :]))


def _worktree_of(git_dir: str, default: str | None) -> str | None:
    # a linked worktree's git folder names its `.git` file; a bare repository has none
    back = _read_line(os.path.join(git_dir, "gitdir"))
    if back:
        return os.path.dirname(os.path.join(git_dir, back))
    if os.path.basename(git_dir) == ".git":
        return os.path.dirname(git_dir)
    return default


def _is_git_dir(path: str) -> bool:
    if not os.path.isfile(os.path.join(path, "HEAD")) and not os.path.islink(os.path.join(path, "HEAD")):
        return False
    if os.path.isfile(os.path.join(path, "commondir")):
        return True
    return os.path.isdir(os.path.join(path, "objects")) and os.path.isdir(os.path.join(path, "refs"))


def _read_line(path: str) -> str:
    try:
        with open(path, "rb") as f:
            # a path may hold a newline: only the one that ends the file is not part of it
            return os.fsdecode(f.read(65536).removesuffix(b"\n").removesuffix(b"\r"))
    except OSError:
        return ""
