"""`install --global` against real git: every repository of a user is served, and none of them is changed by it.

Git 2.54 and an older one are served by different means; most tests hold for both and run with the git on PATH. With
AGENT_SESSION_TEST_GIT=/path/to/bin/git they run with that one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session.errors import HookConflict, StorageError
from git_agent_session.hooks import everywhere, glance, installer, reach
from git_agent_session.hooks.sources import HOOKS
from git_agent_session.ids import native_session_id
from git_agent_session.store.store import Store
from tests.harness import Repo

# read before the seal takes it away
GIT = os.environ.get("AGENT_SESSION_TEST_GIT")
NATIVE = "2b7e0c52-90a4-4f0b-8a51-6d3c1f0e7a11"
OLD_ONLY = "from git 2.54 on the repository's own hooks are run by git itself"


def version() -> tuple[int, int]:
    search = f"{os.path.dirname(GIT)}{os.pathsep}{os.environ['PATH']}" if GIT else None
    said = subprocess.run([shutil.which("git", path=search) or "git", "version"], capture_output=True, check=True)
    found = re.search(rb"(\d+)\.(\d+)", said.stdout)
    assert found
    return int(found[1]), int(found[2])


MODE = reach.CONFIG if version() >= (2, 54) else reach.PATH
older = pytest.mark.skipif(MODE == reach.CONFIG, reason=OLD_ONLY)
newer = pytest.mark.skipif(MODE == reach.PATH, reason="hooks in the configuration need git 2.54")


@pytest.fixture(autouse=True)
def chosen_git(seal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if GIT:
        monkeypatch.setenv("PATH", os.path.dirname(GIT), prepend=os.pathsep)


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".gitconfig"


@pytest.fixture
def top(home: Path) -> Path:
    return home / ".local/share/git-agent-session"


@pytest.fixture
def served(repo: Repo) -> Repo:
    """A repository that nothing was put into, of a user who has installed for all of them."""
    everywhere.install()
    return repo


@pytest.fixture
def store(served: Repo) -> Store:
    return git_agent_session.open(str(served.path))


@pytest.fixture
def session(store: Store) -> str:
    return store.start(goal="every repository", agent="codex").id


def note(repo: Repo, commit: str = "HEAD") -> list[str]:
    return list(repo.lines("log", "-1", "--format=%N", "--notes=agent-sessions", commit, "--"))


def linked(repo: Repo, session: str) -> bool:
    """Whether the last commit has the session's trailer and note."""
    trailer = f"Agent-Session: {session}" in repo.git("log", "-1", "--format=%B")
    assert trailer == any(session in line for line in note(repo))
    return trailer


def hook(repo: Repo, name: str, body: str, folder: str = ".git/hooks") -> None:
    path = repo.path / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def ran(repo: Repo) -> list[str]:
    file = repo.path / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def files(top: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in sorted(top.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        data = os.fsencode(os.readlink(path)) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(top))] = (mode, data)
    return found


