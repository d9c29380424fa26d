"""The screen of one session: a page each for what it is, what happened, its commits, tasks, files and transcript."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Static, TabbedContent, TabPane

from git_agent_session import term
from git_agent_session.errors import AgentSessionError
from git_agent_session.model import Session
from git_agent_session.tui.desk import PAGES, Desk
from git_agent_session.tui.lines import Lines


class SessionScreen(Screen[None]):
    """All of one session."""

    CSS = """
    #about { height: 1; text-style: bold; padding: 0 1; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; }
    Lines { padding: 0 1; height: 1fr; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", key_display="esc"),
        *(Binding(str(n), f"page('{name}')", name, show=False) for n, name in enumerate(PAGES, 1)),
        Binding("left,h", "turn(-1)", "Page before", show=False),
        Binding("right,l", "turn(1)", "Next page", show=False),
        Binding("c", "copy", "Copy id"),
        Binding("r", "reload", "Read anew"),
    ]

    def __init__(self, desk: Desk, session: Session) -> None:
        super().__init__()
        self._desk, self._session = desk, session
        self._shown: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        about = term.clean(self._session.about) or "(no goal)"
        yield Static(Text(f"{self._session.id[:8]}  {about}", no_wrap=True, overflow="ellipsis"), id="about")
        with TabbedContent(id="pages"):
            for n, name in enumerate(PAGES, 1):
                with TabPane(f"{n} {name}", id=name):
                    yield Lines(id=f"lines-{name}")
        yield Footer(compact=True, show_command_palette=False)

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        # its size is known once it was drawn
        self.call_after_refresh(self._open, event.pane.id or "Overview")

    def on_resize(self, event: Resize) -> None:
        """Set the page anew where the lines have another width."""
        self.call_after_refresh(self._reopen)

    def _reopen(self) -> None:
        self._open(self.query_one(TabbedContent).active or "Overview")

    def _open(self, name: str, *, anew: bool = False) -> None:
        lines = self.query_one(f"#lines-{name}", Lines)
        width = lines.scrollable_content_region.width
        lines.focus()
        if width and (anew or self._shown.get(name) != width):
            self._shown[name] = width
            self.run_worker(self._load(name, lines, width), group=f"page-{name}", exclusive=True)

    async def _load(self, name: str, lines: Lines, width: int) -> None:
        try:
            # the scroll bar takes a column as soon as there is one
            await lines.show(await self._desk.page(name, self._session.id, width - 1))
        except AgentSessionError as e:
            self.notify(term.clean(e.line()), severity="error", markup=False)

    def action_back(self) -> None:
        """Return to the list."""
        self.app.pop_screen()

    def action_page(self, name: str) -> None:
        """Open a page by its name."""
        self.query_one(TabbedContent).active = name

    def action_turn(self, by: int) -> None:
        """Open the page beside this one."""
        names = list(PAGES)
        at = names.index(self.query_one(TabbedContent).active or names[0])
        self.action_page(names[(at + by) % len(names)])

    def action_copy(self) -> None:
        """Put the id into the terminal's clipboard, where it has one."""
        self.app.copy_to_clipboard(self._session.id)
        self.notify(f"copied {self._session.id}", markup=False)

    def action_reload(self) -> None:
        """Read this page anew."""
        self._open(self.query_one(TabbedContent).active or "Overview", anew=True)
