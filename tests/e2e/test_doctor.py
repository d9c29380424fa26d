"""`doctor`: what is broken, what can be done, and what is worth knowing, each found in a real repository."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import git_agent_session
from git_agent_session.agents.recorder import log
from git_agent_session.agents.settings import enable
from git_agent_session.git.discover import discover
from git_agent_session.git.recent import recent
from git_agent_session.hooks import everywhere
from git_agent_session.report.unlinked import in_use_since, looks_like
from tests.e2e.cli import Cli, Done
from tests.harness import Repo

CLAUDE = "Co-Authored-By: Claude Opus 4.5 <noreply@anthropic.com>"


class Doctor:
    """`doctor()` in a repository with hooks, in which `claude` alone is installed."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.cli = Cli(repo)
        self.folder = folder
        folder.mkdir()
        self.install("claude", "#!/bin/sh\necho '2.3.4 (Claude Code)'\n")

    def install(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def say(self, *args: str, code: int = 0) -> Done:
        return self.cli("doctor", *args, env={"PATH": str(self.folder)}, code=code)

    def __call__(self, *args: str, code: int = 0) -> Any:
        return self.say("--json", *args, code=code).json

    def agent(self, name: str, code: int = 0) -> Any:
        (found,) = (a for a in self(code=code)["agents"] if a["agent"] == name)
        return found


@pytest.fixture
def doctor(hooked: Repo, tmp_path: Path) -> Doctor:
    return Doctor(hooked, tmp_path / "bin")


def shared(repo: Repo) -> str:
    return str(repo.path / ".git/agent-session")


def test_where_nothing_is_used_nothing_is_broken(repo: Repo, tmp_path: Path) -> None:
    found = Doctor(repo, tmp_path / "bin")()
    assert found["ok"] and found["broken"] == [] and not found["hooks"]["installed"]
    assert any("git agent-session install" in text for text in found["advice"])


def test_agents_without_git_hooks_are_broken(repo: Repo, tmp_path: Path) -> None:
    enable("claude-code", discover(str(repo.path)))
    found = Doctor(repo, tmp_path / "bin")(code=1)
    assert not found["ok"] and "git agent-session install" in found["broken"][0]


def test_hooks_that_are_installed_are_said_to_be(doctor: Doctor) -> None:
    assert doctor()["hooks"]["installed"]
    assert doctor.say().out.startswith("Git hooks: installed\n")


def test_a_hook_that_was_changed_is_broken(hooked: Repo, doctor: Doctor) -> None:
    (hooked.path / ".git/hooks/post-commit").unlink()
    found = doctor(code=1)
    assert any("post-commit" in text and "git agent-session install" in text for text in found["broken"])


def test_an_agent_that_is_installed_is_told_with_its_version_and_how_to_enable_it(doctor: Doctor) -> None:
    found = doctor.agent("claude-code")
    assert found["installed"] and found["version"] == "2.3.4" and found["signs"] == ["installed"]
    assert {s["scope"]: s["state"] for s in found["settings"]} == dict.fromkeys(
        ("project", "local", "user"), "not enabled"
    )
    (text,) = doctor()["advice"]
    assert text == "installed, and not recorded: claude-code: `git agent-session enable claude-code`"


def test_an_agent_that_is_not_installed_has_no_version(doctor: Doctor) -> None:
    found = doctor.agent("gemini")
    assert not found["installed"] and "version" not in found


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho none\n", "no program\n"])
def test_a_program_that_does_not_say_its_version_is_installed_all_the_same(doctor: Doctor, text: str) -> None:
    doctor.install("claude", text)
    assert doctor.agent("claude-code")["installed"] and "version" not in doctor.agent("claude-code")


def test_a_program_that_hangs_is_not_waited_for(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_agent_session.report.examine.VERSION_SECONDS", 0.2)
    doctor.install("claude", "#!/bin/sh\nexec /bin/sleep 60\n")
    start = time.monotonic()
    assert "version" not in doctor.agent("claude-code")
    assert time.monotonic() - start < 20


def test_an_agent_that_is_enabled_and_was_not_seen_yet_is_to_be_tried(hooked: Repo, doctor: Doctor) -> None:
    enable("claude-code", discover(str(hooked.path)))
    assert any("nothing was seen yet of claude-code" in text for text in doctor()["advice"])
    # started in a folder below it does not read the project's settings
    assert "at the top of the worktree" in doctor.say().out
    assert "last_event_at" not in doctor.agent("claude-code")


def test_the_last_event_of_an_agent_is_told(hooked: Repo, doctor: Doctor) -> None:
    store = git_agent_session.open(str(hooked.path))
    enable("claude-code", discover(str(hooked.path)))
    started = store.start(agent=git_agent_session.Agent(type="claude-code", native_id="abc"))
    assert doctor.agent("claude-code")["last_event_at"] >= started.updated_at
    assert not any("nothing was seen" in text for text in doctor()["advice"])
    (row,) = (line for line in doctor.say().out.splitlines() if line.startswith("claude-code"))
    assert "2.3.4" in row and "enabled (project)" in row and row.endswith(" ago")


def test_hooks_out_of_date_are_broken(hooked: Repo, doctor: Doctor) -> None:
    old = '{"hooks": {"Stop": [{"hooks": [{"command": "git-agent-session hook claude-code"}]}]}}'
    hooked.write({".claude/settings.json": old})
    (text,) = doctor(code=1)["broken"]
    assert "its hooks are out of date in " in text and "`git agent-session enable claude-code`" in text


def test_settings_that_cannot_be_read_are_told(hooked: Repo, doctor: Doctor) -> None:
    hooked.write({".claude/settings.json": "{"})
    (text,) = doctor(code=1)["broken"]
    assert "settings.json: it is no JSON" in text


def test_hooks_that_codex_does_not_trust_are_broken_until_they_are(hooked: Repo, doctor: Doctor) -> None:
    doctor.install("codex", "#!/bin/sh\necho codex-cli 0.9.1\n")
    enable("codex", discover(str(hooked.path)), "user")
    (text,) = doctor(code=1)["broken"]
    assert "do not run, not trusted" in text and "run /hooks in Codex" in text
    assert "enabled, not trusted (user)" in doctor.say(code=1).out
    enable("codex", discover(str(hooked.path)), "user", trust=True)
    assert doctor()["broken"] == []
    assert doctor.agent("codex")["settings"][-1]["trust"] == "trusted"


def test_what_hooks_complained_of_is_counted_and_the_last_line_shown(hooked: Repo, doctor: Doctor) -> None:
    for text in ("codex: the payload is no JSON: no value", "claude-code: a thing \x1b[31mred"):
        log(shared(hooked), text)
    assert doctor()["hook_log"]["lines"] == 2
    out = doctor.say().out
    assert "2 lines in hook.log, the last: " in out and "claude-code: a thing" in out and "\x1b" not in out


def test_a_payload_that_is_no_json_is_shown(hooked: Repo, doctor: Doctor) -> None:
    done = hooked.cli("hook", "claude-code", input="{not json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (line,) = (hooked.path / ".git/agent-session/hook.log").read_text().splitlines()
    assert doctor()["hook_log"] == {"lines": 1, "last": line}
    assert f"1 line in hook.log, the last: {line[:100]}" in doctor.say().out


def test_torn_pieces_of_the_journal_are_told(hooked: Repo, doctor: Doctor) -> None:
    hooked.write({".git/agent-session/journal/x.torn": "[[ev"})
    assert [os.path.basename(path) for path in doctor()["torn"]] == ["x.torn"]
    assert any("x.torn" in text for text in doctor()["advice"])


def test_a_session_that_is_open_and_idle_for_a_day_is_told(
    hooked: Repo, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = git_agent_session.open(str(hooked.path)).start(agent="codex")
    assert doctor()["idle"] == []
    from datetime import timedelta

    monkeypatch.setattr("git_agent_session.report.examine.IDLE", timedelta(hours=-1))
    assert doctor()["idle"] == [started.id]
    assert f"`git agent-session end {started.id[:8]}`" in doctor.say().out


def test_a_commit_that_looks_like_an_agents_and_has_no_session_is_told(hooked: Repo, doctor: Doctor) -> None:
    hooked.commit("mine")
    lost = hooked.commit(f"theirs\n\n{CLAUDE}")
    assert doctor()["unlinked"] == [{"commit": lost, "agent": "claude-code", "subject": "theirs"}]
    out = doctor.say().out
    assert (
        "1 commit looks like an agent's and belongs to no session" in out and f"{lost[:10]} claude-code: theirs" in out
    )


def test_a_commit_that_belongs_to_a_session_is_not(hooked: Repo, doctor: Doctor, session: str) -> None:
    hooked.commit(f"theirs\n\n{CLAUDE}")
    assert doctor()["unlinked"] == []


def test_a_commit_that_names_a_session_which_is_not_here_is_not(hooked: Repo, doctor: Doctor) -> None:
    hooked.commit(f"theirs\n\n{CLAUDE}\nAgent-Session: 3f2a9c1e-1111-4222-8333-444455556666")
    assert doctor()["unlinked"] == []


def test_commits_from_before_the_hooks_came_cannot_be_known(repo: Repo, tmp_path: Path) -> None:
    date = "2020-01-01T00:00:00Z"
    repo.commit(f"theirs\n\n{CLAUDE}", env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
    doctor = Doctor(repo, tmp_path / "bin")
    assert in_use_since(shared(repo)) == float("inf")
    doctor.cli("install")
    assert doctor()["unlinked"] == []


def test_the_limit_bounds_how_far_it_looks(hooked: Repo, doctor: Doctor) -> None:
    hooked.commit(f"theirs\n\n{CLAUDE}")
    hooked.commit("mine")
    assert len(doctor("--limit", "2")["unlinked"]) == 1
    assert doctor("--limit", "1")["unlinked"] == []


@pytest.mark.parametrize(
    ("message", "agent"),
    [
        (CLAUDE, "claude-code"),
        ("🤖 Generated with [Claude Code](https://claude.com/claude-code)", "claude-code"),
        ("Co-authored-by: Codex <noreply@openai.com>", "codex"),
        ("Co-authored-by: Copilot <175728472+Copilot@users.noreply.github.com>", "copilot"),
        ("Co-authored-by: Cursor <cursoragent@cursor.com>", "cursor"),
        ("Co-authored-by: Gemini CLI <nobody@example.org>", "gemini"),
        ("Co-Authored-By: opencode <noreply@opencode.ai>", "opencode"),
        ("Co-authored-by: factory-droid[bot] <1@users.noreply.github.com>", "droid"),
        ("Co-authored-by: aider (gpt-5) <aider@aider.chat>", "aider"),
        ("Assisted-by: Claude:claude-opus-4 coccinelle", "claude-code"),
        ("Assisted-by: Somebot:m1", "an agent"),
        ("Assisted-by: Ada Tester <ada@example.org>", ""),
        ("Co-authored-by: Claude Monet <monet@example.org>", ""),
        ("It mends what noreply@anthropic.com wrote, see Co-authored-by: lines.", ""),
        ("Signed-off-by: Ada Tester <ada@example.org>", ""),
    ],
)
def test_the_marks_of_agents(repo: Repo, message: str, agent: str) -> None:
    repo.commit(f"subject\n\n{message}")
    (made,) = recent(git_agent_session.open(str(repo.path)).repo, limit=1, since=0)
    assert looks_like(made) == agent


@pytest.mark.parametrize("name", ["copilot-swe-agent[bot]", "factory-droid[bot]", "Ada Tester (aider)"])
def test_the_marks_of_authors(repo: Repo, name: str) -> None:
    repo.commit("subject", env={"GIT_AUTHOR_NAME": name})
    (made,) = recent(git_agent_session.open(str(repo.path)).repo, limit=1, since=0)
    assert looks_like(made) != ""


def test_status_says_in_one_line_that_there_are_such_commits(hooked: Repo, doctor: Doctor, session: str) -> None:
    doctor.cli("pause")
    assert "no session" not in doctor.cli("status").out
    first, second = (hooked.commit(f"{n}\n\n{CLAUDE}") for n in (1, 2))
    (line,) = (x for x in doctor.cli("status").out.splitlines() if "look like an agent's" in x)
    assert line == (
        f"2 commits look like an agent's and belong to no session: {second[:10]}, {first[:10]}; "
        "see `git agent-session doctor`"
    )


def test_status_does_not_speak_of_other_peoples_commits(hooked: Repo, doctor: Doctor, session: str) -> None:
    doctor.cli("pause")
    hooked.commit(f"x\n\n{CLAUDE}", env={"GIT_COMMITTER_EMAIL": "bob@example.org"})
    assert "agent's" not in doctor.cli("status").out
    assert len(doctor()["unlinked"]) == 1


def test_outside_a_repository_the_agents_are_told(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    found = Doctor(Repo(tmp_path / "plain"), tmp_path / "bin")
    assert found.agent("claude-code")["version"] == "2.3.4" and "hooks" not in found()
    assert "there is no repository here" in found.say().out
    assert "`git agent-session enable --user claude-code`" in found()["advice"][0]


def test_a_shallow_or_empty_history_is_no_matter(repo: Repo, tmp_path: Path) -> None:
    assert Doctor(repo, tmp_path / "bin")()["unlinked"] == []


def test_it_changes_nothing(hooked: Repo, doctor: Doctor) -> None:
    enable("claude-code", discover(str(hooked.path)))

    def state() -> Mapping[str, bytes]:
        # what readers remember for the next time is no change
        kept = (p for p in hooked.path.rglob("*") if p.is_file() and "sqlite" not in p.name and p.name != "looked")
        return {str(p): p.read_bytes() for p in kept}

    before = state()
    doctor()
    assert state() == before


def test_the_install_for_all_repositories_is_told(hooked: Repo, doctor: Doctor) -> None:
    assert doctor()["everywhere"]["mode"] is None
    assert "For all repositories" not in doctor.say().out
    everywhere.install()
    state = doctor()["everywhere"]
    assert state == everywhere.status().to_dict() and state["mode"] is not None
    assert f"For all repositories: installed ({state['mode']})" in doctor.say().out


def test_an_install_for_all_repositories_that_was_changed_is_broken(hooked: Repo, doctor: Doctor) -> None:
    everywhere.install()
    (hook,) = Path(everywhere.status().folder).rglob("agent-session.sh")
    hook.write_text("changed\n")
    broken = doctor(code=1)["broken"]
    assert [text for text in broken if text.startswith("git hooks for all repositories: ")], broken
    assert "For all repositories: installed, but see below" in doctor.say(code=1).out


def test_outside_a_repository_the_install_for_all_is_told(tmp_path: Path) -> None:
    everywhere.install()
    outside = tmp_path / "outside"
    outside.mkdir()
    said = Cli(Repo(outside))("doctor", "--json", env={"PATH": ""}).json
    assert said["everywhere"]["mode"] is not None and "hooks" not in said
