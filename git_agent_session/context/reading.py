"""Which files an agent should read first and what is written down as open, read from heads of bounded size.

Only files that git tracks, or would if asked to, are looked at: what is ignored stays private. Symbolic links are
named, never followed; what is not text is named, never shown.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence

from git_agent_session.context.gather import File, Folders, Place, ask

HEAD_BYTES = 65_536
_BLOB_LIMIT = 1_000_000
_DOCUMENTS = 16
_TASK_FILES = 8

# in the order of reading: what it is, how to work on it, how to contribute, what it is built from
_FIRST = (
    r"readme(\.(md|markdown|rst|txt|adoc|org))?",
    r"agents\.md",
    r"claude\.md",
    r"gemini\.md",
    r"\.github/copilot-instructions\.md",
    r"\.cursorrules|\.windsurfrules|\.clinerules",
    r"contributing(\.(md|markdown|rst|txt|adoc|org))?",
    r"pyproject\.toml|package\.json|cargo\.toml|go\.mod|pom\.xml|build\.gradle(\.kts)?|gemfile|composer\.json|mix\.exs"
    r"|deno\.jsonc?|setup\.(py|cfg)|cmakelists\.txt|makefile|justfile|dockerfile|\w+\.gemspec|package\.swift",
)
_PLANS = r"((docs?|\.github)/)?(todo|plan|tasks?|roadmap|backlog|readme)([._-]\w+)?(\.(md|markdown|txt|org|rst))?"
_BOX = re.compile(r"[ \t]{0,40}[-*+] \[ \] +(\S[^\n]*)")


def first(paths: Iterable[str]) -> list[str]:
    """Those of `paths` that are to be read first, in the order of reading."""
    ranked = []
    for path in paths:
        if path.count("/") <= 1:
            rank = next((i for i, name in enumerate(_FIRST) if re.fullmatch(name, path, re.IGNORECASE)), None)
            if rank is not None:
                ranked.append((rank, path))
    return [path for _, path in sorted(ranked)][:_DOCUMENTS]


def plans(paths: Iterable[str]) -> list[str]:
    """Those of `paths` where open tasks are kept."""
    return sorted(p for p in paths if p.count("/") <= 1 and re.fullmatch(_PLANS, p, re.IGNORECASE))[:_TASK_FILES]


def heads(place: Place, files: Sequence[File], folders: Folders) -> dict[str, bytes]:
    """The first bytes of each file by its path; without those that are links, no files, or cannot be read."""
    if place.bare:
        return _blob_heads(place, [f for f in files if not f.link and f.size <= _BLOB_LIMIT])
    found = {f.path: _read_head(folders, f.path) for f in files if not f.link}
    return {path: head for path, head in found.items() if head is not None}


def _read_head(folders: Folders, path: str) -> bytes | None:
    # a path may be a pipe, which would never answer, or become a link between two looks at it
    if not folders.real(path.rpartition("/")[0]):
        return None
    full = os.path.join(folders.root, path)
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        if not stat.S_ISREG(os.lstat(full).st_mode):
            return None
        with open(os.open(full, flags), "rb") as f:
            return f.read(HEAD_BYTES) if stat.S_ISREG(os.fstat(f.fileno()).st_mode) else None
    except (OSError, ValueError):
        return None


def _blob_heads(place: Place, files: Sequence[File]) -> dict[str, bytes]:
    if not files:
        return {}
    out = ask(place, "cat-file", "--batch", input="".join(f"{f.oid}\n" for f in files).encode())
    heads, at = {}, 0
    for file in files:
        end = out.find(b"\n", at)
        words = out[at:end].split()
        if end < 0 or len(words) != 3:
            break
        size = int(words[2])
        heads[file.path] = out[end + 1 : end + 1 + min(size, HEAD_BYTES)]
        at = end + size + 2
    return heads


def decode(head: bytes) -> str | None:
    """The text of a file's head, None if it is not text. A last line that the bound has cut is left out."""
    if b"\0" in head:
        return None
    if len(head) == HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    text = head.decode("utf-8-sig", "replace")
    return text if text.count("\ufffd") * 10 <= len(text) else None


def boxes(text: str) -> list[tuple[int, str]]:
    """The unchecked items of a task list (GitHub Flavored Markdown 5.3) as (line number, item)."""
    lines = enumerate(text.split("\n"), 1)
    return [(number, box[1]) for number, line in lines if (box := _BOX.match(line))]
