"""Further processes of this very package: how they are started, and how many pay.

Agents' hooks import this: the standard library alone, and of it what costs nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable
    from typing import IO

_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def argv(module: str, function: str, *args: str) -> list[str]:
    """The command that calls a function of a module of this package with the list of `args`, and exits with what it
    returns. It is as isolated as this process is, and never imports from the folder that it stands in.
    """
    boot = (
        f"import sys; sys.path.insert(0, sys.argv[1]); from {module} import {function} as f; sys.exit(f(sys.argv[2:]))"
    )
    given = {"-E": sys.flags.ignore_environment, "-s": sys.flags.no_user_site}
    flags = ["-I"] if sys.flags.isolated else ["-P", *(flag for flag, is_set in given.items() if is_set)]
    return [sys.executable, *flags, "-c", boot, _PACKAGES, *args]


def reader(
    module: str, git_dir: str, sessions: Iterable[tuple[str, str]], stdout: IO[bytes] | int, *, ahead: int = -1
) -> subprocess.Popen[bytes] | None:
    """Start `module.main([GIT_DIR])`, which reads sessions: its input is a line `id tip` of each. None where no process
    can be started. `ahead` is how many bytes of answers a pipe holds (-1: as many as it does).
    """
    import subprocess
    import tempfile

    command = argv(module, "main", os.path.abspath(git_dir))
    # a file: neither waits for the other
    with tempfile.TemporaryFile() as given:
        given.write("".join(f"{i} {tip}\n" for i, tip in sessions).encode())
        given.seek(0)
        try:
            return subprocess.Popen(
                command, stdin=given, stdout=stdout, stderr=subprocess.DEVNULL, bufsize=ahead, pipesize=ahead
            )
        except OSError:
            return None


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1  # macOS and Windows tell of all
