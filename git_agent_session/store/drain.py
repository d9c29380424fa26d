"""Draining: the journal's events become one batch commit on the session's ref, each exactly once.

Under the session's lock the journal is moved aside, events that the chain already holds are dropped by id, the rest get
their clocks, the state is folded on, and the ref moves by compare-and-swap; only then is what was moved aside dropped.
Killed at any point, the next drain finds the same events again. Notes are brought in line last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session import codec, journal, lock
from git_agent_session.errors import BrokenSession, StorageError
from git_agent_session.git.repository import SESSIONS, Moved, Repository
from git_agent_session.model import Doc, Event, State, fold
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
        tip, written, state = _write(repo, session_id, [*pending.events, *extra.events], extra.files or {})
        if tip is not None:
            journal.discard(shared, session_id, pending)
    if state is not None:
        project_notes(repo, session_id, written, state)
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
        before = State(read_state(repo, session_id, tip) if tip else None, seen.links())
        fresh = _clocked(repo, fresh, before.doc.get("clock", 0))
        state = fold(session_id, fresh, before)
        batch = {"session.toml": codec.dumps(state.doc), "events.toml": codec.join(fresh), **files}
        new = repo.write_batch(batch, [tip] if tip else [], _subject(fresh))
        try:
            repo.swap(ref, new, tip, _subject(fresh))
        except Moved:
            continue
        if tip is not None:
            seen.add(fresh, new)
        return new, fresh, state
    raise StorageError(f"session {session_id[:8]} is written by others again and again", hint="try again")


def unseen(events: Iterable[Event], ids: set[str]) -> list[Event]:
    """The events that are not in `ids`, each id once."""
    fresh: dict[str, Event] = {}
    for event in events:
        if event.id not in ids:
            fresh.setdefault(event.id, event)
    return list(fresh.values())


def read_state(repo: Repository, session_id: str, tip: str) -> Doc:
    """The document of `session.toml` at `tip`; raises BrokenSession when it cannot be read."""
    try:
        data = repo.files(tip, "session.toml", limit=4 * 1024 * 1024)["session.toml"]
        doc = codec.loads(data)
        if doc.get("id") != session_id or not isinstance(doc.get("schema"), int):
            raise ValueError("it is not the state of this session")
        if doc["schema"] > 1:
            raise ValueError(f"its schema is {doc['schema']}, newer than this version knows")
        return doc
    except (KeyError, ValueError) as e:
        what = "it has no session.toml" if isinstance(e, KeyError) else str(e)
        raise BrokenSession(
            f"session {session_id[:8]} cannot be read: {what}",
            hint=f"`git log refs/agent-sessions/{session_id[:8]}*` shows earlier states; other sessions still work",
        ) from e


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
    """Bring the notes in line with the linking events of a batch."""
    agent = state.session().agent.type or "unknown"
    wanted: dict[str, list[links.Edit]] = {}
    for event in events:
        if event.kind not in LINKING:
            continue
        commit = str(event.data.get("new" if event.kind == "rewrite" else "commit", ""))
        link = state.links.get(commit)
        if link is not None:
            wanted[commit] = [links.Edit(session_id, True, agent, link.primary and event.data.get("via") == "manual")]
        elif event.kind == "unlink":
            wanted[commit] = [links.Edit(session_id, False)]
    if wanted:
        links.project(repo, {c: e for c, e in wanted.items() if len(c) == 40}, "link")
