"""Refs as the files that they are, told in a moment: for those who have no time to open a repository.

A ref is a file of its own, or else a line of packed-refs (gitrepository-layout(5), git-pack-refs(1)). Git looks at the
file first, and packs by writing the line before it removes the file; so files are read first here as well, and nothing
that stands still is missed.
"""

from __future__ import annotations

import contextlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = "refs/agent-sessions/"
NOTES = "refs/notes/agent-sessions"
# what remotes had, when they were last talked to
TRACKING = "refs/agent-sessions-remotes/"
NOTES_TRACKING = "refs/notes/remotes/"
PACKED = "packed-refs"

_HEX = frozenset(b"0123456789abcdef")


def read(common: str, *prefixes: str) -> list[dict[str, str]]:
    """Of each prefix (which ends with a slash) all direct refs below it, by their names there, and where they point; of
    one without a slash at its end the ref of that name, by "".

    `common` is the repository's common folder, of one with SHA-1 objects and file refs. Raises ValueError for a file
    that holds no ref, as a crash may leave it, and OSError for what cannot be read.
    """
    loose = [dict(_loose(common, prefix)) for prefix in prefixes]
    data = packed(common)
    found = []
    for prefix, files in zip(prefixes, loose, strict=True):
        refs = _lines(data, prefix)
        for name, tip in files.items():
            if tip is None:
                refs.pop(name, None)
            else:
                refs[name] = tip
        found.append(refs)
    return found


def differing(common: str, ours: str, theirs: str) -> tuple[dict[str, str], int]:
    """The direct refs below the prefix `ours` that are not there or not the same below `theirs`, by their names there,
    and where they point; and how many there are below `ours`, or a few more.

    Where all is packed and alike, nothing is made of the lines: they are compared as they stand. Raises as `read`.
    """
    files = dict(_loose(common, ours)), dict(_loose(common, theirs))
    data = packed(common)
    keys = [b" " + os.fsencode(prefix) for prefix in (ours, theirs)]
    one, other = (_span(data, key) for key in keys)
    # in order the refs below a prefix stand together; what tags point at is a line without a name
    if b" sorted " not in data[:100] or b"^" in one or b"^" in other:
        left, right = read(common, ours, theirs)
        return {name: tip for name, tip in left.items() if right.get(name) != tip}, len(left)
    other = other.replace(keys[1], keys[0])
    lines = set(one.split(b"\n")) - set(other.split(b"\n")) if one != other else set()
    names = {os.fsdecode(line[40 + len(keys[0]) :]) for line in lines if line}
    found = {}
    for name in names.union(*files):
        mine = files[0][name] if name in files[0] else _lines(data, ours + name).get("")
        known = files[1][name] if name in files[1] else _lines(data, theirs + name).get("")
        if mine is not None and mine != known:
            found[name] = mine
    return found, one.count(b"\n") + 1 + len(files[0])


def packed(common: str) -> bytes:
    """The text of packed-refs, nothing where there is none. Raises OSError."""
    try:
        with open(os.path.join(common, PACKED), "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def _lines(data: bytes, prefix: str) -> dict[str, str]:
    block = _block(data, prefix) if prefix.endswith("/") else None
    if block is not None:
        # tip and name by turns; a name holds no blank (git-check-ref-format(1))
        words = os.fsdecode(block.replace(b"\n", b" ")).split(" ") if block else []
        return dict(zip(words[1::2], words[::2], strict=True))
    found = {}
    for line in os.fsdecode(_span(data, b" " + os.fsencode(prefix))).split("\n"):
        tip, _, name = line.partition(" ")
        if name == prefix or (prefix.endswith("/") and name.startswith(prefix)):
            found[name[len(prefix) :]] = tip
    return found


def _block(data: bytes, prefix: str) -> bytes | None:
    """The lines of the refs below `prefix`, which ends with a slash, without it; None where others stand between them,
    in a file that is not sorted, or what tags point at.
    """
    key = b" " + os.fsencode(prefix)
    block = _span(data, key)
    if block and (b"^" in block or block.count(b"\n") + 1 != block.count(key)):
        return None
    return block.replace(key, b" ")


def _span(data: bytes, key: bytes) -> bytes:
    """From the first line that holds `key` after its tip to the last, without its end."""
    start = data.find(key)
    if start < 0:
        return b""
    end = data.find(b"\n", data.rfind(key))
    return data[start - 40 : end if end >= 0 else len(data)]


def _loose(common: str, prefix: str, below: str = "") -> Iterator[tuple[str, str | None]]:
    """The refs that are files, by their names after the prefix."""
    path = os.path.join(common, *f"{prefix}{below}".rstrip("/").split("/"))
    if not prefix.endswith("/"):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            yield "", _pointed(path)
        return
    try:
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _loose(common, prefix, f"{below}{entry.name}/")
        elif not entry.name.endswith(".lock"):
            # packed or deleted just now
            with contextlib.suppress(FileNotFoundError):
                yield below + entry.name, _pointed(entry.path)


def _pointed(path: str) -> str | None:
    """Where the ref in a file points, None for a symbolic one. Raises OSError, and ValueError for what is no ref."""
    with open(path, "rb") as f:
        data = f.read(1024).rstrip()
    if data.startswith(b"ref:"):
        return None
    if len(data) != 40 or not _HEX.issuperset(data):
        raise ValueError(f"{path} holds no ref")
    return data.decode("ascii")
