"""Signals that reach us while a command runs go on to it, as if it ran alone.

What a person types at a terminal (^C, ^\\, ^Z) the terminal itself sends to all processes in its foreground, the
command among them: that is not sent twice. When we are told to stop, the command stops first, then we do; going on is
the same the other way round. A signal that was ignored when we began (nohup) stays so. Windows has none of this: there
^C reaches the command by itself, and we wait for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_NAMES = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGCONT")
_TYPED = ("SIGINT", "SIGQUIT", "SIGTSTP")


class Forwarding:
    """While this is entered, signals to this process are given to `send` as numbers. Does nothing in a thread."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Forwarding:
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES if sys.platform != "win32" else ("SIGINT",):
                number = getattr(signal, name)
                if (before := signal.getsignal(number)) is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._came)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if sys.platform == "win32":
            return
        typed = signal.Signals(number).name in _TYPED
        if not (typed and in_foreground()):
            self._send(number)
        if number == signal.SIGTSTP:
            # by the signal's own default, which the system leaves out where nobody could make us go on
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.signal(number, self._came)


def in_foreground() -> bool:
    """True when this process is in the foreground of a terminal, which then sends what is typed to all of them."""
    if sys.platform == "win32":
        return False
    try:
        fd = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)


def name(returncode: int) -> str:
    """The signal that ended a process, such as `SIGTERM` for -15 (subprocess, `returncode`); "" for none."""
    try:
        return signal.Signals(-returncode).name if returncode < 0 else ""
    except ValueError:
        return ""
