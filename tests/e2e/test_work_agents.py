"""Agents inside a session: those that a person starts, and those that an agent's hooks tell of."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import work
from git_agent_session.errors import SessionState, UsageError
from git_agent_session.store.store import Store
from git_agent_session.work import subagents
from tests.e2e.claude import Claude
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def store(repo: Repo) -> Store:
    found = git_agent_session.open(str(repo.path))
    found.start(goal="g")
    return found


@pytest.fixture
def cli(repo: Repo, store: Store) -> Cli:
    return Cli(repo)


def test_an_agent_has_all_that_is_said_of_it(store: Store) -> None:
    agent = subagents.start(store, None, "spec", model="claude-sonnet-4-5", alias="sonnet", status="pending")
    assert (agent.status, agent.over) == ("pending", False)
    agent = subagents.update(store, None, agent.id, native_id="sess_abc123", status="executing", checkpoint="2")
    assert (agent.native_id, agent.status, agent.checkpoint) == ("sess_abc123", "executing", "2")
    agent = subagents.stop(store, None, "sonnet", summary="wrote spec.md", tokens=1200, cost_usd=0.5)
    assert (agent.type, agent.model, agent.alias) == ("spec", "claude-sonnet-4-5", "sonnet")
    assert (agent.status, agent.tokens, agent.cost_usd) == ("complete", 1200, 0.5)
    assert agent.started_at and agent.ended_at >= agent.started_at
    assert subagents.list(store) == [agent]


def test_several_work_at_once(cli: Cli) -> None:
    ids = [cli("agent", "start", kind).out.strip() for kind in ("spec", "build", "docs")]
    cli("agent", "stop", ids[1], "--error", "no compiler")
    found = cli("agent", "list", "--json").json
    assert [(a["id"], a["status"]) for a in found] == [
        *((ids[0], "executing"), (ids[1], "failed"), (ids[2], "executing"))
    ]
    assert [a["id"] for a in cli("agent", "list", "--status", "executing", "--json").json] == [ids[0], ids[2]]
    assert [line.split()[1:3] for line in cli("agent", "list").out.splitlines()] == [
        *(["executing", "spec"], ["failed", "build"], ["executing", "docs"])
    ]
    assert cli("status", "--json").json["counts"]["agents"] == 3


def test_the_cost_of_a_session_is_that_of_all_its_agents(store: Store) -> None:
    for alias, cost in (("a", 0.25), ("b", 0.5)):
        subagents.start(store, None, "build", alias=alias)
        subagents.update(store, None, alias, cost_usd=cost / 2)
        subagents.stop(store, None, alias, cost_usd=cost)
    assert store.get().usage["cost_usd"] == 0.75


def test_the_command_shows_tokens_and_cost(cli: Cli) -> None:
    cli("agent", "start", "build", "--alias", "b", "--model", "opus")
    assert cli("agent", "stop", "b", "--tokens", "1200", "--cost", "0.5").out.endswith("is complete\n")
    assert "build (b)  opus  1.2k tokens, $0.50" in cli("agent", "list").out
    assert "cost: $0.50" in cli("status").out


def test_one_that_has_stopped_starts_again_by_its_id(store: Store) -> None:
    subagents.start(store, None, "build", id="b1")
    subagents.stop(store, None, "b1")
    with pytest.raises(SessionState, match="stopped already"):
        subagents.stop(store, None, "b1")
    again = subagents.start(store, None, "build", id="b1")
    assert (again.status, again.ended_at) == ("executing", "")
    assert store.get().counts["agents"] == 1


def test_an_alias_is_that_of_the_one_that_works(store: Store) -> None:
    first = subagents.start(store, None, "build", alias="opus")
    subagents.stop(store, None, "opus")
    second = subagents.start(store, None, "build", alias="opus")
    assert subagents.get(store, None, "opus").id == second.id != first.id


@pytest.mark.parametrize(
    "args",
    [
        *(("start", ""), ("start", "a b"), ("start", "x", "--id", "../x"), ("stop", "nope"), ("stop", "")),
        *(("list", "--status", "odd"), ("update", "A", "--status", "done"), ("update", "A", "--tokens", "-1")),
        *(("update", "A", "--cost", "nan"), ("update", "A", "--cost", "-0.5"), ("stop", "A", "--tokens", "x")),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(cli: Cli, args: tuple[str, ...]) -> None:
    cli("agent", "start", "build", "--id", "A")
    cli.fails("agent", *args, code=2)
    assert [a["status"] for a in cli("agent", "list", "--json").json] == ["executing"]


def test_a_start_that_fits_two_is_refused_with_both(store: Store) -> None:
    for name in ("agent-1", "agent-2"):
        subagents.start(store, None, "build", id=name)
    with pytest.raises(UsageError) as e:
        subagents.stop(store, None, "agent")
    assert "agent-1, agent-2" in e.value.line()


def test_what_claude_tells_of_its_subagents_is_listed(claude: Claude) -> None:
    claude.call("SessionStart", source="startup")
    claude.call("UserPromptSubmit", prompt="look around", prompt_id="p1")
    claude.call("SubagentStart", agent_id="a7f3", agent_type="Explore", prompt_id="p1")
    claude.call("SubagentStart", agent_id="b201", agent_type="Plan", prompt_id="p1")
    claude.call("SubagentStop", agent_id="a7f3", agent_type="Explore", prompt_id="p1")
    store = git_agent_session.open(str(claude.repo.path))
    found = work.subagents.list(store, claude.id)
    assert [(a.id, a.type, a.status) for a in found] == [("a7f3", "Explore", "complete"), ("b201", "Plan", "executing")]
    assert store.get(claude.id).counts["agents"] == 2
