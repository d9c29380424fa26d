"""What a commit costs: with hooks and no session, inside a session, and with much of everything around."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

from benchmarks.harness import Command, Failed, Row, Table, Target, Variant, measure, rows
from benchmarks.world import Repo, World

# two equal repositories differ by less than this when the machine is quiet; the control row shows by how much
NOISE = Target(ratio=1.1)


def no_session(world: World) -> Iterator[Table]:
    """Hooks installed, and no session about: the cost to everybody who does not use sessions right now."""
    base = world.repo()
    empty = base.copy("empty-hooks").install_empty()
    never = base.copy("never").install()
    ended = base.copy("ended").install()
    session = ended.store().start(goal="Something that is over")
    ended.store().end(session.id)
    variants = [
        empty.commits("empty sh hooks"),
        never.commits("our hooks, never a session", check=never.unlinked),
        ended.commits("our hooks, the session has ended", check=ended.unlinked),
        base.commits("no hooks at all"),
    ]
    times = measure(variants, world.scale.commits_rounds)
    promised = dict.fromkeys([v.name for v in variants[1:3]], Target(ratio=1.1))
    note = f"`git commit -m` of one changed file among {world.scale.files:,}; the empty hooks are the same four."
    why = "What is left is the reading of our functions by sh."
    yield Table("A commit with no session about", note, rows(times, "empty sh hooks", promised, why))


def beside_traces(world: World) -> Iterator[Table]:
    """A person's commit, without a session of their own, of what an agent has written in the same worktree."""
    base = world.repo()
    plain, traced = base.copy("no-traces").install(), base.copy("traces").install()
    empty = base.copy("empty-hooks").install_empty()
    written = _Written(traced)
    variants = [
        empty.commits("empty sh hooks"),
        plain.commits("our hooks, an agent that has written nothing", check=plain.unlinked),
        written.variant("our hooks, an agent has written the file"),
    ]
    plain.store().start(goal="It has written nothing", agent="gemini", activate=False)
    times = measure(variants, world.scale.commits_rounds)
    note = (
        "`git commit -m` by hand, in no session. What an agent has written may be its own: post-commit leaves the "
        "commit to a process that nobody waits for. Checked after each commit: that process has linked it."
    )
    why = "post-commit starts a process; the commit does not wait for it, but the start of one is not free."
    quiet, traces = variants[1].name, variants[2].name
    rest = rows({n: times[n] for n in (quiet, traces)}, quiet, {traces: Target(ratio=1.2)}, why)
    late = Row("from the commit's beginning to its link", written.linked[2:])
    first = Row(variants[0].name, times[variants[0].name])
    yield Table("A commit of what an agent has written", note, [first, *rest, late])


class _Written:
    """A repository in which an agent's session is open and has written the file that is committed."""

    def __init__(self, repo: Repo) -> None:
        from git_agent_session import live
        from git_agent_session.git.discover import discover

        self.repo = repo
        self.linked: list[float] = []
        self._session = repo.store().start(goal="It writes", agent="gemini", activate=False).id
        location = discover(os.fspath(repo.path))
        if location is None or not live.is_open(location.shared, self._session):
            raise Failed(f"the session is not open in {repo.path}")
        self._location = location

    def variant(self, name: str) -> Variant:
        """The commit of a file that the agent's hooks have noted down."""
        from git_agent_session.agents import traces
        from git_agent_session.agents.protocol import Capture
        from git_agent_session.ids import timestamp

        commit = self.repo.commits(name)
        begun = 0.0

        def before() -> None:
            nonlocal begun
            commit.before()
            capture = Capture("measured", timestamp())
            capture.wrote = [os.fspath(self.repo.edited)]
            traces.leave(self._location, self._session, capture)
            begun = time.perf_counter()

        def after() -> None:
            self._wait()
            self.linked.append(time.perf_counter() - begun)

        return Variant(name, commit.run, before, after)

    def _wait(self) -> None:
        """Until the process that the hook left behind has linked the commit: it must not run beside the next one."""
        head = self.repo.call("rev-parse", "HEAD")
        deadline = time.monotonic() + 120
        while True:
            try:
                if self._session in self.repo.call("notes", "--ref=agent-sessions", "show", head):
                    return
            except Failed:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.01)


