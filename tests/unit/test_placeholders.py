"""The formats of `--format`: git's own rules, with what sessions have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import term
from git_agent_session.model import Agent, Link, Session
from git_agent_session.report import placeholders
from git_agent_session.report.placeholders import Format, Row
from git_agent_session.report.rows import CommitRow
from git_agent_session.report.view import View
from tests.harness import ROOT, Repo

ID = "3f2a9c1e-5bb3-4e44-aec8-5b7d00443063"
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SESSION = Session(
    ID,
    "completed",
    "2026-01-01T12:00:00.000Z",
    "2026-01-01T12:01:12.000Z",
    ended_at="2026-01-01T12:01:12.000Z",
    goal="Add rate limiting",
    title="Limits",
    type="feature",
    project="shop",
    user="Ada <ada@example.org>",
    message="done",
    phase="build",
    tags=("api", "safe"),
    agent=Agent("claude-code", "2.1", "opus"),
    counts={"commits": 3},
    usage={
        "input_tokens": 1000,
        "output_tokens": 200,
        "cache_read_tokens": 34,
        "reasoning_tokens": 99,
        "cost_usd": 0.5,
    },
)
COMMIT = CommitRow(ID, Link("ab" * 20, "env", "", primary=True), "Limit requests", "Ada", "2026-01-01T12:00:30.000Z")
PLAIN = View(term.Palette({}, isatty=False), 0, NOW)
COLOUR = View(term.Palette({"color.ui": "always"}, isatty=False), 0, NOW)


def shown(form: str, session: Session = SESSION, commit: CommitRow | None = COMMIT, view: View = PLAIN) -> str:
    return Format(form).render(Row(session, commit), view)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%H", ID),
        ("%h %g", "3f2a9c1e Add rate limiting"),
        ("%an %av %m", "claude-code 2.1 opus"),
        ("%s|%u|%p|%P|%y|%b", "completed|Ada <ada@example.org>|shop|build|feature|done"),
        ("%t", "api, safe"),
        ("%c %T %$ %d", "3 1.2k 0.50 1m 12s"),
        ("%ar|%aI|%at|%as", "24 hours ago|2026-01-01T12:00:00.000Z|1767268800|2026-01-01"),
        ("%er|%et", "24 hours ago|1767268872"),
        ("%lh %lf %ln %lv %lp %ls", f"{'ab' * 5} Limit requests Ada env primary 2026-01-01"),
        ("%lH", "ab" * 20),
        ("a%nb%%c%x41", "a\nb%cA"),
    ],
)
def test_a_placeholder_stands_for_its_part_of_the_session(form: str, text: str) -> None:
    assert shown(form) == text


def test_the_date_is_in_the_readers_own_zone_as_git_writes_it() -> None:
    assert shown("%ad") == "Thu Jan 1 12:00:00 2026 +0000"


@pytest.mark.parametrize("form", ["%Q", "%", "%l", "%(x)", "%C(nocolour)", "%<(x)", "%xff", "100%"])
def test_what_is_no_placeholder_is_text_as_in_git(form: str, repo: Repo) -> None:
    repo.commit()
    assert shown(form) == form
    if form not in ("%C(nocolour)", "%xff"):  # an error in git, and a byte that is no text
        assert repo.git("log", f"--format={form}") == form


@pytest.mark.parametrize(
    "form",
    [
        *(
            "[%<(12)%{}]",
            "[%>(12)%{}]",
            "[%><(13)%{}]",
            "[%<(3)%{}]",
            "x%<|(20)%{}]",
            "x%>|(20)%{}]",
            "a%nbc%<|(15)%{}]",
        ),
        *("[%<(6,trunc)%{}]", "[%<(6,ltrunc)%{}]", "[%>(7,mtrunc)%{}]", "[%<( 12 )%{}]", "[%<(12,trunc)%{}]"),
        *("[%+{}]", "[% {}]", "[%-{}]"),
    ],
)
def test_padding_and_signs_are_those_of_git(form: str, repo: Repo) -> None:
    repo.commit("Add rates")
    goal = Session(ID, "active", "", "", goal="Add rates")
    assert shown(form.format("g"), goal) == repo.git("log", f"--format={form.format('s')}")


def test_an_empty_field_takes_its_line_with_it_where_the_format_says_so() -> None:
    untagged = Session(ID, "active", "", "")
    assert shown("%h%+t", untagged) == "3f2a9c1e"
    assert shown("%h%n%n%-t.", untagged) == "3f2a9c1e."
    assert shown("%h%+t") == "3f2a9c1e\napi, safe"


def test_colours_are_gits_and_only_where_there_is_colour() -> None:
    assert shown("%Cred%h%Creset.", view=COLOUR) == "\033[31m3f2a9c1e\033[m."
    assert shown("%C(bold blue)%h", view=COLOUR) == "\033[1;34m3f2a9c1e\033[m"
    assert shown("%C(bold blue)%h") == "3f2a9c1e"
    assert shown("%C(always,green)%h") == "\033[32m3f2a9c1e\033[m"
    assert shown("%C(auto)%h %s", view=COLOUR) == "\033[33m3f2a9c1e\033[m \033[36mcompleted\033[m"
    assert shown("%C(agent)%an", view=COLOUR) == "\033[35mclaude-code\033[m"


def test_the_short_id_is_as_long_as_it_must_be() -> None:
    view = View(PLAIN.palette, 0, NOW, {ID: ID[:13]})
    assert shown("%h", view=view) == ID[:13]


def test_nothing_that_a_session_says_reaches_the_terminal_as_a_command() -> None:
    evil = Session(ID, "\033[31mx", "", "", goal="a\033]0;t\007b\nc\u202ed", agent=Agent("\033[2Jz"))
    text = shown("%g|%s|%an|%m", evil)
    assert text == "ab cd|x|z|"


def test_a_broken_time_is_empty_and_never_an_error() -> None:
    odd = Session(ID, "active", "yesterday", "", ended_at="9999-99-99")
    assert shown("%at|%as|%et|%d", odd) == "|||0ms"


@given(st.text(alphabet="%<>()|,+- @glshHaCnxtrIuncmdT$0123456789\n", max_size=40))
def test_no_format_fails(form: str) -> None:
    Format(form).render(Row(SESSION, COMMIT), COLOUR)


def test_every_placeholder_is_in_the_documentation() -> None:
    text = Path(ROOT / "docs/terminal.md").read_text(encoding="utf-8")
    for name in (*placeholders._SESSION, *placeholders._COMMIT):
        assert f"`%{name}`" in text, name


@pytest.mark.parametrize(("cost", "text"), [(0.0042, "0.0042"), (0.00001, "<0.0001"), (1234.5, "1234.50"), (0, "")])
def test_little_money_is_not_none(cost: float, text: str) -> None:
    assert shown("%$", replace(SESSION, usage={"cost_usd": cost})) == text
