"""Promise 1: whatever is killed and however many write at once, what was acknowledged is there afterwards, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import journal, live
from git_agent_session.git import repository
from git_agent_session.hooks import installer
from git_agent_session.store import links
from tests.harness import Repo

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked")


def notes(repo: Repo) -> dict[str, list[str]]:
    """Commit -> the sessions in its note, read by git."""
    text = repo.git("log", "--all", "--notes=agent-sessions", "--format=%x01%H%n%N")
    found = {}
    for block in text.split("\x01")[1:]:
        commit, _, note = block.partition("\n")
        found[commit] = [n.session_id for n in links.parse(note)]
    return found


def write_in_worktrees(repo: Repo, tmp_path: Path, writers: int, commits: int) -> None:
    installer.install(str(repo.path))
    repo.commit("root", files={"f": "1"})
    store = git_agent_session.open(str(repo.path))
    ids = []
    running = []
    script = 'n=0; while [ $n -lt $1 ]; do git commit -q --allow-empty -m "$2 $n" || exit 1; n=$((n + 1)); done'
    for n in range(writers):
        repo.git("worktree", "add", "-q", str(tmp_path / f"wt{n}"), "-b", f"b{n}")
        ids.append(git_agent_session.open(str(tmp_path / f"wt{n}")).start(goal=f"writer {n}", agent="codex").id)
    for n in range(writers):
        argv = ["sh", "-c", script, "sh", str(commits), f"w{n}"]
        running.append(subprocess.Popen(argv, cwd=tmp_path / f"wt{n}"))
    while any(p.poll() is None for p in running):
        # a reader and a drainer of the same sessions, all the while
        store.drain_all()
        store.list()
    assert [p.returncode for p in running] == [0] * writers
    noted = notes(repo)
    assert sum(len(v) for v in noted.values()) == writers * commits
    for n, session_id in enumerate(ids):
        made = set(repo.lines("rev-list", f"main..b{n}"))
        assert len(made) == commits
        assert {link.commit for link in store.commits(session_id)} == made
        assert all(noted[c] == [session_id] for c in made)
    assert store.drain_all() == []
    assert all(store.get(i).counts["commits"] == commits for i in ids)
    assert repo.run("git", "fsck", "--strict").returncode == 0


@pytest.mark.large
@pytest.mark.parametrize("commits", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_eight_writers_in_worktrees_of_their_own(repo: Repo, tmp_path: Path, commits: int) -> None:
    write_in_worktrees(repo, tmp_path, 8, commits)


def forked(work: object) -> tuple[int, int]:
    """Run `work(fd)` in a forked child; returns its pid and the end of a pipe that it writes acknowledgements to."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            work(write_end)  # type: ignore[operator]
        finally:
            os._exit(0)
    os.close(write_end)
    return pid, read_end


def acknowledged(read_end: int) -> list[str]:
    data = b""
    while chunk := os.read(read_end, 65536):
        data += chunk
    os.close(read_end)
    return [text for text in data.decode().split("\n")[:-1] if text]


