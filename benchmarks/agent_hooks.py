"""What an agent waits for when it calls our hook, which it does for every prompt and every tool that it runs."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from benchmarks.agents import AFTER, PROMPT, STOP, WRITTEN, Agent
from benchmarks.agents_like_claude import Claude, Codex, Droid, Gemini
from benchmarks.agents_of_own_form import Copilot, Cursor, OpenCode, Pi
from benchmarks.harness import Command, Failed, Row, Table, Target, Variant, measure, rows
from benchmarks.redaction_shapes import TOKENS
from benchmarks.world import Repo, World

AGENTS: tuple[type[Agent], ...] = (Claude, Codex, Gemini, Copilot, OpenCode, Cursor, Droid, Pi)
_START = "python -I -c pass"
_PROMISED = Target(ratio=3)
_RULES = (
    ("rule", r"internal-host=[a-z]{2,12}-[0-9]{1,4}\.corp\.example"),
    ("rule", r"ticket=(?:OPS|SEC)-[0-9]{3,6}"),
    ("allow", "OPS-0000"),
    ("pii", "true"),
)


def agent_hook(world: World) -> Iterator[Table]:
    """The calls of all agents with a small transcript and a large one, then with rules and secrets."""
    repo = world.repo()
    sessions = {size: [Session(repo, agent, size) for agent in AGENTS] for size in world.scale.transcripts}
    bare = Command(repo.path, world.python, "-I", "-c", "pass")
    variants = [Variant(_START, bare, bare.enter)]
    for found in sessions.values():
        variants += [s.variant(call) for s in found for call in s.agent.calls]
    times = measure(variants, world.scale.hook_rounds)
    for found in sessions.values():
        own = {_START: times[_START], **{n: times[n] for s in found for n in s.names}}
        note = (
            "`git-agent-session hook AGENT` by the launcher, an sh script as install.sh writes it. The payload names a "
            f"transcript of {found[0].size}. Checked after each call: what it was to leave is there, and no error."
        )
        yield Table(f"An agent's hook call, a transcript of {found[0].size}", note, _promised(own))
    yield _settled([s for found in sessions.values() for s in found])
    yield _guarded(world)


def _promised(times: dict[str, list[float]], why: str = "") -> list[Row]:
    return rows(times, _START, dict.fromkeys(times, _PROMISED), why)


def _settled(sessions: list[Session]) -> Table:
    note = (
        "From the call to the end of the process that it leaves behind, which writes the batch, reads what was added "
        "to the transcript (here one step of 6 KB) and counts tokens. Nobody waits for it."
    )
    shown = [Row(f"{s.agent.title}: after stop, a transcript of {s.size}", s.settled[2:]) for s in sessions]
    return Table("What goes on in the background", note, shown)


def _guarded(world: World) -> Table:
    """Claude Code's calls where there is something to take out, and where the user has rules of their own."""
    plain, ruled = world.repo(), world.repo("rules")
    for key, value in _RULES:
        ruled.call("config", "--add", f"agentSession.redact.{key}", value)
    size = world.scale.transcripts[0]
    draw = random.Random(1)
    secret = f"push it with {TOKENS['forge']['GitHub token'](draw)} please"
    bare = Command(plain.path, world.python, "-I", "-c", "pass")
    variants = [Variant(_START, bare, bare.enter)]
    for repo, rules in ((plain, ""), (ruled, "rules and pii")):
        for more, what in (("", ""), (secret, "a secret")):
            if rules or what:
                session = Session(repo, Claude, size, " and ".join(w for w in (rules, what) if w), more)
                variants += [session.variant(call) for call in (PROMPT, WRITTEN, AFTER, STOP)]
    times = measure(variants, world.scale.hook_rounds)
    note = (
        "Claude Code's calls with a token in what is said, printed or written, and in a repository whose configuration "
        "has two rules, an exception and `agentSession.redact.pii`."
    )
    why = "A rule that is tried needs Python's `re`, which takes as long to load as the rest of the call."
    return Table("An agent's hook call with something to take out", note, _promised(times, why))


