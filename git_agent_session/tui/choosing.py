"""The list of sessions, searched as one types; what is chosen opens in a screen of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from git_agent_session import term
from git_agent_session.errors import AgentSessionError
from git_agent_session.model import ACTIVE, PAUSED, Session
from git_agent_session.report.placeholders import agent_colour
from git_agent_session.report.view import View
from git_agent_session.tui.desk import Desk, Listed, fits
from git_agent_session.tui.session import SessionScreen

# rows that are put into the table at once, and how near the last of them the next are added
_CHUNK = 200
_NEAR = 40
# columns below which the number of commits is left out
_NARROW = 100
_STATUS = {ACTIVE: "green", PAUSED: "dim", "completed": "cyan"}


class ListScreen(Screen[None]):
    """The list of sessions. What is typed narrows it; the arrows choose; Enter opens."""

    CSS = """
    #search { height: 1; padding: 0 1; border: none; }
    #list { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    #list > .datatable--header { text-style: bold; background: ansi_default; color: ansi_default; }
    #said { height: 1; padding: 0 1; text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="enter", priority=True),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+r", "reload", "Read anew", key_display="^R"),
        Binding("escape", "leave", "Clear, quit"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._listed: Listed | None = None
        self._found: Sequence[Session] = ()
        self._filled = 0

    def compose(self) -> ComposeResult:
        yield Input(placeholder="type to search: goal, agent, status, tag, user, id …", id="search", compact=True)
        table: DataTable[Text] = DataTable(id="list", cursor_type="row", zebra_stripes=False)
        table.can_focus = False
        yield table
        yield Static("reading …", id="said", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self.action_reload()

    def on_resize(self, event: Resize) -> None:
        self._set_columns()
        if self._listed is not None:
            self._fill(self._listed)

    # -- the list

    def action_reload(self) -> None:
        """Read the list anew."""
        self.run_worker(self._read(), group="list", exclusive=True)

    async def _read(self) -> None:
        try:
            self._listed = await self._desk.listed()
        except AgentSessionError as e:
            self._say(e.line())
            return
        self._search()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search()

    def _search(self) -> None:
        if self._listed is None:
            return
        words = self.query_one(Input).value.casefold().split()
        self._found = [s for s in self._listed.sessions if fits(s, words)] if words else self._listed.sessions
        self._fill(self._listed)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#list", DataTable)

    def _set_columns(self) -> None:
        table = self._table
        table.clear(columns=True)
        sizes = [("  id", 10), ("status", 9), ("started", 14), ("agent", 11)]
        sizes += [("commits", 7)] if self.size.width >= _NARROW else []
        for name, size in sizes:
            table.add_column(Text(name), width=size)
        used = sum(size + 2 for _, size in sizes)
        table.add_column(Text("goal"), width=max(8, self.size.width - used - 3))

    def _fill(self, listed: Listed) -> None:
        """Put the first rows into the table; more follow as they are scrolled to."""
        table = self._table
        if not table.columns:
            self._set_columns()
        table.clear()
        self._filled = 0
        self._add(listed)
        total, found = len(listed.sessions), len(self._found)
        text = term.count(total, "session") if found == total else f"{found:,} of {term.count(total, 'session')}"
        if not total:
            text = "no sessions here yet; `git agent-session start` opens the first"
        text += "  (↑↓ choose)" if found else ""
        broken = listed.broken
        self._say(text + (f"; {len(broken)} cannot be read: {broken[0]}" if broken else ""))

    def _add(self, listed: Listed) -> None:
        view = View(term.Palette({"color.ui": "never"}, isatty=False))
        for session in self._found[self._filled : self._filled + _CHUNK]:
            self._table.add_row(*self._row(listed, session, view), key=session.id)
        self._filled = min(len(self._found), self._filled + _CHUNK)

    def _row(self, listed: Listed, session: Session, view: View) -> list[Text]:
        mark = "* " if session.id == listed.current else "  "
        kind = session.agent.type
        colour = agent_colour(kind) if kind else ""
        cells = [
            Text(f"{mark}{listed.shorts[session.id]}"),
            _text(session.status, _STATUS.get(session.status, "bold red")),
            _text(view.ago(session.started_at)),
            _text(kind or "-", colour),
        ]
        if self.size.width >= _NARROW:
            cells.append(Text(f"{session.counts.get('commits', 0):>7}"))
        return [*cells, _text(session.about or "-")]

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        more = self._filled < len(self._found) and event.cursor_row >= self._filled - _NEAR
        if more and self._listed is not None:
            self._add(self._listed)

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(Text(term.clean(text), no_wrap=True, overflow="ellipsis"))

    # -- keys

    def action_move(self, by: int) -> None:
        """Choose the row above or below."""
        self._table.move_cursor(row=max(0, self._table.cursor_row + by))

    def action_page(self, by: int) -> None:
        """Choose a row a page further."""
        self._table.move_cursor(row=max(0, self._table.cursor_row + by * max(1, self._table.size.height - 2)))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the session that is chosen."""
        row = self._table.cursor_row
        if 0 <= row < len(self._found):
            self.app.push_screen(SessionScreen(self._desk, self._found[row]))

    def action_leave(self) -> None:
        """Empty the search; where it is empty, quit."""
        search = self.query_one(Input)
        if search.value:
            search.value = ""
        else:
            self.app.exit()


def _text(text: str, style: str = "") -> Text:
    """What anybody may have written, as a cell: no markup, no escape sequence, one line."""
    return Text(term.clean(text), style=style, no_wrap=True, overflow="ellipsis")
