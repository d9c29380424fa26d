"""Git notes under our ref: read at any fan-out, written at one, atomically, and never over another writer's.

A change is a function of the text that stands at the very tip the new one is built on; when another writer was first,
the ref's compare-and-swap refuses, and the caller tries again with what stands then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from git_agent_session.errors import StorageError
from git_agent_session.git.ref_files import NOTES
from git_agent_session.git.repository import FILE_MODE, TREE_MODE, Repository
from git_agent_session.git.writing import unwritable, written

if TYPE_CHECKING:
    import pygit2
    from pygit2 import Tree, TreeBuilder
else:
    from git_agent_session.git.lazily import pygit2

REF = NOTES
MAX_NOTE = 1024 * 1024

Change = Callable[[str], str]


class TooLarge(ValueError):
    """A note of more than MAX_NOTE bytes: no projection of ours, and not ours to replace."""


def read(repo: Repository, commit: str) -> str:
    """The note on `commit`, whatever the fan-out; "" if there is none, or one that is no text of a sane size."""
    return on(repo, [commit]).get(commit, "")


def on(repo: Repository, commits: Collection[str]) -> dict[str, str]:
    """The notes on these commits, as `read` gives them, for many at once. Raises StorageError."""
    tip = repo.tip(REF)
    if tip is None:
        return {}
    try:
        found = repo.texts(tip, [path for commit in commits for path in _forms(commit)], MAX_NOTE)
    except ValueError as e:
        raise StorageError(f"{REF} cannot be read: {e}", hint=f"look at it with `git cat-file -t {REF}`") from e
    texts: dict[str, str] = {}
    for commit in commits:
        parts = [found[path] for path in _forms(commit) if path in found]
        texts[commit] = _joined([part for part in parts if part is not None]) if None not in parts else ""
    return texts


def update(repo: Repository, changes: Mapping[str, Change], reason: str) -> None:
    """Replace the note of each commit in `changes` by what its function makes of it ("" removes it), in one commit.

    Nothing is written when nothing differs. Raises Moved when another writer was first, StorageError.
    """
    old = repo.tip(REF)
    root = tree_at(repo, old)
    edits = {}
    for commit, change in changes.items():
        try:
            before = text_in(root, commit)
        except TooLarge:
            continue  # what is not read is not replaced
        after = change(before)
        if after != before:
            edits[commit] = after
    if not edits:
        return
    try:
        tree = edited(repo, root, edits)
        new = repo.write_commit(tree, [old] if old and root is not None else [], reason)
    except (pygit2.GitError, OSError) as e:
        raise unwritable(e, "notes") from e
    repo.swap(REF, new, old, reason)


def tree_at(repo: Repository, tip: str | None) -> Tree | None:
    """The tree of the notes at `tip`, None where there are none. Raises StorageError when it is no commit."""
    try:
        return repo.commit_at(tip).tree if tip else None
    except ValueError as e:
        raise StorageError(f"{REF} does not point at a commit", hint=f"look at it with `git cat-file -t {REF}`") from e


def text_in(root: Tree | None, commit: str) -> str:
    """The note on `commit` in a tree of notes, whatever the fan-out; "" for none. Raises TooLarge."""
    if root is None:
        return ""
    parts = []
    for path in _forms(commit):
        if path in root and isinstance(blob := root[path], pygit2.Blob):
            if blob.size > MAX_NOTE:
                raise TooLarge(commit)
            parts.append(blob.data)
    return _joined(parts)


def _joined(parts: Iterable[bytes]) -> str:
    # others may write what is not UTF-8; it must come out again as it went in
    texts = (part.decode("utf-8", "surrogateescape").strip("\n") for part in parts)
    return "\n".join(t for t in texts if t)


def _forms(commit: str) -> tuple[str, ...]:
    """Where a tree of notes may hold `commit`: flat, or below one or two folders of two digits (git uses all)."""
    return commit, f"{commit[:2]}/{commit[2:]}", f"{commit[:2]}/{commit[2:4]}/{commit[4:]}"


def edited(repo: Repository, root: Tree | None, edits: Mapping[str, str]) -> pygit2.Oid:
    """The tree of notes `root` with each note of `edits` (commit -> text, "" removes it) in our fan-out."""
    builder = _builder(repo, root)
    folders: dict[str, dict[str, str]] = {}
    for commit, text in edits.items():
        folders.setdefault(commit[:2], {})[commit[2:]] = text
        if root is not None and commit in root:
            builder.remove(commit)
    for name, entries in folders.items():
        below = root[name] if root is not None and name in root else None
        folder = _edited_folder(repo, below if isinstance(below, pygit2.Tree) else None, entries)
        if len(folder):
            builder.insert(name, written(folder.write), TREE_MODE)
        elif below is not None:
            builder.remove(name)
    return written(builder.write)


def _edited_folder(repo: Repository, tree: Tree | None, entries: Mapping[str, str]) -> TreeBuilder:
    builder = _builder(repo, tree)
    for name, text in entries.items():
        deeper = tree[name[:2]] if tree is not None and name[:2] in tree else None
        if isinstance(deeper, pygit2.Tree) and name[2:] in deeper:
            # a deeper fan-out of another writer's: git would show both
            inner = _builder(repo, repo.raw[builder.get(name[:2]).id])
            inner.remove(name[2:])
            if len(inner):
                builder.insert(name[:2], written(inner.write), TREE_MODE)
            else:
                builder.remove(name[:2])
        if text:
            data = text.encode("utf-8", "surrogateescape") + b"\n"
            builder.insert(name, written(repo.raw.create_blob, data), FILE_MODE)
        elif tree is not None and name in tree:
            builder.remove(name)
    return builder


def _builder(repo: Repository, tree: object) -> TreeBuilder:
    return repo.raw.TreeBuilder(tree) if isinstance(tree, pygit2.Tree) else repo.raw.TreeBuilder()
