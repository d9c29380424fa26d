"""The git hooks in a live repository: which commits link, by what evidence, and what they leave alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import live
from git_agent_session.hooks import installer
from git_agent_session.store.store import Store
from tests.harness import ROOT, Repo

NOTES = "--notes=agent-sessions"


def note(repo: Repo, commit: str = "HEAD") -> str:
    return repo.git("log", "-1", "--format=%N", NOTES, commit, "--").strip()


def line(session: str, *, agent: str = "codex", primary: bool = True) -> str:
    return f'sessions.{session} = {{ agent = "{agent}"{", primary = true" if primary else ""} }}'


def editor(tmp_path: Path, script: str) -> dict[str, str]:
    """The environment in which git's editor is the sh `script`, with the message file as $1."""
    path = tmp_path / "editor"
    path.write_text(f'#!/bin/sh\ncp "$1" "{tmp_path}/buffer"\n{script}\n')
    path.chmod(0o755)
    return {"GIT_EDITOR": str(path)}


TYPE = 'sed "1s/^/typed/" "$1" >"$1.x" && mv "$1.x" "$1"'
TYPE_AND_REFUSE = 'sed -e "1s/^/typed/" -e "/Agent-Session/d" "$1" >"$1.x" && mv "$1.x" "$1"'


def links(store: Store, session: str) -> dict[str, str]:
    return {link.commit: link.via for link in store.commits(session)}


def test_commit_links_to_the_active_session(hooked: Repo, store: Store, session: str) -> None:
    commit = hooked.commit("work", files={"f": "1\n"})
    assert links(store, session) == {commit: "active"}
    assert note(hooked) == line(session)
    assert hooked.git("log", "-1", "--format=%(trailers:key=Agent-Session,valueonly)").strip() == session


def test_drained_link_knows_tree_paths_and_patch(hooked: Repo, store: Store, session: str) -> None:
    commit = hooked.commit("work", files={"a b/ü": "1\n"})
    store.drain(session)
    (link,) = store.commits(session)
    assert link.tree == hooked.git("rev-parse", "HEAD^{tree}")
    assert link.parents == (hooked.git("rev-parse", "HEAD^"),)
    assert link.paths == ("a b/ü",)
    patch = hooked.git("diff-tree", "-p", "HEAD")
    assert link.patch_id == hooked.git("patch-id", "--stable", input=patch + "\n").split()[0]
    assert commit == link.commit


