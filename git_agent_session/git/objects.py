"""What git objects hold, from their bytes (gitformat-pack(5), git-cat-file(1)): as libgit2 reads them, without it."""

from __future__ import annotations

from functools import cached_property
from typing import IO, NamedTuple

from git_agent_session.errors import GitError
from git_agent_session.ids import is_object_id

Tip = str

# what libgit2 takes off the ends of a name (git_signature__parse), as git does when it makes one
_CRUD = bytes(range(33)) + b".,:;<>\"\\'"


class Object(NamedTuple):
    """An object: `kind` is git's word for its type."""

    kind: str
    data: bytes


class Entry(NamedTuple):
    """What a tree has under a name."""

    mode: int
    id: Tip


class Tree:
    """A tree object, whose ids have `size` bytes (gitformat-pack(5)): of most only a name or two are asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All by name, bytes that are not UTF-8 kept as surrogates."""
        found: dict[str, Entry] = {}
        data, at = self._data, 0
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            mode, at = int(data[at:space], 8), end + 1 + self._size
            found[data[space + 1 : end].decode("utf-8", "surrogateescape")] = Entry(mode, data[end + 1 : at].hex())
        return found

    def get(self, name: str) -> Entry | None:
        """The entry of this name."""
        key = b" %s\0" % name.encode("utf-8", "surrogateescape")
        at = self._data.find(key)
        if at < 0:
            return None
        # no id is as long as that, and the space is the only one
        if len(key) > self._size + 2 and name.isalnum() and self._data[at - 6 : at] == b"100644":
            end = at + len(key)
            return Entry(0o100644, self._data[end : end + self._size].hex())
        return self.entries.get(name)


class Head(NamedTuple):
    """What is needed of a commit; `author` is None where libgit2 may read it in another way."""

    tree: Tip
    parents: list[Tip]
    author: tuple[str, int] | None
    at: int
    subject: str


def answer(stdout: IO[bytes]) -> Object | None:
    """The next answer of `git cat-file --batch`; None for what is not there. Raises GitError."""
    words = stdout.readline().split()
    if not words:
        raise GitError("git cat-file has ended early", hint="see `git fsck`")
    if len(words) != 3 or not words[2].isdigit():
        return None
    return Object(words[1].decode("ascii"), stdout.read(int(words[2]) + 1)[:-1])


def head_of(data: bytes) -> Head | None:
    """What stands in a commit object; None where it is not as git writes it."""
    top, _, message = data.partition(b"\n\n")
    found: dict[bytes, bytes] = {}
    parents = []
    for line in top.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        else:
            found.setdefault(key, value)
    try:
        tree, at = found[b"tree"].decode("ascii"), int(found[b"committer"].rsplit(b" ", 2)[1])
    except (KeyError, IndexError, ValueError):
        return None
    # anybody may have written it, and git takes names for ids
    if not all(map(is_object_id, (tree, *parents))):
        return None
    author, subject = None, ""
    if b"encoding" not in found:
        try:
            author = _author(found.get(b"author", b""))
            subject = message.lstrip(b"\n").partition(b"\n")[0].decode("utf-8")
        except UnicodeDecodeError:
            author = None
    return Head(tree, parents, author, at, subject)


def _author(line: bytes) -> tuple[str, int] | None:
    """Name and time of an author's line as git writes it; None for any other. Raises UnicodeDecodeError."""
    name, opens, rest = line.partition(b" <")
    mail, closes, when = rest.partition(b"> ")
    seconds, _, zone = when.partition(b" ")
    plain = opens and closes and seconds.isdigit() and len(zone) == 5
    if not plain or b"<" in mail or b">" in mail or b"<" in name or b">" in name:
        return None
    return name.strip(_CRUD).decode("utf-8"), int(seconds)
