"""What a terminal sees: compared with real git wherever git sets the rule."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_agent_session import term
from tests.harness import ROOT, Repo

NOW = 1_800_000_000
MINUTE, HOUR, DAY = 60, 3600, 86400


def test_escape_sequences_leave_only_the_text_they_dressed() -> None:
    dressed = "\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x9b4mline\x1b(B \x1bPq#0\x1b\\end"
    assert term.clean(dressed) == "red link line end"


def test_an_escape_that_never_ends_hides_nothing() -> None:
    assert term.clean("\x1b]0;title and the rest") == "0;title and the rest"


def test_bidi_overrides_tags_and_surrogates_are_taken_out() -> None:
    assert term.clean("a\u202eb\u2066c\U000e0041d\udc80e") == "abcd\ufffde"


def test_tabs_become_spaces_and_newlines_stay_only_when_asked_for() -> None:
    assert term.clean("a\tb\r\nc\rd\u2028e") == "a b c d e"
    assert term.clean("a\tb\r\nc\rd\u2028e", newlines=True) == "a b\nc\nd\ne"


@given(st.text(st.characters(exclude_categories=())))
def test_cleaned_text_holds_no_control_character_and_stays_as_it_is(text: str) -> None:
    once = term.clean(text)
    assert not [c for c in once if ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000]
    assert term.clean(once) == once
    once.encode()


def test_a_long_hostile_text_is_cleaned_in_time() -> None:
    start = time.perf_counter()
    for unit in ("\x1b]", "\x1b[", "\x1b[0;", "\x1bP", "\x9d", "\x1b"):
        term.clean(unit * 200_000)
    assert time.perf_counter() - start < 5


def test_width_counts_columns_not_characters() -> None:
    assert term.width("abc") == 3
    assert term.width("日本") == 4
    assert term.width("e\u0301") == 1
    assert term.width("a\u200db") == 2


@pytest.mark.parametrize(
    ("text", "n", "want"),
    [
        *(("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("日本語", 4, "日…")),
        *(("日本語", 3, "日…"), ("ab", 1, "…"), ("ab", 0, "")),
    ],
)
def test_fit_cuts_to_columns(text: str, n: int, want: str) -> None:
    assert term.fit(text, n) == want


@given(st.text(), st.integers(0, 30))
def test_fit_never_takes_more_than_it_was_given(text: str, n: int) -> None:
    assert term.width(term.fit(text, n)) <= n


def test_columns_align_wide_text_and_cut_the_flexible_one() -> None:
    rows = [["3f2a9c1e", "a goal that is far too long for this", "2"], ["939cc486", "日本", "12"]]
    lines = term.columns(rows, header=["ID", "GOAL", "N"], total=32, flexible=1, right={2})
    assert lines == [
        "ID        GOAL                 N",
        "3f2a9c1e  a goal that is fa…   2",
        "939cc486  日本                12",
    ]


def test_columns_fit_even_where_the_flexible_one_is_not_enough() -> None:
    lines = term.columns([["x" * 50, "y" * 50, "z" * 50]], total=40, flexible=1)
    assert [term.width(line) for line in lines] == [40]


@pytest.mark.parametrize("total", [1, 8, 10, 14, 20, 30])
def test_a_fixed_column_is_never_cut(total: int) -> None:
    lines = term.columns([["3f2a9c1e", "active", "a goal that is long"]], total=total, flexible=2, fixed=(0,))
    assert lines[0].startswith("3f2a9c1e") and term.width(lines[0]) <= max(total, 8)


def test_columns_without_a_limit_cut_nothing() -> None:
    assert term.columns([["x" * 500, "y"]], total=0, flexible=0) == ["x" * 500 + "  y"]


def test_styled_columns_differ_from_plain_ones_by_escapes_alone() -> None:
    rows = [["one", "日本語日本語"], ["three", "x"]]
    plain = term.columns(rows, total=14, flexible=1)
    styled = term.columns(rows, total=14, flexible=1, style=lambda _r, c, t: f"\x1b[{c + 1}m{t}\x1b[m")
    assert styled != plain
    assert [term.clean(line).rstrip() for line in styled] == plain


def test_a_cell_with_an_escape_sequence_is_shown_as_text() -> None:
    assert term.columns([["\x1b[31mred\nline", "x"]], total=80, flexible=0) == ["red line  x"]


AGES = (
    *(0, 1, 2, 59, 89, 90, 119, 150, 89 * MINUTE + 29, 89 * MINUTE + 30, 90 * MINUTE, 2 * HOUR, 35 * HOUR, 36 * HOUR),
    *(37 * HOUR, 2 * DAY, 13 * DAY, 14 * DAY, 20 * DAY, 69 * DAY, 70 * DAY, 74 * DAY, 100 * DAY, 364 * DAY, 365 * DAY),
    *(380 * DAY, 400 * DAY, 729 * DAY, 730 * DAY, 800 * DAY, 1824 * DAY, 1825 * DAY, 2000 * DAY, 9000 * DAY, -5),
)


def test_relative_says_what_git_log_says_at_every_age(repo: Repo) -> None:
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@b> {NOW - age} +0000\ndata {len(str(age))}\n{age}\n" for age in AGES
    )
    repo.git("fast-import", "--quiet", input=stream)
    out = repo.git("log", "--date=relative", "--format=%s %cd", "main", env={"GIT_TEST_DATE_NOW": str(NOW)})
    said = dict(line.split(" ", 1) for line in out.splitlines())
    now = datetime.fromtimestamp(NOW, UTC)
    ours = {str(age): term.relative(datetime.fromtimestamp(NOW - age, UTC).isoformat(), now) for age in AGES}
    assert len(said) == len(AGES)
    assert ours == said


def test_relative_reads_zones_and_z() -> None:
    now = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert term.relative("2026-01-01T10:00:00.000Z", now) == "2 hours ago"
    assert term.relative("2026-01-01T12:00:00+02:00", now) == "2 hours ago"


def test_relative_gives_back_what_is_no_time() -> None:
    assert term.relative("soon\x1b[1m") == "soon"


@pytest.mark.parametrize(
    ("ms", "want"),
    [
        *((0, "0ms"), (850, "850ms"), (2500, "2.5s"), (9999, "9.9s"), (12345, "12s"), (72_000, "1m 12s")),
        *((300_000, "5m"), (11_100_000, "3h 5m"), (187_200_000, "2d 4h")),
    ],
)
def test_duration(ms: int, want: str) -> None:
    assert term.duration(ms) == want


def test_count_knows_one_from_many() -> None:
    assert [term.count(n, "commit") for n in (0, 1, 3)] == ["0 commits", "1 commit", "3 commits"]
    assert term.count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("n", "want"),
    [(0, "0"), (999, "999"), (1000, "1k"), (12_345, "12.3k"), (99_950, "100k"), (999_600, "1M"), (1_234_567, "1.2M")],
)
def test_si(n: int, want: str) -> None:
    assert term.si(n) == want


COLOURS = [
    *("red", "bold red", "green ul", "yellow blue bold", "normal red", "default", "brightred", "bright-red", "bold"),
    *("#ff8800", "#ff8800 3", "7", "8", "15 16", "255", "256", "-1", "nobold", "no-ul reverse", "strike italic dim"),
    *("reset", "reset bold", "red green blue", "purple", "", "BOLD Red", "black default"),
]


@pytest.mark.parametrize("value", COLOURS)
def test_colours_are_the_escapes_that_git_prints(repo: Repo, value: str) -> None:
    repo.git("config", "color.test.slot", value)
    done = repo.run("git", "config", "--get-color", "color.test.slot")
    if value == "BOLD Red":
        assert term.ansi(value) == term.ansi("bold red")
    else:
        assert term.ansi(value) == (done.stdout if done.returncode == 0 else None)


TERM = {"TERM": "xterm"}


@pytest.mark.parametrize(
    ("config", "isatty", "env", "want"),
    [
        ({}, True, TERM, True),
        ({}, False, TERM, False),
        ({}, True, {"TERM": "dumb"}, False),
        ({}, True, {**TERM, "NO_COLOR": "1"}, False),
        ({}, True, {**TERM, "NO_COLOR": ""}, True),
        ({"color.ui": "always"}, False, {}, True),
        ({"color.ui": "true"}, False, TERM, False),
        ({"color.ui": "false"}, True, TERM, False),
        ({"color.ui": "never", "color.agentsession": "auto"}, True, TERM, True),
        ({"color.ui": "always", "color.agentsession": "never"}, True, TERM, False),
        ({}, False, {**TERM, "GIT_PAGER_IN_USE": "true"}, True),
        ({"color.pager": "false"}, False, {**TERM, "GIT_PAGER_IN_USE": "true"}, False),
    ],
)
def test_colour_is_on_where_git_would_have_it(
    config: dict[str, str], isatty: bool, env: dict[str, str], want: bool
) -> None:
    assert term.Palette(config, isatty=isatty, env=env).enabled is want


def test_a_slot_takes_its_colour_from_config_and_keeps_its_own_when_that_is_none() -> None:
    config = {"color.ui": "always", "color.agentsession.id": "green ul", "color.agentsession.dim": "no such colour"}
    palette = term.Palette(config, isatty=False, env={})
    assert palette.paint("id", "3f2a") == "\x1b[4;32m3f2a\x1b[m"
    assert palette.paint("dim", "x") == "\x1b[2mx\x1b[m"


def test_paint_never_lets_a_colour_cross_a_line() -> None:
    palette = term.Palette({"color.ui": "always"}, isatty=False, env={})
    assert palette.paint("heading", "a\n\nb") == "\x1b[1ma\x1b[m\n\n\x1b[1mb\x1b[m"


def test_paint_without_colour_changes_nothing() -> None:
    assert term.Palette({}, isatty=False, env=TERM).paint("id", "x") == "x"


@pytest.mark.parametrize(
    ("config", "env"),
    [
        ({}, {}),
        ({}, {"GIT_PAGER": "a", "PAGER": "b"}),
        ({"core.pager": "c"}, {"PAGER": "b"}),
        ({"core.pager": "c"}, {"GIT_PAGER": "a"}),
        ({}, {"PAGER": "b"}),
        ({}, {"GIT_PAGER": "", "PAGER": "b"}),
        ({"core.pager": "cat"}, {"PAGER": "b"}),
    ],
)
def test_the_pager_is_the_one_that_git_names(repo: Repo, config: dict[str, str], env: dict[str, str]) -> None:
    for key, value in config.items():
        repo.git("config", key, value)
    outer = {k: v for k, v in os.environ.items() if k not in ("PAGER", "GIT_PAGER")}
    done = subprocess.run(
        ["git", "var", "GIT_PAGER"], cwd=repo.path, env={**outer, **env}, capture_output=True, text=True, check=True
    )
    theirs = done.stdout.rstrip("\n")
    ours = term.pager_command(config, env, True)
    # Debian's git is built with `pager` as its last resort, upstream with `less`
    assert ours == ("" if theirs in ("", "cat") else "less" if not config and not env else theirs)


def test_config_of_this_command_turns_the_pager_off_or_names_another() -> None:
    assert term.pager_command({"pager.agent-session": "false"}, {"GIT_PAGER": "a"}, True) == ""
    assert term.pager_command({"pager.agent-session": "mine", "core.pager": "c"}, {}, True) == "mine"
    assert term.pager_command({"pager.agent-session": "true", "core.pager": "c"}, {}, True) == "c"


def test_there_is_no_pager_without_a_terminal() -> None:
    assert term.pager_command({}, {"GIT_PAGER": "less"}, False) == ""


SCRIPT = """
import sys
from git_agent_session.term import Pager
with Pager({}) as out:
    for i in range(int(sys.argv[1])):
        if not out.write(f"line {i}\\n"):
            break
