"""A made-up project whose sessions look like a team's: for pictures of the viewer, and for the tests that look at it.

    python -m tests.browser.demo FOLDER

Everything is invented. What is made is the same for the same day.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import git_agent_session
from git_agent_session.agents.transcripts import ITEM
from git_agent_session.ids import new_event_id, new_session_id
from git_agent_session.model import Event
from git_agent_session.store import drain
from git_agent_session.store.store import Store
from tests.harness import Repo

PEOPLE = (
    "Mara Lindqvist <mara@lantern.example>",
    "Jonas Weber <jonas@lantern.example>",
    "Aiko Tan <aiko@lantern.example>",
)
MODELS = {
    "claude-code": "claude-sonnet-4-5",
    "codex": "gpt-5-codex",
    "gemini": "gemini-2.5-pro",
    "opencode": "qwen3-coder",
    "copilot": "gpt-5",
}
GOALS = (
    ("Cache tiles on disk and evict the oldest", ("performance", "tiles"), "src/tiles.py"),
    ("Find out why the nightly import takes forty minutes", ("research",), "src/importer.py"),
    ("Let an editor undo a deleted marker", ("feature", "editor"), "src/markers.py"),
    ("Upgrade to Python 3.13 and drop the old shim", ("chore",), "pyproject.toml"),
    ("Write tests for the polygon simplifier", ("tests",), "tests/test_simplify.py"),
    ("Show a clear message when the map server is down", ("bug-fix",), "src/client.py"),
    ("Return 304 for tiles that did not change", ("performance", "api"), "src/server.py"),
    ("Move settings from environment to one file", ("refactoring",), "src/settings.py"),
    ("Fix the off-by-one in the zoom level", ("bug-fix",), "src/tiles.py"),
    ("Describe how to run it behind nginx", ("docs",), "docs/deploy.md"),
    ("Make marker search ignore accents", ("feature",), "src/search.py"),
    ("Stream large exports instead of building them in memory", ("performance",), "src/export.py"),
)
LIMITER_BEFORE = '''"""How many requests a client may make."""

LIMIT = 100


def allowed(client, counts):
    counts[client] = counts.get(client, 0) + 1
    return counts[client] <= LIMIT
'''
LIMITER = '''"""How many requests a client may make: a bucket of tokens each, filled again with time."""

from dataclasses import dataclass, field
from time import monotonic

CAPACITY = 20
PER_SECOND = 5.0


@dataclass
class Bucket:
    """The tokens of one client."""

    tokens: float = CAPACITY
    filled_at: float = field(default_factory=monotonic)

    def take(self, now: float) -> bool:
        """Take a token; False where none is left."""
        self.tokens = min(CAPACITY, self.tokens + (now - self.filled_at) * PER_SECOND)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Limiter:
    """The buckets of all clients."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def allowed(self, client: str) -> bool:
        """True where a client may make one more request."""
        return self._buckets.setdefault(client, Bucket()).take(monotonic())
