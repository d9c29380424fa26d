"""The history of every agent can be imported: its own layout on disk, its own records, the same sessions."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.agents.importing import import_sessions
from git_agent_session.ids import native_session_id
from tests.harness import Repo
from tests.recorded import FIXTURES

LONG_AGO = 1_780_000_000


def put(repo: Repo, fixture: str, place: Path, was: str) -> None:
    """A fixture where the agent would have put it, had it worked in the repository instead of in the folder `was`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text((FIXTURES / fixture).read_text(encoding="utf-8").replace(was, str(repo.path)), encoding="utf-8")
    os.utime(place, (LONG_AGO, LONG_AGO))


def codex(repo: Repo, home: Path) -> None:
    name = "rollout-2026-03-04T10-00-00-0199aaaa-0000-7000-8000-00000000c0de.jsonl"
    put(repo, "codex/rollout.jsonl", home / ".codex/sessions/2026/03/04" / name, "/home/dev/project")


def gemini(repo: Repo, home: Path) -> None:
    folder = home / ".gemini/tmp/project"
    put(repo, "gemini/chat.jsonl", folder / "chats/session-2026-03-04T10-00-5e55aaaa.jsonl", "/home/dev/project")
    (folder / ".project_root").write_text(str(repo.path))


def copilot(repo: Repo, home: Path) -> None:
    folder = home / ".copilot/session-state/5b0e7f7a-3c7c-4a3f-9d53-61c1a3f0c2d1"
    put(repo, "copilot/events.jsonl", folder / "events.jsonl", "/home/ada/project")


def opencode(repo: Repo, home: Path) -> None:
    storage = home / ".local/share/opencode/storage"
    shutil.copytree(FIXTURES / "opencode/storage", storage)
    for path in storage.rglob("*.json"):
        path.write_text(path.read_text().replace("/home/dev/orchard", str(repo.path)))


def cursor(repo: Repo, home: Path) -> None:
    slug = "-".join(part for part in str(repo.path).replace("_", "-").split("/") if part)
    own_id = "c3d2a1b0-7e6f-4d5c-8b9a-0f1e2d3c4b5a"
    folder = home / ".cursor/projects" / slug / "agent-transcripts" / own_id
    put(repo, "cursor/transcript.jsonl", folder / f"{own_id}.jsonl", "/home/ada/project")


def droid(repo: Repo, home: Path) -> None:
    folder = home / ".factory/sessions" / str(repo.path).replace("/", "-")
    name = "2b6f3d1c-94a5-4a0e-8f3b-5d2a7c9e4f10"
    put(repo, "droid/session.jsonl", folder / f"{name}.jsonl", "/home/ada/project")
    put(repo, "droid/session.settings.json", folder / f"{name}.settings.json", "/home/ada/project")


def pi(repo: Repo, home: Path) -> None:
    name = "2026-10-05T09-00-00-000Z_01a0b7c4-5e21-7a30-8f11-0c9d5e7a1b42.jsonl"
    folder = home / ".pi/agent/sessions" / f"--{str(repo.path).lstrip('/').replace('/', '-')}--"
    put(repo, "pi/session.jsonl", folder / name, "/home/dev/orchard")


@pytest.mark.parametrize("layout", [codex, gemini, copilot, opencode, cursor, droid, pi], ids=lambda f: f.__name__)
def test_an_agents_own_history_becomes_sessions_once(
    repo: Repo, home: Path, layout: Callable[[Repo, Path], None]
) -> None:
    repo.commit("init")
    layout(repo, home)
    name = layout.__name__
    store = git_agent_session.open(str(repo.path))
    report = import_sessions(store.repo, name)
    assert [(row.outcome, row.error) for row in report.rows] == [("imported", "")], report.rows
    (row,) = report.rows
    session = store.get(row.session)
    assert session.id == native_session_id(name, row.native_id)
    assert (session.agent.type, session.status) == (name, "completed")
    assert session.title and session.counts["messages"] >= 2 and session.counts["tools"] >= 1
    assert session.started_at <= session.ended_at < "2031"
    assert not [e for e in store.history(row.session) if e.at < session.started_at or e.at > session.updated_at]
    tips = repo.git("for-each-ref", "refs/agent-sessions")
    assert [r.outcome for r in import_sessions(store.repo, name).rows] == ["known"]
    assert repo.git("for-each-ref", "refs/agent-sessions") == tips
