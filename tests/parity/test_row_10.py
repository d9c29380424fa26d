"""Row 10: the Python API: create, add interaction, link commit, active session, list, summary, record metric.

And row 27's and 28's example, awaited: create a workflow session, an agent in it, its own id for resuming, its events.
"""

from __future__ import annotations

import asyncio

import git_agent_session
from git_agent_session import Filter, aio, work
from tests.harness import Repo


def test_row_10_by_python(repo: Repo) -> None:
    commit = repo.commit("one")
    store = git_agent_session.open(str(repo.path))
    made = store.start(
        project="shop", agent="claude-code", goal="Implement user authentication", meta={"ticket": "A-1"}
    )
    store.log(made.id, "user_message", "Please add a login", meta={"tokens": 12})
    store.link(made.id, [commit], primary=True)
    store.metric(made.id, "tokens_used", 15000, meta={"model": "opus"})
    assert store.current_id() == made.id
    assert [s.id for s in store.list(Filter(project="shop", status=("active",)), limit=5)] == [made.id]
    found = store.summary(made.id)
    assert found.session.counts["interactions"] == found.session.counts["metrics"] == 1
    assert [(k.commit, k.primary) for k in found.commits] == [(commit, True)]
    assert store.end(made.id, status="completed", message="done").ended
    assert store.current_id() is None


def test_the_example_of_create_agent_log_awaited(repo: Repo) -> None:
    async def main() -> str:
        async with aio.open(str(repo.path)) as store:
            session = await store.run(
                lambda s: work.start(s, "spec-build", title="Implement Authentication", type="full")
            )
            agent = await store.run(
                work.subagents.start, session.id, "spec", model="claude-sonnet-4-5", alias="sonnet", status="pending"
            )
            assert agent.status == "pending"
            agent = await store.run(
                work.subagents.update, session.id, agent.id, native_id="sess_abc123", status="executing"
            )
            assert (agent.native_id, agent.status) == ("sess_abc123", "executing")
            data = {"agent_id": agent.id, "name": "Read", "paths": ["src/auth.py"], "category": "hook"}
            event = await store.append(session.id, "tool", data)
            assert [e.id for e in await store.history(session.id, kinds=["tool"])] == [event.id]
            return session.id

    session = git_agent_session.open(str(repo.path)).get(asyncio.run(main()))
    assert (session.title, session.type, session.phase) == ("Implement Authentication", "full", "created")
    assert [a["native_id"] for a in session.agents.values()] == ["sess_abc123"]