def fake_version(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """A git that is the real one, but for the version it says it has."""
    real = shutil.which("git")
    folder.mkdir()
    (folder / "git").write_text(
        f'#!/bin/sh\n[ "$1" != version ] || {{ echo "git version {says}"; exit; }}\nexec "{real}" "$@"\n'
    )
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


class TestServes:
    def test_a_commit_of_an_agent_in_a_repository_never_touched(self, served: Repo) -> None:
        env = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_CODE_SESSION_ID": NATIVE}
        payload = {
            "session_id": NATIVE,
            "transcript_path": str(served.path / "none.jsonl"),
            "cwd": str(served.path),
            "hook_event_name": "SessionStart",
            "source": "startup",
        }
        argv = [sys.executable, "-m", "git_agent_session", "hook", "claude-code"]
        served.run(*argv, env={**env, "CLAUDE_PID": "99999999"}, input=json.dumps(payload), check=True)
        commit = served.commit("by the agent", files={"f": "1\n"}, env=env)
        session = native_session_id("claude-code", NATIVE)
        assert linked(served, session)
        assert [link.commit for link in git_agent_session.open(str(served.path)).commits(session)] == [commit]

    def test_a_commit_without_a_session_leaves_nothing(self, served: Repo) -> None:
        served.commit("mine", files={"f": "1\n"})
        assert served.git("log", "-1", "--format=%B").strip() == "mine"
        assert not (served.path / ".git/agent-session").exists()

    def test_an_amend_and_a_rebase_keep_link_and_note(self, served: Repo, store: Store, session: str) -> None:
        served.commit("base", files={"f": "0\n"}, env={"GIT_AGENT_SESSION": "none"})
        served.commit("work", files={"g": "1\n"})
        amended = served.commit("work", "--amend", files={"g": "2\n"})
        served.git("checkout", "-q", "-b", "side", "HEAD~1")
        served.commit("other", files={"h": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
        served.git("checkout", "-q", "main")
        served.git("rebase", "-q", "side")
        head = served.git("rev-parse", "HEAD")
        assert head != amended
        assert [link.commit for link in store.commits(session)] == [head]
        assert any(session in line for line in note(served))

    def test_a_merge_links(self, served: Repo, session: str) -> None:
        served.commit("base", env={"GIT_AGENT_SESSION": "none"})
        served.git("checkout", "-q", "-b", "side")
        served.commit("side", files={"s": "1\n"}, env={"GIT_AGENT_SESSION": "none"})
        served.git("checkout", "-q", "main")
        served.git("merge", "-q", "--no-ff", "-m", "merged", "side")
        assert linked(served, session)

    def test_a_linked_worktree_and_a_submodule(self, served: Repo, tmp_path: Path) -> None:
        served.commit("base", files={"f": "0\n"})
        served.git("worktree", "add", "-q", str(tmp_path / "tree"))
        other = Repo.init(tmp_path / "other")
        other.commit("base")
        served.git("submodule", "-q", "add", str(other.path), "sub")
        for repo in (Repo(tmp_path / "tree"), Repo(served.path / "sub")):
            session = git_agent_session.open(str(repo.path)).start(goal="here", agent="codex").id
            repo.commit("work")
            assert linked(repo, session)

    def test_the_offer_a_user_takes_out_in_the_editor_means_no_link(
        self, served: Repo, session: str, tmp_path: Path
    ) -> None:
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nsed -e "1s/^/typed/" -e /Agent-Session/d "$1" >"$1.x" && mv "$1.x" "$1"\n')
        editor.chmod(0o755)
        served.git("commit", "-q", "--allow-empty", env={"GIT_EDITOR": str(editor)})
        assert served.git("log", "-1", "--format=%B").strip() == "typed"
        assert not linked(served, session)

    def test_a_home_with_blanks_quotes_and_dollars(
        self, repo: Repo, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(home / 'it\'s "my" $HOME; `x` #1'))
        everywhere.install()
        session = git_agent_session.open(str(repo.path)).start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)

    def test_starts_no_process_where_no_session_ever_was(self, served: Repo, top: Path, tmp_path: Path) -> None:
        if not shutil.which("strace"):
            pytest.skip("strace is not installed")
        trace = tmp_path / "strace"
        started = served.run(
            *("strace", "-f", "-qq", "-s", "4096", "-e", "trace=execve", "-o", str(trace)),
            *("git", "commit", "-q", "--allow-empty", "-m", "y"),
        )
        if started.returncode != 0:
            pytest.skip("strace cannot trace here")
        lines = [ln for ln in trace.read_text().splitlines() if "execve(" in ln and "= 0" in ln]
        hooks = [ln for ln in lines if str(top) in ln]
        assert len(hooks) >= 2
        assert len(lines) - len(hooks) <= 2, lines  # git itself, and its own maintenance


class TestOwnHooks:
    def test_run_with_their_arguments_and_input(self, served: Repo, session: str, tmp_path: Path) -> None:
        served.commit("base")
        git = served.git
        for name in ("prepare-commit-msg", "post-commit", "pre-commit", "post-checkout"):
            hook(served, name, f'echo {name} "$#" "$2" >>ran')
        hook(served, "pre-push", 'read -r line; echo pre-push "$1" "${line%% *}" >>ran')
        hook(served, "post-rewrite", 'while read -r line; do echo post-rewrite "$1" "${line##* }" >>ran; done')
        served.commit("work")
        assert ran(served) == ["pre-commit 0 ", "prepare-commit-msg 2 message", "post-commit 0 "]
        assert linked(served, session)
        head = served.commit("work", "--amend")
        assert [line for line in ran(served) if "rewrite" in line] == [f"post-rewrite amend {head}"]
        git("init", "-q", "--bare", str(tmp_path / "bare"))
        git("push", "-q", str(tmp_path / "bare"), "HEAD:refs/heads/main")
        assert ran(served) == [f"pre-push {tmp_path / 'bare'} HEAD"]

    @pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "commit-msg"])
    def test_that_fail_stop_the_commit(self, served: Repo, session: str, name: str) -> None:
        served.commit("base")
        hook(served, name, "exit 3")
        done = served.run("git", "commit", "--allow-empty", "-m", "no")
        assert done.returncode != 0
        assert served.git("log", "-1", "--format=%s") == "base"

    def test_that_fail_after_the_commit_do_not_keep_it_from_its_session(self, served: Repo, session: str) -> None:
        hook(served, "post-commit", "echo own >>ran; exit 4")
        served.commit("work")
        assert ran(served) == ["own"]
        assert linked(served, session)

    def test_that_are_not_executable_do_not_run(self, served: Repo, session: str) -> None:
        hook(served, "pre-commit", "exit 1")
        (served.path / ".git/hooks/pre-commit").chmod(0o644)
        served.commit("work")
        assert linked(served, session)

    def test_on_the_receiving_side(self, served: Repo, tmp_path: Path) -> None:
        served.commit("base")
        bare = Repo.init(tmp_path / "bare", "--bare")
        hook(bare, "pre-receive", 'read -r old new ref; echo "$ref" >>seen; [ "$ref" != refs/heads/no ]', "hooks")
        hook(bare, "update", 'echo "update $1" >>seen', "hooks")
        served.git("push", "-q", str(bare.path), "main")
        assert served.run("git", "push", "-q", str(bare.path), "main:no").returncode != 0
        assert (bare.path / "seen").read_text().split("\n")[:3] == [
            "refs/heads/main",
            "update refs/heads/main",
            "refs/heads/no",
        ]

    def test_on_reference_transactions_can_refuse(self, served: Repo) -> None:
        served.commit("base")
        hook(served, "reference-transaction", '[ "$1" != prepared ] || ! grep -q refs/heads/frozen')
        assert served.run("git", "branch", "frozen").returncode != 0
        served.git("branch", "thawed")

    def test_on_an_index_change(self, served: Repo) -> None:
        hook(served, "post-index-change", 'echo "$#" >>ran')
        served.write({"f": "1\n"})
        served.git("add", "f")
        assert ran(served) == ["2"]

    @pytest.mark.parametrize("own", [False, True])
    def test_push_to_checkout_works_as_without_us(self, served: Repo, tmp_path: Path, own: bool) -> None:
        served.commit("base", files={"f": "0\n"})
        served.git("clone", "-q", str(served.path), str(tmp_path / "clone"))
        target = Repo(tmp_path / "clone")
        target.git("config", "receive.denyCurrentBranch", "updateInstead")
        if own:
            hook(target, "push-to-checkout", 'git read-tree -u -m HEAD "$1"; echo own >"$GIT_WORK_TREE/ran"')
        served.commit("more", files={"f": "1\n"})
        served.git("push", "-q", str(target.path), "main")
        assert (target.path / "f").read_text() == "1\n"
        assert ran(target) == (["own"] if own else [])

    def test_push_to_checkout_refuses_a_changed_worktree(self, served: Repo, tmp_path: Path) -> None:
        served.commit("base", files={"f": "0\n"})
        served.git("clone", "-q", str(served.path), str(tmp_path / "clone"))
        target = Repo(tmp_path / "clone")
        target.git("config", "receive.denyCurrentBranch", "updateInstead")
        target.write({"f": "changed\n"})
        served.commit("more", files={"f": "1\n"})
        assert served.run("git", "push", str(target.path), "main").returncode != 0
        assert (target.path / "f").read_text() == "changed\n"

    def test_push_to_checkout_of_an_unborn_branch(self, served: Repo, tmp_path: Path) -> None:
        served.commit("base", files={"f": "0\n"})
        target = Repo.init(tmp_path / "empty")
        target.git("config", "receive.denyCurrentBranch", "updateInstead")
        served.git("push", "-q", str(target.path), "main")
        assert (target.path / "f").read_text() == "0\n"


