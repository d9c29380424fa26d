"""Finds the branch that a commit was squashed from: the same paths, and the same result or the same combined patch.

A squash keeps neither author's time nor patch ids. What it keeps is all that the branch changed since it left the line
that the squash went into. Branches are looked for among the commits that are linked, or lie on a branch above linked
ones, and that are not in that line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from git_agent_session.git.repository import Repository
from git_agent_session.git.run import run
from git_agent_session.store import patches
from git_agent_session.store.patches import Changes, Facts
from git_agent_session.store.relink_index import Index, Linked

# commits that no line has taken in, the latest first; branch ends to try for one squash, and of those without a link;
# paths that are compared first
MOST_OPEN = 5000
MOST_ENDS = 100
MOST_BY_HAND = 20
_PROBES = 8


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that a commit may have been squashed from: its end, its linked commits, and how much is the same."""

    end: str
    links: tuple[Linked, ...]
    exact: bool
    same: int
    of: int

    @property
    def sessions(self) -> tuple[str, ...]:
        """The sessions of its commits, the one with the most paths first; of equals the one that linked first."""
        paths: dict[str, set[str]] = {}
        for link in sorted(self.links, key=lambda row: (row.at, row.commit)):
            paths.setdefault(link.session_id, set()).update(link.paths)
        return tuple(sorted(paths, key=lambda s: -len(paths[s])))


@dataclass(slots=True)
class _Open:
    """The commits that the line does not have: parents, and those with a linked commit at or below them."""

    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    linked: dict[str, list[Linked]] = field(default_factory=dict)
    by_path: dict[str, list[str]] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)


class Squashes:
    """Looks for the branches of squashed commits that `line` has. `seconds` is how long it may take in all."""

    def __init__(
        self, repo: Repository, index: Index, line: str, more: Iterable[str] = (), *, seconds: float = float("inf")
    ) -> None:
        self.repo = repo
        self.index = index
        self._line = line
        self._more = tuple(more)
        self._open: _Open | None = None
        self._between: dict[tuple[str, str], Changes] = {}
        self._deadline = time.monotonic() + seconds

    def branches(self, squash: Facts, changed: Changes, precedes: Callable[[str], bool]) -> list[Branch]:
        """The branches that `squash` may be made of; those that are exact alone, where there are any.

        `precedes` tells whether a commit is older than the squash.
        """
        if len(squash.parents) != 1:
            return []
        found: list[Branch] = []
        for end in self._ends(squash, changed):
            if time.monotonic() > self._deadline:
                break
            # what is built on a commit was not squashed into it
            apart = not self.repo.descends(end, squash.id)
            if apart and precedes(end) and (branch := self._compare(squash, changed, end)):
                found.append(branch)
        return [b for b in found if b.exact] or found

    def _ends(self, squash: Facts, changed: Changes) -> Sequence[str]:
        """The ends worth a comparison, those with the same result first."""
        state = self._opened()
        names = [p.decode("utf-8", "replace") for p in changed]
        probes = names[:_PROBES]
        wanted = [self.repo.blob_at(squash.id, p) for p in probes]
        # the last commit of a branch has changed one of the paths, or is not linked and was made by hand
        likely = dict.fromkeys(end for p in names for end in state.by_path.get(p, ())[:MOST_ENDS])
        ends = [*list(likely)[:MOST_ENDS], *state.by_hand]
        return sorted(ends, key=lambda end: [self.repo.blob_at(end, p) for p in probes] != wanted)

    def _compare(self, squash: Facts, changed: Changes, end: str) -> Branch | None:
        base = self._base(squash.parents[0], end)
        if not base or base == end:
            return None
        if (base, end) not in self._between:
            self._between[base, end] = patches.between(self.repo, base, end)
        there = self._between[base, end]
        if there.keys() != changed.keys():
            return None
        same = sum(there[p][1] == changed[p][1] and there[p][3] == changed[p][3] for p in changed)
        exact = same == len(changed)
        if not exact:
            combined = patches.patch_id_between(self.repo, base, end)
            exact = combined != "" and combined == patches.patch_id_between(self.repo, squash.parents[0], squash.id)
        return Branch(end, self._links_below(end), exact, same, len(changed))

    def _base(self, line: str, end: str) -> str:
        done = run("merge-base", line, end, cwd=self.repo.location.git_dir, check=False)
        return done.stdout.decode("ascii", "replace").strip()

    def _links_below(self, end: str) -> tuple[Linked, ...]:
        state = self._opened()
        found: list[Linked] = []
        todo, seen = [end], {end}
        while todo:
            commit = todo.pop()
            found += state.linked.get(commit, ())
            fresh = [p for p in state.parents.get(commit, ()) if p in state.parents and p not in seen]
            seen.update(fresh)
            todo += fresh
        return tuple(found)

    def _opened(self) -> _Open:
        if self._open is None:
            self._open = self._read()
        return self._open

    def _read(self) -> _Open:
        state = _Open()
        by_commit: dict[str, list[Linked]] = {}
        for link in self.index.all():
            by_commit.setdefault(link.commit, []).append(link)
        starts = [c for c in (*by_commit, *self._more) if self.repo.commit_facts(c)]
        if not by_commit:
            return state
        args = ("rev-list", "--topo-order", "--parents", f"--max-count={MOST_OPEN}", "--branches", "--remotes")
        ids = "".join(f"{c}\n" for c in [*starts, f"^{self._line}"]).encode()
        # `--stdin` comes last: what is read there may not be followed by options
        done = run(*args, "--stdin", cwd=self.repo.location.git_dir, input=ids, check=False)
        rows = [line.split() for line in done.stdout.decode("ascii", "replace").splitlines()]
        state.parents = {row[0]: tuple(row[1:]) for row in rows}
        carries: set[str] = set()
        for commit, *parents in reversed(rows):
            if commit in by_commit:
                state.linked[commit] = by_commit[commit]
            if commit in by_commit or any(p in carries for p in parents):
                carries.add(commit)
        for commit in (row[0] for row in rows if row[0] in carries):
            for path in {p for link in by_commit.get(commit, ()) for p in link.paths}:
                state.by_path.setdefault(path, []).append(commit)
        state.by_hand = [row[0] for row in rows if row[0] in carries and row[0] not in by_commit][:MOST_BY_HAND]
        return state
