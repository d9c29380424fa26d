"""What a call of the Python API costs in a process that runs already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Row, Table, Target, Variant, measure
from benchmarks.world import Repo, World

if TYPE_CHECKING:
    from git_agent_session import Store


def api(world: World) -> Iterator[Table]:
    """Calls by the API on the file system of the world and in memory."""
    for root, kind in world.file_systems():
        yield _table(world, root, kind)


def _table(world: World, root: Path, kind: str) -> Table:
    times = measure(_variants(world, root), world.scale.api_rounds)
    drained = f"drain {world.scale.events} events (into one batch)"
    slow = _drains(world, world.repo("drain", root), drained)
    times |= measure([slow], max(3, world.scale.api_rounds // 10))
    shown = [Row(name, own, target=target, why=why) for name, own, target, why in _promised(world, times)]
    note = f"One call each in one process, on {kind}. A call that follows another meets what that one has written."
    return Table(f"The Python API, on {kind}", note, shown)


def _promised(world: World, times: dict[str, list[float]]) -> Iterator[tuple[str, list[float], Target | None, str]]:
    """Each row with its target, and why it is missed where it is."""
    journal = "What waits in the journal, up to 64 KB, is read again after each event."
    opened = f"list of {world.scale.listed}, in a store just opened"
    targets = {
        "start": (1.0, "The row below is what the objects and the ref take of it."),
        "append": (0.1, "Every text is searched for secrets before it is written."),
        "log": (0.1, "Every text is searched for secrets before it is written."),
        "current": (1.0, journal),
        "open and current (should I resume?)": (1.0, journal),
        "get, after an event": (1.0, journal),
        f"list of {world.scale.listed}": (2.0, ""),
        opened: (2.0, "The index is read, and made into objects that nobody has asked for yet."),
    }
    for name, own in times.items():
        ms, why = targets.get(name, (0.0, ""))
        yield name, own, Target(ms=ms) if ms else None, why


def _variants(world: World, root: Path) -> list[Variant]:
    repo = world.repo("api", root)
    store = repo.store()
    session = store.start(goal="The session that is measured", agent="claude-code")
    few, many = _many(world, root, world.scale.listed), _many(world, root, world.scale.sessions)
    raw = _raw(world.repo("raw", root))
    few_store, many_store, opened = few.store(), many.store(), _Opened(few)
    from git_agent_session import Filter

    wanted = Filter(agent_type="claude-code", tags=("even",))
    used = {"name": "Bash", "paths": ["src/app.py"], "duration_ms": 52, "outcome": "ok"}
    text = "Please add rate limiting to the public API, with tests. " * 4
    begun = world.repo("start", root).store()
    return [
        Variant("start", lambda: begun.start(goal="Add rate limiting", agent="claude-code", tags=("api",))),
        Variant("(what pygit2 alone needs for the objects and the ref of a start)", raw),
        Variant("append", lambda: store.append(session.id, "tool", used)),
        Variant("log", lambda: store.log(session.id, "user_message", text, role="user")),
        Variant("current", store.current, lambda: store.append(session.id, "decision", {"text": "this one"})),
        Variant("open and current (should I resume?)", lambda: few.store().current()),
        Variant("get, after an event", lambda: store.get(session.id), lambda: store.log(session.id, "note", "another")),
        Variant(f"list of {world.scale.listed}", few_store.list),
        Variant(f"list of {world.scale.listed}, in a store just opened", opened.list, opened.open),
        Variant(f"list of {world.scale.sessions:,}, by agent and tag", lambda: many_store.list(wanted)),
    ]


class _Opened:
    """A store opened anew before each list, as every process does."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._store: Store | None = None

    def open(self) -> None:
        self._store = self._repo.store()

    def list(self) -> None:
        assert self._store is not None
        self._store.list()


def _many(world: World, root: Path, sessions: int) -> Repo:
    repo = world.repo("many", root)
    store = repo.store()
    for n in range(sessions):
        agent, tags = ("claude-code", "codex")[n % 3 > 1], ("even", "odd")[n % 2 : n % 2 + 1]
        store.start(goal=f"Goal number {n}", agent=agent, tags=tags)
    # as gc does it: loose refs in such a number are not left standing
    repo.call("pack-refs", "--all")
    store.list()
    return repo


def _drains(world: World, repo: Repo, name: str) -> Variant:
    store = repo.store()
    session = store.start(goal="The session that is measured", agent="claude-code")

    def before() -> None:
        for n in range(world.scale.events):
            store.append(session.id, "tool", {"name": "Bash", "paths": [f"file{n}.py"], "outcome": "ok"})

    return Variant(name, lambda: store.drain(session.id), before)


def _raw(repo: Repo) -> Callable[[], None]:
    import pygit2

    from git_agent_session.ids import new_session_id

    git = pygit2.Repository(str(repo.path))
    who = pygit2.Signature("Ada Measurer", "ada@example.org")

    def once() -> None:
        name = new_session_id()
        builder = git.TreeBuilder()
        builder.insert("session.toml", git.create_blob(f"{name} state".encode() * 20), 0o100644)
        builder.insert("events.toml", git.create_blob(f"{name} event".encode() * 10), 0o100644)
        commit = git.create_commit(None, who, who, name, builder.write(), [])
        with git.transaction() as transaction:
            transaction.lock_ref(f"refs/agent-sessions/{name}")
            transaction.set_target(f"refs/agent-sessions/{name}", commit)

    return once
