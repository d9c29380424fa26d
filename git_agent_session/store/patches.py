"""What commits change, by git's own plumbing: facts, changed paths with their blobs, patch ids, one or many at a time.

Everything here asks the `git` command and reads the project's commits only; nothing is written. Objects that are not
there (a shallow or partial clone) make an answer empty, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.git.repository import Repository
from git_agent_session.git.run import run
from git_agent_session.ids import is_object_id

# as the `commit` event: a patch of more paths has no id (docs/format.md, section 3)
MOST_PATHS = 500
# commits whose patches are held in memory at a time
_CHUNK = 32
# a larger file counts as binary, so a patch has an end
_PLAIN = ("-c", "core.bigFileThreshold=8m")
_DIFF = ("diff-tree", "-r", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")
# a partial clone fetches what is missing: never from here
_OFFLINE = {"GIT_NO_LAZY_FETCH": "1"}
_FORM = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00%B"
_FIELDS = 8
_COMMIT = re.compile(rb"^[0-9a-f]{40}(?:[0-9a-f]{24})?$", re.M)
# a line as `Agent-Session: <id>`; git indents the messages of `merge --squash`
_TRAILER = re.compile(r"^[ \t]*Agent-Session:[ \t]*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[ \t]*$", re.M)
_REVERTS = re.compile(r"^This reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b", re.M)
_PICKED = re.compile(r"^\(cherry picked from commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\)$", re.M)

# path -> (mode before, mode after, blob before, blob after); a blob of zeros is none
Changes = Mapping[bytes, tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """A commit of the project. `authored` and `committed` are seconds since 1970; `author` is name and mail."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str]
    authored: int
    committed: int
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.lstrip("\n").partition("\n")[0]

    @property
    def words(self) -> str:
        """The message without our trailers and without blank space around lines: what a copy keeps."""
        return "\n".join(line.strip() for line in _TRAILER.sub("", self.message).split("\n") if line.strip())

    @property
    def maker(self) -> tuple[str, str, int]:
        """Who wrote it and when, which a pick, an amend and `am` keep."""
        return (*self.author, self.authored)

    @property
    def trailers(self) -> list[str]:
        """The sessions that the message names, each once."""
        return list(dict.fromkeys(_TRAILER.findall(self.message)))

    @property
    def reverts(self) -> list[str]:
        """The commits that `git revert` says this one takes back."""
        return list(dict.fromkeys(_REVERTS.findall(self.message)))

    @property
    def picked(self) -> list[str]:
        """The commits that `git cherry-pick -x` says this one is a copy of; the last one first."""
        return list(dict.fromkeys(reversed(_PICKED.findall(self.message))))


def listed(repo: Repository, *revisions: str, most: int) -> list[Facts]:
    """The commits that the `revisions` (git-rev-list(1)) reach, the latest first, at most so many.

    Raises GitError when one of them names nothing.
    """
    return _log(repo, f"--max-count={most}", "--end-of-options", *revisions, "--")


def facts(repo: Repository, commits: Iterable[str]) -> dict[str, Facts]:
    """What is known of each of `commits`; those that are not here are left out."""
    found: dict[str, Facts] = {}
    wanted = [c for c in dict.fromkeys(commits) if is_object_id(c) and repo.commit_facts(c)]
    for start in range(0, len(wanted), 1000):
        ids = "\n".join(wanted[start : start + 1000]).encode() + b"\n"
        found.update((f.id, f) for f in _log(repo, "--no-walk=unsorted", "--stdin", input=ids))
    return found


def _log(repo: Repository, *args: str, input: bytes | None = None) -> list[Facts]:
    form = ("--no-show-signature", "--no-notes", "--no-color", "--encoding=UTF-8", "-z", f"--format={_FORM}")
    data = run("log", *form, *args, cwd=repo.location.git_dir, env=_OFFLINE, input=input).stdout
    cells = data.decode("utf-8", "replace").split("\0")
    rows = [cells[n : n + _FIELDS] for n in range(0, len(cells) - _FIELDS + 1, _FIELDS)]
    return [
        Facts(c, tree, tuple(parents.split()), (name, mail), _number(at), _number(ct), message)
        for c, tree, parents, name, mail, at, ct, message in rows
    ]


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() else 0


