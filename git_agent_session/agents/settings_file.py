"""A settings file that belongs to somebody else: read within bounds, written atomically.

The file mode stays; a symbolic link stays a link and its target is written. What is in the file is `settings_jsonc`'s
and `settings_entries`'.
"""

from __future__ import annotations

import contextlib
import os

from git_agent_session.errors import HookConflict

_HINT = "correct it (or move it away), then try again"
LARGEST = 8 * 1024 * 1024


class SettingsFile:
    """One settings file, which need not exist."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> bytes | None:
        """Its bytes, or None when there is none. Raises OSError, HookConflict for a folder or what is too large."""
        try:
            with open(self.path, "rb") as f:
                data = f.read(LARGEST + 1)
        except FileNotFoundError:
            return None
        except IsADirectoryError as e:
            raise HookConflict("it is a folder, not a file", hint="move it away, then try again") from e
        if len(data) > LARGEST:
            raise HookConflict(f"it is larger than {LARGEST // 1024 // 1024} MiB", hint=_HINT)
        return data

    def write(self, data: bytes | None) -> None:
        """Put `data` in place at once, or take the file away (None). Raises OSError."""
        target = os.path.realpath(self.path)
        if data is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            mode = os.stat(target).st_mode & 0o7777
        except FileNotFoundError:
            mode = None
        aside = f"{target}.{os.getpid()}.{os.urandom(3).hex()}"
        # 0666: a settings file is a project's file like any other, the umask decides
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with open(fd, "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(fd)
            if mode is not None:
                os.chmod(aside, mode)
            os.replace(aside, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise

    def missing_folders(self) -> list[str]:
        """The folders that have to be made for it, the innermost first."""
        found = []
        folder = os.path.dirname(self.path)
        while folder and not os.path.lexists(folder):
            found.append(folder)
            folder = os.path.dirname(folder)
        return found