class Session:
    """One session of an agent, with its transcript; `label` says what is special, `more` stands in what is said.

    `unread`: the transcript is there only after the settle step of the session's start.
    """

    def __init__(
        self, repo: Repo, agent: type[Agent], size: int, label: str = "", more: str = "", *, unread: bool = False
    ) -> None:
        self.repo = repo
        self.size = f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1e3:g} KB"
        self.label = label or f"a transcript of {self.size}"
        self.more = more
        self.names: list[str] = []
        self.settled: list[float] = []
        native = str(uuid.uuid4())
        self.agent = agent(repo.path, repo.file(1), native)
        self.agent.write(0 if unread else size)
        from git_agent_session.ids import native_session_id

        self.id = native_session_id(agent.name, native)
        self._shared = repo.path / ".git" / "agent-session"
        self._memory = self._shared / "capture" / f"{self.id}.json"
        self._begin()
        if unread:
            self.agent.write(size)

    def _begin(self) -> None:
        command, payload = self._command("begin")
        payload.write_text(json.dumps(self.agent.begin()))
        command.enter()
        command()
        self._wait(0)

    def variant(self, call: str) -> Variant:
        """The call of one of its hooks."""
        command, payload = self._command(call.replace(" ", "-"))
        since, begun = 0, 0.0

        def before() -> None:
            nonlocal since, begun
            if call == STOP:
                self.agent.grow()
            elif call == AFTER:
                self._running()
            payload.write_text(json.dumps(self.agent.payload(call, self.more)))
            command.enter()
            since, begun = time.time_ns(), time.perf_counter()

        def after() -> None:
            if call == STOP:
                self._wait(since)
                self.settled.append(time.perf_counter() - begun)
            else:
                self._check(call, since)

        self.names.append(f"{self.agent.title}: {call}, {self.label}")
        return Variant(self.names[-1], command, before, after)

    def _command(self, name: str) -> tuple[Command, Path]:
        payload = self.repo.path.with_name(f"{self.id}.{name}.json")
        argv = (str(self.repo.world.launcher), "hook", self.agent.name)
        return Command(self.repo.path, *argv, stdin=payload, env=self.agent.env()), payload

    def _running(self) -> None:
        """As if a command were running in the agent's shell: HEAD, where the agent has a hook before one."""
        traces = self._shared / "traces"
        if (traces / f"head.{self.id}").exists():
            head = self.repo.call("rev-parse", "HEAD")
            (traces / f"head.{self.id}").write_text(f"{head}\n")

    def _check(self, call: str, since: int) -> None:
        """That the call has left what it was to leave."""
        self.quiet()
        left = [self._shared / "journal" / f"{self.id}.toml"]
        left += [self._shared / "traces" / f"{name}.{self.id}" for name in ("touched", "head")]
        if call == AFTER or call in self.agent.silent:
            return  # where HEAD has not moved, a command leaves nothing
        if not any(p.exists() and p.stat().st_mtime_ns >= since - 20_000_000 for p in left):
            raise Failed(f"{self.agent.title}, {call}: it left nothing in {self._shared}")

    def quiet(self) -> None:
        """Raises Failed when a hook, or what it left behind, had something to say."""
        log = self._shared / "hook.log"
        if log.exists():
            raise Failed(f"{self.agent.title}: {log.read_text(errors='replace').strip()}")

    def _wait(self, since: int) -> None:
        """Until the process that the call left behind is done: it must not run beside the next measurement."""
        from git_agent_session import lock

        deadline = time.monotonic() + 300
        while not self._memory.exists() or self._memory.stat().st_mtime_ns <= since:
            self.quiet()
            if time.monotonic() > deadline:
                raise Failed(f"{self.agent.title}: the settle step did not come")
            time.sleep(0.002)
        with lock.held(os.fspath(self._shared), f"settle-{self.id}", wait=300):
            pass
        self.quiet()
