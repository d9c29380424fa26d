"""What leaves the command line: encodings, untrusted text, terminals, colour, pagers, closed pipes, ^C, imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module

import pytest

import git_agent_session
from git_agent_session.__main__ import main
from tests.e2e.cli import Cli
from tests.harness import Repo

EVIL = "a\x1b[31mred\x1b]0;title\x07b\x9bc\u202ed\x00e"


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


def _smuggle(repo: Repo, session_id: str) -> None:
    """What somebody else's push may hold: a session with escape sequences in every text, written with plain git."""
    text = json.dumps(EVIL)  # JSON's escapes of controls are TOML's
    state = (
        f'schema = 1\nid = "{session_id}"\nstatus = {text}\nstarted_at = {text}\nupdated_at = {text}\ngoal = {text}\n'
        f"title = {text}\nproject = {text}\nuser = {text}\nmessage = {text}\ntags = [{text}]\nended_at = {text}\n"
        f"[agent]\ntype = {text}\nversion = {text}\nmodel = {text}\n[meta]\n{text} = {text}\n[counts]\n{text} = 3\n"
    )
    at = "2026-01-01T00:00:00.000Z"
    keys = f"text = {text}\nname = {text}\ncommit = {text}\nold = {text}\nnew = {text}\ntype = {text}\nrole = {text}\n"
    kinds = ["start", "message", "interaction", "tool", "commit", "rewrite", "metric", "agent", "error", "unknown"]
    events = "".join(
        f'[[event]]\nid = "e{n}"\nat = "{at}"\nkind = {json.dumps(kind)}\nclock = {n + 1}\n{keys}# end\n'
        for n, kind in enumerate(kinds)
    )
    entries = []
    for name, content in (("events.toml", events), ("session.toml", state)):
        entries.append(f"100644 blob {repo.git('hash-object', '-w', '--stdin', input=content)}\t{name}\n")
    commit = repo.git("commit-tree", repo.git("mktree", input="".join(entries)), "-m", "x")
    repo.git("update-ref", f"refs/agent-sessions/{session_id}", commit)


@pytest.mark.parametrize("args", [["list"], ["show"], ["status"], ["status", "-v"], ["history"], ["commits"], ["tag"]])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_escape_sequence_of_another_reaches_the_terminal(cli: Cli, repo: Repo, args: list[str], form: str) -> None:
    session_id = "ffffffff-0000-4000-8000-000000000000"
    _smuggle(repo, session_id)
    named = {"list": [], "tag": ["--session", session_id]}.get(args[0], [session_id])
    done = cli(*args, *named, *(["--json"] if form == "json" else []))
    for char in "\x1b\x07\x9b\u202e\x00\x7f":
        assert char not in done.out + done.err
    if form == "json":
        json.loads(done.out)


def test_an_authors_escape_sequences_are_taken_out(cli: Cli, repo: Repo) -> None:
    cli.start()
    repo.commit("subject \x1b[31mred", env={"GIT_AUTHOR_NAME": "Eve \x1b[2J"})
    for args in (["link", "HEAD"], ["commits"], ["which"], ["show"], ["unlink", "HEAD"]):
        assert "\x1b" not in cli(*args).out, args


@pytest.mark.parametrize("locale", ["C", pytest.param("POSIX", marks=pytest.mark.slow), "C.UTF-8"])
def test_any_locale_is_survived(repo: Repo, locale: str) -> None:
    cli = Cli(repo)
    cli("install")
    cli.start("--goal", "Grüße 日本 … 🎉")
    repo.commit("Räume auf")
    cli("link", "HEAD")
    env = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for args in (["status"], ["show"], ["list"], ["history"]):
        done = repo.cli(*args, env=env)
        assert done.returncode == 0 and done.stderr == "", done.stderr
    shown = json.loads(repo.cli("show", "--json", env=env).stdout)
    assert shown["goal"] == "Grüße 日本 … 🎉"


def test_the_id_that_a_list_shows_can_be_used(cli: Cli) -> None:
    session_id = cli.start()
    shown = cli("list").out.splitlines()[1].split()[1]
    assert cli("show", shown, "--json").json["id"] == session_id


