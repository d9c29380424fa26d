"""`git blame` with the session behind each line: git finds the commits, the notes name their sessions, and what the
sessions recorded says who wrote the line: the agent, a person, both, or nobody knows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from git_agent_session import live
from git_agent_session.agents import authorship
from git_agent_session.agents.attribution import Finder, Lines
from git_agent_session.agents.authorship import AGENT, HUMAN, MIXED, UNKNOWN
from git_agent_session.answers.lines import Attribution, Author, Progress
from git_agent_session.answers.options import Options
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import blame as gits
from git_agent_session.git import running
from git_agent_session.git.changes import LARGEST, Change, cut_off, text_at
from git_agent_session.git.discover import Location
from git_agent_session.ids import is_session_id, timestamp
from git_agent_session.store.reader import Reader

_TOUCHED = "touched."
# sessions and commits that are read before anybody has asked for them, and so many at once
MOST_AHEAD, PART = 1000, 50
_NOBODY = Author("", "", False, True)


class BlamedLine(NamedTuple):
    """A line: where it is, the commit that brought it, where it stood there, and who wrote it.

    `kind` is one of `authorship.KINDS`; `session` is "" without one, else full, and `present` False where it is not in
    this repository. `prompt` counts the user's messages in the session from 1 on, 0 where it is not known. `at` is the
    author date, RFC 3339. `committed` is False for a line of the worktree that is in no commit.
    """

    number: int
    text: str
    commit: str
    path: str
    before: int
    kind: str
    session: str = ""
    agent: str = ""
    prompt: int = 0
    present: bool = True
    committed: bool = True
    author: str = ""
    at: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The keys of docs/json.md, those without a value left out."""
        row: dict[str, Any] = {"line": self.number, "kind": self.kind}
        if self.committed:
            row |= {"commit": self.commit, "path": self.path, "original_line": self.before}
        for key in ("session", "agent", "prompt", "author", "at"):
            if value := getattr(self, key):
                row[key] = value
        if self.session and not self.present:
            row["present"] = False
        return {**row, "text": self.text}


class Block(NamedTuple):
    """Lines that follow each other and are alike but for number and text: the first one, and of all what git wrote.

    `heads` and `raw` are as in `git.blame.Group`.
    """

    line: BlamedLine
    heads: Sequence[bytes]
    raw: Sequence[bytes]

    @property
    def texts(self) -> list[str]:
        """The text of each line, what is not UTF-8 replaced."""
        return b"\n".join(self.raw)[1:].decode("utf-8", "replace").split("\n\t")

    def lines(self) -> Iterator[BlamedLine]:
        """Each line."""
        first = self.line
        alike = first[5:]
        for n, text in enumerate(self.texts):
            yield BlamedLine(first.number + n, text, first.commit, first.path, first.before + n, *alike)


# the kind of a line, the session that it belongs to, and the prompt
Verdict = tuple[str, Author | None, int]


def start(location: Location, path: str, options: Options | None = None, *, cwd: str | None = None) -> gits.Blame:
    """Start git's blame of a file, relative to `cwd` (default: the worktree's top); `Blamed` reads it."""
    where = cwd or gits.folder_of(location)
    return gits.Blame(running.blame(location, where, (options or Options()).arguments(path)))


def blame(
    reader: Reader,
    path: str,
    options: Options | None = None,
    *,
    cwd: str | None = None,
    progress: Progress | None = None,
) -> Blamed:
    """The lines of a file with who wrote them; `progress` counts the sessions that are read.

    Raises GitError for what git cannot blame.
    """
    begun = start(reader.repo.location, path, options, cwd=cwd)
    whole = options is None or not options.ranges
    return Blamed(reader, begun, os.path.join(cwd or "", path) if whole else "", progress)


