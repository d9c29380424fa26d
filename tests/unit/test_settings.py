"""`enable` and `disable`: our hooks in Claude Code's settings, and everything else as it was."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from git_agent_session.agents import claude_code
from git_agent_session.agents.settings import disable, enable, enabled
from git_agent_session.errors import HookConflict, StorageError, UsageError
from git_agent_session.git.discover import Location, discover
from tests.harness import Repo

MINE = {
    "permissions": {"allow": ["Bash(make:*)"], "deny": []},
    "hooks": {"Stop": [{"matcher": "", "hooks": [{"type": "command", "command": "say done"}]}]},
    "model": "opus",
    "ünï": "né",
}


@pytest.fixture
def at(repo: Repo) -> Location:
    found = discover(str(repo.path))
    assert found is not None
    return found


@pytest.fixture
def path(repo: Repo) -> Path:
    return repo.path / ".claude" / "settings.json"


def put(path: Path, data: bytes | str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path.read_bytes()


def commands(path: Path, event: str) -> list[str]:
    groups = json.loads(path.read_text())["hooks"][event]
    return [handler["command"] for group in groups for handler in group["hooks"]]


def test_every_hook_is_asked_for_with_a_time_limit(at: Location, path: Path) -> None:
    enable("claude-code", at)
    hooks = json.loads(path.read_text())["hooks"]
    assert set(hooks) == set(claude_code.HOOKS)
    for groups in hooks.values():
        assert all(0 < handler["timeout"] <= 60 for group in groups for handler in group["hooks"])


def test_enabling_twice_changes_nothing(at: Location, path: Path) -> None:
    assert enable("claude-code", at).changed
    first = path.read_bytes()
    assert not enable("claude-code", at).changed
    assert path.read_bytes() == first


def test_disabling_brings_back_the_absence(at: Location, path: Path) -> None:
    enable("claude-code", at)
    disable("claude-code", at)
    assert not path.parent.exists()


def test_a_folder_that_was_there_stays(at: Location, path: Path) -> None:
    path.parent.mkdir()
    enable("claude-code", at)
    disable("claude-code", at)
    assert path.parent.is_dir() and not path.exists()


@pytest.mark.parametrize(
    "original",
    [
        json.dumps(MINE),
        json.dumps(MINE, indent=2) + "\n",
        json.dumps(MINE, indent="\t", ensure_ascii=False),
        json.dumps(MINE, indent=4).replace("\n", "\r\n"),
        "\ufeff" + json.dumps(MINE, indent=2),
        "{}",
        "",
        ' {"hooks" : { } , "a":[1,\n2] }\n\n',
    ],
)
def test_disabling_brings_back_every_byte(at: Location, path: Path, original: str) -> None:
    before = put(path, original)
    enable("claude-code", at)
    assert path.read_bytes() != before
    report = disable("claude-code", at, "project")
    assert path.read_bytes() == before
    assert [c.action for c in report.changes] == ["restored"]


def test_other_settings_keep_value_order_and_indentation(at: Location, path: Path) -> None:
    put(path, json.dumps(MINE, indent="\t", ensure_ascii=False) + "\n")
    enable("claude-code", at)
    text = path.read_text()
    doc = json.loads(text)
    assert list(doc) == list(MINE) and doc["permissions"] == MINE["permissions"]
    assert '\n\t"model": "opus",\n\t"ünï": "né"\n}\n' in text
    assert commands(path, "Stop")[0] == "say done" and len(commands(path, "Stop")) == 2


def test_line_ends_and_byte_order_mark_stay(at: Location, path: Path) -> None:
    put(path, "\ufeff" + json.dumps(MINE, indent=2).replace("\n", "\r\n") + "\r\n")
    enable("claude-code", at)
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf{\r\n") and data.endswith(b"}\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")


def test_disabling_after_other_edits_takes_out_ours_alone(at: Location, path: Path) -> None:
    put(path, json.dumps(MINE, indent=2) + "\n")
    enable("claude-code", at)
    doc = json.loads(path.read_text())
    doc["new"] = True
    doc["hooks"]["Stop"][1]["hooks"].append({"type": "command", "command": "say mine"})
    path.write_text(json.dumps(doc, indent=2) + "\n")
    report = disable("claude-code", at, "project")
    wanted = json.loads(json.dumps({**MINE, "new": True}))
    wanted["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say mine"}]})
    assert json.loads(path.read_text()) == wanted
    assert [c.action for c in report.changes] == ["disabled"]


def test_disabling_takes_out_what_a_colleague_enabled(at: Location, path: Path) -> None:
    put(path, json.dumps(MINE, indent=2))
    enable("claude-code", at)
    shared = path.read_bytes()
    disable("claude-code", at)
    put(path, shared)
    disable("claude-code", at)
    assert json.loads(path.read_text()) == MINE


def test_disabling_where_nothing_is_enabled_changes_nothing(at: Location, path: Path) -> None:
    before = put(path, json.dumps(MINE))
    assert not disable("claude-code", at).changed
    assert path.read_bytes() == before


def test_an_older_command_of_ours_is_brought_up_to_date(at: Location, path: Path) -> None:
    old = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "git-agent-session hook claude-code"}]}]}}
    put(path, json.dumps(old))
    assert enabled("claude-code", at) == ()
    enable("claude-code", at)
    assert len(commands(path, "Stop")) == 1 and "command -v" in commands(path, "Stop")[0]
    assert enabled("claude-code", at) == ("project",)


@pytest.mark.parametrize(
    "broken",
    [
        b"{",
        b"[]",
        b"\xff\xfe{}",
        b'{"a":1,"a":2}',
        b'{"a": NaN}',
        b'{"hooks":[]}',
        b'{"hooks":{"Stop":{}}}',
        b"[" * 100_000,
    ],
)
def test_settings_that_cannot_be_understood_are_refused_and_untouched(at: Location, path: Path, broken: bytes) -> None:
    put(path, broken)
    with pytest.raises(HookConflict, match=r"settings\.json"):
        enable("claude-code", at)
    assert path.read_bytes() == broken


def test_a_linked_settings_file_stays_a_link(at: Location, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "claude.json"
    before = put(target, json.dumps(MINE))
    path.parent.mkdir()
    path.symlink_to(target)
    enable("claude-code", at)
    assert path.is_symlink() and "git-agent-session" in target.read_text()
    disable("claude-code", at)
    assert path.is_symlink() and target.read_bytes() == before


def test_the_files_mode_stays(at: Location, path: Path) -> None:
    put(path, "{}")
    path.chmod(0o640)
    enable("claude-code", at)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_scopes_have_a_file_each(at: Location, path: Path, home: Path) -> None:
    for scope, file in (("local", path.with_name("settings.local.json")), ("user", home / ".claude" / "settings.json")):
        enable("claude-code", at, scope)
        assert "git-agent-session" in file.read_text()
        assert enabled("claude-code", at) == (scope,)
        disable("claude-code", at, scope)
        assert not file.exists()


def test_disabling_without_a_scope_takes_all_out(at: Location) -> None:
    for scope in ("project", "local", "user"):
        enable("claude-code", at, scope)
    assert len(enabled("claude-code", at)) == 3
    disable("claude-code", at)
    assert enabled("claude-code", at) == ()


def test_claudes_own_folder_can_lie_elsewhere(at: Location, tmp_path: Path) -> None:
    enable("claude-code", at, "user", {"CLAUDE_CONFIG_DIR": str(tmp_path / "cc")})
    assert (tmp_path / "cc" / "settings.json").exists()


def test_each_worktree_is_put_back_by_itself(repo: Repo, at: Location, path: Path, tmp_path: Path) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = discover(str(tmp_path / "other"))
    assert other is not None
    first, second = put(path, "{}"), put(tmp_path / "other/.claude/settings.json", '{"a":1}')
    for location in (at, other):
        enable("claude-code", location)
    for location in (at, other):
        disable("claude-code", location)
    assert (path.read_bytes(), (tmp_path / "other/.claude/settings.json").read_bytes()) == (first, second)


@pytest.mark.parametrize(("name", "scope"), [("nobody", "project"), ("claude-code", "planet")])
def test_an_unknown_agent_or_scope_is_refused(at: Location, name: str, scope: str) -> None:
    with pytest.raises(UsageError):
        enable(name, at, scope)


def test_a_bare_repository_has_no_settings_of_its_own(tmp_path: Path) -> None:
    bare = Repo.init(tmp_path / "bare.git", "--bare")
    at = discover(str(bare.path))
    assert at is not None
    with pytest.raises(UsageError, match="bare"):
        enable("claude-code", at)
    assert not disable("claude-code", at).changed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_settings_that_cannot_be_written_are_an_error(at: Location, path: Path) -> None:
    put(path, "{}")
    path.parent.chmod(0o500)
    with pytest.raises(StorageError):
        enable("claude-code", at)


def test_settings_in_the_place_of_a_folder_are_an_error(repo: Repo, at: Location) -> None:
    (repo.path / ".claude").write_text("a file")
    with pytest.raises(StorageError):
        enable("claude-code", at)


def test_without_the_plugin_the_hook_is_silent_and_succeeds(at: Location, path: Path, home: Path) -> None:
    enable("claude-code", at)
    done = subprocess.run(
        ["/bin/sh", "-c", commands(path, "Stop")[0]],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        input=b"{}",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_report_can_be_printed(at: Location, path: Path) -> None:
    report = enable("claude-code", at)
    assert report.lines() == [f"claude-code: hooks added to {path}"]
    assert json.loads(json.dumps(report.to_dict()))["changes"][0]["action"] == "enabled"
    assert disable("claude-code", at, "project").lines() == [f"claude-code: {path} is as it was before"]


def test_a_folder_in_the_place_of_the_settings_is_said_to_be_one(at: Location, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(HookConflict, match="it is a folder"):
        enable("claude-code", at)


def test_a_key_that_stands_twice_is_named(at: Location, path: Path) -> None:
    put(path, '{"model": "a", "model": "b"}')
    with pytest.raises(HookConflict, match="the key 'model' stands twice"):
        enable("claude-code", at)


def test_the_hook_command_without_an_agent_is_silent(repo: Repo) -> None:
    done = repo.cli("hook", input="{}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
