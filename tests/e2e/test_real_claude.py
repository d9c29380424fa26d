"""The published Claude Code, unmodified, against a scripted model: capture from its first hook to its last line.

`AGENT_RUNNER` names a program that runs the real agent: `RUNNER --repo DIR --script STEPS.json --home DIR --path DIR
--prompt TEXT claude-code [-- ARGS]`. A step is `{"tool": NAME, "input": {…}}`; step i answers the request that carries
i tool results, and after the last the model says "Done.". Without the runner these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import Session, Store
from tests.harness import ROOT, Repo

RUNNER = os.environ.get("AGENT_RUNNER", "")
# the runner's own home holds the agent's package
HOME = os.environ.get("HOME", "")

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(not os.path.isfile(RUNNER), reason="AGENT_RUNNER names no program"),
]

Step = dict[str, Any]


def bash(command: str) -> Step:
    return {"tool": "Bash", "input": {"command": command, "description": "scripted"}}


class Real:
    """A repository with our hooks and Claude Code's settings, and a home of Claude's own."""

    def __init__(self, tmp_path: Path) -> None:
        self.repo = Repo.init(tmp_path / "a repo")
        self.home = tmp_path / "claude home"
        self.home.mkdir()
        (self.home / ".gitconfig").write_text("[user]\n\tname = Ada Tester\n\temail = ada@example.org\n")
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        launcher = self.bin / "git-agent-session"
        launcher.write_text(
            f"#!{sys.executable} -I\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            "from git_agent_session.__main__ import main\nsys.exit(main())\n"
        )
        launcher.chmod(0o755)
        self.script = tmp_path / "steps.json"
        self.repo.commit("init")
        self.repo.cli("install", check=True)
        self.repo.cli("enable", "claude-code", check=True)

    def start(self, prompt: str, steps: Sequence[Step], *extra: str, name: str = "") -> subprocess.Popen[bytes]:
        script = self.script.with_suffix(f".{name}.json") if name else self.script
        script.write_text(json.dumps(steps))
        argv = [sys.executable, RUNNER, "--repo", str(self.repo.path), "--script", str(script)]
        argv += ["--home", str(self.home / name), "--path", str(self.bin), "--prompt", prompt, "claude-code"]
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH",)}
        if name:
            (self.home / name).mkdir(exist_ok=True)
            (self.home / name / ".gitconfig").write_bytes((self.home / ".gitconfig").read_bytes())
        return subprocess.Popen(
            [*argv, *(["--", *extra] if extra else [])],
            env={**env, "HOME": HOME},
            stdout=subprocess.DEVNULL,
        )

    def run(self, prompt: str, steps: Sequence[Step], *extra: str) -> None:
        assert self.start(prompt, steps, *extra).wait(timeout=180) == 0

    def store(self) -> Store:
        return git_agent_session.open(str(self.repo.path))

    def sessions(self, holds: Callable[[list[Session]], bool]) -> list[Session]:
        """The sessions, the oldest first, once what happens in the background has made `holds` true."""
        deadline = time.monotonic() + 20
        while not holds(found := self.store().list()[::-1]):
            assert time.monotonic() < deadline, f"{found}\n{self.log()}"
            time.sleep(0.1)
        return found

    def log(self) -> str:
        path = self.repo.path / ".git" / "agent-session" / "hook.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def real(tmp_path: Path) -> Real:
    return Real(tmp_path)


def done(count: int) -> Callable[[list[Session]], bool]:
    return lambda found: len(found) == count and all(s.ended and "output_tokens" in s.usage for s in found)


def test_a_run_with_edits_a_failure_a_subagent_and_three_commits(real: Real) -> None:
    top = real.repo.path
    steps: list[Step] = [
        {"tool": "Write", "input": {"file_path": str(top / "a.txt"), "content": "hello\n"}},
        bash("git add a.txt && git commit -q -m one"),
        {"tool": "Edit", "input": {"file_path": str(top / "a.txt"), "old_string": "hello", "new_string": "bye"}},
        bash("git commit -q -a -m two"),
        bash("false || exit 3"),
        bash("date > b.txt && git add b.txt && git commit -q -m three || exit 0"),
        {"tool": "Agent", "input": {"description": "x", "prompt": "look", "subagent_type": "general-purpose"}},
    ]
    real.run("Write a.txt\nand commit", steps)
    (session,) = real.sessions(done(1))
    assert (session.status, session.title, session.user) == (
        "completed",
        "Write a.txt",
        "Ada Tester <ada@example.org>",
    )
    assert session.agent.type == "claude-code" and session.agent.version.count(".") == 2 and session.agent.model
    store = real.store()
    links = store.commits(session.id)
    subjects = [real.repo.git("log", "-1", "--format=%s", link.commit) for link in links]
    assert subjects[:3] == ["one", "two", "three"]
    assert len(links) == len(real.repo.git("log", "--format=%h").splitlines()) - 1
    assert {link.via for link in links} == {"agent"}
    for link in links:
        assert session.id in real.repo.git("notes", "--ref=agent-sessions", "show", link.commit)
        assert session.id in real.repo.git("log", "-1", "--format=%B", link.commit)
    tools = [e.data for e in store.history(session.id, kinds=("tool",))]
    assert tools[0] | {"duration_ms": 0} == {"name": "Write", "paths": ["a.txt"], "duration_ms": 0, "outcome": "ok"}
    failed = [t for t in tools if t["outcome"] == "error" and t["summary"] == "false || exit 3"]
    assert failed and "3" in failed[0]["error"]
    assert any("agent_id" in t for t in tools)
    actions = [e.data["action"] for e in store.history(session.id, kinds=("agent",))]
    assert actions.count("start") == actions.count("stop") >= 1
    assert [e.data["role"] for e in store.history(session.id, kinds=("message",))][:1] == ["user"]
    assert session.usage["output_tokens"] > 57 * len(steps) and session.usage["output_tokens"] % 57 == 0
    assert real.log() == ""


def test_a_resumed_run_goes_on_in_its_session_and_a_fork_does_not(real: Real) -> None:
    real.run("first", [bash("true")])
    (first,) = real.sessions(done(1))
    native = first.agent.native_id
    real.run("second", [bash("true"), bash("echo 2 > b.txt; git add b.txt; git commit -q -m b")], "--resume", native)
    (again,) = real.sessions(lambda found: done(1)(found) and found[0].usage != first.usage)
    assert again.usage["output_tokens"] == first.usage["output_tokens"] + 2 * 57
    assert [link.via for link in real.store().commits(first.id)] == ["agent"]
    steps = [bash("true"), bash("true"), bash("echo 3 > c.txt; git add c.txt; git commit -q -m c")]
    real.run("third", steps, "--resume", native, "--fork-session")
    before, fork = real.sessions(done(2))
    assert before.usage == again.usage and before.status == "completed"
    assert fork.usage["output_tokens"] == 2 * 57
    assert [link.commit for link in real.store().commits(fork.id)] == [real.repo.git("rev-parse", "HEAD")]


def test_two_claudes_in_one_worktree_keep_apart(real: Real) -> None:
    def steps(name: str) -> list[Step]:
        commit = f"until git add {name}.txt && git commit -q -m {name} -- {name}.txt; do sleep 0.1; done"
        return [bash(f"echo 1 > {name}.txt; {commit}"), bash(f"echo 2 >> {name}.txt; sleep 0.3; {commit}")]

    both = [real.start(f"work on {name}", steps(name), name=name) for name in ("left", "right")]
    assert [process.wait(timeout=180) for process in both] == [0, 0]
    for session in real.sessions(done(2)):
        name = session.title.rpartition(" ")[2]
        found = [real.repo.git("log", "-1", "--format=%s", link.commit) for link in real.store().commits(session.id)]
        assert found == [name, name]


def test_after_disabling_nothing_is_captured(real: Real) -> None:
    real.repo.cli("disable", "claude-code", check=True)
    real.run("work", [bash("echo 1 > a.txt; git add a.txt; git commit -q -m a")])
    assert real.store().list() == []
    assert real.repo.git("log", "-1", "--format=%B") == "a"
