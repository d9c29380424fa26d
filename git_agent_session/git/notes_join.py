"""Joins the notes that another repository has with ours: commit by commit, in one merge commit.

What a joined note says is the caller's; here stand the walk over what differs, the bounds on what is read of a note
that anybody may have written, and the commit. A note too large, or one that is no text, is never taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pygit2

from git_agent_session.errors import StorageError
from git_agent_session.git import joining, notes
from git_agent_session.git.repository import Repository, Tip
from git_agent_session.git.writing import unwritable

# commit, then the note as the common ancestor, as we and as they have it
Combine = Callable[[str, str, str, str], str]
# commit, then the note as we and as they have it, where only they have changed any
Keep = Callable[[str, str, str], str]

_PATH = re.compile(r"[0-9a-f]{40}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Joined:
    """The tip that has both sides' notes, and what had to be left out of theirs, a line each."""

    tip: Tip
    refused: tuple[str, ...]


def join(repo: Repository, ours: Tip | None, theirs: Tip, combine: Combine, keep: Keep) -> Joined:
    """The tip that joins the notes of `theirs` with `ours`; objects are written, no ref moves.

    `theirs` itself where we have nothing of our own, `keep` none of it, and there is nothing to refuse. Raises
    StorageError when either is no tree of notes.
    """
    base = joining.merge_base(repo, ours, theirs) if ours else None
    try:
        joining.check_sizes(repo, theirs, {})
        differing = joining.new_objects(repo, theirs, ours)
    except ValueError as e:
        raise StorageError(f"the notes of the remote cannot be read: {e}", hint="sessions are not affected") from e
    commits, refused = _commits(repo, differing)
    bad = set(refused)
    fast = ours is None or base == ours
    parents = sorted({theirs, ours} if ours else {theirs})
    first = parents[0]
    sides = [notes.tree_at(repo, tip) for tip in (base, ours, theirs, first)]
    if not bad and fast and not _keeps(sides[1], sides[2], differing, keep):
        return Joined(theirs, ())
    edits = {}
    for commit in commits:
        was, mine, other = (_text(side, commit) or "" for side in sides[:3])
        stands = _text(sides[3], commit)
        wanted = mine if commit in bad else keep(commit, mine, other) if fast else combine(commit, was, mine, other)
        if stands is None or wanted != stands:
            edits[commit] = wanted
    try:
        tree = notes.edited(repo, sides[3], edits)
        tip = joining.commit_joining(repo, tree, parents, "join notes")
    except (pygit2.GitError, OSError) as e:
        raise unwritable(e, "notes") from e
    return Joined(tip, tuple(f"note on {c[:10]}: {why}" for c, why in refused.items()))


def _keeps(
    mine: pygit2.Tree | None, other: pygit2.Tree | None, differing: dict[str, tuple[str, str]], keep: Keep
) -> bool:
    """Whether anything is to be kept of the notes here that theirs changes or lacks; new ones are not looked at."""
    for commit in {path.replace("/", "") for path, (before, _) in differing.items() if before}:
        text = _text(other, commit) or ""
        if _PATH.fullmatch(commit) and keep(commit, _text(mine, commit) or "", text) != text:
            return True
    return False


def _commits(repo: Repository, differing: dict[str, tuple[str, str]]) -> tuple[list[str], dict[str, str]]:
    """The commits whose notes differ, and of those the ones whose new note cannot be taken, with the reason."""
    commits: dict[str, None] = {}
    refused: dict[str, str] = {}
    judged: dict[str, str] = {"": ""}
    for path, (_, after) in differing.items():
        commit = path.replace("/", "")
        if not _PATH.fullmatch(commit):
            continue
        commits[commit] = None
        if after not in judged:
            judged[after] = _judge(repo, after)
        if judged[after]:
            refused[commit] = judged[after]
    return list(commits), refused


def _judge(repo: Repository, blob: str) -> str:
    """Why a note cannot be taken, "" for one that can."""
    try:
        kind, size = repo.raw.odb.read_header(pygit2.Oid(hex=blob))
        if int(kind) != pygit2.GIT_OBJECT_BLOB:
            return "it is no blob"
        if size > notes.MAX_NOTE:
            return f"it holds {size} bytes, more than {notes.MAX_NOTE}"
        found = repo.raw[blob]
    except (pygit2.GitError, KeyError, ValueError):
        return "it is damaged or not there"
    text = found.data.decode("utf-8", "surrogateescape") if isinstance(found, pygit2.Blob) else "\0"
    return "it holds control characters, or is no text" if _CONTROL.search(text) else ""


def _text(side: pygit2.Tree | None, commit: str) -> str | None:
    """The note as one side has it; None for one that is too large to be one."""
    try:
        return notes.text_in(side, commit)
    except notes.TooLarge:
        return None
