"""Push, fetch and sync, as a whole: drain, talk, join, and again where somebody else was first.

Each step can be killed anywhere: what is fetched lies in tracking refs, sessions and notes move by compare-and-swap,
and the remote moves its refs itself.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from git_agent_session.errors import AgentSessionError, GitError
from git_agent_session.git import joining, notes
from git_agent_session.git.repository import SESSIONS, Moved
from git_agent_session.git.transport import Progress
from git_agent_session.ids import is_session_id
from git_agent_session.store import archive, archive_check, purged, union
from git_agent_session.store.store import Store
from git_agent_session.sync import consent, plan, words
from git_agent_session.sync import notes as joined_notes
from git_agent_session.sync.plan import Selection
from git_agent_session.sync.remote import Remote, find
from git_agent_session.sync.report import RECEIVED, SENT, Report, Result
from git_agent_session.sync.transfer import Connection

# how long sync tries again where others are always first; a transfer that is under way is not ended by it
PATIENCE_SECONDS = 60.0
# the latest commits that a fetch looks through for sessions, and for how long at most
RELINKED = 200
RELINK_SECONDS = 5.0
# sessions, archives and what was fetched of both
_OURS = "refs/agent-sessions"
_ALL = Selection()


@dataclass(frozen=True, slots=True)
class _Run:
    """One call: where it reads and writes, whom it talks to, and what it has found so far."""

    store: Store
    connection: Connection
    report: Report
    select: Selection
    by_hand: bool

    @property
    def remote(self) -> Remote:
        return self.connection.remote


def push(
    store: Store,
    remote: str = "",
    *,
    select: Selection = _ALL,
    dry_run: bool = False,
    deadline: float | None = None,
    progress: Progress | None = None,
    by_hand: bool = True,
) -> Report:
    """Send the sessions that fit `select`, and the notes. Only forward: what the remote has newer is refused by it.

    `deadline` is of time.monotonic: what is not through by then is left for the next time. What fails stands in the
    report; raises UsageError and AgentSessionError for a remote that cannot be.
    """
    run = _begin(store, remote, select, dry_run, deadline, progress, by_hand)
    _guarded(run, lambda: _send(run))
    return run.report


def fetch(
    store: Store,
    remote: str = "",
    *,
    dry_run: bool = False,
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Report:
    """Bring in the remote's sessions and notes, and join them with ours. Raises as `push`."""
    run = _begin(store, remote, _ALL, dry_run, deadline, progress, True)
    _guarded(run, lambda: _receive(run))
    return run.report


def sync(
    store: Store,
    remote: str = "",
    *,
    select: Selection = _ALL,
    dry_run: bool = False,
    deadline: float | None = None,
    progress: Progress | None = None,
    by_hand: bool = True,
    patience: float = PATIENCE_SECONDS,
) -> Report:
    """Fetch, join and push until both sides have the same; `select` is of what is sent. Raises as `push`.

    Where the remote moves on meanwhile all is done again, for at most `patience` seconds.
    """
    run = _begin(store, remote, select, dry_run, deadline, progress, by_hand)
    until = time.monotonic() + patience
    _guarded(run, lambda: _until_through(run, until))
    return run.report


def _until_through(run: _Run, until: float) -> None:
    while True:
        run.report.rounds += 1
        _receive(run)
        if not _send(run) or run.report.dry_run:
            _tidy(run)
            return
        if time.monotonic() > until:
            run.report.errors.append(f"{run.remote.shown} is written by others again and again; try again")
            return
        time.sleep(random.random() * min(2.0, 0.1 * run.report.rounds))


def _tidy(run: _Run) -> None:
    """Once archives are there, take the refs of what they hold off the remote: each slows every fetch and push."""
    sent = [r.ref for r in run.report.results if r.direction == SENT and r.status in ("new", "updated")]
    if run.report.dry_run or not any(words.is_archive(ref[len(SESSIONS) :]) for ref in sent):
        return
    from git_agent_session.sync.removal import Removal

    for refused in Removal(run.store.repo, run.remote).tidy().refused:
        run.report.warnings.append(f"{run.remote.shown} keeps {refused.ref}, which its archive has: {refused.reason}")


def _begin(
    store: Store,
    remote: str,
    select: Selection,
    dry_run: bool,
    deadline: float | None,
    progress: Progress | None,
    by_hand: bool,
) -> _Run:
    found = find(store.repo, remote)
    connection = Connection(store.repo, found, deadline=deadline, progress=progress)
    return _Run(store, connection, Report(found, dry_run=dry_run), select, by_hand)


