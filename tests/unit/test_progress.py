"""The bar for what takes more than a second."""

from __future__ import annotations

import io
import time

import pytest

from git_agent_session import progress
from git_agent_session.progress import Bar


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "_EVERY", 0.01)


def until(stream: Terminal, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text in stream.getvalue()


def test_what_is_done_within_a_second_shows_nothing() -> None:
    stream = Terminal()
    with Bar(stream, "Reading") as bar:
        bar(1, 2)
    assert stream.getvalue() == ""


def test_what_is_no_terminal_gets_nothing_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = io.StringIO()
    with Bar(stream, "Reading") as bar:
        bar(1, 2)
        time.sleep(0.05)
    assert stream.getvalue() == ""


def test_work_that_says_how_far_it_is_gets_a_bar_and_no_trace_of_it_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    with Bar(stream, "Reading", "sessions") as bar:
        bar(1000, 2000)
        until(stream, f"\rReading [{'#' * 15}{'.' * 15}] 1,000 of 2,000 sessions")
    assert stream.getvalue().endswith("\r\033[K")


def test_work_that_says_nothing_gets_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    with Bar(stream, "Checking"):
        until(stream, "\rChecking … 0 s")
    assert stream.getvalue().endswith("\r\033[K")


def test_things_are_counted_as_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    with Bar(stream, "Scanning", "sessions") as bar:
        for name in bar.over(["a", "b"]):
            if name == "b":
                until(stream, "1 of 2 sessions")
    assert stream.getvalue().endswith("\r\033[K")


def test_without_a_with_the_calls_draw_and_the_last_one_takes_the_bar_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    bar = Bar(stream, "Reading")
    bar(1, 2)
    assert "1 of 2" in stream.getvalue()
    bar(2, 2)
    assert stream.getvalue().endswith("\r\033[K")


def test_a_line_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    bar = Bar(stream, "Reading")
    bar(1, 2)
    assert len(stream.getvalue().removeprefix("\r")) == 19


def test_a_dumb_terminal_gets_blanks_and_no_escape_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    bar = Bar(stream, "Reading")
    bar(1, 2)
    bar(2, 2)
    assert "\033" not in stream.getvalue() and stream.getvalue().endswith(" \r")


def test_an_error_in_the_work_comes_through_and_the_bar_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    with pytest.raises(ValueError, match="odd"), Bar(stream, "Reading") as bar:
        bar(1, 2)
        until(stream, "1 of 2")
        raise ValueError("odd")
    assert stream.getvalue().endswith("\r\033[K")


def test_a_terminal_that_goes_away_stops_the_bar_and_not_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    bar = Bar(stream, "Reading")
    stream.close()
    bar(1, 3)
    bar(2, 3)
    bar(3, 3)


def test_work_that_goes_on_after_the_last_gets_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    stream = Terminal()
    with Bar(stream, "Purging", "sessions") as bar:
        bar(1, 2)
        bar(2, 2)
        until(stream, "\rPurging … 0 s")
    assert stream.getvalue().endswith("\r\033[K")


def test_what_comes_after_the_last_is_waited_for_again() -> None:
    stream = Terminal()
    with Bar(stream, "Purging") as bar:
        bar._began -= 10
        bar(2, 2)
        time.sleep(0.05)
    assert stream.getvalue() == ""
