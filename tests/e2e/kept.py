"""Sessions with a transcript in real repositories, without an agent: chunks as the settle step would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import git_agent_session
from git_agent_session import Store
from git_agent_session.ids import new_event_id, timestamp
from git_agent_session.model import Agent, Event
from git_agent_session.store import drain as draining
from tests.harness import Repo

NATIVE = "3c1b7d52-90aa-4c0e-8f7e-5a2f6f0e1d11"


class Kept:
    """A session of Claude Code's in `repo`, and what is added to its transcript."""

    def __init__(self, repo: Repo, *, goal: str = "Limit the logins", native_id: str = NATIVE, **more: Any) -> None:
        self.repo = repo
        self.store: Store = git_agent_session.open(str(repo.path))
        self.id = self.store.start(goal=goal, agent=Agent("claude-code", "2.1.329", "m1", native_id), **more).id

    def chunk(self, *lines: str | bytes, source: str = "", first: str = "", lost: bool = False) -> Event:
        """Store a chunk of these lines; `lost` leaves its file out."""
        data = b"".join(n if isinstance(n, bytes) else n.encode("utf-8", "surrogatepass") for n in lines)
        named = {k: v for k, v in {"source": source, "first": first}.items() if v}
        event = Event(new_event_id(), timestamp(), "transcript", {"records": len(lines), "bytes": len(data), **named})
        files = {} if lost else {f"transcript/{event.id}.jsonl": data}
        draining.drain(self.store.repo, self.id, draining.Extra([event], files))
        return event


def at(second: int) -> str:
    return f"2099-01-01T10:{second // 60:02d}:{second % 60:02d}.000Z"


def record(kind: str, n: int, content: object, **more: Any) -> str:
    message = {"role": kind, "content": content}
    doc = {"type": kind, "uuid": f"u{n}", "timestamp": at(n), "message": message, **more}
    return json.dumps(doc) + "\n"


def prompt(n: int, text: str) -> str:
    return record("user", n, text)


def answer(n: int, text: str) -> str:
    return record("assistant", n, [{"type": "text", "text": text}])


def thinking(n: int, text: str) -> str:
    return record("assistant", n, [{"type": "thinking", "thinking": text}])


def call(n: int, name: str, given: Mapping[str, Any], used: str = "") -> str:
    return record("assistant", n, [{"type": "tool_use", "id": used or f"t{n}", "name": name, "input": dict(given)}])


def result(n: int, used: str, text: str, *, failed: bool = False) -> str:
    return record("user", n, [{"type": "tool_result", "tool_use_id": used, "content": text, "is_error": failed}])