def _guarded(run: _Run, work: Callable[[], object]) -> None:
    """A conversation that broke off leaves what it has done, and says what it was."""
    try:
        work()
    except GitError as e:
        run.report.errors.append(e.line())


def _drain(run: _Run) -> None:
    if not run.report.dry_run:
        run.report.warnings += [e.line() for e in run.store.drain_all() if e.line() not in run.report.warnings]


# -- in


def _receive(run: _Run) -> None:
    if run.report.dry_run:
        _foresee(run)
        return
    repo = run.store.repo
    refs = repo.refs(_OURS)
    tracking = run.remote.tracking
    known = {ref: tip for ref, tip in refs.items() if ref.startswith(tracking)}
    if noted := repo.tip(run.remote.notes):
        known[run.remote.notes] = noted
    said = run.connection.refresh(known)
    if said is not None:
        run.report.warnings += [line for line in said if line not in run.report.warnings]
        refs = repo.refs(_OURS)
    with archive_check.Look(repo) as look:
        taken, archived = _take(run, refs, look)
        _receive_notes(run, taken)
        _reconcile(run)
        for session_id, error in look.rest().items():
            _note(run, Result(SESSIONS + session_id, RECEIVED, union.BROKEN, error.message))
    if taken or archived:
        _relink(run)
    if _forget_gone(run) and said:
        # one that is gone may have stood in the way of another: a name is a folder or a ref
        run.report.warnings = [line for line in run.report.warnings if line not in said]
        _receive(run)


def _forget_gone(run: _Run) -> bool:
    """Drop what was fetched of refs that could not be taken in and that the remote has no more; True for any.

    Only where there are such: the remote is asked once more. Of all others what it had is kept (see `plan`).
    """
    repo, tracked = run.store.repo, run.connection.tracking
    found = [r for r in run.report.latest() if r.direction == RECEIVED and r.status in (union.BROKEN, "ignored")]
    tips = {r.ref: tip for r in found if r.ref != notes.REF and (tip := repo.pointed(tracked(r.ref)))}
    listed = run.connection.listed() if tips else {}
    gone = tips.keys() - listed.keys()
    for ref in gone:
        with contextlib.suppress(Moved, AgentSessionError):
            repo.swap(tracked(ref), None, tips[ref], "gone")
    run.report.results = [r for r in run.report.results if r.direction != RECEIVED or r.ref not in gone]
    return bool(gone)


def _take(run: _Run, refs: Mapping[str, str], look: archive_check.Look) -> tuple[list[union.Taken], bool]:
    """Take in what stands in the tracking refs; returns the sessions that have moved here by it, and whether any
    archive has.
    """
    repo = run.store.repo
    fetched: dict[str, str] = {}
    months: dict[str, str] = {}
    tracking = run.remote.tracking
    barred = purged.ids(repo.location.shared)
    for ref, tip in refs.items():
        if not ref.startswith(tracking):
            continue
        name = ref[len(tracking) :]
        if name in barred:
            reason = f"it was purged here; `git agent-session purge --forget {name[:8]}` lets it in again"
            _note(run, Result(SESSIONS + name, RECEIVED, "ignored", reason, tip))
        elif is_session_id(name):
            fetched[name] = tip
        elif words.is_archive(name):
            months[name] = tip
        else:
            _note(run, Result(SESSIONS + name, RECEIVED, "ignored", "its name is no session id", tip))
    # first: a session that stands in an archive needs no ref of its own
    moved = [_take_archive(run, look, name, tip) for name, tip in months.items()]
    look.begin()
    taken = []
    for one in union.take(repo, fetched, repo.sessions(refs)):
        reason = one.error.message if one.error else ""
        status = "up-to-date" if one.status == union.AHEAD else one.status
        _note(run, Result(SESSIONS + one.session_id, RECEIVED, status, reason, one.tip))
        if one.status in (union.NEW, union.UPDATED, union.MERGED):
            taken.append(one)
    return taken, any(moved)


