"""Agent Trace: records that the specification's own schema takes, its examples read, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from git_agent_session import interchange
from git_agent_session.agents.importing_report import Report
from git_agent_session.answers import blame
from git_agent_session.errors import UsageError
from git_agent_session.hooks import installer
from git_agent_session.interchange import Place
from git_agent_session.interchange.outside import Unreadable
from tests.e2e.claude import free, until
from tests.e2e.cli import Cli
from tests.e2e.interchanging import OLD, SECRET, clone, opened, said, work
from tests.e2e.writing import Writer
from tests.harness import ROOT, Repo

SCHEMA = json.loads((ROOT / "tests/formats/agent_trace_0.1.0.schema.json").read_text())
# section 6.2 of the specification (CC BY 4.0), shortened
EXAMPLE = {
    "version": "0.1.0",
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "timestamp": "2026-01-23T14:30:00Z",
    "vcs": {"type": "git", "revision": "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0"},
    "tool": {"name": "cursor", "version": "2.4.0"},
    "files": [
        {
            "path": "src/utils/parser.ts",
            "conversations": [
                {
                    "url": "https://api.cursor.com/v1/conversations/12345",
                    "contributor": {"type": "ai", "model_id": "anthropic/claude-opus-4-5-20251101"},
                    "ranges": [{"start_line": 2, "end_line": 3, "content_hash": "murmur3:9f2e8a1b"}],
                    "related": [{"type": "session", "url": "https://api.cursor.com/v1/sessions/67890"}],
                }
            ],
        }
    ],
    "metadata": {"confidence": 0.95, "dev.cursor": {"workspace_id": "ws-abc123"}},
}
# its appendix A
MINIMAL = {
    "version": "0.1.0",
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "timestamp": "2026-01-25T10:00:00Z",
    "files": [
        {
            "path": "src/app.ts",
            "conversations": [{"contributor": {"type": "ai"}, "ranges": [{"start_line": 1, "end_line": 50}]}],
        }
    ],
}


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Writer]:
    installer.install(str(repo.path))
    repo.commit("init", files={"old.py": OLD})
    found = Writer(repo, home)
    found.ask("Write the parser")
    yield found
    until(lambda: free(found.shared, found.id), 5.0)


def records(agent: Writer) -> list[dict[str, Any]]:
    store = agent.store()
    return [json.loads(p) for p in interchange.pieces(store, Place("agent-trace", "x"), store.list())]


def bring(repo: Repo, path: Path, *docs: Any, dry_run: bool = False) -> Report:
    path.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    return interchange.bring(opened(repo), Place.parse(f"agent-trace:{path}"), dry_run=dry_run)


def at(commit: str, **changes: Any) -> dict[str, Any]:
    return {**EXAMPLE, "vcs": {"type": "git", "revision": commit}, **changes}


# -- out


def test_records_are_what_the_specifications_schema_takes(agent: Writer) -> None:
    said(agent, "Write the parser", "Done.")
    work(agent)
    found = records(agent)
    assert len(found) == 1
    checker = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    checker.validate(found[0])


def test_a_record_names_the_lines_that_are_the_agents(agent: Writer) -> None:
    said(agent, "Write the parser", "Done.")
    commit = work(agent)
    [record] = records(agent)
    assert record["vcs"] == {"type": "git", "revision": commit}
    assert record["tool"]["name"] == "claude-code"
    told = {f["path"]: f["conversations"] for f in record["files"]}
    assert {p: c[0]["ranges"] for p, c in told.items()} == {
        "new file.py": [{"start_line": 1, "end_line": 2}],
        "old.py": [{"start_line": 2, "end_line": 3}],
    }
    contributor = {"type": "ai", "model_id": "anthropic/claude-sonnet-4-5-20250929"}
    assert told["old.py"][0]["contributor"] == contributor
    assert told["old.py"][0]["url"] == f"urn:uuid:{agent.id}"


def test_a_line_of_the_agents_that_a_person_changed_is_mixed(agent: Writer) -> None:
    agent.write("new.py", "def parse(text):\n    return text.split()\n")
    agent.person("new.py", "def parse(text, sep=None):\n    return text.split()\n")
    agent.commit()
    agent.answer()
    [record] = records(agent)
    assert record["files"][0]["conversations"][0]["ranges"] == [
        {"start_line": 1, "end_line": 1, "contributor": {"type": "mixed"}},
        {"start_line": 2, "end_line": 2},
    ]


def test_a_commit_of_which_no_line_is_known_has_no_record(agent: Writer) -> None:
    agent.person("old.py", "all = 'mine'\n")
    agent.commit()
    agent.answer()
    assert records(agent) == []


def test_the_same_work_has_the_same_record(agent: Writer) -> None:
    work(agent)
    assert records(agent) == records(agent)


# -- in


def test_the_specifications_example_becomes_a_session_with_its_lines(repo: Repo, tmp_path: Path) -> None:
    commit = repo.commit("theirs", files={"src/utils/parser.ts": "a\nb\nc\nd\n"})
    [row] = bring(repo, tmp_path / "t.jsonl", at(commit)).rows
    store = opened(repo)
    session = store.get(row.session)
    assert (session.agent.type, session.agent.version) == ("cursor", "2.4.0")
    assert session.agent.model == "claude-opus-4-5-20251101"
    assert session.meta["conversation"] == "https://api.cursor.com/v1/conversations/12345"
    assert (session.started_at, session.status) == ("2026-01-23T14:30:00.000Z", "completed")
    assert [(k.commit, k.via) for k in store.commits(session.id)] == [(commit, "agent-trace")]
    kinds = [line.kind for line in blame.blame(store, "src/utils/parser.ts").lines()]
    assert kinds == ["unknown", "agent", "agent", "unknown"]


@pytest.mark.parametrize("doc", [EXAMPLE, MINIMAL])
def test_a_record_without_a_commit_that_is_here_is_kept_in_words(repo: Repo, tmp_path: Path, doc: Any) -> None:
    repo.commit("x")
    [row] = bring(repo, tmp_path / "t.json", doc).rows
    assert (row.outcome, row.commits) == ("imported", [])
    path, ranges = doc["files"][0]["path"], doc["files"][0]["conversations"][0]["ranges"][0]
    [event] = opened(repo).history(row.session, kinds=("agent-trace",))
    assert event.data["text"] == f"{path}: ai {ranges['start_line']}-{ranges['end_line']}"


def test_one_record_an_array_and_lines_are_all_read(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    for n, text in enumerate((json.dumps(MINIMAL, indent=2), json.dumps([MINIMAL]), json.dumps(MINIMAL) + "\n\n")):
        path = tmp_path / f"{n}.json"
        path.write_text(text)
        report = interchange.bring(opened(repo), Place.parse(f"agent-trace:{path}"))
        assert [r.outcome for r in report.rows] == ["known" if n else "imported"]


def test_a_second_import_adds_only_what_is_new(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit("one", files={"src/utils/parser.ts": "a\nb\nc\n"})
    bring(repo, tmp_path / "t.jsonl", at(first))
    assert [r.outcome for r in bring(repo, tmp_path / "t.jsonl", at(first)).rows] == ["known"]
    second = repo.commit("two", files={"src/utils/parser.ts": "A\nB\nC\n"})
    report = bring(repo, tmp_path / "t.jsonl", at(first), at(second, id="550e8400-e29b-41d4-a716-446655440001"))
    assert ([r.outcome for r in report.rows], report.linked) == (["grown"], [second])


def test_a_dry_run_writes_nothing(repo: Repo, tmp_path: Path) -> None:
    commit = repo.commit("one", files={"src/utils/parser.ts": "a\nb\nc\n"})
    before = repo.git("for-each-ref")
    report = bring(repo, tmp_path / "t.jsonl", at(commit), dry_run=True)
    assert (report.linked, repo.git("for-each-ref")) == ([commit], before)


def test_what_was_written_comes_back_elsewhere_with_the_same_id_and_lines(agent: Writer, tmp_path: Path) -> None:
    said(agent, "Write the parser", "Done.")
    commit = work(agent)
    before = agent.session()
    Cli(agent.repo)("export", "--to", f"agent-trace:{tmp_path / 't.jsonl'}")
    other = clone(agent.repo, tmp_path / "other")
    Cli(other)("import", "--from", f"agent-trace:{tmp_path / 't.jsonl'}")
    store = opened(other)
    [session] = store.list()
    assert (session.id, session.title, session.user) == (agent.id, before.title, before.user)
    assert (session.agent.native_id, session.agent.model) == (agent.sid, before.agent.model)
    assert [k.commit for k in store.commits(session.id)] == [commit]
    kinds = [line.kind for line in blame.blame(store, "old.py").lines()]
    assert kinds == ["human", "agent", "agent", "human", "unknown"]


def test_secrets_in_a_record_are_not_stored(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    doc = json.loads(json.dumps(MINIMAL).replace("src/app.ts", f"src/{SECRET}.ts"))
    [row] = bring(repo, tmp_path / "t.jsonl", doc).rows
    assert SECRET not in repo.git("grep", "-h", "-e", "", f"refs/agent-sessions/{row.session}")


def test_paths_that_lead_out_of_the_repository_are_left_out(repo: Repo, tmp_path: Path) -> None:
    commit = repo.commit("x", files={"a": "1\n"})
    for n, path in enumerate(("../../etc/passwd", "/etc/passwd", "a/../../b", "C:\\x", "a\0b", "")):
        doc = at(commit, id=f"r{n}", files=[{**EXAMPLE["files"][0], "path": path}])  # type: ignore[index]
        assert bring(repo, tmp_path / "t.jsonl", doc).rows == []


def test_records_that_are_none_are_counted_and_the_others_taken(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    report = bring(repo, tmp_path / "t.jsonl", MINIMAL, {"files": 1}, [1], "x")
    assert ([r.outcome for r in report.rows], report.said) == (["imported"], ["3 records passed over: no trace record"])


# -- the command


def test_a_file_that_is_there_is_replaced_with_force_alone(agent: Writer, tmp_path: Path) -> None:
    work(agent)
    path = tmp_path / "t.jsonl"
    path.write_text("mine")
    done = Cli(agent.repo)("export", "--to", f"agent-trace:{path}", code=1)
    assert "exists already" in done.err and path.read_text() == "mine"
    done = Cli(agent.repo)("export", "--to", f"agent-trace:{path}", "--force", "--json")
    assert done.json == {"to": str(path), "sessions": 1, "records": 1, "kept": 0}


def test_one_session_can_be_named(agent: Writer, tmp_path: Path) -> None:
    work(agent)
    other = agent.store().start(goal="something else", activate=False).id
    done = Cli(agent.repo)("export", other, "--to", f"agent-trace:{tmp_path / 't'}", "--json")
    assert (done.json["sessions"], done.json["records"]) == (1, 0)


@pytest.mark.parametrize("text", ["agent-trace", "agent-trace:", "git-ai:x", "entire:x", "otlp:", "svn:x", ""])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Place.parse(text)


@pytest.mark.parametrize(
    "args",
    [
        ("export", "--to", "git-ai", "--content"),
        ("export", "--to", "git-ai", "--force"),
        ("export", "--to", "git-ai", "--format", "json"),
        ("export", "--to", "entire", "--reset"),
        ("export", "--content"),
        ("import", "--from", "git-ai", "claude-code"),
        ("import", "--from", "git-ai", "--all"),
        ("import", "--from", "otlp:http://localhost:1"),
        ("import", "--from", "nothing"),
    ],
)
def test_what_does_not_go_together_is_refused(repo: Repo, args: tuple[str, ...]) -> None:
    repo.commit("x")
    assert Cli(repo)(*args, code=2).err.startswith("error: ")


def test_a_file_that_is_not_there_or_is_no_json_is_said(repo: Repo, tmp_path: Path) -> None:
    repo.commit("x")
    assert "cannot read" in Cli(repo)("import", "--from", f"agent-trace:{tmp_path / 'none'}", code=1).err
    (tmp_path / "bad").write_text("{\n{")
    with pytest.raises(Unreadable):
        interchange.bring(opened(repo), Place.parse(f"agent-trace:{tmp_path / 'bad'}"))
