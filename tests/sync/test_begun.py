"""A push that begins before anything is loaded: it says, leaves and refuses what the whole way would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from git_agent_session import sync
from git_agent_session.git import notes
from git_agent_session.store import crowded, purged
from git_agent_session.sync import at_once, consent
from git_agent_session.sync.remote import find
from tests.harness import Repo
from tests.sync.team import SESSIONS, TRACKED, Clone, Team

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_spawnp"), reason="there a push begins later")


def start(clone: Clone) -> str:
    return clone.store.start(goal="x", agent="codex", activate=False).id


def on(team: Team) -> dict[str, str]:
    rows = team.server.lines("for-each-ref", "--format=%(refname) %(objectname)", SESSIONS)
    return {name.removeprefix(SESSIONS): tip for name, tip in (row.split() for row in rows)}


@pytest.fixture
def shared(ada: Clone, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two sessions that the server has; the test stands in Ada's clone."""
    ids = [start(ada), start(ada)]
    ada.sync()
    monkeypatch.chdir(ada.path)
    return ids


def begun(*argv: str) -> at_once.Begun | None:
    """What begins with `push ARGV`, ended at once."""
    found = at_once.begin(argv, os.environ)
    if found is not None:
        at_once.told(found, None, whole=False)
    return found


def pushes(clone: Clone, *args: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """The command `push ARGS`, and how often it has had git push."""
    trace = clone.path.parent / "trace"
    trace.unlink(missing_ok=True)
    done = clone.cli("push", *args, env={"GIT_TRACE": str(trace)})
    return done, trace.read_text().count("built-in: git push")


@pytest.mark.parametrize("argv", [[], ["origin"], ["origin", "--json"], ["--json"]])
def test_only_what_the_remote_lacks_is_sent(team: Team, ada: Clone, shared: list[str], argv: list[str]) -> None:
    third = start(ada)
    ada.store.log(shared[0], "note", "more")
    ada.store.drain(shared[0])
    found = begun(*argv)
    assert found is not None and found.name == "origin"
    assert found.send.keys() == {SESSIONS + third, SESSIONS + shared[0]}
    assert on(team) == {i: ada.git("rev-parse", SESSIONS + i) for i in (*shared, third)}
    assert {TRACKED + i: tip for i, tip in on(team).items()} == ada.tips(TRACKED)
    # the remote is known to have it all
    assert at_once.begin(argv, os.environ) is None


def test_notes_go_along(team: Team, ada: Clone, shared: list[str]) -> None:
    ada.store.link(shared[0], ["HEAD"])
    ada.store.drain(shared[0])
    found = begun()
    assert found is not None and found.send.keys() == {SESSIONS + shared[0], notes.REF}
    assert team.server.git("rev-parse", notes.REF) == ada.git("rev-parse", notes.REF)
    assert at_once.begin([], os.environ) is None


@pytest.mark.parametrize(
    "argv",
    [
        *(
            ["--session", "x"],
            ["-n"],
            ["--timeout", "9"],
            ["-h"],
            ["origin", "other"],
            ["--json", "--json"],
            ["nowhere"],
        ),
        *([".."], ["a/b"], ["-"], ["--"], [""], ["../server.git"], ["--auto", "origin"]),
    ],
)
def test_whatever_else_is_asked_for_goes_the_whole_way(ada: Clone, shared: list[str], argv: list[str]) -> None:
    start(ada)
    assert at_once.begin(argv, os.environ) is None


def test_an_address_goes_the_whole_way(team: Team, ada: Clone, shared: list[str]) -> None:
    start(ada)
    assert at_once.begin([str(team.server.path)], os.environ) is None


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"])
def test_with_a_repository_or_settings_from_outside_it_goes_the_whole_way(
    ada: Clone, shared: list[str], name: str
) -> None:
    start(ada)
    assert at_once.begin([], {**os.environ, name: ".git"}) is None


def test_what_waits_is_written_first(team: Team, ada: Clone, shared: list[str]) -> None:
    ada.store.log(shared[0], "note", "waits")
    assert at_once.begin([], os.environ) is None
    assert ada.cli("push").returncode == 0
    assert on(team)[shared[0]] == ada.git("rev-parse", SESSIONS + shared[0])
    assert ada.store.history(shared[0])[-1].data["text"] == "waits"


def test_a_head_that_has_moved_is_looked_at_first(ada: Clone, shared: list[str]) -> None:
    start(ada)
    ada.commit("by hand")
    assert at_once.begin([], os.environ) is None


def test_rewritten_commits_are_worked_in_first(ada: Clone, shared: list[str]) -> None:
    start(ada)
    (Path(ada.store.shared) / "rewrites" / "x").write_text("")
    assert at_once.begin([], os.environ) is None


def test_where_sessions_may_be_archived_that_is_done_first(
    ada: Clone, shared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(ada)
    monkeypatch.setattr(crowded, "due", lambda *_: True)
    assert at_once.begin([], os.environ) is None


def test_an_archive_goes_the_whole_way(ada: Clone, shared: list[str]) -> None:
    ada.git("update-ref", f"{SESSIONS}archive/2026-01", "HEAD")
    assert at_once.begin([], os.environ) is None


def test_many_refs_go_the_whole_way(ada: Clone, shared: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "MOST", 1)
    start(ada)
    assert begun() is not None
    start(ada), start(ada)
    assert at_once.begin([], os.environ) is None


def test_what_was_purged_and_what_is_no_session_is_not_sent(team: Team, ada: Clone, shared: list[str]) -> None:
    secret, fine = start(ada), start(ada)
    purged.remember(ada.store.shared, [secret])
    ada.git("update-ref", f"{SESSIONS}not-an-id", "HEAD")
    found = begun()
    assert found is not None and found.send.keys() == {SESSIONS + fine}
    assert on(team).keys() == {*shared, fine}


def test_of_several_remotes_it_takes_the_configured_one_and_guesses_none(
    team: Team, ada: Clone, shared: list[str]
) -> None:
    ada.git("remote", "add", "second", team.url)
    start(ada)
    assert at_once.begin([], os.environ) is None
    ada.git("config", "agentSession.remote", "second")
    found = begun()
    assert found is not None and found.name == "second"
    # nothing was known of it
    assert len(found.send) == 3


def test_a_mirrors_settings_force_nothing(team: Team, ada: Clone, shared: list[str]) -> None:
    ada.git("config", "remote.origin.mirror", "true")
    ada.git("config", "remote.origin.push", "+refs/*:refs/*")
    theirs = team.batch("x", "")
    team.raw("refs/heads/theirs", theirs)
    start(ada)
    assert begun() is not None
    assert team.server.git("rev-parse", "refs/heads/theirs") == theirs
    assert team.server.run("git", "rev-parse", "-q", "--verify", "refs/heads/main").returncode != 0


def test_it_says_what_the_whole_way_says(team: Team, ada: Clone, shared: list[str], tmp_path: Path) -> None:
    third = start(ada)
    twin, server = Clone(tmp_path / "twin"), Repo(tmp_path / "twin.git")
    shutil.copytree(ada.path, twin.path)
    shutil.copytree(team.server.path, server.path)
    twin.git("remote", "set-url", "origin", str(server.path))
    # an option more, and nothing begins before
    whole, times = pushes(twin, "origin", "--json", "--timeout", "99")
    quick, once = pushes(ada, "origin", "--json")
    assert (times, once, whole.returncode, quick.returncode) == (1, 1, 0, 0)

    def said(text: str) -> dict[str, Any]:
        doc = json.loads(text)
        return {**doc, "url": "", "results": sorted(doc["results"], key=lambda r: r["ref"])}

    assert said(quick.stdout) == said(whole.stdout)
    assert {r["session"]: r["status"] for r in said(quick.stdout)["results"]} == {
        **dict.fromkeys(shared, "up-to-date"),
        third: "new",
    }
    assert twin.tips("refs/") == ada.tips("refs/")
    assert consent.confirmed(twin.store.shared, find(twin.store.repo, "origin"))


def test_for_people_too(ada: Clone, shared: list[str]) -> None:
    third = start(ada)
    done, times = pushes(ada)
    assert (done.returncode, done.stderr, times) == (0, "", 1)
    assert done.stdout == f"{third[:8]}  new (sent)\norigin: sent: 1 session\n"
    assert consent.confirmed(ada.store.shared, find(ada.store.repo, "origin"))


def test_what_is_refused_is_explained_and_the_others_go_through(
    team: Team, ada: Clone, bob: Clone, shared: list[str]
) -> None:
    bob.sync()
    for clone in (bob, ada):
        clone.store.log(shared[0], "note", clone.path.name)
        clone.store.drain(shared[0])
    assert sync.push(bob.store, "origin").ok
    before, third = on(team), start(ada)
    done, _ = pushes(ada, "--json")
    assert done.returncode == 1
    statuses = {r["session"]: r["status"] for r in json.loads(done.stdout)["results"] if "session" in r}
    assert statuses == {shared[0]: "rejected", shared[1]: "up-to-date", third: "new"}
    # never by force
    assert on(team) == before | {third: ada.git("rev-parse", SESSIONS + third)}
    assert ada.sync().ok


def test_of_a_remote_that_cannot_be_reached_it_is_said_once(team: Team, ada: Clone, shared: list[str]) -> None:
    start(ada)
    ada.git("remote", "set-url", "origin", str(team.root / "nowhere.git"))
    done, times = pushes(ada)
    assert (done.returncode, times, len(done.stderr.splitlines())) == (1, 1, 1)
    assert "cannot push to origin" in done.stderr and "does not appear to be a git repository" in done.stderr


def test_escape_sequences_of_a_server_reach_no_terminal(team: Team, ada: Clone, shared: list[str]) -> None:
    hook = team.server.path / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    # more than a pipe holds
    hook.write_text("#!/bin/sh\nprintf '\\033[31mred\\007\\n' >&2\nyes 0123456789 | head -n 20000 >&2\nexit 1\n")
    hook.chmod(0o755)
    start(ada)
    done, _ = pushes(ada)
    assert done.returncode == 1 and "hook declined" in done.stderr
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr


def test_a_helper_that_git_leaves_behind_is_not_waited_for(
    team: Team, ada: Clone, shared: list[str], tmp_path: Path
) -> None:
    wrapper = tmp_path / "receive"
    wrapper.write_text('#!/bin/sh\nsleep 30 </dev/null >/dev/null &\nexec git-receive-pack "$@"\n')
    wrapper.chmod(0o755)
    ada.git("config", "remote.origin.receivepack", str(wrapper))
    start(ada)
    at = time.monotonic()
    assert begun() is not None
    assert time.monotonic() - at < 20


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_nothing_of_another_users_repository_is_run(ada: Clone, shared: list[str], tmp_path: Path) -> None:
    start(ada)
    ada.git("config", "remote.origin.receivepack", f"touch {tmp_path}/run;")
    for folder, _, names in os.walk(ada.path):
        os.chown(folder, 12345, 12345)
        for name in names:
            os.lchown(os.path.join(folder, name), 12345, 12345)
    assert at_once.begin([], os.environ) is None
    done = ada.cli("push")
    assert done.returncode == 1 and "safe.directory" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.sync
@pytest.mark.parametrize("after", [0.05, 0.2, 0.6])
def test_killed_at_it_the_next_push_goes_on(team: Team, ada: Clone, shared: list[str], after: float) -> None:
    third = start(ada)
    hook = team.server.path / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nsleep 0.5\n")
    hook.chmod(0o755)
    argv = [sys.executable, "-m", "git_agent_session", "push"]
    process = subprocess.Popen(argv, cwd=ada.path, start_new_session=True)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    hook.unlink()
    for lock in team.server.path.rglob("*.lock"):
        lock.unlink()  # a server's own process would have lived on
    assert ada.cli("push").returncode == 0
    assert on(team)[third] == ada.git("rev-parse", SESSIONS + third)


def test_a_reader_that_has_gone_is_no_error_to_be_told(ada: Clone, shared: list[str]) -> None:
    start(ada)
    argv = f"{sys.executable} -m git_agent_session push --json | true"
    done = ada.run("sh", "-c", f"{argv}; exit 0")
    assert done.stderr == ""


def test_nothing_heavy_is_loaded_before_git_is_at_work(ada: Clone, shared: list[str]) -> None:
    start(ada)
    code = (
        "import os, sys; from git_agent_session.sync import at_once; found = at_once.begin([], os.environ);"
        "heavy = {'click', 'pygit2', 're', 'subprocess', 'dataclasses', 'typing', 'json'};"
        "print(bool(found), sorted(heavy & set(sys.modules)));"
        "at_once.told(found, None, whole=False)"
    )
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    assert ada.run(*argv, check=True).stdout == "True []\n"
