"""Commands that a request runs: only the one that the user allows, told as it goes, recorded whatever happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from git_agent_session.store.store import Store
from git_agent_session.web import runs, server
from tests.e2e.claude import until
from tests.harness import Repo
from tests.web.conftest import Client

SAY = "import sys; print('said', *sys.argv[1:]); print('wrong', file=sys.stderr); sys.exit(int('fail' in sys.argv[-1]))"
# writes a line, and goes on until the file it is given is there
WAIT = """import os, sys, time
print("begun", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
print("ended", flush=True)
"""


@pytest.fixture
def allow(home: Path, tmp_path: Path) -> Any:
    """Allow a program of Python's, in the user's own configuration."""

    def configure(program: str, more: str = "") -> None:
        script = tmp_path / "program.py"
        script.write_text(program)
        config = home / ".gitconfig"
        command = f"'{sys.executable}' '{script}' {more}".replace("\\", "/")
        config.write_text(config.read_text() + f'[agentSession]\n\texecute = "{command}"\n')

    return configure


def stream(client: Client, value: dict[str, Any], *, until_event: str = "") -> list[tuple[str, Any]]:
    """The events of a stream; with `until_event` the client goes away at the first of that name."""
    connection = client.connect()
    headers = {"Host": client.place, "Authorization": f"Bearer {client.address.token}"}
    headers["Content-Type"] = "application/json"
    connection.request("POST", "/agent/execute/stream", json.dumps(value), headers)
    reply = connection.getresponse()
    assert reply.status == 200 and (reply.getheader("content-type") or "").startswith("text/event-stream")
    found = []
    while name := reply.readline().decode().rstrip("\n"):
        if name.startswith(":"):
            reply.readline()
            continue
        assert name.startswith("event: ")
        found.append((name[7:], json.loads(reply.readline().decode().removeprefix("data: "))))
        assert reply.readline() == b"\n"
        if found[-1][0] == until_event:
            break
    connection.close()
    return found


def test_nothing_is_run_unless_the_user_allows_it(client: Client, store: Store) -> None:
    reply = client("POST", "/agent/execute", {"task": "anything"}, status=403)
    assert reply.json["code"] == "execute-off" and "agentSession.execute" in reply.json["hint"]
    assert store.list() == []


def test_a_repository_cannot_say_what_is_run(client: Client, repo: Repo, store: Store) -> None:
    repo.write({"shared.gitconfig": '[agentSession]\n\texecute = "touch pwned"\n'})
    repo.git("config", "include.path", "../shared.gitconfig")
    assert repo.git("config", "agentSession.execute") == "touch pwned"
    reply = client("POST", "/agent/execute", {"task": "x"}, status=403)
    assert "of the repository's own" in reply.json["detail"]
    assert not (repo.path / "pwned").exists() and store.list() == []


def test_a_task_runs_in_its_session_and_is_recorded(client: Client, allow: Any, store: Store) -> None:
    allow(SAY)
    session = client.post("/sessions", {}, 201)["sessionId"]
    done = client.post("/agent/execute", {"sessionId": session, "task": "add a page"})
    assert (done["sessionId"], done["status"], done["description"]) == (session, "completed", "add a page")
    assert done["result"]["exit"] == 0 and "said add a page" in done["result"]["output"]
    found = client.get(f"/sessions/{session}")
    assert found["metadata"]["tasks"] == [done["id"]]
    assert (found["stats"]["successRate"], found["metadata"]["completedTasks"]) == (100, 1)
    assert [e.data["exit"] for e in store.history(session, kinds=("exec",)) if "exit" in e.data] == [0]


def test_a_task_that_fails_is_said_to_have_failed(client: Client, allow: Any, store: Store) -> None:
    allow(SAY)
    done = client.post("/agent/execute", {"task": "please fail"})
    assert (done["status"], done["result"]["exit"], done["error"]) == ("failed", 1, "exit status 1")
    # a session was opened for it, and has ended with it
    assert store.get(done["sessionId"]).status == "failed"
    assert client.get(f"/sessions/{done['sessionId']}")["metadata"]["status"] == "failed"


def test_the_output_comes_as_events(client: Client, allow: Any) -> None:
    allow(SAY)
    events = stream(client, {"task": "tell me"})
    assert events[0][0] == "started" and events[-1][0] == "done"
    told = {"stdout": "", "stderr": ""}
    for name, data in events:
        if name == "output":
            told[data["stream"]] += data["text"]
    assert told == {"stdout": "said tell me\n", "stderr": "wrong\n"}
    assert events[-1][1]["result"]["exit"] == 0
    assert events[0][1]["sessionId"] == events[-1][1]["sessionId"]


def test_a_client_that_accepts_events_gets_them_from_execute_too(client: Client, allow: Any) -> None:
    allow(SAY)
    reply = client("POST", "/agent/execute", {"task": "x"}, headers={"Accept": "text/event-stream"}, status=200)
    assert reply.body.startswith(b"event: started\n")


def test_a_command_goes_on_when_its_client_goes_away(client: Client, allow: Any, repo: Repo, store: Store) -> None:
    allow(WAIT)
    events = stream(client, {"task": "wait"}, until_event="output")
    session = events[0][1]["sessionId"]
    assert [r["session"] for r in client.get("/api/v1/runs")] == [session]
    (repo.path / "go").write_text("")
    until(lambda: store.get(session).ended, 15)
    assert store.get(session).status == "completed"
    stop = next(e for e in store.history(session, kinds=("exec",)) if e.data["action"] == "stop")
    assert (stop.data["exit"], stop.data["tail"]) == (0, "begun\nended")
    until(lambda: client.get("/api/v1/runs") == [], 5)


def test_a_run_is_ended_when_that_is_asked_for(client: Client, allow: Any, store: Store) -> None:
    allow(WAIT)
    session = stream(client, {"task": "wait"}, until_event="output")[0][1]["sessionId"]
    run = client.get("/api/v1/runs")[0]["run"]
    client("DELETE", f"/api/v1/runs/{run}", status=202)
    until(lambda: store.get(session).ended, 15)
    assert store.get(session).status == "failed"
    # its end is recorded first
    until(lambda: client.get("/api/v1/runs") == [], 15)
    client("DELETE", f"/api/v1/runs/{run}", status=404)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_what_a_run_has_started_ends_with_it(client: Client, allow: Any, repo: Repo, store: Store) -> None:
    child = "trap 'echo >ended; exit' TERM; echo begun; while :; do sleep 0.1; done"
    allow(f"import subprocess; subprocess.run(['sh', '-c', {child!r}])")
    session = stream(client, {"task": "wait"}, until_event="output")[0][1]["sessionId"]
    client("DELETE", f"/api/v1/runs/{client.get('/api/v1/runs')[0]['run']}", status=202)
    assert until(lambda: store.get(session).ended and (repo.path / "ended").exists(), 15)


def test_the_end_of_the_server_ends_its_runs_and_records_that(
    serving: server.Server, client: Client, allow: Any, store: Store
) -> None:
    allow(WAIT)
    session = stream(client, {"task": "wait"}, until_event="output")[0][1]["sessionId"]
    serving.should_exit = True
    until(lambda: store.get(session).ended, 15)
    assert [e.data["action"] for e in store.history(session, kinds=("exec",))] == ["start", "stop"]


def test_so_many_commands_run_at_once_and_no_more(client: Client, allow: Any, repo: Repo) -> None:
    allow(WAIT)
    for n in range(runs.MOST):
        stream(client, {"task": f"wait {n}"}, until_event="output")
    reply = client("POST", "/agent/execute", {"task": "one more"}, status=503)
    assert reply.headers["retry-after"]
    (repo.path / "go").write_text("")
    until(lambda: client.get("/api/v1/runs") == [], 15)


@pytest.mark.parametrize("task", ["-rf", "--dangerous", "", "a\0b", "x" * 40_000])
def test_a_task_that_could_be_anything_else_is_refused(client: Client, allow: Any, store: Store, task: str) -> None:
    allow(SAY)
    client("POST", "/agent/execute", {"task": task}, status=400)
    assert store.list() == []


def test_the_task_goes_where_the_command_wants_it(client: Client, allow: Any) -> None:
    allow(SAY, "{task} --last")
    done = client.post("/agent/execute", {"task": "-x"})
    assert "said -x --last" in done["result"]["output"].splitlines()


def test_a_task_is_one_word_whatever_is_in_it(client: Client, allow: Any, repo: Repo) -> None:
    allow(SAY)
    task = "$(touch a); `touch b` && touch c | tee 'd\" \n e"
    assert client.post("/agent/execute", {"task": task})["status"] == "completed"
    assert sorted(p.name for p in repo.path.iterdir()) == [".git", "README.md"]


def test_a_session_that_has_ended_takes_no_task(client: Client, allow: Any, store: Store) -> None:
    allow(SAY)
    session = store.start(goal="x").id
    store.end(session)
    client("POST", "/agent/execute", {"sessionId": session, "task": "x"}, status=409)
    client("POST", "/agent/execute", {"sessionId": "ffff", "task": "x"}, status=404)


def test_a_program_that_is_not_there_is_said_so(client: Client, home: Path) -> None:
    config = home / ".gitconfig"
    config.write_text(config.read_text() + "[agentSession]\n\texecute = no-such-program\n")
    done = client.post("/agent/execute", {"task": "x"})
    assert (done["status"], done["result"]["exit"]) == ("failed", 127) and "no-such-program" in done["error"]
