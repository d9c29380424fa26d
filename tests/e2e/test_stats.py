"""Statistics: sums, rates, durations, groups, lines that are still there, several repositories."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import codec, index
from git_agent_session.answers import alive, stats
from git_agent_session.errors import UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.model import Event, fold
from git_agent_session.store import archive
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("first", files={"a.py": "1\n"})
    return Cli(repo)


@pytest.fixture
def store(cli: Cli, repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def made(
    store: Store, minutes: int, *, number: int = 1, status: str = "completed", week: int = 1, **start: object
) -> str:
    """A session that took so many minutes, as another machine would have written it."""
    session_id = f"{number:08x}-5bb3-4e44-aec8-5b7d00443063"
    day = f"2026-01-{7 * week:02}"
    data = {"goal": f"number {number}", "user": "Ada <ada@example.org>", **start}
    events = [
        Event("s", f"{day}T10:00:00.000Z", "start", data, 1),
        Event("t", f"{day}T10:00:01.000Z", "tool", {"name": "Edit", "outcome": "ok"}, 2),
        Event("u", f"{day}T10:00:01.000Z", "usage", {"input_tokens": 100, "output_tokens": 10, "cost_usd": 0.5}, 3),
        Event("e", f"{day}T10:{minutes:02}:00.000Z", "end", {"status": status}, 4),
    ]
    files = {"session.toml": codec.dumps(fold(session_id, events).doc), "events.toml": codec.join(events)}
    store.repo.swap(SESSIONS + session_id, store.repo.write_batch(files, [], "x"), None, "x")
    return session_id


def test_sums_rates_and_durations(store: Store) -> None:
    for n, minutes in enumerate((1, 2, 3, 4, 50), 1):
        made(store, minutes, number=n, status="completed" if n < 5 else "failed")
    open_one = store.start(goal="open", activate=False).id
    store.append(open_one, "error", {"message": "no"})
    row = stats.stats(store).total
    assert (row.sessions, row.ended, row.completed) == (6, 5, 4)
    assert (row.sums["input_tokens"], row.tokens, row.cost_usd) == (500, 550, 2.5)
    assert (row.percentile(0.5), row.percentile(0.95)) == (180_000, 3_000_000)
    assert (row.success_rate, row.error_rate) == (0.8, 1 / 6)
    assert row.tool_calls == {"Edit": 5}
    assert (row.resume_rate, row.resume_success_rate) == (0.0, None)


def test_sessions_that_were_taken_up_again_are_counted(store: Store) -> None:
    good, bad, never = (store.start(goal=g, activate=False).id for g in ("good", "bad", "never"))
    for session, status in ((good, "completed"), (bad, "failed")):
        store.pause(session)
        store.resume(session)
        store.end(session, status=status)
    store.end(never)
    row = stats.stats(store).total
    assert (row.resumed, row.resume_rate, row.resume_success_rate) == (2, 2 / 3, 0.5)


def test_groups(store: Store) -> None:
    made(store, 1, number=1, agent={"type": "codex", "model": "gpt"}, tags=["a", "b"])
    made(store, 2, number=2, agent={"type": "codex", "model": "other"}, tags=["a"], user="Bo <bo@example.org>")
    made(store, 3, number=3, week=2)
    expected = {
        "agent": {"codex": 2, "unknown": 1},
        "model": {"gpt": 1, "other": 1, "unknown": 1},
        "person": {"Ada <ada@example.org>": 2, "Bo <bo@example.org>": 1},
        "tag": {"a": 2, "b": 1, "untagged": 1},
        "week": {"2026-W02": 2, "2026-W03": 1},
        "repository": {"repo": 3},
    }
    for by, names in expected.items():
        groups = stats.stats(store, by=by).groups
        assert {name: row.sessions for name, row in groups.items()} == names, by
    assert len(stats.stats(store, by="session").groups) == 3
    assert stats.stats(store, since="2026-01-10T00:00:00.000Z").total.sessions == 1
    assert stats.stats(store, until="2026-01-10T00:00:00.000Z", by="agent").total.sessions == 2
    with pytest.raises(UsageError):
        stats.stats(store, by="colour")


def test_archived_sessions_count(store: Store) -> None:
    made(store, 1)
    assert archive.run(store, older_than=0)
    assert stats.stats(store).total.sessions == 1


def test_lines_added_and_those_still_there(store: Store, repo: Repo) -> None:
    session = store.start(goal="write", agent="codex", activate=False).id
    store.link(session, [repo.commit("six", files={"b.py": "".join(f"line {n}\n" for n in range(6))})])
    row = stats.stats(store, alive=True).total
    assert row.lines is not None and (row.lines.added, row.lines.alive) == (6, 6)
    # a person rewrites two of them and adds one; another file comes and goes
    repo.commit("person", files={"b.py": "mine\nline 1\nline 2\nline 3\nline 4\nmine too\nand this\n"})
    store.link(session, [repo.commit("agent again", files={"c.py": "x\ny\n"})])
    repo.git("rm", "-q", "c.py")
    repo.commit("gone")
    row = stats.stats(store, alive=True).total
    assert row.lines is not None and (row.lines.added, row.lines.alive) == (8, 4)
    # what is kept gives the same, and so does nothing kept
    assert stats.stats(store, alive=True).total.lines == row.lines
    Path(store.shared, alive.NAME).unlink()
    assert stats.stats(store, alive=True).total.lines == row.lines
    Path(store.shared, alive.NAME).write_bytes(b"no database at all" * 100)
    assert stats.stats(store, alive=True).total.lines == row.lines


def test_only_files_that_may_have_such_lines_are_blamed(store: Store, repo: Repo) -> None:
    repo.commit("old", files={f"old{n}.py": "1\n" for n in range(5)})
    session = store.start(goal="write", agent="codex", activate=False).id
    store.link(session, [repo.commit("mine", files={"b.py": "1\n2\n"})])
    repo.git("mv", "b.py", "c.py")
    repo.commit("moved by a person")
    asked: list[tuple[int, int]] = []
    for _ in range(2):
        found = stats.stats(store, alive=True, blaming=lambda done, total: asked.append((done, total)))
        assert found.total.lines == alive.Lines(2, 2, 0)
    assert {total for _, total in asked} == {1}
    # what is linked later is found in files that nobody looked at
    store.link(session, ["HEAD~2"])
    assert stats.stats(store, alive=True).total.lines == alive.Lines(7, 7, 0)


def test_a_file_that_was_not_looked_at_is_not_taken_for_known(store: Store, repo: Repo) -> None:
    session = store.start(goal="write", agent="codex", activate=False).id
    first = repo.commit("first", files={"b.py": "1\n2\n"})
    store.link(session, [first])
    assert stats.stats(store, alive=True).total.lines == alive.Lines(2, 2, 0)
    store.unlink(session, [first])
    repo.commit("a person", files={"b.py": "1\n"})
    assert stats.stats(store, alive=True).total.lines == alive.Lines()
    store.link(session, [first])
    assert stats.stats(store, alive=True).total.lines == alive.Lines(2, 1, 0)


def test_rewritten_history_is_blamed_anew(store: Store, repo: Repo) -> None:
    session = store.start(goal="write", agent="codex", activate=False).id
    store.link(session, [repo.commit("two", files={"b.py": "1\n2\n"})])
    assert stats.stats(store, alive=True).total.lines == alive.Lines(2, 2, 0)
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit("another root", files={"z": "1\n"})
    assert stats.stats(store, alive=True).total.lines == alive.Lines(2, 0, 0)


def test_the_command_prints_numbers_and_a_chart(cli: Cli, store: Store) -> None:
    for n in range(1, 4):
        made(store, n, number=n, agent={"type": "codex" if n < 3 else "gemini"})
    out = cli("stats", "--by", "agent").out
    assert "Sessions  3, 3 ended, 3 completed" in out and "100 % succeeded" in out
    header, codex, gemini = out.splitlines()[-3:]
    assert header.split()[0] == "agent" and header.split()[-1] == "sessions"
    assert codex.count("#") == 30 and gemini.count("#") == 15
    by_session = cli("stats", "--by", "session").out.splitlines()[-3:]
    assert all("number" in line and line.count("#") == 30 and "$0.50" in line for line in by_session)
    assert cli("stats", "--by", "session", "--json").json["groups"][0]["about"].startswith("number")
    assert cli("stats", "--by", "session", "--limit", "2").out.endswith("and 1 more; --limit 3 shows all\n")


def test_what_does_not_fit_goes_on_below(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store, 1)
    monkeypatch.setenv("COLUMNS", "40")
    lines = cli("stats", tty=True, env={"TERM": "dumb", "GIT_PAGER": "cat"}).out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("Rates"))
    assert lines[at : at + 2] == ["Rates     100 % succeeded, 0 % resumed,", "          0 % with errors"]
    assert all(len(line) <= 40 for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_a_chart_stays_within_the_terminal(
    cli: Cli, store: Store, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    made(store, 1, agent={"type": "codex"}, user="Ada with a long name " * 5)
    for by in ("person", "agent"):
        shown = cli("stats", "--by", by, tty=True, env={"PAGER": "cat", "NO_COLOR": "1"}).out
        table = shown.splitlines()[-2:]
        assert all(len(line) <= columns for line in table), (by, table)


def test_json_and_csv(cli: Cli, store: Store) -> None:
    made(store, 1, agent={"type": "codex"})
    made(store, 2, number=2, agent={"type": "=cmd()"})
    found = cli("stats", "--by", "agent", "--json").json
    assert found["total"]["sessions"] == 2 and found["by"] == "agent"
    assert {row["name"] for row in found["groups"]} == {"codex", "=cmd()"}
    rows = list(csv.DictReader(io.StringIO(cli("stats", "--by", "agent", "--csv").out)))
    assert {row["agent"]: row["sessions"] for row in rows} == {"codex": "1", "'=cmd()": "1"}
    (total,) = csv.DictReader(io.StringIO(cli("stats", "--csv").out))
    assert (total["sessions"], total["median_duration_ms"], total["p95_duration_ms"]) == ("2", "60000", "120000")


def test_hostile_names_are_shown_safely(cli: Cli, store: Store) -> None:
    made(store, 1, user="\x1b[2J<script>\u202eevil", tags=["\x1b]0;x\x07tag"])
    for by in ("person", "tag"):
        for form in ((), ("--csv",)):
            assert not set("\x1b\x07\u202e") & set(cli("stats", "--by", by, *form).out)
        assert "\x1b" not in cli("stats", "--by", by, "--json").out


def test_storage_is_measured(cli: Cli, store: Store) -> None:
    made(store, 1)
    sizes = cli("stats", "--storage", "--json").json["storage"]
    assert sizes["objects"] > 300 and sizes["files"] > 10_000
    assert "Storage" in cli("stats", "--storage").out


def test_all_repositories_that_are_known(cli: Cli, store: Store, repo: Repo, tmp_path: Path) -> None:
    made(store, 1)
    for name in ("one", "two", "without"):
        other = Repo.init(tmp_path / "more" / name)
        if name != "without":
            git_agent_session.open(str(other.path)).start(goal="x")
    repo.git("config", "--global", "--add", "agentSession.repository", f"{tmp_path}/more/*")
    repo.git("config", "--global", "--add", "maintenance.repo", str(repo.path))
    repo.git("config", "--global", "--add", "scalar.repo", str(tmp_path / "nowhere"))
    found = cli("stats", "--all-repos", "--json").json
    assert {row["name"]: row["sessions"] for row in found["groups"]} == {"repo": 1, "one": 1, "two": 1}
    outside = tmp_path / "outside"
    outside.mkdir()
    assert Cli(Repo(outside))("stats", "--all-repos", "--json").json["total"]["sessions"] == 3
    assert "Sessions  3" in Cli(Repo(outside))("stats", "--all-repos", "--since", "2020-01-01").out


def test_where_it_is_installed_it_is_known(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    repos = [Repo.init(tmp_path / parent / "web") for parent in ("a", "b", "c", "d")]
    for number, other in enumerate(repos):
        other.cli("install", check=True)
        made(git_agent_session.open(str(other.path)), 1, number=number)
    repos[1].cli("uninstall", check=True)
    shutil.rmtree(repos[2].path)
    outside = Repo(tmp_path / "outside")
    outside.path.mkdir()
    done = Cli(outside)("stats", "--all-repos", "--json")
    assert {row["name"]: row["sessions"] for row in done.json["groups"]} == {"a/web": 1, "d/web": 1}
    assert done.err == f"warning: left out, not there any more: {repos[2].path}\n"
    # deleted for good: that is said once
    assert Cli(outside)("stats", "--all-repos", "--json").err == ""


def test_a_session_that_two_clones_have_counts_once(cli: Cli, store: Store, repo: Repo, tmp_path: Path) -> None:
    made(store, 1)
    other = Repo.init(tmp_path / "clone")
    other.git("fetch", "-q", str(repo.path), "refs/agent-sessions/*:refs/agent-sessions/*")
    made(git_agent_session.open(str(other.path)), 1, number=2)
    other.cli("install", check=True)
    found = cli("stats", "--all-repos", "--json").json
    assert found["total"]["sessions"] == 2 and found["total"]["tool_calls"] == {"Edit": 2}
    assert {row["name"]: row["sessions"] for row in found["groups"]} == {"repo": 1, "clone": 2}


def test_no_repository_is_known(tmp_path: Path) -> None:
    assert "agentSession.repository" in Cli(Repo(tmp_path)).fails("stats", "--all-repos", code=2)


def test_no_sessions_is_said(cli: Cli) -> None:
    assert "no sessions" in cli("stats").err
    assert cli("stats", "--json").json["total"]["sessions"] == 0
    assert json.loads(cli("stats", "--alive", "--json").out)["total"]["sessions"] == 0


@pytest.mark.parametrize(
    "args",
    [("--by", "colour"), ("--chart", "lines"), ("--since", "gibberish"), ("--limit", "0")],
    ids=" ".join,
)
def test_bad_input_is_refused(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli("stats", *args, code=2)
    assert done.out == "" and done.err.startswith("error: ")


def test_a_broken_session_is_left_out(cli: Cli, store: Store) -> None:
    made(store, 1)
    store.repo.swap(
        SESSIONS + "0" * 8 + "-5bb3-4e44-aec8-5b7d00443063", store.repo.write_batch({"a": b"x"}, [], "x"), None, "x"
    )
    assert cli("stats", "--json").json["total"]["sessions"] == 1
    assert len(index.open(store).sessions()) == 1
