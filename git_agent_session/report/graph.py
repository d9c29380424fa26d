"""`git log --graph` with the sessions of its commits: git draws, and what it leaves room for is filled in line by line.

git's own formats by name (`medium` …) are written out here as formats with room for sessions; git fills them in.

The room is a mark that is drawn anew for each run, so that no commit can hold one. Sessions are read when the first of
their commits comes by, each once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from git_agent_session import term
from git_agent_session.answers.lines import Attribution
from git_agent_session.errors import AgentSessionError
from git_agent_session.ids import timestamp
from git_agent_session.model import Agent, Doc, Session
from git_agent_session.report.placeholders import Format, Row
from git_agent_session.report.view import View
from git_agent_session.store.reader import Reader

# the commit's own line, and below it, where another session begins, whose it is and what for
SHORT = "%(session: %C(agent)[%h]%Creset)"
LONG = "%C(agent)%an%Creset: %g"
FORMAT = f"%C(auto)%h%d{SHORT} %s%n        %(session)"

# as git-log(1), PRETTY FORMATS, has them; what only some commits have is a line of its own that may go
_COMMIT = "%C(auto)%C(yellow)commit %H%C(auto)%d%C(reset)%n%(-merge)%n"
_SAID = "%n%n%w(0,4,4)%B%w(0,0,0)%n%(-gap)"
NAMED = {
    "oneline": FORMAT,
    "reference": f"%C(auto)%h (%s, %as){SHORT}",
    "short": f"{_COMMIT}Author: %an <%ae>%n%(-session)%n%n%w(0,4,4)%s%w(0,0,0)%n",
    "medium": f"{_COMMIT}Author: %an <%ae>%nDate:   %ad%n%(-session){_SAID}",
    "full": f"{_COMMIT}Author: %an <%ae>%nCommit: %cn <%ce>%n%(-session){_SAID}",
    "fuller": (
        f"{_COMMIT}Author:     %an <%ae>%nAuthorDate: %ad%nCommit:     %cn <%ce>%nCommitDate: %cd%n%(-session){_SAID}"
    ),
}

_OURS = re.compile(r"%\((?:session(?::(?P<form>(?:[^()]|\([^()]*\))*))?|-(?P<own>merge|session|gap))\)")
_COLOUR = re.compile("(\033\\[[0-9;]*m)")
# what git draws where a lane only goes on (graph.c); a line of nothing else may go
_LANES = frozenset("|* .")


class Graph:
    """One run: `git` is the format to give to git, `lines` puts the sessions into what comes of it.

    `form` is a format of git's in which `%(session:FORM)` stands for each session of the commit, in the placeholders of
    `--format`, and `%(session)` for what says most of it, left out where the commit shown before has the same.
    """

    def __init__(self, reader: Reader, view: View, form: str = FORMAT) -> None:
        self._view = view
        self._look = Attribution(reader)
        self._reader = reader
        self._sessions: dict[str, Session] = {}
        self._forms: list[Format | str | None] = []
        self._before: tuple[str, ...] = ()
        self._blank = False
        self._nonce = os.urandom(12).hex()
        # after %C(auto), git gives the id the colour of ids
        colour = "(?:\033\\[[0-9;]*m)*"
        self._mark = re.compile(f"{self._nonce}\\.([0-9]+)\\.{colour}([0-9a-f ]*){colour};")
        form = NAMED.get(form, form)
        self.git = _OURS.sub(self._room, form if _OURS.search(form) else form + SHORT)

    def _room(self, found: re.Match[str]) -> str:
        form, own = found["form"], found["own"]
        self._forms.append(own or (Format(form) if form is not None else None))
        return f"{self._nonce}.{len(self._forms) - 1}.{'%p' if own == 'merge' else '%H'};"

    def lines(self, given: Iterable[bytes]) -> Iterator[str]:
        """The lines of git's log as they are to be shown."""
        for raw in given:
            line = raw.decode("utf-8", "replace")
            if self._nonce not in line:
                self._blank = _is_lane(line)
                yield line
                continue
            head, *rest = self._mark.split(line)
            if len(rest) == 3 and not rest[2].strip() and _is_lane(head):
                shown = self._alone(head, int(rest[0]), rest[1])
            else:
                shown = head + "".join(
                    self._marks(int(rest[i]), rest[i + 1]) + rest[i + 2] for i in range(0, len(rest), 3)
                )
            if shown is not None:
                self._blank = _is_lane(shown)
                yield shown.rstrip(" ")

    def _alone(self, head: str, form: int, commit: str) -> str | None:
        """A line that is nothing but a mark: cut to the terminal, and None where there is nothing to say."""
        text = self._marks(form, commit)
        drawn = _COLOUR.sub("", head)
        if not text and self._forms[form] == "gap" and not self._blank:
            return head
        if not text:
            return None if _LANES.issuperset(drawn) else head
        room = self._view.width - term.width(drawn) if self._view.width else 0
        return head + (_fit(text, max(room, 1)) if room else text)

    def _marks(self, form: int, commit: str) -> str:
        """What stands in a room; `commit` are the parents where a merge is asked for."""
        shown = self._forms[form]
        if shown == "gap":
            return ""
        if shown == "merge":
            return f"Merge: {commit}" if " " in commit else ""
        sessions = self.of(commit)
        if isinstance(shown, str):
            named = ", ".join(_HEADER.render(Row(session), self._view) for session in sessions)
            return f"Session: {named}" if named else ""
        ids = tuple(s.id for s in sessions)
        if shown is None:
            repeated, self._before = ids == self._before, ids
            if repeated:
                return ""
            shown = _LONG
        texts = [shown.render(Row(session), self._view) for session in sessions]
        apart = "" if any(t[:1].isspace() or t[-1:].isspace() for t in texts) else ", "
        return apart.join(texts)

    def of(self, commit: str) -> list[Session]:
        """The sessions of a commit, the primary one first."""
        return [self._session(a.session, a.agent) for a in self._look.authors(commit)]

    def _session(self, session_id: str, agent: str) -> Session:
        """A session as it is now; of one that is not here, or cannot be read, what the note says."""
        if session_id not in self._sessions:
            try:
                found = self._reader.get(session_id)
            except AgentSessionError:
                about = "(not in this repository)"
                found = Session(session_id, "unknown", "", "", goal=about, agent=Agent(agent))
            self._sessions[session_id] = found
        return self._sessions[session_id]


