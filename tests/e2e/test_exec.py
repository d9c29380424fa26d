"""`exec`: any command inside a session, with its output, its exit status, its signals and its commits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from git_agent_session.errors import SessionState, UsageError
from git_agent_session.model import Event
from git_agent_session.store import left_open
from git_agent_session.store.store import Store
from git_agent_session.work import execute, tasks
from tests.e2e.cli import Cli
from tests.harness import Repo

PY = sys.executable
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and shells of POSIX")


def run(store: Store, code: str, **how: Any) -> execute.Ran:
    """A Python program inside a session of `store`."""
    return execute.run(store, [PY, "-c", code], folder=str(store.repo.location.worktree), **how)


def recorded(store: Store, session: str) -> list[Event]:
    return store.history(session, kinds=("exec",))


# -- what is recorded


def test_how_it_went_is_recorded_behind_its_start(store: Store, session: str) -> None:
    ran = run(store, "print('all is well')")
    start, stop = recorded(store, session)
    assert (start.data["action"], start.data["run"]) == ("start", ran.run)
    assert start.data["command"].endswith("""-c 'print('"'"'all is well'"'"')'""")
    assert stop.data["exit"] == 0 and stop.data["outcome"] == "ok" and stop.data["tail"] == "all is well"
    assert stop.data["duration_ms"] == round(ran.seconds * 1000)
    assert ran.session == session and not ran.opened


def test_the_exit_status_of_a_command_that_fails_is_recorded(store: Store, session: str) -> None:
    assert run(store, "raise SystemExit(7)").exit == 7
    assert recorded(store, session)[-1].data["outcome"] == "error"


def test_the_start_is_written_before_the_command_runs(store: Store, session: str) -> None:
    here = str(store.repo.location.worktree)
    code = "import git_agent_session as g; print(len(g.open().history(kinds=('exec',))))"
    found = execute.run(store, [PY, "-c", code], folder=here)
    assert found.tail == "1"
    assert len(recorded(store, session)) == 2


def test_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(
    store: Store, session: str, tmp_path: Path
) -> None:
    gone = execute.run(store, ["no-such-program-anywhere"])
    assert gone.exit == 127 and gone.error.startswith("no-such-program-anywhere: ")
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    if sys.platform != "win32":
        assert execute.run(store, [str(plain)]).exit == 126
    assert recorded(store, session)[1].data["error"] == gone.error


def test_the_folder_is_recorded_below_the_worktree(store: Store, session: str, tmp_path: Path) -> None:
    below = Path(str(store.repo.location.worktree)) / "a" / "b"
    below.mkdir(parents=True)
    execute.run(store, [PY, "-c", ""], folder=str(below))
    execute.run(store, [PY, "-c", ""], folder=str(tmp_path))
    folders = [e.data.get("folder") for e in recorded(store, session) if e.data["action"] == "start"]
    assert folders == ["a/b", None]


def test_its_commits_are_linked_and_named(hooked: Repo, store: Store, session: str) -> None:
    hooked.write({"g": "1"})
    ran = execute.run(store, ["git", "commit", "-q", "--allow-empty", "-m", "by exec"], folder=str(hooked.path))
    assert ran.commits == (hooked.git("rev-parse", "HEAD"),)
    assert [(k.commit, k.via) for k in store.commits(session)] == [(ran.commits[0], "env")]
    assert recorded(store, session)[-1].data["commits"] == list(ran.commits)


# -- the tail


def test_the_tail_holds_no_secret_in_whatever_form_it_was_written(store: Store, session: str) -> None:
    key = "AKIA" + "Q3EGRVKJ7PXN4ZTM"
    code = f"print('key \\x1b[31mAKIA\\x1b[0m{key[4:]}'); print('aws_access_key_id={key}')"
    ran = run(store, code)
    assert key not in ran.tail and key not in str(recorded(store, session)[-1].to_dict())
    assert "aws_access_key_id=" in ran.tail


def test_a_secret_on_the_command_line_is_not_recorded(store: Store, session: str) -> None:
    key = "AKIA" + "Q3EGRVKJ7PXN4ZTM"
    execute.run(store, [PY, "-c", "", key])
    assert key not in str([e.to_dict() for e in recorded(store, session)])


def test_the_tail_is_the_last_lines_within_its_bound(store: Store, session: str) -> None:
    ran = run(store, "for n in range(100000): print('line', n)")
    assert ran.tail.endswith("line 99999") and len(ran.tail) <= execute.MAX_TAIL
    assert ran.tail.startswith("line ")
    assert recorded(store, session)[-1].data["bytes"] == sum(len(f"line {n}{os.linesep}") for n in range(100000))


def test_a_line_that_was_drawn_over_is_recorded_once() -> None:
    tail = execute.Tail()
    tail.add(b"\x1b[2K10%\r 50%\r100%\r\nnext\x07 \xff\r\n")
    assert tail.text(lambda text: text) == "100%\nnext \ufffd"


def test_a_line_cut_at_its_beginning_is_left_out() -> None:
    tail = execute.Tail()
    tail.add(b"secret-" + b"x" * 70_000 + b"\n" + b"y" * 60_000 + b"\nlast\n")
    assert tail.text(lambda text: text) == "last"


def test_what_stdout_and_stderr_get_is_told_apart(store: Store, session: str) -> None:
    got: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def keep(output: execute.Output) -> None:
        got[output.stream] += output.data

    run(store, "import sys, os; os.write(1, b'\\x00\\xffout'); os.write(2, b'err')", on_output=keep)
    assert got == {"stdout": b"\x00\xffout", "stderr": b"err"}


# -- which session


def test_without_a_session_one_is_opened_and_ended_with_the_command(store: Store) -> None:
    ran = run(store, "import os; print(os.environ['GIT_AGENT_SESSION'])")
    made = store.get(ran.session)
    assert ran.opened and ran.tail == made.id and made.status == "completed"
    assert made.goal.startswith("Run ") and store.current_id() is None
    assert not (Path(store.shared) / "lock" / f"run-{made.id}").exists()


def test_a_session_opened_for_a_command_that_fails_has_failed(store: Store) -> None:
    ended = store.get(run(store, "raise SystemExit(3)").session)
    assert (ended.status, ended.message) == ("failed", "exit status 3")


def test_nothing_runs_in_a_session_that_is_ended_or_paused(store: Store, session: str) -> None:
    store.pause(session)
    with pytest.raises(SessionState, match="paused"):
        run(store, "")
    store.end(session)
    with pytest.raises(SessionState, match="completed"):
        run(store, "", session=session)
    assert recorded(store, session) == []


def test_nothing_to_run_is_a_wrong_call(store: Store, session: str) -> None:
    with pytest.raises(UsageError):
        execute.run(store, [])
    with pytest.raises(UsageError):
        execute.run(store, ["a\0b"])


# -- tasks


def test_a_task_is_added_started_and_done_with_the_command(store: Store, session: str) -> None:
    run(store, "", task="Build the pages")
    found = tasks.list(store, session)
    assert [(t.title, t.status, t.over) for t in found] == [("Build the pages", "done", True)]
    assert found[0].duration_ms is not None
    assert [e.data["task"] for e in recorded(store, session)] == [found[0].id] * 2


def test_a_task_that_is_there_is_taken_by_id_or_title(store: Store, session: str) -> None:
    tasks.add(store, session, "Test it", id="T001")
    run(store, "raise SystemExit(2)", task="T001")
    run(store, "", task="Test it")
    kinds = [e.data["action"] for e in store.history(session, kinds=("task",))]
    assert kinds == ["add", "start", "fail", "start", "done"]
    assert [t.id for t in tasks.list(store, session)] == ["T001"]
    failed = store.history(session, kinds=("task",))[2].data
    assert failed["outcome"] == "exit status 2"


# -- as a stream


def test_a_stream_has_the_start_the_output_and_the_end(store: Store, session: str) -> None:
    steps = list(execute.stream(store, [PY, "-c", "print(1)"]))
    assert [type(s) for s in steps] == [execute.Started, execute.Output, execute.Ran]
    assert isinstance(steps[-1], execute.Ran) and steps[-1].to_dict()["exit"] == 0


def test_output_comes_while_the_command_runs(store: Store, session: str) -> None:
    code = "import sys, time; print('now', flush=True); time.sleep(60)"
    steps = execute.stream(store, [PY, "-c", code])
    began = time.monotonic()
    assert isinstance(next(steps), execute.Started)
    output = next(steps)
    assert isinstance(output, execute.Output) and output.data.strip() == b"now"
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 50


@posix
def test_closing_a_stream_ends_the_command_and_all_it_started(store: Store, session: str) -> None:
    steps = execute.stream(store, ["sh", "-c", "sleep 60 & echo $!; wait"])
    next(steps)
    output = next(steps)
    assert isinstance(output, execute.Output)
    steps.close()  # type: ignore[attr-defined]
    stop = recorded(store, session)[-1].data
    assert (stop["exit"], stop["signal"], stop["outcome"]) == (143, "SIGTERM", "interrupted")
    assert wait_for_end(int(output.data))


def wait_for_end(pid: int) -> bool:
    """True once a process is gone, or is one that nobody has waited for yet."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@posix
