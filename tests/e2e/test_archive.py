"""Archives: sessions that ended long ago share a ref, and nobody who reads them sees a difference."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import journal
from git_agent_session.errors import StorageError
from git_agent_session.git import archives
from git_agent_session.git.archives import ARCHIVES, INDEX
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import native_session_id, timestamp
from git_agent_session.model import Event
from git_agent_session.store import archive
from git_agent_session.store import drain as draining
from git_agent_session.store.store import Store
from git_agent_session.sync import remote
from git_agent_session.sync.removal import Removal
from tests.e2e.cli import Cli
from tests.harness import Repo

DAY_NS = 86_400 * 1_000_000_000


def ended(repo: Repo, name: str, *, days: float = 100, commit: str = "") -> str:
    """Write a session that an agent ended so many days ago, as its hooks would have; returns its id."""
    store = Repository.find(str(repo.path))
    session_id = native_session_id("codex", name)
    at = time.time_ns() - int(days * DAY_NS)
    agent = {"type": "codex", "native_id": name}
    events = [Event(f"start-{name}", timestamp(at), "start", {"goal": f"goal {name}", "agent": agent})]
    events.append(Event(f"prompt-{name}", timestamp(at), "message", {"role": "user", "text": f"please {name}"}))
    if commit:
        events.append(Event(f"commit-{commit}", timestamp(at), "commit", {"commit": commit, "via": "env"}))
    journal.append(store.location.shared, session_id, events)
    draining.drain(store, session_id)
    journal.append(store.location.shared, session_id, [Event("end", timestamp(at), "end", {"status": "completed"})])
    draining.drain(store, session_id)
    return session_id


def fresh(repo: Repo) -> Store:
    """The sessions of a repository, nothing of them known yet."""
    return git_agent_session.open(str(repo.path))


def refs(repo: Repo) -> list[str]:
    return list(repo.lines("for-each-ref", "--format=%(refname)", SESSIONS))


def months(repo: Repo) -> list[str]:
    return [ref for ref in refs(repo) if ref.startswith(ARCHIVES)]


def sound(repo: Repo) -> None:
    """Git finds nothing wrong, and nothing of a session goes when it collects."""
    repo.git("fsck", "--strict", "--no-dangling")
    before = {s.id: s.to_dict() for s in fresh(repo).list()}
    repo.git("gc", "-q", "--prune=now")
    assert {s.id: s.to_dict() for s in fresh(repo).list()} == before


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("root", files={"f": "1\n"})
    return Cli(repo)


@pytest.mark.large
def test_reading_commands_print_the_same_bytes_before_and_after_archiving_120_sessions(repo: Repo, cli: Cli) -> None:
    commits = [repo.commit(f"c{n}") for n in range(3)]
    ids = [ended(repo, f"n{n}", days=95 + n / 1.6, commit=commits[n] if n < 3 else "") for n in range(120)]
    for n, commit in enumerate(commits):
        cli("link", commit, "--session", ids[n])
    cli("context", "add", "--session", ids[0])
    cli("drain")
    some = (ids[0], ids[60], ids[119])
    asked = [("list",), ("list", "--status", "completed", "-n", "20"), *(("which", c) for c in commits)]
    asked += [(name, i) for i in some for name in ("show", "status", "history", "commits")]
    asked += [("show", ids[7][:13]), ("context", "--session", ids[0])]
    before = [cli(*args, "--json", code=None).out for args in asked]
    assert all(before)
    done = cli("archive", "--json").json
    assert sum(len(row["sessions"]) for row in done) == 120
    assert refs(repo) == months(repo) == [row["ref"] for row in done]
    assert [cli(*args, "--json", code=None).out for args in asked] == before
    (repo.path / ".git/agent-session/index.sqlite").unlink()
    assert [cli(*args, "--json", code=None).out for args in asked] == before
    sound(repo)


def test_only_sessions_that_ended_long_enough_ago_are_archived(repo: Repo, cli: Cli) -> None:
    old, young = ended(repo, "old", days=91), ended(repo, "young", days=89)
    running = cli.start()
    assert [row["sessions"] for row in cli("archive", "--json").json] == [[old]]
    assert {SESSIONS + young, SESSIONS + running} < set(refs(repo))
    assert SESSIONS + old not in refs(repo)


def test_the_age_can_be_configured_and_given(repo: Repo, cli: Cli) -> None:
    first, second = ended(repo, "a", days=12), ended(repo, "b", days=8)
    repo.git("config", "agentSession.archiveDays", "10")
    assert [row["sessions"] for row in cli("archive", "--json").json] == [[first]]
    assert [row["sessions"] for row in cli("archive", "--days", "7", "--json").json] == [[second]]


def test_sessions_go_into_the_month_in_which_they_ended(repo: Repo, cli: Cli) -> None:
    ids = [ended(repo, f"{days}", days=days) for days in (100, 200, 300)]
    cli("archive")
    store = fresh(repo)
    assert months(repo) == sorted({ARCHIVES + store.get(i).ended_at[:7] for i in ids})


def test_a_dry_run_changes_nothing(repo: Repo, cli: Cli) -> None:
    ended(repo, "a")
    before = repo.git("for-each-ref")
    assert "Would archive 1 session that ended in " in cli("archive", "--dry-run").out
    assert len(cli("archive", "--dry-run", "--json").json) == 1
    assert repo.git("for-each-ref") == before


def test_an_archive_commit_has_a_batch_of_sessions_and_the_archive_before_as_its_parents(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archive.BATCH == 100
    monkeypatch.setattr(archive, "BATCH", 10)
    for n in range(25):
        ended(repo, f"n{n}")
    archive.run(fresh(repo))
    (ref,) = months(repo)
    counts = [len(line.split()) - 1 for line in repo.lines("rev-list", "--parents", "--first-parent", ref)][:3]
    assert counts == [6, 11, 10]
    assert repo.git("show", f"{ref}:{INDEX}").startswith("schema = 1\n\n[sessions]\n")


def test_a_second_run_has_nothing_to_do(repo: Repo, cli: Cli) -> None:
    ended(repo, "a")
    cli("archive")
    before = repo.git("for-each-ref")
    assert cli("archive").err == "no session ended that long ago\n"
    assert repo.git("for-each-ref") == before


def test_the_chain_of_an_archived_session_is_intact(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    batches = repo.lines("rev-list", tip)
    cli("archive")
    assert fresh(repo).repo.tip(SESSIONS + session_id) == tip
    assert set(batches) < set(repo.lines("rev-list", *months(repo)))


def test_a_session_with_something_waiting_stays(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    shared = str(repo.path / ".git/agent-session")
    journal.append(shared, session_id, [Event("late", timestamp(), "metric", {"name": "n", "value": 1})])
    assert archive.run(fresh(repo)) == []
    assert refs(repo) == [SESSIONS + session_id]


# -- reopened


def test_a_resumed_session_gets_its_ref_back_and_its_chain_goes_on(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    cli("archive")
    fresh(repo).resume(session_id)
    cli("log", "note", "back again", "--session", session_id)
    cli("drain")
    assert repo.lines("rev-list", SESSIONS + session_id)[-2:] == repo.lines("rev-list", tip)
    kinds = [e["kind"] for e in cli("history", session_id, "--json").json]
    assert kinds == ["start", "message", "end", "resume", "interaction"]
    assert cli("status", session_id, "--json").json["status"] == "active"


def test_an_agent_that_goes_on_continues_the_archived_chain(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    cli("archive")
    shared = str(repo.path / ".git/agent-session")
    again = [Event("resume-a", timestamp(), "resume", {}), Event("p2", timestamp(), "message", {"text": "and now"})]
    journal.append(shared, session_id, again)
    found = fresh(repo)
    found.drain(session_id)
    assert repo.git("rev-parse", f"{SESSIONS}{session_id}~1") == tip
    assert found.get(session_id).status == "active" and len(found.history(session_id)) == 5


def test_a_session_that_ends_anew_supersedes_what_was_archived(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    cli("archive")
    cli("log", "note", "late", "--session", session_id)
    cli("drain")
    cli("archive")
    assert SESSIONS + session_id not in refs(repo)
    assert [e.kind for e in fresh(repo).history(session_id)] == ["start", "message", "end", "interaction"]
    sound(repo)


def test_a_session_archived_in_two_months_is_as_it_was_last(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a", days=200)
    cli("archive")
    store = fresh(repo)
    store.resume(session_id)
    store.end(session_id, message="at last")
    archive.run(store, older_than=0)
    assert len(months(repo)) == 2
    assert fresh(repo).get(session_id).message == "at last"


def test_a_start_of_the_same_agents_session_is_refused_as_before(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    cli("archive")
    event = Event("start-x", timestamp(), "start", {})
    assert draining.create(Repository.find(str(repo.path)), session_id, draining.Extra([event])) is None
    assert SESSIONS + session_id not in refs(repo)


def test_deleting_an_archived_session_takes_it_out_of_the_archive(repo: Repo, cli: Cli) -> None:
    commit = repo.commit("c")
    gone, kept = ended(repo, "a", commit=commit), ended(repo, "b")
    cli("archive")
    cli("delete", "--yes", gone)
    store = fresh(repo)
    assert [s.id for s in store.list()] == [kept] and store.which(commit) == []
    assert "no session" in cli.fails("show", gone)
    sound(repo)


def test_deleting_the_only_session_of_an_archive_removes_its_ref(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    cli("archive")
    cli("delete", "--yes", session_id)
    assert refs(repo) == []


# -- kills and races

KILLED = """
import sys
import git_agent_session
from git_agent_session.store import archive
archive.BATCH = 3
store = git_agent_session.open(sys.argv[1])
print("go", flush=True)
archive.run(store)
"""


@pytest.mark.kills
@pytest.mark.parametrize("rounds", [6, pytest.param(25, marks=pytest.mark.slow)])
def test_killed_anywhere_nothing_is_lost_and_the_next_run_finishes(repo: Repo, cli: Cli, rounds: int) -> None:
    dice = random.Random(int.from_bytes(os.urandom(4), "big"))
    ids = [ended(repo, f"n{n}", days=100 + n) for n in range(60)]
    before = {s.id: s.to_dict() for s in fresh(repo).list()}
    stopped = 0
    for _ in range(rounds):
        running = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(repo.path)], stdout=subprocess.PIPE, cwd=repo.path
        )
        assert running.stdout is not None and running.stdout.readline() == b"go\n"
        time.sleep(dice.random() * 0.15)
        running.send_signal(signal.SIGKILL)
        stopped += running.wait() == -signal.SIGKILL
        running.stdout.close()
        # the killed one may have left a ref locked, which git itself would leave for ever
        for lock in (repo.path / ".git").rglob("*.lock"):
            lock.unlink(missing_ok=True)
        assert {s.id: s.to_dict() for s in fresh(repo).list()} == before
        if refs(repo) == months(repo):
            store = fresh(repo)
            for session_id in dice.sample(ids, 20):
                # they have their refs back, and ended anew long enough ago to go again
                store.log(session_id, "note", "late")
                store.drain(session_id)
            before = {s.id: s.to_dict() for s in fresh(repo).list()}
    assert stopped
    archive.reconcile(fresh(repo).repo)
    archive.run(fresh(repo))
    assert refs(repo) == months(repo)
    assert {s.id: s.to_dict() for s in fresh(repo).list()} == before
    sound(repo)


WRITER = """
import random, sys
import git_agent_session
path, name, *ids = sys.argv[1:]
store = git_agent_session.open(path)
for n in range(40):
    session_id = random.choice(ids)
    print(session_id, store.append(session_id, "metric", {"name": name, "value": n}, id=f"{name}-{n}").id, flush=True)
    store.drain(session_id)
