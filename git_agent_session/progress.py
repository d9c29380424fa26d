"""A bar on a terminal's standard error for what takes more than a second; nothing anywhere else.

Where the work tells how far it is, that is shown; where it does not, or goes on after the last, the seconds are. The
bar is gone when the work is done, so that what is printed then stands alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

from git_agent_session import term

T = TypeVar("T")

# seconds before anything is shown, and between two looks
PATIENCE = 1.0
_EVERY = 0.2
_CELLS = 30


class Bar:
    """`with Bar(sys.stderr, "Reading links") as bar: bar(3, 100)`; the call says that 3 of 100 are done.

    `unit` names what is counted. Inside the `with`, a thread keeps the line alive while the work says nothing.
    """

    def __init__(self, stream: TextIO, what: str, unit: str = "") -> None:
        self._stream, self._what, self._unit = stream, what, unit
        self._able = stream.isatty()
        self._began, self._shown, self._columns = time.monotonic(), 0.0, 0
        self._done, self._total = 0, 0
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._able:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.erase()

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` are done; at the last the bar goes, and what comes then has its own patience."""
        self._done, self._total = done, total
        if not self._able:
            return
        if done >= total:
            self._began = time.monotonic()
            self.erase()
        else:
            self._draw()

    def over(self, things: Collection[T]) -> Iterator[T]:
        """The things one by one, each counted when the next is asked for."""
        for n, thing in enumerate(things):
            self(n, len(things))
            yield thing
        self(len(things), len(things))

    def erase(self) -> None:
        """Take the line away, where there is one."""
        with self._drawing:
            if self._columns:
                dumb = os.environ.get("TERM", "dumb") == "dumb"
                self._write("\r" + " " * self._columns + "\r" if dumb else "\r\033[K")
                self._columns = 0

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        with self._drawing:
            if now - self._began < PATIENCE or now - self._shown < _EVERY / 2:
                return
            self._shown = now
            text = term.fit(self._text(int(now - self._began)), max(term.terminal_width() - 1, 1))
            before, self._columns = self._columns, term.width(text)
            self._write("\r" + text + " " * max(0, before - self._columns))

    def _text(self, seconds: int) -> str:
        if self._done >= self._total:
            return f"{self._what} … {seconds} s"
        filled = _CELLS * self._done // self._total
        bar = "#" * filled + "." * (_CELLS - filled)
        return f"{self._what} [{bar}] {self._done:,} of {self._total:,} {self._unit}".rstrip()

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._able = False  # the terminal is gone; the work is not
