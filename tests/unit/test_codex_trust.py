"""What Codex trusts: approvals are given, seen and taken back, and the rest of its configuration stays."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from git_agent_session.agents import settings
from git_agent_session.agents.codex_trust import NEITHER, NO_PROJECT, TRUSTED, UNTRUSTED, Handler, Trust
from git_agent_session.errors import HookConflict, UsageError
from git_agent_session.git.discover import Location, discover
from tests.harness import Repo

RUN = {"type": "command", "command": "echo x", "timeout": 20}
STOP = Handler("Stop", 0, 0, RUN)
MINE = """# mine
model = "m" # the good one

[hooks.state]

[hooks.state."/other:stop:0:0"]
trusted_hash = "sha256:0"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def trust(config: Path) -> Trust:
    return Trust(str(config), "/home/dev/.codex/hooks.json")


@pytest.fixture
def at(repo: Repo) -> Location:
    found = discover(str(repo.path))
    assert found is not None
    return found


# by the rule that codex 0.169 was seen to go by: what it takes as trust in such handlers
@pytest.mark.parametrize(
    ("handler", "wanted"),
    [
        (STOP, "0d46b1b67fa4c2d40f9696e5798d4d80d01801ae721ebd13b659d44ca9876914"),
        (Handler("SessionEnd", 0, 0, RUN), "37b81d612fa3709782ae3e64a58549b6db0354230b4a2c2365f1d463db060e03"),
        (Handler("PreToolUse", 0, 0, RUN, "*"), "e4e165857e9f0bf5db709783215ac6f1fe1278eb3ae7ec579f125360613e5860"),
        (Handler("Stop", 0, 0, RUN, "*"), "0d46b1b67fa4c2d40f9696e5798d4d80d01801ae721ebd13b659d44ca9876914"),
        (
            Handler("Stop", 0, 0, {"type": "command", "command": "echo x"}),
            "7cd3bd75d5f588f95ee4f55650a36b04e9a48c57020107701365d29e991b85c0",
        ),
    ],
)
def test_the_hash_is_that_of_codex(handler: Handler, wanted: str) -> None:
    assert handler.hash == f"sha256:{wanted}"


def test_an_approval_stands_under_the_place_of_the_handler(trust: Trust, config: Path) -> None:
    assert trust.give([Handler("UserPromptSubmit", 1, 2, RUN)])
    (key,) = tomllib.loads(config.read_text())["hooks"]["state"]
    assert key == "/home/dev/.codex/hooks.json:user_prompt_submit:1:2"


def test_what_is_approved_is_trusted_until_it_changes(trust: Trust) -> None:
    assert trust.state([STOP]) == UNTRUSTED
    assert trust.give([STOP]) and not trust.give([STOP])
    assert trust.state([STOP]) == TRUSTED
    assert trust.state([Handler("Stop", 0, 0, {**RUN, "command": "echo y"})]) == UNTRUSTED
    assert trust.state([STOP, Handler("SessionEnd", 0, 0, RUN)]) == UNTRUSTED


def test_a_projects_hooks_need_the_project_to_be_trusted_too(trust: Trust, config: Path) -> None:
    assert trust.state([STOP], ("/home/dev/p",)) == NEITHER
    trust.give([STOP])
    assert trust.state([STOP], ("/home/dev/p",)) == NO_PROJECT
    with config.open("a") as f:
        f.write('[projects."/home/dev/p"]\ntrust_level = "trusted"\n')
    assert trust.state([STOP], ("/home/dev/worktree", "/home/dev/p")) == TRUSTED


@pytest.mark.parametrize("before", [MINE, 'model = "m"\n', "[hooks]\n", MINE.replace("\n", "\r\n"), "", "a = 1\n\n\n"])
def test_taking_back_leaves_every_byte(trust: Trust, config: Path, before: str) -> None:
    config.write_bytes(before.encode())
    handlers = [STOP, Handler("SessionEnd", 0, 0, RUN)]
    assert trust.give(handlers)
    assert config.read_bytes().startswith(before.encode())
    assert trust.take(handlers) and not trust.take(handlers)
    assert (config.read_bytes() if config.exists() else b"") == before.encode()