"""


def test_what_is_written_while_others_archive_is_neither_lost_nor_there_twice(repo: Repo, cli: Cli) -> None:
    ids = [ended(repo, f"n{n}") for n in range(6)]
    argv = [sys.executable, "-c", WRITER, str(repo.path)]
    writers = [subprocess.Popen([*argv, name, *ids], stdout=subprocess.PIPE, text=True) for name in "ab"]
    runs = 0
    while any(writer.poll() is None for writer in writers):
        runs += sum(len(done.sessions) for done in archive.run(fresh(repo)))
        archive.reconcile(fresh(repo).repo)
    written = sorted(tuple(line.split()) for writer in writers for line in writer.communicate()[0].splitlines())
    assert [writer.returncode for writer in writers] == [0, 0] and len(written) == 80
    store = fresh(repo)
    assert store.drain_all() == []
    assert sorted((i, e.id) for i in ids for e in store.history(i, kinds=("metric",))) == written
    assert all(store.get(i).counts["events"] == len(store.history(i)) for i in ids)
    assert runs > len(ids)
    archive.run(fresh(repo))
    assert refs(repo) == months(repo)
    sound(repo)


def test_what_was_archived_and_kept_its_ref_when_the_process_died_loses_it_next_time(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    cli("archive")
    repo.git("update-ref", SESSIONS + session_id, tip)
    cli("archive")
    assert refs(repo) == months(repo)


def test_a_ref_that_moves_while_it_is_archived_stays(repo: Repo) -> None:
    session_id = ended(repo, "a")
    store = fresh(repo)
    old = repo.git("rev-parse", SESSIONS + session_id)
    archive.add(store.repo, "2026-01", {session_id: old})
    store.log(session_id, "note", "just now")
    store.drain(session_id)
    assert archive._drop_refs(store.repo, {session_id: old}) == []
    assert [e.kind for e in fresh(repo).history(session_id)][-1] == "interaction"


# -- with others


@pytest.fixture
def clones(repo: Repo, tmp_path: Path) -> Iterator[tuple[Repo, Repo]]:
    repo.commit("root", files={"f": "1\n"})
    other = Repo(tmp_path / "other")
    repo.git("clone", "-q", str(repo.path), str(other.path))
    yield repo, other


def take(repo: Repo, other: Repo) -> None:
    """Bring the archives of `other` to `repo` by plain git, and merge them."""
    repo.git("fetch", "-q", str(other.path), f"+{ARCHIVES}*:refs/theirs/*")
    mine = fresh(repo).repo
    for ref, theirs in mine.refs("refs/theirs/").items():
        month = ref.removeprefix("refs/theirs/")
        ours = mine.tip(ARCHIVES + month)
        mine.swap(ARCHIVES + month, archive.merge(mine, month, ours, theirs), ours, "merge")


def test_a_plain_git_fetch_of_the_archive_refs_brings_all_sessions(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    ids = [ended(repo, f"n{n}", days=95 + n) for n in range(20)]
    archive.run(fresh(repo))
    other.git("fetch", "-q", "origin", f"{ARCHIVES}*:{ARCHIVES}*")
    wanted = {s.id: s.to_dict() for s in fresh(repo).list()}
    assert {s.id: s.to_dict() for s in fresh(other).list()} == wanted
    assert set(wanted) == set(ids)
    assert [len(fresh(other).history(i)) for i in ids] == [3] * 20
    sound(other)


def test_both_sides_get_the_same_tip_whoever_merges(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    ids = {ended(r, f"{name}{n}") for r, name in ((repo, "a"), (other, "b")) for n in range(5)}
    archive.run(fresh(repo))
    archive.run(fresh(other))
    before = [r.git("for-each-ref", "--format=%(objectname)", ARCHIVES) for r in clones]
    assert before[0] != before[1]
    take(repo, other)
    other.git("fetch", "-q", str(repo.path), f"+{ARCHIVES}*:refs/merged/*")
    # from the tips before the merge, the other way round
    mine = fresh(other).repo
    (ref,) = months(other)
    month = ref.removeprefix(ARCHIVES)
    assert archive.merge(mine, month, before[1], before[0]) == repo.git("rev-parse", ref)
    take(other, repo)
    assert [r.git("rev-parse", ref) for r in clones] == [repo.git("rev-parse", ref)] * 2
    assert {s.id for s in fresh(other).list()} == {s.id for s in fresh(repo).list()} == ids
    sound(repo)
    sound(other)


def test_of_two_tips_of_a_session_the_later_one_counts(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    session_id = ended(repo, "a")
    archive.run(fresh(repo))
    take(other, repo)
    store = fresh(other)
    store.log(session_id, "note", "of the other")
    store.drain(session_id)
    archive.run(store)
    take(repo, other)
    assert [e.kind for e in fresh(repo).history(session_id)][-1] == "interaction"
    assert months(repo) and repo.git("rev-parse", *months(repo)) == other.git("rev-parse", *months(other))


def test_tips_that_have_diverged_are_joined(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    session_id = ended(repo, "a")
    archive.run(fresh(repo))
    take(other, repo)
    for mine, text in ((repo, "one"), (other, "two")):
        store = fresh(mine)
        store.log(session_id, "note", text)
        store.drain(session_id)
        archive.run(store)
    take(repo, other)
    take(other, repo)
    said = [[str(e.data["text"]) for e in fresh(r).history(session_id, kinds=("note",))] for r in clones]
    assert sorted(said[0]) == ["one", "two"] and said[0] == said[1]
    assert repo.git("rev-parse", *months(repo)) == other.git("rev-parse", *months(other))
    sound(repo)


def test_a_ref_older_than_a_fetched_archive_goes(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    session_id = ended(repo, "a")
    other.git("fetch", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*")
    store = fresh(repo)
    store.log(session_id, "note", "later")
    store.drain(session_id)
    archive.run(store)
    take(other, repo)
    assert archive.reconcile(fresh(other).repo) == [session_id]
    assert refs(other) == months(other) == months(repo)
    assert [e.kind for e in fresh(other).history(session_id)][-1] == "interaction"


def test_a_ref_that_has_more_than_a_fetched_archive_stays(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    session_id = ended(repo, "a")
    other.git("fetch", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*")
    store = fresh(other)
    store.resume(session_id)
    store.drain(session_id)
    archive.run(fresh(repo))
    take(other, repo)
    assert archive.reconcile(fresh(other).repo) == []
    assert fresh(other).get(session_id).status == "active"


def test_a_remote_loses_the_refs_of_sessions_that_its_archives_have(clones: tuple[Repo, Repo], tmp_path: Path) -> None:
    repo, other = clones
    bare = Repo.init(tmp_path / "bare.git", "--bare")
    repo.git("remote", "add", "origin", str(bare.path))
    ids = [ended(repo, f"n{n}") for n in range(3)]
    repo.git("push", "-q", "origin", f"{SESSIONS}*:{SESSIONS}*")
    other.git("fetch", "-q", str(bare.path), f"{SESSIONS}*:{SESSIONS}*")
    archive.run(fresh(repo))
    repo.git("push", "-q", "origin", f"{ARCHIVES}*:{ARCHIVES}*")
    # one of them goes on elsewhere before the remote is tidied
    theirs = fresh(other)
    theirs.resume(ids[0])
    theirs.drain(ids[0])
    other.git("push", "-q", str(bare.path), f"{SESSIONS}{ids[0]}")
    mine = fresh(repo).repo
    done = Removal(mine, remote.find(mine, "origin")).tidy()
    assert sorted(done.gone) == sorted(SESSIONS + i for i in ids[1:]) and done.refused == []
    assert set(refs(bare)) == {SESSIONS + ids[0], *months(repo)}
    assert {s.id for s in fresh(bare).list()} == set(ids)
    assert fresh(bare).get(ids[0]).status == "active"


def test_a_session_that_an_archive_names_and_does_not_keep_is_not_taken(clones: tuple[Repo, Repo]) -> None:
    repo, other = clones
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    store = fresh(repo)
    liar = store.repo.write_batch({INDEX: archives.index_text({session_id: tip})}, [], "archive")
    repo.git("update-ref", f"{ARCHIVES}2026-01", liar)
    assert archive.reconcile(store.repo) == []
    assert SESSIONS + session_id in refs(repo)
    take(other, repo)
    assert fresh(other).list() == []


def test_an_archive_that_cannot_be_read_is_named_and_hinders_no_other(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    cli("archive")
    repo.git("update-ref", f"{ARCHIVES}2025-01", "HEAD")
    done = cli("list", "--json")
    assert [s["id"] for s in done.json] == [session_id]
    assert done.err.startswith("warning: the archive 2025-01 cannot be read")
    with pytest.raises(StorageError):
        archive.merge(fresh(repo).repo, "2025-01", None, repo.git("rev-parse", "HEAD"))


def test_lines_of_an_index_that_are_none_are_passed_over(repo: Repo, cli: Cli) -> None:
    session_id = ended(repo, "a")
    tip = repo.git("rev-parse", SESSIONS + session_id)
    junk = f'../../x = "{tip}"\n{session_id} = "{tip}"\n{session_id.upper()} = "{tip}"\nx = [[[[[\n\x1b[2J\n'
    store = fresh(repo)
    made = store.repo.write_batch({INDEX: junk.encode()}, [tip], "archive")
    assert store.repo.archives.index(made) == {session_id: tip}


def test_an_index_too_large_to_be_one_is_not_read(repo: Repo, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_INDEX", 1000)
    for n in range(20):
        ended(repo, f"n{n}")
    archive.run(fresh(repo))
    store = fresh(repo)
    assert store.list() == [] and "holds" in store.broken[0].message


# -- git


def test_ordinary_git_operations_do_not_notice(repo: Repo, cli: Cli, tmp_path: Path) -> None:
    for n in range(30):
        ended(repo, f"n{n}")
    cli("archive")
    repo.git("pack-refs", "--all")
    assert len(fresh(repo).list()) == 30
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("two", files={"g": "2\n"})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "join", "side")
    repo.git("rebase", "-q", "HEAD~1")
    repo.git("stash", "list")
    bare = tmp_path / "bare.git"
    repo.git("init", "-q", "--bare", str(bare))
    repo.git("push", "-q", "--recurse-submodules=check", str(bare), "main", f"{ARCHIVES}*:{ARCHIVES}*")
    assert len(git_agent_session.open(str(bare)).list()) == 30
    clone = Repo(tmp_path / "clone")
    repo.git("clone", "-q", str(bare), str(clone.path))
    clone.git("fetch", "-q", "--recurse-submodules=yes", "origin")
    assert clone.lines("for-each-ref", "--format=%(refname)", "refs/agent-sessions") == []
    repo.git("gc", "-q", "--prune=now")
    repo.git("repack", "-a", "-d", "-q")
    sound(repo)


def test_whether_there_are_too_many_refs(repo: Repo, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_REFS", 2)
    for n in range(3):
        assert not archive.due(fresh(repo).repo)
        ended(repo, f"n{n}")
    assert archive.due(fresh(repo).repo)
    cli("archive")
    assert not archive.due(fresh(repo).repo)


def test_months_in_order_by_name(repo: Repo, cli: Cli) -> None:
    for days in (100, 200, 300):
        ended(repo, f"{days}", days=days)
    cli("archive")
    found = list(fresh(repo).repo.archives.months())
    assert len(found) == 3 and all(a < b for a, b in pairwise(found))
    repo.git("pack-refs", "--all")
    assert list(fresh(repo).repo.archives.months()) == found
