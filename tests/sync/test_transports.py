"""Sessions go over file, ssh and http; a server that refuses, is slow, breaks off or is full loses nothing."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_agent_session import sync
from tests.sync import servers
from tests.sync.servers import PASSWORD, USER
from tests.sync.team import Clone, Team, agree


def noise(n: int) -> str:
    """Text of `n` characters that does not compress to nothing."""
    return "".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz ", k=n))


def session_of(clone: Clone, size: int = 0) -> str:
    """A session with a link, and with `size` characters of text."""
    session = clone.store.start(goal="x", agent="codex").id
    for n in range(size // 50_000):
        clone.store.append(session, "message", {"role": "user", "text": noise(50_000 + n)})
    clone.store.link(session, ["HEAD"])
    return session


def back_and_forth(ada: Clone, bob: Clone) -> None:
    """Both work on one session over the transport, and agree."""
    session = session_of(ada, 200_000)
    ada.sync()
    bob.sync()
    for clone in (ada, bob):
        clone.store.log(session, "note", clone.path.name)
        clone.store.drain(session)
    ada.sync()
    bob.sync()
    ada.sync()
    agree([ada, bob])
    assert len([e for e in ada.store.history(session) if e.kind == "interaction"]) == 2


def test_over_a_file_address(team: Team, ada: Clone, bob: Clone) -> None:
    for clone in (ada, bob):
        clone.git("remote", "set-url", "origin", team.server.path.as_uri())
    back_and_forth(ada, bob)


@pytest.mark.sync
def test_over_ssh(team: Team, ada: Clone, bob: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.sshd(tmp_path / "sshd") as (start, command):
        monkeypatch.setenv("GIT_SSH_COMMAND", command)
        for clone in (ada, bob):
            clone.git("remote", "set-url", "origin", f"{start}{team.server.path}")
        back_and_forth(ada, bob)


@pytest.mark.sync
def test_ssh_that_lets_nobody_in_is_a_line_and_no_more(
    team: Team, ada: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.sshd(tmp_path / "sshd") as (start, command):
        (tmp_path / "sshd/authorized").write_text("")
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{command} -o BatchMode=yes")
        ada.git("remote", "set-url", "origin", f"{start}{team.server.path}")
        session_of(ada)
        report = sync.sync(ada.store)
    assert len(report.errors) == 1
    assert "Permission denied" in report.errors[0]


@pytest.fixture
def web(team: Team, tmp_path: Path) -> Iterator[int]:
    with servers.http(tmp_path / "web", team.root) as port:
        yield port


def by_http(clone: Clone, port: int, password: str = PASSWORD) -> None:
    """Use the server on `port`, with a password that a credential helper knows; large bodies go in chunks."""
    helper = clone.path / ".git/helper"
    helper.write_text(f'#!/bin/sh\n[ "$1" != get ] || printf "username={USER}\\npassword={password}\\n"\n')
    helper.chmod(0o755)
    clone.git("config", "credential.helper", str(helper))
    clone.git("config", "http.postBuffer", "65536")
    clone.git("remote", "set-url", "origin", f"http://127.0.0.1:{port}/server.git")


@pytest.mark.sync
def test_over_http_with_a_password_of_a_credential_helper(ada: Clone, bob: Clone, web: int, tmp_path: Path) -> None:
    for clone in (ada, bob):
        by_http(clone, web)
    back_and_forth(ada, bob)
    assert f" - {USER} " in (tmp_path / "web/access.log").read_text()


@pytest.mark.sync
def test_a_wrong_password_is_a_line_and_never_waits_for_one(ada: Clone, web: int) -> None:
    by_http(ada, web, "wrong")
    session_of(ada)
    report = sync.push(ada.store)
    assert len(report.errors) == 1 and "Authentication failed" in report.errors[0]
    by_http(ada, web)
    assert ada.sync().ok


@pytest.mark.sync
def test_a_connection_that_breaks_off_half_way_loses_nothing(ada: Clone, bob: Clone, web: int) -> None:
    session = session_of(ada, 1_000_000)
    with servers.line(web) as line:
        by_http(ada, line.port)
        line.cut = 300_000
        report = sync.sync(ada.store)
        assert line.cuts and not report.ok
        assert report.errors and "nothing is lost" in report.errors[0]
        line.cut = 0
        assert ada.sync().ok
    by_http(bob, web)
    bob.sync()
    agree([ada, bob])
    assert len(bob.store.history(session)) > 20


@pytest.mark.sync
def test_a_slow_line_is_left_when_the_time_is_up_and_gone_on_with_later(ada: Clone, bob: Clone, web: int) -> None:
    session_of(ada, 1_000_000)
    with servers.line(web) as line:
        by_http(ada, line.port)
        line.rate = 100_000
        begun = time.monotonic()
        report = sync.push(ada.store, deadline=begun + 2)
        assert time.monotonic() - begun < 15
        assert "it takes too long" in report.errors[0]
        line.rate = 2_000_000
        assert ada.sync().ok
    by_http(bob, web)
    bob.sync()
    agree([ada, bob])


def hook(team: Team, name: str, body: str) -> Path:
    path = team.server.path / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_server_that_refuses_one_ref_takes_the_others(team: Team, ada: Clone, bob: Clone) -> None:
    refused, taken = session_of(ada), session_of(ada)
    path = hook(team, "update", f'case $1 in *{refused}) echo "not this one" >&2; exit 1;; esac')
    report = sync.sync(ada.store)
    bad = [r for r in report.latest() if r.bad]
    assert [(r.session, r.status) for r in bad] == [(refused, "rejected")]
    assert "hook declined" in bad[0].reason
    assert f"refs/agent-sessions/{taken}" in team.server.git("for-each-ref")
    done = ada.cli("sync")
    assert done.returncode == 1
    assert f"error: {refused[:8]}: rejected" in done.stderr
    path.unlink()
    ada.sync()
    bob.sync()
    agree([ada, bob])


@pytest.mark.parametrize("way", ["hidden", "pre-receive"])
def test_a_server_that_takes_no_sessions_at_all_is_one_line(team: Team, ada: Clone, bob: Clone, way: str) -> None:
    for _ in range(3):
        session_of(ada)
    if way == "hidden":
        team.server.git("config", "receive.hideRefs", "refs/agent-sessions")
        team.server.git("config", "--add", "receive.hideRefs", "refs/notes")
    else:
        path = hook(team, "pre-receive", 'echo "branches only, says the policy" >&2; exit 1')
    done = ada.cli("sync")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    assert ("hidden" in errors[0] and "agentSession.remote" in errors[0]) or "says the policy" in errors[0]
    assert len(ada.store.list()) == 3
    if way == "hidden":
        team.server.git("config", "--unset-all", "receive.hideRefs")
    else:
        path.unlink()
    ada.sync()
    bob.sync()
    agree([ada, bob])


def test_a_server_without_room_is_a_line_and_the_next_sync_completes(team: Team, ada: Clone, bob: Clone) -> None:
    session_of(ada, 2_000_000)
    wrapper = team.root / "small"
    # 512-byte blocks: no file of the server may grow past 100 KB
    wrapper.write_text('#!/bin/sh\ntrap "" XFSZ\nulimit -f 200\nexec git-receive-pack "$@"\n')
    wrapper.chmod(0o755)
    ada.git("config", "remote.origin.receivepack", str(wrapper))
    # one pack, not a file for each object
    team.server.git("config", "receive.unpackLimit", "1")
    report = sync.sync(ada.store)
    assert not report.ok
    assert report.errors or [r.reason for r in report.latest() if r.bad]
    assert len(ada.store.list()) == 1
    ada.git("config", "--unset", "remote.origin.receivepack")
    ada.sync()
    bob.sync()
    agree([ada, bob])


@pytest.mark.sync
def test_a_full_disk_of_the_server_is_a_line_and_the_next_sync_completes(
    tmp_path: Path, ada: Clone, bob: Clone
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        team = Team(tmp_path, disk / "server.git")
        session_of(ada, 3_000_000)
        ada.git("remote", "set-url", "origin", str(team.server.path))
        report = sync.sync(ada.store)
        assert not report.ok
        said = " ".join([*report.errors, *(r.reason for r in report.latest() if r.bad)])
        assert "No space" in said or "unpacker error" in said, said
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        ada.sync()
        bob.git("remote", "set-url", "origin", str(team.server.path))
        bob.sync()
        agree([ada, bob])
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_remote_that_is_not_there_is_a_line(ada: Clone, tmp_path: Path) -> None:
    ada.git("remote", "set-url", "origin", str(tmp_path / "nowhere.git"))
    done = ada.cli("fetch")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "does not appear to be a git repository" in done.stderr


def test_somebody_who_is_always_first_is_waited_for(team: Team, ada: Clone, bob: Clone) -> None:
    session = session_of(ada)
    ada.sync()
    bob.sync()
    ada.store.log(session, "note", "late")
    ada.store.drain(session)
    bob.store.log(session, "note", "first")
    bob.sync()
    # ada pushes from what she last saw, is refused, and joins
    assert [r.status for r in sync.push(ada.store).results if r.session] == ["rejected"]
    ada.sync()
    bob.sync()
    agree([ada, bob])


def test_nothing_asks_for_anything_without_a_terminal(ada: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_TERMINAL_PROMPT", raising=False)
    session_of(ada)
    ada.git("remote", "set-url", "origin", "https://127.0.0.1:9/x.git")
    assert sync.push(ada.store).errors
    assert os.environ.get("GIT_TERMINAL_PROMPT") is None
