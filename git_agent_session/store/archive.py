"""Archives: sessions that ended long ago leave their refs and stand together in one ref for each month.

`refs/agent-sessions/archive/<yyyy-mm>` (the month of the end, UTC) points at a commit. Its tree holds `sessions.toml`,
which names the tip of every session in it. Its parents are the archive commit before and the tips that were added, at
most 100 in one commit: so a session's chain stays as it is, and one ref keeps, pushes and fetches all of them.

A session that has a ref too is one that goes on: the ref counts, and the next run brings the archive up to it. First
the archive is written, then the ref goes, each by compare-and-swap: killed in between a session stands in both places,
at the same tip, and the next run finishes. Nothing in an archive is ever taken back, but by a deletion: that writes a
chain without the session, which does not continue the one before, so that a merge with others' says it has gone
nowhere else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from git_agent_session import journal, live
from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git import archives, joining
from git_agent_session.git.archives import ARCHIVES, INDEX, index_text, is_month
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.ids import is_session_id, timestamp
from git_agent_session.store import checking, crowded, purged, union
from git_agent_session.store.crowded import MOST_REFS

if TYPE_CHECKING:
    from git_agent_session.model import Doc, Session
    from git_agent_session.store.reader import Reader

DAYS = 90
# parents of one commit: git takes more, but walks them all wherever it shows one
BATCH = 100
_DAY_NS = 86_400 * 1_000_000_000
_DEADLINE_SECONDS = 30.0

Tips = dict[str, str]


@dataclass(frozen=True, slots=True)
class Archived:
    """Sessions that went into the archive of a month, and its tip afterwards ("" in a dry run)."""

    month: str
    sessions: tuple[Session, ...]
    tip: str = ""

    @property
    def ref(self) -> str:
        """The archive's ref."""
        return ARCHIVES + self.month

    def to_dict(self) -> Doc:
        """For `--json`."""
        found: Doc = {"month": self.month, "ref": self.ref, "sessions": [s.id for s in self.sessions]}
        return {**found, "tip": self.tip} if self.tip else found


def days(repo: Repository) -> int:
    """`agentSession.archiveDays`: days after its end that a session keeps its ref; what is no number counts as 90."""
    text = (repo.config("agentSession.archiveDays") or "").strip()
    return int(text) if text.isdecimal() and len(text) < 7 else DAYS


def due(repo: Repository, refs: Mapping[str, str] | None = None) -> bool:
    """True where so many sessions have refs that they slow git down; `refs` is what `Repository.refs` said, if known.

    Where it was looked at today already, and there are hardly more by now, once more would find nothing.
    """
    return crowded.due(repo.location.shared, len(_refs(repo, refs)), MOST_REFS)


def automatic(store: Reader, refs: Mapping[str, str]) -> bool:
    """Archive what is old enough where it is `due`; True when any ref has moved. Raises StorageError."""
    if not due(store.repo, refs):
        return False
    moved = bool(run(store))
    crowded.note(store.shared, len(_refs(store.repo, None if moved else refs)))
    return moved


def run(
    store: Reader,
    *,
    older_than: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Archived]:
    """Archive the sessions that ended more than `older_than` days ago (default: `days`), the earliest month first.

    What waits in a journal is to be drained before: a session that has anything waiting stays. `progress` is called
    with how many sessions are done, and how many there are. Raises StorageError.
    """
    repo = store.repo
    chosen = _chosen(store, days(repo) if older_than is None else older_than)
    done: list[Archived] = []
    for month, sessions in sorted(chosen.items()):
        if progress is not None:
            progress(sum(len(a.sessions) for a in done), sum(map(len, chosen.values())))
        listed = tuple(sorted(sessions, key=lambda pair: (pair[0].ended_at, pair[0].id)))
        tip = ""
        if not dry_run:
            wanted = {session.id: tip for session, tip in listed}
            tip = add(repo, month, wanted)
            _drop_refs(repo, wanted)
        done.append(Archived(month, tuple(session for session, _ in listed), tip))
    return done


def _chosen(store: Reader, older_than: int) -> dict[str, list[tuple[Session, str]]]:
    """By month, the sessions to be archived, each with its tip."""
    limit = timestamp(max(0, time.time_ns() - older_than * _DAY_NS))
    # before the list: a ref that moves from now on is not what is archived, and stays
    refs = _refs(store.repo)
    busy = journal.waiting(store.shared) | live.open_sessions(store.shared)
    found: dict[str, list[tuple[Session, str]]] = {}
    for session in store.list():
        month = session.ended_at[:7]
        old = session.ended and session.ended_at <= limit and is_month(month)
        if old and session.id in refs and session.id not in busy:
            found.setdefault(month, []).append((session, refs[session.id]))
    return found


