"""Search without the index, where that cannot be read or written: the youngest sessions, event by event."""

from __future__ import annotations

from git_agent_session.errors import AgentSessionError, UsageError
from git_agent_session.index.search import Where
from git_agent_session.model import Doc, Event, Session
from git_agent_session.store.reader import Filter, Reader

SESSIONS = 100
_AROUND = 80


def scan(reader: Reader, query: str, where: Where, limit: int) -> list[Doc]:
    """The events that hold all words of `query`, those of the youngest sessions first: `Hit.to_dict` without a score.

    Raises UsageError for a query without words.
    """
    words = [w.strip('"*').lower() for w in query.split() if any(c.isalnum() for c in w)]
    if not words:
        raise UsageError("there is no word to search for", hint="give words")
    found: list[Doc] = []
    tags = (where.tag,) if where.tag else ()
    for session in reader.list(Filter(project=where.project, agent_type=where.agent, tags=tags), limit=SESSIONS):
        if where.session and session.id != where.session:
            continue
        try:
            found += _hits(reader, session, words, where)
        except AgentSessionError:  # a broken session does not keep the others from being found
            continue
        if len(found) >= limit:
            break
    return found[:limit]


def _hits(reader: Reader, session: Session, words: list[str], where: Where) -> list[Doc]:
    if where.commit and all(link.commit != where.commit for link in reader.commits(session.id)):
        return []
    found = []
    for event in reader.history(session.id, kinds=where.kinds, reverse=True):
        text = "\n".join(_texts(event))
        at = text.lower().find(words[0])
        if all(w in text.lower() for w in words) and _fits(event, where):
            around = text[max(0, at - _AROUND) : at + _AROUND]
            found.append({"session": session.id, "event": event.id, "kind": event.kind, "at": event.at,
                          "goal": session.goal, "snippet": " ".join(around.split())})  # fmt: skip
    return found


def _fits(event: Event, where: Where) -> bool:
    paths = event.data.get("paths")
    known = [p for p in paths if isinstance(p, str)] if isinstance(paths, list) else []
    under = f"{where.path.rstrip('/')}/"
    return (
        (not where.since or event.at >= where.since)
        and (not where.until or event.at <= where.until)
        and (not where.path or any(p == where.path or p.startswith(under) for p in known))
    )


def _texts(event: Event) -> list[str]:
    return [
        v for k, v in event.data.items() if isinstance(v, str) and k in ("text", "goal", "title", "message", "name")
    ]