class TestBesideALocalInstall:
    @pytest.mark.parametrize("first", ["local", "global"])
    def test_a_commit_is_recorded_once(self, repo: Repo, first: str) -> None:
        hook(repo, "post-commit", "echo own >>ran")
        for step in ("local", "global") if first == "local" else ("global", "local"):
            if step == "global":
                everywhere.install()
            else:
                installer.install(str(repo.path))
        store = git_agent_session.open(str(repo.path))
        session = store.start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)
        assert ran(repo) == ["own"]
        assert len(note(repo)) == 1
        assert repo.git("log", "-1", "--format=%B").count("Agent-Session:") == 1
        assert installer.status(str(repo.path)).problems == ()

    def test_a_refused_offer_is_not_linked_by_the_other(self, served: Repo, session: str, tmp_path: Path) -> None:
        installer.install(str(served.path))
        TestServes().test_the_offer_a_user_takes_out_in_the_editor_means_no_link(served, session, tmp_path)

    def test_it_outlives_the_global_one(self, served: Repo, session: str) -> None:
        hook(served, "pre-commit", "echo own >>ran")
        installer.install(str(served.path))
        everywhere.uninstall()
        served.commit("work")
        assert linked(served, session)
        assert ran(served) == ["own"]

    def test_taking_it_out_leaves_the_global_one(self, served: Repo, session: str) -> None:
        installer.install(str(served.path))
        installer.uninstall(str(served.path))
        served.commit("work")
        assert linked(served, session)

    @older
    def test_a_hooks_path_of_the_repository_is_reached_by_its_own_install_alone(
        self, served: Repo, session: str
    ) -> None:
        hook(served, "post-commit", "echo husky >>ran", ".husky/_")
        served.git("config", "core.hooksPath", ".husky/_")
        served.commit("not reached")
        assert not linked(served, session)
        state = installer.status(str(served.path))
        assert (state.installed, state.everywhere) == (False, None)
        assert "does not reach" in "\n".join(state.problems)
        installer.install(str(served.path))
        served.commit("reached")
        assert linked(served, session)
        assert ran(served) == ["husky", "husky"]
        assert installer.status(str(served.path)).problems == ()

    @newer
    def test_a_hooks_path_of_the_repository_is_reached(self, served: Repo, session: str) -> None:
        hook(served, "post-commit", "echo husky >>ran", ".husky/_")
        served.git("config", "core.hooksPath", ".husky/_")
        served.commit("work")
        assert linked(served, session)
        assert ran(served) == ["husky"]
        assert installer.status(str(served.path)).everywhere == reach.CONFIG

    @newer
    def test_it_steps_in_where_husky_has_set_the_path_of_the_local_one_back(self, served: Repo, session: str) -> None:
        hook(served, "post-commit", "echo husky >>ran", ".husky/_")
        served.git("config", "core.hooksPath", ".husky/_")
        installer.install(str(served.path))
        served.commit("by the local one")
        assert len(note(served)) == 1
        served.git("config", "core.hooksPath", ".husky/_")
        served.commit("by the global one")
        assert linked(served, session)
        assert ran(served) == ["husky", "husky"]
        state = installer.status(str(served.path))
        assert state.installed
        assert "was set to .husky/_ since" in state.problems[0]

    @newer
    def test_a_repository_can_switch_it_off(self, served: Repo, session: str) -> None:
        for name in HOOKS:
            served.git("config", f"hook.agent-session-{name}.enabled", "false")
        served.commit("work")
        assert not linked(served, session)
        assert installer.status(str(served.path)).everywhere is None


