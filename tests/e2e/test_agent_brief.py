"""The brief that an agent's SessionStart hook gives where `agentSession.brief` is true, and its silence elsewhere."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from git_agent_session.context.budget import tokens
from git_agent_session.git.discover import Location, discover
from git_agent_session.hooks import agent_brief, installer
from git_agent_session.ids import native_session_id
from git_agent_session.store.store import Store
from git_agent_session.work import failures, memory, tasks
from tests.e2e.claude import Claude, free, run, until
from tests.e2e.test_resume_brief import HOSTILE, check
from tests.harness import Repo


@pytest.fixture
def before(hooked: Repo, store: Store, session: str) -> str:
    """A session on this branch that failed, with an open task and a decision about a file."""
    commit = hooked.commit("limit", files={"src/limit.py": "1\n"}, env={"GIT_AGENT_SESSION": session})
    failures.decide(store, session, "Use a token bucket", paths=["src/limit.py"])
    failures.decide(store, session, "Unrelated", paths=["docs/other.md"])
    tasks.add(store, session, "Write the tests")
    store.end(session, status="failed", message="the build broke")
    assert [k.commit for k in store.commits(session)] == [commit]
    return session


SID = "5d0c9a52-1f7e-4a8e-9d0b-1c2d3e4f5a6b"
# what each agent is known by: its environment, and its transcript
CLAUDE = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_CODE_SESSION_ID": SID, "CLAUDE_PID": "9" * 8}
ENV = {"claude-code": CLAUDE, "gemini": {"GEMINI_SESSION_ID": SID}, "droid": {"FACTORY_PROJECT_DIR": "/none"}}
TRANSCRIPTS = {"codex": f"rollout-2026-01-01T10-00-00-{SID}.jsonl", "droid": f"sessions/-x/{SID}.jsonl"}


def started(repo: Repo, agent: str, **fields: str) -> str:
    """What the SessionStart hook of an agent prints, on a machine that may be slow."""
    repo.git("config", "agentSession.briefMs", "30000")
    payload = {"session_id": SID, "cwd": str(repo.path), "hook_event_name": "SessionStart", "source": "startup"}
    path = repo.path.parent / "none" / TRANSCRIPTS.get(agent, f"{SID}.jsonl")
    stamp = {"timestamp": "2026-01-01T10:00:00Z"} if agent == "gemini" else {}
    payload |= {"transcript_path": str(path), **stamp, **fields}
    done = run(json.dumps(payload), cwd=repo.path, env=ENV.get(agent, {}), args=(agent,))
    assert (done.returncode, done.stderr) == (0, "")
    shared = repo.path / ".git/agent-session"
    assert (shared / "native" / agent / SID).exists()
    assert until(lambda: free(shared, native_session_id(agent, SID)), 10.0)
    return done.stdout


@pytest.mark.parametrize("agent", agent_brief.AGENTS)
def test_an_agent_that_begins_is_told_what_was_left_open(hooked: Repo, before: str, agent: str) -> None:
    hooked.git("config", "agentSession.brief", "true")
    said = json.loads(started(hooked, agent))
    assert said["hookSpecificOutput"]["hookEventName"] == "SessionStart"
    text = said["hookSpecificOutput"]["additionalContext"]
    assert f"{before[:8]} (codex of Ada Tester, failed, the build broke): test the hooks" in text
    assert "open task: Write the tests" in text
    assert "src/limit.py: Use a token bucket" in text and "Unrelated" not in text
    assert tokens(text) <= memory.MAX_TOKENS
    check(text)


@pytest.mark.parametrize("value", [None, "false", "no", "maybe", ""])
def test_it_says_nothing_unless_it_is_turned_on(hooked: Repo, before: str, value: str | None) -> None:
    if value is not None:
        hooked.git("config", "agentSession.brief", value)
    assert started(hooked, "claude-code") == ""


def test_it_says_nothing_where_nothing_was_left_open(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("config", "agentSession.brief", "true")
    hooked.commit("done", files={"a": "1"}, env={"GIT_AGENT_SESSION": session})
    store.end(session)
    assert started(hooked, "claude-code") == ""


def test_other_agents_and_other_hooks_say_nothing(hooked: Repo, before: str) -> None:
    hooked.git("config", "agentSession.brief", "true")
    assert started(hooked, "droid") == ""
    assert started(hooked, "claude-code", hook_event_name="UserPromptSubmit", prompt="go") == ""
    assert started(hooked, "claude-code", source="compact") == ""


def test_without_the_setting_no_process_is_started(
    hooked: Repo, before: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place = discover(str(hooked.path))
    assert place is not None
    agent_brief.say(place, "claude-code", "")
    monkeypatch.setattr("subprocess.Popen", None)
    agent_brief.say(place, "claude-code", "")
    assert capfd.readouterr() == ("", "")


def test_one_that_comes_late_is_not_waited_for(hooked: Repo, before: str) -> None:
    place = discover(str(hooked.path))
    assert place is not None
    began = time.monotonic()
    assert agent_brief.ask(place, "", seconds=0.01) == ""
    assert time.monotonic() - began < 10
    assert "Write the tests" in agent_brief.ask(place, "", seconds=30)


def test_a_repository_that_cannot_be_read_is_met_with_silence(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert agent_brief.ask(Location(str(tmp_path / "x"), str(tmp_path / "x"), None), "", seconds=30) == ""
    assert agent_brief.ask(Location("/none", str(tmp_path / "none"), None), "", seconds=30) == ""


# -- what it says


def test_the_session_that_begins_is_not_told_of_itself(store: Store, before: str) -> None:
    assert memory.for_agent(store, before).text == ""


def test_a_file_that_is_changed_and_not_committed_is_in_play(hooked: Repo, store: Store, session: str) -> None:
    failures.decide(store, session, "Keep docs/guide.md short")
    hooked.commit("x", env={"GIT_AGENT_SESSION": session})
    store.end(session)
    assert memory.for_agent(store).text == ""
    hooked.write({"docs/guide.md": "1"})
    hooked.git("add", "docs/guide.md")
    assert "docs/guide.md: Keep docs/guide.md short" in memory.for_agent(store).text


def test_sessions_of_other_branches_are_left_out(hooked: Repo, store: Store) -> None:
    hooked.git("switch", "-q", "-c", "other")
    other = store.start(goal="elsewhere", activate=False).id
    hooked.commit("x", env={"GIT_AGENT_SESSION": other})
    store.end(other, status="failed")
    assert "elsewhere" in memory.for_agent(store).text
    hooked.git("switch", "-q", "main")
    assert memory.for_agent(store).text == ""


def test_it_is_short_however_much_was_left(hooked: Repo, store: Store) -> None:
    for n in range(8):
        made = store.start(goal=f"goal {n} " + "word " * 200).id
        hooked.commit("x", files={f"f{n}": "1"}, env={"GIT_AGENT_SESSION": made})
        for m in range(10):
            tasks.add(store, made, f"task {m} " + "long " * 30)
            failures.decide(store, made, f"decision {m} " + "why " * 100, paths=[f"f{n}"])
        store.end(made, status="failed", message="because " * 100)
    told = memory.for_agent(store)
    assert told.token_estimate == tokens(told.text) <= memory.MAX_TOKENS
    assert "goal 7" in told.text and "decision 9" in told.text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_others_wrote_breaks_out_of_it(hooked: Repo, store: Store, session: str, text: str) -> None:
    hooked.commit("x", files={"a": "1"}, env={"GIT_AGENT_SESSION": session})
    store.append(session, "start", {"goal": text, "agent": {"type": text[:50]}, "user": text})
    store.append(session, "decision", {"text": f"{text} a", "paths": ["a", text]})
    store.append(session, "task", {"task": "T1", "action": "add", "title": text})
    store.append(session, "error", {"text": text})
    store.append(session, "end", {"status": "failed", "message": text})
    told = memory.for_agent(store)
    assert told.text and told.token_estimate <= memory.MAX_TOKENS
    check(told.text)


def test_the_first_session_of_a_repository_is_told_nothing(repo: Repo, home: Path) -> None:
    repo.commit("one")
    installer.install(str(repo.path))
    repo.git("config", "agentSession.brief", "true")
    claude = Claude(repo, home)
    # `call` asserts that it prints nothing: the first session of a repository has none before it
    claude.call("SessionStart", source="startup")
    assert until(lambda: free(claude.shared, claude.id), 10.0)
