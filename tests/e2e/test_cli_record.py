"""Recording on the command line: log, metric, link, unlink, context, drain."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    cli = Cli(repo)
    cli.start()
    return cli


def test_log_records_a_type_a_text_a_role_and_metadata(cli: Cli) -> None:
    event = cli("log", "user_message", "Please", "--role", "user", "--meta", "k=v", "--meta", "l=w", "--json").json
    assert event["kind"] == "interaction"
    assert (event["type"], event["text"], event["role"]) == ("user_message", "Please", "user")
    assert event["meta"] == {"k": "v", "l": "w"}
    assert event in cli("history", "--json").json


def test_log_reads_standard_input_for_a_dash(cli: Cli) -> None:
    event = cli("log", "note", "-", "--json", input="Grüße\nzwei\n".encode()).json
    assert event["text"] == "Grüße\nzwei"


def test_log_takes_a_text_that_starts_with_a_dash_after_two_of_them(cli: Cli) -> None:
    assert cli("log", "--json", "note", "--", "-x").json["text"] == "-x"


def test_log_stores_no_control_characters(cli: Cli) -> None:
    assert cli("log", "note", "a\x1b[31mb\x07c\r\nd", "--json").json["text"] == "abc\nd"


@pytest.mark.parametrize("args", [["log", "note"], ["log", "note", ""], ["log", "note", "  "]])
def test_log_without_a_text_is_a_wrong_call(cli: Cli, args: list[str]) -> None:
    assert "text is" in cli.fails(*args, code=2)


def test_log_refuses_a_role_it_does_not_know(cli: Cli) -> None:
    assert "use user, assistant, tool, system" in cli.fails("log", "note", "x", "--role", "boss", code=2)


def test_log_refuses_input_past_its_bound(cli: Cli) -> None:
    assert "more than 16 MB" in cli.fails("log", "note", "-", input=b"x" * (16 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [("15000", 15000), ("-5", -5), ("0.5", 0.5), ("1e3", 1000.0), ("-0.25", -0.25), ("9" * 30, float("9" * 30))],
)
def test_metric_keeps_whole_numbers_whole(cli: Cli, text: str, value: float) -> None:
    event = cli("metric", "tokens_used", text, "--meta", "unit=t", "--json").json
    assert event["value"] == value and type(event["value"]) is type(value)
    assert (event["kind"], event["name"], event["meta"]) == ("metric", "tokens_used", {"unit": "t"})


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "abc", "", "1_000", "0x10", "١٢", "1,5", "true"])
def test_metric_refuses_what_is_no_number(cli: Cli, text: str) -> None:
    assert "is no number" in cli.fails("metric", "m", text, code=2)
    assert not cli("status", "--json").json["counts"].get("metrics")


@pytest.mark.parametrize(
    "args", [["log", "note", "x"], ["metric", "m", "1"], ["tag", "t"], ["context", "add"], ["set", "--goal", "g"]]
)
def test_every_recording_command_takes_a_session(cli: Cli, args: list[str]) -> None:
    other = cli.start()
    cli.start()
    cli(*args, "--session", other[:8])
    assert cli("show", other, "--json").json["counts"]["events"] == 2


def test_link_and_unlink_by_hand(cli: Cli, repo: Repo) -> None:
    first, second = repo.commit("one"), repo.commit("two", files={"a": "1"})
    session = cli("status", "--json").json["id"]
    rows = cli("link", "HEAD~1", second[:12], "--json").json
    assert [(r["commit"], r["subject"], r["via"], r["session"]) for r in rows] == [
        (first, "one", "manual", session),
        (second, "two", "manual", session),
    ]
    assert session in repo.git("notes", "--ref=agent-sessions", "show", "HEAD")
    gone = cli("unlink", "HEAD", "--json").json
    assert [r["commit"] for r in gone] == [second]
    assert [r["commit"] for r in cli("commits", "--json").json] == [first]
    assert repo.run("git", "notes", "--ref=agent-sessions", "show", "HEAD").returncode != 0


def test_link_says_which_commit_went_to_which_session(cli: Cli, repo: Repo) -> None:
    oid = repo.commit("A subject")
    session = cli("status", "--json").json["id"]
    assert cli("link", "HEAD").out == f"Linked {oid[:10]} A subject to session {session[:8]}\n"
    again = cli("link", "HEAD")
    assert again.out == "" and "already linked" in again.err
    assert cli("unlink", "HEAD").out == f"Unlinked {oid[:10]} A subject from session {session[:8]}\n"


def test_link_primary_puts_a_session_first(cli: Cli, repo: Repo) -> None:
    repo.commit()
    first = cli("status", "--json").json["id"]
    cli("link", "HEAD")
    second = cli.start()
    cli("link", "HEAD")
    assert cli("which", "HEAD", "--json").json[0]["session"] == first
    cli("link", "HEAD", "--primary")
    rows = cli("which", "HEAD", "--json").json
    assert [(r["session"], r.get("primary", False)) for r in rows] == [(second, True), (first, False)]


def test_context_add_stores_a_snapshot_of_the_type(cli: Cli, repo: Repo) -> None:
    repo.commit(files={"README.md": "# Hello\n"})
    assert cli("context", "add", "--json").json["type"] == "update"
    event = cli("context", "add", "--type", "refresh", "--budget", "1000", "--json").json
    assert (event["kind"], event["type"], event["file_count"]) == ("context", "refresh", 1)
    assert cli("context", "--json").json["budget"] == 1000
    assert "Hello" in cli("context").out


def test_context_add_says_how_much_it_holds(cli: Cli, repo: Repo) -> None:
    repo.commit(files={"a": "1"})
    assert ": 1 file, about " in cli("context", "add").out


def test_context_refuses_an_unknown_type_and_a_small_budget(cli: Cli) -> None:
    assert "use initial, update, refresh" in cli.fails("context", "add", "--type", "big", code=2)
    assert "budget" in cli.fails("context", "add", "--budget", "3", code=2)


def test_context_without_a_snapshot_says_how_to_take_one(cli: Cli) -> None:
    assert "`git agent-session context add`" in cli.fails("context")


def test_context_goes_to_a_file_as_json_or_markdown(cli: Cli, tmp_path: Path) -> None:
    cli("context", "add")
    session = cli("status", "--json").json["id"]
    as_json, as_text = tmp_path / "c.json", tmp_path / "c.md"
    cli("context", session[:8], "--output", str(as_json))
    cli("context", "--output", str(as_text))
    assert json.loads(as_json.read_text())["branch"] == "main"
    assert as_text.read_text().startswith("# ")


def test_context_replaces_a_file_whole_or_not_at_all(cli: Cli, tmp_path: Path) -> None:
    cli("context", "add")
    target = tmp_path / "c.json"
    target.write_text("old")
    target.chmod(0o640)
    cli("context", "-o", str(target))
    assert json.loads(target.read_text()) and target.stat().st_mode & 0o777 == 0o640
    assert "cannot write" in cli.fails("context", "-o", str(tmp_path / "missing" / "c.json"))
    assert "folder" in cli.fails("context", "-o", str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["c.json"]


def test_context_writes_to_a_device_as_it_is(cli: Cli) -> None:
    cli("context", "add")
    cli("context", "-o", os.devnull)
    assert Path(os.devnull).is_char_device()


def test_a_context_goes_to_standard_output_for_a_dash(cli: Cli, repo: Repo) -> None:
    cli("context", "add")
    assert cli("context", "--output", "-").out == cli("context").out != ""
    assert not (repo.path / "-").exists() and not os.path.exists("-")


def test_a_drain_that_fails_does_not_say_that_nothing_was_waiting(cli: Cli, repo: Repo) -> None:
    session = cli("status", "--json").json["id"]
    cli("log", "note", "waiting")
    repo.git("update-ref", f"refs/agent-sessions/{session}", repo.commit())
    done = cli("drain", code=1)
    assert done.out == "" and done.err.startswith("error: ") and done.err.count("\n") == 1


def test_drain_writes_what_waits(cli: Cli, repo: Repo) -> None:
    session = cli("status", "--json").json["id"]
    cli("log", "note", "waiting")
    before = repo.git("rev-parse", f"refs/agent-sessions/{session}")
    assert cli("drain", "--json").json == {"drained": [session], "errors": []}
    assert repo.git("rev-parse", f"refs/agent-sessions/{session}~1") == before
    assert cli("drain").out == "Nothing was waiting\n"
