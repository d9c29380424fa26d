"""Refs that belong to other tools: their notes and their branches, read within bounds and added to by compare-and-swap.

What another tool wrote there stays: a change is a function of what stands at the very tip that the new one is built
on, and a ref that somebody else moved meanwhile is looked at again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pygit2
from pygit2 import Tree
from pygit2.enums import FileMode

from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git import all_notes, notes
from git_agent_session.git.repository import Moved, Repository, Tip, one_line
from git_agent_session.git.writing import unwritable, written

T = TypeVar("T")

_DEADLINE_SECONDS = 20.0
# entries of a branch's tree, and how deep they lie
MOST_FILES = 500_000
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class File:
    """A file in a tree: its path and the id of its blob."""

    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class Step:
    """A commit to be made: its message, and by folder the files (path -> blob) in place of all that was in it."""

    folders: Mapping[str, Mapping[str, str]]
    message: str


def texts(repo: Repository, ref: str) -> Iterator[tuple[Tip, str]]:
    """Each commit with a note under `ref` and the note's text; those of more than 1 MiB are left out."""
    yield from all_notes.every(repo, repo.tip(ref))


def change_notes(repo: Repository, ref: str, changes: Mapping[Tip, notes.Change], reason: str) -> list[Tip]:
    """Replace notes under `ref` by what a function makes of each, in one commit; returns those that are other now.

    Notes of more than 1 MiB stay as they are. Raises StorageError.
    """

    def once() -> list[Tip]:
        old = repo.tip(ref)
        root = notes.tree_at(repo, old)
        edits = {}
        for commit, change in changes.items():
            try:
                before = notes.text_in(root, commit)
            except notes.TooLarge:
                continue
            if (after := change(before)) != before:
                edits[commit] = after
        if edits:
            tree = notes.edited(repo, root, edits)
            repo.swap(ref, repo.write_commit(tree, [old] if old else [], reason), old, reason)
        return list(edits)

    return _again(ref, once)


def files(repo: Repository, tip: Tip | None) -> list[File]:
    """The files of the tree at `tip`, the first half million; none where there is no commit."""
    found: list[File] = []
    try:
        root = repo.commit_at(tip).tree if tip else None
        if root is not None:
            for file in _walk(root, "", 0):
                found.append(file)
                if len(found) == MOST_FILES:
                    break
    except (pygit2.GitError, KeyError, ValueError) as e:
        raise StorageError(f"a tree cannot be read: {one_line(e)}", hint="fetch the branch again") from e
    return found


def _walk(tree: Tree, above: str, depth: int) -> Iterator[File]:
    for entry in tree:
        path = f"{above}{entry.name or ''}"
        if isinstance(entry, Tree):
            if depth < _DEEPEST:
                yield from _walk(entry, f"{path}/", depth + 1)
        elif isinstance(entry, pygit2.Blob):
            yield File(path, str(entry.id))


def content(repo: Repository, blob: str, limit: int) -> bytes | None:
    """The bytes of a blob; None where it is gone or holds more than `limit` bytes."""
    try:
        kind, size = repo.raw.odb.read_header(pygit2.Oid(hex=blob))
        if int(kind) != pygit2.GIT_OBJECT_BLOB or size > limit:
            return None
        found = repo.raw[blob]
    except (pygit2.GitError, KeyError, ValueError):
        return None
    return found.data if isinstance(found, pygit2.Blob) else None


def store(repo: Repository, data: bytes) -> str:
    """Write a blob and return its id; no ref moves. Raises StorageError."""
    try:
        return str(written(repo.raw.create_blob, data))
    except (pygit2.GitError, OSError) as e:
        raise unwritable(e) from e


def add(
    repo: Repository, ref: str, plan: Callable[[Tip | None], list[Step]], reason: str, *, start: str = ""
) -> list[Step]:
    """Add the commits of `plan` (given the tip) to the branch `ref`; returns them.

    A branch that is not there yet begins at the ref `start` where that is there. Raises StorageError, also where the
    branch is checked out here: its files would then seem to be deleted.
    """

    def once() -> list[Step]:
        old = repo.tip(ref)
        tip = old or (repo.tip(start) if start else None)
        steps = plan(tip)
        if not steps:
            return []
        if not repo.raw.head_is_unborn and not repo.raw.head_is_detached and repo.raw.head.name == ref:
            raise AgentSessionError(f"{ref} is checked out here", hint="switch to another branch first")
        index = pygit2.Index()
        if tip:
            index.read_tree(repo.commit_at(tip).tree)
        for step in steps:
            tip = _commit(repo, index, step, tip)
        repo.swap(ref, tip, old, reason)
        return steps

    return _again(ref, once)


def _commit(repo: Repository, index: pygit2.Index, step: Step, parent: Tip | None) -> Tip:
    replaced = tuple(f"{folder}/" for folder in step.folders)
    for gone in [entry.path for entry in index if entry.path.startswith(replaced)]:
        index.remove(gone)
    for files in step.folders.values():
        for path, blob in files.items():
            index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=blob), FileMode.BLOB))
    return repo.write_commit(written(index.write_tree, repo.raw), [parent] if parent else [], step.message)


def _again(ref: str, once: Callable[[], T]) -> T:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            return once()
        except Moved as e:
            if time.monotonic() > deadline:
                raise StorageError(f"{ref} is written by others again and again", hint="try again") from e
            time.sleep(random.random() * 0.02)
        except (pygit2.GitError, OSError, ValueError) as e:
            raise unwritable(e, ref) from e
