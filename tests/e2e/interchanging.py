"""A run of an agent with a commit of its lines and a person's, and a clone without sessions, for tests of formats."""

from __future__ import annotations

import json
from pathlib import Path

import git_agent_session
from git_agent_session.ids import timestamp
from git_agent_session.store.store import Store
from tests.e2e.writing import Writer
from tests.harness import Repo

OLD = "alpha = 1\nbeta = 2\ngamma = 3\n"
SECRET = "ghp_" + "a1B2" * 9


def work(agent: Writer) -> str:
    """A commit with the agent's lines (1-2 of a new file with a blank in its name, 2-3 of old.py) and a person's."""
    agent.write("new file.py", "def parse(text):\n    return text.split()\n")
    agent.edit("old.py", "beta = 2\n", "beta = 20\ndelta = 4\n")
    agent.person("old.py", "alpha = 1\nbeta = 20\ndelta = 4\ngamma = 3\nwritten_by_a_person = True\n")
    commit = agent.commit()
    agent.answer()
    return commit


def said(agent: Writer, prompt: str, answer: str) -> None:
    """Put a prompt and its answer into the transcript, with tokens and a model, as Claude Code does."""
    usage = {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 40}
    model = {"model": "claude-sonnet-4-5-20250929", "id": f"msg_{agent.prompts}", "usage": usage}
    rows = [
        {"type": "user", "uuid": f"u{agent.prompts}", "message": {"role": "user", "content": prompt}},
        {
            "type": "assistant",
            "uuid": f"s{agent.prompts}",
            "message": {"role": "assistant", "content": [{"type": "text", "text": answer}], **model},
        },
    ]
    with agent.transcript.open("a") as f:
        for row in rows:
            common = {"sessionId": agent.sid, "timestamp": timestamp(), "cwd": str(agent.repo.path)}
            f.write(json.dumps({**common, **row}) + "\n")


def opened(repo: Repo) -> Store:
    """The store of a repository, as it is now."""
    return git_agent_session.open(str(repo.path))


def clone(repo: Repo, path: Path, *refs: str) -> Repo:
    """A clone that has the code and another tool's refs, and no session."""
    repo.git("clone", "-q", str(repo.path), str(path))
    made = Repo(path)
    for ref in refs:
        made.git("fetch", "-q", "origin", f"{ref}:{ref}")
    return made