def in_session(world: World) -> Iterator[Table]:
    """Inside a live session: hooks, trailer, event and note; then the same with much around it."""
    base = world.repo()
    scale = world.scale
    much = {
        f"a journal of {scale.journal / 1e6:g} MB": (_journal,),
        f"{scale.sessions:,} other sessions": (_sessions,),
        f"{scale.notes:,} notes": (_notes,),
        "all three": (_journal, _sessions, _notes),
    }
    plain, bare = base.commits("plain git, no hooks"), "in a session"
    signed = ("Change a file", "Signed-off-by: Ada Measurer <ada@example.org>")
    variants = [
        plain,
        _live(base.copy("live"), bare),
        _live(base.copy("control"), f"{bare}, again (the noise)"),
        *(_live(base.copy("much"), f"{bare}, {what}", fill) for what, fill in much.items()),
        _live(base.copy("signed"), f"{bare}, a message with trailers", message=signed),
    ]
    times = measure(variants, scale.commits_rounds)
    control = variants[2]
    promised = dict.fromkeys([v.name for v in variants[1:7] if v is not control], Target(ratio=3))
    note = (
        "The same commit with trailer, event and note there when it returns, each checked after every commit. "
        "A journal of this size is never met: it is written into the session's ref past 64 KB."
    )
    why = "Six processes run: two hooks, git log, and git fast-import with an end of its pipe and git unpack-objects."
    yield Table("A commit inside a session", note, rows(times, plain.name, promised, why))
    why = "A notes tree of that size is 256 folders of 200 names: git reads and writes one more of each than at first."
    beside = [
        Row(v.name, times[v.name], bare, times[bare], None if v is control else NOISE, why=why) for v in variants[2:7]
    ]
    note = "The same measurements against the bare session: what must be the same, within noise."
    yield Table("Whether it depends on what is around", note, beside)
    yield _first(world, base)


def _live(repo: Repo, name: str, fill: tuple[object, ...] = (), message: tuple[str, ...] = ()) -> Variant:
    repo.install()
    store = repo.store()
    session = store.start(goal="The session that is measured", agent="claude-code")
    for one in fill:
        assert callable(one)
        one(repo, session.id)
    return repo.commits(name, *message, check=repo.linked(session.id))


def _journal(repo: Repo, session_id: str) -> None:
    from git_agent_session import codec
    from git_agent_session.ids import new_event_id, timestamp
    from git_agent_session.model import Event

    data = {"role": "assistant", "text": "What an agent says at length. " * 60}
    size = 0
    with (repo.path / ".git" / "agent-session" / "journal" / f"{session_id}.toml").open("ab") as f:
        while size < repo.world.scale.journal:
            size += f.write(b"\n" + codec.event_block(Event(new_event_id(), timestamp(), "message", data)))


def _sessions(repo: Repo, session_id: str) -> None:
    store = repo.store()
    for n in range(repo.world.scale.sessions):
        store.start(goal=f"Another one, {n}", agent="claude-code", activate=False)


def _notes(repo: Repo, session_id: str) -> None:
    from git_agent_session.ids import new_session_id

    ref = "refs/notes/agent-sessions"
    head = [f"commit {ref}\ncommitter Ada <ada@example.org> now\ndata 0\n"]
    text = f'sessions.{new_session_id()} = {{ agent = "claude-code", primary = true }}\n'
    names = [os.urandom(20).hex() for _ in range(repo.world.scale.notes)]
    body = [f"M 100644 inline {n[:2]}/{n[2:]}\ndata {len(text)}\n{text}\n" for n in names]
    repo.call("fast-import", "--quiet", "--date-format=now", input="".join(head + body).encode())


def _first(world: World, base: Repo) -> Table:
    """The first commit of a session, in a repository copied anew for each round."""
    ended = world.scale.ended
    templates = [_template(base, "first-0", 0), _template(base, f"first-{ended}", ended)]
    names = ["the first commit of a session", f"the same, {ended} ended sessions around"]
    variants = [_fresh(t, n) for t, n in zip(templates, names, strict=True)]
    times = measure(variants, world.scale.first_rounds)
    note = "Each round in a fresh copy of the repository, so that every commit is the session's first."
    return Table("The first commit of a session", note, rows(times, names[0], {names[1]: NOISE}))


def _template(base: Repo, name: str, ended: int) -> Repo:
    repo = base.copy(name).install()
    store = repo.store()
    for n in range(ended):
        gone = store.start(goal=f"One that is over, {n}", agent="claude-code")
        store.log(gone.id, "note", "something was said")
        store.end(gone.id)
    store.start(goal="The session that is measured", agent="claude-code")
    return repo


def _fresh(template: Repo, name: str) -> Variant:
    target = template.path.with_name(template.path.name + "-round")
    command = Command(target, template.world.git, "commit", "-q", "-m", "Change a file")

    def before() -> None:
        os.chdir(template.path)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(template.path, target, symlinks=True)
        copy = Repo(template.world, target)
        copy.call("update-index", "-q", "--refresh")
        copy.edit()
        command.enter()

    def after() -> None:
        Repo(template.world, target).call("notes", "--ref=agent-sessions", "show", "HEAD")

    return Variant(name, command, before, after)
