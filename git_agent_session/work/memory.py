"""What an agent that begins should know of those before it: what they left open on this branch, and what was decided.

At most 500 tokens, and nothing at all where there is nothing worth saying. The sessions looked at are those of the last
commits of the branch, by their notes, and those that this worktree had last. As a program (`python -m`, started by an
agent's hook with a deadline) it prints the text for one session that begins.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from git_agent_session import live
from git_agent_session.context import gather
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import notes
from git_agent_session.git.discover import Location
from git_agent_session.git.recent import recent
from git_agent_session.git.repository import Repository
from git_agent_session.model import ACTIVE, PAUSED, Event, Session
from git_agent_session.store import left_open, links
from git_agent_session.store.reader import Reader
from git_agent_session.term import count
from git_agent_session.work import brief, tasks

MAX_TOKENS = 500
# how far it looks: commits of the branch, sessions, files in play
COMMITS = 30
SESSIONS = 5
_FILES = 200
# what is said at most of each kind
_SAID = 3
_DECISIONS = 8
_TASKS = 4


@dataclass(frozen=True, slots=True)
class Before:
    """A session before this one: its state, its events, and the files of its commits."""

    session: Session
    events: Sequence[Event]
    paths: frozenset[str]


def for_agent(reader: Reader, session_id: str = "", *, budget: int = MAX_TOKENS) -> brief.Brief:
    """The brief for an agent whose session `session_id` begins; its text is "" where there is nothing to say."""
    found = list(_before(reader, session_id))
    files = _in_play(reader) | {path for b in found for path in b.paths}
    sections = [
        brief.Section("Left open by the last sessions on this branch", tuple(_open(reader, found)), 1),
        brief.Section("Decisions about files in play", tuple(_decisions(found, files)), 1),
    ]
    opening = "From git agent-session, which keeps what agents did in this repository:"
    closing = (
        "More: `git agent-session resume -n ID` for a session's brief, `history ID` for all of it, `which COMMIT` for "
        "the session of a commit."
    )
    return brief.assemble(reader, session_id, opening, sections, closing, budget)


def _before(reader: Reader, session_id: str) -> Iterator[Before]:
    """The sessions to look at, the youngest first; those that cannot be read are passed over."""
    states: list[Session] = []
    for known in _names(reader, session_id)[: 4 * SESSIONS]:
        try:
            states.append(reader.get(known))
        except AgentSessionError:
            continue
    for state in sorted(states, key=lambda s: s.updated_at, reverse=True)[:SESSIONS]:
        try:
            paths = brief.changed_files(reader, state.id, COMMITS)
            yield Before(state, reader.history(state.id), frozenset(paths))
        except AgentSessionError:
            continue


def _names(reader: Reader, session_id: str) -> list[str]:
    found: dict[str, None] = {}
    for made in recent(reader.repo, limit=COMMITS, since=0.0, branch=True):
        found |= dict.fromkeys(n.session_id for n in links.parse(notes.read(reader.repo, made.commit)))
    found |= dict.fromkeys(live.recent(reader.private)[:SESSIONS])
    found.pop(session_id, None)
    return list(found)


def _in_play(reader: Reader) -> set[str]:
    """The files that are changed and not committed."""
    location = reader.repo.location
    if location.worktree is None:
        return set()
    try:
        status = gather.status(gather.Place(location.worktree, bare=False))
    except AgentSessionError:
        return set()
    return {change.path for change in status.changes[:_FILES]}


def _open(reader: Reader, found: Sequence[Before]) -> Iterator[str]:
    said = 0
    for before in found:
        lines = list(_left(reader, before.session))
        if lines and said < _SAID:
            said += 1
            yield from lines


def _left(reader: Reader, state: Session) -> Iterator[str]:
    """What a session left open, its name first; nothing for one that left nothing."""
    todo = [t for t in tasks.of(state) if not t.over]
    how = _unfinished(reader, state)
    if not todo and not how:
        return
    who = " ".join(t for t in (state.agent.type, f"of {state.user.partition(' <')[0]}" if state.user else "") if t)
    about = f": {state.about[:160]}" if state.about else ""
    yield f"{state.id[:8]} ({', '.join(t for t in (who, how or state.status) if t)}){about}"
    if how and state.last_error:
        yield f"its last error: {state.last_error[:160]}"
    for task in todo[:_TASKS]:
        yield f"open task: {task.title[:120]}"
    if len(todo) > _TASKS:
        yield f"and {count(len(todo) - _TASKS, 'more open task')}"


def _unfinished(reader: Reader, state: Session) -> str:
    """How a session stands that did not come to its end, "" for one that did."""
    if left_open.why(reader.shared, state):
        return "left open by a crash"
    phase = f" in phase {state.phase[:40]}" if state.phase else ""
    if state.status == PAUSED or (state.status == ACTIVE and phase):
        return f"{state.status}{phase}"
    if state.ended and state.status != "completed":
        return f"{state.status}{phase}" + (f", {state.message[:100]}" if state.message else "")
    return ""


def _decisions(found: Sequence[Before], files: set[str]) -> Iterator[str]:
    """The decisions about any of the files, the last one first: by their paths, else by a file that they name."""
    said: set[str] = set()
    for before in found:
        for event in reversed(before.events):
            text = event.data.get("text")
            if event.kind != "decision" or not isinstance(text, str) or text in said:
                continue
            about = [path for path in brief.paths_of(event) if path in files]
            about = about or [path for path in sorted(files) if path in text][:3]
            if about and len(said) < _DECISIONS:
                said.add(text)
                yield f"{', '.join(about[:3])[:120]}: {text[:240]}"


def main(argv: list[str]) -> int:
    """GIT_DIR COMMON_DIR WORKTREE SESSION: print the brief for that session, or nothing."""
    git_dir, common_dir, worktree, session_id = argv
    found = for_agent(Reader(Repository(Location(git_dir, common_dir, worktree or None))), session_id)
    sys.stdout.buffer.write(found.text.encode("utf-8", "replace"))
    return 0
