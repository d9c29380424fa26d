"""Bad input: one line on standard error, what is wrong and what to do, the right status, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


@pytest.mark.parametrize("command", ["status", "list", "start", "install", "drain", "commits", "which"])
def test_outside_a_repository(tmp_path: Path, command: str) -> None:
    (tmp_path / "plain").mkdir()
    assert "not a git repository" in Cli(Repo(tmp_path / "plain")).fails(command).lower()


@pytest.mark.parametrize("args", [["show", "ffff"], ["end", "ffff0000"], ["delete", "ffff", "-y"], ["log", "n", "t"]])
def test_an_unknown_id(cli: Cli, args: list[str]) -> None:
    line = cli.fails(*args, *(["--session", "ffff"] if args[0] == "log" else []))
    assert "no session ffff" in line and "git agent-session list" in line


@pytest.mark.parametrize("text", ["zzzz", "abc", "../../x", "ffff-", "\x1b[31m", "@{-9}", "HEAD"])
def test_what_is_no_id(cli: Cli, text: str) -> None:
    cli.start()
    line = cli.fails("show", text)
    assert "\x1b" not in line and "; " in line


def test_a_full_id_that_is_no_session(cli: Cli) -> None:
    cli.start()
    assert "no session" in cli.fails("show", "00000000-0000-4000-8000-000000000000")


def test_an_ambiguous_id(cli: Cli, repo: Repo) -> None:
    first = cli.start()
    twin = first[:-1] + ("0" if first[-1] != "0" else "1")
    repo.git("update-ref", f"refs/agent-sessions/{twin}", f"refs/agent-sessions/{first}")
    line = cli.fails("show", first[:8])
    assert "fits 2 sessions" in line and "more digits" in line


def test_an_empty_id(cli: Cli) -> None:
    assert "id is empty" in cli.fails("show", "", code=2)


def test_a_file_that_is_not_there(cli: Cli) -> None:
    cli.start()
    line = cli.fails("plan", "set", "nosuch.md")
    assert "nosuch.md" in line and "give a name that there is" in line and "disk" not in line


def test_two_different_ids(cli: Cli) -> None:
    first, second = cli.start(), cli.start()
    assert "two sessions are named" in cli.fails("end", first, "--session", second, code=2)
    assert cli("status", first[:8], "--session", first, "--json").json["id"] == first


def test_a_variable_that_names_no_session(cli: Cli) -> None:
    cli.start()
    env = {"GIT_AGENT_SESSION": "00000000-0000-4000-8000-000000000000"}
    assert "unset GIT_AGENT_SESSION" in cli.fails("log", "note", "x", env=env)
    assert "unset GIT_AGENT_SESSION" in cli.fails("status", env=env)
    assert "GIT_AGENT_SESSION" in cli.fails("status", env={"GIT_AGENT_SESSION": "nonsense"})


def test_ending_an_ended_session(cli: Cli) -> None:
    session_id = cli.start()
    cli("end")
    line = cli.fails("end", session_id)
    assert "has ended" in line and "resume" in line


def test_pausing_a_paused_and_resuming_an_active_session(cli: Cli) -> None:
    cli.start()
    assert "active already" in cli("resume").err
    cli("pause")
    assert "paused already" in cli.fails("pause")


def test_switching_to_an_ended_session(cli: Cli) -> None:
    session_id = cli.start()
    cli("end")
    assert "resume" in cli.fails("switch", session_id)


def test_an_unknown_status(cli: Cli) -> None:
    cli.start()
    assert "use completed, failed, error, aborted, abandoned" in cli.fails("end", "--status", "done", code=2)
    assert cli("status", "--json").json["status"] == "active"


@pytest.mark.parametrize("command", ["link", "unlink", "which"])
def test_an_unknown_commit(cli: Cli, command: str) -> None:
    cli.start()
    assert "no commit is named 'nonsense'" in cli.fails(command, "nonsense")


def test_one_unknown_commit_links_none(cli: Cli, repo: Repo) -> None:
    cli.start()
    repo.commit()
    cli.fails("link", "HEAD", "nonsense")
    assert cli("commits", "--json").json == []


def test_unlinking_what_is_not_linked(cli: Cli, repo: Repo) -> None:
    cli.start()
    repo.commit()
    assert "is not linked" in cli.fails("unlink", "HEAD")


@pytest.mark.parametrize(
    "args",
    [
        ["start", "--no-context", "--goal", "\udcff"],
        ["start", "--no-context", "--meta", "a=\udcff"],
        ["start", "--no-context", "--tag", "\udcff"],
        ["log", "note", "bad \udce9"],
        ["log", "note", "x", "--meta", "k=\udce9"],
        ["metric", "m\udce9", "1"],
        ["end", "--message", "\udce9"],
        ["set", "--goal", "\udce9"],
    ],
)
def test_arguments_that_are_not_utf8(cli: Cli, args: list[str]) -> None:
    cli.start()
    before = cli("show", "--json").json
    assert "not UTF-8" in cli.fails(*args)
    assert cli("show", "--json").json == before
    assert len(cli("list", "--json").json) == 1


def test_standard_input_that_is_not_utf8(cli: Cli) -> None:
    cli.start()
    assert "byte 5" in cli.fails("log", "note", "-", input=b"good\xff\n")
    assert not cli("status", "--json").json["counts"].get("interactions")


def test_bytes_that_are_not_utf8_from_a_real_process(repo: Repo) -> None:
    Cli(repo).start()
    done = repo.cli("log", "note", os.fsdecode(b"caf\xe9"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "not UTF-8" in done.stderr
    assert repo.cli("which", os.fsdecode(b"br\xe9anch")).returncode == 1


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (["frobnicate"], "no such command"),
        (["start", "--bogus"], "no such option"),
        (["metric", "m"], "missing argument"),
        (["list", "--limit", "many"], "not a valid integer"),
        (["list", "--limit", "-1"], "not in the range"),
        (["log", "a", "b", "c"], "unexpected extra argument"),
        (["start", "--meta", "novalue"], "give KEY=VALUE"),
        (["start", "--agent-type", "Not A Name"], "is no agent type"),
        (["start", "--type", "a b"], "is no type"),
        (["start", "--tag", "a,b"], "is no tag"),
        (["set"], "nothing to change"),
        (["switch"], "is missing"),
        (["tag", "-d"], "is missing"),
        (["completion", "tcsh"], "tcsh"),
        (["enable", "nobody"], "no agent is named"),
        (["enable", "claude-code", "--local", "--user"], "exclude each other"),
        ([], "no command given"),
        (["task"], "missing command; see `git agent-session task --help`"),
        (["plan"], "missing command; see `git agent-session plan --help`"),
        (["agent"], "missing command; see `git agent-session agent --help`"),
    ],
)
def test_a_wrong_call_exits_2_with_one_line(cli: Cli, args: list[str], wanted: str) -> None:
    cli.start()
    assert wanted in cli.fails(*args, code=2).lower() or wanted in cli.fails(*args, code=2)


def test_a_wrong_call_names_the_help_of_its_command(cli: Cli) -> None:
    assert "see `git agent-session start --help`" in cli.fails("start", "--bogus", code=2)


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["show", "ffff", "--json"], 1, "session-not-found"),
        (["which", "nonsense", "--json"], 1, "commit-not-found"),
        (["list", "--json", "--status", "x"], 2, "usage"),
        (["list", "--json", "--bogus"], 2, "usage"),
    ],
)
def test_with_json_an_error_is_a_line_of_json_on_standard_error(
    cli: Cli, args: list[str], code: int, word: str
) -> None:
    done = cli(*args, code=code)
    assert done.out == "" and done.err.count("\n") == 1
    error = json.loads(done.err)
    assert error["error"] == word and error["message"] and error["hint"]


def test_broken_toml_is_named_and_skipped_and_the_rest_works(cli: Cli, repo: Repo) -> None:
    good, bad = cli.start("--goal", "good"), cli.start("--goal", "bad")
    blob = repo.git("hash-object", "-w", "--stdin", input="schema = = 1\n")
    tree = repo.git("mktree", input=f"100644 blob {blob}\tsession.toml\n")
    commit = repo.git("commit-tree", tree, "-m", "x")
    repo.git("update-ref", f"refs/agent-sessions/{bad}", commit)
    done = cli("list", "--json")
    assert [s["id"] for s in done.json] == [good]
    assert done.err.count("\n") == 1 and bad[:8] in done.err and done.err.startswith("warning: ")
    assert bad[:8] in cli.fails("show", bad)
    assert cli("show", good, "--json").json["goal"] == "good"
    cli.start()


@pytest.mark.parametrize("what", ["blob", "empty tree", "other commit", "huge schema"])
def test_a_ref_that_holds_no_session_is_named_and_skipped(cli: Cli, repo: Repo, what: str) -> None:
    good = cli.start()
    bad = "ffffffff-0000-4000-8000-000000000000"
    if what == "blob":
        oid = repo.git("hash-object", "-w", "--stdin", input="x")
    elif what == "empty tree":
        oid = repo.git("commit-tree", repo.git("mktree", input=""), "-m", "x")
    elif what == "other commit":
        oid = repo.git("rev-parse", f"refs/agent-sessions/{good}")
    else:
        blob = repo.git("hash-object", "-w", "--stdin", input=f'schema = 99\nid = "{bad}"\n')
        oid = repo.git("commit-tree", repo.git("mktree", input=f"100644 blob {blob}\tsession.toml\n"), "-m", "x")
    repo.git("update-ref", f"refs/agent-sessions/{bad}", oid)
    done = cli("list", "--json")
    assert [s["id"] for s in done.json] == [good] and bad[:8] in done.err
    for command in ("show", "status", "history", "commits", "context"):
        assert cli(command, bad, code=None).code in (0, 1), command
    assert bad[:8] in cli.fails("show", bad)


def test_a_broken_line_in_the_journal_does_not_hide_the_rest(cli: Cli, repo: Repo) -> None:
    session_id = cli.start()
    cli("log", "note", "before")
    journal = repo.path / ".git/agent-session/journal" / f"{session_id}.toml"
    with journal.open("a") as f:
        f.write('\n[[event]]\nid = "torn')
    cli("log", "note", "after")
    assert [e["text"] for e in cli("history", "--type", "note", "--json").json] == ["before", "after"]


def test_a_read_only_repository(cli: Cli, repo: Repo) -> None:
    # root writes anywhere, unless it gives that right up
    prefix = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if prefix and repo.run("sh", "-c", f"{' '.join(prefix)} true").returncode != 0:
        pytest.skip("runs as root, and cannot do without its rights")
    session_id = cli.start()
    repo.run("chmod", "-R", "a-w", ".git", check=True)

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return repo.run(*prefix, sys.executable, "-m", "git_agent_session", *args)

    try:
        for args in (["log", "note", "x"], ["start", "--no-context"], ["end"], ["switch", "@"], ["install"]):
            done = run(*args)
            assert done.returncode == 1 and done.stdout == "", args
            assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
            assert "writable" in done.stderr
        assert json.loads(run("status", "--json").stdout)["id"] == session_id
        assert len(json.loads(run("list", "--json").stdout)) == 1
    finally:
        repo.run("chmod", "-R", "u+w", ".git")
    assert cli("show", "--json").json["counts"]["events"] == 1


@pytest.mark.parametrize("command", ["log note x", "start --no-context", "end", "context add"])
def test_a_disk_that_takes_no_more(cli: Cli, repo: Repo, command: str) -> None:
    # no file may grow: what a full disk does, without one
    cli.start()
    done = repo.run("sh", "-c", f'ulimit -f 0; exec "{sys.executable}" -m git_agent_session {command}')
    assert done.returncode == 1 and done.stdout == "", done.stdout
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert [e["kind"] for e in cli("history", "--json").json] == ["start"]
    assert len(cli("list", "--json").json) == 1
    assert repo.run("git", "fsck", "--strict").returncode == 0
    cli("log", "note", "afterwards")


def test_a_place_that_cannot_be_written(cli: Cli, repo: Repo) -> None:
    # what a read-only repository does, also to root: files stand where the folders should
    cli.start()
    journal = repo.path / ".git/agent-session/journal"
    for left in journal.iterdir():
        left.unlink()
    journal.rmdir()
    journal.write_text("in the way")
    cli.fails("log", "note", "x")


@pytest.mark.parametrize("call", ["list", "blame f"])
def test_a_full_disk_behind_standard_output(repo: Repo, call: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    cli = Cli(repo)
    cli.start()
    repo.commit(files={"f": "one\n"})
    done = repo.run("sh", "-c", f'"{sys.executable}" -m git_agent_session {call} > /dev/full')
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("call", ["list", "blame f"])
@pytest.mark.parametrize("closed", ["<&- >&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_fault(repo: Repo, call: str, closed: str) -> None:
    repo.commit(files={"f": "one\n"})
    done = repo.run("sh", "-c", f'"{sys.executable}" -m git_agent_session {call} {closed}')
    assert done.returncode == 0 and "error" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--object-format=sha256", "--ref-format=reftable"])
def test_a_repository_that_libgit2_cannot_open_is_named(tmp_path: Path, option: str) -> None:
    if subprocess.run(["git", "init", "-q", option, str(tmp_path / "new")], capture_output=True).returncode != 0:
        config = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n"
        Repo.init(tmp_path / "new")
        (tmp_path / "new/.git/config").write_text(config)
    line = Cli(Repo(tmp_path / "new")).fails("status")
    assert ("SHA-256" if "sha256" in option else "reftable") in line


def test_a_bug_exits_3_and_names_a_file_with_the_traceback(
    cli: Cli, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from git_agent_session.store.store import Store

    cli.start()

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("something\nodd")

    monkeypatch.setattr(Store, "list", broken)
    line = cli.fails("list", code=3)
    path = Path(line.rpartition(" ")[2].strip())
    assert path == repo.path / ".git/agent-session/error.log"
    assert "RuntimeError" in path.read_text() and path.stat().st_mode & 0o077 == 0