def test_colour_follows_gits_configuration(cli: Cli, repo: Repo) -> None:
    cli.start()
    tty = {"TERM": "xterm", "COLUMNS": "80"}
    assert "\x1b[33m" in cli("list", tty=True, env=tty).out
    assert "\x1b" not in cli("list", tty=True, env={**tty, "NO_COLOR": "1"}).out
    assert "\x1b" not in cli("list").out
    repo.git("config", "color.ui", "never")
    assert "\x1b" not in cli("list", tty=True, env=tty).out
    repo.git("config", "color.agentSession", "always")
    repo.git("config", "color.agentSession.id", "blue")
    assert "\x1b[34m" in cli("list").out


def test_git_minus_c_reaches_the_command(cli: Cli) -> None:
    cli.start()
    env = {"GIT_CONFIG_PARAMETERS": "'color.ui'='always'"}
    assert "\x1b[33m" in cli("list", env=env).out


@pytest.mark.parametrize("columns", [10, 40, 60, 80, 120])
def test_lists_fit_the_terminal(cli: Cli, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from git_agent_session.term import width

    monkeypatch.setenv("COLUMNS", str(columns))

    session_id = cli.start("--goal", "A goal that is long " * 10, "--agent-type", "claude-code")
    cli("log", "note", "日本語の長い説明 " * 20)
    for args in (["list"], ["history"]):
        lines = cli(*args, tty=True, env={"TERM": "dumb"}).out.splitlines()
        assert max(map(width, lines)) <= columns
    assert session_id[:8] in cli("list", tty=True, env={"TERM": "dumb"}).out


def test_a_list_goes_through_the_pager_on_a_terminal(
    cli: Cli, repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    session_id = cli.start()
    seen = tmp_path_factory.mktemp("pager") / "seen"
    env = {"GIT_PAGER": f"cat > '{seen}'"}
    assert cli("list", tty=True, env=env).out == ""
    assert session_id[:8] in seen.read_text()
    assert session_id in cli("status", tty=True, env=env).out


def test_a_reader_that_goes_away_is_no_error(repo: Repo) -> None:
    cli = Cli(repo)
    session_id = cli.start()
    store = git_agent_session.open(str(repo.path))
    for n in range(40):
        store.log(session_id, "note", f"{n} " + "x" * 4000)
    done = repo.run(
        "sh", "-c", f'{{ "{sys.executable}" -m git_agent_session history --json; echo "$?" >&2; }} | head -1'
    )
    assert done.stdout == "[\n"
    assert done.stderr.strip() in ("0", "141")


def test_interrupting_exits_130_without_a_traceback(repo: Repo) -> None:
    Cli(repo).start()
    # a test run in the background hands on an ignored SIGINT, which Python then leaves ignored
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from git_agent_session.cli.main import main; sys.exit(main(['log', 'note', '-']))"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, cwd=repo.path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"x" * 200_000)  # more than a pipe holds: it is reading by now
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("args", "module", "status"),
    [
        (["list"], "git_agent_session.cli.main", 130),
        (["why", "README.md:1"], "git_agent_session.cli.early", 130),
        (["push"], "git_agent_session.sync.at_once", 130),
        (["hook", "claude-code"], "git_agent_session.hooks.agent_entry", 0),
        (["status-line"], "git_agent_session.hooks.status_line", 0),
    ],
)
def test_interrupting_while_it_loads_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, args: list[str], module: str, status: int
) -> None:
    class Interrupted:
        """Finds a module, and ^C comes."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == module:
                raise KeyboardInterrupt

    parent, _, name = module.rpartition(".")
    monkeypatch.delattr(import_module(parent), name, raising=False)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["git-agent-session", *args])
    try:
        assert main() == status
    except KeyboardInterrupt:
        pytest.fail("the interrupt came through")


def test_version_and_help(cli: Cli) -> None:
    assert cli("--version").out == f"git agent-session version {git_agent_session.__version__}\n"
    versions = cli("version", "--json").json
    assert versions["version"] == git_agent_session.__version__ and versions["git"] and versions["pygit2"]
    assert cli("-h").out == cli("--help").out
    assert "hook" in cli("-h").out.splitlines()[-2] + cli("-h").out.splitlines()[-1]
    assert "--agent-type" in cli("start", "-h").out
    assert "context" in cli("context", "--help").out


@pytest.mark.parametrize("args", [["--help"], ["start", "--help"], ["--version"], ["completion", "bash"], ["man"]])
def test_help_imports_no_pygit2(repo: Repo, args: list[str]) -> None:
    code = (
        "import sys; from git_agent_session.cli.main import main; main(sys.argv[1:]);sys.exit('pygit2' in sys.modules)"
    )
    assert repo.run(sys.executable, "-c", code, *args).returncode == 0


def test_importing_the_group_imports_no_command(repo: Repo) -> None:
    code = (
        "import sys, git_agent_session.cli.main;"
        "bad = [m for m in sys.modules if m == 'pygit2' or m.startswith('git_agent_session.store')];"
        "bad += [m for m in sys.modules if m.startswith('git_agent_session.cli.')"
        " and m.rpartition('.')[2] not in ('main', 'commands', 'env')];"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = repo.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


def test_status_does_not_load_what_it_does_not_need(repo: Repo) -> None:
    Cli(repo).start()
    code = (
        "import sys; from git_agent_session.cli.main import main; main(['status']);"
        "heavy = {'sqlite3', 'subprocess', 'git_agent_session.hooks.installer', 'git_agent_session.context'};"
        "bad = heavy & set(sys.modules);"
        "sys.stderr.write(repr(bad)); sys.exit(1 if bad else 0)"
    )
    done = repo.run(sys.executable, "-S", "-c", code, env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_valid(repo: Repo, cli: Cli, shell: str) -> None:
    import shutil

    script = cli("completion", shell).out
    assert "git-agent-session" in script
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = repo.run(shell, "-n", "/dev/stdin", input=script)
    assert done.returncode == 0, done.stderr


def test_completion_offers_commands_and_ids_with_goals(repo: Repo) -> None:
    session_id = Cli(repo).start("--goal", "A goal")

    def complete(line: str, word: int) -> str:
        env = {"_GIT_AGENT_SESSION_COMPLETE": "zsh_complete", "COMP_WORDS": line, "COMP_CWORD": str(word)}
        return repo.cli(env=env).stdout

    assert "status\n" in complete("git-agent-session st", 1)
    assert f"{session_id[:8]}\nA goal" in complete(f"git-agent-session show {session_id[:2]}", 2)
    assert "--goal" in complete("git-agent-session start --g", 2)
    assert "abandoned" in complete("git-agent-session end --status aban", 3)


def test_bash_completes_git_agent_session_through_gits_own_completion(repo: Repo, cli: Cli) -> None:
    import shutil

    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    bin_folder = repo.path / "bin"
    repo.write({"bin/git-agent-session": f'#!/bin/sh\nexec "{sys.executable}" -m git_agent_session "$@"\n'})
    (bin_folder / "git-agent-session").chmod(0o755)
    ask = '\nCOMP_WORDS=(git agent-session hist); COMP_CWORD=2; _git_agent_session; echo "${COMPREPLY[@]}"\n'
    env = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    done = repo.run("bash", "--norc", "-c", cli("completion", "bash").out + ask, env=env)
    assert done.stdout.strip() == "history", done.stderr


def test_install_and_uninstall(repo: Repo, cli: Cli) -> None:
    before = (repo.path / ".git/config").read_bytes()
    dry = cli("install", "--dry-run")
    assert "would " in dry.out and (repo.path / ".git/config").read_bytes() == before
    assert cli("install", "--dry-run", "--json").json["changed"] is True
    assert cli("install").out.splitlines()[-1].startswith("Installed in ")
    assert "Nothing to do" in cli("install").out
    assert "would " in cli("uninstall", "--dry-run").out
    assert cli("uninstall", "--json").json["changed"] is True
    assert (repo.path / ".git/config").read_bytes() == before
