"""A session once more, in its order: prompts, answers, tool calls, decisions, and commits with what they changed.

Where a session has a transcript, what was said and done comes from there, and its events give the rest; both are merged
by time. `steps` reads as it goes, `paced` waits between them as the session did, `lines` puts one into words, `rebuild`
makes a worktree of the commit that was in force. What was never committed cannot be brought back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from git_agent_session.errors import CommitNotFound, GitError
from git_agent_session.git import worktree as worktrees
from git_agent_session.git.patch import patch
from git_agent_session.ids import is_object_id, is_timestamp
from git_agent_session.model import Doc, Event
from git_agent_session.report import conversation, events
from git_agent_session.report import view as words
from git_agent_session.report.timeline import Entry, Timeline
from git_agent_session.report.view import View
from git_agent_session.store.reader import Reader
from git_agent_session.work import fork

# bytes of a commit's diff that are shown
MAX_PATCH = 256 * 1024
# seconds; nobody waits for a night to pass
LONGEST_PAUSE = 3.0
# how a session is stored and counted, not what happened in it
_UNTOLD = frozenset({"transcript", "usage"})
# what a transcript tells better
_TOLD = frozenset({"message", "tool", "compact", "interrupt", "model"})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: an `event`, or an `entry` of the transcript. A commit has its `subject` and its `patch`.

    `cut` says that the patch has more than is here; `missing` that the commit is not in this repository.
    """

    session: str
    at: str
    event: Event | None = None
    entry: Entry | None = None
    commit: str = ""
    subject: str = ""
    patch: str = ""
    cut: bool = False
    missing: bool = False

    @property
    def kind(self) -> str:
        """The kind of the event or of the entry."""
        return self.event.kind if self.event else self.entry.kind if self.entry else ""

    def to_dict(self) -> Doc:
        """For a line of `--json`: `session`, and the keys of the event or of the entry; of a commit what it changed."""
        own = self.event.to_dict() if self.event else self.entry.to_dict() if self.entry else {}
        out: Doc = {"session": self.session, **own}
        out |= {k: v for k in ("subject", "patch", "cut", "missing") if (v := getattr(self, k))}
        return out


def steps(reader: Reader, session: str | None = None, *, until: str = "", inherited: bool = False) -> Iterator[Step]:
    """What happened in a session, one step after the other, `until` a point (see `fork.point`), that included.

    `inherited`: begin with what led to a fork, in the sessions it came from. Raises UsageError for a point that is
    none.
    """
    session_id = reader.resolve(session)
    end = fork.point(reader, session_id, until)
    parts = fork.lineage(reader, session_id)[:-1] if inherited else []
    # a moment is a moment for the transcript too, an event the time at which it came
    last = until if is_timestamp(until) else end.events[-1].at if until and end.events else ""
    for part, found in parts:
        yield from _steps(reader, part, found, found[-1].at if found else "")
    yield from _steps(reader, session_id, end.events, last)


def _steps(reader: Reader, session_id: str, found: Sequence[Event], last: str) -> Iterator[Step]:
    timeline = Timeline(reader, reader.get(session_id), found)
    entries = _until(timeline.entries(), last) if timeline else iter(())
    leave = _UNTOLD | (_TOLD if timeline else frozenset())
    waiting = next(entries, None)
    for event in found:
        while waiting is not None and waiting.at <= event.at:
            yield Step(session_id, waiting.at, entry=waiting)
            waiting = next(entries, None)
        if event.kind not in leave:
            yield _of_event(reader, session_id, event)
    while waiting is not None:
        yield Step(session_id, waiting.at, entry=waiting)
        waiting = next(entries, None)


def _until(entries: Iterable[Entry], last: str) -> Iterator[Entry]:
    for entry in entries:
        if last and entry.at > last:
            return
        yield entry


def _of_event(reader: Reader, session_id: str, event: Event) -> Step:
    commit = str(event.data.get({"commit": "commit", "rewrite": "new"}.get(event.kind, ""), ""))
    if not is_object_id(commit):
        return Step(session_id, event.at, event)
    facts = reader.repo.commit_facts(commit)
    subject, text, whole = str(facts.get("subject", "")), "", True
    # a rewriting says again what its commits changed before
    if facts and event.kind == "commit":
        try:
            text, whole = patch(_folder(reader), commit, MAX_PATCH)
        except GitError:
            facts = {}
    return Step(session_id, event.at, event, None, commit, subject, text, not whole, not facts)


def _folder(reader: Reader) -> str:
    location = reader.repo.location
    return location.worktree or location.git_dir


def paced(
    found: Iterable[Step], speed: float, sleep: Callable[[float], None] = time.sleep, longest: float = LONGEST_PAUSE
) -> Iterator[Step]:
    """The steps with the pauses there were, `speed` times as fast and none longer than `longest` seconds.

    0 waits for nothing.
    """
    before = ""
    for step in found:
        if speed > 0 and before and (gap := _seconds(before, step.at)) > 0:
            sleep(min(gap / speed, longest))
        before = step.at or before
        yield step


def _seconds(first: str, second: str) -> float:
    try:
        return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def lines(view: View, step: Step, *, full: bool = False) -> Iterator[str]:
    """A step as lines for a terminal; `full` cuts no tool's input or output, and no diff."""
    if step.entry is not None:
        yield from conversation.lines(view, [step.entry], full=full)
        return
    event = step.event
    if event is None:
        return
    what = events.describe(event, lambda commit: step.subject)
    at = view.dim(words.local_time(event.at))
    yield f"{view.heading(events.kind(event))}  {at}"
    if what:
        yield from (f"    {line}" for line in conversation.cut(conversation.text_lines(what), full))
    if step.missing:
        yield f"    {view.dim('(not in this repository)')}"
    yield from _patch(view, step, full)


def _patch(view: View, step: Step, full: bool) -> Iterator[str]:
    if not step.patch:
        return
    slots = {"+": "status-active", "-": "status-failed", "@": "dim"}
    shown = conversation.text_lines(step.patch)
    limit = len(shown) if full else conversation.LINES * 5
    for line in shown[:limit]:
        slot = "" if line.startswith(("+++", "---")) else slots.get(line[:1], "")
        yield f"    {view.palette.paint(slot, line) if slot else line}".rstrip()
    if len(shown) > limit or step.cut:
        yield f"    {view.dim('… the diff goes on: git show ' + step.commit[:10])}"


def rebuild(reader: Reader, session: str | None, folder: str, *, until: str = "") -> tuple[str, str]:
    """Make a detached worktree in `folder` of the commit in force at a point; returns its path and the commit.

    The user's own worktree is not touched; git-worktree(1) removes the new one. Raises CommitNotFound where no commit
    was in force or it is not here, StorageError for a folder that is not empty, GitError.
    """
    worktrees.refuse_filled(folder)
    end = fork.point(reader, session, until)
    if not end.commit:
        raise CommitNotFound(
            f"no commit was in force at that point of session {end.session[:8]}", hint="name a later point with --until"
        )
    if not reader.repo.commit_facts(end.commit):
        raise CommitNotFound(f"commit {end.commit[:10]} is not in this repository", hint="fetch it first")
    return worktrees.add(_folder(reader), folder, end.commit), end.commit