def test_what_a_command_leaves_running_does_not_hold_us(store: Store, session: str) -> None:
    began = time.monotonic()
    ran = execute.run(store, ["sh", "-c", "sleep 60 & echo $!"])
    assert ran.exit == 0 and time.monotonic() - began < 50
    os.kill(int(ran.tail), signal.SIGKILL)


@posix
def test_a_reader_that_is_gone_is_noticed_by_the_command(store: Store, session: str) -> None:
    def gone(output: execute.Output) -> None:
        raise BrokenPipeError

    ran = execute.run(store, ["sh", "-c", "while :; do echo y; done"], on_output=gone)
    assert (ran.exit, ran.signal) == (128 + signal.SIGPIPE, "SIGPIPE")


# -- the command


def test_output_and_exit_status_are_the_commands(hooked: Repo, store: Store, session: str) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); print(sys.stdin.read()); sys.exit(9)"
    done = hooked.cli("exec", "--", PY, "-c", code, input="from us")
    assert (done.stdout, done.stderr, done.returncode) == ("out\nfrom us\n", "err\n", 9)


def test_options_behind_the_command_are_the_commands_own(hooked: Repo, session: str) -> None:
    assert Cli(hooked)("exec", PY, "-c", "import sys; print(sys.argv[1:])", "--task", "-v", "--help").out == (
        "['--task', '-v', '--help']\n"
    )


