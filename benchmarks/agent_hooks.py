"""What an agent waits for when it calls our hook, which it does for every tool that it runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import Command, Failed, Row, Table, Target, Variant, measure, rows
from benchmarks.world import Repo, World

_ENV = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1"}


def agent_hook(world: World) -> Iterator[Table]:
    """Calls of Claude Code's hooks, with a small transcript and a large one."""
    repo = world.repo()
    scripts = [_Agent(repo, size, n) for n, size in enumerate(world.scale.transcripts)]
    start = "python -I -c pass"
    bare = Command(repo.path, world.python, "-I", "-c", "pass")
    variants = [Variant(start, bare, bare.enter)]
    for event in ("PostToolUse", "Stop"):
        variants += [s.variant(event) for s in scripts]
    times = measure(variants, world.scale.process_rounds)
    promised = dict.fromkeys([v.name for v in variants[1:]], Target(ratio=3))
    note = (
        "`git-agent-session hook claude-code` by the launcher, an sh script as install.sh writes it; "
        "the payload names a transcript of this size."
    )
    yield Table("An agent's hook call", note, rows(times, start, promised))
    late = [Row(f"after Stop, a transcript of {s.size}", s.settled[2:]) for s in scripts]
    first = [Row(f"after SessionStart, a transcript of {s.size} that nobody has read yet", [s.first]) for s in scripts]
    note = (
        "From the call to the end of the process that it leaves behind, which writes the batch and counts tokens. "
        "Nobody waits for it; a transcript is read from where the last reading ended."
    )
    yield Table("What goes on in the background", note, [*late, *first])


class _Agent:
    """One session of the agent, with its transcript."""

    def __init__(self, repo: Repo, size: int, number: int) -> None:
        self.repo = repo
        self.size = f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1e3:g} KB"
        self.native = f"0000000{number}-1111-4222-8333-444444444444"
        self.settled: list[float] = []
        self._count = 0
        projects = Path(os.environ["HOME"], ".claude", "projects", "measured")
        projects.mkdir(parents=True, exist_ok=True)
        self.transcript = projects / f"{self.native}.jsonl"
        _write_transcript(self.transcript, size)
        from git_agent_session.ids import native_session_id

        self.id = native_session_id("claude-code", self.native)
        self._memory = repo.path / ".git" / "agent-session" / "capture" / f"{self.id}.json"
        command, payload = self._command("SessionStart")
        self._give(payload, "SessionStart", {"source": "startup"})
        command.enter()
        begun = time.perf_counter()
        command()
        self._wait(0)
        self.first = time.perf_counter() - begun

    def variant(self, event: str) -> Variant:
        """The call of one of its hooks."""
        command, payload = self._command(event)
        text = "It is done, and this is what I did. " * 20
        more = {"last_assistant_message": text} if event == "Stop" else _tool()
        since, begun = 0, 0.0

        def before() -> None:
            nonlocal since, begun
            with self.transcript.open("a") as f:
                f.write(_record(self._count))
            self._give(payload, event, more)
            command.enter()
            since, begun = time.time_ns(), time.perf_counter()

        def after() -> None:
            if event == "Stop":
                self._wait(since)
                self.settled.append(time.perf_counter() - begun)

        return Variant(f"{event}, a transcript of {self.size}", command, before, after)

    def _command(self, event: str) -> tuple[Command, Path]:
        payload = self.repo.path.with_name(f"{self.native}.{event}.json")
        argv = (str(self.repo.world.launcher), "hook", "claude-code")
        return Command(self.repo.path, *argv, stdin=payload, env=_ENV), payload

    def _give(self, target: Path, event: str, more: dict[str, Any]) -> None:
        self._count += 1
        common = {"session_id": self.native, "hook_event_name": event, "cwd": str(self.repo.path)}
        own = {"transcript_path": str(self.transcript), "permission_mode": "default"}
        ids = {"prompt_id": f"prompt-{self._count}", "tool_use_id": f"toolu_{self.native}_{self._count}"}
        target.write_text(json.dumps({**common, **own, **ids, **more}))

    def _wait(self, since: int) -> None:
        """Until the process that the call left behind is done: it must not run beside the next measurement."""
        from git_agent_session import lock

        shared = self.repo.path / ".git" / "agent-session"
        deadline = time.monotonic() + 120
        while not self._memory.exists() or self._memory.stat().st_mtime_ns <= since:
            if time.monotonic() > deadline:
                log = shared / "hook.log"
                raise Failed(f"the settle step did not come: {log.read_text() if log.exists() else 'no hook.log'}")
            time.sleep(0.002)
        with lock.held(str(shared), f"settle-{self.id}", wait=120):
            pass


def _tool() -> dict[str, Any]:
    given = {"command": "python -m pytest -q tests/unit", "description": "Run the unit tests"}
    response = {"stdout": "............ [100%]\n12 passed in 0.52s\n" * 100, "stderr": "", "interrupted": False}
    return {"tool_name": "Bash", "tool_input": given, "tool_response": response, "duration_ms": 1520}


def _record(n: int) -> str:
    usage = {"input_tokens": 12, "output_tokens": 345, "cache_read_input_tokens": 45678}
    text = [{"type": "text", "text": "Now I run the tests. "}]
    message = {"id": f"msg_{n}", "role": "assistant", "model": "claude-opus-4-1", "content": text, "usage": usage}
    own = {"type": "assistant", "version": "2.1.329", "timestamp": "2026-01-02T03:04:05.678Z", "requestId": f"req_{n}"}
    return json.dumps({**own, "message": message}) + "\n"


def _write_transcript(path: Path, size: int) -> None:
    result = {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "content": "x" * 8000}]}}
    line, written, n = json.dumps(result) + "\n", 0, 0
    with path.open("w") as f:
        while written < size:
            n += 1
            written += f.write(_record(-n)) + f.write(line)