class _Source:
    """A commit's file: who made the commit and when, and what each of its sessions says of the lines.

    `alone` is whose the lines are without any session.
    """

    __slots__ = ("alone", "at", "author", "found")

    def __init__(self, author: str, at: str, alone: str, found: Sequence[tuple[Author, Lines, int]]) -> None:
        self.author = author
        self.at = at
        self.alone = alone
        self.found = found

    def verdict(self, number: int) -> Verdict:
        """The verdict on a line; the prompt is the line's own, else the commit's."""
        if not self.found:
            return self.alone, None, 0
        persons = 0
        for author, lines, asked in self.found:
            line = lines.get(number)
            if line is None:
                continue
            if line.kind in (AGENT, MIXED):
                return line.kind, author, line.prompt or asked
            persons += line.kind == HUMAN
        if persons == len(self.found):
            return HUMAN, self.found[0][0], 0
        author, _, asked = next((one for one in self.found if one[0].present), self.found[0])
        return UNKNOWN, author, asked

    def marks(self, first: int, count: int) -> Sequence[object]:
        """For each of so many lines something that is the same for those of one verdict."""
        known = [list(map(lines.get, range(first, first + count))) for _, lines, _ in self.found]
        return known[0] if len(known) == 1 else list(zip(*known, strict=True)) or [None] * count


class _Unsettled:
    """A file of the worktree: what is known of its lines that are in no commit; `alone` is whose the others are."""

    __slots__ = ("alone", "at", "author", "found")

    def __init__(self, found: Mapping[int, tuple[Author, authorship.Line]], alone: str) -> None:
        self.author = self.at = ""
        self.alone = alone
        self.found = found

    def verdict(self, number: int) -> Verdict:
        """The verdict on a line."""
        who, line = self.found.get(number, (None, None))
        return (line.kind, who, line.prompt) if line is not None else (self.alone, None, 0)

    def marks(self, first: int, count: int) -> Sequence[object]:
        """As of `_Source`."""
        return list(map(self.found.get, range(first, first + count)))


class Blamed:
    """The answer for one file, read once from a running `git blame`; `heads` is what git says of each commit.

    `path`: the file, absolute or from the worktree's top, where all of its sessions are likely to be asked for.
    """

    def __init__(self, reader: Reader, running: gits.Blame, path: str = "", progress: Progress | None = None) -> None:
        self.reader = reader
        self.repo = reader.repo
        self._running = running
        self.heads = running.heads
        self.attribution = Attribution(reader)
        self.groups: list[gits.Group] = []
        self._ends = cut_off(self.repo)
        with running:
            if path:
                self._look_ahead(path)
            self._read(progress)

    def _look_ahead(self, path: str) -> None:
        """Read the sessions that an index knows of the file, as long as git is at work."""
        from git_agent_session import index

        worktree = self.repo.location.worktree or ""
        path = os.path.relpath(path, worktree) if worktree and os.path.isabs(path) else path
        with contextlib.suppress(AgentSessionError):
            found, name = index.open(self.reader), path.replace(os.sep, "/")
            query = "SELECT DISTINCT commit_id FROM files WHERE path = ? AND commit_id <> '' LIMIT ?"
            commits = [commit for (commit,) in found.query(query, (name, MOST_AHEAD))]
            touched = found.touched(name)[:MOST_AHEAD]
            for start in range(0, max(len(touched), len(commits)), PART):
                if self._running.ready:
                    return
                self.attribution.load(touched[start : start + PART], named(name))
                self.attribution.look_at(commits[start : start + PART])

    def _read(self, progress: Progress | None) -> None:
        self.groups = list(self._running)
        self.attribution.prepare(dict.fromkeys(g.commit for g in self.groups if g.commit != gits.ZERO), progress)

    def lines(self) -> Iterator[BlamedLine]:
        """The lines in their order."""
        for block in self.blocks():
            yield from block.lines()

    def blocks(self) -> Iterator[Block]:
        """The same, those together that are alike."""
        sources: dict[tuple[str, str], _Source | _Unsettled] = {}
        for group in self.groups:
            key = group.commit, group.path
            source = sources.get(key)
            if source is None:
                made = self._unsettled(group.path) if group.commit == gits.ZERO else self._source(*key)
                source = sources[key] = made
            yield from _blocks(group, source)

    def _source(self, commit: str, path: str) -> _Source:
        """What is known of the lines that a commit brought to a file."""
        head, key = self.heads[commit], named(path)
        found = []
        for author in self.attribution.authors(commit):
            record = self.attribution.record(author.session, commit) if author.present else None
            found.append((author, record.files.get(key, {}) if record else {}, record.prompt if record else 0))
        cut = "boundary" in head and (commit in self._ends or self._has_parents(commit))
        return _Source(*_facts(head), UNKNOWN if cut else HUMAN, found)

    def _has_parents(self, commit: str) -> bool:
        """True where blame ended at a commit that need not have brought the line: nobody wanted to look beyond."""
        return bool(self.repo.commit_facts(commit).get("parents"))

    # -- lines of the worktree

    def _unsettled(self, path: str) -> _Unsettled:
        """What is known of the lines of a file that are in no commit."""
        found = self._work_at(path)
        sessions = {session_id for session_id, _ in found.values()}
        authors = {i: Author(i, self.attribution.agent(i), False, True) for i in sessions}
        return _Unsettled({n: (authors[i], line) for n, (i, line) in found.items()}, self._nobody)

    @property
    def _nobody(self) -> str:
        """Whose a line is that no session has touched: a person's, where no agent is at work."""
        return UNKNOWN if any(live.open_sessions(self.repo.location.shared)) else HUMAN

    def _work_at(self, path: str) -> dict[int, tuple[str, authorship.Line]]:
        """The verdicts on a file of the worktree, by line: those of the sessions that wrote it here."""
        found: dict[int, tuple[str, authorship.Line]] = {}
        touching = _touching(self.repo.location, named(path))
        change = self._change_at(path) if touching else None
        for session_id in touching if change is not None else ():
            try:
                lines: Lines = Finder(self.reader, session_id).uncommitted(change) if change is not None else {}
            except (AgentSessionError, ValueError, OSError):
                continue
            for number, verdict in lines.items():
                known = found.get(number)
                if known is None or (known[1].kind not in (AGENT, MIXED) and verdict.kind in (AGENT, MIXED)):
                    found[number] = (session_id, verdict)
        return found

    def _change_at(self, path: str) -> Change | None:
        worktree, head = self.repo.location.worktree, self.repo.head()
        try:
            full = os.path.join(worktree or "", path)
            if not worktree or os.path.islink(full) or os.stat(full).st_size > LARGEST:
                return None
            with open(full, "rb") as f:
                data = f.read()
        except OSError:
            return None
        import hashlib

        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        before = text_at(self.repo, head, path) if head else None
        return Change(named(path), blob, before or "", data.decode("utf-8", "surrogateescape"))


def _blocks(group: gits.Group, source: _Source | _Unsettled) -> Iterator[Block]:
    """The lines of a group, cut where the verdict on them changes."""
    count = len(group.texts)
    marks = source.marks(group.before, count)
    cuts = [n for n in range(1, count) if marks[n] is not marks[n - 1] and marks[n] != marks[n - 1]]
    for first, end in zip([0, *cuts], [*cuts, count], strict=True):
        kind, who, asked = source.verdict(group.before + first)
        who = who or _NOBODY
        text = group.texts[first][1:].decode("utf-8", "replace")
        place = (group.number + first, text, group.commit, group.path, group.before + first)
        told = (kind, who.session, who.agent, asked, who.present, group.commit != gits.ZERO, source.author, source.at)
        yield Block(BlamedLine._make(place + told), group.heads[first:end], group.texts[first:end])


def named(path: str) -> str:
    """A path as sessions have it: bytes that are not UTF-8 written out."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _touching(location: Location, path: str) -> list[str]:
    """The sessions that wrote a file of this worktree lately, by their traces."""
    folder, found = os.path.join(location.private, "traces"), []
    ending = f" {path}\n"
    try:
        for name in sorted(os.listdir(folder)):
            if name.startswith(_TOUCHED) and is_session_id(name[len(_TOUCHED) :]):
                with open(os.path.join(folder, name), encoding="utf-8", errors="backslashreplace") as f:
                    if any(line.endswith(ending) for line in f):
                        found.append(name[len(_TOUCHED) :])
    except OSError:
        return found
    return found


def _facts(head: Mapping[str, str]) -> tuple[str, str]:
    """Who wrote a commit, and when: RFC 3339, "" where git's number is none."""
    seconds = head.get("author-time", "")
    at = timestamp(int(seconds) * 1_000_000_000) if seconds.isdecimal() and len(seconds) < 12 else ""
    return head.get("author", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace"), at