def _refs(repo: Repository, refs: Mapping[str, str] | None = None) -> Tips:
    cut = len(SESSIONS)
    rows = (repo.refs(SESSIONS) if refs is None else refs).items()
    return {name[cut:]: tip for name, tip in rows if name.startswith(SESSIONS) and is_session_id(name[cut:])}


def add(repo: Repository, month: str, tips: Mapping[str, str]) -> str:
    """Put sessions (id -> tip) into the archive of a month, what stood there for them before is superseded.

    Returns the archive's tip; no session's ref moves. Raises StorageError.
    """
    ref = ARCHIVES + month
    for _ in _tries(f"the archive {month}"):
        old = repo.tip(ref)
        index = _index(repo, month, old) if old else {}
        kept = archives.held(repo, old) if old and any(index.get(i) == t for i, t in tips.items()) else set()
        # an index that others have written may name what its ref does not keep
        fresh = {i: t for i, t in tips.items() if index.get(i) != t or t not in kept}
        if not fresh and old:
            return old
        new = _chain(repo, fresh, index, old)
        try:
            repo.swap(ref, new, old, f"archive {len(fresh)}")
        except Moved:
            continue
        return new
    raise AssertionError("unreachable")


def _chain(repo: Repository, fresh: Mapping[str, str], index: Mapping[str, str], on: str | None) -> str:
    """Write the commits that add `fresh` to `index` on top of `on`; returns the last one."""
    whole = dict(index)
    tip = on
    for part in _batches(sorted(fresh.items())):
        whole.update(part)
        parents = [*([tip] if tip else []), *dict.fromkeys(t for _, t in part)]
        tip = repo.write_batch({INDEX: index_text(whole)}, parents, f"archive ×{len(part)}")
    assert tip is not None
    return tip


