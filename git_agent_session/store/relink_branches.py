"""Looks through all branches, here and as remotes had them, for commits without a session: what `relink` does for one.

A server merges into branches that nobody here has checked out. Each commit is judged on the line of the branch that has
it, since what was squashed or rebased into a line is not in that line itself.
"""

from __future__ import annotations

import time

from git_agent_session.git.repository import Repository
from git_agent_session.git.run import run
from git_agent_session.store import patches, relink_write
from git_agent_session.store.patches import Facts
from git_agent_session.store.relink import Finder, Found, Tick
from git_agent_session.store.relink_index import Index
from git_agent_session.store.relink_reflog import Reflog

_OFFLINE = {"GIT_NO_LAZY_FETCH": "1"}


def without_session(repo: Repository, *, most: int) -> list[tuple[str, list[Facts]]]:
    """The commits without a session among the latest `most` of HEAD and the latest `most` of all other branches.

    Each line by its tip, that of HEAD first; its commits the latest first.
    """
    head = repo.head()
    found: list[tuple[str, list[Facts]]] = []
    for tip, commits in _lines(repo, head, most):
        known = patches.facts(repo, [c for c in commits if not relink_write.sessions_of(repo, c)])
        if known:
            found.append((tip, [known[c] for c in commits if c in known]))
    return found


def search(
    repo: Repository,
    index: Index,
    *,
    most: int,
    seconds: float = float("inf"),
    dry_run: bool = False,
    tick: Tick | None = None,
) -> Found:
    """Find the sessions of those commits, and unless `dry_run` link them. What `seconds` have no room for is left.

    `tick` is told how many lines of how many are done. Raises StorageError; what was written until then stands.
    """
    found = Found()
    deadline = time.monotonic() + seconds
    lines = without_session(repo, most=most)
    reflog = Reflog(repo.location)
    for number, (tip, commits) in enumerate(lines):
        if tick:
            tick(number, len(lines))
        left = deadline - time.monotonic()
        # what one line has got another may be a copy of
        if left <= 0 or not index.sync(seconds=left):
            break
        some = Finder(repo, index, reflog, tip, seconds=left).find(commits, {})
        found.matches += some.matches if dry_run else relink_write.apply(repo, some.matches, some.reverts)
        found.near += some.near
        found.reverts += some.reverts
    return found


def _lines(repo: Repository, head: str | None, most: int) -> list[tuple[str, list[str]]]:
    """Tips and the commits of their lines, each commit once; the line of HEAD first."""
    lines: list[tuple[str, list[str]]] = []
    if head is not None and (mine := [commit for _, commit in _listed(repo, head, most=most)]):
        lines.append((head, mine))
    others: dict[str, list[str]] = {}
    scope = [f"^{head}"] if head is not None else []
    for source, commit in _listed(repo, "--branches", "--remotes", *scope, most=most):
        others.setdefault(source, []).append(commit)
    # the branch by whose name a commit was come upon has it, and all that was come upon after it
    return lines + [(commits[0], commits) for commits in others.values()]


def _listed(repo: Repository, *revisions: str, most: int) -> list[tuple[str, str]]:
    """(the name by which it was come upon, commit), the latest first."""
    form = ("log", "--source", "--no-show-signature", "--no-notes", "--no-color", "-z", "--format=%S%x00%H")
    args = (*form, f"--max-count={most}", *revisions, "--")
    data = run(*args, cwd=repo.location.git_dir, env=_OFFLINE, check=False).stdout
    cells = data.decode("utf-8", "surrogateescape").split("\0")
    return list(zip(cells[::2], cells[1::2], strict=False))
