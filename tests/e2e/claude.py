"""Claude Code's hooks as real processes, called as Claude would call them, for the tests that need a recorded run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import git_agent_session
from git_agent_session import Session, Store, journal, lock
from git_agent_session.agents import recorder
from git_agent_session.errors import StorageError
from git_agent_session.ids import native_session_id
from tests.harness import Repo

SID = "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e01"


class Claude:
    """Calls the hook as Claude Code would."""

    def __init__(self, repo: Repo, home: Path, sid: str = SID) -> None:
        self.repo = repo
        self.home = home
        self.sid = sid
        self.id = native_session_id("claude-code", sid)
        self.transcript = home / ".claude" / "projects" / "-project" / f"{sid}.jsonl"
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        # a process that is gone: the settle step waits for no late lines
        self.env = {
            "CLAUDECODE": "1",
            "CLAUDE_CODE_CHILD_SESSION": "1",
            "CLAUDE_CODE_SESSION_ID": sid,
            "CLAUDE_PID": "99999999",
            "AI_AGENT": "claude-code_2-1-329_harness",
        }

    @cached_property
    def shared(self) -> Path:
        return Path(self.repo.git("rev-parse", "--path-format=absolute", "--git-common-dir")) / "agent-session"

    def payload(self, event: str, **fields: Any) -> dict[str, Any]:
        base = {"session_id": self.sid, "transcript_path": str(self.transcript), "cwd": str(self.repo.path)}
        return {**base, "hook_event_name": event, **fields}

    def call(self, event: str, **fields: Any) -> None:
        done = run(json.dumps(self.payload(event, **fields)), cwd=self.repo.path, env=self.env)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def prompt(self, text: str = "go", n: int = 1) -> None:
        self.call("UserPromptSubmit", prompt_id=f"p{n}", prompt=text)

    def tool(self, n: int = 1, **fields: Any) -> None:
        call = {"tool_name": "Bash", "tool_use_id": f"toolu_{n}", "tool_input": {"command": f"make {n}"}}
        self.call("PostToolUse", **call, tool_response={}, **fields)

    def stop(self, n: int = 1) -> None:
        self.call("Stop", prompt_id=f"p{n}", last_assistant_message=f"Done {n}.")

    def end(self, n: int = 1, reason: str = "other") -> None:
        self.call("SessionEnd", prompt_id=f"p{n}", reason=reason)

    def store(self) -> Store:
        return git_agent_session.open(str(self.repo.path))

    def session(self) -> Session:
        return self.store().get(self.id)

    def kinds(self) -> list[str]:
        return [e.kind for e in self.store().history(self.id)]

    def settled(self, holds: Callable[[Session], bool] = lambda s: True) -> Session:
        """Wait for the work in the background: until `holds`, and nothing is left to do."""

        def done() -> bool:
            folder = self.shared / recorder.FOLDER
            notes = [n for n in os.listdir(folder) if ".note." in n]
            waiting = self.id in journal.waiting(str(self.shared))
            return not notes and not waiting and free(self.shared, self.id) and holds(self.session())

        assert until(done), f"{self.log()}\n{self.session()}"
        return self.session()

    def log(self) -> str:
        path = self.shared / recorder.LOG
        return path.read_text() if path.exists() else ""


def free(shared: Path, session_id: str) -> bool:
    try:
        with lock.held(str(shared), f"settle-{session_id}", wait=0.0):
            return True
    except StorageError:
        return False


def until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def run(
    text: str | bytes, cwd: Path, env: dict[str, str], *flags: str, args: tuple[str, ...] = ("claude-code",)
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *flags, "-m", "git_agent_session", "hook", *args],
        input=text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text,
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
