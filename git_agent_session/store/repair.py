"""Repairs: what is derived from sessions is brought in line with them, and what dead processes left is taken away.

Events are the truth and are never touched; a ref, a note or a file of somebody else's is only reported. Each repair
says in a line what it found and whether it did anything about it. With `dry_run` nothing but caches is written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session import journal, live
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import all_notes, notes, packing
from git_agent_session.git.archives import ARCHIVES, is_month
from git_agent_session.git.ref_files import TRACKING
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import is_session_id, timestamp
from git_agent_session.store import archive, evidence, links, sweep
from git_agent_session.store.drain import read_state
from git_agent_session.store.seen import LINKING, Seen, chain_events

if TYPE_CHECKING:
    from git_agent_session.model import Doc, Link, Session
    from git_agent_session.store.store import Store

# a ref is locked for milliseconds, a file is moved into place as fast
STALE_SECONDS = 60
SHOWN = 3
# what can be made again from sessions at any time
_DERIVED = ("index.sqlite", "patches.sqlite")


@dataclass(frozen=True, slots=True)
class Repair:
    """One finding: `kind` is a stable word, `done` whether it was (in a dry run: would be) put right."""

    kind: str
    text: str
    done: bool

    def to_dict(self) -> Doc:
        """For `--json`."""
        return {"kind": self.kind, "text": self.text, "done": self.done}


class Repairs:
    """The repairs of one repository; each yields what it found."""

    def __init__(self, store: Store, *, dry_run: bool = False) -> None:
        self.store = store
        self.repo = store.repo
        self.shared = store.shared
        self.dry_run = dry_run

    def run(self, progress: Callable[[int, int], None] | None = None) -> list[Repair]:
        """Everything, in an order in which one repair makes room for the next. Raises StorageError.

        `progress` is called with how many of the checks are done, and how many there are.
        """
        sessions: dict[str, Session] = {}
        checks = (
            *(self.locks, self.leftovers, lambda: self.sessions(sessions), self.refs, self.archives),
            *(lambda: self.derived(sessions), lambda: self.marks(sessions), self.natives),
            *(lambda: self.traces(sessions), lambda: self.notes(sessions), self.drift),
        )
        found: list[Repair] = []
        for number, check in enumerate(checks, 1):
            found += check()
            if progress is not None:
                progress(number, len(checks))
        return found

    def sessions(self, found: dict[str, Session]) -> Iterator[Repair]:
        """Sessions that cannot be read; the others, with what waited for them written, go into `found`."""
        if not self.dry_run:
            yield from (Repair("session", error.line(), False) for error in self.store.drain_all())
        found.update((s.id, s) for s in self.store.list())
        yield from (Repair("session", error.line(), False) for error in self.store.broken)

    # -- what dead processes left

    def locks(self) -> Iterator[Repair]:
        """Locks of our refs that no live git holds: those are held for milliseconds."""
        common = self.repo.location.common_dir
        tops = [os.path.join(common, *name.rstrip("/").split("/")) for name in (SESSIONS, TRACKING)]
        paths = [os.path.join(top, n) for t in tops for top, _, names in os.walk(t) for n in names]
        paths.append(os.path.join(common, *notes.REF.split("/")) + ".lock")
        for path in paths:
            if path.endswith(".lock") and _is_stale(path):
                yield self._removed("lock", f"the stale lock {path}", path)
        for path in packing.stale(common):
            kind, what = ("lock", "stale lock") if path.endswith(".lock") else ("leftover", "unfinished file")
            yield self._removed(kind, f"the {what} {path}", path)

    def leftovers(self) -> Iterator[Repair]:
        """Files that were to be moved into place by processes which died before: `<name>.<process>.<random>`."""
        for top in ("live", "native", "seen", "capture"):
            for folder, _, names in os.walk(os.path.join(self.shared, top)):
                for name in names:
                    path = os.path.join(folder, name)
                    if _is_aside(name) and _is_stale(path):
                        yield self._removed("leftover", f"the unfinished file {path}", path)

    def _removed(self, kind: str, what: str, path: str) -> Repair:
        if self.dry_run:
            return Repair(kind, f"{what} is to go", True)
        try:
            os.unlink(path)
        except OSError as e:
            return Repair(kind, f"{what} cannot be removed: {e.strerror}", isinstance(e, FileNotFoundError))
        return Repair(kind, f"removed {what}", True)

    # -- refs

    def refs(self) -> Iterator[Repair]:
        """Names among the sessions' that are none. They are whose who made them."""
        for ref in self.repo.refs(SESSIONS):
            month = ref.removeprefix(ARCHIVES)
            if not is_session_id(ref[len(SESSIONS) :]) and not (month != ref and is_month(month)):
                yield Repair("ref", f"{ref} is no session; it is passed over", False)

    def archives(self) -> Iterator[Repair]:
        """Sessions that have a ref although their archive has all of them."""
        refs = self.repo.refs(SESSIONS)
        tips = self.repo.archives.tips().items()
        gone = [i for i, tip in tips if SESSIONS + i in refs and self.repo.descends(tip, refs[SESSIONS + i])]
        if gone and not self.dry_run:
            gone = archive.reconcile(self.repo)
        if gone:
            verb = "to remove" if self.dry_run else "removed"
            yield Repair(
                "archive", f"{verb} {_count(gone, 'ref')} of sessions that an archive has ({_some(gone)})", True
            )

    def drift(self) -> Iterator[Repair]:
        """Sessions that a remote which has some does not have as they are here. For people to push."""
        tracked: dict[str, dict[str, str]] = {}
        for ref, tip in self.repo.refs(TRACKING).items():
            remote, _, name = ref[len(TRACKING) :].partition("/")
            if is_session_id(name):
                tracked.setdefault(remote, {})[name] = tip
            elif name.startswith("archive/"):
                with contextlib.suppress(ValueError):
                    found = tracked.setdefault(remote, {})
                    found.update({i: t for i, t in self.repo.archives.index(tip).items() if i not in found})
        for remote, theirs in sorted(tracked.items()):
            behind = [i for i, tip in self.repo.sessions().items() if theirs.get(i) != tip]
            behind = [i for i in behind if not (i in theirs and self.repo.descends(theirs[i], self._tip(i)))]
            if behind:
                text = (
                    f"{_count(behind, 'session')} not at {remote} as here ({_some(behind)}): `git agent-session push`"
                )
                yield Repair("remote", text, False)

    def _tip(self, session_id: str) -> str:
        return self.repo.tip(SESSIONS + session_id) or ""

    # -- what is derived

    def derived(self, sessions: Mapping[str, Session]) -> Iterator[Repair]:
        """What is remembered of sessions, where it disagrees with their refs or they are gone."""
        known = [name for name in live.listed(os.path.join(self.shared, "seen")) if is_session_id(name)]
        wrong = [i for i in known if i not in sessions or not self._agrees(i)]
        for session_id in wrong:
            yield self._removed("seen", f"what was remembered of {session_id[:8]}", self._path("seen", session_id))
        lying = self._lying(sessions)
        if not lying and not wrong:
            return
        if not self.dry_run:
            # a killed writer leaves a log, which would be read into the next database of that name
            for name in (n + beside for n in _DERIVED for beside in ("", "-wal", "-shm", "-journal")):
                with contextlib.suppress(OSError):
                    os.unlink(self._path(name))
            self.store.refresh()
        verb = "to be made" if self.dry_run else "made"
        told = f": {_count(lying, 'session')} stood there wrongly ({_some(lying)})" if lying else ""
        yield Repair("index", f"the index is {verb} anew{told}", True)

    def _lying(self, sessions: Mapping[str, Session]) -> list[str]:
        """The sessions of which the index says something else than their refs."""
        import json

        tips = self.repo.sessions()
        excerpts = self.store.excerpts
        found = []
        for session_id, (tip, doc) in (excerpts.load() if excerpts else {}).items():
            if session_id not in sessions or tips.get(session_id) != tip:
                continue
            with contextlib.suppress(AgentSessionError, TypeError, ValueError):
                if json.loads(json.dumps(read_state(self.repo, session_id, tip))) != doc:
                    found.append(session_id)
        return found

    def _agrees(self, session_id: str) -> bool:
        """Whether what is remembered of a chain is what it holds."""
        tip = self.repo.tip(SESSIONS + session_id)
        if tip is None:
            return False
        try:
            known = Seen.load(self.shared, self.repo, session_id, tip)
            found = [e for _, e in chain_events(self.repo, tip, session_id)]
        except AgentSessionError:
            return True  # said elsewhere: the session is broken
        linking = {e.id for e in found if e.kind in LINKING}
        return known.ids == {e.id for e in found} and {e.id for e in known.linking} == linking

    def _path(self, *names: str) -> str:
        return os.path.join(self.shared, *names)

    # -- files of sessions

    def marks(self, sessions: Mapping[str, Session]) -> Iterator[Repair]:
        """Marks of open sessions that have ended or are gone, and worktrees whose active session is gone."""
        for session_id in sorted(live.open_sessions(self.shared)):
            if session_id in sessions and not sessions[session_id].ended:
                continue
            if not self._is_known(session_id) or (session_id in sessions and not self._waits(session_id)):
                why = "has ended" if session_id in sessions else "is not here"
                what = f"the mark of {session_id[:8]} as open, which {why}"
                yield self._removed("live", what, self._path("live", session_id))
        for private in sweep.privates(self.repo.location):
            active = live.active(private)
            if active and not self._is_known(active):
                what = f"the mark of {active[:8]} as a worktree's active session, which is not here"
                yield self._removed("active", what, os.path.join(private, "active"))

    def _is_known(self, session_id: str) -> bool:
        return self.repo.tip(SESSIONS + session_id) is not None or self._waits(session_id)

    def _waits(self, session_id: str) -> bool:
        return session_id in journal.waiting(self.shared)

    def natives(self) -> Iterator[Repair]:
        """Agents' own ids that lead to sessions which are gone: the agent would write to nobody."""
        for folder, _, names in os.walk(self._path("native")):
            agent = os.path.basename(folder)
            for name in sorted(names):
                session_id = live.native(self.shared, agent, name)
                if session_id and not self._is_known(session_id):
                    what = f"{agent}'s {name[:20]} for {session_id[:8]}, which is not here"
                    yield self._removed("native", what, os.path.join(folder, name))

    def traces(self, sessions: Mapping[str, Session]) -> Iterator[Repair]:
        """What tools of sessions wrote that ended so long ago that it is no evidence any more, or are gone."""
        limit = timestamp(max(0, time.time_ns() - evidence.window_seconds(self.repo) * 1_000_000_000))
        for private in sweep.privates(self.repo.location):
            folder = os.path.join(private, evidence.FOLDER)
            for name in live.listed(folder):
                session_id = name.partition(".")[2]
                if not name.startswith((evidence.TOUCHED, evidence.HEAD)) or not is_session_id(session_id):
                    continue
                session = sessions.get(session_id)
                over = session.ended and session.ended_at < limit if session else not self._is_known(session_id)
                if over:
                    yield self._removed("trace", f"the trace {name[:20]}…", os.path.join(folder, name))

    # -- notes

    def notes(self, sessions: Mapping[str, Session]) -> Iterator[Repair]:
        """Notes that do not say what the events do; lines of sessions that are not here, or not confirmed, stay."""
        edits: dict[str, list[links.Edit]] = {}
        known = {i: self._links(i) for i in sessions}
        for session_id, found in known.items():
            agent = sessions[session_id].agent.type or "unknown"
            for commit, link in found.items():
                if not link.replaced_by:
                    edits.setdefault(commit, []).append(links.Edit(session_id, True, agent))
        orphans: set[str] = set()
        unconfirmed = 0
        for commit, text in all_notes.every(self.repo, self.repo.tip(notes.REF)):
            for noted in links.parse(text):
                if noted.session_id not in sessions:
                    orphans.add(noted.session_id)
                elif commit not in known[noted.session_id]:
                    if self._was_unlinked(noted.session_id, commit):
                        edits.setdefault(commit, []).append(links.Edit(noted.session_id, False))
                    else:
                        unconfirmed += 1
        yield from self._written(edits, sessions)
        if orphans:
            yield Repair("note", f"notes name {_count(orphans, 'session')} not here ({_some(orphans)}); kept", False)
        if unconfirmed:
            text = f"{unconfirmed} lines in notes that no event of their session confirms; kept"
            yield Repair("note", text, False)

    def _links(self, session_id: str) -> Mapping[str, Link]:
        tip = self.repo.tip(SESSIONS + session_id)
        try:
            return Seen.load(self.shared, self.repo, session_id, tip).links() if tip else {}
        except AgentSessionError:
            return {}

    def _was_unlinked(self, session_id: str, commit: str) -> bool:
        seen = Seen.load(self.shared, self.repo, session_id, self.repo.tip(SESSIONS + session_id))
        return any(e.kind == "unlink" and e.data.get("commit") == commit for e in seen.linking)

    def _written(self, edits: Mapping[str, list[links.Edit]], sessions: Mapping[str, Session]) -> Iterator[Repair]:
        wrong = {}
        for commit, wanted in edits.items():
            text = notes.read(self.repo, commit)
            wanted = [*wanted, *_one_primary(text, wanted, sessions)]
            if links.edited_where_needed(text, wanted) != text:
                wrong[commit] = wanted
        if wrong and not self.dry_run:
            links.project(self.repo, wrong, "repair")
        if wrong:
            verb = "to be brought" if self.dry_run else "brought"
            yield Repair("note", f"{_count(wrong, 'note')} {verb} in line with the events ({_some(wrong)})", True)


def _one_primary(text: str, wanted: Iterable[links.Edit], sessions: Mapping[str, Session]) -> list[links.Edit]:
    """What gives a note with no or several main sessions one: of those that are here the one that began first."""
    after = links.parse(links.edited(text, wanted))
    primary = [n for n in after if n.primary]
    some = [n for n in primary or after if n.session_id in sessions]
    if len(primary) == 1 or not some:
        return []
    first = min(some, key=lambda n: (sessions[n.session_id].started_at, n.session_id))
    return [links.Edit(first.session_id, True, first.agent, True)]


def _is_stale(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime > STALE_SECONDS
    except OSError:
        return False


def _is_aside(name: str) -> bool:
    """True for `<name>.<process>.<six hex digits>`, as `live.replace` names what it writes."""
    rest, _, random = name.rpartition(".")
    base, _, process = rest.rpartition(".")
    return bool(base) and process.isdecimal() and len(random) == 6 and set(random) <= set("0123456789abcdef")


def _count(things: Iterable[object], noun: str) -> str:
    number = len(list(things))
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(ids: Iterable[str]) -> str:
    named = sorted(ids)
    return ", ".join(i[:8] for i in named[:SHOWN]) + (" …" if len(named) > SHOWN else "")
