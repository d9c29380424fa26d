"""The files of a commit or of the worktree's HEAD: folders, and a file's lines with the session behind each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from git_agent_session.answers.blame import BlamedLine, blame
from git_agent_session.answers.options import Options
from git_agent_session.errors import GitError, UsageError
from git_agent_session.git.bounded import output
from git_agent_session.git.discover import Location
from git_agent_session.git.run import run
from git_agent_session.store.reader import Reader
from git_agent_session.web.viewer import code

# lines of a page, entries of a folder that are shown, bytes of a file that is shown
PAGE, ENTRIES, BYTES = 500, 2_000, 4 * 1024 * 1024
# characters that are coloured
COLOURED = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds: its name, its path, and whether it is a folder itself, or a submodule, which has no page."""

    name: str
    path: str
    is_folder: bool
    is_submodule: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file: its number, coloured text, and who wrote it; `first` where its commit begins."""

    number: int
    html: Markup
    blamed: BlamedLine
    first: bool


@dataclass(frozen=True, slots=True)
class File:
    """Lines of a file from `start` (counted from 1) on; `total` counts all. `why_not` says why there are none."""

    path: str
    lines: tuple[Line, ...]
    start: int
    total: int
    why_not: str = ""


def kind(location: Location, path: str) -> str:
    """`blob`, `tree`, or "" for what HEAD does not have."""
    if path in ("", "."):
        return "tree"
    if _is_odd(path):
        return ""
    done = run("cat-file", "-t", f"HEAD:{path}", cwd=_folder(location), check=False)
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def folder(location: Location, path: str) -> tuple[list[Entry], int]:
    """What a folder of HEAD holds, folders first, and how much of it is left out."""
    tree = f"HEAD:{path}" if path else "HEAD"
    data, _ = output("ls-tree", "-z", tree, cwd=_folder(location), limit=BYTES)
    found = []
    for row in data.decode("utf-8", "backslashreplace").split("\0"):
        about, _, name = row.partition("\t")
        if name:
            found.append(Entry(name, f"{path}/{name}" if path else name, " tree " in about, " commit " in about))
    found.sort(key=lambda e: (not e.is_folder, e.name.lower()))
    return found[:ENTRIES], max(0, len(found) - ENTRIES)


def file(reader: Reader, path: str, start: int = 1) -> File:
    """PAGE lines of a file of HEAD with who wrote them. Raises GitError, UsageError."""
    if _is_odd(path):
        raise UsageError("that is no path in this repository", hint="follow a link to a file")
    data, more = output("cat-file", "blob", f"HEAD:{path}", cwd=_folder(reader.repo.location), limit=BYTES)
    if more:
        return File(path, (), 1, 0, "It is larger than 4 MiB.")
    if b"\0" in data[:8000]:
        return File(path, (), 1, 0, "It is not a text.")
    rows = data.decode("utf-8", "replace").split("\n")
    total = len(rows) - (rows[-1] == "")
    if not total:
        return File(path, (), 1, 0, "It is empty.")
    start = max(1, min(start, total))
    end = min(total, start + PAGE - 1)
    options = Options(ranges=(f"{start},{end}",), revision="HEAD")
    blamed = list(blame(reader, path, options).lines())
    # a string that began above is coloured as such only where all of it is read
    from_top = "\n".join(rows[:end])
    if len(from_top) <= COLOURED:
        html = code.lines(from_top, path=path, limit=COLOURED)[start - 1 :]
    else:
        html = code.lines("\n".join(rows[start - 1 : end]), path=path, limit=COLOURED)
    return File(path, tuple(_joined(blamed, html)), start, total)


def _joined(blamed: Sequence[BlamedLine], html: Sequence[Markup]) -> list[Line]:
    out: list[Line] = []
    before = ""
    for line, text in zip(blamed, html, strict=False):
        key = f"{line.commit} {line.session} {line.prompt} {line.kind}"
        out.append(Line(line.number, text, line, key != before))
        before = key
    return out


def _is_odd(path: str) -> bool:
    """True for what git could take for anything but a path below the top."""
    return not path or "\0" in path or path.startswith(("/", "-", ":")) or ".." in path.split("/")


def _folder(location: Location) -> str:
    return location.worktree or location.git_dir


def exists(location: Location) -> bool:
    """True where there is a commit whose files can be shown."""
    try:
        return run("rev-parse", "--verify", "-q", "HEAD", cwd=_folder(location), check=False).returncode == 0
    except GitError:
        return False