class Facts:
    """The same as data: `git` is the format to give to git, `rows` makes of its lines what `--json` prints."""

    def __init__(self, reader: Reader) -> None:
        self._graph = Graph(reader, View(term.Palette({"color.ui": "never"}, isatty=False)))
        self._nonce = os.urandom(12).hex()
        self.git = self._nonce + "%x00".join(("%H", "%P", "%an", "%at", "%D", "%s"))

    def rows(self, given: Iterable[bytes]) -> Iterator[Doc]:
        """A row for each commit, in the order of the log; what else git prints (`--stat` …) is passed over."""
        for raw in given:
            if not raw.startswith(self._nonce.encode()):
                continue
            text = raw[len(self._nonce) :].decode("utf-8", "replace")
            commit, parents, author, at, refs, subject = text.split("\0", 5)
            date = timestamp(int(at) * 1_000_000_000) if at.isdecimal() else ""
            row = {"commit": commit, "subject": subject, "author": author, "date": date}
            sessions = [
                {k: v for k, v in (("session", s.id), ("agent", s.agent.type), ("goal", s.about)) if v}
                for s in self._graph.of(commit)
            ]
            lists = {"parents": parents.split(), "refs": refs.split(", ") if refs else [], "sessions": sessions}
            yield {k: v for k, v in (row | lists).items() if v}


_LONG = Format(LONG)
_HEADER = Format("%C(agent)%h %an%Creset: %g")


def _is_lane(head: str) -> bool:
    """True for what git draws before a line's text, and nothing else."""
    return not _COLOUR.sub("", head).strip("|*/\\_-. <>=+o^")


def _fit(text: str, room: int) -> str:
    """`text` with colours in it, cut to `room` columns."""
    out, used = [], 0
    for piece in _COLOUR.split(text):
        if _COLOUR.fullmatch(piece):
            out.append(piece)
        elif used < room:
            out.append(term.fit(piece, room - used))
            used += term.width(piece)
    return "".join(out)