class TestStatus:
    def test_before_and_after(self, repo: Repo, config: Path, top: Path) -> None:
        assert everywhere.status().mode is None
        assert not installer.status(str(repo.path)).installed
        everywhere.install()
        assert everywhere.status().to_dict() == {
            "mode": MODE,
            "config": str(config),
            "folder": str(top),
            "problems": [],
        }
        here = installer.status(str(repo.path))
        assert (here.installed, here.mode, here.everywhere) == (True, None, MODE)
        assert here.problems == ()

    @pytest.mark.parametrize("folder", ["hooks", "hooks-path", "."])
    def test_a_folder_that_is_gone_breaks_no_commit_and_is_named(
        self, served: Repo, session: str, top: Path, folder: str
    ) -> None:
        if not (top / folder).is_dir():
            pytest.skip(OLD_ONLY)
        shutil.rmtree(top / folder)
        served.commit("work")
        served.commit("again", "--amend")
        assert served.git("log", "-1", "--format=%s") == "again"
        assert str(top) in "\n".join(everywhere.status().problems)
        everywhere.install()
        assert everywhere.status().problems == ()
        served.commit("mended")
        assert linked(served, session)

    @older
    def test_the_glance_sees_it(self, served: Repo, store: Store) -> None:
        location = store.repo.location
        assert glance.in_place(location, served.git("config", "core.hooksPath"))
        everywhere.uninstall()
        assert not glance.in_place(location, None)

    @newer
    def test_the_glance_sees_the_command(self, served: Repo, store: Store) -> None:
        command = served.git("config", "hook.agent-session-post-commit.command")
        assert glance.in_place(store.repo.location, None, command)
        everywhere.uninstall()
        assert not glance.in_place(store.repo.location, None, command)