def test_verbose_says_where_it_ran(hooked: Repo, session: str) -> None:
    err = Cli(hooked)("exec", "-v", "--", "git", "commit", "-q", "--allow-empty", "-m", "m").err
    assert err.startswith(f"session {session[:8]}: exit status 0 after ") and ", commits " in err


def test_no_command_is_refused(hooked: Repo) -> None:
    assert "there is no command" in Cli(hooked).fails("exec", "--", code=2)


def test_an_option_that_there_is_not_is_refused_and_nothing_is_run(hooked: Repo, store: Store) -> None:
    assert "no such option '--tsak'" in Cli(hooked).fails("exec", "--tsak", "T1", "--", "true", code=2)
    assert store.list() == []


@pytest.mark.parametrize("argv", ["make test", b"make", [5], ["make", None], 5, ["\ud800"]])
def test_what_are_no_words_is_refused_and_nothing_is_recorded(store: Store, argv: Any) -> None:
    with pytest.raises(UsageError, match=r"must be a|half of one"):
        execute.run(store, argv)
    assert store.list() == []


@posix
def test_a_word_in_another_encoding_is_run_as_it_is_and_recorded_as_text(
    hooked: Repo, store: Store, session: str
) -> None:
    argv: list[str | bytes] = [PY, "-m", "git_agent_session", "exec", "--", "printf", "%s", b"caf\xe9"]
    done = subprocess.run(argv, cwd=hooked.path, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"caf\xe9", b"")
    assert recorded(store, session)[0].data["command"] == "printf %s 'caf?'"


