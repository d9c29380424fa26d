"""Row 15: the HTTP API: open, list, read with stats, end, execute; and the three patterns of using it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from git_agent_session.web.server import Server
from tests.harness import Repo
from tests.web import conftest
from tests.web.conftest import Client

serving = conftest.serving
client = conftest.client
AGENT = """import pathlib, sys
name = sys.argv[-1].replace(" ", "-")
pathlib.Path(name).write_text("x")
print("made", name)
"""


@pytest.fixture
def agent(home: Path, tmp_path: Path) -> Iterator[None]:
    """The command that may be run: an agent that does as it is told."""
    (tmp_path / "agent.py").write_text(AGENT)
    config = home / ".gitconfig"
    config.write_text(config.read_text() + f'[agentSession]\n\texecute = "{sys.executable} {tmp_path}/agent.py"\n')
    yield


def test_a_session_is_opened_with_its_metadata(client: Client, repo: Repo) -> None:
    made = client.post("/sessions", {"workingDirectory": str(repo.path)}, 201)
    assert made["sessionId"] == made["metadata"]["sessionId"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["sessionId"])
    start = made["metadata"].pop("startTime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", start)
    assert made["metadata"] == {
        "sessionId": made["sessionId"],
        "workingDirectory": str(repo.path),
        "projectPath": str(repo.path),
        "tasks": [],
        "plans": [],
        "totalTasks": 0,
        "completedTasks": 0,
        "failedTasks": 0,
        "totalExecutionTime": 0,
        "status": "active",
    }


def test_a_folder_of_another_repository_is_refused(client: Client, repo: Repo, tmp_path: Path) -> None:
    (repo.path / "src").mkdir()
    made = client.post("/sessions", {"workingDirectory": str(repo.path / "src")}, 201)
    assert made["metadata"]["workingDirectory"] == str(repo.path / "src")
    other = Repo.init(tmp_path / "other")
    for folder in (other.path, tmp_path, tmp_path / "none", "/", "../.."):
        client("POST", "/sessions", {"workingDirectory": str(folder)}, status=409)
    assert len(client.get("/sessions")) == 1


def test_a_session_with_tasks_and_plans_has_stats(client: Client, agent: None) -> None:
    session = client.post("/sessions", {}, 201)["sessionId"]
    for text in ("plan-1", "plan-2"):
        client("PUT", f"/api/v1/sessions/{session}/plan", {"text": text}, status=200)
    for task in ("task one", "task two"):
        client.post("/agent/execute", {"sessionId": session, "task": task})
    found = client.get(f"/sessions/{session}")
    metadata, stats = found["metadata"], found["stats"]
    assert (len(metadata["tasks"]), len(metadata["plans"])) == (2, 2)
    assert (metadata["totalTasks"], metadata["completedTasks"], metadata["failedTasks"]) == (2, 2, 0)
    assert stats["successRate"] == 100
    assert stats["avgExecutionTime"] == round(metadata["totalExecutionTime"] / 2) > 0
    assert stats["duration"] >= metadata["totalExecutionTime"]


def test_pattern_1_a_session_for_several_tasks(client: Client, agent: None, repo: Repo) -> None:
    session = client.post("/sessions", {"workingDirectory": str(repo.path)}, 201)["sessionId"]
    for task in ("Create component", "Add tests", "Update documentation"):
        assert client.post("/agent/execute", {"sessionId": session, "task": task})["status"] == "completed"
    ended = client.post(f"/sessions/{session}/end")
    assert (ended["metadata"]["status"], ended["metadata"]["completedTasks"]) == ("completed", 3)
    assert ended["metadata"]["endTime"] >= ended["metadata"]["startTime"]
    assert sorted(p.name for p in repo.path.glob("*-*")) == ["Add-tests", "Create-component", "Update-documentation"]
    client("POST", f"/sessions/{session}/end", status=409)


def test_pattern_2_a_task_without_a_session_opens_one(client: Client, agent: None) -> None:
    done = client.post("/agent/execute", {"task": "Build a todo app"})
    [found] = client.get("/sessions")
    assert found["sessionId"] == done["sessionId"] and found["goal"] == "Build a todo app"
    assert (found["status"], found["tasks"], found["completedTasks"]) == ("completed", [done["id"]], 1)


def test_pattern_3_an_earlier_session_is_taken_up(client: Client, agent: None) -> None:
    client.post("/sessions", {"goal": "earlier"}, 201)
    sessions = client.get("/sessions")
    client.post(f"/api/v1/sessions/{sessions[0]['sessionId']}/switch")
    done = client.post("/agent/execute", {"task": "Add new feature"})
    assert done["sessionId"] == sessions[0]["sessionId"]
    assert client.get("/sessions/@")["metadata"]["tasks"] == [done["id"]]


def test_the_output_of_a_task_is_streamed(client: Client, agent: None) -> None:
    reply = client("POST", "/agent/execute/stream", {"task": "Say something"}, status=200)
    blocks = [block.split("\n") for block in reply.body.decode().strip().split("\n\n")]
    events = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]
    assert [name for name, _ in events] == ["started", "output", "done"]
    assert events[1][1] == {"stream": "stdout", "text": "made Say-something\n"}
    assert events[2][1]["result"]["exit"] == 0


def test_the_server_is_for_one_repository(serving: Server, client: Client, tmp_path: Path) -> None:
    import git_agent_session

    other = Repo.init(tmp_path / "other")
    session = git_agent_session.open(str(other.path)).start(goal="elsewhere").id
    client("GET", f"/sessions/{session}", status=404)
    assert client.get("/sessions") == []
