"""The documents do not drift: docs/json.md from what `--json` prints, the man page from the commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import click
import pytest

from git_agent_session import errors
from git_agent_session.cli import man
from git_agent_session.cli.commands import SECTIONS, program
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo

PAGE = ROOT / "docs/man/git-agent-session.1"
JSON = (ROOT / "docs/json.md").read_text()


def _commands() -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(program)
    for name in program.list_commands(ctx):
        found = program.get_command(ctx, name)
        assert found is not None
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {sub}", command) for sub, command in found.commands.items())


def test_the_man_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == man.page(), "run: python -m git_agent_session man > docs/man/git-agent-session.1"


def test_the_man_page_has_no_warnings() -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", str(PAGE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_every_command_and_option_has_a_help_text() -> None:
    for name, command in _commands():
        assert command.help and command.help.strip(), name
        assert len(command.get_short_help_str(200)) <= 64, f"{name}: the first sentence is too long for the list"
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{name} {param.opts}"


def test_every_command_stands_in_the_help_once() -> None:
    names = [name for _, names in SECTIONS for name in names]
    assert len(names) == len(set(names))
    modules = {p.stem for p in (ROOT / "git_agent_session/cli").glob("*.py")}
    modules -= {"__init__", "main", "commands", "env", "params", "dates", "early", "answering", "shown", "pushed"}
    assert set(names) == {name.rstrip("_").replace("_", "-") for name in modules}


def _keys(title: str) -> set[str]:
    """The keys in the first table of a section."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", JSON, re.M | re.S)
    assert section, title
    table = section[1].split("\n\n|", 1)[-1].split("\n\n")[0]
    return set(re.findall(r"^\|? ?`([a-z0-9_.]+)` \|", table, re.M))


def _kinds() -> dict[str, set[str]]:
    table = JSON.split("| kind | keys |", 1)[1].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        names, keys = line.strip("| ").split(" | ", 1)
        for name in re.findall(r"`([a-z]+)`", names):
            found[name] = set(re.findall(r"`([a-z_]+)`", keys))
    return found


def _flat(doc: dict[str, Any]) -> set[str]:
    keys = set(doc)
    for table in ("agent", "counts", "usage"):
        keys |= {f"{table}.{key}" for key in doc.get(table, {})}
    return keys


@pytest.fixture
def cli(repo: Repo) -> Cli:
    """A repository with a session that has about everything."""
    import git_agent_session

    cli = Cli(repo)
    repo.commit("one", files={"README.md": "# x\n", "a.py": "# TODO: y\n"})
    parent = cli.start()
    given = ["--goal", "g", "--agent-type", "codex", "--agent-version", "1", "--model", "m", "--tag", "t"]
    cli("start", *given, "--type", "full", "--meta", "k=v", "--parent", parent)
    store = git_agent_session.open(str(repo.path))
    store.append(None, "message", {"role": "user", "text": "x"})
    store.append(None, "tool", {"name": "Bash", "paths": ["a"], "duration_ms": 1, "outcome": "ok", "summary": "x"})
    store.append(None, "compact", {"trigger": "auto", "summary": "x"})
    store.append(None, "error", {"message": "x"})
    store.append(None, "decision", {"text": "x"})
    store.append(None, "phase", {"phase": "build"})
    store.usage(input_tokens=1, output_tokens=1, cache_read_tokens=1, cache_write_tokens=1, cost_usd=1, duration_ms=1)
    cli("set", "--title", "t")
    cli("log", "note", "x", "--role", "user", "--meta", "k=v")
    cli("metric", "m", "1", "--meta", "k=v")
    cli("tag", "x")
    cli("tag", "-d", "x")
    cli("install")
    repo.commit("two", files={"a.py": "1"})
    repo.git("commit", "-q", "--amend", "-m", "three")
    cli("link", "HEAD~1", "--primary")
    cli("unlink", "HEAD~1")
    cli("pause")
    cli("resume")
    cli("end", "--message", "done")
    return cli


def test_the_keys_of_a_session_are_documented_and_all_of_them_come(cli: Cli) -> None:
    session = cli("status", "--json").json
    documented = _keys("Session")
    undocumented = _flat(session) - documented
    assert not undocumented
    # a session that a person started has no id of an agent's own
    assert documented - _flat(session) == {"agent.native_id"}


def test_the_keys_of_details_are_documented(cli: Cli) -> None:
    session, shown = cli("status", "--json").json, cli("show", "--json").json
    assert set(shown) - set(session) == _keys("Session with details")
    assert set(cli("status", "-v", "--json").json) - set(session) == _keys("Session with details") - {"events"}


def test_the_keys_of_events_are_documented(cli: Cli) -> None:
    kinds, base = _kinds(), _keys("Event")
    events = cli("history", "--json").json
    free = {"error", "decision", "phase"}
    assert {e["kind"] for e in events} - free <= set(kinds)
    for event in events:
        if event["kind"] not in free:
            assert set(event) - base <= kinds[event["kind"]], event


def test_the_keys_of_links_are_documented_and_all_of_them_come(cli: Cli) -> None:
    rows = cli("commits", "--json").json + cli("which", "HEAD", "--json").json
    found = set().union(*rows)
    # after a rewrite the patch is found out anew at the next batch; a link by hand has all
    rows += cli("link", "HEAD~1", "--session", "@{-1}", "--json").json
    found = set().union(*rows)
    assert found <= _keys("Link")
    assert _keys("Link") - found <= {"rewritten_from", "patch_id", "tree", "parents"}


def test_the_keys_of_a_snapshot_are_documented(cli: Cli) -> None:
    assert set(cli("context", "--json").json) == _keys("Context snapshot")


def test_the_keys_of_reports_are_documented(cli: Cli) -> None:
    assert set(cli("install", "--json").json) == _keys("Report of install and uninstall")
    assert set(cli("drain", "--json").json) == _keys("What drain wrote")
    assert set(cli("version", "--json").json) == _keys("Versions")
    listed = set().union(*(set(row) for row in cli("enable", "--list", "--json").json))
    assert listed <= _keys("Agent") and _keys("Agent") - listed <= {"outdated"}
    report, documented = set(cli("enable", "claude-code", "--json").json[0]), _keys("Report of enable and disable")
    assert report <= documented and documented - report <= {"hint"}
    assert set(cli("doctor", "--json", code=None).json) == _keys("Diagnosis")
    assert set(cli("redact", "--dry-run", "x", "--json").json) == _keys("Redacted text")
    assert set(cli("redact", "--list", "--json").json[0]) == _keys("Rule")


def test_the_words_of_errors_are_documented() -> None:
    words = set(re.findall(r"^\| `([a-z-]+)` \| [123] \|", JSON, re.M))
    known = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.AgentSessionError)
    }
    assert words == known | {"bug"}
