"""`log-graph`: git's graph with the sessions of its commits."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import ROOT, Repo

EVIL = "\033[31mred\033]0;title\007 [bold]x[/bold] \u202egnp"
# what of it is stored
SAID = "red [bold]x[/bold] gnp"


@pytest.fixture
def cli(hooked: Repo) -> Cli:
    return Cli(hooked)


@pytest.fixture
def two(hooked: Repo, store: Store) -> Mapping[str, str]:
    """Two sessions of two commits and one, and a commit of a person's on top."""
    first = store.start(goal="Add rate limiting", agent="claude-code").id
    hooked.commit("one", files={"a": "1\n"})
    hooked.commit("two", files={"b": "1\n"})
    store.end(first)
    second = store.start(goal=EVIL, agent="codex").id
    hooked.commit("three", files={"a": "2\n"})
    store.end(second)
    hooked.commit("by hand", files={"c": "1\n"})
    return {"first": first[:8], "second": second[:8]}


def drawn(cli: Cli, *args: str, env: Mapping[str, str] | None = None) -> list[str]:
    return [re.sub(r"\b[0-9a-f]{7}\b", "C", line) for line in cli("log-graph", *args, env=env).out.splitlines()]


def test_each_commit_has_its_sessions_id_and_a_new_session_says_what_it_is_for(
    cli: Cli, two: Mapping[str, str]
) -> None:
    assert drawn(cli, "-4") == [
        "* C (HEAD -> main) by hand",
        f"* C [{two['second']}] three",
        f"|         codex: {SAID}",
        f"* C [{two['first']}] two",
        "|         claude-code: Add rate limiting",
        f"* C [{two['first']}] one",
    ]


def test_options_revisions_and_paths_are_gits(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    assert [line for line in drawn(cli, "HEAD~3..HEAD", "--", "a") if line.startswith("*")] == [
        f"* C [{two['second']}] three"
    ]
    stat = drawn(cli, "-1", "--stat")
    assert any("c | 1 +" in line for line in stat)
    assert drawn(cli, "--author=nobody") == []
    assert drawn(cli, "--grep", "two", "-n", "1")[0] == f"* C [{two['first']}] two"
    assert len(drawn(cli, "-h", "--", "a")) > 5, "help is help wherever it stands before the --"


def test_paths_are_those_of_the_folder_one_is_in(hooked: Repo, two: Mapping[str, str]) -> None:
    hooked.commit("deep", files={"d/e": "1\n"})
    inside = Cli(Repo(hooked.path / "d"))
    assert len(drawn(inside, "--", "e")) == 1


def test_a_format_of_ones_own_says_where_the_sessions_go(cli: Cli, two: Mapping[str, str]) -> None:
    form = "%s%(session: <%C(red)%h%Creset, %an, %c>)!"
    assert drawn(cli, "-2", f"--format={form}") == ["* by hand!", f"* three <{two['second']}, codex, 1>!"]
    assert drawn(cli, "-2", "--format", form) == drawn(cli, "-2", f"--pretty=tformat:{form}")
    assert drawn(cli, "-2", "--format=%s") == ["* by hand", f"* three [{two['second']}]"]
    assert drawn(cli, "-1", "--oneline") == drawn(cli, "-1", "--pretty=oneline") == drawn(cli, "-1")


@pytest.mark.parametrize("name", ["short", "medium", "full", "fuller"])
def test_gits_named_formats_are_gits_with_a_line_for_the_session(
    cli: Cli, two: Mapping[str, str], hooked: Repo, name: str
) -> None:
    hooked.git("checkout", "-q", "-b", "aside", "HEAD~1")
    hooked.commit("a subject\n\nand a body\n\n* commit 0123456789012345678901234567890123456789\n")
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "-m", "merged", "aside")
    ours = cli("log-graph", "--decorate", f"--pretty={name}").out.splitlines()
    own = [line for line in ours if "Session: " in line and "Agent-Session" not in line]
    assert [line.split("Session: ")[1] for line in own] == [
        f"{two['second']} codex: {SAID}",
        *[f"{two['first']} claude-code: Add rate limiting"] * 2,
    ]
    left = [line for line in ours if line not in own]
    # the lanes are drawn by line, and there is one more
    assert unlaned(left) == unlaned(hooked.lines("log", "--graph", "--decorate", f"--pretty={name}"))


def unlaned(lines: Sequence[str]) -> list[str]:
    texts = (re.sub(r"^[|/\\ *]*", "", line) for line in lines)
    return [text for text in texts if text]