def test_patch_ids_are_those_of_git_or_absent(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("text", files={"f": "1\n", "no newline": "x", "crlf": "a\r\n"})
    hooked.git("mv", "f", "renamed")
    hooked.commit("rename")
    hooked.commit("binary", files={"b": b"\x00\x01", "renamed": "2\n"})
    hooked.commit("empty")
    store.drain(session)
    found = {link.commit: link.patch_id for link in store.commits(session)}
    for commit, patch_id in found.items():
        patch = hooked.git("diff-tree", "-p", "--no-renames", commit)
        expected = hooked.git("patch-id", "--stable", input=patch + "\n").split()
        assert patch_id == ("" if "Binary" in patch or not expected else expected[0])
    assert sum(map(bool, found.values())) == 2


def test_variable_wins_over_the_active_session(hooked: Repo, store: Store, session: str) -> None:
    other = store.start(goal="other", agent="gemini", activate=False).id
    commit = hooked.commit("work", env={"GIT_AGENT_SESSION": other})
    assert links(store, other) == {commit: "env"}
    assert links(store, session) == {}


def test_abbreviated_variable_works(hooked: Repo, store: Store, session: str) -> None:
    other = store.start(goal="other", activate=False).id
    hooked.commit("work", env={"GIT_AGENT_SESSION": other[:9]})
    assert note(hooked) == line(other, agent="unknown")


@pytest.mark.parametrize("value", ["none", "0000", "../../x", "*", "939cc486-5bb3-4e44-aec8-5b7d00443063", "ab"])
def test_variable_that_names_no_open_session_links_nothing(
    hooked: Repo, store: Store, session: str, value: str
) -> None:
    hooked.commit("work", env={"GIT_AGENT_SESSION": value})
    assert note(hooked) == ""
    assert links(store, session) == {}


def test_agents_own_id_links_its_session(hooked: Repo, store: Store, session: str) -> None:
    agent = git_agent_session.Agent(type="claude-code", native_id="abc-1")
    mine = store.start(agent=agent, activate=False).id
    env = {"CLAUDE_CODE_SESSION_ID": "abc-1", "CLAUDE_CODE_CHILD_SESSION": "1"}
    commit = hooked.commit("work", env=env)
    assert links(store, mine) == {commit: "agent"}
    assert note(hooked) == line(mine, agent="claude-code")


def test_agents_id_in_a_terminal_that_is_not_its_own_is_no_evidence(hooked: Repo, store: Store) -> None:
    store.start(agent=git_agent_session.Agent(type="claude-code", native_id="abc-1"), activate=False)
    hooked.commit("work", env={"CLAUDE_CODE_SESSION_ID": "abc-1", "CLAUDECODE": "1"})
    assert note(hooked) == ""


def test_hostile_native_id_is_no_path(hooked: Repo, store: Store) -> None:
    victim = store.start(goal="x", activate=False).id
    (hooked.path / ".git/agent-session/secret").write_text(victim + "\n")
    env = {"CLAUDE_CODE_SESSION_ID": "../../secret", "CLAUDE_CODE_CHILD_SESSION": "1"}
    hooked.commit("work", env=env)
    assert note(hooked) == ""


@pytest.mark.parametrize("state", ["paused", "ended"])
def test_closed_session_takes_no_commits(hooked: Repo, store: Store, session: str, state: str) -> None:
    if state == "paused":
        store.pause(session)
    else:
        store.end(session)
    hooked.commit("work", env={"GIT_AGENT_SESSION": session})
    assert links(store, session) == {}


def test_resumed_session_takes_commits_again(hooked: Repo, store: Store, session: str) -> None:
    store.end(session)
    store.resume(session)
    commit = hooked.commit("work")
    assert links(store, session) == {commit: "active"}


def test_first_commit_links(repo: Repo) -> None:
    installer.install(str(repo.path))
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal="root").id
    commit = repo.commit("root", files={"f": "1"})
    assert links(store, session) == {commit: "active"}
    store.drain(session)
    assert store.commits(session)[0].paths == ("f",)


def test_detached_head_links(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "--detach")
    commit = hooked.commit("detached")
    assert links(store, session) == {commit: "active"}


def test_commit_from_a_subfolder_links(hooked: Repo, store: Store, session: str) -> None:
    (hooked.path / "sub").mkdir()
    Repo(hooked.path / "sub").commit("from below")
    assert note(hooked) == line(session)


def test_commit_all_and_partial_commit_link_and_keep_the_index(hooked: Repo, store: Store, session: str) -> None:
    hooked.write({"f": "1\n", "g": "1\n"})
    hooked.git("add", "g")
    hooked.git("commit", "-q", "-m", "only f", "--", "f")
    assert note(hooked) == line(session)
    assert hooked.git("status", "--porcelain") == "A  g"
    hooked.write({"f": "2\n"})
    hooked.git("commit", "-q", "-a", "-m", "all")
    assert note(hooked) == line(session)
    assert hooked.git("status", "--porcelain") == ""


