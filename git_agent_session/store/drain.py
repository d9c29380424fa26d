"""Draining: the journal's events become one batch commit on the session's ref, each exactly once.

Under the session's lock the journal is moved aside, events that the chain already holds are dropped by id, the rest get
their clocks, the state is folded on, and the ref moves by compare-and-swap; only then is what was moved aside dropped.
Killed at any point, the next drain finds the same events again. Notes are brought in line last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session import bounds, codec, journal, lock
from git_agent_session.errors import BrokenSession, StorageError
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.ids import is_object_id
from git_agent_session.model import SCHEMA, Doc, Event, State, fold
from git_agent_session.store import links
from git_agent_session.store.seen import LINKING, Seen

_TRIES = 50


@dataclass(frozen=True, slots=True)
class Extra:
    """What goes into a batch past the journal: events, and the files that belong to them."""

    events: Sequence[Event] = ()
    files: Mapping[str, bytes] | None = None


def drain(repo: Repository, session_id: str, extra: Extra | None = None, *, wait: float = 10.0) -> str | None:
    """Write what waits for a session, and `extra`, as one batch; returns the ref's tip afterwards.

    Nothing to write is fine. Events of a session that has neither a ref nor a start (a deleted one) stay where they
    are. Raises StorageError or BrokenSession; the journal's events are then still there.
    """
    shared = repo.location.shared
    extra = extra or Extra()
    with lock.held(shared, session_id, wait=wait):
        pending = journal.take(shared, session_id)
        events = [*pending.events, *extra.events]
        tip, _, state = _write(repo, session_id, events, extra.files or {})
        if tip is not None:
            # first the notes: killed in between, the next drain finds the same events and does them again
            linking = [e for e in events if e.kind in LINKING]
            if linking and state is None:
                known = Seen.load(shared, repo, session_id, tip).links()
                state = State(read_state(repo, session_id, tip), known)
            if linking and state is not None:
                project_notes(repo, session_id, linking, state)
            journal.discard(shared, session_id, pending)
    return tip


def create(repo: Repository, session_id: str, first: Extra) -> State | None:
    """Write the first batch of a session that nobody knows yet; None when its ref exists already.

    Without lock and journal: the ref is made by compare-and-swap from nothing.
    """
    if repo.tip(SESSIONS + session_id) is not None:
        return None
    return _write(repo, session_id, list(first.events), first.files or {})[2]


def _write(
    repo: Repository, session_id: str, events: list[Event], files: Mapping[str, bytes]
) -> tuple[str | None, list[Event], State | None]:
    ref = SESSIONS + session_id
    for _ in range(_TRIES):
        tip = repo.tip(ref)
        seen = Seen.load(repo.location.shared, repo, session_id, tip)
        fresh = unseen(events, seen.ids)
        if not fresh or (tip is None and not any(e.kind == "start" for e in fresh)):
            return tip, [], None
        state = State(read_state(repo, session_id, tip) if tip else None, seen.links())
        fresh = _clocked(repo, fresh, state.doc.get("clock", 0))
        new = ""
        batches = _batches(fresh)
        for n, (part, text) in enumerate(batches, 1):
            state = fold(session_id, part, state)
            # the event of a snapshot is the last one
            more = files if n == len(batches) else {}
            batch = {"session.toml": codec.dumps(state.doc), "events.toml": text, **more}
            parent = new or tip
            new = repo.write_batch(batch, [parent] if parent else [], _subject(part))
        try:
            repo.swap(ref, new, tip, _subject(fresh))
        except Moved:
            continue
        if tip is not None:
            seen.add(fresh, new)
        return new, fresh, state
    raise StorageError(f"session {session_id[:8]} is written by others again and again", hint="try again")


def _batches(events: Iterable[Event]) -> list[tuple[list[Event], bytes]]:
    """The events cut into batches that every reader takes, each with its `events.toml`."""
    batches: list[tuple[list[Event], list[bytes]]] = []
    room = 0
    for event in events:
        block = codec.event_block(event)
        if not batches or room < len(block):
            batches.append(([], []))
            room = codec.MAX_BATCH
        batches[-1][0].append(event)
        batches[-1][1].append(block)
        room -= len(block)
    return [(part, b"".join(blocks)) for part, blocks in batches]


def unseen(events: Iterable[Event], ids: set[str]) -> list[Event]:
    """The events that are not in `ids`, each id once."""
    fresh: dict[str, Event] = {}
    for event in events:
        if event.id not in ids:
            fresh.setdefault(event.id, event)
    return list(fresh.values())


def read_state(repo: Repository, session_id: str, tip: str) -> Doc:
    """The document of `session.toml` at `tip`, made sane; raises BrokenSession when it cannot be read."""
    try:
        data = repo.files(tip, "session.toml", limit=4 * 1024 * 1024)["session.toml"]
        return state_in(data, session_id)
    except (KeyError, ValueError) as e:
        what = "it has no session.toml" if isinstance(e, KeyError) else str(e)
        raise BrokenSession(
            f"session {session_id[:8]} cannot be read: {what}",
            hint=f"`git log refs/agent-sessions/{session_id[:8]}*` shows earlier states; other sessions still work",
        ) from e


def state_in(data: bytes, session_id: str) -> Doc:
    """The state in a `session.toml`, made sane; raises ValueError for what is no state of this session."""
    return bounds.sane(document_in(data, session_id))


def document_in(data: bytes, session_id: str) -> Doc:
    """The same as it stands there."""
    doc = codec.loads(data)
    schema = doc.get("schema")
    if doc.get("id") != session_id or type(schema) is not int or schema < 1:
        raise ValueError("it is not the state of this session")
    if schema > SCHEMA:
        raise ValueError(f"its schema is newer than {SCHEMA}, the one that this version knows")
    return doc


def _clocked(repo: Repository, events: list[Event], clock: int) -> list[Event]:
    out = []
    for clock, event in enumerate(events, clock + 1):  # noqa: B020
        if event.kind == "commit" and "paths" not in event.data:
            paths, patch_id = repo.changed_paths(str(event.data.get("commit", "")))
            data = {**event.data, "paths": paths}
            if patch_id:
                data["patch_id"] = patch_id
            event = replace(event, data=data)
        out.append(replace(event, clock=clock))
    return out


def _subject(events: Sequence[Event]) -> str:
    """What a batch's commit says: kinds and counts, no user's text."""
    kinds: dict[str, int] = {}
    for event in events:
        kinds[event.kind] = kinds.get(event.kind, 0) + 1
    named = ", ".join(f"{kind} ×{n}" if n > 1 else kind for kind, n in kinds.items())
    return named if len(named) <= 72 else f"{len(events)} events"


def project_notes(repo: Repository, session_id: str, events: Iterable[Event], state: State) -> None:
    """Bring the notes in line with linking events; those that are already cost a look each."""
    agent = state.session().agent.type or "unknown"
    wanted: dict[str, list[links.Edit]] = {}
    for event in events:
        commit = str(event.data.get("new" if event.kind == "rewrite" else "commit", ""))
        link = state.links.get(commit)
        if link is not None and not link.replaced_by:
            wanted[commit] = [links.Edit(session_id, True, agent, link.primary and event.data.get("via") == "manual")]
        elif event.kind == "unlink":
            wanted[commit] = [links.Edit(session_id, False)]
    if wanted:
        links.project(repo, {c: e for c, e in wanted.items() if is_object_id(c)}, "link")
