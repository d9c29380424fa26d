"""The MCP server in the agents' settings: put in where each looks, taken out to the byte, others' left alone."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from git_agent_session.agents import registry, settings, settings_mcp
from git_agent_session.agents.settings_mcp import NAME, SERVERS, JsonServer, TomlServer
from git_agent_session.errors import HookConflict, UsageError
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import Repository
from tests.e2e.cli import Cli
from tests.harness import Repo

EACH = [(name, scope) for name, servers in SERVERS.items() for scope in servers.files]
JSON = JsonServer("mcpServers", {"command": NAME, "args": ["mcp"]})
TOML = TomlServer("mcp_servers", {"command": NAME, "args": ["mcp"]})


@pytest.fixture
def at(repo: Repo) -> Location:
    return Repository.find(str(repo.path)).location


def files(*folders: Path) -> dict[str, bytes]:
    """All files below the folders, git's own aside."""
    found = [p for folder in folders for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts]
    return {str(p): p.read_bytes() for p in found}


@pytest.mark.parametrize(("name", "scope"), EACH)
def test_the_server_comes_with_the_hooks_and_leaves_no_trace(
    name: str, scope: str, repo: Repo, at: Location, home: Path
) -> None:
    before = files(repo.path, home)
    place = settings.place(name, at)
    settings.put(place, scope)
    (change,) = settings_mcp.put(place, scope, write=True).changes
    assert (change.action, change.what) == ("enabled", "server")
    text = Path(change.path).read_text()
    held = tomllib.loads(text) if change.path.endswith(".toml") else json.loads(text)
    said = json.dumps(held[SERVERS[name].table][NAME])
    assert NAME in said and '"mcp", "--write"' in said
    assert settings_mcp.put(place, scope, write=True).changes[0].action == "unchanged"
    settings.disable(name, at, scope)
    assert files(repo.path, home) == before


@pytest.mark.parametrize(("name", "scope"), EACH)
def test_what_was_in_the_file_comes_back_to_the_byte(
    name: str, scope: str, repo: Repo, at: Location, home: Path
) -> None:
    path = Path(settings_mcp.place(settings.place(name, at)).file(scope).path)
    path.parent.mkdir(parents=True, exist_ok=True)
    toml = '# mine\n[mcp_servers.other]\ncommand = "x"   # why\n\n[tui]\na = 1\n'
    text = toml if path.suffix == ".toml" else f'{{"{SERVERS[name].table}":  {{"other": {{"command": ["x"]}}}}}}\n'
    path.write_text(text)
    before = files(repo.path, home)
    settings.enable(name, at, scope)
    settings_mcp.put(settings.place(name, at), scope)
    settings.disable(name, at)
    assert files(repo.path, home) == before


def test_from_reading_to_writing_and_back_is_one_entry(repo: Repo, at: Location) -> None:
    place = settings.place("claude-code", at)
    for write in (False, True, False):
        assert settings_mcp.put(place, "project", write=write).changed
        (entry,) = json.loads((repo.path / ".mcp.json").read_text())["mcpServers"].values()
        assert entry == {"command": NAME, "args": ["mcp", "--write"] if write else ["mcp"]}
    assert settings_mcp.take(place, "project").action == "restored"
    assert not (repo.path / ".mcp.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{}\n", '{\n  // mine\n  "a": 1\n}\n', '{"mcpServers": {"b": {}}}', '{"mcpServers": {}}\n']
)
def test_in_json_others_stay_when_ours_is_taken_out_of_a_changed_file(text: str) -> None:
    added = JSON.added(text)
    assert JSON.present(added) and not JSON.present(text) and JSON.added(added) == added
    without = JSON.removed(added, text or None)
    assert without == (text or None)


@pytest.mark.parametrize("text", ["", "[a]\nb = 1 # c\n", '[mcp_servers.b]\ncommand = "x"\n', "a = 1"])
def test_in_toml_others_stay_when_ours_is_taken_out_of_a_changed_file(text: str) -> None:
    added = TOML.added(text)
    assert TOML.present(added) and not TOML.present(text) and TOML.added(added) == added
    assert tomllib.loads(TOML.removed(added + "\n[later]\nx = 1\n") or "") == {**tomllib.loads(text), "later": {"x": 1}}


def test_an_older_entry_in_toml_is_replaced() -> None:
    old = f'[mcp_servers.{NAME}]\ncommand = "old"\n\n[a]\nb = 1\n'
    assert tomllib.loads(TOML.added(old)) == {"a": {"b": 1}, "mcp_servers": {NAME: dict(TOML.entry)}}


@pytest.mark.parametrize("text", ["[", '{"mcpServers": []}', '{"mcpServers": 1}', "x"])
def test_json_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(HookConflict):
        JSON.added(text)


@pytest.mark.parametrize("text", ["[", "mcp_servers = 1", "mcp_servers = { b = {} }"])
def test_toml_that_cannot_be_added_to_is_refused(text: str) -> None:
    with pytest.raises(HookConflict):
        TOML.added(text)


def test_an_agent_or_a_scope_without_servers_is_refused(at: Location) -> None:
    assert set(registry.names()) - SERVERS.keys() == {"pi"}
    with pytest.raises(UsageError, match="pi has no MCP servers"):
        settings_mcp.put(settings.place("pi", at), "project")
    with pytest.raises(UsageError, match="cannot be set up for user"):
        settings_mcp.put(settings.place("claude-code", at), "user")


def test_by_command(repo: Repo) -> None:
    cli = Cli(repo)
    done = cli("enable", "claude-code", "codex", "--mcp", "--json").json
    assert [[c["what"] for c in report["changes"]] for report in done] == [["hooks", "server"]] * 2
    assert "droid: the MCP server added to " in cli("enable", "droid", "--mcp", "--write").out
    cli("disable")
    assert [p.name for p in repo.path.iterdir()] == [".git"]


def test_wrong_calls_change_nothing(repo: Repo) -> None:
    cli = Cli(repo)
    assert "give --mcp too" in cli.fails("enable", "codex", "--write", code=2)
    assert "needs the name of an agent" in cli.fails("enable", "--mcp", "--yes", code=2)
    assert "pi has no MCP servers" in cli.fails("enable", "codex", "pi", "--mcp", code=2)
    assert "use no option" in cli.fails("enable", "claude-code", "--mcp", "--user", code=2)
    assert [p.name for p in repo.path.iterdir()] == [".git"]
