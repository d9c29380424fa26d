"""Looking back on the command line: list and its filters, status, show, history, commits, which."""

from __future__ import annotations

import calendar
import re
import time
from datetime import datetime

import pytest

import git_agent_session
from git_agent_session import live
from git_agent_session.cli.dates import moment
from git_agent_session.cli.env import Env
from git_agent_session.model import Agent
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


def test_list_shows_a_header_and_a_line_a_session_and_marks_the_current_one(cli: Cli, repo: Repo) -> None:
    first = cli.start("--goal", "The first", "--agent-type", "codex")
    repo.commit()
    cli("link", "HEAD")
    second = cli.start("--goal", "The second")
    header, *lines = cli("list").out.splitlines()
    assert header.split() == ["id", "status", "started", "agent", "commits", "goal"]
    assert lines[0].startswith(f"* {second[:8]}  active  ") and lines[0].endswith("The second")
    assert lines[1].startswith(f"  {first[:8]}  active  ") and "codex" in lines[1]
    assert lines[1].split()[-3:] == ["1", "The", "first"]


def test_list_gives_as_many_digits_as_tell_two_ids_apart(cli: Cli, repo: Repo) -> None:
    first = cli.start()
    twin = first[:10] + ("0" if first[10] != "0" else "1") + first[11:]
    # a ref of another id to the same chain: broken, but it takes part in what is ambiguous
    repo.git("update-ref", f"refs/agent-sessions/{twin}", f"refs/agent-sessions/{first}")
    done = cli("list")
    shown = done.out.splitlines()[1].split()[1]
    assert len(shown) == 11 and first.startswith(shown)
    assert cli("show", shown, "--json").json["id"] == first


def test_an_empty_list_says_how_to_start(cli: Cli) -> None:
    done = cli("list")
    assert done.out == "" and "git agent-session start" in done.err
    assert cli("list", "--json").out == "[]\n"


def _ids(cli: Cli, *args: str) -> list[str]:
    return [s["id"] for s in cli("list", "--json", *args).json]


def test_list_filters(cli: Cli) -> None:
    a = cli.start("--project", "p", "--agent-type", "codex", "--user", "Ada <ada@x>", "--tag", "t", "--tag", "u")
    b = cli.start("--project", "q", "--agent-type", "claude-code", "--user", "Bo <bo@x>", "--tag", "t")
    cli("end", "--status", "failed")
    c = cli.start("--project", "p")
    cli("pause")
    assert _ids(cli) == [c, b, a]
    assert _ids(cli, "--project", "p") == [c, a]
    assert _ids(cli, "--status", "failed") == [b]
    assert _ids(cli, "--status", "failed,paused") == [c, b]
    assert _ids(cli, "--status", "failed", "--status", "active") == [b, a]
    assert _ids(cli, "--agent-type", "codex") == [a]
    assert _ids(cli, "--user", "BO@") == [b]
    assert _ids(cli, "--tag", "t") == [b, a]
    assert _ids(cli, "--tag", "t", "--tag", "u") == [a]
    assert _ids(cli, "--limit", "1") == [c]
    assert _ids(cli, "--limit", "0") == []
    assert _ids(cli, "--project", "p", "--status", "active") == [a]
    assert cli("list", "--project", "none").err.startswith("no session fits")


@pytest.mark.parametrize("date", ["garbage", "tomorrow", "--", "of the moon"])
def test_list_refuses_a_date_that_git_would_take_for_now(cli: Cli, date: str) -> None:
    assert "does not understand the date" in cli.fails("list", f"--since={date}", code=2)


@pytest.mark.parametrize("date", ["now", "noon", "last friday", "three days ago", "Sept", "1 Jan 2020", "tea"])
def test_list_takes_words_for_dates(cli: Cli, date: str) -> None:
    cli("list", "--since", date)


def test_a_day_alone_is_its_first_moment_and_never_is_no_limit(cli: Cli) -> None:
    session_id = cli.start()
    today = time.strftime("%Y-%m-%d")
    assert _ids(cli, "--since", today) == [session_id]
    assert _ids(cli, "--until", today) == []
    assert _ids(cli, "--since", "today") == [session_id]
    assert _ids(cli, "--until", "today") == []
    assert _ids(cli, "--since", "never", "--until", "never") == [session_id]


@pytest.mark.parametrize("day", list(calendar.day_name))
def test_a_weekday_is_the_last_one_from_its_first_moment_on(cli: Cli, day: str) -> None:
    at = datetime.fromisoformat(moment(Env(start=str(cli.repo.path)), "--since", day.lower()))
    local = at.astimezone()
    assert (local.weekday(), local.hour, local.minute) == (list(calendar.day_name).index(day), 0, 0)
    assert 0 < time.time() - at.timestamp() < 8.1 * 86400


