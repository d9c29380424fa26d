"""Proves that a session of the past made a commit, by what its transcript shows; a doubt is no link.

`transcript`: git's own words in the agent's shell name the commit (`[main 1a2b3c4] Subject`), or the command of that
very moment was a `git commit` with that subject, of files that the session wrote. `files`: the commit was authored
while the session ran, and holds to the byte what the session wrote. What two sessions can claim belongs to neither,
unless git's words decide. Nothing is written here.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.git import notes
from git_agent_session.git.repository import Repository
from git_agent_session.git.run import run
from git_agent_session.model import Doc
from git_agent_session.store import links

TRANSCRIPT, FILES = "transcript", "files"
# seconds: what git says may stand in the transcript a little before or after the commit's own time
SHOWN_SLACK = 120
SPAN_SLACK = 120
# a commit's time has whole seconds
COMMAND_SLACK = 2
# of each kind, the latest: what is kept of a session's evidence has an end
MOST = 5000
# characters of a command
LONGEST = 16 * 1024
# the blob without content (`git hash-object -t blob /dev/null`): everybody writes that one
_EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

# builtin/commit.c, print_commit_summary: `[branch (root-commit) abbreviated] subject`
_SUMMARY = re.compile(
    r"^\[(?:detached HEAD|[^\s\[\]]+) (?:\(root-commit\) )?(?P<id>[0-9a-f]{7,64})\] (?P<subject>.*)$", re.M
)
_COMMITS = re.compile(r"\bgit\b[^\n;&|]*\bcommit\b")


@dataclass(frozen=True, slots=True)
class Shown:
    """What git printed of a commit that it made, and when the command ran: seconds since 1970."""

    id: str
    subject: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Command:
    """A `git commit` of the agent's shell, and when it ran: seconds since 1970."""

    text: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Write:
    """A file that the session wrote: the path in the worktree, when (seconds since 1970), the blob, "" if unknown."""

    path: str
    at: float
    blob: str = ""


@dataclass(slots=True)
class Evidence:
    """What a session's transcript shows; `first` and `last` are its span in seconds since 1970."""

    session_id: str
    first: float = 0.0
    last: float = 0.0
    shown: list[Shown] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)

    def ran(self, command: str, output: str, began: float, ended: float, redact: Callable[[Any], Any]) -> None:
        """Take in a command of the agent's shell; what makes no commit says nothing. What is kept is redacted."""
        for match in _SUMMARY.finditer(output):
            _add(self.shown, Shown(match["id"], redact(match["subject"].strip()), began, ended))
        if _COMMITS.search(command):
            _add(self.commands, Command(redact(command)[:LONGEST], began, ended))

    def wrote(self, path: str, at: float, blob: str) -> None:
        """Take in a file that was written."""
        _add(self.writes, Write(path, at, blob))

    def to_doc(self) -> Doc:
        """As plain values, to be kept."""
        return {
            "first": self.first,
            "last": self.last,
            "shown": [[s.id, s.subject, s.began, s.ended] for s in self.shown],
            "commands": [[c.text, c.began, c.ended] for c in self.commands],
            "writes": [[w.path, w.at, w.blob] for w in self.writes],
        }

    @classmethod
    def from_doc(cls, session_id: str, doc: Mapping[str, Any]) -> Evidence:
        """The evidence that `to_doc` wrote; raises ValueError, TypeError or KeyError for anything else."""
        return cls(
            session_id,
            float(doc["first"]),
            float(doc["last"]),
            [Shown(str(i), str(s), float(b), float(e)) for i, s, b, e in doc["shown"]],
            [Command(str(t), float(b), float(e)) for t, b, e in doc["commands"]],
            [Write(str(p), float(a), str(b)) for p, a, b in doc["writes"]],
        )


def _add(rows: list[Any], row: Any) -> None:
    # the same part of a transcript may be read twice
    if row not in rows[-200:]:
        rows.append(row)
        del rows[:-MOST]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the project; times in seconds since 1970."""

    id: str
    authored: int
    committed: int
    parents: int
    subject: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A commit that a session made, and how that is known."""

    session_id: str
    commit: Commit
    via: str