def test_commits_in_a_named_format_stand_apart_by_one_line(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    hooked.commit("a subject\n\nand a body")
    lines = cli("log-graph", "--pretty=medium", "-3").out.splitlines()
    texts = [line.strip("* |") for line in lines]
    assert not any(a == b == "" for a, b in pairwise(texts))
    assert all(before == "" for before, text in pairwise(texts) if text.startswith("commit "))


def test_a_format_of_the_users_has_a_name(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    hooked.git("config", "pretty.mine", "format:%s%(session: <%h>)")
    hooked.git("config", "pretty.alias", "mine")
    assert drawn(cli, "-2", "--pretty=alias") == ["* by hand", f"* three <{two['second']}>"]
    assert drawn(cli, "-1", "--pretty") == drawn(cli, "-1", "--pretty=medium")
    assert re.fullmatch(r"\* C \(by hand, \d{4}-\d\d-\d\d\)", drawn(cli, "-1", "--pretty=reference")[0])


def test_as_json_each_commit_has_its_sessions(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    rows = cli("log-graph", "--json", "--stat", "--graph", "--", "a", "b", "c").json
    assert [row["subject"] for row in rows] == ["by hand", "three", "two", "one"]
    assert rows[0]["refs"] == ["HEAD -> main"] and "sessions" not in rows[0]
    assert [(s["session"][:8], s["agent"]) for s in rows[1]["sessions"]] == [(two["second"], "codex")]
    assert rows[1]["parents"] == [rows[2]["commit"]] and rows[2]["date"].endswith("Z")
    assert "\033" not in cli("log-graph", "--json", "--color=always").out
    assert cli("log-graph", "--json", "--author=nobody").json == []


def test_two_sessions_of_one_commit_are_both_named(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    cli("link", "HEAD~1", "--session", two["first"])
    lines = drawn(cli, "-1", "HEAD~1", "--format=%s %(session:%h)%n%(session)")
    assert lines == [f"* three {two['second']}, {two['first']}", f"| codex: {SAID}, claude-code: Add rate limiting"]


def test_a_commit_cannot_make_a_mark_of_its_own(cli: Cli, store: Store, hooked: Repo) -> None:
    session_id = store.start(goal="g", agent="codex").id
    store.end(session_id)
    text = f"%(session:%h) [{session_id[:8]}] 0123456789abcdef01234567.0.{hooked.git('rev-parse', 'HEAD')};"
    hooked.commit(text)
    assert drawn(cli, "-1")[0].endswith(text)
    assert len(drawn(cli, "-1")) == 1


def test_the_graph_of_a_merge_stays_whole(cli: Cli, store: Store, hooked: Repo) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    session_id = store.start(goal="Work aside", agent="codex").id
    hooked.commit("aside")
    store.end(session_id)
    hooked.git("checkout", "-q", "main")
    hooked.commit("ahead")
    hooked.git("merge", "-q", "--no-edit", "topic")
    plain = [line.rstrip() for line in hooked.lines("log", "--graph", "--format=%h %s%n")]
    ours = cli("log-graph", "--format=%h %s%n%(session)").out.splitlines()
    lanes = [re.sub(r"[^|/\\*]", "", line.split("codex")[0][:6]) for line in ours]
    wanted = [re.sub(r"[^|/\\*]", "", line[:6]) for line in plain]
    # a line that is a lane and nothing else says nothing
    assert [x for x in lanes if x.strip("|")] == [x for x in wanted if x.strip("|")]
    assert sum("codex: Work aside" in line for line in ours) == 1


def test_a_session_that_is_not_here_is_shown_as_its_note_says(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    ref = hooked.git("for-each-ref", "--format=%(refname)", f"refs/agent-sessions/{two['second']}*")
    hooked.git("update-ref", "-d", ref)
    assert "|         codex: (not in this repository)" in drawn(cli, "-3")


def test_colour_is_gits_and_each_agent_has_its_own(cli: Cli, two: Mapping[str, str], hooked: Repo) -> None:
    hooked.git("config", "color.ui", "always")
    out = cli("log-graph", "-3").out
    assert f"\033[36m[{two['second']}]\033[m" in out
    assert f"\033[35m[{two['first']}]\033[m" in out
    assert "red" in out and "\033[31mred" not in out and "\033]" not in out
    assert "\033" not in cli("log-graph", "-3", "--no-color").out
    assert "\033" not in cli("log-graph", "-3", env={"GIT_CONFIG_PARAMETERS": "'color.ui'='never'"}).out


def test_what_follows_is_cut_to_the_terminal(cli: Cli, two: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    out = cli("log-graph", "-4", tty=True, env={"TERM": "dumb", "GIT_PAGER": "cat"}).out
    assert "|         claude-code: Add ra…" in out.splitlines()


def test_what_git_refuses_is_one_line_with_gits_reason(cli: Cli) -> None:
    assert "ambiguous argument 'nope'" in cli.fails("log-graph", "nope")
    assert "unrecognized argument: --frob" in cli.fails("log-graph", "--frob")
    assert "no room for sessions" in cli.fails("log-graph", "--pretty=email", code=2)
    assert "unrecognized argument: --frob" in cli("log-graph", "--frob", "--json", code=1).err


def test_a_repository_without_sessions_has_its_plain_log(repo: Repo) -> None:
    repo.commit("one")
    assert drawn(Cli(repo)) == ["* C (HEAD -> main) one"]


def test_no_process_is_started_for_a_commit(cli: Cli, two: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    cli("list")  # what hooks have left is worked in
    started: list[list[str]] = []
    popen = subprocess.Popen

    class Counting(popen):  # type: ignore[valid-type, misc]
        def __init__(self, argv: list[str], **given: object) -> None:
            started.append(argv)
            super().__init__(argv, **given)

    monkeypatch.setattr(subprocess, "Popen", Counting)
    assert len(drawn(cli)) > 4
    assert [argv[2] for argv in started] == ["log"]


def test_the_picture_in_the_documentation_is_what_it_prints() -> None:
    text = (ROOT / "docs/terminal.md").read_text(encoding="utf-8")
    assert "|         claude-code: Add rate limiting to the public API" in text
    assert "    * 5f3be87 (HEAD -> main) By hand\n" in text


def test_lists_take_a_format_and_not_with_json(cli: Cli, two: Mapping[str, str]) -> None:
    assert cli("list", "--format=%h %an").out == f"{two['second']} codex\n{two['first']} claude-code\n"
    assert cli("commits", two["first"], "--format=%lf of %h").out == f"one of {two['first']}\ntwo of {two['first']}\n"
    assert cli("which", "HEAD~1", "--format=%lf %an %s").out == "three codex completed\n"
    assert cli("list", "--format=%lf").out == "\n\n"
    for args in (["list"], ["commits", two["first"]], ["which", "HEAD~1"]):
        assert '"give one of them"' in cli(*args, "--format=%h", "--json", code=2).err