'''
OUTPUT_BAD = """tests/test_limiter.py ..F                                                [100%]

=================================== FAILURES ===================================
____________________________ test_a_bucket_fills_up ____________________________

    def test_a_bucket_fills_up():
        bucket = Bucket(tokens=0, filled_at=0)
>       assert bucket.take(now=1.0)
E       assert False

tests/test_limiter.py:14: AssertionError
1 failed, 2 passed in 0.08s"""
ANSWER = """The limiter now gives every client a **bucket of tokens**: 20 requests at once, then five a second.

- `Limiter.allowed(client)` replaces the counter that was never reset.
- A bucket fills by elapsed time when it is asked, so there is no timer.
- The server answers `429` with `Retry-After` when a bucket is empty.

```python
limiter = Limiter()
if not limiter.allowed(request.client.host):
    return Response(status_code=429, headers={"Retry-After": "1"})
```

All 43 tests pass. Idle buckets are not removed yet; with many clients they should be."""


@dataclass
class Draft:
    """A session in the making: its events and the items of its transcript, by the clock `at`."""

    id: str
    at: datetime
    events: list[Event] = field(default_factory=list)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def pass_(self, seconds: float) -> str:
        """Let time go by; returns the moment."""
        self.at += timedelta(seconds=seconds)
        return self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def event(self, kind: str, seconds: float = 1, **data: Any) -> str:
        """Record an event; returns its id."""
        made = Event(new_event_id(), self.pass_(seconds), kind, data)
        self.events.append(made)
        return made.id

    def item(self, kind: str, seconds: float = 3, source: str = "", **values: Any) -> None:
        """Add to the transcript."""
        row = {"kind": kind, "at": self.pass_(seconds), "id": values.pop("id", new_event_id()), **values}
        self.items.setdefault(source, []).append(row)

    def call(
        self,
        name: str,
        given: Mapping[str, Any],
        text: str = "",
        *,
        outcome: str = "ok",
        ms: int = 40,
        source: str = "",
    ) -> None:
        """A tool call with its result, in the transcript and as an event."""
        call = new_event_id()
        self.item("call", 4, source, id=call, name=name, input=dict(given))
        self.item("result", ms / 1000, source, id=call, text=text, outcome=outcome, duration_ms=ms)
        path = given.get("file_path")
        paths = {"paths": [path]} if path else {}
        self.event("tool", 0, name=name, outcome=outcome, duration_ms=ms, **paths)

    def write(self, store: Store) -> None:
        """Store it all as one batch."""
        files: dict[str, bytes] = {}
        for source, rows in self.items.items():
            data = "".join(json.dumps({"type": ITEM, "items": [row]}) + "\n" for row in rows).encode()
            named = {"source": source} if source else {}
            times = {"first": rows[0]["at"], "last": rows[-1]["at"]}
            event = Event(
                new_event_id(),
                rows[-1]["at"],
                "transcript",
                {"records": len(rows), "bytes": len(data), **named, **times},
            )
            self.events.append(event)
            files[f"transcript/{event.id}.jsonl"] = data
        drain.create(store.repo, self.id, drain.Extra(self.events[:1]))
        drain.drain(store.repo, self.id, drain.Extra(self.events[1:], files))


def begin(goal: str, at: datetime, agent: str, person: str, tags: Sequence[str]) -> Draft:
    """A session that starts."""
    draft = Draft(new_session_id(), at)
    who = {"type": agent, "version": "2.1", "model": MODELS.get(agent, "")}
    draft.event("start", goal=goal, agent=who, user=person, tags=list(tags), project="lantern")
    return draft


def commit(repo: Repo, at: datetime, person: str, message: str, files: Mapping[str, str]) -> str:
    """A commit of a person's at a moment."""
    name, _, mail = person.rstrip(">").partition(" <")
    moment = at.isoformat()
    env = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    return repo.commit(message, files=files, env=env)


def limiter(repo: Repo, store: Store, now: datetime) -> str:
    """The session that the pictures show: everything that a timeline can hold."""
    draft = begin(
        "Replace the request counter by a token bucket",
        now - timedelta(hours=3),
        "claude-code",
        PEOPLE[0],
        ["api", "limits"],
    )
    draft.event("context", type="initial", file_count=48, token_estimate=6200)
    ask = (
        "Clients get blocked for good once they made 100 requests.\n\nReplace the counter in `src/limiter.py` by a "
        "token bucket: 20 at once, then 5 a second. Keep `allowed()` as the only entry."
    )
    draft.event("message", role="user", text=ask)
    draft.item("prompt", 0, text=ask)
    draft.item(
        "thinking",
        6,
        text="The counter never goes down. A bucket that is filled when it is asked needs no timer.",
    )
    draft.call("Read", {"file_path": "src/limiter.py"}, LIMITER_BEFORE, ms=6)
    draft.event("agent", action="start", agent_id="a01", type="explore", model="claude-haiku-4-5")
    draft.item("prompt", 1, "a01", text="Find every place that calls allowed().")
    draft.call(
        "Grep",
        {"pattern": r"allowed\(", "path": "src"},
        "src/server.py:41\nsrc/server.py:88\ntests/test_limiter.py:9",
        ms=18,
        source="a01",
    )
    draft.item("answer", 2, "a01", text="Two calls in `src/server.py`, at lines 41 and 88, and one test.")
    draft.event("agent", action="stop", agent_id="a01", type="explore")
    draft.event("usage", cost_usd=0.041, input_tokens=9200, output_tokens=900, cache_read_tokens=21000)
    draft.item("answer", 4, text="I have seen both callers. I will rewrite the module, then the tests.")
    draft.call(
        "Write",
        {"file_path": "src/limiter.py", "content": LIMITER.replace("(now - self.filled_at)", "(self.filled_at - now)")},
        "File written",
        ms=9,
    )
    draft.call(
        "Bash",
        {"command": "pytest -q tests/test_limiter.py", "description": "Run the tests of the limiter"},
        OUTPUT_BAD,
        outcome="error",
        ms=1840,
    )
    draft.event("usage", cost_usd=0.118, input_tokens=14000, output_tokens=3100, cache_read_tokens=64000)
    draft.item("answer", 5, text="The difference is the wrong way round, so a bucket drains with time.")
    draft.call(
        "Edit",
        {"file_path": "src/limiter.py", "old_string": "(self.filled_at - now)", "new_string": "(now - self.filled_at)"},
        "Done",
        ms=7,
    )
    draft.call("Bash", {"command": "pytest -q", "description": "Run all tests"}, "43 passed in 1.92s", ms=2410)
    draft.event("decision", text="Buckets fill by elapsed time when asked; no background timer.")
    draft.event("usage", cost_usd=0.097, input_tokens=8000, output_tokens=1900, cache_read_tokens=81000)
    made = commit(
        repo,
        draft.at,
        PEOPLE[0],
        "Limit requests by a token bucket\n\nA client that was blocked stayed blocked. Buckets of 20, five a second.",
        {"src/limiter.py": LIMITER},
    )
    draft.call(
        "Bash",
        {"command": "git commit -am 'Limit requests by a token bucket'"},
        "[main 3f2a9c1] Limit requests by a token bucket",
        ms=120,
    )
    draft.event("commit", commit=made, via="agent", paths=["src/limiter.py"])
    draft.item("answer", 6, text=ANSWER)
    draft.event("message", role="assistant", text=ANSWER)
    more = "Good. How do I find out in production that a client is being limited?"
    draft.event("message", 300, role="user", text=more)
    draft.item("prompt", 0, text=more)
    draft.item(
        "answer",
        14,
        text="Count the refusals: I can add a metric `requests_limited` with the client as its label.",
    )
    draft.event("task", action="create", task="metric", title="Count limited requests by client")
    draft.event("usage", cost_usd=0.034, input_tokens=2100, output_tokens=420, cache_read_tokens=93000)
    draft.event("end", 20, status="completed", message="Token bucket in place, all tests pass")
    draft.write(store)
    return draft.id


def ordinary(repo: Repo, store: Store, at: datetime, rng: random.Random, number: int) -> str:
    """One of the many sessions that a list is made of."""
    goal, tags, path = GOALS[number % len(GOALS)]
    agent = rng.choices(list(MODELS), (9, 5, 3, 2, 2))[0]
    person = PEOPLE[rng.choices((0, 1, 2), (5, 4, 2))[0]]
    draft = begin(goal, at, agent, person, tags)
    draft.event("message", 5, role="user", text=f"{goal}. Look at `{path}` first.")
    for _ in range(rng.randrange(4, 30)):
        name = rng.choices(("Read", "Edit", "Bash", "Grep", "Write"), (6, 4, 4, 3, 1))[0]
        outcome = rng.choices(("ok", "error"), (14, 1))[0]
        draft.event(
            "tool", rng.uniform(4, 60), name=name, paths=[path], outcome=outcome, duration_ms=rng.randrange(4, 4000)
        )
        if rng.random() < 0.25:
            draft.event(
                "usage",
                0,
                cost_usd=round(rng.uniform(0.01, 0.2), 4),
                input_tokens=rng.randrange(500, 9000),
                output_tokens=rng.randrange(100, 3000),
            )
    if rng.random() < 0.75:
        text = "".join(f"{w}\n" for w in (f"# {goal}", f"# round {number}", *rng.choices(goal.split(), k=12)))
        made = commit(repo, draft.at, person, goal, {path: text})
        draft.event("commit", commit=made, via=rng.choice(("agent", "files", "active")), paths=[path])
    draft.event("message", 9, role="assistant", text="Done; the tests pass.")
    status = rng.choices(("completed", "failed", "abandoned"), (12, 1, 1))[0]
    draft.event("end", 4, status=status)
    draft.write(store)
    return draft.id


def build(folder: Path, now: datetime | None = None, count: int = 70) -> tuple[Repo, Store, str]:
    """The repository with its sessions; returns it, a store, and the id of the session that shows most."""
    now = now or datetime.now(UTC)
    rng = random.Random(7)
    repo = Repo.init(folder)
    person = "Mara Lindqvist <mara@lantern.example>"
    first = {"README.md": "# Lantern\n\nMaps for small teams.\n", "src/limiter.py": LIMITER_BEFORE}
    first["src/server.py"] = (
        "from limiter import allowed\n\n\ndef answer(request):\n    return 200 if allowed(request) else 429\n"
    )
    commit(repo, now - timedelta(days=80), person, "Begin", first)
    store = git_agent_session.open(str(folder))
    for number in range(count):
        at = now - timedelta(days=(count - number) * 1.05, hours=rng.uniform(0, 5))
        side = number % 9 == 4
        if side:
            repo.git("switch", "-q", "-c", f"topic-{number}")
        ordinary(repo, store, at, rng, number)
        if side:
            repo.git("switch", "-q", "main")
            commit(repo, at + timedelta(minutes=50), person, "Say who maintains this", {f"docs/{number}.md": "Mara\n"})
            moment = (at + timedelta(minutes=55)).isoformat()
            env = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
            repo.git("merge", "-q", "--no-ff", "-m", f"Merge topic-{number}", f"topic-{number}", env=env)
            repo.git("branch", "-q", "-D", f"topic-{number}")
    shown = limiter(repo, store, now)
    commit(
        repo,
        now - timedelta(hours=1),
        PEOPLE[1],
        "Set the limits for the public instance",
        {"src/limiter.py": LIMITER.replace("= 20", "= 40")},
    )
    live = begin(
        "Count limited requests by client", now - timedelta(minutes=12), "codex", PEOPLE[1], ["api", "metrics"]
    )
    live.event("message", role="user", text="Add a metric `requests_limited` and label it with the client.")
    live.event("tool", 20, name="shell", summary="rg -n 'metric' src", outcome="ok", duration_ms=31)
    live.event("usage", 1, cost_usd=0.02, input_tokens=3000, output_tokens=300)
    live.write(store)
    return repo, store, shown


if __name__ == "__main__":
    os.environ.setdefault("GIT_CONFIG_NOSYSTEM", "1")
    print(build(Path(sys.argv[1]))[2])
