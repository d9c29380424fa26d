"""Row 22: purpose, user and tags; a conversation with roles; metadata of one's own, changed later."""

from __future__ import annotations

import git_agent_session
from tests.e2e.cli import Cli
from tests.harness import Repo


def test_row_22_by_python(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="Debug authentication issue", user="user123", tags=["bug-fix", "authentication"]).id
    store.log(session, "message", "What files were changed?", role="user")
    store.log(session, "message", "Two of them", role="assistant")
    store.log(session, "message", "auth.py, test_auth.py", role="tool", meta={"tool_name": "git_tool"})
    said = [(e.data["role"], e.data["text"]) for e in store.history(session) if e.data.get("role")]
    assert said == [
        ("user", "What files were changed?"),
        ("assistant", "Two of them"),
        ("tool", "auth.py, test_auth.py"),
    ]
    store.set(session, goal="Updated purpose", meta={"priority": "high"})
    store.tag(session, add=["new-tag"])
    found = store.get(session)
    assert (found.goal, found.user, dict(found.meta)) == ("Updated purpose", "user123", {"priority": "high"})
    assert found.tags == ("authentication", "bug-fix", "new-tag")


def test_row_22_by_command(repo: Repo) -> None:
    cli = Cli(repo)
    repo.commit("one")
    session = cli.start("--goal", "Debug authentication issue", "--user", "user123", "--tag", "bug-fix")
    cli("log", "message", "What files were changed?", "--role", "user", "--session", session)
    cli("set", "--goal", "Updated purpose", "--meta", "priority=high", "--session", session)
    cli("tag", "new-tag", "--session", session)
    told = cli("show", session, "--json").json
    assert (told["goal"], told["user"], told["meta"]) == ("Updated purpose", "user123", {"priority": "high"})
    assert told["tags"] == ["bug-fix", "new-tag"]
    (event,) = [e for e in cli("history", session, "--json").json if e.get("role") == "user"]
    assert event["text"] == "What files were changed?"