def _batches(rows: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    waiting = iter(rows)
    while part := list(islice(waiting, BATCH)):
        yield part


def _index(repo: Repository, month: str, tip: str) -> Tips:
    try:
        return dict(repo.archives.index(tip))
    except ValueError as e:
        raise StorageError(
            f"the archive {month} cannot be read: {e}",
            hint=f"`git log {ARCHIVES}{month}` shows earlier states of it",
        ) from e


def _tries(what: str) -> Iterator[None]:
    """As many tries as half a minute has room for; then raises StorageError."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(random.random() * 0.02)
    raise StorageError(f"{what} is written by others again and again", hint="try again")


def _drop_refs(repo: Repository, tips: Mapping[str, str]) -> list[str]:
    """Delete the refs that still point where their archive says; returns the ids. Those that moved stay."""
    refs = {SESSIONS + i: tip for i, tip in tips.items()}
    return [ref[len(SESSIONS) :] for ref in archives.drop_refs(repo, refs, "archive")]


# -- with others


def merge(repo: Repository, month: str, ours: str | None, theirs: str) -> str:
    """The tip that has the sessions of both archives of a month; the same whoever merges. No ref moves.

    To be called for a fetched archive that continues ours, too: no session of ours goes. Of two tips of one session
    the one that has the other counts, of two that have diverged their join, or ours where theirs cannot be read. What
    theirs names and does not keep is left out, and what was purged here: of an archive that has such a session the
    others come in, and it is not continued (see `barred`). Raises StorageError when either archive is none, or theirs
    has nothing but what was purged.
    """
    if ours == theirs:
        return theirs
    mine, kept = _read(repo, month, ours) if ours else ({}, set())
    named, theirs_kept = _read(repo, month, theirs)
    other = {i: tip for i, tip in named.items() if tip in theirs_kept}
    gone = purged.ids(repo.location.shared) & named.keys()
    whole = dict(mine)
    for session_id, tip in other.items():
        if session_id not in gone:
            whole[session_id] = _joined(repo, session_id, whole.get(session_id), tip)
    if gone:
        return _beside(repo, month, ours, {i: t for i, t in whole.items() if mine.get(i) != t}, mine)
    if named == whole and (ours is None or repo.descends(theirs, ours)):
        return theirs
    if ours and mine == whole and repo.descends(ours, theirs):
        return ours
    more = sorted(set(whole.values()) - kept - theirs_kept)
    parents = [*([ours] if ours else []), theirs, *more]
    return joining.write_joining(repo, {INDEX: index_text(whole)}, parents, "merge archives")


def barred(repo: Repository, theirs: str) -> str:
    """Why a fetched archive cannot be joined as it is: it has sessions that were purged here; "" where it has none."""
    try:
        gone = purged.ids(repo.location.shared) & repo.archives.index(theirs).keys()
    except ValueError:
        return ""
    if not gone:
        return ""
    some = min(gone)[:8] + (f" and {len(gone) - 1} more" if len(gone) > 1 else "")
    return (
        f"it has session {some}, which was purged here and is left out; `git agent-session purge ID --remote` takes it "
        "out there, `purge --forget ID` lets it in again"
    )


def _beside(repo: Repository, month: str, ours: str | None, fresh: Mapping[str, str], mine: Mapping[str, str]) -> str:
    if fresh:
        return _chain(repo, fresh, mine, ours)
    if ours is None:
        raise StorageError(f"the archive {month} has nothing but what was purged here", hint="see `purge --forget`")
    return ours


def _read(repo: Repository, month: str, tip: str) -> tuple[Tips, set[str]]:
    try:
        joining.check_sizes(repo, tip, {INDEX: archives.MAX_INDEX})
        index = _index(repo, month, tip)
        return index, archives.held(repo, tip, set(index.values()))
    except ValueError as e:
        raise StorageError(f"the archive {month} cannot be read: {e}", hint="other sessions still work") from e


def _joined(repo: Repository, session_id: str, ours: str | None, theirs: str) -> str:
    if ours is None or repo.descends(theirs, ours):
        return theirs
    if repo.descends(ours, theirs):
        return ours
    try:
        checking.check(repo, session_id, theirs, ours)
        return union.join(repo, session_id, (ours, theirs))
    except AgentSessionError:
        return ours


def reconcile(repo: Repository) -> list[str]:
    """Bring refs and archives together after a fetch or a run that was killed; returns the ids of refs that went.

    A ref whose session stands in an archive at the same tip, or at one that has it, goes. Where both have diverged, or
    the archives of two months have, the ref gets their join. A session that waits, or is open, keeps its ref. Raises
    StorageError.
    """
    archived = repo.archives.tips()
    if not archived:
        return []
    refs = _refs(repo)
    both = {i: tip for i, tip in refs.items() if i in archived}
    apart = repo.archives.diverged()
    if not both and not apart:
        return []
    over = covered(repo, both, repo.archives.months().values())
    busy = journal.waiting(repo.location.shared) | live.open_sessions(repo.location.shared)
    for session_id in sorted(both.keys() | apart.keys()):
        later = archived[session_id]
        tip: str | None = both.get(session_id, later)
        for other in sorted(apart.get(session_id, {later})):
            if tip and not repo.descends(other, tip) and not repo.descends(tip, other):
                tip = _join_ref(repo, session_id, tip, other)
    return _drop_refs(repo, {i: tip for i, tip in over.items() if i not in busy})


def covered(repo: Repository, refs: Mapping[str, str], tips: Iterable[str]) -> Tips:
    """Those of `refs` (session id -> tip) that archives have: at that tip, or at one that continues it.

    `tips` are those of the archives; one that names a session and does not keep it from git's collecting has it not.
    """
    found: Tips = {}
    for archive_tip in tips:
        try:
            index = repo.archives.index(archive_tip)
            some = {i: index[i] for i in refs.keys() & index.keys() if repo.descends(index[i], refs[i])}
            kept = archives.held(repo, archive_tip) if some else set()
        except ValueError:
            continue
        found.update({i: refs[i] for i, tip in some.items() if tip in kept})
    return found


def _join_ref(repo: Repository, session_id: str, ours: str, theirs: str) -> str | None:
    """Where the ref points then; None where it moved meanwhile, or the chains cannot be read: it stays as it is."""
    try:
        joined = union.join(repo, session_id, (ours, theirs))
        repo.swap(SESSIONS + session_id, joined, ours, "merge")
    except (Moved, AgentSessionError):
        return None
    return joined


# -- taking out


def forget(repo: Repository, ids: Iterable[str]) -> list[str]:
    """Take sessions out of all archives, by a new chain without them; returns the months that had any.

    What the chain before held stays in git until it collects what no ref reaches. Raises StorageError.
    """
    gone = set(ids)
    months = []
    for month, tip in repo.archives.months().items():
        try:
            concerned = not gone.isdisjoint(repo.archives.index(tip))
        except ValueError:
            continue
        if concerned:
            _without(repo, month, gone)
            months.append(month)
    return months


def _without(repo: Repository, month: str, gone: set[str]) -> None:
    ref = ARCHIVES + month
    for _ in _tries(f"the archive {month}"):
        old = repo.tip(ref)
        new = rewritten(repo, month, old, gone) if old else None
        try:
            return repo.swap(ref, new, old, "delete")
        except Moved:
            continue


def rewritten(repo: Repository, month: str, tip: str, gone: Iterable[str]) -> str | None:
    """A fresh chain with the sessions of the archive `tip` but those `gone`; None when none is left. No ref moves."""
    without = set(gone)
    kept = {i: t for i, t in _index(repo, month, tip).items() if i not in without}
    return _chain(repo, kept, {}, None) if kept else None
