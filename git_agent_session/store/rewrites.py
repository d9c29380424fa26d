"""Works in what the post-rewrite hook left: which commit an amend or a rebase replaced by which.

The hook only keeps git's own pairs; here each becomes a `rewrite` event of every session that the old commit's note
names. Read before links are shown or written, so that nobody sees a commit that is gone. Where HEAD has moved since the
last look, the commits that hooks are told nothing of (a cherry-pick, `am`, a squash) are looked for too, by `relink`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from git_agent_session import journal, live
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_object_id, timestamp
from git_agent_session.model import Event, Link, Session, fold
from git_agent_session.store import links, looked
from git_agent_session.store.drain import read_state
from git_agent_session.store.seen import Seen


def settle(repo: Repository) -> set[str]:
    """Turn what waits into journal events; returns the ids of the sessions that got some.

    Git copies notes on an amend or a rebase without looking whether its own view of them is still true, and so may
    undo what a hook wrote in the same moment: the notes of open sessions are gone over too.
    """
    folder = os.path.join(repo.location.shared, "rewrites")
    found = _files(folder)
    touched: set[str] = set()
    for rewriting in _ordered(found):
        touched |= _settle_one(repo, rewriting)
    for rewriting in found:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(rewriting.path)
    if touched:
        for session_id in touched | live.open_sessions(repo.location.shared):
            restore_notes(repo, session_id)
    _look(repo)
    return touched


def _look(repo: Repository) -> None:
    """Look for copies among what HEAD's reflog has new; two system calls when it has not moved."""
    if looked.has_moved(repo.location) and os.access(repo.location.shared, os.W_OK):
        from git_agent_session.store import relink_write  # SQLite, for those alone who need it

        with contextlib.suppress(AgentSessionError, OSError):
            relink_write.look(repo)


@dataclass(frozen=True, slots=True)
class _Rewriting:
    """What one call of the hook was told: `pairs` of old and new commit."""

    path: str
    at_ns: int
    operation: str
    pairs: tuple[tuple[str, str], ...]


def _files(folder: str) -> list[_Rewriting]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = []
    for name in names:
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                lines = f.read(64 * 1024 * 1024).splitlines()
                at = os.fstat(f.fileno()).st_mtime_ns
        except OSError:
            continue
        if len(lines) < 2 or lines[-1] != "end":
            continue  # its hook is still at it, or was killed; git has copied the notes all the same
        split = (tuple(line.split(" ")[:2]) for line in lines[1:-1])
        pairs = tuple((p[0], p[1]) for p in split if len(p) == 2 and p[0] != p[1] and all(map(is_object_id, p)))
        found.append(_Rewriting(path, at, lines[0] if lines[0].isalpha() else "rewrite", pairs))
    return found


def _ordered(found: list[_Rewriting]) -> list[_Rewriting]:
    """By time; where a file system's clock is too coarse to tell, what made a commit before what replaced it."""
    made = {new: r for r in found for _, new in r.pairs}

    def depth(rewriting: _Rewriting, seen: int = 0) -> int:
        before = {id(made[old]): made[old] for old, _ in rewriting.pairs if old in made}
        before.pop(id(rewriting), None)
        return 0 if seen > 50 else max((1 + depth(r, seen + 1) for r in before.values()), default=0)

    return sorted(found, key=lambda r: (r.at_ns // 2_000_000_000, depth(r), r.at_ns))


def _settle_one(repo: Repository, rewriting: _Rewriting) -> set[str]:
    events: dict[str, list[Event]] = {}
    edits: dict[str, list[links.Edit]] = {}
    at = timestamp(rewriting.at_ns)
    for old, new in rewriting.pairs:
        noted = _sessions(repo, old)
        target = _successor(repo, old, new, rewriting) if noted else None
        if target != new:
            # git has copied the note to a commit that did not come from the old one
            edits.setdefault(new, []).extend(links.Edit(n.session_id, False) for n in noted)
        if target is None:
            continue
        data = {"old": old, "new": target, "operation": rewriting.operation}
        for n in noted:
            events.setdefault(n.session_id, []).append(Event(f"rewrite-{old}-{target}", at, "rewrite", data))
            others = edits.setdefault(target, [])
            # of those that a squash brings together the first commit's is the primary one
            first = n.primary and not any(e.primary for e in others)
            others.append(links.Edit(n.session_id, True, n.agent, first))
    known = {i for i in events if repo.tip(SESSIONS + i) or i in journal.waiting(repo.location.shared)}
    for session_id in known:
        journal.append(repo.location.shared, session_id, events[session_id])
    links.project(repo, {c: _without_own(repo, c, e) for c, e in edits.items()}, "rewrite")
    return known


def _without_own(repo: Repository, commit: str, edits: list[links.Edit]) -> list[links.Edit]:
    """`edits` without those that would take off the line of a session which has linked the commit itself."""
    return [e for e in edits if e.present or commit not in _links(repo, e.session_id)]


def _sessions(repo: Repository, commit: str) -> list[links.Noted]:
    """Whose commit it was: by its note, and where that is lost, by the links of open sessions."""
    noted = links.parse(notes.read(repo, commit))
    if noted:
        return noted
    shared = repo.location.shared
    some = live.open_sessions(shared) | journal.waiting(shared)
    return [links.Noted(i, _agent(repo, i), False) for i in sorted(some) if commit in _links(repo, i)]


def _links(repo: Repository, session_id: str) -> Mapping[str, Link]:
    # in this order: what is drained in between is then in both
    pending = [e for e in journal.read(repo.location.shared, session_id).events if e.kind == "commit"]
    tip = repo.tip(SESSIONS + session_id)
    found = Seen.load(repo.location.shared, repo, session_id, tip).links() if tip else {}
    return {**found, **fold(session_id, pending).links} if pending else found


def _successor(repo: Repository, old: str, new: str, rewriting: _Rewriting) -> str | None:
    """The commit that really came from `old`.

    At an `edit` stop git reports whatever HEAD is when the rebase goes on, which may be a commit made by hand on top. A
    pick keeps the author and the author's time, a squash those of one of its commits: what has neither did not come
    from `old`, and the commit below that has them did.
    """
    if rewriting.operation != "rebase":
        return new
    if repo.descends(new, old):
        return None
    authors = {_author(repo, o) for o, n in rewriting.pairs if n == new}
    at: str | None = new
    for _ in range(50):
        if at is None or _author(repo, at) in authors:
            return at
        parents = repo.commit_facts(at).get("parents")
        at = str(parents[0]) if isinstance(parents, list) and parents else None
    return None


def _author(repo: Repository, commit: str) -> tuple[object, object]:
    facts = repo.commit_facts(commit)
    return facts.get("author"), facts.get("authored_at")


def restore_notes(repo: Repository, session_id: str) -> None:
    """Bring the notes of all links that are in a session's ref in line; those that are cost a look each."""
    tip = repo.tip(SESSIONS + session_id)
    if tip is None:
        return
    agent = _agent(repo, session_id)
    found = Seen.load(repo.location.shared, repo, session_id, tip).links()
    kept = [commit for commit, link in found.items() if not link.replaced_by]
    links.project(repo, {commit: [links.Edit(session_id, True, agent)] for commit in kept}, "restore")


def _agent(repo: Repository, session_id: str) -> str:
    tip = repo.tip(SESSIONS + session_id)
    doc = read_state(repo, session_id, tip) if tip else {}
    return Session.from_doc(doc).agent.type or "unknown"