def test_no_verify_still_links(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("work", "--no-verify")
    assert note(hooked) == line(session)


def test_reuse_message_links_once_with_one_trailer(hooked: Repo, store: Store, session: str) -> None:
    first = hooked.commit("work", files={"f": "1\n"})
    hooked.write({"f": "2\n"})
    hooked.git("commit", "-q", "-a", "-C", first)
    assert hooked.git("log", "-1", "--format=%(trailers:key=Agent-Session,valueonly)").split() == [session]
    assert note(hooked) == line(session)


def test_amend_moves_the_link_and_the_note(hooked: Repo, store: Store, session: str) -> None:
    first = hooked.commit("work", files={"f": "1\n"})
    hooked.git("commit", "-q", "--amend", "-m", "better")
    second = hooked.git("rev-parse", "HEAD")
    assert first != second
    assert note(hooked) == line(session)
    assert list(links(store, session)) == [second]


def test_amend_after_the_session_ended_keeps_the_link(hooked: Repo, store: Store, session: str) -> None:
    hooked.commit("work", files={"f": "1\n"})
    store.end(session)
    hooked.git("commit", "-q", "--amend", "-m", "better")
    assert note(hooked) == line(session)
    (link,) = store.commits(session)
    assert link.commit == hooked.git("rev-parse", "HEAD")


def test_amend_by_another_session_names_both_and_keeps_the_first_primary(
    hooked: Repo, store: Store, session: str
) -> None:
    hooked.commit("work", files={"f": "1\n"})
    other = store.start(goal="other", agent="gemini", activate=False).id
    hooked.git("commit", "-q", "--amend", "-m", "ours", env={"GIT_AGENT_SESSION": other})
    found = store.which("HEAD")
    assert {w.session.id for w in found} == {session, other}


def test_merge_commit_links_and_fast_forward_does_not(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("branch", "ff")
    hooked.git("checkout", "-q", "-b", "side")
    side = hooked.commit("side", files={"s": "1\n"})
    hooked.git("checkout", "-q", "ff")
    hooked.git("merge", "-q", "side")
    assert list(links(store, session)) == [side]
    hooked.git("checkout", "-q", "main")
    hooked.commit("main", files={"m": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
    hooked.git("merge", "-q", "--no-edit", "side")
    merge = hooked.git("rev-parse", "HEAD")
    assert list(links(store, session)) == [side, merge]
    assert note(hooked) == line(session)


def test_conflicted_merge_links_when_it_is_committed(hooked: Repo, store: Store, session: str) -> None:
    quiet = {"GIT_AGENT_SESSION": "none"}
    hooked.git("checkout", "-q", "-b", "side")
    hooked.commit("side", files={"f": "side\n"}, env=quiet)
    hooked.git("checkout", "-q", "main")
    hooked.commit("main", files={"f": "main\n"}, env=quiet)
    hooked.git("merge", "-q", "side", check=False)
    hooked.write({"f": "both\n"})
    hooked.git("commit", "-q", "-a", "--no-edit", env={"GIT_EDITOR": "true"})
    assert list(links(store, session)) == [hooked.git("rev-parse", "HEAD")]


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_rebase_carries_links_and_adds_none(hooked: Repo, store: Store, session: str, backend: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("by the agent", files={"a": "1\n"})
    hooked.commit("by hand", files={"b": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
    hooked.git("checkout", "-q", "main")
    hooked.commit("base", files={"m": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
    hooked.git("checkout", "-q", "topic")
    hooked.git("rebase", "-q", backend, "main")
    assert note(hooked, "HEAD") == ""
    assert note(hooked, "HEAD^") == line(session)
    assert list(links(store, session)) == [hooked.git("rev-parse", "HEAD^")]


def test_interactive_rebase_with_fixup_reword_and_a_new_commit_at_an_edit_stop(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    none = {"GIT_AGENT_SESSION": "none"}
    hooked.commit("one", files={"a": "1\n"})
    hooked.commit("fixup! one", files={"a": "2\n"})
    hooked.commit("two", files={"b": "1\n"}, env=none)
    hooked.commit("three", files={"c": "1\n"})
    # newer gits write `pick <id> # two`
    todo = 'sed -e "s/^pick \\([0-9a-f]*\\) \\(# \\)\\{0,1\\}two/edit \\1 two/" "$1" >"$1.x" && mv "$1.x" "$1"'
    env = {"GIT_SEQUENCE_EDITOR": editor(tmp_path, todo)["GIT_EDITOR"], "GIT_EDITOR": "true"}
    hooked.git("rebase", "-q", "-i", "--autosquash", "HEAD~4", env=env)
    fresh = hooked.commit("made at the stop", files={"d": "1\n"})
    hooked.git("rebase", "--continue", env={"GIT_EDITOR": "true"})
    by_subject = {hooked.git("log", "-1", "--format=%s", c): c for c in links(store, session)}
    assert set(by_subject) == {"one", "made at the stop", "three"}
    assert by_subject["made at the stop"] == fresh
    live_commits = set(hooked.lines("rev-list", "HEAD"))
    assert set(by_subject.values()) <= live_commits
    assert note(hooked, by_subject["one"]) == line(session)


def test_cherry_pick_in_a_session_links(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "side")
    hooked.commit("side", files={"s": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
    hooked.git("checkout", "-q", "main")
    hooked.git("cherry-pick", "side")
    assert list(links(store, session)) == [hooked.git("rev-parse", "HEAD")]


def test_editor_shows_a_comment_and_the_commit_links(hooked: Repo, store: Store, session: str, tmp_path: Path) -> None:
    hooked.write({"f": "1\n"})
    hooked.git("commit", "-q", "-a", "-v", env=editor(tmp_path, TYPE))
    assert f"# Agent-Session: {session}\n" in (tmp_path / "buffer").read_text()
    assert hooked.git("log", "-1", "--format=%B") == "typed"
    assert note(hooked) == line(session)


@pytest.mark.parametrize(
    "args",
    [["-a"], ["-a", "-v"], ["-a", "-e", "-m", "given"], ["-a", "--cleanup=scissors"], ["--amend"]],
    ids=" ".join,
)
def test_taking_the_line_out_in_the_editor_means_no_link(
    hooked: Repo, store: Store, session: str, tmp_path: Path, args: list[str]
) -> None:
    hooked.write({"f": "1\n"})
    hooked.git("commit", "-q", *args, env=editor(tmp_path, TYPE_AND_REFUSE))
    assert "typed" in hooked.git("log", "-1", "--format=%B")
    assert note(hooked) == ""
    assert links(store, session) == {}


@pytest.mark.parametrize(
    "args",
    [["-a"], ["-a", "-v"], ["-a", "--cleanup=scissors"], ["-a", "--cleanup=scissors", "-v"], ["-a", "-m", ""]],
    ids=" ".join,
)
def test_empty_message_still_aborts(hooked: Repo, store: Store, session: str, tmp_path: Path, args: list[str]) -> None:
    hooked.write({"f": "1\n"})
    before = hooked.git("rev-parse", "HEAD")
    done = hooked.run("git", "commit", *args, env=editor(tmp_path, ":"))
    assert done.returncode == 1
    assert "empty commit message" in done.stderr
    assert hooked.git("rev-parse", "HEAD") == before


def test_untouched_template_still_aborts(hooked: Repo, store: Store, session: str, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.write_text("Subject of the template\n")
    hooked.write({"f": "1\n"})
    done = hooked.run("git", "commit", "-a", "-t", str(template), env=editor(tmp_path, ":"))
    assert done.returncode == 1
    assert "did not edit" in done.stderr


def test_a_commit_that_was_aborted_does_not_mark_the_next_one(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    hooked.write({"f": "1\n"})
    hooked.run("git", "commit", "-a", env=editor(tmp_path, ":"))
    hooked.git("commit", "-q", "-a", "-m", "now")
    assert note(hooked) == line(session)


@pytest.mark.parametrize(
    "message",
    [
        "subject",
        "fix: conventional",
        "subject\n\nbody\n",
        "subject\n\nReviewed-by: Bob <b@example.org>",
        "subject\n\nbody: with a colon\nand more",
        "subject\n\n---\nnot a patch",
        "subject\n\n#12 is no comment here",
        "Ünïcode ☃\n\nzeile",
        "x" * 3000 + "\n\n" + "y\n" * 200,
    ],
)
def test_trailer_is_one_that_git_reads_and_the_message_stays(
    hooked: Repo, store: Store, session: str, message: str
) -> None:
    plain = hooked.commit(message, "--cleanup=whitespace", env={"GIT_AGENT_SESSION": "none"})
    hooked.commit(message, "--cleanup=whitespace")
    assert hooked.git("log", "-1", "--format=%(trailers:key=Agent-Session,valueonly)").split() == [session]
    body = hooked.git("log", "-1", "--format=%B").replace(f"Agent-Session: {session}", "").rstrip()
    assert body == hooked.git("log", "-1", "--format=%B", plain).rstrip()


def test_trailer_can_be_switched_off_before_and_while_a_session_is_open(hooked: Repo, store: Store) -> None:
    session = store.start(goal="x").id
    hooked.git("config", "agentSession.trailer", "false")
    os.utime(hooked.path / ".git/config", (2**31, 2**31))
    hooked.commit("no trailer")
    assert hooked.git("log", "-1", "--format=%B") == "no trailer"
    assert list(links(store, session)) == [hooked.git("rev-parse", "HEAD")]
    store.end(session)
    os.utime(hooked.path / ".git/config", (1, 1))
    git_agent_session.open(str(hooked.path)).start(goal="y")
    hooked.commit("none either")
    assert hooked.git("log", "-1", "--format=%B") == "none either"


def test_worktrees_have_their_own_active_session(hooked: Repo, store: Store, session: str, tmp_path: Path) -> None:
    hooked.git("worktree", "add", "-q", str(tmp_path / "wt"), "-b", "wt")
    linked = Repo(tmp_path / "wt")
    linked.commit("nobody's")
    assert note(linked) == ""
    theirs = git_agent_session.open(str(linked.path)).start(goal="theirs", agent="gemini").id
    commit = linked.commit("theirs")
    assert links(store, theirs) == {commit: "active"}
    assert links(store, session) == {}
    assert linked.commit("env", env={"GIT_AGENT_SESSION": session}) in links(store, session)


def test_submodule_links_to_its_own_session(hooked: Repo, tmp_path: Path) -> None:
    inner = Repo.init(tmp_path / "inner")
    inner.commit("inner", files={"i": "1"})
    hooked.git("submodule", "--quiet", "add", str(inner.path), "sub")
    sub = Repo(hooked.path / "sub")
    installer.install(str(sub.path))
    store = git_agent_session.open(str(sub.path))
    session = store.start(goal="in the submodule").id
    commit = sub.commit("work")
    assert links(store, session) == {commit: "active"}
    assert (hooked.path / ".git/modules/sub/agent-session/journal").is_dir()


ODD_NAMES = [b"with space", b'it\'s "quoted"', b"new\nline", b"caf\xe9", b"$(touch x);`id`", b"-n"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_repository_paths_that_shells_stumble_over(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    repo = Repo.init(path)
    installer.install(str(path))
    store = git_agent_session.open(str(path))
    session = store.start(goal="odd").id
    commit = repo.commit("work", files={"f": "1"})
    assert note(repo) == line(session, agent="unknown")
    assert links(store, session) == {commit: "active"}
    repo.git("worktree", "add", "-q", "--detach", str(path) + "-wt")
    linked = Repo(Path(str(path) + "-wt"))
    linked.commit("there", env={"GIT_AGENT_SESSION": session})
    assert note(linked) == line(session, agent="unknown")


def test_notes_of_others_on_the_same_commit_are_kept(hooked: Repo, store: Store, session: str) -> None:
    # the same tree, parent, author and second: git makes the same commit twice
    dates = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    first = hooked.commit("same", env={**dates, "GIT_AGENT_SESSION": "none"})
    hooked.git("notes", "--ref=agent-sessions", "add", "-m", "a line of somebody's", first)
    hooked.git("config", "agentSession.trailer", "false")
    os.utime(hooked.path / ".git/config", (2**31, 2**31))
    hooked.git("reset", "-q", "--soft", "HEAD^")
    assert hooked.commit("same", env=dates) == first
    assert note(hooked).splitlines() == ["a line of somebody's", line(session)]
    assert len(hooked.lines("ls-tree", "-r", "refs/notes/agent-sessions")) == 1


def test_without_a_session_no_process_is_started(hooked: Repo, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    started = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=execve", "-o", str(tmp_path / "strace"), "git", "commit", "-q",
         "--allow-empty", "-m", "y"],
        cwd=hooked.path, check=False, capture_output=True,
    )  # fmt: skip
    if started.returncode != 0:
        pytest.skip("strace cannot trace here")
    lines = [ln for ln in (tmp_path / "strace").read_text().splitlines() if "execve(" in ln and "= 0" in ln]
    hooks = [ln for ln in lines if ".git/hooks/" in ln]
    assert len(hooks) == 2, lines
    assert len(lines) - len(hooks) <= 2, lines  # git itself, and its own maintenance


def test_hook_survives_a_plugin_folder_that_is_gone_or_cannot_be_written(
    hooked: Repo, store: Store, session: str
) -> None:
    shared = hooked.path / ".git/agent-session"
    journal = shared / "journal"
    os.rename(journal, shared / "away")
    journal.write_text("in the way")
    hooked.commit("work")
    assert note(hooked) == line(session)
    assert "is not linked" in (shared / "hook.log").read_text()
    os.rename(hooked.path / ".git/agent-session", hooked.path / ".git/elsewhere")
    hooked.commit("more")


def test_note_that_could_not_be_written_comes_with_the_next_drain(hooked: Repo, store: Store, session: str) -> None:
    lock = hooked.path / ".git/refs/notes/agent-sessions.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    hooked.commit("work")
    assert note(hooked) == ""
    assert [w.session.id for w in store.which("HEAD")] == [session]
    os.utime(lock, (1, 1))
    store.drain(session)
    assert note(hooked) == line(session)


@pytest.mark.parametrize("shell", ["dash", "busybox ash", "bash --posix", "zsh"])
def test_hooks_run_in_every_sh(repo: Repo, shell: str, tmp_path: Path) -> None:
    if subprocess.run(["sh", "-c", f"command -v {shell.split()[0]}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{shell} is not installed")
    installer.install(str(repo.path))
    for hook in (repo.path / ".git/hooks").iterdir():
        text = hook.read_text()
        if "git-agent-session hook" in text:
            # env -S is GNU's: a two-word interpreter goes through a launcher
            launcher = tmp_path / "sh"
            arg0 = "ARGV0=sh " if shell == "zsh" else ""
            launcher.write_text(f'#!/bin/sh\n{arg0}exec {shell} "$@"\n')
            launcher.chmod(0o755)
            hook.write_text(text.replace("#!/bin/sh", f"#!{launcher}", 1))
    store = git_agent_session.open(str(repo.path))
    session = store.start(goal=shell).id
    commit = repo.commit("subject: x\n\nbody", files={"f": "1"})
    repo.git("commit", "-q", "--amend", "-m", "again")
    assert note(repo) == line(session, agent="unknown")
    (link,) = store.commits(session)
    assert link.commit == repo.git("rev-parse", "HEAD") != commit


def test_lock_that_a_killed_process_left_on_the_notes_is_broken(hooked: Repo, store: Store, session: str) -> None:
    lock = hooked.path / ".git/refs/notes/agent-sessions.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    os.utime(lock, (1, 1))
    hooked.commit("work")
    assert note(hooked) == line(session)


def two_agents(repo: Repo, store: Store, rounds: int = 25) -> None:
    """Two agents commit at once in one worktree; each commit must link to the one that made it, and to no other."""
    ids = [store.start(goal=f"agent {n}", activate=False).id for n in range(2)]
    one = 'git commit -q --allow-empty -m "$1 $n" 2>/dev/null'
    script = f"n=0; while [ $n -lt {rounds} ]; do {one} && n=$((n + 1)); done"
    running = [
        subprocess.Popen(
            ["sh", "-c", script, "sh", i],
            cwd=repo.path,
            # the author tells who made a commit: git itself mixes up messages, which pass through one shared file
            env={**os.environ, "GIT_AGENT_SESSION": i, "GIT_AUTHOR_NAME": i},
        )
        for i in ids
    ]
    for process in running:
        assert process.wait(timeout=120) == 0
    for i in ids:
        store.drain(i)
        made = repo.lines("log", f"--author={i}", "--format=%H")
        assert len(made) == rounds
        assert set(links(store, i)) == set(made)
        for commit in made:
            assert note(repo, commit) == line(i, agent="unknown")


def test_two_agents_at_once_in_one_worktree(hooked: Repo, store: Store) -> None:
    two_agents(hooked, store)


def test_two_agents_at_once_with_hooks_called_by_another_program(hooked: Repo, store: Store) -> None:
    for name in ("prepare-commit-msg", "post-commit"):
        hook = hooked.path / ".git/hooks" / name
        hook.rename(hook.with_name(f"{name}.inner"))
        hook.write_text('#!/bin/sh\n"$0.inner" "$@"\nexit $?\n')
        hook.chmod(0o755)
    two_agents(hooked, store)


def test_merge_message_without_a_last_newline_keeps_its_subject(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("on the topic")
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "-m", "Merge the topic", "topic")
    assert hooked.git("log", "-1", "--format=%s") == "Merge the topic"
    assert hooked.git("log", "-1", "--format=%(trailers:key=Agent-Session,valueonly)").strip() == session
    hooked.git("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-", input="no newline")
    assert hooked.git("log", "-1", "--format=%s") == "no newline"


def test_merge_with_the_trailer_taken_out_does_not_link(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("on the topic", env={"GIT_AGENT_SESSION": "none"})
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "--edit", "topic", env=editor(tmp_path, TYPE_AND_REFUSE))
    assert links(store, session) == {}


def test_merge_links_where_reflogs_are_off(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("config", "core.logAllRefUpdates", "false")
    (hooked.path / ".git/logs/HEAD").unlink()
    hooked.git("checkout", "-q", "-b", "topic")
    hooked.commit("on the topic", env={"GIT_AGENT_SESSION": "none"})
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    assert list(links(store, session)) == [hooked.git("rev-parse", "HEAD")]


def test_objects_and_refs_keep_the_modes_that_git_gives_them(hooked: Repo, store: Store, session: str) -> None:
    script = "umask 022; git commit -q --allow-empty -m one; git commit -q --allow-empty -m two"
    hooked.run("sh", "-c", script, check=True)
    git_dir = hooked.path / ".git"
    assert note(hooked) == line(session)
    folders = [p for p in (git_dir / "objects").rglob("*") if p.is_dir()]
    assert {oct(p.stat().st_mode & 0o777) for p in folders} == {"0o755"}
    assert (git_dir / "refs/notes/agent-sessions").stat().st_mode & 0o777 == 0o644
    assert (git_dir / "agent-session/journal").stat().st_mode & 0o777 == 0o700


def test_file_named_head_does_not_confuse_the_hooks(hooked: Repo, store: Store, session: str) -> None:
    commit = hooked.commit("work", files={"HEAD": "x", "refs/notes/agent-sessions": "y"})
    assert links(store, session) == {commit: "active"}
    assert note(hooked, commit) == line(session)


def test_note_cannot_smuggle_commands_into_fast_import(hooked: Repo, store: Store, session: str) -> None:
    dates = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    hooked.git("config", "agentSession.trailer", "false")
    os.utime(hooked.path / ".git/config", (2**31, 2**31))
    base = hooked.git("rev-parse", "HEAD")
    first = hooked.commit("same", env={**dates, "GIT_AGENT_SESSION": "none"})
    hooked.git("reset", "-q", "--soft", base)
    evil = (
        "x\nagent-session-end\ncommit refs/heads/pwned\ncommitter a <a@example.org> now\ndata 0\n"
        f"from {base}\nM 100644 inline pwned.txt\ndata <<agent-session-end\npwned"
    )
    hooked.git("notes", "--ref=agent-sessions", "add", "-F", "-", first, input=evil)
    assert hooked.commit("same", env=dates) == first
    assert hooked.git("for-each-ref", "refs/heads/pwned") == ""


def test_template_that_begins_with_a_mark_stays_a_template(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    template = tmp_path / "template"
    for text in ("[TICKET-0] title\n", "Änderung: x\n", "* list\n"):
        template.write_text(text)
        done = hooked.run("git", "commit", "--allow-empty", "-t", str(template), env=editor(tmp_path, ":"))
        assert done.returncode == 1
        assert "did not edit" in done.stderr
        assert f"# Agent-Session: {session}\n" in (tmp_path / "buffer").read_text()


@pytest.mark.parametrize("char", [";", "auto", "%"])
def test_comment_marks_of_the_users_own(hooked: Repo, store: Store, session: str, tmp_path: Path, char: str) -> None:
    hooked.git("config", "core.commentChar", char)
    hooked.git("commit", "-q", "--allow-empty", "-v", env=editor(tmp_path, TYPE))
    assert hooked.git("log", "-1", "--format=%B") == "typed"
    assert note(hooked) == line(session)
    hooked.git("commit", "-q", "--allow-empty", "-e", "-m", "given", env=editor(tmp_path, ":"))
    assert hooked.git("log", "-1", "--format=%(trailers:key=Agent-Session,valueonly)").strip() == session


def test_refusing_counts_where_the_diff_speaks_of_the_session(
    hooked: Repo, store: Store, session: str, tmp_path: Path
) -> None:
    hooked.write({"f": f"# Agent-Session: {session}\n Agent-Session: {session}\n"})
    refuse = f'sed -e "1s/^/typed/" -e "/^# Agent-Session: {session}/d" "$1" >"$1.x" && mv "$1.x" "$1"'
    hooked.git("commit", "-q", "-a", "-v", env=editor(tmp_path, refuse))
    assert links(store, session) == {}


def test_broken_notes_ref_costs_no_crash_files_and_is_named(hooked: Repo, store: Store, session: str) -> None:
    ref = hooked.path / ".git/refs/notes/agent-sessions"
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text("")
    commit = hooked.commit("work")
    assert list((hooked.path / ".git").glob("fast_import_crash*")) == []
    assert "refs/notes/agent-sessions is broken" in (hooked.path / ".git/agent-session/hook.log").read_text()
    assert links(store, session) == {commit: "active"}


def test_trailer_commands_of_the_user_are_not_run(hooked: Repo, store: Store, session: str) -> None:
    hooked.git("config", "trailer.sign.key", "Signed-off-by: ")
    hooked.git("config", "trailer.sign.command", "echo FOREIGN")
    hooked.commit("t\n\nFixes: x")
    assert hooked.git("log", "-1", "--format=%B") == f"t\n\nFixes: x\nAgent-Session: {session}"


def test_hooks_print_nothing_where_tools_are_missing(hooked: Repo, store: Store, session: str, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "git", "cp", "sed"):
        (tools / name).symlink_to(shutil.which(name) or "")
    env = {**editor(tmp_path, TYPE), "PATH": str(tools)}
    done = hooked.run("git", "commit", "-q", "--allow-empty", env={**env, "GIT_EDITOR": "sed -i 1s/^/typed/"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    slots = hooked.path / ".git/agent-session"
    for name in [f"offered.{session}"]:
        (slots / name).unlink(missing_ok=True)
        (slots / name).mkdir()
    done = hooked.run("git", "commit", "-q", "--allow-empty", "-m", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_leftover_of_a_killed_writer_is_no_open_session(hooked: Repo, store: Store) -> None:
    session = store.start(goal="x", activate=False).id
    (hooked.path / ".git/agent-session/live" / f"{session}.123.abcdef").write_text("")
    hooked.commit("work", env={"GIT_AGENT_SESSION": session[:8]})
    assert note(hooked) == line(session, agent="unknown")


def test_guard_of_the_hooks_knows_every_agents_variable() -> None:
    for _, _, mark in live.AGENT_VARIABLES:
        for name in ("prepare-commit-msg", "post-commit", "post-merge"):
            assert f"${{{mark}:-}}" in (ROOT / "githooks" / name).read_text()


def test_fetched_repository_that_never_had_a_session_stays_as_it_is(hooked: Repo) -> None:
    before = sorted(p.name for p in (hooked.path / ".git").iterdir())
    hooked.commit("plain")
    assert sorted(p.name for p in (hooked.path / ".git").iterdir()) == before
    assert live.open_sessions(str(hooked.path / ".git/agent-session")) == set()
