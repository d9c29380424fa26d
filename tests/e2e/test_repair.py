"""`doctor --repair`: what is derived agrees with the sessions again, what the dead left is gone, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session import live
from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS
from git_agent_session.hooks import installer
from git_agent_session.store import archive, links
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.test_archive import ended
from tests.harness import Repo

NOBODY = "11111111-2222-4333-8444-555555555555"
OLD = time.time() - 3600


class Mended:
    """`mended("--dry-run")`: the repairs as JSON, hooks' programs out of the way."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.cli = Cli(repo)
        self.env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def __call__(self, *args: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cli("doctor", "--repair", "--json", *args, code=None).json["repairs"]
        return found

    def kinds(self, *args: str) -> list[str]:
        return [row["kind"] for row in self(*args)]


@pytest.fixture
def mended(repo: Repo, tmp_path: Path) -> Mended:
    repo.commit("root", files={"f": "1\n"})
    return Mended(repo, tmp_path)


def read(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def linked(repo: Repo) -> tuple[str, str]:
    """An open session with a linked commit; returns both ids."""
    store = read(repo)
    session_id = store.start(goal="g", agent="codex").id
    commit = repo.commit("c")
    store.link(session_id, [commit])
    return session_id, commit


def noted(repo: Repo, commit: str) -> list[tuple[str, bool]]:
    return [(n.session_id, n.primary) for n in links.parse(notes.read(read(repo).repo, commit))]


def test_where_nothing_is_wrong_nothing_is_done(repo: Repo, mended: Mended) -> None:
    linked(repo)
    before = repo.git("for-each-ref")
    assert mended() == []
    assert mended.cli("doctor", "--repair", code=None).out.startswith("Nothing to repair.\n")
    assert repo.git("for-each-ref") == before


def test_a_note_that_was_lost_comes_back(repo: Repo, mended: Mended) -> None:
    session_id, commit = linked(repo)
    repo.git("update-ref", "-d", notes.REF)
    (row,) = mended("--dry-run")
    assert row["done"] and noted(repo, commit) == []
    assert mended() == [
        {"kind": "note", "text": f"1 note brought in line with the events ({commit[:8]})", "done": True}
    ]
    assert noted(repo, commit) == [(session_id, True)]


def test_a_line_that_an_unlink_took_back_goes(repo: Repo, mended: Mended) -> None:
    session_id, commit = linked(repo)
    kept = repo.git("rev-parse", notes.REF)
    read(repo).unlink(session_id, [commit])
    repo.git("update-ref", notes.REF, kept)
    assert mended.kinds() == ["note"]
    assert noted(repo, commit) == []


def test_a_note_with_two_main_sessions_gets_one(repo: Repo, mended: Mended) -> None:
    first, commit = linked(repo)
    second = read(repo).start(goal="h", agent="codex").id
    read(repo).link(second, [commit])
    text = "\n".join(f'sessions.{i} = {{ agent = "codex", primary = true }}' for i in (first, second))
    repo.git("notes", "--ref=agent-sessions", "add", "-f", "-m", text, commit)
    assert mended.kinds() == ["note"]
    assert sorted(noted(repo, commit)) == sorted([(first, True), (second, False)])


def test_lines_of_sessions_that_are_not_here_or_not_confirmed_stay(repo: Repo, mended: Mended) -> None:
    session_id, _ = linked(repo)
    other = repo.commit("other")
    text = f'sessions.{NOBODY} = {{ agent = "codex", primary = true }}\nsessions.{session_id} = {{ agent = "codex" }}'
    repo.git("notes", "--ref=agent-sessions", "add", "-m", text, other)
    rows = mended()
    assert [(row["kind"], row["done"]) for row in rows] == [("note", False), ("note", False)]
    assert NOBODY[:8] in rows[0]["text"] and "no event" in rows[1]["text"]
    assert {i for i, _ in noted(repo, other)} == {NOBODY, session_id}


def test_refs_that_are_no_sessions_or_broken_are_named_and_stay(repo: Repo, mended: Mended) -> None:
    for name in ("notes", NOBODY, "archive/2026-13"):
        repo.git("update-ref", SESSIONS + name, "HEAD")
    before = repo.git("for-each-ref")
    rows = mended()
    assert sorted(row["kind"] for row in rows) == ["ref", "ref", "session"]
    assert not any(row["done"] for row in rows)
    assert repo.git("for-each-ref") == before


def test_stale_locks_of_ours_go_and_fresh_ones_and_gits_stay(repo: Repo, mended: Mended) -> None:
    session_id, _ = linked(repo)
    git = repo.path / ".git"
    stale = [git / f"{SESSIONS}{session_id}.lock", git / f"{notes.REF}.lock"]
    kept = [git / f"{SESSIONS}{NOBODY}.lock", git / "refs/heads/main.lock"]
    for path in (*stale, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in (*stale, kept[1]):
        os.utime(path, (OLD, OLD))
    assert mended.kinds() == ["lock", "lock"]
    assert not any(p.exists() for p in stale) and all(p.exists() for p in kept)


def test_the_lock_on_packed_refs_goes_where_it_is_known_as_ours(repo: Repo, mended: Mended) -> None:
    linked(repo)
    aside, lock = repo.path / ".git/packed-refs.agent-session.1.abcdef", repo.path / ".git/packed-refs.lock"
    lock.touch()
    os.utime(lock, (OLD, OLD))
    assert mended.kinds() == [] and lock.exists(), "git's own"
    lock.unlink()
    aside.touch()
    os.link(aside, lock)
    assert mended.kinds() == [] and lock.exists(), "somebody is at work"
    os.utime(aside, (OLD, OLD))
    assert mended.kinds() == ["lock", "leftover"]
    assert not aside.exists() and not lock.exists()


def test_hooks_that_were_changed_are_put_back(repo: Repo, mended: Mended) -> None:
    installer.install(str(repo.path))
    hook = repo.path / ".git/hooks/post-commit"
    before = hook.read_bytes()
    hook.unlink()
    assert mended.kinds("--dry-run") == ["hooks"] and not hook.exists()
    assert mended.kinds() == ["hooks"]
    assert hook.read_bytes() == before and installer.status(str(repo.path)).problems == ()


def test_hooks_that_nobody_installed_are_not_installed(repo: Repo, mended: Mended) -> None:
    assert mended() == []
    assert not (repo.path / ".git/hooks/post-commit").exists()


def test_marks_of_sessions_that_are_gone_or_have_ended_go(repo: Repo, mended: Mended) -> None:
    running, _ = linked(repo)
    shared = read(repo).shared
    over = ended(repo, "over")
    for session_id in (NOBODY, over):
        live.set_open(shared, session_id, "codex")
    live.set_active(read(repo).private, NOBODY)
    assert sorted(mended.kinds()) == ["active", "live", "live"]
    assert live.open_sessions(shared) == {running} and live.active(read(repo).private) is None


def test_an_agents_id_that_leads_nowhere_is_forgotten_and_one_of_an_archived_session_is_not(
    repo: Repo, mended: Mended
) -> None:
    shared = read(repo).shared
    kept = ended(repo, "kept")
    archive.run(read(repo))
    live.set_native(shared, "codex", "kept", kept)
    live.set_native(shared, "codex", "lost", NOBODY)
    assert mended.kinds() == ["native"]
    assert live.native(shared, "codex", "kept") == kept and live.native(shared, "codex", "lost") is None


def test_traces_of_sessions_that_ended_long_ago_go(repo: Repo, mended: Mended) -> None:
    running, _ = linked(repo)
    traces = Path(read(repo).private) / "traces"
    traces.mkdir(exist_ok=True)
    over, late = ended(repo, "over", days=2), ended(repo, "late", days=0.01)
    for session_id in (running, over, late):
        (traces / f"touched.{session_id}").write_text(f"{time.time_ns()} - f\n")
    assert mended.kinds() == ["trace"]
    assert {p.name[8:] for p in traces.iterdir()} == {running, late}


def test_a_memory_of_a_chain_that_is_wrong_goes(repo: Repo, mended: Mended) -> None:
    session_id, commit = linked(repo)
    read(repo).commits(session_id)
    seen = Path(read(repo).shared) / "seen" / session_id
    seen.write_text(seen.read_text().replace(f"commit-{commit}", f"x-{commit}"))
    assert read(repo).commits(session_id)[0].commit == commit
    assert mended.kinds() == ["seen", "index"]
    assert not seen.exists() or f"x-{commit}" not in seen.read_text()


def test_an_index_that_lies_is_made_anew(repo: Repo, mended: Mended) -> None:
    session_id, _ = linked(repo)
    read(repo).drain_all()
    read(repo).list()
    index = Path(read(repo).shared) / "index.sqlite"
    import sqlite3

    with sqlite3.connect(index) as db:
        db.execute("UPDATE excerpt SET doc = replace(doc, '\"g\"', '\"wrong\"')")
    db.close()
    assert read(repo).list()[0].goal == "wrong"
    mended()
    assert [(s.id, s.goal) for s in read(repo).list()] == [(session_id, "g")]


def test_what_an_archive_has_loses_its_ref(repo: Repo, mended: Mended) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    archive.run(read(repo))
    repo.git("update-ref", SESSIONS + session_id, tip)
    assert mended.kinds("--dry-run") == ["archive"]
    assert repo.git("rev-parse", SESSIONS + session_id) == tip
    assert mended.kinds() == ["archive"]
    assert SESSIONS + session_id not in repo.git("for-each-ref")


def test_sessions_that_a_remote_does_not_have_are_only_named(repo: Repo, mended: Mended) -> None:
    session_id, _ = linked(repo)
    read(repo).drain_all()
    repo.git("update-ref", f"refs/agent-sessions-remotes/origin/{session_id}", f"{SESSIONS}{session_id}~1")
    (row,) = mended()
    assert row["kind"] == "remote" and not row["done"] and "git agent-session push" in row["text"]
    repo.git("update-ref", f"refs/agent-sessions-remotes/origin/{session_id}", f"{SESSIONS}{session_id}")
    assert mended() == []


def test_files_that_were_never_moved_into_place_go(repo: Repo, mended: Mended) -> None:
    session_id, _ = linked(repo)
    folder = Path(read(repo).shared) / "live"
    left, writing = folder / f"{session_id}.4321.0af3c9", folder / f"{session_id}.4321.0af3ca"
    for path in (left, writing):
        path.write_text("codex\n")
    os.utime(left, (OLD, OLD))
    assert mended.kinds() == ["leftover"]
    assert not left.exists() and writing.exists()


def test_a_dry_run_needs_repair(mended: Mended) -> None:
    assert "without --repair" in mended.cli.fails("doctor", "--dry-run", code=2)
