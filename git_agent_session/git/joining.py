"""What joining with another repository's refs needs of git: sizes without content, merges that come out the same.

A merge of two tips must have the same id whoever makes it, or two that merge at once would have to merge their merges;
so nothing of the user, the machine or the moment goes into it. Many refs move in one transaction of `git update-ref`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pygit2

from git_agent_session.git import packing, repository
from git_agent_session.git.repository import FILE_MODE, Files, Repository, Tip
from git_agent_session.git.run import git, run
from git_agent_session.git.writing import unwritable, written

# a tree of ours has a handful of entries, or one for each snapshot and transcript of a batch
MAX_TREE = 4 * 1024 * 1024
MAX_COMMIT = 1024 * 1024

_NAME, _MAIL = "git agent-session", "agent-session@git.invalid"

# refs for which it pays to write packed-refs anew
MANY = 100

Move = tuple[str, Tip, Tip | None]


def check_sizes(repo: Repository, commit: Tip, limits: Mapping[str, int]) -> None:
    """Raise ValueError unless `commit` is a commit with a tree and the files of `limits` (name -> bytes) within it.

    Sizes are those of the objects' headers: nothing large is read to find out that it is large. A file that is not
    there is fine.
    """
    _at_most(repo, commit, pygit2.GIT_OBJECT_COMMIT, MAX_COMMIT, "its commit")
    found = repo.commit_at(commit)
    _at_most(repo, str(found.tree_id), pygit2.GIT_OBJECT_TREE, MAX_TREE, "its tree")
    tree = found.tree
    for name, limit in limits.items():
        if name in tree:
            _at_most(repo, str(tree[name].id), pygit2.GIT_OBJECT_BLOB, limit, name)


def _at_most(repo: Repository, oid: Tip, kind: int, limit: int, what: str) -> None:
    try:
        found, size = repo.raw.odb.read_header(pygit2.Oid(hex=oid))
    except (pygit2.GitError, KeyError, ValueError) as e:
        raise repository.Damaged(f"{what} is damaged or not there") from e
    if int(found) != kind:
        raise ValueError(f"{what} is a {_KINDS.get(int(found), 'strange object')}")
    if size > limit:
        raise ValueError(f"{what} holds {size} bytes, more than {limit}")


_KINDS = {
    pygit2.GIT_OBJECT_COMMIT: "commit",
    pygit2.GIT_OBJECT_TREE: "tree",
    pygit2.GIT_OBJECT_BLOB: "blob",
    pygit2.GIT_OBJECT_TAG: "tag",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """A commit as it was read: its id, those of its parents, and the files that were asked for and are there."""

    id: Tip
    parents: tuple[Tip, ...]
    files: Files


def batches(repo: Repository, tip: Tip, until: Tip | None, limits: Mapping[str, int]) -> Iterator[Batch]:
    """The batches reachable from `tip` and not from `until`, `tip` first, in no order after it.

    Of each the files of `limits` are read (name -> bytes at most), and nothing before its size is known. Raises
    ValueError for the first that is too large, damaged, or no commit.
    """
    if until is not None:
        check_sizes(repo, tip, limits)
        for commit in repo.chain(tip, until=until):
            yield read_batch(repo, commit, limits)
        return
    waiting, seen = [tip], {tip}
    while waiting:
        batch = read_batch(repo, waiting.pop(), limits)
        yield batch
        waiting += (parent for parent in batch.parents if parent not in seen)
        seen.update(batch.parents)


def read_batch(repo: Repository, commit: Tip, limits: Mapping[str, int]) -> Batch:
    """Read one batch; raises ValueError as `batches`."""
    _at_most(repo, commit, pygit2.GIT_OBJECT_COMMIT, MAX_COMMIT, "its commit")
    found = repo.commit_at(commit)
    _at_most(repo, str(found.tree_id), pygit2.GIT_OBJECT_TREE, MAX_TREE, "its tree")
    files = {}
    tree = found.tree
    for name, limit in limits.items():
        if name in tree:
            oid = tree[name].id
            _at_most(repo, str(oid), pygit2.GIT_OBJECT_BLOB, limit, name)
            files[name] = bytes(repo.raw.read(oid)[1])
    return Batch(commit, tuple(map(str, found.parent_ids)), files)


def merge_base(repo: Repository, one: Tip, other: Tip) -> Tip | None:
    """The best common ancestor, None for histories that have nothing in common."""
    try:
        found = repo.raw.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
    except (pygit2.GitError, KeyError, ValueError):
        return None
    return str(found) if found else None


def write_joining(repo: Repository, files: Files, parents: Sequence[Tip], message: str) -> Tip:
    """Write the merge of `parents`, with `files` (names without `/`) as its tree: the same arguments, the same id."""
    try:
        builder = repo.raw.TreeBuilder()
        for name, content in files.items():
            builder.insert(name, written(repo.raw.create_blob, content), FILE_MODE)
        return commit_joining(repo, written(builder.write), parents, message)
    except (pygit2.GitError, OSError) as e:
        raise unwritable(e) from e


def commit_joining(repo: Repository, tree: pygit2.Oid, parents: Sequence[Tip], message: str) -> Tip:
    """Write a merge commit whose every byte comes from its arguments: parents sorted, their latest time its own."""
    first = sorted(set(parents))
    at = max(repo.commit_at(p).commit_time for p in first)
    who = pygit2.Signature(_NAME, _MAIL, at, 0)
    return str(written(repo.raw.create_commit, None, who, who, message, tree, list(first)))


def move_refs(repo: Repository, moves: Sequence[Move], reason: str) -> bool:
    """Move all refs of `moves` (name, new, old or None where it is not there yet) in one transaction, or none.

    False when any was elsewhere, or locked: each can then be tried by itself with `Repository.swap`.
    """
    zero = "0" * 40
    lines = "".join(f"update {ref}\0{new}\0{old or zero}\0" for ref, new, old in moves)
    done = run(
        "update-ref",
        "-m",
        f"agent-session: {reason}",
        "-z",
        "--stdin",
        cwd=repo.location.git_dir,
        env={"GIT_DIR": repo.location.git_dir},
        input=lines.encode(),
        check=False,
    )
    return done.returncode == 0


def make_refs(repo: Repository, refs: Mapping[str, Tip], *, over: bool = False) -> set[str]:
    """Make many refs (name -> a commit's id) that are not there yet, at once; returns the names of those that stand.

    With `over` one that is there may be moved. What is left is for `move_refs` or `Repository.swap` to do.
    """
    try:
        return packing.add(repo.location.common_dir, refs, over=over) if packing.fits(repo) else set()
    except OSError:
        return set()


def are_commits(repo: Repository, tips: Iterable[Tip]) -> bool:
    """Whether all of these are commits that are here."""
    header = repo.raw.odb.read_header
    try:
        return all(int(header(pygit2.Oid(hex=tip))[0]) == pygit2.GIT_OBJECT_COMMIT for tip in tips)
    except (pygit2.GitError, KeyError, ValueError):
        return False


def new_objects(repo: Repository, new: Tip, old: Tip | None) -> dict[str, tuple[str, str]]:
    """What differs between the trees of two commits (None: an empty one): path -> (blob before, blob after), or ""
    where there is none. Paths that are no ASCII come out changed.
    """
    base = old or str(pygit2.Oid(hex=_EMPTY_TREE))
    said = git(
        *("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", "--raw", base, new),
        cwd=repo.location.git_dir,
        env={"GIT_DIR": repo.location.git_dir},
    )
    fields = said.decode("ascii", "replace").split("\0")
    found = {}
    for head, path in zip(fields[::2], fields[1::2], strict=False):
        _, _, before, after, _ = head.split(" ")
        found[path] = tuple("" if not i.strip("0") else i for i in (before, after))
    return found  # type: ignore[return-value]


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def break_stale_locks(repo: Repository, *prefixes: str) -> None:
    """Remove what killed git processes left locked below ref names of ours (each ends with `/`): git never does.

    Only locks of half a minute are broken: a ref is locked for milliseconds.
    """
    packing.clear(repo.location.common_dir)
    for prefix in prefixes:
        top = os.path.join(repo.location.common_dir, *prefix.rstrip("/").split("/"))
        for folder, _, names in os.walk(top):
            for name in names:
                if name.endswith(".lock"):
                    _break(os.path.join(folder, name))


def _break(path: str) -> None:
    try:
        if time.time() - os.stat(path).st_mtime >= repository.STALE_LOCK_SECONDS:
            aside = f"{path}.stale-{os.getpid()}"
            os.rename(path, aside)
            os.unlink(aside)
    except OSError:
        return


def remember(repo: Repository, tips: Mapping[str, Tip]) -> bool:
    """Set tracking refs (name -> tip), which are a cache: whatever they were; False where not all could be."""
    lines = "".join(f"update {ref}\0{tip}\0\0" for ref, tip in tips.items())
    if not lines:
        return True
    env = {"GIT_DIR": repo.location.git_dir}
    done = run("update-ref", "-z", "--stdin", cwd=repo.location.git_dir, env=env, input=lines.encode(), check=False)
    return done.returncode == 0