print("after", i, file=sys.stderr)
sys.exit(7)
"""


def on_terminal(lines: int, **env: str) -> tuple[subprocess.Popen[str], int]:
    """The script above with a terminal as its stdout: the process, and the terminal's other end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(lines)],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(slave)
    return process, master


def shown(master: int) -> str:
    out = b""
    try:
        while chunk := os.read(master, 65536):
            out += chunk
    except OSError:
        pass
    os.close(master)
    return out.decode().replace("\r\n", "\n")


def test_output_goes_through_the_pager_with_gits_defaults_for_less() -> None:
    process, master = on_terminal(2, GIT_PAGER="sed s/^/$LESS,$LV,$GIT_PAGER_IN_USE:/")
    assert shown(master) == "FRX,-c,true:line 0\nFRX,-c,true:line 1\n"
    assert process.communicate(timeout=60)[1] == "after 1\n"
    assert process.returncode == 7


def test_a_user_who_quits_the_pager_sees_no_error_and_the_exit_status_stays() -> None:
    process, master = on_terminal(500_000, GIT_PAGER="head -n 1")
    assert shown(master) == "line 0\n"
    error = process.communicate(timeout=60)[1]
    assert error.startswith("after ")
    assert error.count("\n") == 1
    assert process.returncode == 7


