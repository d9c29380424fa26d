"""Writing sessions: lifecycle, records, links. The Python API that everything else is thin over.

Recording appends to the journal, which is cheap and final; a batch commit follows at start, at end, when asked, and
past 64 KB. Every text is cleaned and redacted before it is written anywhere.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from git_agent_session import bounds, codec, journal, live
from git_agent_session.errors import AgentSessionError, SessionState, StorageError, UsageError
from git_agent_session.git.repository import Repository
from git_agent_session.ids import (
    native_session_id,
    new_event_id,
    new_session_id,
)
from git_agent_session.model import (
    END_STATUSES,
    PAUSED,
    ROLES,
    SNAPSHOT_TYPES,
    USAGE_KEYS,
    Agent,
    Doc,
    Event,
    Session,
)
from git_agent_session.redact.configured import redactor
from git_agent_session.redact.engine import Redactor
from git_agent_session.store import drain as draining
from git_agent_session.store import entries, left_open, links, lookup
from git_agent_session.store.reader import Excerpts, Reader

# a Store that lives long looks at the configuration this often
REDACTOR_SECONDS = 2.0


class Store(Reader):
    """Sessions of one repository, to be read and written. Open one with `git_agent_session.open`."""

    def __init__(
        self, repo: Repository, env: Mapping[str, str] | None = None, excerpts: Excerpts | None = None
    ) -> None:
        super().__init__(repo, env, excerpts)
        self._redactors: dict[str, tuple[float, Redactor]] = {}

    def is_off(self) -> bool:
        """True where `agentSession.enabled` is false. A store does as it is told; its callers have to ask."""
        return not self.repo.config_bool("agentSession.enabled", True)

    # -- lifecycle

    def start(
        self,
        *,
        goal: str = "",
        title: str = "",
        type: str = "",
        project: str = "",
        user: str = "",
        parent: str = "",
        workflow: str = "",
        phase: str = "",
        agent: Agent | str = "",
        tags: Sequence[str] = (),
        meta: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        forked_from: Mapping[str, str] | None = None,
        activate: bool = True,
    ) -> Session:
        """Open a session and return it; with `activate` it becomes this worktree's active one.

        `agent` is an Agent or its type. One with a `native_id` gets the id that the agent's own hooks would give it.
        `context` is a snapshot (`Snapshot.to_dict()`) to store as the initial one. `workflow` and `phase` are taken as
        they are: `work.workflows.start` checks them. Raises UsageError for a value that cannot be, SessionState when
        the session exists already, StorageError.
        """
        who = entries.agent(agent)
        session_id = native_session_id(who.type, who.native_id) if who.native_id else new_session_id()
        if type:
            entries.check(type, entries.WORD, "type", "such as full, quick or research")
        data: Doc = {
            "goal": entries.text(goal, "goal"),
            "title": entries.text(title, "title"),
            "type": type,
            "project": entries.text(project, "project") or lookup.worktree_name(self.repo.location),
            "user": entries.text(user, "user") or "{} <{}>".format(*self.repo.identity),
            "parent": self.resolve(parent) if parent else "",
            "workflow": entries.text(workflow, "workflow"),
            "phase": entries.text(phase, "phase"),
            "tags": [entries.tag(t) for t in entries.texts(tags, "tags")],
            "meta": entries.table(meta or {}, "the metadata"),
            "forked_from": entries.table(forked_from or {}, "where it was forked"),
            "agent": {k: getattr(who, k) for k in Agent.__slots__ if getattr(who, k)},
        }
        events = [self._event(session_id, "start", {k: v for k, v in data.items() if v})]
        return self._start(session_id, who, events, context, activate)

    def _start(
        self, session_id: str, who: Agent, events: list[Event], context: Mapping[str, Any] | None, activate: bool
    ) -> Session:
        files = self._add_snapshot(session_id, events, context, "initial") if context else {}
        self._prepare()
        state = draining.create(self.repo, session_id, draining.Extra(events, files))
        if state is None:
            raise SessionState(
                f"session {session_id[:8]} of {who.type} exists already",
                hint=f"`git agent-session resume {session_id[:8]}` reopens it",
            )
        self._open(session_id, who.type, activate=activate)
        if who.native_id:
            live.set_native(self.shared, who.type, who.native_id, session_id)
        return state.session()

    def end(
        self, session: str | None = None, *, status: str = "completed", message: str = "", phase: str = ""
    ) -> Session:
        """End a session with one of the final statuses, in a last `phase` where one is given.

        Raises UsageError, SessionState when it has ended already.
        """
        if entries.text(status, "status") not in END_STATUSES:
            raise UsageError(f"{codec.clean(status, 40)!r} is no final status", hint=f"use {', '.join(END_STATUSES)}")
        current = self._in_state(session, ended=False, verb="ended")
        texts = {"message": entries.text(message, "message"), "phase": entries.text(phase, "phase")}
        data = {"status": status, **{k: v for k, v in texts.items() if v}}
        self._append(current.id, [self._event(current.id, "end", data)])
        self._close(current.id)
        self.drain(current.id)
        return self.get(current.id)

    def pause(self, session: str | None = None) -> Session:
        """Pause a session: it stays current, and commits do not link to it until it is resumed."""
        current = self._in_state(session, ended=False, verb="paused")
        if current.status == PAUSED:
            raise SessionState(f"session {current.id[:8]} is paused already", hint="`git agent-session resume`")
        self._append(current.id, [self._event(current.id, "pause", {})])
        self._close(current.id, stays_active=True)
        return self.get(current.id)

    def resume(self, session: str | None = None, *, activate: bool = True) -> Session:
        """Go on with a paused or ended session; with `activate` it becomes this worktree's active one."""
        current = self.get(session)
        self._prepare()
        left_open.forget(self.shared, current.id)
        if current.ended or current.status == PAUSED:
            self._append(current.id, [self._event(current.id, "resume", {})])
        elif live.is_open(self.shared, current.id) and (not activate or live.active(self.private) == current.id):
            raise SessionState(f"session {current.id[:8]} is active already", hint="nothing to do")
        self._open(current.id, current.agent.type, activate=activate)
        return self.get(current.id)

    def switch(self, session: str) -> Session:
        """Make another session this worktree's active one. Raises SessionState when it has ended."""
        current = self._in_state(session, ended=False, verb="switched to")
        self._prepare()
        self._open(current.id, current.agent.type if current.status != PAUSED else None, activate=True)
        return current

    def delete(self, session: str) -> Session:
        """Remove a session from this repository: its ref, its journal, its lines in notes. Returns what it was."""
        from git_agent_session.store import sweep

        return sweep.delete(self, self.resolve(session))

    # -- recording

    def append(self, session: str | None, kind: str, data: Mapping[str, Any] | None = None, *, id: str = "") -> Event:
        """Record one event of any kind; when this returns it survives the death of the process.

        `data` holds plain values. An `id` of the caller's own makes a second append of the same thing harmless.
        """
        return self._record(session, kind, {} if data is None else data, id)

    def log(
        self,
        session: str | None,
        type: str,
        text: str,
        *,
        role: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> Event:
        """Record an interaction of the user's own `type`; `role` is one of user, assistant, tool, system."""
        entries.check(type, entries.WORD, "type", "such as note, question or user_message")
        if role and entries.text(role, "role") not in ROLES:
            raise UsageError(f"{codec.clean(role, 40)!r} is no role", hint=f"use {', '.join(ROLES)}")
        data: Doc = {"type": type, "text": entries.text(text, "text")}
        if role:
            data["role"] = role
        if meta:
            data["meta"] = entries.table(meta, "the metadata")
        return self._record(session, "interaction", data)

    def metric(
        self, session: str | None, name: str, value: int | float, *, meta: Mapping[str, Any] | None = None
    ) -> Event:
        """Record a number under a name. Tokens and cost that should be added up are `usage`."""
        entries.check(name, entries.WORD, "metric name", "such as tokens_used")
        data = {"name": name, "value": entries.number(value)}
        return self._record(session, "metric", data | ({"meta": entries.table(meta, "the metadata")} if meta else {}))

    def usage(self, session: str | None = None, **amounts: int | float) -> Event:
        """Add tokens (`input_tokens` …), `cost_usd` or `duration_ms` to a session's usage."""
        unknown = amounts.keys() - set(USAGE_KEYS)
        if unknown:
            raise UsageError(f"{min(unknown)!r} is no usage", hint=f"use {', '.join(USAGE_KEYS)}")
        if not amounts:
            raise UsageError("no usage is given", hint=f"use {', '.join(USAGE_KEYS)}")
        return self._record(session, "usage", {key: entries.number(value) for key, value in amounts.items()})

    def tag(self, session: str | None, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Event:
        """Add and remove tags."""
        tags = {"add": entries.texts(add, "tags"), "remove": entries.texts(remove, "tags")}
        return self._record(session, "tag", {k: [entries.tag(t) for t in v] for k, v in tags.items() if v})

    def set(self, session: str | None = None, **changes: Any) -> Event:
        """Change `goal`, `title`, `type`, `project`, or add to `meta`."""
        unknown = changes.keys() - {"goal", "title", "type", "project", "meta"}
        if unknown:
            raise UsageError(f"{min(unknown)!r} cannot be set", hint="use goal, title, type, project or meta")
        for key, value in changes.items():
            if key != "meta":
                entries.text(value, key)
            else:
                self._check_meta(session, entries.table(value, "the metadata"))
        return self._record(session, "set", changes)

    def _check_meta(self, session: str | None, meta: Doc) -> None:
        new = self._event(self.resolve(session), "set", {"meta": meta}).data["meta"]
        if bounds.size({**self.get(session).meta, **new}) > bounds.MAX_META:
            raise entries.too_much_meta()

    def add_context(self, session: str | None, snapshot: Mapping[str, Any], *, type: str = "update") -> Event:
        """Store a context snapshot (`Snapshot.to_dict()`) of type initial, update or refresh."""
        if entries.text(type, "type") not in SNAPSHOT_TYPES:
            raise UsageError(f"{codec.clean(type, 40)!r} is no snapshot type", hint=f"use {', '.join(SNAPSHOT_TYPES)}")
        current = self._in_state(session, ended=None, verb="given context")
        events: list[Event] = []
        files = self._add_snapshot(current.id, events, snapshot, type)
        draining.drain(self.repo, current.id, draining.Extra(events, files))
        return events[0]

    # -- links

    def link(self, session: str | None, revisions: Sequence[str], *, primary: bool = False) -> list[str]:
        """Link commits to a session by hand; returns the ids of those that were not linked so before."""
        current = self._in_state(session, ended=None, verb="linked")
        commits = [self.repo.resolve(r) for r in entries.texts(revisions, "revisions")]
        known = {link.commit: link for link in self.commits(current.id)}
        events = []
        for commit in dict.fromkeys(commits):
            before = known.get(commit)
            if before is not None and (before.primary or not primary):
                continue
            facts = self.repo.commit_facts(commit)
            data: Doc = {"commit": commit, "tree": facts["tree"], "parents": facts["parents"], "via": "manual"}
            if primary:
                data["primary"] = True
            # a random part: the same commit may be linked, unlinked and linked again
            events.append(self._event(current.id, "commit", data, f"commit-{commit}-{new_event_id()[:8]}"))
        # a note that was lost comes back, also where the link is known
        agent = current.agent.type or "unknown"
        links.project(self.repo, {c: [links.Edit(current.id, True, agent)] for c in known if c in commits}, "link")
        return self._write_links(current.id, events)

    def unlink(self, session: str | None, revisions: Sequence[str]) -> list[str]:
        """Take links back; returns the ids. Raises SessionState for a commit that is not linked."""
        current = self._in_state(session, ended=None, verb="unlinked")
        commits = list(dict.fromkeys(self.repo.resolve(r) for r in entries.texts(revisions, "revisions")))
        known = {link.commit for link in self.commits(current.id)}
        for commit in commits:
            if commit not in known:
                raise SessionState(
                    f"commit {commit[:10]} is not linked to session {current.id[:8]}",
                    hint=f"`git agent-session which {commit[:10]}` shows its sessions",
                )
        return self._write_links(current.id, [self._event(current.id, "unlink", {"commit": c}) for c in commits])

    def _write_links(self, session_id: str, events: list[Event]) -> list[str]:
        if events:
            self._append(session_id, events)
            self.drain(session_id)
        return [str(e.data["commit"]) for e in events]

    # -- batches

    def drain(self, session: str | None = None) -> None:
        """Write what waits for a session (and what hooks left about rewritten commits) into its ref now."""
        session_id = self.resolve(session)
        self.settle()
        draining.drain(self.repo, session_id)

    def drain_all(self) -> list[AgentSessionError]:
        """Drain every session that has anything waiting; returns what went wrong, session by session."""
        errors: list[AgentSessionError] = []
        self.settle()
        for session_id in sorted(journal.waiting(self.shared)):
            try:
                draining.drain(self.repo, session_id)
            except AgentSessionError as e:
                errors.append(e)
        return errors

    # -- how

    def _record(self, session: str | None, kind: str, data: Mapping[str, Any], id: str = "") -> Event:
        session_id = self.resolve(session)
        if not live.is_open(self.shared, session_id):
            self.get(session_id)  # it may be paused, ended, or not be at all
        event = self._event(session_id, kind, data, id)
        self._append(session_id, [event])
        return event

    def _event(self, session_id: str, kind: str, data: Mapping[str, Any], id: str = "") -> Event:
        return entries.event(kind, data, id, self._redactor(session_id).value)

    def _redactor(self, session_id: str) -> Redactor:
        """What takes secrets out of this session's texts, by the configuration as it was a moment ago at most."""
        now = time.monotonic()
        known = self._redactors.get(session_id)
        if known is None or known[0] < now - REDACTOR_SECONDS:
            known = self._redactors[session_id] = (now, redactor(self.repo.location, session_id))
        return known[1]

    def _append(self, session_id: str, events: Sequence[Event]) -> None:
        size = journal.append(self.shared, session_id, events)
        if size > journal.DRAIN_BYTES:
            # recorded already: what hinders the batch now is met again, and said, at the next one
            with contextlib.suppress(AgentSessionError):
                draining.drain(self.repo, session_id, wait=0.0)

    def _in_state(self, session: str | None, *, ended: bool | None, verb: str) -> Session:
        current = self.get(session)
        if ended is False and current.ended:
            raise SessionState(
                f"session {current.id[:8]} has ended ({current.status}) and cannot be {verb}",
                hint=f"`git agent-session resume {current.id[:8]}` reopens it",
            )
        return current

    def _add_snapshot(
        self, session_id: str, events: list[Event], snapshot: Mapping[str, Any], type: str
    ) -> dict[str, bytes]:
        doc = codec.clean_value(self._redactor(session_id).value(entries.table(snapshot, "the snapshot")))
        data: Doc = {"type": type}
        for key in ("file_count", "token_estimate", "token_method"):
            if key in doc:
                data[key] = doc[key]
        event = self._event(session_id, "context", data)
        text = codec.dumps(doc)
        if len(text) > codec.MAX_BATCH:
            raise UsageError(
                f"the snapshot is larger than {codec.MAX_BATCH // 1024 // 1024} MiB", hint="take one with less in it"
            )
        events.append(event)
        return {f"context/{event.id}.toml": text}

    def _open(self, session_id: str, agent_type: str | None, *, activate: bool) -> None:
        """Let commits link from now on (not where `agent_type` is None), and make the session the active one."""
        with _writing(self.shared):
            if agent_type is not None:
                trailer = self.repo.config_bool("agentSession.trailer", True)
                live.set_open(self.shared, session_id, agent_type, trailer=trailer)
            if activate:
                live.set_active(self.private, session_id)

    def _close(self, session_id: str, *, stays_active: bool = False) -> None:
        with _writing(self.shared):
            live.set_closed(self.shared, session_id)
            live.forget_offers(self.private, session_id)
            if not stays_active and live.active(self.private) == session_id:
                live.set_active(self.private, None)

    def _prepare(self) -> None:
        with _writing(self.shared):
            live.prepare(self.shared)
            os.makedirs(self.private, mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StorageError(
            f"cannot write to {folder}: {e.strerror}", hint="free disk space or make the repository writable"
        ) from e
