"""A page of lines that is read as it is scrolled: what comes is text with colours, never markup."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import RichLog

from git_agent_session.tui.desk import Page

# lines that are read at once, and how near the end the next are asked for
_CHUNK = 200
_NEAR = 60


class Lines(RichLog):
    """The lines of a page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("space", "page_down", "Next page", show=False),
        Binding("g", "scroll_home", "Top", show=False),
        Binding("G", "scroll_end", "Bottom", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, wrap=True, markup=False, highlight=False, auto_scroll=False, min_width=1)
        self._page: Page | None = None
        self._reading = asyncio.Lock()

    async def show(self, page: Page) -> None:
        """Show the beginning of a page."""
        self.clear()
        self._page = page
        await self._more(page)

    async def _more(self, page: Page) -> None:
        async with self._reading:
            if page is not self._page or page.ended:
                return
            found = await page.more(_CHUNK)
            if page is self._page:
                # what it measures by itself is no wider than the terminal was at the start
                width = self.scrollable_content_region.width
                for line in found:
                    self.write(Text.from_ansi(line) if line else Text(" "), width=width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        page = self._page
        if page is not None and not page.ended and new_value >= self.max_scroll_y - _NEAR:
            self.run_worker(self._more(page), group="more")
