"""Joins fetched notes with ours, and writes the notes of links that came with fetched sessions.

A note is a projection of links. Where both sides changed one, its lines are merged three-way; but what events say goes
before: a link that a session here holds has its line, one that was taken back has none, whatever the merge made of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from git_agent_session.errors import AgentSessionError, StorageError
from git_agent_session.git import notes, notes_join
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.ids import is_object_id
from git_agent_session.model import fold
from git_agent_session.store import links, union
from git_agent_session.store.order import in_order
from git_agent_session.store.seen import Seen

_DEADLINE_SECONDS = 30.0


class Judge:
    """What the sessions here say of links, each read once."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._known: dict[str, tuple[set[str], set[str]] | None] = {}

    def says(self, session_id: str, commit: str) -> bool | None:
        """True for a link in force, False for one that was taken back, None where nothing is known."""
        if session_id not in self._known:
            self._known[session_id] = self._read(session_id)
        known = self._known[session_id]
        if known is None:
            return None
        return True if commit in known[0] else False if commit in known[1] else None

    def _read(self, session_id: str) -> tuple[set[str], set[str]] | None:
        tip = self._repo.tip(SESSIONS + session_id)
        if tip is None:
            return None
        try:
            seen = Seen.load(self._repo.location.shared, self._repo, session_id, tip)
        except AgentSessionError:
            return None
        found = seen.links()
        held = {commit for commit, link in found.items() if not link.replaced_by}
        taken = {str(e.data.get("commit", "")) for e in seen.linking if e.kind == "unlink"}
        return held, taken - found.keys()


def merge(repo: Repository, theirs: str) -> tuple[str, Sequence[str]]:
    """Join the notes at `theirs` with ours: `new`, `updated`, `merged` or `up-to-date`, and what was not taken.

    Raises StorageError; the notes here are then as they were.
    """
    judge = Judge(repo)
    deadline = time.monotonic() + _DEADLINE_SECONDS

    def combine(commit: str, base: str, mine: str, other: str) -> str:
        return combined(commit, base, mine, other, judge)

    def keep(commit: str, mine: str, other: str) -> str:
        return kept(commit, mine, other, judge)

    while True:
        ours = repo.tip(notes.REF)
        if ours and (ours == theirs or repo.descends(ours, theirs)):
            return union.SAME, ()
        joined = notes_join.join(repo, ours, theirs, combine, keep)
        try:
            repo.swap(notes.REF, joined.tip, ours, "merge notes")
        except Moved as e:
            if time.monotonic() > deadline:
                raise StorageError("the notes are written by others again and again", hint="try again") from e
            time.sleep(random.random() * 0.02)
            continue
        forward = joined.tip == theirs
        return (union.NEW if ours is None else union.UPDATED if forward else union.MERGED), joined.refused


def combined(commit: str, base: str, ours: str, theirs: str, judge: Judge) -> str:
    """The note that joins two; the same text whichever side is whose."""
    texts = [base, *sorted((ours, theirs))]
    was, one, other = ({n.session_id: n for n in links.parse(text)} for text in texts)
    found = []
    for session_id in sorted(was.keys() | one.keys() | other.keys()):
        verdict = judge.says(session_id, commit)
        present = _three_way(session_id in was, session_id in one, session_id in other)
        if verdict is False or (verdict is None and not present):
            continue
        sides = [n[session_id] for n in (one, other, was) if session_id in n]
        first = _three_way(*(session_id in n and n[session_id].primary for n in (was, one, other)))
        agent = min((n.agent for n in sides if n.agent != "unknown"), default="unknown")
        found.append(links.Noted(session_id, agent, first))
    before = {n.session_id for side in (one, other) for n in side.values() if n.primary}
    lines = _foreign(*texts)
    return "\n".join([*lines, *(links.line(noted) for noted in _one_primary(found, before))])


def _one_primary(found: Sequence[links.Noted], before: Collection[str]) -> Sequence[links.Noted]:
    """The sessions of a note with one main one: where both sides named one, or the one that was it is gone, the first
    of those that either side names (`before`), whichever side is whose.
    """
    named = [n.session_id for n in found if n.primary] or [n.session_id for n in found if n.session_id in before]
    return [replace(n, primary=n.session_id == named[0]) for n in found] if named else found


def kept(commit: str, ours: str, theirs: str, judge: Judge) -> str:
    """Their note, and of ours the lines that it lacks though a session here holds the link: a clone that has deleted
    the session, or was given other ones only, sends notes without them.
    """
    there = {n.session_id for n in links.parse(theirs)}
    lacking = [n for n in links.parse(ours) if n.session_id not in there and judge.says(n.session_id, commit)]
    edits = [links.Edit(n.session_id, True, n.agent, n.primary) for n in lacking]
    return links.edited(theirs, edits) if edits else theirs


def _three_way(base: bool, one: bool, other: bool) -> bool:
    return one if one == other else not base


def _foreign(base: str, one: str, other: str) -> list[str]:
    """The lines that are not ours, in the order they stand in."""
    was, mine, theirs = (_others(text) for text in (base, one, other))
    return [ln for ln in dict.fromkeys((*mine, *theirs)) if _three_way(ln in was, ln in mine, ln in theirs)]


def _others(text: str) -> list[str]:
    lines = (ln for ln in text.splitlines() if ln.strip())
    return list(dict.fromkeys(ln for ln in lines if not links.parse(ln)))


def project(repo: Repository, taken: Iterable[union.Taken]) -> None:
    """Write the notes of the links in sessions that were taken in, in one step; those that stand already cost a look.

    Raises StorageError.
    """
    wanted: dict[str, list[links.Edit]] = {}
    for one in taken:
        if not one.linking:
            continue
        if one.status == union.NEW:
            found = fold(one.session_id, in_order(one.linking)).links
        else:
            found = Seen.load(repo.location.shared, repo, one.session_id, one.tip).links()
        agent = one.agent or "unknown"
        for event in one.linking:
            commit = str(event.data.get("new" if event.kind == "rewrite" else "commit", ""))
            if not is_object_id(commit) or len(commit) != 40:
                continue
            link = found.get(commit)
            if link is not None and not link.replaced_by:
                wanted.setdefault(commit, []).append(links.Edit(one.session_id, True, agent))
            elif link is None and event.kind == "unlink":
                wanted.setdefault(commit, []).append(links.Edit(one.session_id, False))
    if wanted:
        links.project(repo, wanted, "fetch")
