"""Agent Trace, version 0.1.0: which lines of a commit an agent wrote, as JSON records (CC BY 4.0).

https://github.com/cursor/agent-trace. The specification does not say how records are kept; here they are JSON lines.
A record of ours is one session's part of one commit. Read are one record, an array of them, or one a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from git_agent_session import term
from git_agent_session.agents.authorship import AGENT, HUMAN, MIXED
from git_agent_session.git.repository import Repository
from git_agent_session.ids import event_id_from, is_object_id, is_session_id, moment, native_session_id
from git_agent_session.interchange import names, outside
from git_agent_session.interchange.arrivals import MOST_RANGES, Arrival, Ranges, link, session_id
from git_agent_session.interchange.work import Part, by_commit
from git_agent_session.model import Agent, Doc, Session
from git_agent_session.store.reader import Reader

VERSION = "0.1.0"
_URN = "urn:uuid:"
_KINDS = {"ai": AGENT, "mixed": MIXED, "human": HUMAN}
_MOST_FILES, _MOST_CONVERSATIONS = 1000, 100


# -- out


def records(reader: Reader, sessions: Iterable[Session]) -> Iterator[Doc]:
    """The records of sessions: one for each commit with lines that are known to be the agent's. See `work`."""
    for commit, parts in by_commit(reader, sessions):
        for part in parts:
            files = [doc for path in sorted(part.record.files) if (doc := _file(part, path))]
            if files:
                yield _record(commit, part, files)


def line(record: Doc) -> str:
    """A record as a line of JSON."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _record(commit: str, part: Part, files: Sequence[Doc]) -> Doc:
    agent = part.session.agent
    tool = {"name": agent.type or "unknown", **({"version": agent.version} if agent.version else {})}
    own = {"session": part.session.id, "via": part.link.via, "title": part.session.about, "user": part.session.user}
    if agent.native_id:
        own["native_id"] = agent.native_id
    return {
        "version": VERSION,
        "id": native_session_id(names.AGENT_TRACE, f"{part.session.id}:{commit}"),
        "timestamp": part.link.at or part.session.started_at,
        "vcs": {"type": "git", "revision": commit},
        "tool": tool,
        "files": list(files),
        "metadata": {names.OWN: {k: v for k, v in own.items() if v}},
    }


def _file(part: Part, path: str) -> Doc | None:
    """A file of a record; lines that a person has changed after the agent are `mixed`, a person's own are left out."""
    ranges: list[Doc] = []
    for kind, contributor in ((AGENT, None), (MIXED, {"type": "mixed"})):
        spans = sorted(span for found in part.ranges(path, kind).values() for span in found)
        more = {"contributor": contributor} if contributor else {}
        ranges += [{"start_line": first, "end_line": last, **more} for first, last in _joined(spans)]
    if not ranges:
        return None
    model = names.model_id(part.session.agent)
    contributor = {"type": "ai", **({"model_id": model} if model else {})}
    ranges.sort(key=lambda r: r["start_line"])
    return {
        "path": path,
        "conversations": [{"url": _URN + part.session.id, "contributor": contributor, "ranges": ranges}],
    }


def _joined(spans: Iterable[tuple[int, int]]) -> Ranges:
    found: Ranges = []
    for first, last in spans:
        if found and found[-1][1] == first - 1:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


# -- in


def arrivals(repo: Repository, data: bytes) -> tuple[list[Arrival], list[str]]:
    """The sessions that the records in `data` speak of, and what is to be said of records that cannot be used.

    A conversation is a session; one without a URL is a session for each record. Raises Unreadable.
    """
    found: dict[str, Arrival] = {}
    broken = 0
    for doc in outside.documents(data):
        if doc is None or not isinstance(doc.get("files"), list) or not outside.text(doc.get("id")):
            broken += 1
            continue
        _take(repo, doc, found)
    return list(found.values()), [f"{term.count(broken, 'record')} passed over: no trace record"] if broken else []


def _take(repo: Repository, doc: Doc, found: dict[str, Arrival]) -> None:
    vcs, tool = outside.table(doc.get("vcs")), outside.table(doc.get("tool"))
    revision = vcs.get("revision") if vcs.get("type") == "git" else None
    commit = revision if isinstance(revision, str) and is_object_id(revision) else ""
    own = outside.table(outside.table(doc.get("metadata")).get(names.OWN))
    at = moment(doc.get("timestamp"))
    for file in islice(outside.tables(doc["files"]), _MOST_FILES):
        path = outside.path(file.get("path"))
        for conversation in outside.tables(file.get("conversations"), _MOST_CONVERSATIONS) if path else ():
            arrival = _arrival(doc, conversation, tool, own, found)
            arrival.passes(at)
            linked = bool(commit) and link(repo, arrival, commit, at)
            _say(arrival, doc, path, conversation, commit if linked else "", at)


def _arrival(doc: Doc, conversation: Doc, tool: Any, own: Any, found: dict[str, Arrival]) -> Arrival:
    url = outside.text(conversation.get("url"), 1000)
    contributor = outside.table(conversation.get("contributor"))
    agent = names.agent_type(tool.get("name"))
    key = url if _is_url(url) else f"record:{outside.text(doc.get('id'))}"
    ours = own.get("session") if url == f"{_URN}{own.get('session')}" else None
    session = session_id(ours, agent, f"{names.AGENT_TRACE}:{key}")
    if session not in found:
        native = outside.text(own.get("native_id")) if is_session_id(ours) else ""
        model = names.bare_model(contributor.get("model_id"))
        who = Agent(agent, outside.text(tool.get("version")), outside.text(model), native)
        said = {"conversation": url} if url and not is_session_id(ours) else {}
        found[session] = Arrival(
            names.AGENT_TRACE,
            session,
            who,
            title=outside.text(own.get("title")),
            user=outside.text(own.get("user")),
            meta=said,
        )
    return found[session]


def _is_url(url: str) -> bool:
    """True for a text that is a URL with a scheme."""
    try:
        return bool(urlsplit(url).scheme)
    except ValueError:
        return False


def _say(arrival: Arrival, doc: Doc, path: str, conversation: Doc, commit: str, at: str) -> None:
    """The ranges of a conversation: of the commit, or in words where the commit is not here."""
    usual = outside.table(conversation.get("contributor")).get("type")
    spans: dict[str, Ranges] = {}
    for row in outside.tables(conversation.get("ranges"), MOST_RANGES):
        kind = outside.table(row.get("contributor")).get("type", usual)
        first, last = outside.whole(row.get("start_line")), outside.whole(row.get("end_line"))
        if isinstance(kind, str) and 0 < first <= last:
            spans.setdefault(kind, []).append((first, last))
    for kind, ranges in spans.items():
        if commit and kind in _KINDS:
            arrival.wrote(commit, path, _KINDS[kind], ranges)
    if not commit and spans:
        said = ", ".join(f"{outside.text(kind)} {f}-{t}" for kind, ranges in spans.items() for f, t in ranges[:20])
        event_id = event_id_from("trace", str(doc["id"])[:200], path, str(conversation.get("url", ""))[:1000])
        text = f"{path}: {said}"
        arrival.add(event_id, at or arrival.at, "interaction", {"type": names.AGENT_TRACE, "text": text})
