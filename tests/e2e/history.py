"""A Claude Code home with sessions in it that nobody has recorded, and a repository whose commits fit their times."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.harness import Repo

# when the first session begins
START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


def folder_of(path: Path) -> str:
    """How Claude Code names the folder for the sessions started in `path`."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in str(path))


class Past:
    """One session of Claude Code's: records with times, and what git prints of real commits made at them."""

    def __init__(self, home: Path, repo: Repo, sid: str, *, cwd: Path | None = None, minutes: int = 0) -> None:
        self.repo = repo
        self.sid = sid
        self.cwd = cwd or repo.path
        self.now = START + timedelta(minutes=minutes)
        self.path = home / ".claude" / "projects" / folder_of(self.cwd) / f"{sid}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.records: list[dict[str, Any]] = []
        self.n = 0

    @property
    def at(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def wait(self, **span: int) -> Past:
        self.now += timedelta(**(span or {"seconds": 30}))
        return self

    def record(self, kind: str, **fields: Any) -> dict[str, Any]:
        self.n += 1
        base = {"uuid": f"{self.sid[:8]}-{self.n}", "timestamp": self.at, "cwd": str(self.cwd), "sessionId": self.sid}
        doc = {"type": kind, **base, "version": "2.1.329", **fields}
        self.records.append(doc)
        return doc

    def prompt(self, text: str) -> Past:
        self.record("user", message={"role": "user", "content": text})
        return self.wait()

    def answer(self, text: str, tokens: int = 10) -> Past:
        self._assistant([{"type": "text", "text": text}], tokens)
        return self.wait()

    def _assistant(self, content: list[dict[str, Any]], tokens: int = 10) -> None:
        usage = {"input_tokens": 1, "output_tokens": tokens}
        message = {"id": f"msg-{self.sid[:8]}-{self.n}", "model": "claude-sonnet-4-5", "role": "assistant"}
        self.record("assistant", requestId=f"req-{self.n}", message={**message, "content": content, "usage": usage})

    def tool(self, name: str, given: dict[str, Any], output: str = "", *, error: bool = False, **told: Any) -> Past:
        used = f"toolu_{self.sid[:8]}_{self.n}"
        self._assistant([{"type": "tool_use", "id": used, "name": name, "input": given}])
        self.wait(seconds=1)
        result = {
            "type": "tool_result",
            "tool_use_id": used,
            "content": output,
            **({"is_error": True} if error else {}),
        }
        self.record("user", message={"role": "user", "content": [result]}, **told)
        return self.wait(seconds=1)

    def write(self, name: str, content: str) -> Past:
        """The agent writes a file, for real."""
        target = self.cwd / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        return self.tool("Write", {"file_path": str(target), "content": content}, "written")

    def commit(self, subject: str, *args: str, shows: bool = True, command: str = "") -> str:
        """The agent commits all there is; the transcript shows what git printed, or (`shows` false) nothing of it."""
        env = {"GIT_AUTHOR_DATE": self.at, "GIT_COMMITTER_DATE": self.at}
        git = Repo(self.cwd)
        git.git("add", "-A")
        out = git.git("commit", "-m", subject, *args, env=env)
        made = git.git("rev-parse", "HEAD")
        self.tool("Bash", {"command": command or f'git add -A && git commit -m "{subject}"'}, out if shows else "")
        return made

    def by_hand(self, subject: str) -> str:
        """Somebody commits all there is, out of the agent's sight."""
        env = {"GIT_AUTHOR_DATE": self.at, "GIT_COMMITTER_DATE": self.at}
        git = Repo(self.cwd)
        git.git("add", "-A")
        git.git("commit", "-q", "-m", subject, env=env)
        self.wait()
        return git.git("rev-parse", "HEAD")

    def save(self) -> Past:
        self.path.write_text("".join(json.dumps(r) + "\n" for r in self.records))
        moment = self.now.timestamp()
        os.utime(self.path, (moment, moment))
        return self

    def fork(self, home: Path, sid: str) -> Past:
        """A session that opens with a copy of this one, as `--fork-session` makes it."""
        other = Past(home, self.repo, sid, cwd=self.cwd)
        other.now = self.now + timedelta(minutes=5)
        other.record("mode")
        other.records += [{**r, "sessionId": sid} for r in self.records]
        other.n = self.n + 100
        return other
