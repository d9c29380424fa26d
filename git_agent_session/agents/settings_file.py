"""A JSON settings file that belongs to somebody else: read, edited in its own form, written atomically.

Key order, indentation, line ends, a byte order mark and the final newline stay; a symbolic link stays a link and its
target is written. What cannot be kept (comments, a key that stands twice) is refused, and the file is untouched.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from git_agent_session.errors import HookConflict

_BOM = "\ufeff"
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

    def edited(self, data: bytes | None, edit: Callable[[dict[str, Any]], None]) -> bytes | None:
        """The bytes after `edit` worked on the document; None when nothing is left of a file without any other content.

        What `edit` leaves as it was comes back as the same bytes. Raises HookConflict for what is no JSON object.
        """
        text = self._text(data)
        before = self._parse(text) if text.strip(_BOM + " \t\r\n") else {}
        after = deepcopy(before)
        edit(after)
        if after == before:
            return data
        return self._written(after, text).encode("utf-8")

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

    def _text(self, data: bytes | None) -> str:
        try:
            return (data or b"").decode("utf-8")
        except UnicodeDecodeError as e:
            raise HookConflict("it is not UTF-8 text", hint=_HINT) from e

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            doc = json.loads(
                text.removeprefix(_BOM), object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite
            )
        except (ValueError, RecursionError) as e:
            raise HookConflict(f"it is no JSON: {e}", hint=_HINT) from e
        if not isinstance(doc, dict):
            raise HookConflict("it is no JSON object", hint=_HINT)
        return doc

    def _written(self, doc: dict[str, Any], like: str) -> str:
        bare = like.removeprefix(_BOM)
        text = json.dumps(doc, indent=_indent(bare), ensure_ascii=False)
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            text = json.dumps(doc, indent=_indent(bare))
        if not bare.strip() or bare.endswith("\n"):
            text += "\n"
        if "\r\n" in bare:
            text = text.replace("\n", "\r\n")
        return (_BOM if like.startswith(_BOM) else "") + text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    doc = dict(pairs)
    if len(doc) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = max(doc, key=keys.count)
        raise HookConflict(f"the key {twice[:40]!r} stands twice in one object", hint="take one out, then try again")
    return doc


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text[:40]} is no number that JSON has")
    return number


def _indent(text: str) -> str | int:
    """The indentation of the first line that has one; two blanks where none has."""
    for line in text.splitlines()[1:]:
        blank = line[: len(line) - len(line.lstrip())]
        if blank and line.strip():
            return blank
    return 2
