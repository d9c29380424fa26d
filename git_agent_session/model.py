"""What a session is made of: events, links, and the state that they fold into. Standard library only.

The same set of events gives the same state on every machine: `fold` takes them in (clock, id) order and nothing else
decides. It keeps kinds and keys it does not know. No file, no git and no TOML here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from git_agent_session import bounds, orchestration
from git_agent_session.ids import is_event_id, is_kind, is_object_id, is_timestamp

SCHEMA = 1

ACTIVE = "active"
PAUSED = "paused"
END_STATUSES = ("completed", "failed", "error", "aborted", "abandoned")
STATUSES = (ACTIVE, PAUSED, *END_STATUSES)
ROLES = ("user", "assistant", "tool", "system")
SNAPSHOT_TYPES = ("initial", "update", "refresh")
# what an event says of itself; its data has other keys
OWN_KEYS = ("id", "at", "kind", "clock")

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
        out.update((k, v) for k, v in self.data.items() if k not in OWN_KEYS)
        return out

    @classmethod
    def from_dict(cls, doc: Mapping[str, Any]) -> Event:
        """The event in `doc`, its data made plain; raises ValueError when id, at or kind is missing or none."""
        clock = cls.check(doc)
        data = {k: bounds.plain(v) for k, v in doc.items() if k not in OWN_KEYS}
        return cls(str(doc["id"]), str(doc["at"]), str(doc["kind"]), data, clock)

    @staticmethod
    def check(doc: Mapping[str, Any]) -> int:
        """Raise ValueError unless `doc` is an event's; returns its clock, 0 where it has none."""
        event_id, at, kind, clock = map(doc.get, OWN_KEYS)
        if not is_event_id(event_id):
            raise ValueError(f"an event's id cannot be {_short(event_id)}")
        if not is_timestamp(at) or not is_kind(kind):
            raise ValueError(f"event {event_id} cannot be at {_short(at)} and of kind {_short(kind)}")
        return int(clock or 0) if type(clock) is int and 0 < clock <= bounds.MAX_CLOCK else 0

    @property
    def order(self) -> tuple[int, str]:
        """Where the event stands among all of its session's."""
        return (self.clock, self.id)


@dataclass(frozen=True, slots=True)
class Link:
    """A commit that a session made, and how that is known. Ids are full hex; `paths` are relative to the worktree.

    A link with `replaced_by` is that of a commit which an amend or a rebase has replaced.
    """

    commit: str
    via: str
    at: str
    tree: str = ""
    parents: tuple[str, ...] = ()
    patch_id: str = ""
    paths: tuple[str, ...] = ()
    primary: bool = False
    rewritten_from: str = ""
    replaced_by: str = ""

    def to_dict(self) -> Doc:
        out: Doc = {"commit": self.commit, "via": self.via, "at": self.at}
        if self.primary:
            out["primary"] = True
        for key in ("tree", "patch_id", "rewritten_from", "replaced_by"):
            if value := getattr(self, key):
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


_NOBODY = Agent()


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
    workflow: str = ""
    last_error: str = ""
    ready: bool = False
    tags: tuple[str, ...] = ()
    agent: Agent = _NOBODY
    counts: Mapping[str, int] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    tasks: Mapping[str, Doc] = field(default_factory=dict)
    agents: Mapping[str, Doc] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
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
        fields: Doc = {key: value if isinstance(value := doc.get(key, ""), str) else "" for key in _TEXTS}
        agent = _table(doc, "agent")
        fields["status"] = fields["status"] or ACTIVE
        fields["tags"] = _strings(doc, "tags")
        fields["agent"] = Agent(*[str(agent.get(key, "")) for key in Agent.__slots__]) if agent else _NOBODY
        fields["counts"] = {k: v for k, v in _table(doc, "counts").items() if isinstance(v, int)}
        fields["usage"] = {k: v for k, v in _table(doc, "usage").items() if isinstance(v, int | float)}
        fields["ready"] = doc.get("ready") is True
        for key in ("meta", "tasks", "agents", "plan"):
            fields[key] = _table(doc, key)
        return cls(**fields, doc=doc)


