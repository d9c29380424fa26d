"""`enable` and `disable` as people call them: by name, by what is found, all at once, and with a question each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from git_agent_session.agents import registry
from tests.e2e.cli import Cli
from tests.harness import Repo


@pytest.fixture
def cli(repo: Repo) -> Cli:
    return Cli(repo)


@pytest.fixture
def nothing(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which no agent is installed."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin")}


@pytest.fixture
def some(tmp_path: Path, nothing: Mapping[str, str]) -> Mapping[str, str]:
    """One in which `claude` and `codex` are on PATH."""
    for name in ("claude", "codex"):
        program = tmp_path / "bin" / name
        program.write_text("#!/bin/sh\necho 1.2.3\n")
        program.chmod(0o755)
    return nothing


def scopes(cli: Cli, name: str, env: Mapping[str, str] | None = None) -> list[str]:
    (row,) = (r for r in cli("enable", "--list", "--json", env=env).json if r["agent"] == name)
    found: list[str] = row["scopes"]
    return found


def settings(repo: Repo) -> Path:
    return repo.path / ".claude/settings.json"


def test_by_name_it_is_enabled_for_the_project_and_disabled_again(repo: Repo, cli: Cli) -> None:
    (report,) = cli("enable", "claude-code", "--json").json
    assert report["agent"] == "claude-code" and report["changed"] and report["changes"][0]["scope"] == "project"
    assert "git-agent-session hook claude-code" in settings(repo).read_text()
    assert scopes(cli, "claude-code") == ["project"]
    assert "as it was before" in cli("disable", "claude-code").out
    assert not settings(repo).exists() and scopes(cli, "claude-code") == []


@pytest.mark.parametrize(("option", "name"), [("--local", ".claude/settings.local.json"), ("--user", "")])
def test_the_option_says_whose_settings(repo: Repo, cli: Cli, home: Path, option: str, name: str) -> None:
    (report,) = cli("enable", "claude-code", option, "--json").json
    assert report["changes"][0]["scope"] == option[2:]
    assert (repo.path / name if name else home / ".claude/settings.json").exists()
    assert not settings(repo).exists()


def test_several_names_are_enabled_at_once(repo: Repo, cli: Cli) -> None:
    cli("enable", "claude-code", "codex")
    assert scopes(cli, "claude-code") == scopes(cli, "codex") == ["project"]


def test_an_agent_without_such_settings_is_refused_before_anything_is_done(repo: Repo, cli: Cli) -> None:
    assert "codex has no local settings" in cli.fails("enable", "claude-code", "codex", "--local", code=2)
    assert not settings(repo).parent.exists()


def test_without_a_terminal_what_is_found_is_listed_and_nothing_is_done(
    repo: Repo, cli: Cli, some: Mapping[str, str]
) -> None:
    done = cli("enable", env=some)
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert rows["claude-code"] == ["installed", "not", "enabled"] and rows["gemini"][:2] == ["not", "found"]
    assert "--yes" in done.err
    assert repo.git("status", "--porcelain") == ""


def test_yes_enables_all_that_are_found(repo: Repo, cli: Cli, some: Mapping[str, str]) -> None:
    done = cli("enable", "--yes", env=some)
    assert "claude-code: hooks added" in done.out and "codex: hooks added" in done.out
    assert "run /hooks to trust them" in done.out
    assert {n for n in registry.names() if scopes(cli, n)} == {"claude-code", "codex"}
    assert "enabled already: claude-code, codex\n" in cli("enable", "--yes", env=some).err


def test_yes_for_settings_that_not_all_have_enables_those_that_do(
    cli: Cli, some: Mapping[str, str], repo: Repo
) -> None:
    cli("enable", "--yes", "--local", env=some)
    assert scopes(cli, "claude-code") == ["local"] and scopes(cli, "codex") == []


def test_yes_prints_reports_as_json(cli: Cli, some: Mapping[str, str]) -> None:
    assert [r["agent"] for r in cli("enable", "--yes", "--json", env=some).json] == ["claude-code", "codex"]
    assert cli("enable", "--yes", "--json", env=some).json == []


def test_at_a_terminal_each_is_asked_for(repo: Repo, cli: Cli, some: Mapping[str, str]) -> None:
    done = cli("enable", env=some, input=b"n\n\n", tty=True)
    assert "Record sessions of claude-code (installed), by " in done.err and "settings.json? [Y/n] " in done.err
    assert scopes(cli, "claude-code") == [] and scopes(cli, "codex") == ["project"]


def test_the_end_of_input_is_a_no(repo: Repo, cli: Cli, some: Mapping[str, str]) -> None:
    cli("enable", env=some, input=b"", tty=True)
    assert repo.git("status", "--porcelain") == ""


def test_where_no_agent_is_found_their_names_are_said(repo: Repo, cli: Cli, nothing: Mapping[str, str]) -> None:
    done = cli("enable", "--yes", env=nothing)
    assert done.out == "" and "no coding agent is found here" in done.err and "codex" in done.err


def test_an_agents_folder_is_a_sign_of_it(cli: Cli, home: Path, nothing: Mapping[str, str]) -> None:
    (home / ".codex").mkdir()
    cli("enable", "--yes", env=nothing)
    assert scopes(cli, "codex", nothing) == ["project"]


def test_the_list_has_every_agent(cli: Cli, some: Mapping[str, str]) -> None:
    rows = cli("enable", "--list", "--json", env=some).json
    assert [r["agent"] for r in rows] == list(registry.names())
    assert rows[0] == {"agent": "claude-code", "installed": True, "signs": ["installed"], "scopes": []}
    assert cli("enable", "--json", env=some).json == rows
    assert cli("enable", "--list", env=some).out.splitlines()[0].split() == ["AGENT", "FOUND", "STATE"]


def test_the_list_tells_hooks_that_are_out_of_date(repo: Repo, cli: Cli) -> None:
    repo.write({".codex/hooks.json": '{"hooks": {"Stop": [{"hooks": [{"command": "git-agent-session hook codex"}]}]}}'})
    (row,) = (r for r in cli("enable", "--list", "--json").json if r["agent"] == "codex")
    assert row["scopes"] == [] and row["outdated"] == ["project"]
    assert "out of date, neither hooks nor project trusted (project)" in cli("enable", "--list").out


def test_all_are_disabled_at_once_and_the_rest_of_their_settings_stays(
    repo: Repo, cli: Cli, some: Mapping[str, str]
) -> None:
    repo.write({".claude/settings.json": '{\n  // mine\n  "model": "opus",\n}\n'})
    cli("enable", "--yes", env=some)
    cli("enable", "claude-code", "--user")
    done = cli("disable", "--all")
    assert len(done.out.splitlines()) == 3
    assert settings(repo).read_text() == '{\n  // mine\n  "model": "opus",\n}\n'
    assert repo.git("status", "--porcelain").split() == ["??", ".claude/"]
    assert cli("disable", "--all").out == "Nothing to do: no agent is enabled here\n"
    assert not any(r["changed"] for r in cli("disable", "--all", "--json").json)


def test_all_and_a_name_exclude_each_other(cli: Cli) -> None:
    assert "exclude each other" in cli.fails("disable", "--all", "codex", code=2)


def test_disabling_one_scope_leaves_the_others(cli: Cli) -> None:
    cli("enable", "claude-code")
    cli("enable", "claude-code", "--user")
    cli("disable", "--user")
    assert scopes(cli, "claude-code") == ["project"]


def test_disable_goes_on_after_a_settings_file_that_is_broken(repo: Repo, cli: Cli) -> None:
    cli("enable", "claude-code", "--local")
    settings(repo).write_text("{")
    done = cli("disable", code=1)
    assert "settings.local.json" in done.out and not (repo.path / ".claude/settings.local.json").exists()
    assert done.err.startswith(f"error: {settings(repo)}: it is no JSON") and done.err.count("\n") == 1
    broken = [r for r in cli("disable", "--json", code=1).json if r["errors"]]
    assert [e["error"] for e in broken[0]["errors"]] == ["hook-conflict"]
    assert settings(repo).read_text() == "{"


def test_the_users_own_settings_need_no_repository(tmp_path: Path, home: Path, some: Mapping[str, str]) -> None:
    (tmp_path / "plain").mkdir()
    cli = Cli(Repo(tmp_path / "plain"))
    assert "--user" in cli.fails("enable", "claude-code")
    assert "--user" in cli("enable", "--yes", env=some, code=1).err
    done = cli("enable", "claude-code", "--user")
    assert "hooks added" in done.out and done.err == ""
    assert scopes(cli, "claude-code") == ["user"]
    assert "enabled (user)" in cli("enable", "--list").out
    assert "as it was before" in cli("disable", "--user").out
    assert not (home / ".claude").exists()


def test_trust_is_given_to_codex_alone_and_only_when_asked(repo: Repo, cli: Cli, home: Path) -> None:
    config = home / ".codex/config.toml"
    assert "run /hooks" in cli("enable", "codex", "claude-code", "--user").out
    assert not config.exists()
    done = cli("enable", "codex", "claude-code", "--user", "--trust")
    assert "are trusted now" in done.out and "run /hooks" not in done.out
    assert "trusted_hash" in config.read_text()
    assert "none of these agents asks for trust" in cli.fails("enable", "claude-code", "--trust", code=2)
    cli("disable", "--all")
    assert not config.parent.exists() or list(config.parent.iterdir()) == []


def test_missing_git_hooks_are_remarked_on(repo: Repo, cli: Cli) -> None:
    assert "hooks are not installed here" in cli("enable", "claude-code").err
    cli("install")
    assert cli("enable", "codex").err == ""


def test_a_settings_file_that_is_shared_does_nothing_without_the_plugin(repo: Repo, cli: Cli, home: Path) -> None:
    names = [n for n in registry.names() if "json" in str(cli("enable", n, "--json").json[0]["changes"][0]["path"])]
    assert len(names) >= 4
    for path in repo.path.glob(".*/**/*.json"):
        if ".git" in path.parts:
            continue
        for command in _commands(json.loads(path.read_text())):
            done = repo.run("/bin/sh", "-c", command, env={"PATH": "/usr/bin:/bin", "HOME": str(home)}, input="{}")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (path, command)


def _commands(doc: object) -> list[str]:
    if isinstance(doc, dict):
        doc = list(doc.values())
    if isinstance(doc, list):
        return [found for value in doc for found in _commands(value)]
    return [doc] if isinstance(doc, str) and "git-agent-session hook" in doc else []
