"""docs/sql.md does not drift: its tables are those of the file, and its queries run."""

from __future__ import annotations

import re

import pytest

import git_agent_session
from git_agent_session import index
from git_agent_session.index import schema
from git_agent_session.index.derived import Index
from tests.harness import ROOT, Repo

TEXT = (ROOT / "docs/sql.md").read_text(encoding="utf-8")
MARK = "<!-- made by git_agent_session.index.schema.document(); a test compares -->\n"
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, re.S)


@pytest.fixture
def found(repo: Repo) -> Index:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="Add rate limiting", agent="codex", tags=["api", "auth"], user="ada").id
    store.append(session, "message", {"role": "user", "text": "Please"})
    store.append(session, "tool", {"name": "Edit", "paths": ["src/limiter.py"], "duration_ms": 12})
    store.append(session, "agent", {"action": "start", "agent_id": "a", "model": "large"})
    store.append(session, "agent", {"action": "stop", "agent_id": "a", "status": "failed"})
    store.append(session, "decision", {"text": "A token bucket"})
    found = index.open(store)
    found.refresh()
    return found


def test_the_generated_part_is_up_to_date() -> None:
    made = TEXT.partition(MARK)[2].strip()
    assert made == schema.document().strip(), "put schema.document() behind the mark in docs/sql.md"


def test_the_documented_tables_are_those_of_the_file(found: Index) -> None:
    documented: dict[str, list[str]] = {}
    for part in TEXT.partition(MARK)[2].split("### ")[1:]:
        documented[part.partition("\n")[0]] = re.findall(r"^\| `(\w+)` \|", part, re.M)
    names = found.query("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
    own = {n for (n,) in names if n not in ("search", "excerpt") and not n.startswith("search_")}
    actual = {n: [row[1] for row in found.query(f"PRAGMA table_info({n})")] for n in own}
    assert actual == documented


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_document_runs(found: Index, query: str) -> None:
    rows = found.query(query)
    # the one that asks for a commit asks for one that is not here
    assert bool(rows) == ("commit_id = '0123" not in query), rows


def test_the_document_has_its_queries() -> None:
    assert len(QUERIES) >= 9
