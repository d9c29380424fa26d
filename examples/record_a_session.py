"""Record a session from a program of your own: start, interactions, a commit, metrics, end.

python examples/record_a_session.py [REPOSITORY]
"""

from __future__ import annotations

import sys

import git_agent_session
from git_agent_session import Agent


def main(path: str | None = None) -> None:
    """Do what an agent's runner would do around one task."""
    store = git_agent_session.open(path)
    session = store.start(
        goal="Implement user authentication",
        agent=Agent(type="my-agent", version="1.4", model="some-model"),
        project="myproject",
        tags=["auth"],
        meta={"started_by": "example"},
    )
    print(f"session {session.id}")

    store.log(session.id, "user_message", "Please implement user authentication", role="user")
    store.append(session.id, "tool", {"name": "edit", "paths": ["auth.py"], "duration_ms": 41, "outcome": "ok"})
    # commits made with GIT_AGENT_SESSION=<id> in the environment link by themselves; this is the way by hand
    store.link(session.id, ["HEAD"])
    store.metric(session.id, "tokens_used", 15000, meta={"model": "some-model"})
    store.usage(session.id, input_tokens=12000, output_tokens=3000, cost_usd=0.08)

    store.end(session.id, message="Feature completed and tested")
    summary = store.summary(session.id)
    print(f"{summary.session.status}, {len(summary.commits)} commit(s), {summary.session.counts['events']} events")


if __name__ == "__main__":
    main(*sys.argv[1:2])
