"""docs/parity.md names only commands and options that there are, and rows that a test runs."""

from __future__ import annotations

import ast
import inspect
import operator
import re

import click
import pytest

import git_agent_session
import git_agent_session.answers.stats
import git_agent_session.work
from git_agent_session.cli.commands import program
from git_agent_session.store.store import Store
from tests.harness import ROOT

PAGE = (ROOT / "docs/parity.md").read_text()
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
HERE = [row[1] for row in ROWS if row[0].strip() != "there"]


def found(words: list[str]) -> click.Command | None:
    """The command that these words start with, a command of a group where the second word is one."""
    ctx = click.Context(program)
    command = program.get_command(ctx, words[0])
    if isinstance(command, click.Group) and len(words) > 1:
        # `context ID` is short for `context show ID`
        return command.commands.get(words[1], command.commands.get("show", command))
    return command


@pytest.mark.parametrize("cell", HERE)
def test_what_is_named_exists(cell: str) -> None:
    for code in re.findall(r"`([^`]+)`", cell):
        words = code.split()
        if not re.fullmatch(r"[a-z][a-z-]*", words[0]) or (command := found(words)) is None:
            continue
        options = {o for p in command.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)}
        assert options.issuperset(w for w in words if re.fullmatch(r"--[a-z-]+", w)), code


def called() -> list[str]:
    """The calls of Python that the page names."""
    codes = [code for cell in HERE for code in re.findall(r"`([^`]+)`", cell)]
    return [code for code in codes if re.fullmatch(r"(store|work|answers)(\.[a-z_]+)+\(.*\)", code)]


@pytest.mark.parametrize("code", called())
def test_what_is_called_takes_what_it_is_called_with(code: str) -> None:
    call = ast.parse(code.replace("…", "..."), mode="eval").body
    assert isinstance(call, ast.Call)
    name = ast.unparse(call.func)
    there = name.removeprefix("store.")
    function = operator.attrgetter(there)(Store if there != name else git_agent_session)
    # `…` stands for whatever else there is
    given = [a for a in call.args if not (isinstance(a, ast.Constant) and a.value is ...)]
    own = [None] if there != name else []
    inspect.signature(function).bind_partial(*own, *given, **{str(k.arg): k.value for k in call.keywords})


def test_every_row_from_ten_on_has_its_test() -> None:
    rows = {int(n) for row in ROWS for n in re.findall(r"\d+", row[2])}
    assert rows == set(range(1, 31))
    tested = {int(p.stem.rpartition("_")[2]) for p in (ROOT / "tests/parity").glob("test_row_*.py")}
    assert tested >= {n for n in rows if n >= 10}