@pytest.mark.kills
def test_killed_writers_lose_no_acknowledged_event(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    kills = 200
    # a killed writer leaves its ref locked; waiting half a minute for each is not what is tested
    monkeypatch.setattr(repository, "STALE_LOCK_SECONDS", 0.05)
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    session_id = git_agent_session.open(str(repo.path)).start(goal="survive").id
    acked: list[str] = []
    for round_ in range(kills // 2):
        marks = (f"{round_}a", f"{round_}b")

        def write(fd: int, mark: str) -> None:
            store = git_agent_session.open(str(repo.path))
            for n in range(10_000):
                event_id = f"e-{mark}-{n}"
                store.append(session_id, "interaction", {"type": "note", "text": "x" * 300}, id=event_id)
                os.write(fd, f"{event_id}\n".encode())
                if n % 4 == 3:
                    store.drain(session_id)

        children = [forked(lambda fd, m=mark: write(fd, m)) for mark in marks]
        time.sleep(dice.random() * 0.04)
        for pid, _ in children:
            os.kill(pid, signal.SIGKILL)
        for pid, fd in children:
            os.waitpid(pid, 0)
            acked += acknowledged(fd)
    time.sleep(0.06)
    store = git_agent_session.open(str(repo.path))
    before = Counter(e.id for e in store.history(session_id))
    store.drain(session_id)
    after = Counter(e.id for e in git_agent_session.open(str(repo.path)).history(session_id))
    assert before == after, f"seed {seed}"
    assert set(acked) <= set(after), f"seed {seed}"
    assert max(after.values()) == 1, f"seed {seed}"
    assert store.get(session_id).counts["events"] == len(after)
    assert len(acked) > kills
    assert journal.waiting(store.shared) == set()
    assert repo.run("git", "fsck", "--strict").returncode == 0


@pytest.mark.kills
def test_killed_commits_lose_no_link_of_a_commit_that_returned(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "STALE_LOCK_SECONDS", 0.05)
    installer.install(str(repo.path))
    repo.commit("root", files={"f": "1"})
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="survive").id
    dice = random.Random(7)
    returned = []
    begun = time.monotonic()
    repo.commit("how long does one take")
    usual = time.monotonic() - begun
    for n in range(60):
        process = subprocess.Popen(
            ["git", "commit", "-q", "--allow-empty", "-m", str(n)], cwd=repo.path, start_new_session=True
        )
        try:
            process.wait(timeout=dice.random() * usual if n % 4 else 30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode == 0:
            returned.append(repo.git("rev-parse", "HEAD"))
        # git never breaks its own locks; that is for its users
        for lock in ("index.lock", "HEAD.lock", "refs/heads/main.lock", "refs/notes/agent-sessions.lock"):
            (repo.path / ".git" / lock).unlink(missing_ok=True)
    time.sleep(0.06)
    linked = {link.commit for link in store.commits(session_id)}
    assert set(returned) <= linked
    assert linked <= set(repo.lines("rev-list", "HEAD"))
    store.drain(session_id)
    noted = notes(repo)
    assert all(noted[c] == [session_id] for c in linked)
    assert len(returned) >= 15
    assert set(returned) < linked  # some were killed after the commit, before its hook was done


def test_an_append_during_a_drain_lands_once(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id

    def write(fd: int) -> None:
        mine = git_agent_session.open(str(repo.path))
        for n in range(800):
            mine.append(session_id, "metric", {"name": "n", "value": n}, id=f"m-{n}")

    pid, fd = forked(write)
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        store.drain(session_id)
        assert len(store.history(session_id, kinds=["metric"])) <= 800
    os.close(fd)
    store.drain(session_id)
    values = [e.data["value"] for e in store.history(session_id, kinds=["metric"])]
    assert values == list(range(800))
    assert store.get(session_id).counts["metrics"] == 800


def test_two_drains_at_once_write_each_event_once(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id
    for n in range(300):
        store.append(session_id, "metric", {"name": "n", "value": n})
    children = [forked(lambda fd: git_agent_session.open(str(repo.path)).drain(session_id)) for _ in range(4)]
    for pid, fd in children:
        os.waitpid(pid, 0)
        os.close(fd)
    assert len(store.history(session_id)) == 301
    assert store.get(session_id).counts["metrics"] == 300


def test_notes_written_by_git_and_by_us_at_once_all_survive(repo: Repo) -> None:
    installer.install(str(repo.path))
    commits = [repo.commit(str(n)) for n in range(40)]
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id
    script = 'for c in $1; do git commit -q --amend --allow-empty -m "$c"; done'
    process = subprocess.Popen(["sh", "-c", script, "sh", " ".join("abcdefghij")], cwd=repo.path)
    for commit in commits[:-1]:
        store.link(session_id, [commit])
    assert process.wait() == 0
    # git's own copying of notes overwrites what others write in the same moment; the next look mends that
    store.drain(session_id)
    noted = notes(repo)
    assert all(noted[c] == [session_id] for c in commits[:-1])
    assert noted[repo.git("rev-parse", "HEAD")] == [session_id]


def test_torn_journal_piece_is_set_aside_and_the_rest_is_read(repo: Repo) -> None:
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id
    store.log(session_id, "note", "before")
    path = Path(journal.folder(store.shared)) / f"{session_id}.toml"
    with path.open("ab") as f:
        f.write(b'\n[[event]]\nid = "half"\nat = "2026-01-01T00:0')
    store.log(session_id, "note", "after")
    texts = [e.data["text"] for e in store.history(session_id, kinds=["note"])]
    assert texts == ["before", "after"]
    store.drain(session_id)
    assert [e.data["text"] for e in store.history(session_id, kinds=["note"])] == texts
    (torn,) = journal.torn_files(store.shared)
    assert b'id = "half"' in Path(torn).read_bytes()


def test_full_disk_says_so_and_loses_nothing_that_was_acknowledged(repo: Repo, tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: the write is cut short in the same way."""
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id
    store.log(session_id, "note", "first")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import git_agent_session as g\n"
        "s = g.open(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "try: s.log(sys.argv[2], 'note', 'y' * 5000)\n"
        "except g.AgentSessionError as e: print(e.line()); sys.exit(1)\n"
    )
    done = repo.run(sys.executable, "-c", code, str(repo.path), session_id)
    assert done.returncode == 1
    assert "cannot write the journal" in done.stdout
    store.log(session_id, "note", "last")
    assert [e.data["text"] for e in store.history(session_id, kinds=["note"])] == ["first", "last"]


def test_session_survives_the_loss_of_everything_derived(repo: Repo) -> None:
    installer.install(str(repo.path))
    store = git_agent_session.open(str(repo.path))
    session_id = store.start(goal="x").id
    commit = repo.commit("work")
    store.end(session_id)
    store.list()
    for path in (Path(store.shared) / "seen").iterdir():
        path.write_bytes(b"\x00garbage\n= 123")
    (Path(store.shared) / "index.sqlite").write_bytes(b"garbage")
    fresh = git_agent_session.open(str(repo.path))
    assert [s.id for s in fresh.list()] == [session_id]
    assert [link.commit for link in fresh.commits(session_id)] == [commit]
    fresh.log(session_id, "note", "late")
    fresh.drain(session_id)
    assert fresh.get(session_id).counts["events"] == 4
    assert not live.is_open(fresh.shared, session_id)
