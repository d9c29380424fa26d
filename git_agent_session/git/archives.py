"""Where the tips of archived sessions stand: an index in the commit of each archive ref, one line a session.

An archive is to sessions what packed-refs is to refs: a second place for the same tips, looked at where there is no
ref. `Repository.tip` does that, so nobody else needs to know. Anybody may have pushed an archive: lines that are none
are passed over, what is too large is refused. Writing archives is `store.archive`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository, Tip

ARCHIVES = "refs/agent-sessions/archive/"
INDEX = "sessions.toml"
# 350,000 sessions that ended in one month
MAX_INDEX = 32 * 1024 * 1024

_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_LINE = re.compile(
    rb'^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}) = "([0-9a-f]{40}|[0-9a-f]{64})"\r?$', re.M
)


class Archives:
    """The archives of one repository. What was read of a tip is kept as long as an archive points there."""

    __slots__ = ("_indexes", "_repo")

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._indexes: dict[Tip, dict[str, Tip]] = {}

    def months(self) -> dict[str, Tip]:
        """`yyyy-mm` -> the archive's tip, the earliest first."""
        found = {month: self._repo.tip(ARCHIVES + month) for month in sorted(self._names())}
        return {month: tip for month, tip in found.items() if tip is not None}

    def _names(self) -> set[str]:
        # by name, since going over all refs takes as long as there are refs
        common = self._repo.location.common_dir
        names: set[str] = set()
        try:
            names.update(os.listdir(os.path.join(common, *ARCHIVES.split("/"))))
        except OSError:
            pass
        try:
            with open(os.path.join(common, "packed-refs"), "rb") as f:
                packed = f.read()
        except OSError:
            packed = b""
        start = packed.find(b" " + ARCHIVES.encode())
        if start >= 0:
            names.update(re.findall(rf" {ARCHIVES}([0-9-]+)$", packed[start:].decode("utf-8", "replace"), re.M))
        return {name for name in names if is_month(name)}

    def index(self, tip: Tip) -> dict[str, Tip]:
        """Session id -> tip, as the archive commit `tip` says. Raises ValueError when it cannot be read."""
        known = self._indexes.get(tip)
        if known is None:
            data = self._repo.files(tip, INDEX, limit=MAX_INDEX).get(INDEX)
            if data is None:
                raise ValueError(f"it has no {INDEX}")
            known = {m[1].decode(): m[2].decode() for m in _LINE.finditer(data)}
            self._indexes[tip] = known
        return known

    def tips(self) -> dict[str, Tip]:
        """All archived sessions; archives that cannot be read are left out, see `broken`."""
        found: dict[str, Tip] = {}
        for index in self._readable():
            for session_id, tip in index.items():
                found[session_id] = self._later(found.get(session_id), tip)
        return found

    def diverged(self) -> dict[str, set[Tip]]:
        """Sessions that went on in two places and ended in different months: their tips, where none has all others."""
        found: dict[str, Tip] = {}
        several: dict[str, set[Tip]] = {}
        for index in self._readable():
            for session_id in found.keys() & index.keys():
                several.setdefault(session_id, {found[session_id]}).add(index[session_id])
            found.update(index)
        return {i: tips for i, tips in several.items() if not any(self._has_all(tip, tips) for tip in tips)}

    def _has_all(self, tip: Tip, others: Iterable[Tip]) -> bool:
        return all(other == tip or self._repo.descends(tip, other) for other in others)

    def tip(self, session_id: str) -> Tip | None:
        """The tip of one archived session, or None."""
        found: Tip | None = None
        for index in self._readable():
            if session_id in index:
                found = self._later(found, index[session_id])
        return found

    def broken(self) -> dict[str, str]:
        """`yyyy-mm` -> why that archive cannot be read."""
        found = {}
        for month, tip in self.months().items():
            try:
                self.index(tip)
            except ValueError as e:
                found[month] = str(e)
        return found

    def _readable(self) -> Iterable[dict[str, Tip]]:
        tips = self.months().values()
        for gone in self._indexes.keys() - set(tips):
            del self._indexes[gone]
        for tip in tips:
            try:
                yield self.index(tip)
            except ValueError:
                continue

    def _later(self, before: Tip | None, tip: Tip) -> Tip:
        """Of a session that was reopened and ended anew in another month, the tip that has both its ends."""
        return before if before is not None and self._repo.descends(before, tip) else tip


def is_month(text: str) -> bool:
    """True for `yyyy-mm`."""
    return _MONTH.fullmatch(text) is not None


def index_text(index: Mapping[str, Tip]) -> bytes:
    """The text of an index: the same for the same sessions."""
    return "".join(["schema = 1\n\n[sessions]\n", *(f'{i} = "{index[i]}"\n' for i in sorted(index))]).encode()


def held(repo: Repository, tip: Tip, named: Collection[Tip] = ()) -> set[Tip]:
    """The tips that an archive keeps from git's collecting: the parents of its commits that are no archives themselves.

    An index that somebody else has written may name others too. Those in `named`, a set, are taken for sessions without
    a look. Raises ValueError where a commit is damaged.
    """
    found: set[Tip] = set()
    waiting, seen = [tip], {tip}
    while waiting:
        for parent in map(str, repo.commit_at(waiting.pop()).parent_ids):
            if parent in seen:
                continue
            seen.add(parent)
            if parent in named:
                found.add(parent)
            elif INDEX in repo.commit_at(parent).tree:
                waiting.append(parent)
            else:
                found.add(parent)
    return found


def drop_refs(repo: Repository, refs: Mapping[str, Tip], reason: str) -> list[str]:
    """Delete those of `refs` (name -> tip) that still point there; returns their names. Raises StorageError.

    In one transaction, since one by one each would write packed-refs anew; where any has moved, one by one.
    """
    if not refs or _deleted(repo, refs):
        return list(refs)
    from git_agent_session.git.repository import Moved

    gone = []
    for ref, tip in refs.items():
        if repo.pointed(ref) == tip:
            try:
                repo.swap(ref, None, tip, reason)
            except Moved:
                continue
            gone.append(ref)
    return gone


def _deleted(repo: Repository, refs: Mapping[str, Tip]) -> bool:
    """Delete all of `refs`, or none; False when any has moved."""
    from git_agent_session.git.run import run

    lines = "".join(f"delete {ref}\0{old}\0" for ref, old in refs.items())
    where = repo.location.git_dir
    args = ("update-ref", "-z", "--stdin")
    return run(*args, cwd=where, env={"GIT_DIR": where}, input=lines.encode(), check=False).returncode == 0