def test_a_command_that_is_not_there_is_said_in_a_line(hooked: Repo, session: str) -> None:
    done = Cli(hooked)("exec", "--", "no-such-program", code=127)
    assert done.err.startswith("error: no-such-program: ") and done.err.count("\n") == 1


@posix
def test_a_signal_that_ends_the_command_is_128_and_its_number(hooked: Repo, session: str) -> None:
    assert hooked.cli("exec", "--", "sh", "-c", "kill -9 $$").returncode == 137


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_signals_go_on_to_the_command(hooked: Repo, store: Store, session: str, name: str) -> None:
    short = name.removeprefix("SIG")
    script = f"trap 'echo got {short}; exit 5' {short}; echo ready; while :; do sleep 0.05; done"
    process = begin(hooked, script)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, name))
    assert process.stdout.read() == f"got {short}\n".encode() and process.wait(20) == 5
    assert recorded(store, session)[-1].data["exit"] == 5


@posix
def test_stopping_and_going_on_reach_the_command(hooked: Repo, store: Store, session: str) -> None:
    process = begin(hooked, "trap 'echo again; exit 0' CONT; echo ready $$; while :; do sleep 0.05; done")
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[1])
    process.send_signal(signal.SIGTSTP)
    assert state(process.pid, "T") and state(child, "T")
    process.send_signal(signal.SIGCONT)
    assert process.stdout.read() == b"again\n" and process.wait(20) == 0


def state(pid: int, wanted: str) -> bool:
    """True once a process is in a state of ps(1)."""
    for _ in range(1000):
        found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if found.stdout.strip().startswith(wanted):
            return True
        time.sleep(0.05)
    return False


def begin(repo: Repo, script: str) -> subprocess.Popen[bytes]:
    """`exec` of a shell script, begun as a shell's job: in a process group of its own, in our session."""
    return subprocess.Popen(
        [PY, "-m", "git_agent_session", "exec", "--", "sh", "-c", script],
        cwd=repo.path,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        process_group=0,
    )


# -- killed


@posix
def test_what_was_recorded_survives_a_kill_and_the_session_is_known_to_be_left(hooked: Repo, store: Store) -> None:
    process = begin(hooked, "echo $GIT_AGENT_SESSION $$; exec sleep 60")
    assert process.stdout is not None
    session, child = process.stdout.readline().decode().split()
    assert left_open.why(store.shared, store.get(session)) == ""
    process.kill()
    process.wait()
    os.kill(int(child), signal.SIGKILL)
    assert [e.data["action"] for e in recorded(store, session)] == ["start"]
    assert left_open.why(store.shared, store.get(session)) == "`exec` was killed while its command ran"


# -- a terminal


@posix
def test_on_a_terminal_the_command_sees_the_terminal_and_its_size(hooked: Repo, store: Store, session: str) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && stty size; exit 4"
    status, shown = on_terminal(hooked, ["exec", "--", "sh", "-c", script])
    assert status == 4 and shown.strip() == b"17 91"
    stop = recorded(store, session)[-1].data
    assert "tail" not in stop and stop["bytes"] == 0 and stop["exit"] == 4


@posix
def test_what_is_typed_to_interrupt_reaches_the_command_once(hooked: Repo, session: str) -> None:
    script = "trap 'echo one' INT; echo ready; sleep 1; sleep 1; echo over"
    status, shown = on_terminal(hooked, ["exec", "--", "sh", "-c", script], typed=b"\x03")
    assert status == 0 and shown.count(b"one") == 1 and shown.rstrip().endswith(b"over")


def on_terminal(repo: Repo, words: list[str], typed: bytes = b"") -> tuple[int, bytes]:
    """Run a command on a terminal of 17 by 91; `typed` is typed once it says `ready`. Its status and what it showed."""
    import fcntl
    import pty
    import struct
    import termios

    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(repo.path)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 17, 91, 0, 0))
        os.execv(PY, [PY, "-m", "git_agent_session", *words])
    shown = b""
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if typed and b"ready" in shown:
            os.write(fd, typed)
            typed = b""
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown
