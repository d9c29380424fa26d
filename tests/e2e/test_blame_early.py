"""`blame` and `why` as processes: begun before click is loaded, they say what they say by click."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from git_agent_session import index
from git_agent_session.cli import early
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

TEXT = "".join(f"line {n}\n" for n in range(1, 9))


@pytest.fixture
def work(repo: Repo) -> str:
    """A file with lines of a session's, of a person's, of nobody's commit; returns the session's id."""
    store = _store(repo)
    first = repo.commit("by hand", files={"f.py": "line 1\nline 2\n", "b\t\u202e.bin": b"\0\xff\n\xfe\n", "empty": ""})
    session = store.start(goal="Add \x1b[31mlines", agent="codex", activate=False).id
    store.append(session, "message", {"role": "user", "text": "Add six lines"})
    commit = repo.commit("Six lines\u202e", files={"f.py": TEXT})
    tree, *parents = repo.git("show", "-s", "--format=%T %P", commit).split()
    link = {"commit": commit, "tree": tree, "parents": parents, "via": "env", "paths": ["f.py"]}
    store.append(session, "commit", link, id=f"commit-{commit}")
    lines = [{"path": "f.py", "agent": "3-5@1", "human": "6"}]
    store.append(session, "lines", {"commit": commit, "by": "edits", "prompt": 1, "files": lines})
    store.drain(session)
    assert first
    repo.write({"f.py": TEXT + "not committed\n", "sub/x": "x\n"})
    return session


def _store(repo: Repo) -> Store:
    import git_agent_session

    return git_agent_session.open(str(repo.path))


CALLS = [
    *("blame f.py", "blame --porcelain f.py", "blame --json f.py", "blame -L2,3 f.py", "blame -L 2,+2 -L7 -w f.py"),
    *("blame HEAD~ f.py", "blame --since 2001-01-01 f.py", "blame --since=2001-01-01 f.py", "blame b\t\u202e.bin"),
    *("blame empty", "why f.py:4", "why f.py:4,6", "why f.py:4-6", "why --json f.py:1,9", "why --full f.py"),
    *("why f.py", "why f.py:9", "why -n 1 f.py", "why HEAD", "blame -h", "why --help", "why empty"),
    # and what is wrong
    *("blame", "blame none", "blame --json none", "blame nope f.py", "blame HEAD f.py more", "blame -L99 f.py"),
    *("blame --porcelain --json f.py", "blame -L", "blame -Q f.py", "blame -L '' f.py", "blame --since f.py"),
    *("why", "why nope", "why none.py:3", "why f.py:0", "why f.py:5,2", "why f.py:99", "why f.py: ", "why f.py more"),
    *("why --json f.py:99", "blame -- f.py", "blame sub", "why sub/x:1", "blame --output=x f.py"),
]


def _split(call: str) -> list[str]:
    return [word if word != "''" else "" for word in call.split(" ")]


@pytest.fixture
def twins(repo: Repo, work: str, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.chdir(repo.path)
    return repo


def _timeless(said: str) -> str:
    """What was said, without how long ago, and the moment that git gives to lines which are in no commit."""
    said = re.sub(r"\d+ (?:second|minute)s? ago", "ago", said)
    return re.sub(r"^((?:author|committer)-time) \d+$", r"\1", said, flags=re.M)


def _early(words: Sequence[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str] | None:
    """What a call begun early does in this process; None where it is click's."""
    capfd.readouterr()
    status = early.main(words)
    gc.enable()
    said = capfd.readouterr()
    return None if status is None else (status, _timeless(said.out), said.err)


def test_both_ways_in_say_the_same(twins: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    cli, begun = Cli(twins), 0
    for call in CALLS:
        words = _split(call)
        done = cli(*words, code=None)
        found = _early(words, capfd)
        if found is not None:
            begun += 1
            assert found == (done.code, _timeless(done.out), done.err), call
    assert begun > 20


def test_what_is_wrong_in_itself_is_clicks(twins: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    for call in (
        "blame",
        "blame -Q f.py",
        "blame HEAD f.py x",
        "why f.py:0",
        "why nope",
        "why HEAD",
        "blame -L '' f.py",
    ):
        assert _early(_split(call), capfd) is None


def test_the_process_says_the_same_and_ends_well(twins: Repo, work: str) -> None:
    for call in ("blame f.py", "blame --porcelain f.py", "why f.py:4", "blame none", "why f.py:99"):
        words, done = _split(call), Cli(twins)(*_split(call), code=None)
        ran = subprocess.run([sys.executable, "-m", "git_agent_session", *words], cwd=twins.path, capture_output=True)
        said = (ran.returncode, _timeless(ran.stdout.decode()), ran.stderr.decode())
        assert said == (done.code, _timeless(done.out), done.err), call


def test_an_index_changes_nothing_that_is_said(twins: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    before = _early(["blame", "f.py"], capfd)
    index.open(_store(twins)).refresh()
    assert _early(["blame", "f.py"], capfd) == before
    assert before is not None and before[1].count(" agent ") == 3


def test_outside_of_a_repository_it_is_clicks_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path / "none")
    assert _early(["blame", "f"], capfd) is None


def test_in_a_bare_repository_and_below_the_top(twins: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twins.git("clone", "-q", "--mirror", str(twins.path), str(tmp_path / "bare"))
    bare = Repo(tmp_path / "bare")
    monkeypatch.chdir(bare.path)
    assert Cli(bare)("blame", "HEAD", "f.py").out.count("\n") == 8
    twins.commit("below", files={"sub/x": "x\n"})
    below = Repo(twins.path / "sub")
    assert Cli(below)("why", "x:1").out.startswith("x:1  written by a person")


def test_a_reader_that_goes_away_is_no_error(twins: Repo) -> None:
    twins.commit("long", files={"long": "text of a line\n" * 20_000})
    argv = [sys.executable, "-m", "git_agent_session", "blame", "long"]
    with subprocess.Popen(argv, cwd=twins.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() in (0, 141)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("call", ["blame f.py", "blame -- f.py", "why f.py:1", "why -- f.py"])
def test_nothing_is_run_that_another_users_repository_names(repo: Repo, tmp_path: Path, call: str) -> None:
    repo.commit("one", files={"f.py": "line 1\n", ".gitattributes": "f.py diff=theirs\n"})
    ran = tmp_path / "ran"
    repo.git("config", "diff.theirs.textconv", f"touch {ran}; cat")
    os.chown(repo.path / ".git", 12345, 12345)
    done = repo.cli(*call.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    assert "git config --global --add safe.directory" in done.stderr
    assert not ran.exists()
    repo.run("git", "config", "--global", "--add", "safe.directory", str(repo.path))
    assert repo.cli(*call.split()).returncode == 0 and ran.exists()


@pytest.mark.parametrize("call", ["blame f.py", "blame -- f.py", "why f.py:1", "list", "push"])
def test_a_bare_repository_that_lies_in_a_folder_is_refused_where_git_refuses_it(
    repo: Repo, tmp_path: Path, call: str
) -> None:
    repo.commit("one", files={"f.py": "line 1\n"})
    # what a clone could hold as files
    inner = Repo(repo.path / "inner")
    repo.git("clone", "-q", "--bare", str(repo.path), str(inner.path))
    ran = tmp_path / "ran"
    for key, value in {"bare": "false", "worktree": ".", "fsmonitor": f"touch {ran}; false"}.items():
        inner.run("git", "config", "--file", "config", f"core.{key}", value)
    inner.write({"f.py": "line 1\nline 2\n"})
    repo.git("config", "--global", "safe.bareRepository", "explicit")
    if inner.run("git", "rev-parse", "--git-dir", check=False).returncode == 0:
        pytest.skip("this git does not know safe.bareRepository")
    done = inner.cli(*call.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    assert "safe.bareRepository is explicit" in done.stderr and "export GIT_DIR=" in done.stderr
    assert not ran.exists()
    if call != "push":
        assert inner.cli(*call.split(), env={"GIT_DIR": str(inner.path)}).returncode == 0
