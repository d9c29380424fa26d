"""What a session is made of: events, links, and the state that they fold into. Standard library only.

The same set of events gives the same state on every machine: `fold` takes them in (clock, id) order and nothing else
decides. It keeps kinds and keys it does not know. No file, no git and no TOML here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.ids import is_timestamp

SCHEMA = 1

ACTIVE = "active"
PAUSED = "paused"
END_STATUSES = ("completed", "failed", "error", "aborted", "abandoned")
STATUSES = (ACTIVE, PAUSED, *END_STATUSES)
ROLES = ("user", "assistant", "tool", "system")
SNAPSHOT_TYPES = ("initial", "update", "refresh")
VIAS = ("env", "agent", "active", "files", "head", "trailer", "rewrite", "manual")

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is RFC 3339 UTC in milliseconds; `clock` is 0 until a batch is written."""

    id: str
    at: str
    kind: str
    data: Doc = field(default_factory=dict)
    clock: int = 0

    def to_dict(self) -> Doc:
        """The event as it is stored and as `--json` prints it."""
        out: Doc = {"id": self.id, "at": self.at, "kind": self.kind}
        if self.clock:
            out["clock"] = self.clock
        out.update(self.data)
        return out

    @classmethod
    def from_dict(cls, doc: Mapping[str, Any]) -> Event:
        """The event in `doc`; raises ValueError when one of its three keys is missing or of another type."""
        rest = dict(doc)
        event_id, at, kind = (rest.pop(key, None) for key in ("id", "at", "kind"))
        clock = rest.pop("clock", 0)
        if not isinstance(event_id, str) or not isinstance(kind, str) or not is_timestamp(at):
            raise ValueError("an event needs id, at and kind")
        return cls(event_id, str(at), kind, rest, clock if isinstance(clock, int) and clock > 0 else 0)

    @property
    def order(self) -> tuple[int, str]:
        """Where the event stands among all of its session's."""
        return (self.clock, self.id)


@dataclass(frozen=True, slots=True)
class Link:
    """A commit that a session made, and how that is known. Ids are full hex; `paths` are relative to the worktree."""

    commit: str
    via: str
    at: str
    tree: str = ""
    parents: tuple[str, ...] = ()
    patch_id: str = ""
    paths: tuple[str, ...] = ()
    primary: bool = False
    rewritten_from: str = ""

    def to_dict(self) -> Doc:
        out: Doc = {"commit": self.commit, "via": self.via, "at": self.at}
        if self.primary:
            out["primary"] = True
        for key, value in (("tree", self.tree), ("patch_id", self.patch_id), ("rewritten_from", self.rewritten_from)):
            if value:
                out[key] = value
        if self.parents:
            out["parents"] = list(self.parents)
        if self.paths:
            out["paths"] = list(self.paths)
        return out


@dataclass(frozen=True, slots=True)
class Agent:
    """Who worked: `type` (`claude-code`, `codex` …), its version, its model, and its own name for the session."""

    type: str = ""
    version: str = ""
    model: str = ""
    native_id: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """The state of a session. Times are RFC 3339; `counts` and `usage` hold whole numbers, `cost_usd` a float."""

    id: str
    status: str
    started_at: str
    updated_at: str
    ended_at: str = ""
    goal: str = ""
    title: str = ""
    type: str = ""
    project: str = ""
    user: str = ""
    parent: str = ""
    message: str = ""
    phase: str = ""
    tags: tuple[str, ...] = ()
    agent: Agent = Agent()
    counts: Mapping[str, int] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    doc: Doc = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """True once the session has one of the final statuses."""
        return self.status in END_STATUSES

    @property
    def about(self) -> str:
        """What the session is about, in a line: its goal, else its title."""
        return self.goal or self.title

    def to_dict(self) -> Doc:
        """The keys of `session.toml`: what `--json` prints."""
        return dict(self.doc)

    @classmethod
    def from_doc(cls, doc: Doc) -> Session:
        """The typed view of a folded state or of a `session.toml`."""

        def text(key: str) -> str:
            value = doc.get(key, "")
            return value if isinstance(value, str) else ""

        agent = _table(doc, "agent")
        return cls(
            id=text("id"),
            status=text("status") or ACTIVE,
            started_at=text("started_at"),
            updated_at=text("updated_at"),
            ended_at=text("ended_at"),
            goal=text("goal"),
            title=text("title"),
            type=text("type"),
            project=text("project"),
            user=text("user"),
            parent=text("parent"),
            message=text("message"),
            phase=text("phase"),
            tags=tuple(t for t in doc.get("tags", ()) if isinstance(t, str)),
            agent=Agent(*(str(agent.get(key, "")) for key in ("type", "version", "model", "native_id"))),
            counts={k: v for k, v in _table(doc, "counts").items() if isinstance(v, int)},
            usage={k: v for k, v in _table(doc, "usage").items() if isinstance(v, int | float)},
            meta=_table(doc, "meta"),
            doc=doc,
        )


class State:
    """A state in the making: the document of `session.toml` and the links in force, by commit id."""

    __slots__ = ("doc", "links")

    def __init__(self, doc: Doc | None = None, links: Mapping[str, Link] | None = None) -> None:
        self.doc: Doc = _copy(doc) if doc else {}
        self.links: dict[str, Link] = dict(links or {})

    def session(self) -> Session:
        """The state as callers see it."""
        return Session.from_doc(self.doc)


