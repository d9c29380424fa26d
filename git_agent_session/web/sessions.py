"""The API's operations on sessions: their life, what is recorded in them, what is looked up. Thin over the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from git_agent_session.model import Agent, Event
from git_agent_session.report.rows import commit_row
from git_agent_session.store.store import Store
from git_agent_session.web import schemas as s
from git_agent_session.web.operations import Answer, Call, Operation
from git_agent_session.web.problems import Refused
from git_agent_session.work import failures, templates, workflows

V1 = "/api/v1"
ONE = f"{V1}/sessions/{{id}}"


def start(store: Store, call: Call) -> Answer:
    """Open a session; unlike on the command line it becomes the worktree's active one only where that is asked for."""
    given = {"activate": False, **call.body}
    if "agent" in given:
        given["agent"] = Agent(**given["agent"])
    template, workflow = str(given.pop("template", "")), str(given.get("workflow", ""))
    _known(template, "template", templates.names(store.repo) if template else ())
    _known(workflow, "workflow", workflows.names(store.repo) if workflow else ())
    if template:
        found = templates.start(store, template, **given)
    elif workflow:
        given.pop("workflow")
        found = workflows.start(store, workflow, **given)
    else:
        found = store.start(**given)
    return Answer(found.to_dict(), {"Location": f"{V1}/sessions/{found.id}"})


def _known(name: str, what: str, names: Iterable[str]) -> None:
    if name and name not in names:
        raise Refused(404, f"there is no {what} {name!r}", hint=f"use {', '.join(names) or 'none: there are none'}")


def set_(store: Store, call: Call) -> Any:
    store.set(call.session, **call.body)
    return store.get(call.session).to_dict()


def delete(store: Store, call: Call) -> Any:
    store.get(call.session)
    return store.delete(call.session).to_dict()


def events(store: Store, call: Call) -> Any:
    found = store.history(
        call.session, kinds=call.query.get("kind", ()), limit=None, reverse=call.query.get("reverse", False)
    )
    if after := call.query.get("after"):
        place = next((n for n, e in enumerate(found) if e.id == after), None)
        if place is None:
            raise Refused(404, f"there is no event {after[:60]} among these", hint="give the id of an event")
        found = found[place + 1 :]
    return _dicts(found[: call.query.get("limit", 100)])


def append(store: Store, call: Call) -> Any:
    body = call.body
    return store.append(call.session, body["kind"], body.get("data", {}), id=body.get("id", "")).to_dict()


