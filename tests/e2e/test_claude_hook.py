"""Claude Code's hooks as real processes: what they leave in a real repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from git_agent_session import Session, live, lock
from git_agent_session.agents import recorder, settle
from git_agent_session.store import archive
from tests.e2e.claude import SID, Claude, run, until
from tests.harness import ROOT, Repo

FIXTURES = ROOT / "tests" / "fixtures" / "claude"


# -- a session


def test_a_run_of_claude_is_a_session(claude: Claude) -> None:
    claude.transcript.write_bytes((FIXTURES / "transcript.jsonl").read_bytes())
    for line in (FIXTURES / "payloads.jsonl").read_text().splitlines():
        payload = json.loads(line.replace("{cwd}", str(claude.repo.path)))
        claude.call(payload.pop("hook_event_name"), **payload)
    session = claude.settled(lambda s: s.ended and "output_tokens" in s.usage)
    assert (session.status, session.message, session.title) == ("completed", "prompt_input_exit", "Add rate limiting")
    assert (session.user, session.project) == ("Ada Tester <ada@example.org>", "repo")
    assert (session.agent.type, session.agent.native_id) == ("claude-code", SID)
    assert (session.agent.version, session.agent.model) == ("2.1.329", "claude-sonnet-4-5-20250929")
    assert session.counts["messages"] == 2 and session.counts["tools"] == 5 and session.counts["compactions"] == 1
    assert session.usage["output_tokens"] == 100 and session.usage["cost_usd"] == 0.0125
    assert claude.log() == ""
    tools = [e.data for e in claude.store().history(claude.id, kinds=("tool",))]
    assert [t["name"] for t in tools] == ["Write", "Edit", "Bash", "Bash", "Grep"]
    assert [t["outcome"] for t in tools] == ["ok", "ok", "error", "ok", "ok"]
    assert tools[1]["paths"] == ["src/app.py"] and tools[4]["agent_id"] == "a01"
    assert [e.data["action"] for e in claude.store().history(claude.id, kinds=("agent",))] == ["start", "stop"]


def test_a_second_delivery_changes_nothing(claude: Claude) -> None:
    for _ in range(2):
        claude.call("SessionStart", source="startup")
    for _ in range(2):
        claude.prompt()
        claude.tool()
        claude.stop()
    for _ in range(2):
        claude.end()
    claude.settled(lambda s: s.ended)
    kinds = claude.kinds()
    assert sorted(kinds) == sorted(["start", "message", "set", "tool", "message", "end", "set"])


def test_the_ref_stands_before_the_first_prompt(claude: Claude) -> None:
    claude.call("SessionStart", source="startup")
    assert until(lambda: claude.repo.git("for-each-ref", "refs/agent-sessions/") != "")


def test_a_session_is_open_when_its_first_hook_returns(claude: Claude) -> None:
    claude.call("SessionStart", source="startup")
    assert live.is_open(str(claude.shared), claude.id)
    assert live.native(str(claude.shared), "claude-code", SID) == claude.id
    assert live.recent(str(claude.shared)) == [claude.id]


def test_it_does_not_become_the_worktrees_active_session(claude: Claude) -> None:
    claude.call("SessionStart", source="startup")
    assert claude.store().current() is None


@pytest.mark.parametrize("event", ["UserPromptSubmit", "PostToolUse", "Stop", "SubagentStart", "PostCompact"])
def test_hooks_that_come_later_than_the_session_open_it(claude: Claude, event: str) -> None:
    claude.call(event, prompt="hi", prompt_id="p", tool_name="Read", tool_use_id="t", agent_id="a", agent_type="x")
    assert claude.session().status == "active"


def test_the_end_of_an_unknown_session_opens_none(claude: Claude) -> None:
    claude.end()
    assert not claude.shared.exists()


def test_a_resumed_session_goes_on(claude: Claude) -> None:
    claude.prompt()
    claude.end()
    assert claude.settled().status == "completed"
    claude.call("SessionStart", source="resume")
    claude.prompt(n=2)
    assert claude.settled(lambda s: s.status == "active").title == "go"
    assert live.is_open(str(claude.shared), claude.id)
    claude.end(n=2)
    claude.settled(lambda s: s.ended)
    assert claude.kinds().count("start") == 1 and claude.kinds().count("end") == 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_session_whose_name_was_forgotten_goes_on(claude: Claude, packed: bool) -> None:
    claude.prompt()
    claude.end()
    claude.settled(lambda s: s.ended)
    (claude.shared / "native" / "claude-code" / SID).unlink()
    if packed:
        claude.repo.git("pack-refs", "--all")
    claude.call("SessionStart", source="resume")
    assert claude.settled(lambda s: not s.ended).status == "active"
    assert claude.kinds().count("start") == 1


@pytest.mark.parametrize("packed", [False, True])
def test_an_archived_session_goes_on_in_a_fresh_clone(claude: Claude, home: Path, tmp_path: Path, packed: bool) -> None:
    claude.prompt()
    claude.end()
    claude.settled(lambda s: s.ended)
    archive.run(claude.store(), older_than=0)
    clone = Repo(tmp_path / "clone")
    claude.repo.git("clone", "-q", str(claude.repo.path), str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/agent-sessions/archive/*:refs/agent-sessions/archive/*")
    if packed:
        clone.git("pack-refs", "--all")
    there = Claude(clone, home)
    assert there.session().status == "completed"
    there.call("SessionStart", source="resume")
    there.prompt("and now", n=2)
    assert there.settled(lambda s: not s.ended).status == "active"
    assert there.kinds()[:1] == ["start"] and there.kinds().count("start") == 1
    other = Claude(clone, home, "7f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e07")
    other.call("SessionStart", source="startup")
    assert other.settled().status == "active"
    assert "resume" not in other.kinds()


def test_two_runs_that_end_on_the_same_prompt_both_end(claude: Claude) -> None:
    claude.prompt()
    claude.end()
    claude.call("SessionStart", source="resume")
    claude.tool()
    assert claude.session().status == "active"
    claude.end()
    assert claude.settled().status == "completed"


def test_a_fork_that_announces_itself_by_the_old_id_opens_nothing(claude: Claude, home: Path) -> None:
    claude.prompt()
    claude.end()
    claude.call("SessionStart", source="resume")
    fork = Claude(claude.repo, home, "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    fork.prompt("another way")
    assert claude.session().status == "completed"
    assert fork.session().status == "active"
    fork.settled()


def test_a_late_stop_does_not_reopen_an_ended_session(claude: Claude) -> None:
    claude.prompt()
    claude.end()
    claude.stop()
    claude.tool()
    session = claude.settled(lambda s: s.counts.get("messages") == 2)
    assert session.status == "completed" and session.counts["tools"] == 1
    assert not live.is_open(str(claude.shared), claude.id)


def test_a_prompt_reopens_a_session_that_its_agent_ended(claude: Claude) -> None:
    claude.prompt()
    claude.end()
    claude.prompt(n=2)
    assert claude.session().status == "active"


def test_a_session_paused_by_hand_stays_paused_while_claude_runs_on(claude: Claude) -> None:
    claude.prompt()
    claude.store().pause(claude.id)
    claude.prompt(n=2)
    claude.tool()
    session = claude.session()
    assert session.counts["tools"] == 1
    assert session.status == "paused" and not live.is_open(str(claude.shared), claude.id)
    claude.end(n=2)
    assert claude.settled(lambda s: s.ended).status == "completed"


def test_a_session_ended_by_hand_keeps_its_status(claude: Claude) -> None:
    claude.prompt()
    claude.store().end(claude.id, status="failed")
    claude.tool()
    claude.end()
    assert claude.settled(lambda s: s.counts.get("tools") == 1).status == "failed"
    assert claude.kinds().count("end") == 1


def test_a_fork_counts_only_its_own_tokens(claude: Claude) -> None:
    copied = record("m1", 500, at="2020-01-01T00:00:00.000Z")
    claude.transcript.write_text(copied + record("m2", 7))
    claude.call("SessionStart", source="fork")
    claude.stop()
    assert claude.settled(lambda s: bool(s.usage)).usage["output_tokens"] == 7


def test_a_fork_that_nobody_announced_does_not_count_twice(claude: Claude, home: Path) -> None:
    old = record("m1", 500, at="2020-01-01T00:00:00.000Z")
    claude.transcript.write_text(old)
    claude.stop()
    assert claude.settled(lambda s: bool(s.usage)).usage["output_tokens"] == 500
    fork = Claude(claude.repo, home, "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    fork.transcript.write_text(old + record("m2", 7))
    fork.stop()
    assert fork.settled(lambda s: bool(s.usage)).usage["output_tokens"] == 7


@pytest.mark.parametrize("variable", [True, False])
def test_an_agent_that_looks_into_another_repository_stays_one_session(
    claude: Claude, home: Path, tmp_path: Path, variable: bool
) -> None:
    claude.prompt()
    other = Claude(Repo.init(claude.repo.path / "submodule"), home)
    if variable:
        other.env["CLAUDE_PROJECT_DIR"] = str(claude.repo.path)
        other.prompt(n=2)
        other.end(n=2)
        assert claude.settled().counts["messages"] == 2
        assert claude.settled().status == "completed"
        assert not other.shared.exists()
    else:
        # nothing says where it began: the folder that it is in is all there is
        other.prompt(n=2)
        assert other.settled().counts["messages"] == 1


def test_a_folder_inside_the_worktree_is_the_same_repository(claude: Claude) -> None:
    (claude.repo.path / "a").mkdir()
    claude.prompt()
    claude.call("PostToolUse", cwd=str(claude.repo.path / "a"), tool_name="Read", tool_use_id="t")
    assert claude.session().counts["tools"] == 1


def test_a_folder_outside_falls_back_to_the_project(claude: Claude, tmp_path: Path) -> None:
    claude.env["CLAUDE_PROJECT_DIR"] = str(claude.repo.path)
    claude.call("UserPromptSubmit", cwd=str(tmp_path), prompt="x", prompt_id="p")
    assert claude.session().status == "active"


# -- links


def test_a_commit_of_claudes_shell_is_linked(claude: Claude) -> None:
    claude.repo.cli("install", check=True)
    claude.call("SessionStart", source="startup")
    commit = claude.repo.commit("work", files={"a.txt": "a"}, env=claude.env)
    human = claude.repo.commit("mine", files={"b.txt": "b"})
    assert [(link.commit, link.via) for link in claude.store().commits(claude.id)] == [(commit, "agent")]
    assert claude.id in claude.repo.git("notes", "--ref=agent-sessions", "show", commit)
    assert claude.store().which(human) == []


@pytest.mark.parametrize("wait", [False, True])
def test_the_trailer_setting_is_heeded_from_the_first_commit(claude: Claude, wait: bool) -> None:
    claude.repo.cli("install", check=True)
    claude.repo.git("config", "agentSession.trailer", "false")
    claude.call("SessionStart", source="startup")
    if wait:
        claude.settled()
    claude.repo.commit("work", files={"a.txt": "a"}, env=claude.env)
    assert "Agent-Session" not in claude.repo.git("log", "-1", "--format=%B")
    assert len(claude.store().commits(claude.id)) == 1


def test_settling_does_not_bring_back_a_mark_that_was_taken_off(claude: Claude) -> None:
    claude.prompt()
    claude.end()
    claude.stop()
    claude.settled()
    assert live.open_sessions(str(claude.shared)) == set()


# -- tokens


def record(message: str, output: int, at: str = "2099-01-01T00:00:00.000Z") -> str:
    usage = {"input_tokens": 1, "output_tokens": output}
    doc = {"type": "assistant", "requestId": message, "timestamp": at, "version": "2.1.329"}
    return json.dumps({**doc, "message": {"id": message, "model": "claude-x", "usage": usage}}) + "\n"


def tokens(session: Session) -> float:
    return session.usage.get("output_tokens", 0)


def test_tokens_grow_turn_by_turn(claude: Claude) -> None:
    for n, total in ((1, 5), (2, 12)):
        with claude.transcript.open("a") as f:
            f.write(record(f"m{n}", 5 if n == 1 else 7))
        claude.stop(n)
        claude.settled(lambda s, total=total: tokens(s) == total)  # type: ignore[misc]
    assert claude.kinds().count("usage") == 2 and claude.kinds().count("model") == 1


def test_a_corrected_record_corrects_the_total(claude: Claude) -> None:
    claude.transcript.write_text(record("m1", 90))
    claude.stop()
    claude.settled(lambda s: tokens(s) == 90)
    with claude.transcript.open("a") as f:
        f.write(record("m1", 57))
    claude.stop(2)
    claude.settled(lambda s: tokens(s) == 57)


def test_lines_that_come_after_the_end_still_count(claude: Claude) -> None:
    claude.env["CLAUDE_PID"] = str(os.getpid())
    claude.transcript.write_text(record("m1", 5))
    claude.stop()
    claude.end()
    assert until(lambda: tokens(claude.session()) == 5)
    with claude.transcript.open("a") as f:
        f.write(record("m2", 7))
    assert tokens(claude.settled(lambda s: tokens(s) == 12)) == 12


def test_a_lost_memory_does_not_count_twice(claude: Claude) -> None:
    claude.transcript.write_text(record("m1", 5))
    claude.stop()
    claude.settled(lambda s: tokens(s) == 5)
    (claude.shared / recorder.FOLDER / f"{claude.id}.json").unlink()
    claude.transcript.write_text(record("m1", 5) + record("m2", 7))
    claude.stop(2)
    assert tokens(claude.settled(lambda s: tokens(s) != 5)) == 12


def test_an_intent_that_was_not_carried_out_is_carried_out_once(claude: Claude) -> None:
    claude.transcript.write_text(record("m1", 5))
    claude.stop()
    claude.settled(lambda s: tokens(s) == 5)
    path = claude.shared / recorder.FOLDER / f"{claude.id}.json"
    memory = json.loads(path.read_text())
    event = {"id": "usage-intended", "at": "2026-01-01T00:00:00.000Z", "kind": "usage", "output_tokens": 7}
    memory["intent"] = [event]
    path.write_text(json.dumps(memory))
    for n in (2, 3):
        claude.stop(n)
        claude.settled(lambda s, n=n: s.counts["messages"] == n)  # type: ignore[misc]
        if n == 2:
            path.write_text(json.dumps(memory))
    assert tokens(claude.session()) == 12


def test_a_transcript_outside_of_claudes_folder_is_not_read(claude: Claude, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text(record("m1", 5))
    claude.call("Stop", prompt_id="p", last_assistant_message="x", transcript_path=str(tmp_path / "secret.jsonl"))
    claude.settled(lambda s: s.counts["messages"] == 1)
    assert tokens(claude.session()) == 0
    assert "is not read" in claude.log()


# runs the settle step and dies at the n-th change of a file, before or after it
DYING = """
import os, signal, sys
left, when = int(sys.argv[1]), sys.argv[2]
def dying(change):
    def change_or_die(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and when == "before": os.kill(os.getpid(), signal.SIGKILL)
        try: return change(*args, **kwargs)
        finally:
            if left == 0: os.kill(os.getpid(), signal.SIGKILL)
    return change_or_die
for name in ("write", "replace", "rename", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
from git_agent_session.agents.detach import child
child(sys.argv[3:])
"""


@pytest.mark.kills
@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("before", 2),
        pytest.param("before", 1, marks=pytest.mark.slow),
        pytest.param("after", 1, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_point_the_tokens_are_counted_once(claude: Claude, when: str, step: int) -> None:
    claude.prompt()
    claude.settled()
    git_dir = str(claude.repo.path / ".git")
    settle = ["claude-code", claude.id, git_dir, git_dir, str(claude.repo.path), f"transcript={claude.transcript}"]

    def run_until(point: int) -> int:
        argv = [sys.executable, "-c", DYING, str(point), when, *settle]
        return subprocess.run(argv, cwd=claude.repo.path, check=False).returncode

    points = range(1, 60, step)
    for point in points:
        with claude.transcript.open("a") as f:
            f.write(record(f"m{point}", 10))
        if run_until(point) == 0:
            break
    assert 8 < point < 59
    run_until(0)
    assert tokens(claude.session()) == 10 * (points.index(point) + 1)
    assert claude.log() == ""


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "where", [pytest.param("evidence.moved", marks=SLOW), pytest.param("Reading", marks=SLOW), "evidence.settle"]
)
def test_what_a_settle_step_was_told_outlives_it(claude: Claude, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    claude.prompt()
    claude.settled()
    claude.store().pause(claude.id)
    claude.transcript.write_text(record("m1", 10))
    before = claude.repo.git("rev-parse", "HEAD")
    commit = claude.repo.commit("work")
    notes = {"transcript": str(claude.transcript), "ends": "completed", "moved.1": f"{before} {commit} verb"}
    location = claude.store().repo.location

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(f"git_agent_session.agents.settle.{where}", dies)
        settle.settle("claude-code", claude.id, location, notes)
    settle.settle("claude-code", claude.id, location, {})
    assert tokens(claude.session()) == 10 and claude.session().ended
    assert claude.kinds().count("end") == 1
    assert [link.commit for link in claude.store().commits(claude.id)] == [commit]
    assert not [n for n in os.listdir(claude.shared / recorder.FOLDER) if ".note." in n]


def test_a_note_that_says_nothing_stops_no_settle_step(claude: Claude) -> None:
    claude.prompt()
    claude.settled()
    settle.settle("claude-code", claude.id, claude.store().repo.location, {"moved.1": "x"})


# makes a hook call and dies at the n-th change of a file
DYING_CALL = (
    DYING.split("from git_agent_session")[0]
    + """
from git_agent_session.hooks.agent_entry import main
main(["claude-code"])
"""
)


def killed(claude: Claude, point: int, event: str, **fields: Any) -> bool:
    """A hook call that dies at its n-th change of a file; False when it has fewer."""
    done = subprocess.run(
        [sys.executable, "-c", DYING_CALL, str(point), "after"],
        input=json.dumps(claude.payload(event, **fields)).encode(),
        cwd=claude.repo.path,
        env={**os.environ, **claude.env},
        check=False,
    )
    return done.returncode != 0


@pytest.mark.kills
def test_killed_while_it_opens_a_session_it_opens_it_the_next_time(claude: Claude, home: Path) -> None:
    for point in range(1, 30):
        who = Claude(claude.repo, home, f"0f4d1c1e-7a3b-4d57-9a60-{point:012d}")
        died = killed(who, point, "SessionStart", source="startup")
        who.prompt()
        assert live.is_open(str(who.shared), who.id), point
        if not died:
            break
        assert who.session().status == "active" and who.kinds().count("start") == 1
    assert point > 3


@pytest.mark.kills
def test_killed_while_it_resumes_a_session_it_still_ends(claude: Claude) -> None:
    for point in range(1, 30):
        claude.call("SessionStart", source="resume")
        died = killed(claude, point, "UserPromptSubmit", prompt_id=f"k{point}", prompt="go")
        claude.prompt(n=point)
        assert live.is_open(str(claude.shared), claude.id), point
        assert claude.session().status == "active", point
        claude.end(n=point)
        claude.settled()
        assert claude.session().status == "completed", point
        if not died:
            break
    assert point > 3


@pytest.mark.kills
def test_killed_while_it_ends_a_session_the_next_prompt_reopens_it(claude: Claude) -> None:
    for point in range(1, 30):
        claude.prompt(n=100 + point)
        died = killed(claude, point, "SessionEnd", reason="other")
        claude.call("SessionStart", source="resume")
        claude.prompt(n=point)
        assert live.is_open(str(claude.shared), claude.id), point
        assert claude.session().status == "active", point
        claude.end(n=point)
        claude.settled()
        assert claude.session().status == "completed", point
        if not died:
            break
    assert point > 2


def test_a_settle_step_that_finds_another_at_work_leaves_it_its_notes(claude: Claude) -> None:
    claude.prompt()
    claude.settled()
    claude.transcript.write_text(record("m1", 5))
    with lock.held(str(claude.shared), f"settle-{claude.id}"):
        claude.stop()
        assert until(lambda: any(".note." in n for n in os.listdir(claude.shared / recorder.FOLDER)))
        time.sleep(0.5)
        assert tokens(claude.session()) == 0
    claude.call("Stop", prompt_id="p2", last_assistant_message="again", transcript_path="")
    assert tokens(claude.settled(lambda s: bool(s.usage))) == 5


# -- many at once


def test_calls_that_come_at_once_all_stand(claude: Claude) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(claude.tool, range(40)))
        list(pool.map(claude.stop, range(8)))
    session = claude.settled(lambda s: s.counts["tools"] == 40 and s.counts["messages"] == 8)
    assert claude.kinds().count("start") == 1
    assert session.status == "active" and claude.log() == ""


def test_two_claudes_in_one_worktree_keep_apart(claude: Claude, home: Path) -> None:
    claude.repo.cli("install", check=True)
    other = Claude(claude.repo, home, "0f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    for who in (claude, other):
        who.call("SessionStart", source="startup")
    commits = {who.id: claude.repo.commit("c", files={f"{who.sid}.txt": "x"}, env=who.env) for who in (claude, other)}
    for who in (claude, other):
        who.end()
        who.settled(lambda s: s.ended)
        assert [link.commit for link in who.store().commits(who.id)] == [commits[who.id]]


# -- a guest that is never noticed


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"session_id":5,"hook_event_name":"Stop"}',
        b'{"session_id":"../../x","hook_event_name":"Stop","cwd":"."}',
        b'{"session_id":"x","hook_event_name":["Stop"]}',
        b'{"session_id":"x","hook_event_name":"UserPromptSubmit","prompt":"hi","cwd":7}',
        b'{"session_id":"x","hook_event_name":"PostToolUse","tool_input":"x","tool_response":7,"duration_ms":"long"}',
    ],
)
def test_whatever_comes_in_nothing_comes_out(claude: Claude, text: bytes) -> None:
    claude.env.pop("CLAUDE_CODE_SESSION_ID")
    done = run(text, claude.repo.path, claude.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_byte_that_is_no_utf8_costs_itself_alone(claude: Claude) -> None:
    payload = json.dumps(claude.payload("UserPromptSubmit", prompt="Read caf%")).encode()
    done = run(payload.replace(b"%", b"\xe9"), cwd=claude.repo.path, env=claude.env)
    assert (done.returncode, done.stdout, done.stderr, claude.log()) == (0, "", "", "")
    assert [e.data["text"] for e in claude.store().history(claude.id) if e.kind == "message"] == ["Read caf\ufffd"]


def test_a_path_as_session_id_is_refused_and_logged(claude: Claude) -> None:
    (claude.shared).mkdir(parents=True)
    claude.env["CLAUDE_CODE_SESSION_ID"] = "../../x"
    run(json.dumps(claude.payload("Stop", session_id="../../x")), claude.repo.path, claude.env)
    assert "no plain name" in claude.log()
    assert claude.store().list() == []


def test_a_payload_that_is_too_large_is_left_out_and_logged(claude: Claude) -> None:
    claude.prompt()
    done = run(b'{"pad":"' + b"x" * (17 * 1024 * 1024), claude.repo.path, claude.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "is left out" in claude.log()


def test_a_large_payload_is_taken(claude: Claude) -> None:
    claude.call("PostToolUse", tool_name="Write", tool_use_id="t", tool_input={"content": "x" * (8 << 20)})
    assert claude.session().counts["tools"] == 1


def test_an_unknown_agent_is_passed_over(claude: Claude) -> None:
    for args in (("nobody",), ("--settle",), ("", "x")):
        done = run("{}", claude.repo.path, claude.env, args=args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_outside_of_a_repository_nothing_happens(claude: Claude, tmp_path: Path) -> None:
    payload = claude.payload("UserPromptSubmit", prompt="x", cwd=str(tmp_path))
    done = run(json.dumps(payload), tmp_path, claude.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["repo"]


def test_another_agents_call_leaves_no_trace(claude: Claude) -> None:
    payload = json.dumps(claude.payload("UserPromptSubmit", prompt="x", prompt_id="p"))
    env = {"CLAUDE_PROJECT_DIR": str(claude.repo.path), "COPILOT_PROJECT_DIR": str(claude.repo.path)}
    done = run(payload, claude.repo.path, env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not claude.shared.exists()


def test_a_repository_that_cannot_be_written_is_no_error(claude: Claude) -> None:
    # a file in the folder's place stops root too
    claude.shared.write_text("")
    done = run(json.dumps(claude.payload("UserPromptSubmit", prompt="x")), claude.repo.path, claude.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_log_stays_small(claude: Claude) -> None:
    claude.shared.mkdir()
    (claude.shared / recorder.LOG).write_text("old\n" * 70_000)
    run("not json", claude.repo.path, claude.env)
    log = claude.log()
    assert len(log) < recorder.LOG_BYTES
    assert log.startswith("old\n") and "no JSON" in log.splitlines()[-1]


def test_the_settle_step_holds_neither_pipe_nor_hook(claude: Claude) -> None:
    claude.env["CLAUDE_PID"] = str(os.getpid())
    claude.prompt()
    claude.end()
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m git_agent_session hook claude-code | cat"],
        input=json.dumps(claude.payload("Stop", prompt_id="p9", last_assistant_message="late")),
        cwd=claude.repo.path,
        env={**os.environ, **claude.env},
        text=True,
        check=True,
    )
    assert done.returncode == 0 and time.monotonic() - began < 10


def test_a_missing_dependency_of_the_settle_step_is_logged(claude: Claude, tmp_path: Path) -> None:
    (tmp_path / "broken" / "pygit2").mkdir(parents=True)
    (tmp_path / "broken" / "pygit2" / "__init__.py").write_text("raise ImportError('no pygit2 today')\n")
    claude.env["PYTHONPATH"] = f"{tmp_path / 'broken'}:{os.environ['PYTHONPATH']}"
    claude.prompt()
    claude.stop()
    assert until(lambda: "no pygit2 today" in claude.log())
    assert claude.session().counts["messages"] == 2


# -- cost


def imported(claude: Claude, event: str, **fields: Any) -> set[str]:
    payload = json.dumps(claude.payload(event, **fields))
    done = run(payload, claude.repo.path, claude.env, "-X", "importtime")
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"])
def test_a_hook_call_imports_nothing_heavy(claude: Claude, event: str) -> None:
    fields = {"prompt": "hi", "prompt_id": "p", "tool_name": "Read", "tool_use_id": "t", "source": "startup"}
    claude.prompt("before")
    found = imported(claude, event, last_assistant_message="done", **fields)
    assert "git_agent_session.journal" in found
    heavy = (
        "click",
        "pygit2",
        "tomli",
        "rich",
        "subprocess",
        "json",
        "dataclasses",
        "typing",
        "re",
        "sqlite3",
        "random",
    )
    assert found.isdisjoint(heavy), found.intersection(heavy)