def test_a_pager_that_is_not_there_is_as_good_as_none() -> None:
    process, master = on_terminal(2, GIT_PAGER="no-such-pager-anywhere")
    assert shown(master) == "line 0\nline 1\n"
    assert process.wait(timeout=60) == 7


def test_interrupting_the_pager_ends_neither_it_nor_the_command(tmp_path: Path) -> None:
    mark = tmp_path / "read-all"
    process, master = on_terminal(2, GIT_PAGER=f"trap '' INT; cat; touch '{mark}'; sleep 1; echo bye")
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert shown(master) == "line 0\nline 1\nbye\n"
    assert process.communicate(timeout=60)[1] == "after 1\n"
    assert process.returncode == 7


def test_a_closed_pipe_instead_of_a_terminal_ends_quietly(repo: Repo) -> None:
    done = repo.run("sh", "-c", '"$0" -c "$1" 500000 | head -n 1', sys.executable, SCRIPT)
    assert done.stdout == "line 0\n"
    assert done.stderr.startswith("after ")
    assert done.stderr.count("\n") == 1


def test_columns_of_the_environment_win_over_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    assert term.terminal_width() == 33


def test_importing_the_module_loads_nothing_heavy() -> None:
    heavy = ("subprocess", "datetime", "unicodedata", "dataclasses", "click", "pygit2")
    code = f"import sys, git_agent_session.term; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