def log(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return store.log(call.session, body.pop("type"), body.pop("text"), **body).to_dict()


def metric(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return store.metric(call.session, body.pop("name"), body.pop("value"), **body).to_dict()


def usage(store: Store, call: Call) -> Any:
    return store.usage(call.session, **call.body).to_dict()


def tag(store: Store, call: Call) -> Any:
    store.tag(call.session, **call.body)
    return store.get(call.session).to_dict()


def decide(store: Store, call: Call) -> Any:
    body = dict(call.body)
    return failures.decide(store, call.session, body.pop("text"), **body).to_dict()


def error(store: Store, call: Call) -> Any:
    return failures.record(store, call.session, call.body["text"], meta=call.body.get("meta")).to_dict()


def of_kind(*kinds: str) -> Any:
    """What gives the events of some kinds, the last `limit`."""

    def do(store: Store, call: Call) -> Any:
        found = store.history(call.session, kinds=kinds)
        return _dicts([e for e in found if e.kind in kinds][-call.query.get("limit", 100) :])

    return do


def commits(store: Store, call: Call) -> Any:
    session_id = store.resolve(call.session)
    return [commit_row(session_id, k, store.repo.commit_facts).to_dict() for k in store.commits(session_id)]


def link(store: Store, call: Call) -> Any:
    return store.link(call.session, call.body["revisions"], primary=call.body.get("primary", False))


def unlink(store: Store, call: Call) -> Any:
    return store.unlink(call.session, [call.path["commit"]])


def which(store: Store, call: Call) -> Any:
    rows = [(w.session.id, w.link) for w in store.which(call.path["commit"])]
    return [commit_row(session_id, k, store.repo.commit_facts).to_dict() for session_id, k in rows]


def contexts(store: Store, call: Call) -> Any:
    return [{**event.to_dict(), "snapshot": doc} for event, doc in store.contexts(call.session)]


def take_context(store: Store, call: Call) -> Any:
    from git_agent_session.context.take import snapshot

    store.get(call.session)
    location = store.repo.location
    taken = snapshot(location.worktree or location.git_dir, budget=call.body.get("budget", 8000))
    return store.add_context(call.session, taken.to_dict(), type=call.body.get("type", "update")).to_dict()


def search(store: Store, call: Call) -> Any:
    from git_agent_session import index
    from git_agent_session.index.search import Where

    query = dict(call.query)
    text, limit = query.pop("q"), query.pop("limit", 20)
    if not any(c.isalnum() for c in text):
        # no pattern of a schema says what a word is, so this is no mistake: what has none is found nowhere
        return []
    if "session" in query:
        query["session"] = store.resolve(query["session"])
    if "kind" in query:
        query["kinds"] = tuple(query.pop("kind"))
    query["since"] = s.moment(query.get("since", ""))
    query["until"] = s.moment(query.get("until", ""), last=True)
    found = index.open(store)
    found.refresh()
    return [hit.to_dict() for hit in found.search(text, Where(**query), limit=limit)]


def _dicts(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [e.to_dict() for e in events]


def _changed(verb: str, *, keys: tuple[str, ...] = ()) -> Any:
    def do(store: Store, call: Call) -> Any:
        body: Mapping[str, Any] = call.body
        return getattr(store, verb)(call.session, **body).to_dict()

    return do


_LAST = {"limit": s.LIMIT}
_EVENTS = {"kind": s.many(s.KIND, 20), "limit": s.LIMIT, "after": s.EVENT_ID, "reverse": s.FLAG}
_SEARCH = {
    "q": {**s.line(500, 1), "description": "Words, a phrase in quotes, or a beginning with a star."},
    "session": s.PARAMETERS["id"],
    **{name: s.line(200) for name in ("agent", "project", "tag", "path")},
    **dict.fromkeys(("since", "until"), s.MOMENT),
    "kind": s.many(s.KIND, 20),
    "limit": {**s.LIMIT, "maximum": 200, "default": 20},
}
_LOG = s.table({"type": s.WORD, "text": s.SAID}, role=s.ROLE, meta=s.META)
_METRIC = s.table({"name": s.WORD, "value": s.NUMBER}, meta=s.META)
_DECISION = s.table({"text": s.SAID}, reason=s.TEXT, paths=s.many(s.line(1000, 1)))
_TAGS = s.some(s.table(add=s.many(s.TAG, 50, 1), remove=s.many(s.TAG, 50, 1)))
_APPEND = s.table({"kind": s.KIND}, data=s.META, id=s.EVENT_ID)
_TAKE = s.table(type=s.SNAPSHOT_TYPE, budget={"type": "integer", "minimum": 500, "maximum": 100_000})
_COMMITS = s.many({"type": "string", "pattern": "^[0-9a-f]{4,64}$"}, 100, 1)
_ROWS = s.many(s.EVENT, 1000)


def operations() -> list[Operation]:
    """The operations on sessions, but for the list."""
    return [*_life(), *_records(), *_lookups()]


def _life() -> list[Operation]:
    def op(method: str, path: str, name: str, summary: str, do: Any, **more: Any) -> Operation:
        return Operation(method, path, name, summary, "sessions", s.SESSION, do, **more)

    def get(store: Store, call: Call) -> Any:
        return store.get(call.session).to_dict()

    def switch(store: Store, call: Call) -> Any:
        return store.switch(call.session).to_dict()

    optional = {"body_optional": True}
    return [
        op("POST", f"{V1}/sessions", "startSession", "Open a session", start, status=201, body=s.START, **optional),
        op("GET", ONE, "getSession", "The state of a session", get),
        op("PATCH", ONE, "setSession", "Change what a session says of itself", set_, body=s.SET),
        op("DELETE", ONE, "deleteSession", "Delete a session from this repository", delete),
        op("POST", f"{ONE}/end", "endSession", "End a session", _changed("end"), body=s.END, **optional),
        op("POST", f"{ONE}/pause", "pauseSession", "Pause a session", _changed("pause")),
        op("POST", f"{ONE}/resume", "resumeSession", "Go on with a session", _resume, body=_RESUME, **optional),
        op("POST", f"{ONE}/switch", "switchSession", "Make a session the active one of the worktree", switch),
        op("POST", f"{ONE}/tags", "tagSession", "Add and remove tags", tag, body=_TAGS),
    ]


_RESUME = s.table(activate=s.FLAG)


def _resume(store: Store, call: Call) -> Any:
    return store.resume(call.session, activate=call.body.get("activate", False)).to_dict()


def _records() -> list[Operation]:
    def post(path: str, name: str, summary: str, do: Any, body: s.Schema) -> Operation:
        return Operation("POST", f"{ONE}/{path}", name, summary, "records", s.EVENT, do, status=201, body=body)

    def get(path: str, name: str, summary: str, do: Any, query: Mapping[str, s.Schema] = _LAST) -> Operation:
        return Operation("GET", f"{ONE}/{path}", name, summary, "records", _ROWS, do, query=query)

    said = s.table({"text": s.SAID}, meta=s.META)
    return [
        get("events", "listEvents", "What happened, in order", events, _EVENTS),
        post("events", "appendEvent", "Record an event of any kind", append, _APPEND),
        post("log", "logInteraction", "Record an interaction of a type of your own", log, _LOG),
        get("metrics", "listMetrics", "The numbers that were recorded", of_kind("metric")),
        post("metrics", "recordMetric", "Record a number under a name", metric, _METRIC),
        post("usage", "addUsage", "Add tokens, cost or time to what the session has used", usage, s.USAGE),
        get("decisions", "listDecisions", "The decisions that were taken", of_kind("decision")),
        post("decisions", "recordDecision", "Record a decision", decide, _DECISION),
        get("errors", "listErrors", "What went wrong", of_kind("error")),
        post("errors", "recordError", "Record an error", error, said),
        get("context", "listContext", "The snapshots of the repository", contexts, {}),
        post("context", "takeContext", "Take a snapshot of the repository now", take_context, _TAKE),
    ]


def _lookups() -> list[Operation]:
    links = s.many(s.LINK, 100_000)
    ids = s.many({"type": "string"}, 100)
    new_link = s.table({"revisions": _COMMITS}, primary=s.FLAG)
    found = s.many(s.row("session", "event", "kind", "at"), 200)
    return [
        Operation("GET", f"{ONE}/commits", "listCommits", "The commits of a session", "links", links, commits),
        Operation(
            *("POST", f"{ONE}/links", "linkCommits", "Link commits by hand", "links", ids, link),
            status=201,
            body=new_link,
        ),
        Operation(
            *("DELETE", f"{ONE}/links/{{commit}}", "unlinkCommit", "Take a link back", "links", ids, unlink),
        ),
        Operation(
            *("GET", f"{V1}/commits/{{commit}}/sessions", "whichSessions", "The sessions of a commit"),
            *("links", links, which),
        ),
        Operation(
            *("GET", f"{V1}/search", "search", "Search the text of all events", "look back", found, search),
            query=_SEARCH,
            needed=("q",),
        ),
    ]
