"""A repository that is read without libgit2 says what the full one says, and opens it for all else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.errors import CommitNotFound, GitError, StorageError, UnsupportedRepository
from git_agent_session.git import notes
from git_agent_session.git.discover import Location, discover
from git_agent_session.git.light import Light
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.git.running import Running
from tests.harness import Repo


@pytest.fixture
def light(repo: Repo) -> Iterator[Light]:
    made = Light(_location(repo))
    yield made
    made.close()


def _location(repo: Repo) -> Location:
    found = discover(str(repo.path))
    assert found is not None
    return found


def _full(repo: Repo) -> Repository:
    return Repository.find(str(repo.path))


def _written(repo: Repo) -> list[str]:
    """Commits of every shape, the oldest first."""
    repo.commit("first", files={"a.txt": "1\n", "deep/er/b.txt": "2\n", "c": "3\n"})
    (repo.path / "a.txt").unlink()
    os.symlink("c", repo.path / "a.txt")
    repo.git("add", "-A")
    repo.commit("a file becomes a link\n\nbody")
    (repo.path / "c").unlink()
    repo.commit("and a folder", files={"c/d": "4\n", "ümlaut\t.txt": "5\n"})
    repo.git("update-index", "--chmod=+x", "deep/er/b.txt")
    repo.commit("", "--allow-empty-message")
    repo.commit("Grüße", "--author", "Ádám <a@example.org>", "--date", "2001-02-03T04:05:06+07:00")
    repo.commit("dots", "--author", "Ada Jr. <a@example.org>")
    repo.git("-c", "i18n.commitEncoding=latin1", "commit", "-q", "--allow-empty", "-m", "old style")
    repo.git("checkout", "-q", "-b", "side", "HEAD~2")
    repo.commit("beside", files={"side.txt": "x\n"})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    return list(reversed(repo.lines("rev-list", "--all")))


def test_commits_are_read_as_libgit2_reads_them(repo: Repo, light: Light) -> None:
    full = _full(repo)
    for commit in _written(repo):
        assert light.commit_facts(commit) == full.commit_facts(commit)
        assert light.paths(commit) == full.changed_paths(commit)[0], repo.git("show", "--stat", commit)
        assert light.resolve(commit) == commit
    assert light.head() == full.head()


def test_it_is_read_without_libgit2(repo: Repo, light: Light) -> None:
    commit = repo.commit("first", files={"a.txt": "1\n"})
    assert light.commit_facts(commit)["subject"] == "first"
    assert (light.paths(commit), light.head(), light.resolve(commit)) == (["a.txt"], commit, commit)
    assert not light.is_full
    assert light.resolve("HEAD") == commit
    assert light.is_full


@pytest.mark.parametrize("packed", [False, True])
def test_refs_are_found_wherever_they_stand(repo: Repo, light: Light, packed: bool) -> None:
    repo.commit("first")
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="x", agent="codex").id
    if packed:
        repo.git("pack-refs", "--all")
    assert light.tip(SESSIONS + session) == _full(repo).tip(SESSIONS + session) is not None
    store.log(session, "note", "more")
    store.drain(session)
    assert light.tip(SESSIONS + session) == _full(repo).tip(SESSIONS + session)
    repo.git("pack-refs", "--all")
    assert light.tip(SESSIONS + session) == _full(repo).tip(SESSIONS + session)
    assert light.tip(SESSIONS + session[:-1]) is None
    repo.git("symbolic-ref", SESSIONS + "alias", "refs/heads/main")
    assert light.pointed(SESSIONS + "alias") is None
    assert not light.tip(notes.REF)


def test_batches_are_read_as_the_full_repository_reads_them(repo: Repo, light: Light) -> None:
    repo.commit("first")
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="x", agent="codex").id
    for n in range(3):
        store.log(session, "note", f"more {n}")
        store.drain(session)
    full, tip = _full(repo), str(store.repo.tip(SESSIONS + session))
    chain = list(light.chain(tip))
    assert chain == list(full.chain(tip)) and len(chain) > 2
    assert list(light.chain(tip, until=chain[1])) == list(full.chain(tip, until=chain[1])) == chain[:1]
    for batch in chain:
        names = ("session.toml", "events.toml", "none.toml", "context/none.toml")
        assert light.files(batch, *names) == full.files(batch, *names)
    with pytest.raises(ValueError, match="more than 10"):
        light.files(tip, "session.toml", limit=10)
    with pytest.raises(ValueError, match="commit"):
        light.files(repo.git("rev-parse", "HEAD^{tree}"), "session.toml")


@pytest.mark.parametrize("fanout", ["{0}", "{0:.2}/{1}", "{0:.2}/{2}/{3}"])
def test_notes_are_found_at_any_fan_out(repo: Repo, light: Light, fanout: str) -> None:
    commits = [repo.commit(f"c{n}") for n in range(3)]
    texts = {c: f"text of {n}\n" for n, c in enumerate(commits[:2])}
    lines = [f"commit {notes.REF}\ncommitter A <a@example.org> 0 +0000\ndata 0\n"]
    for commit, text in texts.items():
        place = fanout.format(commit, commit[2:], commit[2:4], commit[4:])
        lines.append(f"M 100644 inline {place}\ndata {len(text)}\n{text}\n")
    repo.git("fast-import", "--quiet", input="".join(lines))
    found = notes.on(light, commits)
    assert found == notes.on(_full(repo), commits) == {**{c: t.strip() for c, t in texts.items()}, commits[2]: ""}
    assert not light.is_full


def test_notes_that_are_no_commit_are_an_error(repo: Repo, light: Light) -> None:
    commit = repo.commit("first")
    repo.git("update-ref", notes.REF, repo.git("rev-parse", "HEAD^{tree}"))
    for either in (light, _full(repo)):
        with pytest.raises(StorageError, match="cannot be read"):
            notes.on(either, [commit])


def test_configuration_is_gits_own(repo: Repo, light: Light) -> None:
    repo.git("config", "core.pager", "more -x")
    repo.git("config", "color.agentSession.id", "bold red")
    repo.git("config", "branch.Main.x.Remote", "here")
    assert light.config("core.pager") == "more -x"
    assert light.config("color.agentSession.id") == light.config("Color.agentSession.ID") == "bold red"
    assert light.config("branch.Main.x.remote") == "here"
    assert light.config("core.nothing") is None


def test_a_name_where_an_id_should_be_is_not_looked_up(repo: Repo, light: Light) -> None:
    repo.commit("first", files={"a.txt": "1\n"})
    text = "tree HEAD^{tree}\nauthor A <a@example.org> 0 +0000\ncommitter A <a@example.org> 0 +0000\n\nx\n"
    odd = repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", input=text)
    for either in (light, _full(repo)):
        with pytest.raises(ValueError):
            either.files(odd, "a.txt")


def test_what_is_not_there_is_told_alike(repo: Repo, light: Light) -> None:
    repo.commit("first")
    for name in ("0" * 40, "nothing", "HEAD~7", "", "\n"):
        with pytest.raises(CommitNotFound):
            light.resolve(name)
    assert light.commit_facts("0" * 40) == {} and light.paths("0" * 40) == []


def test_a_repository_that_libgit2_cannot_open_is_refused(tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "other", "--object-format=sha256")
    with pytest.raises(UnsupportedRepository):
        Light(_location(other))


def test_git_that_is_not_there_is_an_error(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo.path))
    with pytest.raises(GitError, match="not on PATH"):
        Running(["version"], str(repo.path), {"PATH": str(repo.path)})


def test_a_process_without_posix_spawn_is_run_all_the_same(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_spawnp")
    running = Running(["cat-file", "--batch-check"], str(repo.path), os.environ, stdin=True)
    assert running.stdin is not None
    running.stdin.write(b"HEAD\n")
    running.stdin.close()
    assert b"missing" in running.stdout.read()
    assert running.wait() == 0
    running.close()


def test_the_package_loads_no_libgit2_to_read_a_line(repo: Repo) -> None:
    repo.commit("first", files={"a.txt": "1\n"})
    code = (
        "import os, sys\nfrom git_agent_session.cli import early\nstatus = early.main(['why', 'a.txt:1'])\n"
        "sys.stdout.flush()\nprint(status, sorted({'pygit2', 'click', 'subprocess', 'tomli_w'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo.path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
