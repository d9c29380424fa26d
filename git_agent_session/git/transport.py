"""Runs git commands that talk to other machines: long, chatty, and to be ended when time is up.

What git says while it works is passed on as it comes, without control characters; its last lines are kept, so that a
failure can be explained. Passwords are asked for by git itself, on the terminal.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from git_agent_session.errors import GitError
from git_agent_session.git.run import clean_env

Progress = Callable[[str], object]

# bytes of what git said on standard error that are kept
KEPT = 64 * 1024
# of the environment that ties git to a repository, what only configures it: `git -c … agent-session push`
_CONFIGURING = ("GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
_DROP: dict[int, str | None] = {
    **dict.fromkeys((*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, *range(0x80, 0xA0))),
    0x09: " ",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A finished command: its exit `status`, standard output, the lines of its standard error; `late`: ended by us."""

    status: int
    out: str
    lines: tuple[str, ...]
    late: bool = False


def talk(
    *args: str,
    cwd: str,
    env: Mapping[str, str] | None = None,
    input: bytes = b"",
    deadline: float | None = None,
    progress: Progress | None = None,
) -> Said:
    """Run `git ARGS` in `cwd` until it ends or `deadline` (time.monotonic) comes; `progress` is given what it says.

    `input` is its standard input. Raises GitError when there is no git.
    """
    mine = {k: v for k, v in os.environ.items() if k.startswith(_CONFIGURING)}
    given = clean_env({**mine, **(env or {})})
    process = _started(args, cwd, given, input)
    kept, out = bytearray(), bytearray()
    assert process.stdout is not None and process.stderr is not None
    readers = [
        threading.Thread(target=_read, args=(process.stderr, kept, KEPT, progress), daemon=True),
        threading.Thread(target=_read, args=(process.stdout, out, 0, None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    late = False
    try:
        process.wait(None if deadline is None else max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        late = True
        _end(process)
    except BaseException:
        _end(process)
        raise
    for reader in readers:
        # a helper that git left behind may keep the pipe open
        reader.join(2.0 if late else 10.0)
    return Said(process.returncode, out.decode("utf-8", "replace"), lines(bytes(kept)), late)


def _started(args: Sequence[str], cwd: str, env: Mapping[str, str], input: bytes) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as stack:
        stdin: IO[bytes] | int = subprocess.DEVNULL
        if input:
            import tempfile

            # a file: neither waits for the other
            stdin = stack.enter_context(tempfile.TemporaryFile())
            stdin.write(input)
            stdin.seek(0)
        try:
            return subprocess.Popen(["git", *args], cwd=cwd, env=env, stdin=stdin, stdout=pipe, stderr=pipe)
        except (FileNotFoundError, NotADirectoryError) as e:
            raise GitError("the git command is not on PATH", hint="install git 2.30 or newer") from e


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2.0)
        return
    process.kill()
    process.wait()


def _read(stream: IO[bytes], into: bytearray, limit: int, progress: Progress | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(stream.fileno(), 65536):
            into += chunk
            if limit and len(into) > limit:
                del into[: len(into) - limit]
            if progress is not None:
                progress(harmless(chunk.decode("utf-8", "replace")))
    with contextlib.suppress(OSError):
        stream.close()


def harmless(text: str) -> str:
    """`text` without control characters but line ends and carriage returns: a server says what it likes."""
    return text.translate(_DROP)


def lines(data: bytes) -> tuple[str, ...]:
    """The lines of standard error as they stand at the end, progress overwritten by what came after it."""
    text = harmless(data.decode("utf-8", "replace"))
    shown = (line.rstrip("\r").rpartition("\r")[2].strip() for line in text.split("\n"))
    return tuple(line for line in shown if line)