def fold(session_id: str, events: Iterable[Event], state: State | None = None) -> State:
    """The state after `events`, on top of `state` (default: none).

    All of `events` must be newer, in (clock, id) order, than what `state` already holds; the caller has dropped those
    with an id that was seen before.
    """
    state = State(state.doc, state.links) if state else State()
    doc = state.doc
    if not doc:
        doc.update({"schema": SCHEMA, "id": session_id, "status": ACTIVE, "started_at": "", "updated_at": ""})
    for event in sorted(events, key=lambda e: e.order):
        counts = doc.setdefault("counts", dict.fromkeys(COUNTS, 0))
        counts["events"] = counts.get("events", 0) + 1
        if counted := _COUNTED.get(event.kind):
            counts[counted] = counts.get(counted, 0) + 1
        if not doc["started_at"] or event.at < doc["started_at"]:
            doc["started_at"] = event.at
        doc["updated_at"] = max(doc["updated_at"], event.at)
        doc["clock"] = max(doc.get("clock", 0), event.clock)
        if apply := _APPLY.get(event.kind):
            apply(state, event)
    if "counts" in doc:
        doc["counts"]["commits"] = len(state.links)
    return state


def _start(state: State, event: Event) -> None:
    _set(state, event)
    doc, data = state.doc, event.data
    for key in ("user", "parent"):
        if isinstance(data.get(key), str):
            doc[key] = data[key]
    if isinstance(data.get("agent"), dict):
        doc.setdefault("agent", {}).update(data["agent"])
    if isinstance(data.get("tags"), list):
        doc["tags"] = sorted({*doc.get("tags", ()), *(t for t in data["tags"] if isinstance(t, str))})
    _reopen(state, event)


def _set(state: State, event: Event) -> None:
    for key in ("goal", "title", "type", "project", "user"):
        value = event.data.get(key)
        if isinstance(value, str):
            state.doc[key] = value
    if isinstance(event.data.get("meta"), dict):
        state.doc.setdefault("meta", {}).update(event.data["meta"])


def _end(state: State, event: Event) -> None:
    status = event.data.get("status")
    state.doc["status"] = status if status in END_STATUSES else "completed"
    state.doc["ended_at"] = event.at
    if isinstance(event.data.get("message"), str):
        state.doc["message"] = event.data["message"]


def _pause(state: State, event: Event) -> None:
    if state.doc["status"] == ACTIVE:
        state.doc["status"] = PAUSED


def _reopen(state: State, event: Event) -> None:
    state.doc["status"] = ACTIVE
    for key in ("ended_at", "message"):
        state.doc.pop(key, None)


def _tag(state: State, event: Event) -> None:
    tags = set(state.doc.get("tags", ()))
    for key, change in (("add", tags.update), ("remove", tags.difference_update)):
        values = event.data.get(key)
        change(v for v in (values if isinstance(values, list) else ()) if isinstance(v, str))
    state.doc["tags"] = sorted(tags)


def _commit(state: State, event: Event) -> None:
    data = event.data
    commit = data.get("commit")
    if not isinstance(commit, str) or not commit:
        return
    before = state.links.get(commit)
    if before is not None and event.data.get("via") != "manual":
        return  # the first evidence stands
    state.links[commit] = Link(
        commit=commit,
        via=str(data.get("via", "manual")),
        at=event.at,
        tree=str(data.get("tree", "")),
        parents=_strings(data, "parents"),
        patch_id=str(data.get("patch_id", "")),
        paths=_strings(data, "paths"),
        primary=data.get("primary") is True or (before is not None and before.primary),
    )


def _unlink(state: State, event: Event) -> None:
    state.links.pop(str(event.data.get("commit", "")), None)


def _rewrite(state: State, event: Event) -> None:
    old, new = event.data.get("old"), event.data.get("new")
    link = state.links.get(str(old))
    if link is None or not isinstance(new, str) or not new:
        return
    del state.links[str(old)]
    if new not in state.links:
        state.links[new] = Link(
            commit=new, via=link.via, at=link.at, paths=link.paths, primary=link.primary, rewritten_from=link.commit
        )


def _usage(state: State, event: Event) -> None:
    usage = state.doc.setdefault("usage", {})
    for key in USAGE_KEYS:
        value = event.data.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            usage[key] = round(usage.get(key, 0) + value, 6) if key == "cost_usd" else usage.get(key, 0) + value


def _model(state: State, event: Event) -> None:
    if isinstance(event.data.get("model"), str):
        state.doc.setdefault("agent", {})["model"] = event.data["model"]
    if isinstance(event.data.get("version"), str):
        state.doc.setdefault("agent", {})["version"] = event.data["version"]


def _phase(state: State, event: Event) -> None:
    if isinstance(event.data.get("phase"), str):
        state.doc["phase"] = event.data["phase"]


USAGE_KEYS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
    "duration_ms",
)

# always there, so that a reader need not ask; later kinds add their own
COUNTS = ("events", "messages", "tools", "interactions", "commits", "snapshots", "metrics", "errors")

_COUNTED = {
    "message": "messages",
    "tool": "tools",
    "interaction": "interactions",
    "context": "snapshots",
    "metric": "metrics",
    "error": "errors",
    "compact": "compactions",
    "decision": "decisions",
}

_APPLY: dict[str, Callable[[State, Event], None]] = {
    "start": _start,
    "set": _set,
    "end": _end,
    "pause": _pause,
    "resume": _reopen,
    "tag": _tag,
    "commit": _commit,
    "unlink": _unlink,
    "rewrite": _rewrite,
    "usage": _usage,
    "model": _model,
    "phase": _phase,
}


def _strings(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key)
    return tuple(v for v in values if isinstance(v, str)) if isinstance(values, list) else ()


def _table(doc: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = doc.get(key)
    return value if isinstance(value, dict) else {}


def _copy(doc: Doc) -> Doc:
    return {k: dict(v) if isinstance(v, dict) else list(v) if isinstance(v, list) else v for k, v in doc.items()}
