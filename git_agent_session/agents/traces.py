"""What an agent's tools leave behind for the evidence of commits: the files they wrote, HEAD before a shell command.

    <git dir>/agent-session/traces/touched.<id>   a line for each file written: time in ns, blob id or `-`, HEAD
                                                  at that time or `none`, path
    <git dir>/agent-session/traces/head.<id>      HEAD before the shell command that is running

Of this worktree alone, and only while there is something to match: the git hooks look for the folder. Agent hooks write
these on every tool call: standard library, no process. Reading them is `store.evidence`'s.
"""

from __future__ import annotations

import os
import time

from git_agent_session import live
from git_agent_session.agents.payload import relative

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from git_agent_session.agents.protocol import Capture
    from git_agent_session.git.discover import Location

FOLDER = "traces"
# bytes; of a larger file only the path is known
LARGEST = 8 * 1024 * 1024
# of what a command printed, where a commit's id is looked for
OUTPUT = 64 * 1024
IDS = 20
# what makes commits, as words of a command
VERBS = ("commit", "merge", "cherry-pick", "revert", "rebase", "pull", "am", "ci")
# those of them that bring commits of others, and name none of what they make
BRINGS = ("merge", "rebase", "pull", "am")

_HEX = frozenset("0123456789abcdef")


def leave(location: Location, session_id: str, capture: Capture) -> None:
    """Write the traces of one hook call; where HEAD moved, say so in the notes for the settle step."""
    if location.worktree is None:
        return
    if capture.wrote:
        _touch(location, session_id, capture.wrote)
    if capture.shell == "before":
        _write_head(location, session_id)
    elif capture.shell == "after":
        _look(location, session_id, capture)


def _touch(location: Location, session_id: str, paths: list[str]) -> None:
    lines = []
    now = head(location)
    for path in (relative(p, location.worktree) for p in paths):
        full = os.path.join(location.worktree or "", path)
        if os.path.isabs(path) or path.startswith("~/") or "\n" in path or not os.path.lexists(full):
            continue
        lines.append(f"{time.time_ns()} {_blob(full)} {now} {path}\n")
    if not lines:
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    fd = os.open(os.path.join(_folder(location), f"touched.{session_id}"), flags, 0o600)
    try:
        os.write(fd, "".join(lines).encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def _blob(path: str) -> str:
    """The id that git would give the file as it stands (git-hash-object(1), without filters); `-` for none."""
    try:
        if os.path.islink(path) or os.stat(path).st_size > LARGEST:
            return "-"
        with open(path, "rb") as f:
            data = f.read(LARGEST + 1)
    except OSError:
        return "-"
    return _sha1(b"blob %d\0" % len(data) + data)


def _sha1(data: bytes) -> str:
    try:
        # a tenth of the time that loading hashlib takes
        found: Any = __import__("_sha1")
    except ImportError:
        import hashlib as found
    return str(found.sha1(data, usedforsecurity=False).hexdigest())


def _write_head(location: Location, session_id: str) -> None:
    path = os.path.join(_folder(location), f"head.{session_id}")
    live.replace(path, f"{head(location)}\n")


def _look(location: Location, session_id: str, capture: Capture) -> None:
    path = os.path.join(location.private, FOLDER, f"head.{session_id}")
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            before = f.read(100).strip()
    except OSError:
        return
    now = head(location)
    if now == before:
        os.unlink(path)
        return
    # another command of the agent's may still be running: it began where this one ends
    live.replace(path, f"{now}\n")
    made = _ids(capture.output)
    capture.notes[f"moved.{time.time_ns()}"] = " ".join((before, now, _said(capture, made), *made))
    capture.settle = True


def _said(capture: Capture, made: list[str]) -> str:
    """What a command says of the commits that it made: `verb`, `brings` (others' commits too), `-` nothing.

    Where git named what it made, that alone counts, and a `git commit` that was free to name it and did not made none:
    whoever else committed meanwhile stays out.
    """
    words = set(_words(capture.command))
    if made or not words.intersection(VERBS):
        return "-"
    if words.intersection(BRINGS):
        return "brings"
    quiet = ">" in capture.command or any(w in ("--quiet", "--porcelain") or _has_q(w) for w in words)
    return "verb" if quiet or not capture.output.strip() else "-"


def _has_q(word: str) -> bool:
    return word[:1] == "-" and word[1:2] != "-" and "q" in word


def head(location: Location) -> str:
    """The commit that is checked out, by the files alone; `none` where there is none yet."""
    text = _first_line(os.path.join(location.git_dir, "HEAD"))
    if text.startswith("ref: "):
        ref = text[len("ref: ") :]
        text = _first_line(os.path.join(location.common_dir, ref)) or _packed(location.common_dir, ref)
    return text if len(text) in (40, 64) and _HEX.issuperset(text) else "none"


def _packed(common_dir: str, ref: str) -> str:
    try:
        with open(os.path.join(common_dir, "packed-refs"), "rb") as f:
            for line in f:
                if line.endswith(b" " + os.fsencode(ref) + b"\n"):
                    return line.split()[0].decode("ascii", "replace")
    except OSError:
        pass
    return ""


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return f.readline(4096).rstrip("\r\n")
    except OSError:
        return ""


def _words(text: str) -> list[str]:
    for sign in "\"'`;&|()\n\t":
        text = text.replace(sign, " ")
    return text.split()


def _ids(output: str) -> list[str]:
    """The commits' ids in what git printed of those it made: `[main 1a2b3c4] subject`."""
    ends = (part.split()[-1:] for part in output[:OUTPUT].split("]")[:-1])
    words = (w for end in ends for w in end if 7 <= len(w) <= 64 and _HEX.issuperset(w))
    return list(dict.fromkeys(words))[:IDS]


def _folder(location: Location) -> str:
    """The folder, made where it is missing."""
    folder = os.path.join(location.private, FOLDER)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # it may have been installed anew since, elsewhere
        live.note_python(location.shared)
    return folder
