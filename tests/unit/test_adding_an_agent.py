"""The example of docs/adding-an-agent.md works: it is run as it stands there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import git_agent_session
from git_agent_session.agents import recorder, registry
from git_agent_session.agents.protocol import Source
from git_agent_session.agents.settle import settle
from git_agent_session.git.discover import discover
from git_agent_session.ids import native_session_id
from tests.harness import ROOT, Repo


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    code = (ROOT / "docs" / "adding-an-agent.md").read_text().split("```python\n")[1].split("```")[0]
    module = ModuleType("git_agent_session.agents.acme")
    exec(compile(code, "adding-an-agent.md", "exec"), module.__dict__)  # noqa: S102
    monkeypatch.setitem(registry._MODULES, "acme", "acme")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module


def test_the_example_records_a_session(acme: Any, repo: Repo, home: Path) -> None:
    repo.commit("init")
    location = discover(str(repo.path))
    assert location is not None
    log = home / ".acme" / "log" / "a1.jsonl"
    log.parent.mkdir(parents=True)
    used = {"in": 1000, "cached": 800, "out": 50}
    rows = [
        {"type": "user", "id": "1", "text": "Fix it"},
        {"type": "acme", "id": "2", "text": "Done.", "tokens": used, "model": "claude-sonnet-4-5"},
        {"type": "failure", "id": "3", "text": "Lost the line"},
        {"type": "internal", "id": "4"},
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    calls: list[dict[str, Any]] = [
        {"event": "start"},
        {"event": "prompt", "n": 1, "text": "Fix it"},
        {"event": "tool", "n": 2, "tool": "write", "input": {"path": "a.txt"}},
        {"event": "answer", "n": 3, "text": "Done."},
        {"event": "end"},
    ]
    for call in [*calls[:4], *calls]:  # twice
        payload = {"acme_session": "a1", "cwd": str(repo.path), "log": str(log), **call}
        owner = registry.owner("acme", payload, {})
        assert owner is not None and owner.NAME == "acme"
        capture: Any = acme.translate(payload, {}, location.worktree)
        recorder.record(location, "acme", capture)
    session_id = native_session_id("acme", "a1")
    settle("acme", session_id, location, {"transcript": str(log)})
    store = git_agent_session.open(str(repo.path))
    session = store.get(session_id)
    assert (session.title, session.status, session.agent.type) == ("Fix it", "completed", "acme")
    kinds = [e.kind for e in store.history(session_id)]
    assert (kinds.count("message"), kinds.count("tool"), kinds.count("error")) == (2, 1, 1)
    assert (session.usage["input_tokens"], session.usage["cache_read_tokens"]) == (200, 800)
    assert session.usage["cost_usd"] > 0
    (chunk,) = store.history(session_id, kinds=("transcript",))
    assert chunk.data["records"] == 3


def test_the_example_can_be_enabled_and_resumed(acme: Any, repo: Repo) -> None:
    from git_agent_session.agents import settings

    location = discover(str(repo.path))
    settings.enable("acme", location)
    doc = json.loads((repo.path / ".acme" / "hooks.json").read_text())
    assert sorted(doc["hooks"]) == sorted(acme.HOOKS)
    settings.disable("acme", location)
    assert not (repo.path / ".acme").exists()
    assert acme.resume("a1") == ["acme", "--session", "a1"]


def test_the_example_reads_its_own_folder_alone(acme: Any, tmp_path: Path) -> None:
    env = {"ACME_HOME": str(tmp_path)}
    assert [s.name for s in acme.sources(str(tmp_path / "log" / "a.jsonl"), env)] == [""]
    assert list(acme.items({"type": "unknown"}, Source("", ""))) == []
    with pytest.raises(ValueError, match="is not read"):
        acme.sources("/etc/passwd", env)
