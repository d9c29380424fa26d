"""Claude Code's status line: the payload of its documentation in, one line out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import Agent, live
from git_agent_session.git.discover import discover
from git_agent_session.hooks import installer, status_line
from tests.e2e.claude import SID, Claude
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo


def payload(folder: Path, **changed: Any) -> dict[str, Any]:
    """What Claude Code 2.1 sends, by its documentation of status lines; `changed` replaces keys."""
    return {
        "hook_event_name": "Status",
        "session_id": SID,
        "transcript_path": "/home/ada/.claude/projects/-shop/t.jsonl",
        "cwd": str(folder),
        "model": {"id": "claude-opus-4-1", "display_name": "Opus 4.1"},
        "workspace": {"current_dir": str(folder), "project_dir": str(folder), "added_dirs": []},
        "version": "2.1.90",
        "output_style": {"name": "default"},
        "cost": {
            "total_cost_usd": 0.4213,
            "total_duration_ms": 45000,
            "total_api_duration_ms": 2300,
            "total_lines_added": 156,
            "total_lines_removed": 23,
        },
        "context_window": {
            "total_input_tokens": 15234,
            "total_output_tokens": 4521,
            "context_window_size": 200000,
            "used_percentage": 8,
            "remaining_percentage": 92,
            "current_usage": {
                "input_tokens": 8500,
                "output_tokens": 1200,
                "cache_creation_input_tokens": 5000,
                "cache_read_input_tokens": 2000,
            },
        },
        "exceeds_200k_tokens": False,
        **changed,
    }


def line(folder: Path, **changed: Any) -> str:
    return status_line.line(json.dumps(payload(folder, **changed)).encode())


def test_it_says_which_session_this_is_what_it_cost_and_how_many_commits_came_of_it(claude: Claude) -> None:
    installer.install(str(claude.repo.path))
    claude.prompt()
    assert line(claude.repo.path) == f"{claude.id[:8]} | Opus 4.1 | $0.42 | 15.5k tokens (8%) | 0 commits"
    for n in (1, 2):
        claude.repo.commit(f"c{n}", files={"f": f"{n}\n"}, env=claude.env)
    assert line(claude.repo.path).endswith(" | 2 commits")


def test_commits_are_those_that_the_session_itself_counts(claude: Claude) -> None:
    installer.install(str(claude.repo.path))
    claude.prompt()
    # what works in the background moves the tip: for a moment, files do not tell
    claude.settled()
    location = discover(str(claude.repo.path))
    assert location is not None

    def same() -> int:
        seen = status_line.commits(location, claude.id)
        assert seen == len(claude.store().commits(claude.id))
        return seen

    assert same() == 0
    for n in (1, 2, 3):
        claude.repo.commit(f"c{n}", files={"f": f"{n}\n"}, env=claude.env)
    assert status_line.commits(location, claude.id) == 3, "told before anything has drained the journal"
    assert same() == 3
    claude.repo.git("commit", "-q", "--amend", "-m", "again", env=claude.env)
    assert status_line.commits(location, claude.id) == 3
    assert same() == 3
    claude.store().unlink(claude.id, ["HEAD~1"])
    assert same() == 2
    claude.store().drain(claude.id)
    assert same() == 2


def test_commits_that_files_do_not_tell_are_left_out(repo: Repo) -> None:
    repo.commit("one")
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(agent=Agent("claude-code", native_id=SID)).id
    live.set_native(store.shared, "claude-code", SID, session_id)
    store.link(session_id, ["HEAD"])
    store.drain(session_id)
    (Path(store.shared) / "seen" / session_id).unlink(missing_ok=True)
    assert line(repo.path).endswith(" | 1 commit"), "as the state says"
    repo.git("pack-refs", "--all")
    store.log(session_id, "note", "waits in the journal")
    assert "commit" not in line(repo.path), "its ref is in no file of its own"
    repo.git("gc", "-q")
    ref = f"refs/agent-sessions/{session_id}"
    tip = repo.git("rev-parse", ref)
    repo.git("update-ref", ref, repo.git("commit-tree", "-p", tip, "-m", "x", f"{tip}^{{tree}}"))
    assert "commit" not in line(repo.path), "what is packed takes git to read"


def test_a_session_that_no_hook_has_opened_is_said_to_be_unrecorded(repo: Repo) -> None:
    repo.commit("one")
    assert line(repo.path) == "Opus 4.1 | $0.42 | 15.5k tokens (8%)"
    Cli(repo).start()
    assert line(repo.path) == "not recorded | Opus 4.1 | $0.42 | 15.5k tokens (8%)"


def test_outside_of_a_repository_there_is_what_claude_code_says(tmp_path: Path) -> None:
    assert line(tmp_path) == "Opus 4.1 | $0.42 | 15.5k tokens (8%)"


def test_the_folder_where_the_agent_began_counts_too(claude: Claude, tmp_path: Path) -> None:
    claude.prompt()
    workspace = {"current_dir": str(tmp_path), "project_dir": str(claude.repo.path)}
    assert line(tmp_path, workspace=workspace).startswith(claude.id[:8])


@pytest.mark.parametrize("key", ["model", "cost", "context_window", "workspace", "cwd", "session_id"])
@pytest.mark.parametrize(
    "value", [None, "", 7, [], {}, {"current_usage": None, "display_name": 5, "total_cost_usd": "1"}]
)
def test_what_is_missing_or_odd_is_left_out(repo: Repo, key: str, value: Any) -> None:
    said = line(repo.path, **{key: value})
    parts = {"model": "Opus", "cost": "$", "context_window": "tokens"}
    assert said.count(" | ") == (1 if key in parts else 2)
    assert key not in parts or parts[key] not in said


@pytest.mark.parametrize("cost", [-1, 1e300, float("nan"), True])
def test_a_cost_that_is_none_is_left_out(repo: Repo, cost: Any) -> None:
    assert "$" not in line(repo.path, cost={"total_cost_usd": cost})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_payload_prints_nothing(data: bytes) -> None:
    assert status_line.line(data) == ""


def test_a_model_s_name_steers_no_terminal_and_stays_in_its_line(repo: Repo) -> None:
    said = line(repo.path, model={"display_name": "\033[31mO\npus\u202e" + "x" * 500})
    assert said.startswith("O pusxxx") and "\033" not in said and "\n" not in said
    assert len(said.split(" | ")[0]) == 40


def test_as_a_process_it_prints_one_line_and_never_fails(claude: Claude) -> None:
    claude.prompt()
    argv = [sys.executable, "-m", "git_agent_session", "status-line"]
    good = claude.repo.run(*argv, input=json.dumps(payload(claude.repo.path)))
    assert (good.returncode, good.stderr, good.stdout.count("\n")) == (0, "", 1)
    assert good.stdout.startswith(f"{claude.id[:8]} | Opus 4.1")
    bad = claude.repo.run(*argv, input="no JSON")
    assert (bad.returncode, bad.stderr, bad.stdout) == (0, "", "")
    closed = subprocess.run([*argv], stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd="/")
    assert (closed.returncode, closed.stderr, closed.stdout) == (0, b"", b"")


def test_it_loads_no_more_than_a_hook_call_does(claude: Claude) -> None:
    installer.install(str(claude.repo.path))
    claude.prompt()
    claude.repo.commit("c1", files={"f": "1\n"}, env=claude.env)
    claude.store().drain(claude.id)
    claude.store().commits(claude.id)
    code = (
        "import sys; sys.argv = ['x', 'status-line']; from git_agent_session.__main__ import main; main();"
        "bad = {'click', 'pygit2', 'json', 're', 'sqlite3', 'subprocess', 'dataclasses', 'typing', 'pathlib'};"
        "sys.stderr.write(repr(bad & set(sys.modules)))"
    )
    done = claude.repo.run(sys.executable, "-S", "-c", code, input=json.dumps(payload(claude.repo.path)))
    assert done.stdout.endswith("1 commit\n")
    assert done.stderr == "set()"


def test_its_settings_are_in_the_documentation(repo: Repo) -> None:
    text = (ROOT / "docs/terminal.md").read_text(encoding="utf-8")
    found = next(row.strip() for row in text.splitlines() if '"statusLine"' in row)
    command = json.loads(found)["statusLine"]["command"]
    assert command == "git-agent-session status-line"
    assert "docs/terminal.md" in Cli(repo)("status-line", "--help").out


@pytest.mark.slow
def test_it_keeps_the_bounds_of_a_hook_call(claude: Claude) -> None:
    """At most three times a bare Python, the best of many: what design.md allows an agent's hook."""
    claude.prompt()
    data = json.dumps(payload(claude.repo.path)).encode()

    def took(argv: list[str]) -> float:
        begun = time.monotonic()
        subprocess.run(argv, input=data, cwd=claude.repo.path, capture_output=True, check=True)
        return time.monotonic() - begun

    ours = [sys.executable, "-m", "git_agent_session", "status-line"]
    # by turns, so that a busy moment falls on both
    rounds = [(took(ours), took([sys.executable, "-I", "-c", ""])) for _ in range(25)]
    assert min(r[0] for r in rounds) <= 3 * min(r[1] for r in rounds)