_TEXTS = (
    *("id", "status", "started_at", "updated_at", "ended_at", "goal", "title", "type", "project", "user", "parent"),
    *("message", "phase", "workflow", "last_error"),
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
        doc["counts"]["commits"] = sum(not link.replaced_by for link in state.links.values())
    return state


def _start(state: State, event: Event) -> None:
    _set(state, event)
    doc, data = state.doc, event.data
    _take(doc, data, "user", "parent")
    if isinstance(data.get("agent"), dict):
        doc["agent"] = bounds.names({**doc.get("agent", {}), **data["agent"]})
    if isinstance(data.get("tags"), list):
        doc["tags"] = bounds.tags(data["tags"], doc.get("tags", ()))
    if isinstance(data.get("forked_from"), dict):
        doc["forked_from"] = bounds.names(data["forked_from"])
    orchestration.phase(doc, event)
    _reopen(state, event)


def _set(state: State, event: Event) -> None:
    _take(state.doc, event.data, "goal", "title", "type", "project", "user")
    if isinstance(event.data.get("meta"), dict):
        state.doc["meta"] = bounds.merged(state.doc.get("meta", {}), event.data["meta"])


def _end(state: State, event: Event) -> None:
    status = event.data.get("status")
    state.doc["status"] = status if status in END_STATUSES else "completed"
    state.doc["ended_at"] = event.at
    _take(state.doc, event.data, "message", "phase")
    state.doc.pop("ready", None)


def _pause(state: State, event: Event) -> None:
    if state.doc["status"] == ACTIVE:
        state.doc["status"] = PAUSED


def _reopen(state: State, event: Event) -> None:
    state.doc["status"] = ACTIVE
    for key in ("ended_at", "message"):
        state.doc.pop(key, None)


def _tag(state: State, event: Event) -> None:
    removed = set(_strings(event.data, "remove"))
    added = bounds.tags(event.data.get("add"), state.doc.get("tags", ()))
    state.doc["tags"] = [t for t in added if t not in removed]


def _commit(state: State, event: Event) -> None:
    data = event.data
    commit = str(data.get("commit", ""))
    if not is_object_id(commit):
        return
    before = state.links.get(commit)
    if before is not None:
        # the first evidence stands
        state.links[commit] = replace(before, primary=before.primary or data.get("primary") is True, replaced_by="")
        return
    state.links[commit] = Link(
        commit=commit,
        via=str(data.get("via", "manual")),
        at=event.at,
        tree=str(data.get("tree", "")),
        parents=_strings(data, "parents"),
        patch_id=str(data.get("patch_id", "")),
        paths=_strings(data, "paths"),
        primary=data.get("primary") is True,
        rewritten_from=str(data.get("rewritten_from", "")),
    )


def _unlink(state: State, event: Event) -> None:
    state.links.pop(str(event.data.get("commit", "")), None)


def _rewrite(state: State, event: Event) -> None:
    old, new = str(event.data.get("old", "")), str(event.data.get("new", ""))
    link = state.links.get(old)
    if link is None or not is_object_id(new) or new == old:
        return
    # kept, since the rewriting may be undone, or the old commit rewritten once more
    state.links[link.commit] = replace(link, replaced_by=new)
    before = state.links.get(new)
    if before is None:
        state.links[new] = Link(
            commit=new, via=link.via, at=link.at, paths=link.paths, primary=link.primary, rewritten_from=link.commit
        )
    elif before.replaced_by:
        state.links[new] = replace(before, replaced_by="")


def _usage(state: State, event: Event) -> None:
    usage = state.doc.setdefault("usage", {})
    for key in USAGE_KEYS:
        value = event.data.get(key)
        if bounds.is_amount(value) and bounds.is_amount(total := usage.get(key, 0) + value):
            usage[key] = round(total, 6) if key == "cost_usd" else total
    known = bounds.cost({k: event.data[k] for k in ("by", "unpriced") if k in event.data})
    if known:
        state.doc["cost"] = {**state.doc.get("cost", {}), **known}


def _model(state: State, event: Event) -> None:
    named = {k: event.data[k] for k in ("model", "version") if isinstance(event.data.get(k), str)}
    if named:
        state.doc["agent"] = bounds.names({**state.doc.get("agent", {}), **named})


def _on_doc(apply: Callable[[Doc, Event], None]) -> Callable[[State, Event], None]:
    return lambda state, event: apply(state.doc, event)


# `reasoning_tokens` are a part of the output's; input is what neither came from the cache nor went into it
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
USAGE_KEYS = (*TOKENS, "cost_usd", "duration_ms")

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
    "interrupt": "interrupts",
    "transcript": "chunks",
    "decision": "decisions",
    "plan": "plans",
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
    "phase": _on_doc(orchestration.phase),
    "task": _on_doc(orchestration.task),
    "plan": _on_doc(orchestration.plan),
    "agent": _on_doc(orchestration.agent),
    "error": _on_doc(orchestration.error),
}


def _take(doc: Doc, data: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if isinstance(data.get(key), str):
            doc[key] = bounds.cut(data[key])


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


def _strings(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = data.get(key)
    return tuple(v for v in values if isinstance(v, str)) if isinstance(values, list) else ()


def _table(doc: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = doc.get(key)
    return value if isinstance(value, dict) else {}


def _copy(doc: Doc) -> Doc:
    return {k: dict(v) if isinstance(v, dict) else list(v) if isinstance(v, list) else v for k, v in doc.items()}
