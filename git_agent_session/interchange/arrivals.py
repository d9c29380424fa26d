"""Sessions that come from another tool's records, and how they are stored: each event once, secrets taken out.

An arrival has an id that the same record always gives, so a second import finds the first. A session that hooks, an
agent's own history or another format has made is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from git_agent_session import bounds, codec, journal, live
from git_agent_session.agents import payload, recorder
from git_agent_session.agents.importing_report import EMPTY, FAILED, GROWN, IMPORTED, KNOWN, RECORDED, Report, Row
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import event_id_from, is_object_id, is_session_id, native_session_id, timestamp
from git_agent_session.model import Agent, Doc, Event
from git_agent_session.redact.configured import redactor
from git_agent_session.redact.engine import redact_value
from git_agent_session.store import drain as draining
from git_agent_session.store import lookup
from git_agent_session.store.seen import Seen

SOURCE = "interchange"
MOST_EVENTS = 20_000
MOST_SESSIONS = 10_000
# ranges of lines and files that one commit's record takes (docs/format.md), and the last line that it knows
MOST_RANGES = 4000
MOST_FILES = 500
LAST_LINE = 50_000
# what a session that had ended goes on with
_WORK = ("message", "tool", "usage", "interaction")

Ranges = list[tuple[int, int]]


@dataclass(slots=True)
class Arrival:
    """A session as another tool's records tell it. `events` are without its start and its end; `at` is when it began,
    `last` when it ended, RFC 3339; what is not known is "".
    """

    form: str
    session_id: str
    agent: Agent
    at: str = ""
    last: str = ""
    title: str = ""
    user: str = ""
    meta: Doc = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)
    # commit -> path -> kind -> ranges
    lines: dict[str, dict[str, dict[str, Ranges]]] = field(default_factory=dict)

    def add(self, id: str, at: str, kind: str, data: Doc) -> None:
        """Add an event; past 20,000 they are left out. Values that are empty are, too."""
        self.passes(at)
        if len(self.events) < MOST_EVENTS:
            self.events.append(Event(id, at, kind, {k: v for k, v in data.items() if v not in ("", None, [], {})}))

    def passes(self, at: str) -> None:
        """A moment of the session passes."""
        if at:
            self.at = min(self.at or at, at)
            self.last = max(self.last, at)

    def wrote(self, commit: str, path: str, kind: str, ranges: Ranges) -> None:
        """Lines of a file in a commit; `kind` is `agent`, `mixed` or `human`."""
        self.lines.setdefault(commit, {}).setdefault(path, {}).setdefault(kind, []).extend(ranges)


def session_id(own: object, agent: str, native_id: str) -> str:
    """The id of a session: the one that it had with us, else the one that the agent's hooks would give it."""
    return own if is_session_id(own) and isinstance(own, str) else native_session_id(agent, native_id)


def link(repo: Repository, arrival: Arrival, commit: str, at: str) -> bool:
    """Add the link of a commit, once, as the format claims it; False for one that is not here."""
    if commit in arrival.linked:
        return True
    facts = repo.commit_facts(commit) if is_object_id(commit) else {}
    if not facts:
        return False
    made = facts["at"]
    at = at or timestamp((made if isinstance(made, int) else 0) * 1_000_000_000)
    arrival.linked.add(commit)
    paths, patch_id = repo.changed_paths(commit)
    data: Doc = {"commit": commit, "tree": facts["tree"], "parents": facts["parents"], "via": arrival.form}
    arrival.add(f"commit-{commit}", at, "commit", {**data, "patch_id": patch_id, "paths": paths})
    return True


def keep(repo: Repository, arrivals: Iterable[Arrival], *, dry: bool = False) -> Report:
    """Store what is new of each session; what goes wrong with one stands in its row. Nothing is written when `dry`."""
    report = Report()
    linked: set[str] = set()
    if not dry:
        live.prepare(repo.location.shared)
    for n, arrival in enumerate(arrivals):
        if n == MOST_SESSIONS:
            report.said.append(f"there are more than {MOST_SESSIONS} sessions; the rest is passed over")
            break
        row = Row(arrival.agent.type, arrival.agent.native_id, arrival.session_id, FAILED)
        try:
            _keep(repo, arrival, row, dry)
        except AgentSessionError as e:
            row.error = e.line()
        report.rows.append(row)
        report.linked += [commit for commit in row.commits if commit not in linked]
        linked.update(row.commits)
    return report


