"""All notes of a tip at once: which of them name something, and the same notes without a history.

For repairs and for taking things out; single notes are `notes`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import pygit2

from git_agent_session.git import notes
from git_agent_session.git.repository import Repository, Tip
from git_agent_session.ids import is_object_id

if TYPE_CHECKING:
    from pygit2 import Tree

# git fans out by one pair of digits after the other, as many notes as there are
_DEEPEST = 19


def every(repo: Repository, tip: Tip | None) -> Iterator[tuple[Tip, str]]:
    """Each commit that has a note, with the note's text, those of too many bytes left out. Raises StorageError."""
    root = notes.tree_at(repo, tip)
    for commit in sorted(set(_names(repo, root, "", 0))) if root is not None else ():
        try:
            yield commit, notes.text_in(root, commit)
        except notes.TooLarge:
            continue


def _names(repo: Repository, tree: Tree, above: str, depth: int) -> Iterator[str]:
    for entry in tree:
        name = above + (entry.name or "")
        if isinstance(entry, pygit2.Tree):
            if len(entry.name or "") == 2 and depth < _DEEPEST:
                yield from _names(repo, entry, name, depth + 1)
        elif is_object_id(name):
            yield name


def naming(repo: Repository, tip: Tip | None, words: Iterable[str]) -> list[Tip]:
    """The commits whose note holds any of `words`."""
    wanted = tuple(words)
    return [commit for commit, text in every(repo, tip) if any(word in text for word in wanted)]


def fresh(repo: Repository, tip: Tip, changes: Mapping[Tip, notes.Change], message: str) -> Tip | None:
    """The notes of `tip`, changed, as one commit without parents; None where none is left. No ref moves."""
    root = notes.tree_at(repo, tip)
    edits = {}
    for commit, change in changes.items():
        try:
            edits[commit] = change(notes.text_in(root, commit))
        except notes.TooLarge:
            continue
    tree = notes.edited(repo, root, edits)
    found: object = repo.raw[tree]
    return repo.write_commit(tree, [], message) if isinstance(found, pygit2.Tree) and len(found) else None
