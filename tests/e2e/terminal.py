"""A program in a pseudo-terminal: what a person types, and what comes back, escape sequences and all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_ESCAPES = re.compile(r"\033\][^\007]*\007|\033\[[0-?]*[ -/]*[@-~]|\033[ -/]*[0-~]")


class Terminal:
    """`with Terminal(argv, cwd=…) as t: t.type("x"); t.until("y")`."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, columns: int = 80, rows: int = 24
    ) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.raw = ""
        self.process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color", "HISTFILE": "", **(env or {})},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            # the terminal is the program's own: job control, and ^C
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._main)

    @property
    def shown(self) -> str:
        """What came so far, without escape sequences and line ends of a terminal."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n").replace("\r", "")

    def type(self, text: str) -> None:
        os.write(self._main, text.encode())

    def until(self, text: str, *, seconds: float = 60) -> str:
        """Read until `text` was shown; returns all that was. What came before is forgotten for the next time."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come:\n{self.shown[-3000:]}"
            if select.select([self._main], [], [], min(left, 0.2))[0]:
                try:
                    part = os.read(self._main, 65536)
                except OSError:
                    part = b""
                assert part or text in self.shown, f"{text!r} did not come, and the program has ended:\n{self.shown}"
                self.raw += part.decode("utf-8", "replace")
        found, self.raw = self.shown, ""
        return found