def test_show_has_metadata_without_a_value(cli: Cli) -> None:
    cli.start("--meta", "ticket=")
    assert re.search(r"^meta ticket:$", cli("show").out, re.M)


def test_a_history_of_none_says_so(cli: Cli) -> None:
    cli.start()
    done = cli("history", "--limit", "0")
    assert done.out == "" and done.err == "a limit of 0 shows no event\n"


def test_list_takes_the_dates_that_git_takes(cli: Cli) -> None:
    session_id = cli.start()
    assert _ids(cli, "--since", "1 hour ago") == [session_id]
    assert _ids(cli, "--since", "yesterday", "--until", "now") == [session_id]
    assert _ids(cli, "--until", "yesterday") == []
    assert _ids(cli, "--since", time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 86400))) == [session_id]
    assert _ids(cli, "--since", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400))) == []


def test_list_refuses_a_status_that_does_not_exist(cli: Cli) -> None:
    assert "use active, paused, completed" in cli.fails("list", "--status", "active,done", code=2)


def test_status_speaks_like_git(cli: Cli) -> None:
    session_id = cli.start("--goal", "Add rate limiting", "--agent-type", "codex", "--tag", "api")
    cli("log", "note", "x")
    lines = cli("status").out.splitlines()
    assert lines[:2] == [f"On session {session_id}", "Goal: Add rate limiting"]
    assert lines[2].startswith("Active, started ")
    assert "Agent: codex" in lines and "Tags: api" in lines and "  1 interaction" in lines
    assert lines[-1] == '  (use "git agent-session end" to end it)'


def test_status_shows_tokens_and_cost_when_there_are_any(cli: Cli) -> None:
    import git_agent_session

    cli.start()
    assert "tokens" not in cli("status").out
    git_agent_session.open(str(cli.repo.path)).usage(input_tokens=12345, output_tokens=400, cost_usd=0.4217)
    assert "  tokens: 12.3k in, 400 out; cost: $0.42" in cli("status").out.splitlines()


def test_status_of_an_ended_session_says_how_it_ended(cli: Cli) -> None:
    session_id = cli.start()
    cli("end", "--status", "failed", "--message", "out of time")
    out = cli("status").out
    assert out.startswith(f"No current session here; the last one was {session_id}\n")
    assert "Failed " in out and ": out of time" in out and f"resume {session_id[:8]}" in out


def test_status_does_not_call_an_agents_open_session_closed(cli: Cli) -> None:
    store = git_agent_session.open(str(cli.repo.path))
    session = store.start(agent=Agent("claude-code", "", "", "5d0c"), activate=False)
    live.push_recent(store.private, session.id)  # as its hooks do
    out = cli("status").out.splitlines()
    assert out[0] == f"No current session here; the last one is {session.id}"
    assert out[1].startswith("Active, ")
    assert f'(use "git agent-session switch {session.id[:8]}" to make it the current one)' in out[-1]


def test_status_verbose_adds_commits_tools_and_files(cli: Cli, repo: Repo) -> None:
    import git_agent_session

    session_id = cli.start()
    git_agent_session.open(str(repo.path)).append(session_id, "tool", {"name": "Bash"})
    oid = repo.commit("A subject", files={"src/a.py": "1"})
    cli("link", "HEAD")
    out = cli("status", "--verbose").out
    assert "A subject" not in cli("status").out
    assert f"{oid[:10]}  " in out and "A subject" in out and "  1  Bash" in out and "  src/a.py" in out
    detailed = cli("status", "-v", "--json").json
    assert detailed["tools"] == {"Bash": 1}
    assert [(c["commit"], c["paths"]) for c in detailed["commits"]] == [(oid, ["src/a.py"])]


def test_show_tells_everything(cli: Cli, repo: Repo) -> None:
    session_id = cli.start("--goal", "A goal", "--meta", "ticket=PROJ-1", "--type", "full", "--user", "Ada <a@x>")
    oid = repo.commit("A subject", files={"a": "1"})
    cli("link", "HEAD")
    cli("set", "--title", "A title")
    cli("log", "note", "A note")
    out = cli("show", session_id[:8]).out
    for wanted in (
        f"session {session_id}",
        "A goal",
        "A title",
        "Ada <a@x>",
        "meta ticket: PROJ-1",
        oid[:10],
        "A note",
    ):
        assert wanted in out, wanted
    shown = cli("show", "--json").json
    assert shown["meta"] == {"ticket": "PROJ-1"} and shown["commits"][0]["subject"] == "A subject"
    assert [e["kind"] for e in shown["events"]] == ["start", "commit", "set", "interaction"]