def _relink(run: _Run) -> None:
    """Find the sessions of commits that were copied or squashed elsewhere, now that these sessions are here.

    Bounded: `relink` looks at all. What cannot be looked at is no reason for a fetch to fail.
    """
    from git_agent_session.store import relink_branches, relink_index

    repo = run.store.repo
    try:
        index = relink_index.Index(repo)
        try:
            relink_branches.search(repo, index, most=RELINKED, seconds=RELINK_SECONDS)
        finally:
            index.close()
    except (AgentSessionError, OSError) as e:
        run.report.warnings.append(f"commits were not looked through: {e}; `git agent-session relink` does it")


def _receive_notes(run: _Run, taken: list[union.Taken]) -> None:
    repo = run.store.repo
    try:
        if theirs := repo.tip(run.remote.notes):
            status, refused = joined_notes.merge(repo, theirs)
            _note(run, Result(notes.REF, RECEIVED, status, "; ".join(refused)[:500], repo.tip(notes.REF) or ""))
        joined_notes.project(repo, taken)
    except AgentSessionError as e:
        _note(run, Result(notes.REF, RECEIVED, "broken", e.line()))


def _reconcile(run: _Run) -> None:
    """Drop the refs of sessions that archives have by now."""
    try:
        archive.reconcile(run.store.repo)
    except AgentSessionError as e:
        run.report.warnings.append(e.line())


def _take_archive(run: _Run, look: archive_check.Look, name: str, theirs: str) -> bool:
    """Join a month's archive with ours; True when ours has moved. Sessions in it that cannot be read are named."""
    ref, repo = SESSIONS + name, run.store.repo
    try:
        for _ in range(50):
            ours = repo.tip(ref)
            if ours and repo.descends(ours, theirs):
                _note(run, Result(ref, RECEIVED, union.SAME, "", ours))
                return False
            new = archive.merge(repo, name.removeprefix("archive/"), ours, theirs)
            try:
                repo.swap(ref, new, ours, "merge archive")
            except Moved:
                continue
            status = union.NEW if ours is None else union.UPDATED if new == theirs else union.MERGED
            barred = archive.barred(repo, theirs)
            _note(run, Result(ref, RECEIVED, union.BROKEN if barred else status, barred, new))
            for session_id, error in look.add(ours, new).items():
                _note(run, Result(SESSIONS + session_id, RECEIVED, union.BROKEN, error.message))
            return new != ours
    except (AgentSessionError, ValueError) as e:
        line = e.line() if isinstance(e, AgentSessionError) else str(e)
        _note(run, Result(ref, RECEIVED, union.BROKEN, line, theirs))
    return False


def _foresee(run: _Run) -> None:
    repo = run.store.repo
    for ref, theirs in run.connection.listed().items():
        ours = repo.tip(ref)
        known = ours is not None and repo.descends(ours, theirs)
        status = union.SAME if known else union.NEW if ours is None else union.UPDATED
        _note(run, Result(ref, RECEIVED, status, "", theirs))


# -- out


def _send(run: _Run) -> bool:
    """Drain and push what the remote lacks; True where it has moved on, and fetching first would help."""
    _drain(run)
    repo, remote, report = run.store.repo, run.remote, run.report
    refs = repo.refs(_OURS)
    if not report.dry_run and archive.automatic(run.store, refs):
        refs = repo.refs(_OURS)
    ids = run.select.ids(run.store)
    # what is asked for by name is offered whatever we believe
    wanted = plan.outgoing(repo, remote, ids, refs, seen=not run.select.sessions)
    for ref in wanted.same:
        _note(run, Result(ref, SENT, "up-to-date"))
    for ref, theirs in wanted.apart.items():
        _note(run, Result(ref, SENT, "rejected", "the remote has what is not joined here; see `fetch`", theirs))
    if not wanted.send:
        return False
    if not report.dry_run:
        report.warnings += consent.public(repo.location.shared, remote)
    race = False
    through: dict[str, str] = {}
    try:
        for sent in run.connection.push(wanted.send, dry_run=report.dry_run):
            race = race or sent.race
            tip = wanted.send.get(sent.ref, "")
            _note(run, Result(sent.ref, SENT, sent.status, sent.reason, tip))
            if sent.status != "rejected" and tip:
                through[run.connection.tracking(sent.ref)] = tip
    finally:
        if through and not report.dry_run:
            joining.remember(repo, through)
    if through and run.by_hand and not report.dry_run:
        consent.confirm(repo.location.shared, remote)
    return race


def _note(run: _Run, result: Result) -> None:
    run.report.results.append(result)