class TestUndone:
    def test_configuration_and_home_are_as_before(self, home: Path, config: Path) -> None:
        config.write_text('# mine\n[user]\n\tname = Ada\n[core]\n\teditor = "vi -u \'x y\'" ; odd\n[hook "lint"]\n')
        config.chmod(0o600)
        before = files(home)
        everywhere.install()
        assert files(home) != before
        everywhere.uninstall()
        assert files(home) == before

    def test_what_was_not_there_is_not_there_again(self, home: Path, config: Path) -> None:
        config.unlink()
        everywhere.install()
        assert config.is_file()
        everywhere.uninstall()
        assert files(home) == {}

    def test_values_set_since_stay(self, repo: Repo, home: Path, config: Path) -> None:
        before = repo.lines("config", "--file", str(config), "--list")
        everywhere.install()
        repo.git("config", "--global", "alias.st", "status")
        repo.git("config", "--global", "--add", "notes.rewriteRef", "refs/notes/mine")
        everywhere.uninstall()
        after = repo.lines("config", "--file", str(config), "--list")
        assert after == [*before, "notes.rewriteref=refs/notes/mine", "alias.st=status"]
        assert not (home / ".local").exists()

    def test_a_linked_configuration_stays_a_link(self, home: Path, config: Path) -> None:
        real = home / "dotfiles/gitconfig"
        real.parent.mkdir()
        config.rename(real)
        config.symlink_to("dotfiles/gitconfig")
        before = files(home)
        everywhere.install()
        assert config.is_symlink()
        assert b"agent-session" in real.read_bytes()
        everywhere.uninstall()
        assert files(home) == before

    def test_twice_changes_nothing(self, home: Path) -> None:
        assert everywhere.install().changed
        before = files(home)
        assert not everywhere.install().changed
        assert files(home) == before
        assert everywhere.uninstall().changed
        assert not everywhere.uninstall().changed

    def test_a_dry_run_changes_nothing(self, home: Path) -> None:
        before = files(home)
        assert everywhere.install(dry_run=True).changed
        assert files(home) == before

    def test_a_hook_that_was_changed_stays_and_is_named(self, top: Path, home: Path) -> None:
        everywhere.install()
        path = top / "hooks/post-commit"
        path.write_text(path.read_text() + "# mine\n")
        report = everywhere.uninstall()
        assert [a.path for a in report.actions if a.kind == "keep"] == [str(path)]
        assert [p for p in top.rglob("*") if p.is_file()] == [path]

    def test_without_its_own_record(self, top: Path, config: Path, repo: Repo) -> None:
        before = repo.lines("config", "--file", str(config), "--list")
        everywhere.install()
        (top / "agent-session/hooks/installed.json").unlink()
        everywhere.uninstall()
        assert repo.lines("config", "--file", str(config), "--list") == before
        assert not top.exists()

    def test_with_another_xdg_data_home_than_at_the_install(
        self, config: Path, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        everywhere.install()
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "elsewhere"))
        everywhere.uninstall()
        assert "agent-session" not in config.read_text()


