"""Reading what comes from outside: files and JSON of other tools, whoever wrote them, within bounds.

Everything that is wrong with them is an `Unreadable`, or left out; nothing else is raised, and nothing is followed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from git_agent_session import bounds
from git_agent_session.errors import AgentSessionError
from git_agent_session.model import Doc

# bytes of a file, and of one line of it
MAX_FILE = 64 * 1024 * 1024
MAX_LINE = 8 * 1024 * 1024
# rows of any one list
MOST = 20_000
# lines of which one must be an object where the first is none
_FIRST = 100
# characters of names, ids and paths
NAME, PATH = 200, 1024


class Unreadable(AgentSessionError):
    """What another tool is to have written is not in the form that it should have, or is too large."""

    code = "unreadable"


def read(path: str) -> bytes:
    """The bytes of a file of at most 64 MiB; raises Unreadable."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
        with open(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Unreadable(f"{path} is no file", hint="name a file")
            data = f.read(MAX_FILE + 1)
    except (OSError, ValueError) as e:
        said = getattr(e, "strerror", None) or e
        raise Unreadable(f"cannot read {path}: {said}", hint="name a file that is there") from e
    if len(data) > MAX_FILE:
        raise Unreadable(f"{path} is larger than {MAX_FILE // 1024 // 1024} MiB", hint="split it")
    return data


def value(text: bytes | str) -> Any:
    """The JSON value that a text is, its numbers and depth within bounds; raises Unreadable.

    What is null in a table is left out: it would become a text.
    """
    try:
        return bounds.plain(json.loads(text, object_pairs_hook=_told))
    except (ValueError, RecursionError) as e:
        said = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise Unreadable(f"this is no JSON: {said[:200]}", hint="see docs/interchange.md") from e


def _told(pairs: list[tuple[str, Any]]) -> Doc:
    return {key: found for key, found in pairs if found is not None}


def documents(data: bytes) -> Iterator[Doc | None]:
    """The JSON objects in a file: one, an array of them, or one a line; None for what is none. Raises Unreadable.

    A first line that is none may be what is left of a longer file: the others tell.
    """
    first = data.lstrip()[:1]
    if first == b"[":
        yield from (row if isinstance(row, dict) else None for row in rows(value(data)))
        return
    lines = data.splitlines()
    if len(lines) > 1 and _object(lines[0]) is None:
        try:
            found = value(data)
        except Unreadable:
            if not any(map(_object, lines[:_FIRST])):
                raise
        else:
            yield found if isinstance(found, dict) else None
            return
    for n, line in enumerate(line for line in lines if line.strip()):
        if n == MOST:
            raise Unreadable(f"it has more than {MOST} records", hint="split it")
        yield _object(line)


def _object(line: bytes) -> Doc | None:
    try:
        found = value(line) if len(line) <= MAX_LINE else None
    except Unreadable:
        return None
    return found if isinstance(found, dict) else None


def rows(found: object, most: int = MOST) -> list[Any]:
    """A list, its first `most` rows; none of what is no list."""
    return found[:most] if isinstance(found, list) else []


def tables(found: object, most: int = MOST) -> list[Doc]:
    """The tables in a list."""
    return [row for row in rows(found, most) if isinstance(row, dict)]


def table(found: object) -> Mapping[str, Any]:
    """A table; an empty one for what is none."""
    return found if isinstance(found, dict) else {}


def text(found: object, limit: int = NAME) -> str:
    """A text of one line and at most `limit` characters; "" for what is none."""
    return "".join(c if c.isprintable() else " " for c in found[:limit]).strip() if isinstance(found, str) else ""


def path(found: object) -> str:
    """A path below a repository's top; "" for what is none: absolute, with `..`, or too long."""
    if not isinstance(found, str) or not 0 < len(found) <= PATH or not found.isprintable():
        return ""
    parts = found.split("/")
    return "" if found[0] in "/\\" or ".." in parts or "" in parts or ":" in parts[0][1:2] else found


def whole(found: object) -> int:
    """A number from 0 to 2^53, also where JSON has it as a text; 0 for what is none."""
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 18:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= bounds.MAX_CLOCK:
        return 0
    return int(found)
