"""The browser: driven by Textual's own pilot, and once in a real terminal."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from git_agent_session import term
from git_agent_session.model import Agent
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.e2e.terminal import Terminal
from tests.harness import ROOT, Repo

pytestmark = pytest.mark.ui

if TYPE_CHECKING:
    from textual.pilot import Pilot
    from textual.widgets import DataTable

    from git_agent_session.tui.app import Browser
    from git_agent_session.tui.lines import Lines

needs_textual = pytest.mark.skipif(importlib.util.find_spec("textual") is None, reason="needs the extra [ui]")
EVIL = "Evil [red]not markup[/red] [/] [@click=app.bell]x[/]"


@pytest.fixture
def ids(store: Store, hooked: Repo) -> list[str]:
    """Two sessions, the second with about everything."""
    first = store.start(goal="Add rate limiting", agent=Agent("claude-code", "2", "opus"), tags=["api"]).id
    hooked.commit("Limit requests", files={"limits.py": "1\n"})
    store.end(first)
    second = store.start(goal=EVIL, agent="codex").id
    store.append(second, "message", {"role": "user", "text": f"Please [bold]do[/bold] {EVIL}"})
    store.append(second, "tool", {"name": "Edit", "paths": ["src/[b]x.py"], "outcome": "ok"})
    store.append(second, "task", {"action": "add", "task": "T001", "title": "Write [i]it[/i]"})
    return [first, second]


def drive(repo: Repo, steps: Callable[[Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    """Run `steps` in a browser of this repository."""
    from git_agent_session.tui.app import Browser
    from git_agent_session.tui.desk import Desk

    async def run() -> None:
        palette = term.Palette({"color.ui": "always"}, isatty=True)
        app = Browser(Desk(str(repo.path), os.environ, palette))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: len(app.screen_stack) == 2 and "session" in said(app))
            await steps(pilot)

    asyncio.run(run())


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    for _ in range(500):
        await pilot.pause(0.02)
        if holds():
            return
    raise AssertionError(f"it did not come to that:\n{screen(pilot.app)}")


def screen(app: Any) -> str:
    """All that is on the screen, as text."""
    width, height = app.size
    rows = app.screen._compositor.render_strips()
    assert len(rows) == height and all(strip.cell_length <= width for strip in rows)
    return "\n".join(strip.text.rstrip() for strip in rows)


def said(app: Browser) -> str:
    return screen(app).splitlines()[-2].strip()


def table(app: Browser) -> DataTable[Any]:
    from textual.widgets import DataTable

    return app.screen.query_one(DataTable)


def lines(app: Browser) -> Lines:
    from git_agent_session.tui.lines import Lines

    return next(found for found in app.screen.query(Lines) if found.has_focus)


@needs_textual
def test_the_list_shows_all_sessions_and_fits_a_terminal_of_80_by_24(hooked: Repo, ids: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        rows = screen(pilot.app).splitlines()
        assert rows[0].startswith(" type to search")
        assert rows[1].split() == ["id", "status", "started", "agent", "goal"]
        assert f"* {ids[1][:8]}  active" in rows[2] and "codex" in rows[2]
        assert ids[0][:8] in rows[3] and "completed" in rows[3] and rows[3].endswith("Add rate limiting")
        assert "2 sessions" in rows[-2]
        assert all(word in rows[-1] for word in ("enter", "Open", "Read anew", "Clear, quit"))

    drive(hooked, steps)


@needs_textual
def test_what_is_typed_narrows_the_list(hooked: Repo, ids: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press(*"opus")
        await until(pilot, lambda: table(pilot.app).row_count == 1)  # type: ignore[arg-type]
        assert "1 of 2 sessions" in said(pilot.app)  # type: ignore[arg-type]
        await pilot.press("space", *"api")
        assert table(pilot.app).row_count == 1  # type: ignore[arg-type]
        await pilot.press(*"zz")
        await until(pilot, lambda: table(pilot.app).row_count == 0)  # type: ignore[arg-type]
        await pilot.press("enter")
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("escape")
        await until(pilot, lambda: table(pilot.app).row_count == 2)  # type: ignore[arg-type]
        await pilot.press("escape")
        await until(pilot, lambda: not pilot.app.is_running)

    drive(hooked, steps)


@needs_textual
def test_a_session_opens_with_all_its_pages(hooked: Repo, ids: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shows = {
            "1": f"session {ids[1]}",
            "2": "user: Please [bold]do[/bold] Evil [red]not",
            "3": "No commit is linked",
            "4": "Write [i]it[/i]",
            "5": "src/[b]x.py",
            "6": "This session has no transcript.",
        }
        await pilot.press("enter")
        for key, text in shows.items():
            await pilot.press(key)
            await until(pilot, lambda text=text: text in screen(pilot.app))  # type: ignore[misc]
        for _ in range(2):
            await pilot.press("right")
        await until(pilot, lambda: shows["2"] in screen(pilot.app))
        assert all(word in screen(pilot.app).splitlines()[-1] for word in ("Back", "Copy id", "Read anew"))
        await pilot.press("escape", "down", "enter", "3")
        await until(pilot, lambda: "Limit requests" in screen(pilot.app))

    drive(hooked, steps)


@needs_textual
def test_no_text_of_a_session_is_taken_for_markup_or_for_the_terminals_commands(
    hooked: Repo, store: Store, ids: list[str]
) -> None:
    from git_agent_session.tui import choosing

    async def steps(pilot: Pilot[None]) -> None:
        assert EVIL in screen(pilot.app)
        assert choosing._text("\033[31ma\033]0;b\007\nc").plain == "a c"
        await pilot.press("enter")
        await until(pilot, lambda: f"session {ids[1]}" in screen(pilot.app))
        assert EVIL in screen(pilot.app).splitlines()[0] and "\033" not in screen(pilot.app)
        for strip in pilot.app.screen._compositor.render_strips():
            for segment in strip:
                assert "@click" not in str(getattr(segment.style, "meta", {}) or {}), "markup became an action"

    drive(hooked, steps, (120, 24))


@needs_textual
def test_long_lists_and_pages_are_read_as_they_are_scrolled(hooked: Repo, store: Store) -> None:
    session_id = store.start(goal="long").id
    for n in range(450):
        store.log(session_id, "note", f"note {n:03}")

    async def steps(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        await pilot.press("enter", "2")
        await until(pilot, lambda: "note 000" in screen(app))
        assert 0 < len(lines(app).lines) < 300
        for _ in range(60):
            await pilot.press("space")
            if "note 449" in screen(app):
                break
            await pilot.pause(0.02)
        assert "note 449" in screen(app)
        assert len(lines(app).lines) == 451

    drive(hooked, steps)


@needs_textual
def test_many_sessions_fill_the_table_in_parts(hooked: Repo, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from git_agent_session.tui import choosing

    monkeypatch.setattr(choosing, "_CHUNK", 10)
    monkeypatch.setattr(choosing, "_NEAR", 2)
    for n in range(25):
        store.start(goal=f"g{n}")

    async def steps(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        assert "25 sessions" in said(app) and table(app).row_count == 10
        for wanted in (20, 25):
            await pilot.press(*["down"] * 10)
            await until(pilot, lambda wanted=wanted: table(app).row_count == wanted)  # type: ignore[misc]

    drive(hooked, steps)


@needs_textual
def test_a_page_is_set_anew_for_another_width(hooked: Repo, ids: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        assert "commits" not in screen(app).splitlines()[1]
        await pilot.press("enter", "2")
        await until(pilot, lambda: "Please [bold]do[/bold]" in screen(app))
        assert not any("Please" in row and EVIL in row for row in screen(app).splitlines())
        await pilot.resize_terminal(140, 30)
        await until(pilot, lambda: any(EVIL in row and "Please" in row for row in screen(app).splitlines()))
        await pilot.press("escape")
        await until(pilot, lambda: "commits" in screen(app).splitlines()[1])

    drive(hooked, steps)


@needs_textual
def test_a_session_that_goes_away_meanwhile_is_an_error_on_its_page(hooked: Repo, store: Store, ids: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        store.end(ids[1])
        store.delete(ids[1])
        await pilot.press("enter")
        await until(pilot, lambda: "no session" in screen(pilot.app))
        await pilot.press("escape", "ctrl+r")
        await until(pilot, lambda: "1 session" in said(pilot.app))  # type: ignore[arg-type]

    drive(hooked, steps)


@needs_textual
def test_a_repository_without_sessions_says_so(hooked: Repo) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert "no sessions here yet" in screen(pilot.app)
        await pilot.press("enter", "down", "pagedown")
        assert len(pilot.app.screen_stack) == 2

    drive(hooked, steps)


@needs_textual
def test_in_a_real_terminal_it_opens_searches_and_leaves_it_as_it_was(hooked: Repo, ids: list[str]) -> None:
    argv = [sys.executable, "-m", "git_agent_session", "ui"]
    with Terminal(argv, cwd=hooked.path) as t:
        t.until("2 sessions")
        t.type("opus")
        t.until("1 of 2 sessions")
        t.type("\r")
        t.until("model opus")
        t.type("\033")
        t.until("1 of 2 sessions")
        t.type("\003")
        t.process.wait(timeout=60)
        # the screen that was there is back (xterm's 1049)
        while "\033[?1049l" not in t.raw:
            t.raw += os.read(t._main, 65536).decode("utf-8", "replace")
    assert t.process.returncode == 0


def test_without_a_terminal_it_says_what_else_there_is(hooked: Repo) -> None:
    assert "list" in Cli(hooked).fails("ui", code=2)


def test_without_the_extra_the_line_that_installs_it_is_said(hooked: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "textual" else real(name, *a))
    said = Cli(hooked).fails("ui")
    assert "textual is not installed" in said and "install.sh --with ui" in said
    assert "install.sh --with ui" in (ROOT / "docs/terminal.md").read_text(encoding="utf-8")
