"""Asks git what a snapshot needs: position, changes, commits, tracked files, marked lines. Bytes as git gives them.

Each question is one process with NUL-separated output; none of them takes a lock, starts an external diff, goes to the
network or descends into submodules. Nothing is redacted or shortened here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from git_agent_session.context.model import Change
from git_agent_session.git.run import run

# sizes need one lstat a file, and a search for marks one read: past these a repository is no longer quick to look at
SIZED_FILES = 20_000
SEARCHED_FILES = 20_000
LARGE_FILE = 1_000_000
LARGE_DIFF = 4_000_000
DIFFED_PATHS = 100

_ENV = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
_SYMLINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to run git in, and whether its repository has a worktree."""

    path: str
    bare: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What git-status(1) says: branch (empty if detached), head's id (empty before the first commit), changes."""

    branch: str = ""
    head: str = ""
    upstream: str = ""
    ahead: int = 0
    behind: int = 0
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class File:
    """A tracked file. `size` in bytes, 0 where it was not measured; `link` for a symbolic link, `oid` of its blob."""

    path: str
    size: int
    oid: str
    link: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """The tracked files, how many submodules there are, and whether every size was measured."""

    files: list[File]
    submodules: int
    measured: bool


def ask(place: Place, *args: str, input: bytes | None = None, check: bool = True) -> bytes:
    """The output of one git command; without `check`, empty when it fails."""
    done = run(*args, cwd=place.path, input=input, env=_ENV, check=check)
    return done.stdout if done.returncode == 0 else b""


def status(place: Place) -> Status:
    """Branch, upstream and all changed paths (git-status(1), porcelain format version 2)."""
    if place.bare:
        branch = os.fsdecode(ask(place, "symbolic-ref", "--short", "-q", "HEAD", check=False).rstrip(b"\n"))
        head = ask(place, "rev-parse", "--verify", "-q", "HEAD^{commit}", check=False).decode().strip()
        return Status(branch, head)
    options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty")
    entries = iter(ask(place, "status", *options).split(b"\0"))
    header: dict[str, str] = {}
    changes = []
    for entry in entries:
        kind, _, rest = os.fsdecode(entry).partition(" ")
        if kind == "#":
            key, _, value = rest.partition(" ")
            header[key] = value
        elif kind == "?":
            changes.append(Change(rest, "??"))
        elif kind in ("1", "2", "u"):
            # the path is what follows 7, 8 or 9 fields; a rename's old path is an entry of its own
            changes.append(
                Change(rest.split(" ", {"1": 7, "2": 8, "u": 9}[kind])[-1], "U" * 2 if kind == "u" else rest[:2])
            )
            if kind == "2":
                next(entries, b"")
    ahead, _, behind = header.get("branch.ab", "+0 -0").partition(" ")
    branch, head = header.get("branch.head", ""), header.get("branch.oid", "")
    return Status(
        "" if branch == "(detached)" else branch,
        "" if head == "(initial)" else head,
        header.get("branch.upstream", ""),
        abs(int(ahead)),
        abs(int(behind)),
        changes,
    )


def commits(place: Place, n: int) -> list[list[str]]:
    """The last `n` commits as [id, author date, author, subject]."""
    fields = "%H%x00%aI%x00%an%x00%s"
    shape = ("--no-show-signature", "--no-color", "-s", "--encoding=UTF-8", f"--format=format:{fields}")
    words = ask(place, "log", "-z", f"-{n}", *shape, "HEAD", "--").decode("utf-8", "replace").split("\0")
    return [words[i : i + 4] for i in range(0, len(words) - 3, 4)]