def _keep(repo: Repository, arrival: Arrival, row: Row, dry: bool) -> None:
    shared, session_id = repo.location.shared, arrival.session_id
    tip = repo.tip(SESSIONS + session_id)
    doc = draining.read_state(repo, session_id, tip) if tip else None
    if session_id in journal.waiting(shared) or (doc is not None and not _is_ours(doc, arrival.form)):
        row.outcome = RECORDED
        return
    if not arrival.events:
        row.outcome = EMPTY
        return
    known = Seen.load(shared, repo, session_id, tip).ids
    fresh = [e for e in [*arrival.events, *_lines(arrival)] if e.id not in known]
    row.outcome = IMPORTED if doc is None else GROWN if fresh else KNOWN
    if not fresh:
        return
    redact = redact_value if dry else redactor(repo.location, session_id).value
    events = [_clean(e, redact) for e in _framed(repo, arrival, doc, fresh)]
    row.prompts = sum(e.data.get("role") == "user" for e in fresh)
    row.tools = sum(e.kind == "tool" for e in fresh)
    row.commits = [str(e.data["commit"]) for e in fresh if e.kind == "commit"]
    row.title, row.started_at, row.ended_at = str(redact(arrival.title)), arrival.at, arrival.last
    if not dry:
        draining.drain(repo, session_id, draining.Extra(events))


def _is_ours(doc: Doc, form: str) -> bool:
    meta = doc.get("meta")
    return isinstance(meta, dict) and meta.get("source") == SOURCE and meta.get("format") == form


def _framed(repo: Repository, arrival: Arrival, doc: Doc | None, fresh: list[Event]) -> list[Event]:
    """The events with the start of a session that is not here yet, and its end."""
    at, last = arrival.at or timestamp(), arrival.last or timestamp()
    end = Event(event_id_from("end", arrival.session_id, last), last, "end", {"status": "completed", "reason": SOURCE})
    if doc is None:
        return [_start(repo, arrival, at), *fresh, end]
    if not any(e.kind in _WORK for e in fresh):
        return fresh
    resumed = Event(event_id_from("reopen", arrival.session_id, fresh[0].id), fresh[0].at, "resume", {})
    return [resumed, *fresh, end]


def _start(repo: Repository, arrival: Arrival, at: str) -> Event:
    who = {k: v for k in Agent.__slots__ if (v := getattr(arrival.agent, k))}
    data: Doc = {
        "agent": who,
        "user": arrival.user,
        "project": lookup.worktree_name(repo.location),
        "title": payload.title(arrival.title),
        "meta": {"source": SOURCE, "format": arrival.form, **arrival.meta},
    }
    return Event(f"start-{arrival.session_id}", at, "start", {k: v for k, v in data.items() if v})


def _lines(arrival: Arrival) -> list[Event]:
    """What is said of lines, as events that `blame` reads (docs/format.md)."""
    linked = {e.data["commit"]: e.at for e in arrival.events if e.kind == "commit"}
    found = []
    for commit, by_path in arrival.lines.items():
        room, files = MOST_RANGES, []
        for path, kinds in islice(by_path.items(), MOST_FILES):
            texts = {kind: [_range(r) for r in sorted(set(ranges)) if _fits(r)] for kind, ranges in kinds.items()}
            room -= sum(map(len, texts.values()))
            if room >= 0 and any(texts.values()):
                files.append({"path": path, **{kind: " ".join(t) for kind, t in texts.items() if t}})
        if files and commit in linked:
            data = {"commit": commit, "by": arrival.form, "prompt": 0, "files": files}
            found.append(Event(f"lines-{commit}", linked[commit], "lines", data))
    return found


def _fits(span: tuple[int, int]) -> bool:
    return 0 < span[0] <= span[1] <= LAST_LINE


def _range(span: tuple[int, int]) -> str:
    return f"{span[0]}-{span[1]}" if span[1] > span[0] else f"{span[0]}"


def _clean(event: Event, redact: Callable[[Any], Any]) -> Event:
    """The event without secrets and within the bounds of what is stored."""
    data: Doc = codec.clean_value(recorder.cut(redact(event.data)))
    if bounds.size(data) > codec.MAX_EVENT // 2:
        data = {k: v for k, v in data.items() if not isinstance(v, dict | list)}
    own = redact(event.id)
    return Event(event.id if own == event.id else event_id_from(event.kind, own), event.at, event.kind, data)
