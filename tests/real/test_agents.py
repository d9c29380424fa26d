"""Each published agent, twice in one session and two at once: sessions, events, tokens, links and notes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest

from git_agent_session import Event, Session
from tests.real.agents import AGENTS, Published, version
from tests.real.conftest import World
from tests.real.model import CACHED, OUTPUT, call, say

# read here: a test's own environment is a bare one
TABLE = os.environ.get("AGENT_TABLE", "")

pytestmark = pytest.mark.real_agents

# how each agent's commits are known: Gemini switches git's hooks off in its shell
VIA = {"claude-code": "agent", "codex": "agent", "gemini": "head", "copilot": "agent", "opencode": "agent"}


def quiet(count: int, messages: int, requests: int = 1) -> Callable[[list[Session]], bool]:
    """True once so many sessions have so many messages, and the tokens of so many requests: these come late."""

    def holds(found: list[Session]) -> bool:
        return len(found) == count and all(
            s.counts["messages"] >= messages and s.usage.get("output_tokens", 0) >= requests * OUTPUT for s in found
        )

    return holds


def test_two_prompts_edits_a_failure_and_commits(world: World, agent: Published) -> None:
    world.enable(agent.name)
    first = [
        agent.write(world.top, "a.txt", "hello\n"),
        agent.bash("git add a.txt && git commit -q -m one"),
        agent.bash("cat no-such-file-here"),
        say("The first is done."),
    ]
    world.run(agent, "one", "Write a.txt and commit", first)
    second = [
        agent.write(world.top, "b.txt", "bye\n"),
        agent.bash("git add b.txt && git commit -q -m two"),
        say("The second is done."),
    ]
    world.run(agent, "two", "Now b.txt", second, again=agent.resume)
    # four requests in the first run and three in the second; some agents make more of their own
    (session,) = world.until(quiet(1, 4, requests=7))
    assert session.agent.type == agent.name and session.agent.native_id
    # Gemini does not say which version it is
    assert session.agent.model and (session.agent.version or agent.name == "gemini")
    store = world.store()
    history = store.history(session.id)
    # OpenCode puts a prompt of several words between quotes
    said = [(e.data["role"], e.data["text"].strip(chr(34))) for e in history if e.kind == "message"]
    assert said == [
        ("user", "Write a.txt and commit [one]"),
        ("assistant", "The first is done."),
        ("user", "Now b.txt [two]"),
        ("assistant", "The second is done."),
    ]
    tools = [e.data for e in history if e.kind == "tool"]
    assert sum(t.get("paths") == ["a.txt"] for t in tools) == sum(t.get("paths") == ["b.txt"] for t in tools) == 1
    failed = [t for t in tools if "no-such-file" in t.get("summary", "")]
    assert [t["outcome"] for t in failed] == ["error"]
    made = world.repo.git("log", "--reverse", "--format=%H", "HEAD~2..").splitlines()
    links = [(link.commit, link.via) for link in store.commits(session.id)]
    assert links == [(commit, VIA[agent.name]) for commit in made]
    assert all(session.id in world.note(commit) for commit in made)
    assert session.usage["cache_read_tokens"] >= 7 * CACHED
    assert [e.kind for e in history].count("start") == 1 and "transcript" in [e.kind for e in history]
    assert world.log() == ""
    tell(agent, session, history)


def tell(agent: Published, session: Session, history: Sequence[Event]) -> None:
    """Add a row to the table in the file that `AGENT_TABLE` names: what this agent gave."""
    if not TABLE:
        return
    kinds = [e.kind for e in history]
    outcomes = [str(e.data.get("outcome", "not said")) for e in history if e.kind == "tool"]
    tools = ", ".join(f"{outcomes.count(o)} {o}" for o in dict.fromkeys(outcomes))
    records = sum(e.data["records"] for e in history if e.kind == "transcript")
    use, cost = session.usage, session.doc.get("cost", {})
    tokens = " / ".join(f"{use.get(f'{k}_tokens', 0):,}" for k in ("input", "cache_read", "cache_write", "output"))
    paid = f"${use['cost_usd']:.4f} ({cost.get('by', '')})" if "cost_usd" in use else "no price known"
    row = (
        *(agent.name, version(agent), f"{kinds.count('message')} messages, {tools} tools", f"{records} records"),
        *(session.agent.model, tokens, paid, f"`{VIA[agent.name]}`", session.status),
    )
    with open(TABLE, "a", encoding="utf-8") as f:
        f.write(f"| {' | '.join(row)} |\n")


@pytest.mark.parametrize("other", ["codex", "gemini", "copilot", "opencode"])
def test_two_agents_at_once_keep_their_commits_apart(world: World, other: str) -> None:
    pair = [AGENTS["claude-code"], AGENTS[other]]
    world.enable(*(a.name for a in pair))
    runs = []
    for a in pair:
        steps = []
        for n in range(3):
            # one worktree has one index: the commits take turns, the agents do not
            locked = f"until mkdir .turn; do sleep 0.05; done; echo {n} > {a.name}{n}.txt && git add {a.name}{n}.txt"
            steps.append(a.bash(f"{locked} && git commit -q -m {a.name}; rmdir .turn"))
        runs.append(world.start(a, f"work-{a.name}", "Work", [*steps, say("Done.")]))
    assert [run.wait(timeout=240) for run in runs] == [0, 0], [world.output(a) for a in pair]
    sessions = world.until(lambda found: len(found) == 2 and all(s.counts["commits"] == 3 for s in found))
    store = world.store()
    for session in sessions:
        subjects = {world.repo.git("log", "-1", "--format=%s", k.commit) for k in store.commits(session.id)}
        assert subjects == {session.agent.type}
    assert world.log() == ""


def test_copilot_under_claudes_hooks_too_is_one_session(world: World) -> None:
    world.enable("claude-code", "copilot")
    agent = AGENTS["copilot"]
    world.run(agent, "one", "Say hello", [agent.bash("echo hello"), say("Said.")])
    (session,) = world.until(quiet(1, 2))
    assert session.agent.type == "copilot"
    kinds = [e.kind for e in world.store().history(session.id)]
    assert (kinds.count("message"), kinds.count("tool")) == (2, 1)


def test_copilot_under_claudes_hooks_alone_is_copilot(world: World) -> None:
    world.enable("claude-code")
    agent = AGENTS["copilot"]
    world.run(agent, "one", "Say hello", [agent.bash("echo hello"), say("Said.")])
    (session,) = world.until(quiet(1, 2))
    assert session.agent.type == "copilot"


def test_claude_with_a_subagent(world: World) -> None:
    agent = AGENTS["claude-code"]
    world.enable(agent.name)
    task = call("Agent", description="x", prompt="look around [inner]", subagent_type="general-purpose")
    world.model.scripts["inner"] = [agent.bash("ls"), say("Nothing there.")]
    world.run(agent, "one", "Look", [task, say("Looked.")])
    (session,) = world.until(quiet(1, 2))
    history = world.store().history(session.id)
    assert [e.data["action"] for e in history if e.kind == "agent"] == ["start", "stop"]
    sources = {e.data.get("source", "") for e in history if e.kind == "transcript"}
    assert len(sources) == 2


def test_a_resumed_claude_goes_on_in_its_session_and_a_fork_does_not(world: World) -> None:
    agent = AGENTS["claude-code"]
    world.enable(agent.name)
    world.run(agent, "one", "First", [agent.bash("true"), say("Done.")])
    (first,) = world.until(lambda found: ended(found, 1, 2))
    native = first.agent.native_id
    steps = [agent.bash("echo 2 > b.txt; git add b.txt; git commit -q -m b"), say("Done.")]
    world.run(agent, "two", "Second", steps, again=("--resume", native))
    (again,) = world.until(lambda found: ended(found, 1, 4))
    assert [link.via for link in world.store().commits(first.id)] == ["agent"]
    steps = [agent.bash("echo 3 > c.txt; git add c.txt; git commit -q -m c"), say("Done.")]
    world.run(agent, "three", "Third", steps, again=("--resume", native, "--fork-session"))
    before, fork = world.until(lambda found: ended(found, 2, 2))
    assert before.usage == again.usage and before.status == "completed"
    assert fork.usage["output_tokens"] == 2 * OUTPUT
    assert [link.commit for link in world.store().commits(fork.id)] == [world.repo.git("rev-parse", "HEAD")]


def ended(found: list[Session], count: int, requests: int) -> bool:
    return len(found) == count and all(s.ended and s.usage.get("output_tokens", 0) >= requests * OUTPUT for s in found)


def test_two_claudes_in_one_worktree_keep_apart(world: World) -> None:
    agent = AGENTS["claude-code"]
    world.enable(agent.name)
    runs = []
    for name in ("left", "right"):
        commit = f"until git add {name}.txt && git commit -q -m {name} -- {name}.txt; do sleep 0.1; done"
        steps = [agent.bash(f"echo {n} >> {name}.txt; sleep 0.{n}; {commit}") for n in (1, 3)]
        runs.append(world.start(agent, name, f"Work on {name}", [*steps, say("Done.")], home=name))
    assert [run.wait(timeout=240) for run in runs] == [0, 0]
    for session in world.until(lambda found: ended(found, 2, 3)):
        name = session.title.rpartition(" [")[2].rstrip("]")
        found = [world.repo.git("log", "-1", "--format=%s", k.commit) for k in world.store().commits(session.id)]
        assert found == [name, name]


def test_after_disabling_nothing_is_captured(world: World) -> None:
    agent = AGENTS["claude-code"]
    world.enable(agent.name)
    world.repo.cli("disable", agent.name, check=True)
    world.run(agent, "one", "Work", [agent.bash("echo 1 > a.txt; git add a.txt; git commit -q -m a"), say("Done.")])
    assert world.store().list() == []
    assert world.repo.git("log", "-1", "--format=%B") == "a"
