"""Why a line is there: the commit that brought it, the session behind it, what was asked, what was done beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.agents.authorship import KINDS, UNKNOWN
from git_agent_session.agents.prompts import is_prompt
from git_agent_session.answers.blame import Blamed, BlamedLine, blame
from git_agent_session.answers.lines import Attribution
from git_agent_session.answers.options import Options
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.blame import ZERO
from git_agent_session.ids import timestamp
from git_agent_session.model import Event, Link, Session
from git_agent_session.store.reader import Reader, Which

# commits of a session that are named before and after one
NEAR = 2


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a session: its event, when, the text; `number` counts prompts from 1 on."""

    event: str
    at: str
    text: str
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The keys of docs/json.md."""
        row = {"event": self.event, "at": self.at, "text": self.text}
        return {"number": self.number, **row} if self.number else row


@dataclass(frozen=True, slots=True)
class Behind:
    """A session behind a commit: how that is known, what led to it, and the session's commits around it.

    `session.status` is `unknown` where the session is not in this repository. `lines` counts those lines of the commit
    of which it is known who wrote them, by who it was.
    """

    session: Session
    link: Link
    prompt: Said | None = None
    answer: Said | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def present(self) -> bool:
        """False where only a note names the session."""
        return self.session.status != "unknown"

    def to_dict(self) -> dict[str, Any]:
        """The keys of docs/json.md, those without a value left out."""
        session, link = self.session, self.link
        row: dict[str, Any] = {"session": session.id, "present": self.present, "via": link.via}
        who = session.agent
        more: list[tuple[str, Any]] = [
            *((key, getattr(session, key)) for key in ("goal", "title", "user", "status")),
            *(("agent", who.type), ("version", who.version), ("model", who.model)),
            *(("primary", link.primary), ("rewritten_from", link.rewritten_from), ("lines", self.lines)),
            *(("before", list(self.before)), ("after", list(self.after))),
        ]
        row.update((k, v) for k, v in more if v)
        for key, said in (("prompt", self.prompt), ("answer", self.answer)):
            if said is not None:
                row[key] = said.to_dict()
        return row


@dataclass(frozen=True, slots=True)
class Answer:
    """Lines with one commit and one verdict, or a commit alone (no `path`). `commit` is "" for what is in none yet.

    `ranges` are first and last line, both counted; `files` are all paths of the commit; `at` is the author date.
    """

    commit: str
    kind: str = ""
    path: str = ""
    ranges: tuple[tuple[int, int], ...] = ()
    text: tuple[str, ...] = ()
    subject: str = ""
    author: str = ""
    at: str = ""
    files: tuple[str, ...] = ()
    sessions: tuple[Behind, ...] = ()

    @property
    def count(self) -> int:
        """How many lines."""
        return sum(last - first + 1 for first, last in self.ranges)

    def to_dict(self) -> dict[str, Any]:
        """The keys of docs/json.md, those without a value left out."""
        row: dict[str, Any] = {}
        for key in ("path", "kind", "commit", "subject", "author", "at"):
            if value := getattr(self, key):
                row[key] = value
        if self.ranges:
            row["lines"] = [list(r) for r in self.ranges]
        if self.files:
            row["files"] = list(self.files)
        return {**row, "sessions": [s.to_dict() for s in self.sessions]}


def of_lines(reader: Reader, path: str, options: Options | None = None, *, cwd: str | None = None) -> list[Answer]:
    """Why lines of a file are there (`options.ranges`; all of it without), a commit's lines in one answer.

    In the order of the lines. Raises GitError for a file or lines that git does not have.
    """
    return of_blamed(blame(reader, path, options, cwd=cwd), path)


def of_blamed(blamed: Blamed, path: str) -> list[Answer]:
    """The same for a blame that is running."""
    groups: dict[tuple[str, str, str, int], list[BlamedLine]] = {}
    for line in blamed.lines():
        # a person's lines have no prompt, and lines of one commit may have several
        key = (line.commit, line.kind, line.session, line.prompt)
        groups.setdefault(key, []).append(line)
    sources = _Sources(blamed.reader, blamed.attribution)
    return [_answer(sources, path, lines) for lines in groups.values()]


def of_commit(reader: Reader, revision: str) -> Answer:
    """Why a commit is there. Raises CommitNotFound."""
    commit = reader.repo.resolve(revision)
    sources = _Sources(reader, Attribution(reader))
    return _with_facts(sources, Answer(commit, sessions=tuple(sources.behind(commit, 0))))


def _answer(sources: _Sources, path: str, lines: Sequence[BlamedLine]) -> Answer:
    one = lines[0]
    texts = tuple(line.text for line in lines)
    ranges = tuple(_ranges([line.number for line in lines]))
    if one.commit == ZERO:
        behind = sources.at_work(one) if one.session else ()
        return Answer("", one.kind, path, ranges, texts, sessions=behind)
    found = sources.behind(one.commit, one.prompt, one.session) if one.session else ()
    return _with_facts(sources, Answer(one.commit, one.kind, path, ranges, texts, sessions=tuple(found)))


def _with_facts(sources: _Sources, answer: Answer) -> Answer:
    from dataclasses import replace

    repo = sources.reader.repo
    facts = repo.commit_facts(answer.commit)
    at = facts.get("authored_at")
    return replace(
        answer,
        subject=str(facts.get("subject", "")),
        author=str(facts.get("author", "")),
        at=timestamp(at * 1_000_000_000) if isinstance(at, int) else "",
        files=tuple(repo.paths(answer.commit)),
    )


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


class _Sources:
    """The sessions that answers speak of, each read once."""

    def __init__(self, reader: Reader, attribution: Attribution) -> None:
        self.reader = reader
        self.attribution = attribution
        self._messages: dict[str, list[Event]] = {}
        self._which: dict[str, Sequence[Which]] = {}

    def behind(self, commit: str, prompt: int, first: str = "") -> Iterator[Behind]:
        """The sessions of a commit, `first` before the others, with what led to it; `prompt` is that of `first`."""
        if commit not in self._which:
            self._which[commit] = self.reader.which(commit)
        found = self._which[commit]
        for one in sorted(found, key=lambda w: w.session.id != first):
            yield self._one(one, prompt if one.session.id == first else 0)

    def at_work(self, line: BlamedLine) -> tuple[Behind, ...]:
        """The session that wrote a line which is in no commit."""
        try:
            session = self.reader.get(line.session)
        except AgentSessionError:
            return ()
        asked, answered = self._said(session.id, line.prompt)
        return (Behind(session, Link("", "files", ""), asked, answered),)

    def _one(self, which: Which, prompt: int) -> Behind:
        session, link = which.session, which.link
        if session.status == "unknown":
            return Behind(session, link)
        record = self.attribution.record(session.id, link.commit)
        counts = dict.fromkeys((kind for kind in KINDS if kind != UNKNOWN), 0)
        for lines in record.files.values():
            for line in lines.values():
                if line.kind in counts:
                    counts[line.kind] += 1
        asked, answered = self._said(session.id, prompt or record.prompt)
        before, after = self._around(session.id, link.commit)
        known = {kind: n for kind, n in counts.items() if n}
        return Behind(session, link, asked, answered, before, after, known)

    def _said(self, session_id: str, number: int) -> tuple[Said | None, Said | None]:
        """The prompt of this number, and the last that the agent said before the next one."""
        if session_id not in self._messages:
            try:
                self._messages[session_id] = self.reader.history(session_id, kinds=("message", "interaction"))
            except AgentSessionError as e:
                self.attribution.broken.append(e)
                self._messages[session_id] = []
        asked = answered = None
        n = 0
        for event in self._messages[session_id]:
            n += is_prompt(event)
            if n == number and number and is_prompt(event):
                asked = _said(event, n)
            elif n == number and asked and event.data.get("role") == "assistant":
                answered = _said(event)
        return asked, answered

    def _around(self, session_id: str, commit: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        try:
            made = [link.commit for link in self.reader.commits(session_id)]
        except AgentSessionError:
            return (), ()
        if commit not in made:
            return (), ()
        n = made.index(commit)
        return tuple(made[max(0, n - NEAR) : n]), tuple(made[n + 1 : n + 1 + NEAR])


def _said(event: Event, number: int = 0) -> Said:
    return Said(event.id, event.at, str(event.data.get("text", "")), number)