class TestConfiguration:
    def test_git_config_global_names_the_file(
        self, repo: Repo, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = config.read_bytes()
        named = tmp_path / "named"
        named.write_text("[user]\n\tname = Eve\n\temail = eve@example.org\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(named))
        everywhere.install()
        session = git_agent_session.open(str(repo.path)).start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)
        assert config.read_bytes() == before
        everywhere.uninstall()
        assert named.read_text() == "[user]\n\tname = Eve\n\temail = eve@example.org\n"

    @pytest.mark.parametrize("value", ["", "/dev/null"])
    def test_a_configuration_that_git_does_not_read_is_an_error(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", value)
        before = files(home)
        with pytest.raises(StorageError, match="GIT_CONFIG_GLOBAL"):
            everywhere.install()
        assert files(home) == before

    def test_without_a_gitconfig_the_one_of_xdg_is_written(self, home: Path, config: Path) -> None:
        other = home / ".config/git/config"
        other.parent.mkdir(parents=True)
        config.rename(other)
        before = files(home)
        everywhere.install()
        assert not config.exists()
        assert b"agent-session" in other.read_bytes()
        everywhere.uninstall()
        assert files(home) == before

    def test_in_a_folder_that_cannot_be_written_is_an_error(
        self, home: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if os.geteuid() == 0 and not Path("/proc/self/status").exists():
            pytest.skip("root writes everywhere")
        # not even root makes a file there
        config.unlink()
        config.symlink_to("/proc/self/gitconfig")
        before = files(home)
        with pytest.raises(StorageError, match="nothing was changed"):
            everywhere.install()
        assert files(home) == before

    def test_a_lock_of_another_command_is_an_error(self, home: Path, config: Path) -> None:
        (home / ".gitconfig.lock").touch()
        before = files(home)
        with pytest.raises(StorageError, match="lock"):
            everywhere.install()
        assert files(home) == before

    @older
    def test_an_include_that_sets_the_hooks_path_later_is_a_conflict(self, home: Path, config: Path) -> None:
        (home / "more").write_text("[core]\n\thooksPath = /opt/hooks\n")
        config.write_text("[core]\n\thooksPath = /usr/hooks\n[include]\n\tpath = more\n")
        before = files(home)
        with pytest.raises(HookConflict, match="another configuration file"):
            everywhere.install()
        assert files(home) == before

    @pytest.mark.parametrize("how", ["written", "included"])
    @older
    def test_a_global_hooks_path_of_the_user_is_chained(self, repo: Repo, home: Path, config: Path, how: str) -> None:
        text = "[core]\n\thooksPath = ~/my hooks\n"
        if how == "included":
            (home / "more").write_text(text)
            text = "[include]\n\tpath = more\n"
        config.write_text(config.read_text() + text)
        mine = Repo(home)
        hook(mine, "post-commit", "echo mine >>ran", "my hooks")
        hook(mine, "pre-commit", "echo mine too >>ran; [ ! -f stop ]", "my hooks")
        hook(repo, "pre-commit", "echo git ran none of these before >>ran")
        before = files(home)
        for _ in range(2):
            everywhere.install()
        session = git_agent_session.open(str(repo.path)).start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)
        assert ran(repo) == ["mine too", "mine"]
        (repo.path / "stop").touch()
        assert repo.run("git", "commit", "--allow-empty", "-m", "no").returncode != 0
        assert everywhere.status().problems == ()
        everywhere.uninstall()
        assert files(home) == before

    @older
    def test_a_local_install_hands_over_to_the_users_folder_and_not_to_ours(
        self, repo: Repo, home: Path, config: Path
    ) -> None:
        config.write_text(config.read_text() + "[core]\n\thooksPath = ~/mine\n")
        hook(Repo(home), "post-commit", "echo mine >>ran", "mine")
        everywhere.install()
        installer.install(str(repo.path))
        everywhere.uninstall()
        repo.commit("work")
        assert ran(repo) == ["mine"]

    @newer
    def test_a_global_hooks_path_of_the_user_is_left_alone(self, repo: Repo, home: Path, config: Path) -> None:
        config.write_text(config.read_text() + "[core]\n\thooksPath = ~/mine\n")
        hook(Repo(home), "post-commit", "echo mine >>ran", "mine")
        everywhere.install()
        session = git_agent_session.open(str(repo.path)).start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)
        assert ran(repo) == ["mine"]
        assert "hooksPath = ~/mine\n" in config.read_text()

    @newer
    def test_hooks_of_the_user_in_the_configuration_run_too(self, served: Repo, session: str) -> None:
        served.git("config", "--global", "hook.mine.command", "echo mine >>ran")
        served.git("config", "--global", "hook.mine.event", "post-commit")
        served.commit("work")
        assert linked(served, session)
        assert ran(served) == ["mine"]


class TestAnotherGit:
    def test_takes_the_place_of_what_the_one_before_was_given(
        self, repo: Repo, home: Path, config: Path, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = files(home)
        real = os.environ["PATH"]
        other = "2.30.9" if MODE == reach.CONFIG else "2.54.0"
        fake_version(tmp_path / "bin", monkeypatch, other)
        assert everywhere.install().mode not in {None, MODE}
        monkeypatch.setenv("PATH", real)
        assert everywhere.install().mode == MODE
        assert ("hooksPath" in config.read_text()) == (MODE == reach.PATH)
        assert ('[hook "' in config.read_text()) == (MODE == reach.CONFIG)
        assert (top / "hooks-path").is_dir() == (MODE == reach.PATH)
        assert everywhere.status().problems == ()
        session = git_agent_session.open(str(repo.path)).start(goal="g", agent="codex").id
        repo.commit("work")
        assert linked(repo, session)
        everywhere.uninstall()
        assert files(home) == before

    @older
    def test_that_is_too_old_for_what_stands_there_is_named(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.environ["PATH"]
        fake_version(tmp_path / "bin", monkeypatch, "2.54.0")
        everywhere.install()
        monkeypatch.setenv("PATH", real)
        state = everywhere.status()
        assert state.mode is None
        assert "older than 2.54" in state.problems[0]


class TestCommand:
    def test_outside_of_a_repository(self, tmp_path: Path, home: Path) -> None:
        before = files(home)
        nowhere = Repo(tmp_path)
        report = json.loads(nowhere.cli("install", "--global", "--json", check=True).stdout)
        assert (report["repository"], report["mode"], report["changed"]) == (None, MODE, True)
        assert "all repositories" in nowhere.cli("install", "--global", check=True).stdout
        assert "Uninstalled for all" in nowhere.cli("uninstall", "--global", check=True).stdout
        assert files(home) == before

    def test_in_a_repository_changes_nothing_there(self, repo: Repo) -> None:
        before = files(repo.path)
        repo.cli("install", "--global", check=True)
        assert files(repo.path) == before