def test_history_is_in_order_and_can_be_limited_reversed_and_filtered(cli: Cli) -> None:
    cli.start()
    for text in ("one", "two", "three"):
        cli("log", "note", text)
    cli("log", "question", "four")
    cli("metric", "m", "1")

    def texts(*args: str) -> list[str]:
        return [e.get("text", e["kind"]) for e in cli("history", "--json", *args).json]

    assert texts() == ["start", "one", "two", "three", "four", "metric"]
    assert texts("--type", "note") == ["one", "two", "three"]
    assert texts("--type", "note", "--type", "metric", "--limit", "2") == ["three", "metric"]
    assert texts("--type", "interaction", "--reverse") == ["four", "three", "two", "one"]
    assert texts("--limit", "2", "--reverse") == ["metric", "four"]


def test_history_reads_as_lines(cli: Cli, repo: Repo) -> None:
    import git_agent_session

    session_id = cli.start("--goal", "A goal")
    oid = repo.commit("A subject")
    cli("link", "HEAD")
    cli("log", "question", "why\nnot", "--role", "user")
    cli("tag", "x")
    store = git_agent_session.open(str(repo.path))
    store.append(session_id, "tool", {"name": "Read", "paths": ["a.py"], "duration_ms": 12, "outcome": "error"})
    store.append(session_id, "x-new", {"key": "value"})
    lines = [line.split("  ", 1)[1].strip() for line in cli("history").out.splitlines()]
    assert lines == [
        "start     A goal",
        f"commit    {oid[:10]} A subject (manual)",
        "question  user: why not",
        "tag       +x",
        "tool      Read a.py (error) in 12ms",
        "x-new     key=value",
    ]


def test_history_with_nothing_to_show_says_so(cli: Cli) -> None:
    cli.start()
    done = cli("history", "--type", "plan")
    assert done.out == "" and "no such event" in done.err


def test_commits_gives_what_git_knows_of_them(cli: Cli, repo: Repo) -> None:
    session_id = cli.start()
    env = {"GIT_AUTHOR_NAME": "Grüß Gott", "GIT_AUTHOR_DATE": "2020-02-03T04:05:06+02:00"}
    oid = repo.commit("A subject\n\nA body", env=env)
    cli("link", "HEAD")
    (row,) = cli("commits", "--json").json
    wanted = {"commit": oid, "session": session_id, "subject": "A subject", "author": "Grüß Gott", "via": "manual"}
    assert {key: row[key] for key in wanted} == wanted
    assert row["date"] == "2020-02-03T02:05:06.000Z"
    assert cli("commits").out.startswith(f"{oid[:10]}  ")


def test_commits_of_a_session_without_any_says_so(cli: Cli) -> None:
    cli.start()
    done = cli("commits")
    assert done.out == "" and "no commit is linked" in done.err


def test_a_commit_that_is_gone_is_still_listed(cli: Cli, repo: Repo) -> None:
    cli.start()
    repo.commit("kept")
    oid = repo.commit("lost")
    cli("link", "HEAD")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("prune", "--expire=now")
    (row,) = cli("commits", "--json").json
    assert row["commit"] == oid and "subject" not in row
    assert "(not in this repository)" in cli("commits").out
    assert oid[:10] in cli("history").out


def test_which_finds_the_sessions_of_a_commit(cli: Cli, repo: Repo) -> None:
    session_id = cli.start("--goal", "A goal", "--agent-type", "codex")
    repo.commit("A subject")
    cli("link", "HEAD")
    assert cli("which", "HEAD").out.split() == [session_id[:8], "primary", "manual", "codex", "A", "goal"]
    assert cli("which").out == cli("which", "HEAD").out
    repo.commit("another")
    assert "belongs to no session" in cli("which", "HEAD").err
    assert cli("which", "HEAD", "--json").out == "[]\n"


def test_commits_made_with_the_hooks_are_found(cli: Cli, repo: Repo) -> None:
    cli("install")
    session_id = cli.start()
    oid = repo.commit("By hook", files={"a": "1"})
    assert [r["commit"] for r in cli("commits", "--json").json] == [oid]
    assert cli("which", oid, "--json").json[0]["session"] == session_id
    cli("end")
    assert [r["paths"] for r in cli("commits", "--json").json] == [["a"]]