def changes(repo: Repository, commits: Sequence[str]) -> dict[str, Changes]:
    """What each of `commits` changes against its first parent; nothing for a merge."""
    ids = "\n".join(commits).encode() + b"\n"
    done = run(
        *_DIFF, "--root", "--raw", "-z", "--stdin", cwd=repo.location.git_dir, env=_OFFLINE, input=ids, check=False
    )
    found: dict[str, dict[bytes, tuple[str, str, str, str]]] = {c: {} for c in commits}
    current = ""
    cells = iter(done.stdout.split(b"\0"))
    for cell in cells:
        if cell.startswith(b":"):
            found.setdefault(current, {})[next(cells, b"")] = _row(cell)
        elif cell:
            current = cell.decode("ascii", "replace").strip()
    return dict(found)


def between(repo: Repository, before: str, after: str) -> Changes:
    """What lies between two commits."""
    done = run(*_DIFF, "--raw", "-z", before, after, "--", cwd=repo.location.git_dir, env=_OFFLINE, check=False)
    cells = iter(done.stdout.split(b"\0"))
    return {next(cells, b""): _row(cell) for cell in cells if cell.startswith(b":")}


def _row(cell: bytes) -> tuple[str, str, str, str]:
    words = cell.decode("ascii", "replace").lstrip(":").split(" ")
    return (words[0], words[1], words[2], words[3]) if len(words) >= 4 else ("", "", "", "")


def patch_ids(repo: Repository, commits: Sequence[str]) -> dict[str, str]:
    """The patch id (git-patch-id(1), stable) of each of `commits` that has one: no merge, nothing binary in it."""
    found: dict[str, str] = {}
    for start in range(0, len(commits), _CHUNK):
        ids = "\n".join(commits[start : start + _CHUNK]).encode() + b"\n"
        found.update(_patch_ids(repo, "--root", "-p", "--full-index", "--stdin", input=ids))
    return found


def patch_id_between(repo: Repository, before: str, after: str) -> str:
    """The patch id of all that lies between two commits, "" where there is none."""
    found = _patch_ids(repo, "-p", "--full-index", before, after, "--")
    return next(iter(found.values()), "")


def _patch_ids(repo: Repository, *args: str, input: bytes | None = None) -> dict[str, str]:
    data = run(*_PLAIN, *_DIFF, *args, cwd=repo.location.git_dir, env=_OFFLINE, input=input, check=False).stdout
    # without --stdin there is one patch, and nothing before it
    starts = [(m.start(), m[0].decode()) for m in _COMMIT.finditer(data)] or [(0, "0" * 40)]
    ends = [at for at, _ in starts[1:]] + [len(data)]
    parts = [(c, data[at:end]) for (at, c), end in zip(starts, ends, strict=True)]
    whole = b"".join(text for _, text in parts if b"\nBinary files " not in text)
    said = run("patch-id", "--stable", cwd=repo.location.git_dir, env=_OFFLINE, input=whole).stdout.decode(
        "ascii", "replace"
    )
    rows = (line.split() for line in said.splitlines())
    return {row[1]: row[0] for row in rows if len(row) == 2}


def has_content(changed: Changes, empty: str) -> bool:
    """True when a change is evidence: it writes or takes away some text, in no more than MOST_PATHS files.

    Everybody's empty file, and a mode alone, are the same change.
    """
    if not 0 < len(changed) <= MOST_PATHS:
        return False
    nothing = {empty, "0" * len(empty)}
    return any(old != new and not {old, new} <= nothing for _, _, old, new in changed.values())
