"""Many new refs in one step: git reads them, nobody's ref is touched, and no lock stays behind."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_agent_session.git import packing, ref_files
from git_agent_session.git.repository import Repository
from tests.harness import Repo

TOP = "refs/agent-sessions/"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo.init(tmp_path / "repo")
    made.commit("root")
    return made


@pytest.fixture
def tip(repo: Repo) -> str:
    return repo.git("rev-parse", "HEAD")


def common(repo: Repo) -> str:
    return str(repo.path / ".git")


def named(count: int, prefix: str = TOP) -> list[str]:
    return [f"{prefix}{n:08x}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for n in range(count)]


def refs(repo: Repo, prefix: str = TOP) -> dict[str, str]:
    rows = repo.lines("for-each-ref", "--format=%(refname) %(objectname)", prefix)
    return dict(row.split(" ", 1) for row in rows)


def left(repo: Repo) -> list[str]:
    return [name for name in os.listdir(common(repo)) if name.startswith("packed-refs.")]


def test_git_reads_what_was_added_and_what_was_there(repo: Repo, tip: str) -> None:
    repo.git("tag", "-a", "-m", "x", "v1")
    repo.git("pack-refs", "--all")
    before = refs(repo, "refs/")
    names = named(50)
    random.Random(1).shuffle(names)
    assert packing.add(common(repo), dict.fromkeys(names, tip)) == set(names)
    assert refs(repo, "refs/") == before | dict.fromkeys(names, tip)
    assert repo.git("rev-parse", "v1^{commit}") == tip
    assert repo.lines("show-ref", "-d", "v1")[1].endswith("refs/tags/v1^{}")
    text = (repo.path / ".git/packed-refs").read_bytes()
    repo.git("pack-refs", "--all")
    assert (repo.path / ".git/packed-refs").read_bytes() == text
    assert left(repo) == [] and repo.run("git", "fsck", "--strict").returncode == 0


def test_a_name_that_is_taken_is_left_alone(repo: Repo, tip: str) -> None:
    other = repo.commit("other")
    line, file, above, below, free = named(5)
    repo.git("update-ref", line, other)
    repo.git("pack-refs", "--all")
    repo.git("update-ref", file, other)
    repo.git("update-ref", f"{above}/x", other)
    given = dict.fromkeys((line, file, above, f"{below}/x/y", below, free), tip)
    assert packing.add(common(repo), given) == {free}
    assert refs(repo) == {line: other, file: other, f"{above}/x": other, free: tip}


@pytest.mark.parametrize("packed", [False, True])
def test_nothing_is_put_below_a_ref(repo: Repo, tip: str, packed: bool) -> None:
    name = named(1)[0]
    repo.git("update-ref", name, tip)
    if packed:
        repo.git("pack-refs", "--all")
    assert packing.add(common(repo), {f"{name}/x": tip}) == set()


def test_over_moves_lines_and_never_files(repo: Repo, tip: str) -> None:
    other = repo.commit("other")
    line, file = named(2)
    repo.git("update-ref", line, other)
    repo.git("pack-refs", "--all")
    repo.git("update-ref", file, other)
    assert packing.add(common(repo), dict.fromkeys((line, file), tip), over=True) == {line}
    assert refs(repo) == {line: tip, file: other}


def test_where_others_hold_the_lock_nothing_is_done(repo: Repo, tip: str) -> None:
    lock = repo.path / ".git/packed-refs.lock"
    lock.write_text("somebody's")
    os.utime(lock, (0, 0))
    assert packing.add(common(repo), {named(1)[0]: tip}) == set()
    assert lock.read_text() == "somebody's" and refs(repo) == {} and left(repo) == ["packed-refs.lock"]


def test_a_lock_that_a_killed_one_of_ours_left_is_cleared_and_no_other(
    repo: Repo, tip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        os._exit(9)

    pid = os.fork()
    if pid == 0:
        os.replace = dies  # type: ignore[assignment]
        packing.add(common(repo), {named(1)[0]: tip})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert len(left(repo)) == 2
    packing.clear(common(repo))
    assert len(left(repo)) == 2
    monkeypatch.setattr(packing, "_STALE_SECONDS", 0.0)
    assert packing.add(common(repo), {named(1)[0]: tip}) == set(named(1))
    assert left(repo) == []


@pytest.mark.parametrize(
    "text", ["# pack-refs with: peeled \n", "no refs at all\n", "^" + "1" * 40 + "\n", "# pack-refs with: x"]
)
def test_a_file_that_is_not_as_git_writes_it_is_left_to_git(repo: Repo, tip: str, text: str) -> None:
    path = repo.path / ".git/packed-refs"
    path.write_text(text)
    assert packing.add(common(repo), {named(1)[0]: tip}) == set()
    assert path.read_text() == text


def test_a_file_that_is_a_link_is_left_to_git(repo: Repo, tip: str, tmp_path: Path) -> None:
    repo.git("pack-refs", "--all")
    path = repo.path / ".git/packed-refs"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert packing.add(common(repo), {named(1)[0]: tip}) == set()
    assert path.is_symlink()


def test_hooks_on_refs_reflogs_for_all_of_them_and_rights_of_a_group_are_gits_to_serve(
    repo: Repo, tmp_path: Path
) -> None:
    def fits() -> bool:
        return packing.fits(Repository.find(str(repo.path)))

    assert fits()
    hook = repo.path / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    assert not fits()
    repo.git("config", "core.hooksPath", "elsewhere")
    assert fits()
    repo.write({"elsewhere/reference-transaction": "#!/bin/sh\n"})
    assert not fits()
    repo.git("config", "--unset", "core.hooksPath")
    hook.unlink()
    repo.git("config", "core.logAllRefUpdates", "always")
    assert not fits()
    repo.git("config", "--unset", "core.logAllRefUpdates")
    repo.git("config", "core.sharedRepository", "group")
    assert not fits()
    repo.git("config", "--unset", "core.sharedRepository")
    repo.git("config", "hook.mine.event", "reference-transaction")
    assert not fits()


@pytest.fixture
def others(repo: Repo, tip: str) -> Iterator[None]:
    """Somebody who makes refs, packs them and deletes branches, all the time."""
    pid = os.fork()
    if pid == 0:
        n = 0
        while True:
            n += 1
            repo.git("update-ref", f"refs/heads/b{n}", tip)
            repo.git("update-ref", f"{TOP}{n:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb", tip)
            repo.run("git", "pack-refs", "--all")
            repo.run("git", "update-ref", "-d", f"refs/heads/b{n}")
            (repo.path / "count.new").write_text(str(n))
            (repo.path / "count.new").replace(repo.path / "count")
    yield
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.large
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the others are forked")
def test_beside_others_who_make_and_pack_refs_none_is_lost(repo: Repo, tip: str, others: None) -> None:
    mine: set[str] = set()
    for n, name in enumerate(named(60)):
        wanted = {f"{name}{k:04x}": tip for k in range(20)}
        mine |= packing.add(common(repo), wanted)
        time.sleep(0.01 * (n % 3))
    count = int((repo.path / "count").read_text())
    theirs = {f"{TOP}{n + 1:08x}-bbbb-4bbb-8bbb-bbbbbbbbbbbb" for n in range(count)}
    assert mine and count
    assert mine | theirs <= refs(repo).keys()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="what is killed is forked")
def test_killed_at_any_moment_it_has_added_all_or_nothing(
    repo: Repo, tip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_STALE_SECONDS", 0.0)
    draw = random.Random(3)
    for n in range(15):
        names = [f"{name}{n:04x}" for name in named(300)]
        pid = os.fork()
        if pid == 0:
            packing.add(common(repo), dict.fromkeys(names, tip))
            os._exit(0)
        time.sleep(draw.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found = refs(repo).keys() & set(names)
        assert found in (set(), set(names))
        packing.clear(common(repo))
        assert left(repo) == []
        repo.git("pack-refs", "--all")


# -- reading


def test_refs_are_read_as_git_reads_them(repo: Repo, tip: str) -> None:
    other = repo.commit("other")
    repo.git("tag", "-a", "-m", "x", "v1")
    for name in named(5):
        repo.git("update-ref", name, tip)
    repo.git("update-ref", "refs/agent-sessions-remotes/origin/x", "v1")
    repo.git("update-ref", f"{TOP}archive/2026-01", tip)
    repo.git("pack-refs", "--all")
    repo.git("update-ref", named(5)[0], other)
    repo.git("update-ref", f"{TOP}odd/deep/name", other)
    repo.git("symbolic-ref", f"{TOP}link", "refs/heads/main")
    repo.git("symbolic-ref", named(5)[1], "refs/heads/main")
    ours, theirs, none, head = ref_files.read(
        common(repo), TOP, "refs/agent-sessions-remotes/origin/", "refs/nothing/", "refs/heads/main"
    )
    symbolic = {f"{TOP}link", named(5)[1]}
    assert {TOP + n: t for n, t in ours.items()} == {n: t for n, t in refs(repo).items() if n not in symbolic}
    assert theirs == {"x": repo.git("rev-parse", "v1")}
    assert none == {} and head == {"": other}


@pytest.mark.parametrize("packed", [True, False])
def test_what_differs_is_told_as_two_readings_tell_it(repo: Repo, tip: str, packed: bool) -> None:
    other, there = repo.commit("other"), "refs/agent-sessions-remotes/origin/"
    names = [name[len(TOP) :] for name in named(8)]

    def make(**tips: tuple[str, str]) -> None:
        for n, (mine, known) in tips.items():
            for prefix, oid in ((TOP, mine), (there, known)):
                if oid:
                    repo.git("update-ref", prefix + names[int(n[1:])], oid)

    make(n0=(tip, tip), n1=(tip, other), n2=(tip, ""), n3=("", tip), n4=(tip, tip), n5=(tip, tip))
    if packed:
        repo.git("pack-refs", "--all")
    assert ref_files.differing(common(repo), TOP, there)[0] == {names[1]: tip, names[2]: tip}
    make(n4=(other, ""), n5=("", other), n6=(other, other), n7=(other, ""))
    expected = {names[1]: tip, names[2]: tip, names[4]: other, names[5]: tip, names[7]: other}
    found, count = ref_files.differing(common(repo), TOP, there)
    assert found == expected and count >= 7
    ours, theirs = ref_files.read(common(repo), TOP, there)
    assert {n: t for n, t in ours.items() if theirs.get(n) != t} == expected
    assert ref_files.differing(common(repo), TOP, "refs/none/")[0] == ours


def test_lines_in_no_order_are_read_too(repo: Repo, tip: str) -> None:
    rows = [f"{tip} {name}\n" for name in (*named(3), "refs/tags/v1", f"{TOP}z")]
    random.Random(2).shuffle(rows)
    (repo.path / ".git/packed-refs").write_text("".join(rows))
    assert ref_files.read(common(repo), TOP)[0].keys() == {n[len(TOP) :] for n in named(3)} | {"z"}
    assert ref_files.differing(common(repo), TOP, "refs/tags/")[0].keys() == {n[len(TOP) :] for n in named(3)} | {"z"}


@pytest.mark.parametrize("text", ["", "x" * 40, "1" * 39, "\0" * 41])
def test_a_file_that_holds_no_ref_is_an_error(repo: Repo, text: str) -> None:
    path = repo.path / ".git" / named(1)[0]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no ref"):
        ref_files.read(common(repo), TOP)


def test_a_lock_is_no_ref(repo: Repo, tip: str) -> None:
    repo.git("update-ref", named(1)[0], tip)
    (repo.path / ".git" / f"{named(1)[0]}.lock").write_text("")
    assert len(ref_files.read(common(repo), TOP)[0]) == 1
