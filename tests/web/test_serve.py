"""`serve` as a process: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from git_agent_session.web import server
from tests.e2e.cli import Cli
from tests.harness import Repo
from tests.web.conftest import Client


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_where_it_is_and_ends_cleanly(repo: Repo, number: int) -> None:
    argv = [sys.executable, "-m", "git_agent_session", "serve", "--port", "0"]
    with subprocess.Popen(argv, cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        url, token = (line.split()[-1] for line in lines[1:])
        client = Client(server.Address(url, token, ()))
        # an open connection does not keep it
        held = client.connect()
        held.connect()
        assert client.get("/sessions") == []
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout.read() == process.stderr.read() == ""
        held.close()


def test_a_port_in_use_is_one_line(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is in use" in cli.fails("serve", "--port", str(port))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_other_machines_are_kept_out_unless_asked_for(cli: Cli, host: str) -> None:
    assert "--expose" in cli.fails("serve", "--host", host, code=2)


def test_further_names_are_for_a_server_that_others_reach(cli: Cli) -> None:
    assert "--expose" in cli.fails("serve", "--name", "sessions.example.org", code=2)


def test_an_address_that_this_machine_has_not_is_one_line(cli: Cli) -> None:
    assert "cannot listen on 192.0.2.1" in cli.fails("serve", "--host", "192.0.2.1", "--expose")


def test_a_port_that_is_none_is_refused(cli: Cli) -> None:
    cli.fails("serve", "--port", "70000", code=2)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_token_that_others_can_read_is_refused(cli: Cli, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-of-enough-letters\n")
    path.chmod(mode)
    assert "others can read" in cli.fails("serve", "--token-file", str(path), code=2)


@pytest.mark.parametrize("text", ["", "short", "two words that are long enough", "ünïcödé-is-no-token-of-http"])
def test_a_file_without_a_token_is_refused(cli: Cli, tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    cli.fails("serve", "--token-file", str(path), code=2)
    cli.fails("serve", "--token-file", str(tmp_path / "none"), code=2)


def test_a_token_from_a_file_is_the_one_that_counts_and_is_not_printed(repo: Repo, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-of-enough-letters\n")
    path.chmod(0o600)
    argv = [sys.executable, "-m", "git_agent_session", "serve", "--port", "0", "--json", "--token-file", str(path)]
    with subprocess.Popen(argv, cwd=repo.path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads("".join(process.stdout.readline() for _ in range(3)))
        assert set(told) == {"url"}
        client = Client(server.Address(told["url"], "a-token-of-enough-letters", ()))
        assert client.get("/sessions") == []
        process.terminate()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("command", ["serve", "web"])
def test_what_git_passes_on_of_a_signal_is_not_asked_for_twice(repo: Repo, command: str) -> None:
    argv = [sys.executable, "-m", "git_agent_session", command, "--port", "0"]
    with subprocess.Popen(argv, cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        # the terminal's, and what git then sends to its child
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = process.stderr.read()
        assert "ERROR" not in said and "Traceback" not in said


def test_tokens_are_new_each_time_and_long() -> None:
    made = {server.new_token() for _ in range(20)}
    assert len(made) == 20 and min(map(len, made)) >= 43


def test_without_the_extra_the_line_that_installs_it_is_printed(repo: Repo, tmp_path: Path) -> None:
    hide = "import sys; sys.modules['uvicorn'] = None\nfrom git_agent_session.__main__ import main\nsys.exit(main())"
    done = repo.run(sys.executable, "-c", hide, "serve")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "uvicorn" in done.stderr and "install.sh --with web" in done.stderr


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "not a git repository" in Cli(Repo(tmp_path / "plain")).fails("serve", "--port", "0")
