"""Who wrote the lines of a session's commits: found out from what is recorded, and kept in the session.

The settle step asks for it in the background. What it finds becomes a `lines` event (docs/format.md), which travels
with the session and outlives the traces of this machine; readers that find none can ask for the same at any time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from git_agent_session import codec, journal, live
from git_agent_session.agents import authorship
from git_agent_session.agents.authorship import AGENT, HUMAN, MIXED, UNKNOWN, Line, attribute, lines_of
from git_agent_session.git.changes import MOST_FILES, Change, changes, text_at
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_object_id, timestamp
from git_agent_session.model import Doc, Event, Link
from git_agent_session.store import drain as draining
from git_agent_session.store.reader import Reader
from git_agent_session.store.seen import Seen, kept_rows

if TYPE_CHECKING:
    from git_agent_session.agents.edits import Work

KIND = "lines"
BY_EDITS, BY_FILES = "edits", "files"
# what one event holds; what is past it is unknown
MOST_RANGES = 4000
# commits that one settling looks at
MOST = 64
# seconds for which an agent may keep the end of its transcript to itself
LATE = 3600

_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?(?:@([0-9]{1,6}))?")

Lines = Mapping[int, Line]


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a commit's lines: by path, the verdicts by line number; and the prompt that led to the commit.

    A line that is not there is unknown. `by` is `edits` or `files`: what it was found out from. `whole` is False while
    an edit is missing that may still come.
    """

    commit: str
    by: str = BY_EDITS
    prompt: int = 0
    files: Mapping[str, Lines] = field(default_factory=dict)
    whole: bool = True

    def line(self, path: str, number: int) -> Line:
        """The verdict on a line of the commit's own file."""
        return self.files.get(path, {}).get(number, Line(UNKNOWN))

    def to_data(self) -> Doc:
        """The data of the event."""
        room = MOST_RANGES
        files = []
        for path, lines in self.files.items():
            ranges = _ranges(lines)
            room -= sum(map(len, ranges.values()))
            if room >= 0 and ranges:
                files.append({"path": path, **{kind: " ".join(texts) for kind, texts in ranges.items()}})
        return {"commit": self.commit, "by": self.by, "prompt": self.prompt, "files": files}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Record | None:
        """The record in an event's data, whoever wrote it: what is none of it is left out; None for no commit."""
        commit, rows, prompt = data.get("commit"), data.get("files"), data.get("prompt")
        if not isinstance(commit, str) or not is_object_id(commit):
            return None
        rows = rows[:MOST_FILES] if isinstance(rows, list) else ()
        files = _Rows({p: row for row in rows if isinstance(row, dict) and isinstance(p := row.get("path"), str)})
        by = BY_FILES if data.get("by") == BY_FILES else BY_EDITS
        return cls(commit, by, prompt if type(prompt) is int and 0 <= prompt < 1 << 31 else 0, files)


class _Rows(Mapping[str, Lines]):
    """The verdicts in an event's rows by path, each read when it is asked for: of most commits one file is wanted."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self._rows = rows
        self._read: dict[str, Lines] = {}

    def __getitem__(self, path: str) -> Lines:
        if path not in self._read:
            self._read[path] = _lines(self._rows[path])
        return self._read[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _ranges(lines: Lines) -> dict[str, list[str]]:
    """Lines as ranges by kind: `first-last@prompt`, `first` alone for one line, no `@` where no prompt is known."""
    runs: list[list[int]] = []
    kinds: list[Line] = []
    for number, line in sorted(lines.items()):
        if runs and runs[-1][1] == number - 1 and kinds[-1] == line:
            runs[-1][1] = number
        else:
            runs.append([number, number])
            kinds.append(line)
    found: dict[str, list[str]] = {}
    for (first, last), line in zip(runs, kinds, strict=True):
        if line.kind != UNKNOWN:
            asked = f"@{line.prompt}" if line.prompt else ""
            found.setdefault(line.kind, []).append((f"{first}-{last}" if last > first else f"{first}") + asked)
    return found


def _lines(row: Mapping[str, Any]) -> Lines:
    """The verdicts in a row of an event, whatever it holds."""
    found: dict[int, Line] = {}
    room = 2 * authorship.MOST_LINES
    for kind in (AGENT, MIXED, HUMAN):
        text = row.get(kind)
        for one in text.split(" ", MOST_RANGES)[:MOST_RANGES] if isinstance(text, str) else ():
            match = _RANGE.fullmatch(one)
            if match is None:
                continue
            first, last, asked = int(match[1]), int(match[2] or match[1]), int(match[3] or 0)
            room -= max(0, last - first)
            if last <= authorship.MOST_LINES and room > 0:
                found.update(dict.fromkeys(range(first, last + 1), Line(kind, asked)))
    return found


# -- what is kept


def recorded(rows: Iterable[Mapping[str, Any]]) -> dict[str, Record]:
    """The records in the data of `lines` events, by commit: the last one counts."""
    found = (Record.from_data(row) for row in rows)
    return {record.commit: record for record in found if record is not None}


def kept(reader: Reader, session_id: str) -> dict[str, Record]:
    """The records that a session holds, by commit. Raises BrokenSession."""
    tip = reader.repo.tip(SESSIONS + session_id)
    return recorded(kept_rows(reader.shared, reader.repo, session_id, tip, KIND))


def keep(repo: Repository, session_id: str) -> int:
    """Record the lines of a session's commits that have no record yet; returns how many. Raises AgentSessionError."""
    seen = Seen.load(repo.location.shared, repo, session_id, repo.tip(SESSIONS + session_id))
    known = recorded(e.data for e in seen.linking if e.kind == KIND)
    missing = [c for c, link in seen.links().items() if c not in known and not link.replaced_by][-MOST:]
    if not missing:
        return 0
    found = Finder(Reader(repo), session_id).records(missing)
    may_grow = live.is_open(repo.location.shared, session_id)
    recent = timestamp(time.time_ns() - LATE * 1_000_000_000)
    links = seen.links()
    good = [r for r in found.values() if r.whole or not may_grow or links[r.commit].at < recent]
    events = [Event(f"{KIND}-{r.commit}", timestamp(), KIND, codec.clean_value(r.to_data())) for r in good]
    if events:
        journal.append(repo.location.shared, session_id, events)
        draining.drain(repo, session_id)
    return len(events)


# -- finding out


class Finder:
    """Finds out about the commits of one session. Raises SessionNotFound, BrokenSession."""

    def __init__(self, reader: Reader, session_id: str) -> None:
        # what reads transcripts is not loaded for what is recorded
        from git_agent_session.agents.edits import Past

        self.reader = reader
        self.repo = reader.repo
        self.session = reader.get(session_id)
        seen = Seen.load(reader.shared, reader.repo, session_id, reader.repo.tip(SESSIONS + session_id))
        self.known = recorded(e.data for e in seen.linking if e.kind == KIND)
        self.links = {**seen.links(), **{k.commit: k for k in reader.commits(session_id)}}
        self.past = Past(reader, self.session)
        self._done: dict[str, Record] = {}

    def records(self, commits: Iterable[str]) -> dict[str, Record]:
        """The records of commits linked to the session, found out anew; those that are not linked are left out."""
        return {c: self._record(c, 0) for c in commits if c in self.links}

    def uncommitted(self, change: Change) -> Lines:
        """The lines of a file of the worktree that are in no commit yet; `change.before` is what HEAD holds."""
        since = max((self._moment(k) for k in self.links.values() if change.path in k.paths), default="")
        return self._file(change, self.past.work({change.path}, since), since, "~")[0]

    def _record(self, commit: str, depth: int) -> Record:
        if commit in self._done:
            return self._done[commit]
        link, found = self.links[commit], list(changes(self.repo, commit))
        moment = self._until(link)
        since = {c.path: self._since(link, c.path) for c in found}
        did = self.past.work(set(since), min(since.values(), default=""))
        files: dict[str, Lines] = {}
        by = BY_FILES if found else BY_EDITS
        for change in found:
            lines, how = self._file(change, did, since[change.path], moment)
            files[change.path] = lines
            by = BY_EDITS if how == BY_EDITS else by
        if depth < 8:
            files = self._inherited(link, found, files, depth)
        asked = sum(p.at <= moment for p in did.prompts)
        whole = not any(path in did.hidden for path in files)
        self._done[commit] = Record(commit, by, asked, {p: v for p, v in files.items() if v}, whole)
        return self._done[commit]

    def _file(self, change: Change, did: Work, since: str, until: str) -> tuple[Lines, str]:
        from git_agent_session.store import evidence

        edits = [e for e in did.edits.get(change.path, ()) if since <= e.at <= until]
        before, after = lines_of(change.before), lines_of(change.after)
        certain = did.certain(change.path, since, until) and _is_text(change.after)
        lines = attribute(before, after, edits, certain=certain)
        if change.path in did.hidden and change.blob in evidence.blobs(self.repo, self.session.id, change.path):
            # what the agent had written is what was committed, though its words are not there
            lines = {n: Line(AGENT) if line.kind == UNKNOWN else line for n, line in lines.items()}
            return lines, BY_EDITS if edits else BY_FILES
        return lines, BY_EDITS

    # -- when

    def _moment(self, link: Link) -> str:
        """When the commit was made, as well as it is known."""
        at = self.repo.commit_facts(link.commit).get("at") if is_object_id(link.commit) else None
        made = timestamp((at + 1) * 1_000_000_000) if isinstance(at, int) else "~"
        return min(link.at, made) if link.at else made

    def _until(self, link: Link) -> str:
        """When the last edit can have been made that is in the commit: an amend brings some that came later."""
        if not link.rewritten_from:
            return self._moment(link)
        at = self.repo.commit_facts(link.commit).get("at")
        return timestamp((at + 1) * 1_000_000_000) if isinstance(at, int) else "~"

    def _since(self, link: Link, path: str) -> str:
        """When the session's last commit of the path that this one stands on was made.

        One on another branch took none of the edits away: a squash brings them once more.
        """
        own = self._moment(link)
        family = {link.commit, *self._olds(link.commit)}
        others = [(self._moment(k), c) for c, k in self.links.items() if c not in family and path in k.paths]
        before = sorted((o for o in others if o[0] < own), reverse=True)
        return next((at for at, c in before if self.repo.descends(link.commit, c)), "")

    # -- through rewrites

    def _olds(self, commit: str) -> list[str]:
        """The commits of this session that `commit` was made of."""
        link = self.links[commit]
        olds = [link.rewritten_from] if link.rewritten_from in self.links else []
        return list(
            dict.fromkeys([*olds, *(c for c, k in self.links.items() if k.replaced_by == commit and c != commit)])
        )

    def _inherited(self, link: Link, found: Sequence[Change], files: dict[str, Lines], depth: int) -> dict[str, Lines]:
        """The verdicts with those of the commits that this one replaced, line by line of the same text."""
        olds = self._olds(link.commit)
        self._done.setdefault(link.commit, Record(link.commit))  # rewrites may go in a circle
        for old in olds:
            record = self.known.get(old) or self._record(old, depth + 1)
            for change in found:
                lines = record.files.get(change.path)
                text = text_at(self.repo, old, change.path) if lines else None
                if lines and text is not None:
                    files[change.path] = _carried(lines_of(text), lines, lines_of(change.after), files[change.path])
        self._done.pop(link.commit, None)
        return files


def _carried(before: Sequence[str], verdicts: Lines, after: Sequence[str], own: Lines) -> Lines:
    """`own` with the verdicts on lines of `before` for the lines of `after` that are the same."""
    out = dict(own)
    for tag, a, b, c, _ in authorship.opcodes(before, after):
        for n in range(a, b) if tag == "equal" else ():
            number = c + n - a + 1
            if number in own and (line := verdicts.get(n + 1)) is not None and line.kind != UNKNOWN:
                out[number] = line
    return out


def _is_text(text: str) -> bool:
    """False for what is not UTF-8, which no edit of an agent's matches."""
    return not any("\udc80" <= c <= "\udcff" for c in text)