def tree(place: Place, head: str) -> Tree:
    """The tracked files with their sizes: those of the worktree, or of the head's blobs where there is none."""
    if place.bare:
        return _head_tree(place) if head else Tree([], 0, True)
    seen: dict[str, tuple[str, str]] = {}
    for entry in ask(place, "ls-files", "-z", "-s").split(b"\0"):
        info, tab, path = os.fsdecode(entry).partition("\t")
        if tab:
            mode, oid, _ = info.split(" ")
            seen.setdefault(path, (mode, oid))
    folders = Folders(place.path)
    files = [
        File(path, folders.size(path) if n < SIZED_FILES else 0, oid, mode == _SYMLINK)
        for n, (path, (mode, oid)) in enumerate(seen.items())
        if mode != _SUBMODULE
    ]
    return Tree(files, len(seen) - len(files), len(seen) <= SIZED_FILES)


def _head_tree(place: Place) -> Tree:
    files, submodules = [], 0
    for entry in ask(place, "ls-tree", "-r", "-l", "-z", "HEAD").split(b"\0"):
        info, tab, path = os.fsdecode(entry).partition("\t")
        if not tab:
            continue
        mode, kind, oid, size = info.split()
        if kind == "blob":
            files.append(File(path, int(size) if size.isdigit() else 0, oid, mode == _SYMLINK))
        else:
            submodules += 1
    return Tree(files, submodules, True)


class Folders:
    """Looks at files below `root` without ever passing through a symbolic link."""

    __slots__ = ("_real", "root")

    def __init__(self, root: str) -> None:
        self.root = root
        self._real: dict[str, bool] = {"": True}

    def size(self, path: str) -> int:
        """Bytes of the regular file at `path`, 0 for anything else."""
        if not self.real(path.rpartition("/")[0]):
            return 0
        try:
            found = os.lstat(os.path.join(self.root, path))
        except (OSError, ValueError):
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def real(self, folder: str) -> bool:
        """Whether `folder` and all above it, up to the root, are folders themselves and no links to one."""
        known = self._real.get(folder)
        if known is None:
            try:
                mode = os.lstat(os.path.join(self.root, folder)).st_mode
                known = stat.S_ISDIR(mode) and self.real(folder.rpartition("/")[0])
            except (OSError, ValueError):
                known = False
            self._real[folder] = known
        return known


def line_counts(place: Place, paths: Sequence[str], *, initial: bool) -> dict[str, tuple[int, int]]:
    """Lines added and deleted against the head, by path; of the index alone before the first commit."""
    if not paths:
        return {}
    against = "--cached" if initial else "HEAD"
    named = [f":(top,literal){path}" for path in paths]
    quiet = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--no-renames", "--ignore-submodules=all")
    out = ask(place, "diff", "--numstat", "-z", *quiet, against, "--", *named, check=False)
    counts = {}
    for entry in out.split(b"\0"):
        added, _, rest = os.fsdecode(entry).partition("\t")
        deleted, tab, path = rest.partition("\t")
        if tab and added.isdigit() and deleted.isdigit():
            counts[path] = (int(added), int(deleted))
    return counts


def marks(place: Place, skip: Iterable[str]) -> list[tuple[str, int, str]]:
    """Lines with TODO, FIXME or XXX in tracked text files, as (path, line number, line); none of `skip` is read."""
    look = ("-I", "-z", "-n", "-w", "-E", "--no-color", "--no-column", "--full-name", "--no-recurse-submodules")
    pathspecs = (".", *(f":(exclude,top,literal){path}" for path in skip))
    tree_ish = ("HEAD",) if place.bare else ()
    out = ask(place, "grep", *look, "-e", "TODO|FIXME|XXX", *tree_ish, "--", *pathspecs, check=False)
    found, at = [], 0
    while (end := out.find(b"\0", at)) >= 0:
        path = os.fsdecode(out[at:end])
        middle = out.find(b"\0", end + 1)
        last = out.find(b"\n", middle + 1)
        last = len(out) if last < 0 else last
        if middle < 0 or not (number := out[end + 1 : middle]).isdigit():
            break
        if last - middle < 500:
            found.append((path.removeprefix("HEAD:"), int(number), out[middle + 1 : last].decode("utf-8", "replace")))
        at = last + 1
    return found