def test_a_file_that_held_approvals_alone_goes_with_them(trust: Trust, config: Path) -> None:
    trust.give([STOP])
    trust.take([STOP])
    assert not config.exists()


def test_an_approval_that_codex_wrote_is_taken_back_too(trust: Trust, config: Path) -> None:
    config.write_text(f'# mine\n[hooks.state]\n"{STOP.key(trust.hooks)}" = {{ trusted_hash = "{STOP.hash}" }}\n')
    assert trust.state([STOP]) == TRUSTED
    assert trust.take([STOP])
    assert config.read_text() == "# mine\n"


def test_an_approval_of_what_ran_before_is_renewed_in_its_place(trust: Trust, config: Path) -> None:
    key = STOP.key(trust.hooks)
    config.write_text(f'[hooks.state."{key}"]\nenabled = true # I said so\ntrusted_hash = "sha256:old"\n[z]\n')
    assert trust.give([STOP])
    assert config.read_text() == (
        f'[hooks.state."{key}"]\nenabled = true # I said so\ntrusted_hash = "{STOP.hash}"\n[z]\n'
    )


def test_the_approval_of_something_else_is_not_taken_back(trust: Trust, config: Path) -> None:
    config.write_text(before := f'[hooks.state."{STOP.key(trust.hooks)}"]\ntrusted_hash = "sha256:other"\n')
    assert not trust.take([STOP])
    assert config.read_text() == before


@pytest.mark.parametrize("broken", ["[", "hooks = { state = {} }\n", "a = 1\na = 2\n"])
def test_a_configuration_that_cannot_be_added_to_is_refused_and_untouched(
    trust: Trust, config: Path, broken: str
) -> None:
    config.write_text(broken)
    with pytest.raises(HookConflict, match=r"config\.toml"):
        trust.give([STOP])
    assert config.read_text() == broken


def test_enabling_with_trust_and_disabling_leave_the_configuration_as_it_was(at: Location, home: Path) -> None:
    config = home / ".codex/config.toml"
    config.parent.mkdir()
    config.write_text(MINE)
    assert "run /hooks" in settings.enable("codex", at, "user").hint
    assert settings.look(settings.place("codex", at))[-1].trust == UNTRUSTED
    report = settings.enable("codex", at, "user", trust=True)
    assert [c.action for c in report.changes] == ["trusted"] and report.hint == ""
    assert settings.look(settings.place("codex", at))[-1].trust == TRUSTED
    settings.disable("codex", at)
    assert config.read_text() == MINE


def test_a_project_is_named_by_its_real_path_and_the_users_folder_as_it_is_given(
    repo: Repo, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(repo.path)
    (tmp_path / "codex").mkdir()
    (tmp_path / "codex-link").symlink_to(tmp_path / "codex")
    linked = discover(str(tmp_path / "link"))
    settings.enable("codex", linked, trust=True)
    settings.enable("codex", linked, "user", trust=True)
    settings.enable("codex", linked, "user", {"CODEX_HOME": str(tmp_path / "codex-link")}, trust=True)
    names = {path.rpartition(":stop")[0] for path in _keys(home / ".codex") if ":stop:" in path}
    assert names == {f"{repo.path}/.codex/hooks.json", f"{home}/.codex/hooks.json"}
    assert {path.partition(":")[0] for path in _keys(tmp_path / "codex")} == {f"{tmp_path}/codex/hooks.json"}


def _keys(folder: Path) -> list[str]:
    return list(tomllib.loads((folder / "config.toml").read_text())["hooks"]["state"])


def test_without_being_asked_nothing_is_trusted(at: Location, home: Path) -> None:
    settings.enable("codex", at, "user")
    assert not (home / ".codex/config.toml").exists()


def test_an_agent_that_asks_for_no_trust_takes_none(at: Location) -> None:
    with pytest.raises(UsageError, match="runs hooks without asking"):
        settings.enable("claude-code", at, trust=True)
