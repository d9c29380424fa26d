"""Finds the sessions of commits that have none: copies, and what a rebase or a squash made where no hook of ours ran.

A commit is compared with those that are linked (docs/rewrites.md). What counts: that git says what it is a copy of, the
exact patch id, a branch with the same combined change, a trailer that names a session which is here. What is only
alike is returned as `Near` and never linked by itself; what two sessions' commits can be the source of belongs to the
one with the same author and author's time, else to none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from git_agent_session.git import notes
from git_agent_session.git.repository import Repository
from git_agent_session.store import links, patches
from git_agent_session.store.patches import Changes, Facts
from git_agent_session.store.relink_index import Index, Linked
from git_agent_session.store.relink_reflog import AMEND, COMMIT, COPY, PICK, Reflog
from git_agent_session.store.relink_squash import Branch, Squashes

REWRITE, TRAILER = "rewrite", "trailer"
# `git hash-object -t blob /dev/null`, by the length of ids
_EMPTY = {40: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}
_EMPTY_256 = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Claim:
    """A session's claim to a commit: `via` rewrite or trailer, the commit that it is made of, and by what operation.

    `replaced` are the session's commits that the new one stands for from now on.
    """

    session_id: str
    via: str
    old: str = ""
    operation: str = ""
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A commit and who can claim it, the primary session first."""

    commit: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A commit that is like the work of sessions, and in what: for a person to judge."""

    match: Match
    why: str


@dataclass(frozen=True, slots=True)
class Revert:
    """A commit that says it takes back a commit of a session."""

    commit: str
    reverts: str
    session_id: str


@dataclass(slots=True)
class Found:
    """What a search has found."""

    matches: list[Match] = field(default_factory=list)
    near: list[Near] = field(default_factory=list)
    reverts: list[Revert] = field(default_factory=list)


class Finder:
    """Looks for the sessions of commits. `line` is a commit that reaches those that are looked at."""

    def __init__(
        self, repo: Repository, index: Index, reflog: Reflog, line: str, *, seconds: float = float("inf")
    ) -> None:
        self.repo = repo
        self.index = index
        self.reflog = reflog
        self.head = repo.head() or line
        self._squashes = Squashes(repo, index, line, (s.new for s in reflog.steps), seconds=seconds)
        self._facts: dict[str, Facts] = {}
        self._changed: Mapping[str, Changes] = {}
        self._patches: dict[str, set[str]] = {}
        self._alike: dict[str, list[Facts]] = {}

    def find(self, commits: Sequence[Facts], noted: Mapping[str, set[str]], tick: Tick | None = None) -> Found:
        """Judge `commits`, the latest first. `noted` has the sessions of those that were linked already.

        Those get only sessions whose work they are a copy of, by git's own word.
        """
        self._prepare(commits, noted)
        found = Found()
        for number, commit in enumerate(reversed(commits)):
            if tick:
                tick(number, len(commits))
            self._judge(commit, noted.get(commit.id, set()), found)
        return found

    def _prepare(self, commits: Sequence[Facts], noted: Mapping[str, set[str]]) -> None:
        """Ask git, in a few steps, what the commits change, and for the facts of all that may be their source."""
        single = [c.id for c in commits if len(c.parents) < 2]
        self._changed = patches.changes(self.repo, single) if single else {}
        able = [c for c in single if patches.has_content(self._changed.get(c, {}), _empty(c))]
        said = patches.patch_ids(self.repo, able)
        # events have libgit2's, which differ from git's own where an empty file is added
        self._patches = {c: {p for p in (said.get(c, ""), self.repo.changed_paths(c)[1]) if p} for c in able}
        for commit in commits:
            for patch in self._patches.get(commit.id, ()) if not noted.get(commit.id) else ():
                self._alike.setdefault(patch, []).append(commit)
        sources = {row.commit for c in commits for row in self._rows(c)}
        self._facts = {**patches.facts(self.repo, sources), **{c.id: c for c in commits}}

    def _rows(self, commit: Facts) -> list[Linked]:
        by_patch = [row for patch in self._patches.get(commit.id, ()) for row in self.index.by_patch(patch)]
        said = [row for old in commit.picked for row in self.index.by_commit(old)]
        return by_patch + said + self.index.by_time(commit.authored)

    # -- one commit

    def _judge(self, commit: Facts, has: set[str], found: Found) -> None:
        if commit.reverts:
            # what takes work back is no work of the session's, and what brings it back is somebody's decision
            for old in commit.reverts:
                found.reverts += [Revert(commit.id, old, row.session_id) for row in self.index.by_commit(old)]
            return
        claims: list[Claim] = []
        for way in (self._by_word, self._by_patch, self._by_squash):
            claims = way(commit, found)
            if claims:
                break
        if not has:
            claims += self._by_trailer(commit, {c.session_id for c in claims})
        claims = [c for c in claims if c.session_id not in has and not self.index.refused(c.session_id, commit.id)]
        if claims:
            found.matches.append(Match(commit.id, tuple(claims)))
            found.near = [n for n in found.near if n.match.commit != commit.id]

    def _by_word(self, commit: Facts, found: Found) -> list[Claim]:
        """By what git itself says: `-x` in the message, or the reflog's word for what made the commit here."""
        for old in commit.picked:
            rows = self.index.by_commit(old)
            if rows and (old not in self._facts or self._facts[old].maker == commit.maker):
                return self._claims(rows, "cherry-pick")
        step = self.reflog.step(commit.id)
        if step is not None and step.kind == AMEND and (rows := self.index.by_commit(step.old)):
            return self._claims(rows, "amend", commit)
        same = [row for row in self.index.by_time(commit.authored) if self._is_copy(row, commit)]
        if not same:
            return []
        known = step is not None and step.kind in (COPY, PICK)
        # `commit -C` says nothing; but whoever commits now has not the author's time of before
        reused = step is not None and step.kind == COMMIT and self._reuses(same[0], commit)
        if step is None or not (known or reused):
            if not self._patches.get(commit.id, set()) & {row.patch for row in same}:
                self._near(commit, same, "same author, time and subject", found)
            return []
        chosen = self._choose(commit, same)
        if not chosen:
            self._near(commit, same, "several commits have this author, time and subject", found)
        return self._claims(chosen, step.operation if known else "copy", commit if step.kind == PICK else None)

    def _is_copy(self, row: Linked, commit: Facts) -> bool:
        source = self._facts.get(row.commit)
        return (
            source is not None
            and row.commit != commit.id
            and source.maker == commit.maker
            and source.subject == commit.subject
            and self._precedes(row.commit, commit)
        )

    def _reuses(self, row: Linked, commit: Facts) -> bool:
        return commit.committed > commit.authored and self._facts[row.commit].words == commit.words

    def _by_patch(self, commit: Facts, found: Found) -> list[Claim]:
        mine = self._patches.get(commit.id, set())
        rows = [row for patch in mine for row in self.index.by_patch(patch)]
        rows = [r for r in dict.fromkeys(rows) if r.commit != commit.id and self._older(r, commit)]
        if not rows:
            return []
        chosen = self._choose(commit, rows)
        others = [c for patch in mine for c in self._alike.get(patch, ()) if c.id != commit.id]
        if not chosen or any(
            self._precedes(c.id, self._facts[r.commit]) for c in others for r in chosen if self._has(r)
        ):
            self._near(commit, rows, "the same patch, and more than one commit it may come from", found)
            return []
        step = self.reflog.step(commit.id)
        if step is not None and step.kind in (COMMIT, AMEND):
            # made here, from what was here: two people may well write the same line
            if not any(self._has(row) for row in chosen):
                self._near(commit, chosen, "the same patch as a commit that is not here", found)
                return []
            return self._claims(chosen, "copy")
        moved = step is None or step.kind != COPY
        return self._claims(chosen, step.operation if step else "rebase", commit if moved else None)

    def _has(self, row: Linked) -> bool:
        return row.commit in self._facts

    def _by_squash(self, commit: Facts, found: Found) -> list[Claim]:
        changed = self._changed.get(commit.id, {})
        if not self._patches.get(commit.id) and not patches.has_content(changed, _empty(commit.id)):
            return []
        branches = self._squashes.branches(commit, changed, lambda end: self._precedes(end, commit))
        exact = [b for b in branches if b.exact]
        if exact and len({frozenset(b.sessions) for b in exact}) == 1:
            return self._squashed(exact[0], commit)
        for branch in branches:
            if branch.same * 2 >= branch.of and branch.sessions:
                why = f"{branch.same} of {branch.of} files as on the branch that ends in {branch.end[:10]}"
                found.near.append(Near(Match(commit.id, tuple(self._squashed(branch, commit))), why))
        return []

    def _squashed(self, branch: Branch, commit: Facts) -> list[Claim]:
        claims = []
        for session_id in branch.sessions:
            mine = sorted((k for k in branch.links if k.session_id == session_id), key=lambda k: (k.at, k.commit))
            replaced = tuple(k.commit for k in mine if self._is_gone(k.commit, commit))
            claims.append(Claim(session_id, REWRITE, mine[-1].commit, "squash", replaced))
        return claims

    def _by_trailer(self, commit: Facts, has: set[str]) -> list[Claim]:
        return [Claim(t, TRAILER) for t in commit.trailers if t not in has and self.index.has_session(t)]

    # -- which source

    def _choose(self, commit: Facts, rows: Iterable[Linked]) -> list[Linked]:
        """The links of the commit that is the source; none where two sessions' commits can be."""
        by_commit: dict[str, list[Linked]] = {}
        for row in rows:
            by_commit.setdefault(row.commit, []).append(row)
        if not _one_owner(by_commit):
            by_commit = {c: r for c, r in by_commit.items() if c in self._facts and _same_maker(self._facts[c], commit)}
        if not by_commit or not _one_owner(by_commit):
            return []

        def rank(old: str) -> tuple[bool, bool, str]:
            known = self._facts.get(old)
            return known is not None and known.maker == commit.maker, not by_commit[old][0].replaced_by, old

        return by_commit[max(by_commit, key=rank)]

    def _claims(self, rows: Sequence[Linked], operation: str, into: Facts | None = None) -> list[Claim]:
        """Claims of the sessions of one commit; with `into` that commit stands for it from now on."""
        if not rows:
            return []
        old = rows[0].commit
        noted = links.parse(notes.read(self.repo, old))
        first = {n.session_id for n in noted if n.primary}
        ids = dict.fromkeys(row.session_id for row in sorted(rows, key=lambda r: (r.session_id not in first, r.at)))
        replaced = (old,) if into is not None and self._is_gone(old, into) else ()
        return [Claim(i, REWRITE, old, operation, replaced) for i in ids]

    def _is_gone(self, old: str, new: Facts) -> bool:
        """True when neither the new commit nor what is checked out has the old one: it was replaced, not copied."""
        return not self.repo.descends(new.id, old) and not self.repo.descends(self.head, old)

    def _near(self, commit: Facts, rows: Sequence[Linked], why: str, found: Found) -> None:
        by_commit: dict[str, list[Linked]] = {}
        for row in rows:
            by_commit.setdefault(row.commit, []).append(row)
        for same in by_commit.values():
            claims = tuple(self._claims(same, "rebase"))
            found.near.append(Near(Match(commit.id, claims), f"{why}: {same[0].commit[:10]}"))

    # -- what came first

    def _older(self, row: Linked, commit: Facts) -> bool:
        if row.commit in self._facts:
            return self._precedes(row.commit, commit)
        # the commit itself is not here: its link was written when it stood already
        from datetime import datetime

        try:
            return datetime.fromisoformat(row.at).timestamp() <= commit.committed + 1
        except ValueError:
            return False

    def _precedes(self, old: str, new: Facts) -> bool:
        """True when `old` was committed before `new`: a copy is the younger one.

        Git tells times by the second. Within one, the reflog's order counts, and what was made here came before what
        was brought; otherwise it is not known.
        """
        there = self._facts.get(old)
        then = there.committed if there else self.repo.commit_facts(old).get("at")
        if then != new.committed:
            return isinstance(then, int) and then < new.committed
        if self.repo.descends(new.id, old):
            return True
        here, made = self.reflog.made.get(old), self.reflog.made.get(new.id)
        return here is not None and (made is None or here < made) and not self.repo.descends(old, new.id)


def _one_owner(by_commit: Mapping[str, Sequence[Linked]]) -> bool:
    return len({frozenset(row.session_id for row in rows) for rows in by_commit.values()}) == 1


def _same_maker(one: Facts, other: Facts) -> bool:
    return one.maker == other.maker


def _empty(commit: str) -> str:
    return _EMPTY.get(len(commit), _EMPTY_256)