def prove(repo: Repository, evidence: Sequence[Evidence]) -> list[Proof]:
    """The commits that can be proved and belong to no session yet, the oldest first."""
    if not evidence:
        return []
    since = min(e.first for e in evidence) - max(SHOWN_SLACK, SPAN_SLACK)
    history = _History(repo, reachable(repo, since))
    said: dict[str, set[str]] = {}
    for e in evidence:
        for commit in history.named(e.shown):
            said.setdefault(commit.id, set()).add(e.session_id)
    held: dict[str, dict[str, str]] = {}
    for e in evidence:
        for commit in history.authored(e.first - SPAN_SLACK, e.last + SPAN_SLACK):
            if commit.id not in said and (via := history.agrees(commit, e)):
                held.setdefault(commit.id, {})[e.session_id] = via
    claims = {**held, **{commit: dict.fromkeys(sessions, TRANSCRIPT) for commit, sessions in said.items()}}
    # what two can claim belongs to neither
    sure = [(history.by_id[commit], *by.popitem()) for commit, by in claims.items() if len(by) == 1]
    found = [Proof(s, c, via) for c, s, via in sure if not links.parse(notes.read(repo, c.id))]
    return sorted(found, key=lambda proof: proof.commit.authored)


def reachable(repo: Repository, since: float) -> list[Commit]:
    """The project's commits on any ref or HEAD that were committed after `since` (seconds since 1970)."""
    args = ("--exclude=refs/agent-sessions*", "--exclude=refs/notes/*", "--exclude=refs/stash", "--all")
    form = ("--no-show-signature", "-z", "--format=%H %at %ct %P%n%s", f"--since={max(0, int(since))}")
    data = run("log", *form, *args, "--", cwd=repo.location.git_dir).stdout
    found = []
    for row in data.decode("utf-8", "replace").split("\0"):
        head, _, subject = row.partition("\n")
        words = head.split()
        if len(words) >= 3:
            found.append(Commit(words[0], int(words[1]), int(words[2]), len(words) - 3, subject.strip()))
    return found


class _History:
    """The commits to choose from."""

    def __init__(self, repo: Repository, commits: Iterable[Commit]) -> None:
        self.repo = repo
        self.by_id = {c.id: c for c in commits}
        self._ids = sorted(self.by_id)
        self._by_time = sorted(self.by_id.values(), key=lambda c: c.authored)
        self._times = [c.authored for c in self._by_time]
        self._paths: dict[str, list[str]] = {}

    def named(self, shown: Iterable[Shown]) -> Iterable[Commit]:
        """The commits that git's words name: by id, subject and time, and none other like it."""
        for s in shown:
            first = bisect_left(self._ids, s.id)
            same = [self.by_id[i] for i in self._ids[first : first + 2] if i.startswith(s.id)]
            if len(same) == 1 and _is_of_then(s, same[0]) and _same_line(s.subject, same[0].subject):
                yield same[0]

    def authored(self, first: float, last: float) -> Sequence[Commit]:
        """The commits whose author's time lies within a span, merges left out."""
        found = self._by_time[bisect_left(self._times, first) : bisect_right(self._times, last)]
        return [c for c in found if c.parents < 2]

    def agrees(self, commit: Commit, evidence: Evidence) -> str:
        """How the files of a commit prove that a session made it; "" where they do not."""
        latest: dict[str, Write] = {}
        for write in evidence.writes:
            if write.at < commit.authored + 1 and (write.path not in latest or latest[write.path].at <= write.at):
                latest[write.path] = write
        paths = self._changed(commit) if latest else []
        ours = [latest[p] for p in paths if p in latest]
        if not ours:
            return ""
        if len(ours) == len(paths) and any(_commanded(c, commit) for c in evidence.commands):
            return TRANSCRIPT
        known = [(w.blob, self.repo.blob_at(commit.id, w.path)) for w in ours if w.blob]
        same = [blob for blob, there in known if blob == there]
        return FILES if len(same) == len(known) and any(blob != _EMPTY for blob in same) else ""

    def _changed(self, commit: Commit) -> list[str]:
        if commit.id not in self._paths:
            self._paths[commit.id] = self.repo.changed_paths(commit.id)[0]
        return self._paths[commit.id]


def _is_of_then(shown: Shown, commit: Commit) -> bool:
    # an amend keeps the author's time
    began, ended = shown.began - SHOWN_SLACK, shown.ended + SHOWN_SLACK
    return any(began <= moment <= ended for moment in (commit.authored, commit.committed))


def _same_line(shown: str, subject: str) -> bool:
    # a subject with a secret in it is kept without
    return shown == subject or ("[redacted:" in shown and shown.partition("[redacted:")[0] == subject[: len(shown)])


def _commanded(command: Command, commit: Commit) -> bool:
    if not command.began - COMMAND_SLACK <= commit.authored <= command.ended + COMMAND_SLACK or not commit.subject:
        return False
    line = rf"(?:^|[\"'\n])[ \t]*{re.escape(commit.subject)}[ \t]*(?:$|[\"'\n])"
    return re.search(line, command.text) is not None
