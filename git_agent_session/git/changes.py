"""What a commit changes, as texts: each file before and after. For looking at lines; it writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session.git.repository import Repository, Tip

if TYPE_CHECKING:
    import pygit2
    from pygit2 import Commit, Diff
else:
    from git_agent_session.git.lazily import pygit2

# bytes of a file; of a larger one no lines are looked at
LARGEST = 4 * 1024 * 1024
MOST_FILES = 500
# characters of git's list of commits at which a shallow clone ends
SHALLOW = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Change:
    """A file that a commit changed: its path and blob afterwards, and its text before ("" for a new one) and after.

    Bytes of the path that are not UTF-8 are written `\\xHH`; those of texts are lone surrogates.
    """

    path: str
    blob: str
    before: str
    after: str


def changes(repo: Repository, commit: Tip) -> Iterator[Change]:
    """The text files that a commit changed against its parent, renames followed; none for a merge or a lost commit."""
    try:
        found: object = repo.raw.get(commit)
        if not isinstance(found, pygit2.Commit) or len(found.parent_ids) > 1 or commit in cut_off(repo):
            return
        diff = _diff(found)
        for delta in list(diff.deltas)[:MOST_FILES]:
            new, old = delta.new_file, delta.old_file
            after = _text(repo, str(new.id))
            before = _text(repo, str(old.id))
            if after is not None and before is not None and str(new.id).strip("0"):
                path = (new.raw_path or b"").decode("utf-8", "backslashreplace")
                yield Change(path, str(new.id), before, after)
    except (pygit2.GitError, KeyError, ValueError):
        return  # a parent is not here: the clone is shallow


def cut_off(repo: Repository) -> frozenset[Tip]:
    """The commits at which a shallow clone ends: they seem to have no parents, and to bring all that they hold."""
    try:
        with open(os.path.join(repo.location.common_dir, "shallow"), encoding="ascii", errors="replace") as f:
            return frozenset(f.read(SHALLOW).split())
    except OSError:
        return frozenset()


def _diff(commit: Commit) -> Diff:
    if not commit.parent_ids:
        return commit.tree.diff_to_tree(swap=True)
    diff = commit.parents[0].tree.diff_to_tree(commit.tree)
    diff.find_similar()
    return diff


def text_at(repo: Repository, commit: Tip, path: str) -> str | None:
    """The text of a file in a commit; None where there is none, where it is binary or too large."""
    blob = repo.blob_at(commit, path)
    return _text(repo, blob) if blob else None


def _text(repo: Repository, blob: str) -> str | None:
    if not blob.strip("0"):
        return ""
    found: object = repo.raw.get(blob)
    if not isinstance(found, pygit2.Blob) or found.size > LARGEST:
        return None
    data = found.data
    return None if b"\0" in data[:8000] else data.decode("utf-8", "surrogateescape")
