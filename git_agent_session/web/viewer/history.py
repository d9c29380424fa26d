"""The commits of the repository: their graph, a page at a time, and what one of them changed.

A page ends with the open ends of its graph; the next one starts from these, so that no page asks for more commits than
it shows, and lines go on where they were cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.errors import CommitNotFound
from git_agent_session.git.bounded import output
from git_agent_session.git.discover import Location
from git_agent_session.git.run import run
from git_agent_session.index.derived import Index
from git_agent_session.web.viewer import code
from git_agent_session.web.viewer.text import line, shown

PAGE = 80
LANES = 24
# pixels of a row's height and between lanes
ROW, STEP = 44, 14
# of a commit's changes: files, lines of one of them, bytes that are read of git's output
FILES, LINES, BYTES = 100, 500, 4 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{7,64}")
_FORMAT = "%x1e%H%x1f%P%x1f%an%x1f%aI%x1f%D%x1f%s"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, and its place in the graph: its `lane`, and the `edges` of its row as (kind, from lane, to lane).

    A `pass` goes from the row's top to its bottom, an `in` from the top to the dot, an `out` from there to the bottom.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    at: str
    refs: tuple[str, ...]
    subject: str
    lane: int = 0
    edges: tuple[tuple[str, int, int], ...] = ()

    @property
    def width(self) -> int:
        """How many lanes its row needs."""
        return 1 + max([self.lane, *(max(a, b) for _, a, b in self.edges)])

    def paths(self) -> list[tuple[int, str]]:
        """The edges as (lane of the colour, path of an SVG), in a row of ROW height with lanes STEP apart."""
        half, out = ROW / 2, []
        for kind, a, b in self.edges:
            x1, x2 = (min(n, LANES - 1) * STEP + STEP / 2 for n in (a, b))
            top, bottom = (0.0, half) if kind == "in" else (half, float(ROW)) if kind == "out" else (0.0, float(ROW))
            middle = (top + bottom) / 2
            path = f"M{x1:g} {top:g}" + (
                f"V{bottom:g}" if x1 == x2 else f"C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {bottom:g}"
            )
            out.append((a if kind == "in" else b, path))
        return out

    @property
    def dot(self) -> str:
        """The path of its dot: a line without length, whose round ends stay round when the row is stretched."""
        return f"M{min(self.lane, LANES - 1) * STEP + STEP / 2:g} {ROW / 2:g}h.01"


@dataclass(frozen=True, slots=True)
class Page:
    """Commits, and the ends from which the next page starts; none for the last."""

    commits: tuple[Commit, ...]
    ends: tuple[str, ...]


def page(location: Location, ends: Sequence[str] = (), size: int = PAGE) -> Page:
    """The commits that are reachable from `ends` (default: HEAD), children before their parents."""
    tips = [e for e in ends if _ID.fullmatch(e)][:LANES]
    done = run(
        "log", "--topo-order", f"--max-count={size}", f"--format={_FORMAT}", *(tips or ["HEAD"]), "--",
        cwd=location.worktree or location.git_dir, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return Page((), ())
    rows = done.stdout.decode("utf-8", "replace").split("\x1e")[1:]
    lanes: list[str | None] = [*tips]
    commits = [_drawn(row.rstrip("\n").split("\x1f"), lanes) for row in rows]
    # abbreviated ends of the page before are full here
    shown = {c.id for c in commits}
    left = [e for e in lanes if e and not any(i.startswith(e) for i in shown)]
    return Page(tuple(commits), tuple(dict.fromkeys(e[:16] for e in left)) if len(commits) == size else ())


def _drawn(fields: Sequence[str], lanes: list[str | None]) -> Commit:
    """One commit in the graph; `lanes` (which commit each waits for) are brought forward."""
    commit, parents = fields[0], tuple(fields[1].split())
    mine = [n for n, waits in enumerate(lanes) if waits and commit.startswith(waits)]
    lane = mine[0] if mine else _free(lanes)
    before = list(lanes)
    for n in mine:
        lanes[n] = None
    lanes[lane] = None
    edges = [("in", n, lane) for n in mine]
    moved: dict[int, int] = {}
    for n, parent in enumerate(parents):
        there = next((k for k, waits in enumerate(lanes) if waits and parent.startswith(waits)), None)
        if n == 0 and there is not None and there > lane:
            # the line of first parents stays on the left
            lanes[there], lanes[lane], moved[there], there = None, parent, lane, lane
        if there is None:
            there = lane if n == 0 else _free(lanes, besides=lane)
            lanes[there] = parent
        edges.append(("out", lane, there))
    edges += [("pass", k, moved.get(k, k)) for k, waits in enumerate(before) if waits and k not in mine]
    while lanes and lanes[-1] is None:
        lanes.pop()
    refs = tuple(r for r in fields[4].split(", ") if r)[:4]
    author, at = shown(fields[2], newlines=False), shown(fields[3], newlines=False)
    return Commit(fields[0], parents, author, at, refs, line(fields[5]), lane, tuple(edges))


def _free(lanes: list[str | None], besides: int = -1) -> int:
    for n, waits in enumerate(lanes):
        if waits is None and n != besides:
            return n
    lanes.append(None)
    return len(lanes) - 1


def sessions_of(found: Index, commits: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the sessions of commits, by commit, the primary one first."""
    marks = ",".join("?" * len(commits))
    query = f"SELECT commit_id, session FROM commits WHERE commit_id IN ({marks}) ORDER BY is_primary DESC, at"
    out: dict[str, list[str]] = {}
    for commit, session in found.query(query, list(commits)):
        out.setdefault(commit, []).append(session)
    return out


@dataclass(frozen=True, slots=True)
class Shown:
    """A commit with its whole message and its changes; `left` counts files that are not shown, or not all was read."""

    id: str
    parents: tuple[str, ...]
    author: str
    at: str
    subject: str
    body: str
    diffs: tuple[code.Diff, ...]
    left: int = 0
    is_cut: bool = False


def commit(location: Location, revision: str) -> Shown:
    """A commit by its id. Raises CommitNotFound."""
    where = location.worktree or location.git_dir
    if not _ID.fullmatch(revision):
        raise CommitNotFound(f"no commit {revision[:40]}", hint="`git log` has the ids")
    form = "--format=%H%x1f%P%x1f%an%x1f%aI%x1f%s%x1f%b"
    done = run("show", "--no-patch", form, f"{revision}^{{commit}}", "--", cwd=where, check=False)
    fields = done.stdout.decode("utf-8", "replace").split("\x1f")
    if done.returncode != 0 or len(fields) < 6:
        raise CommitNotFound(f"no commit {revision[:40]}", hint="it may not have been fetched")
    told, more = output(
        *("-c", "core.quotePath=false", "show", "-m", "--first-parent", "--format=", "--no-color", "--no-ext-diff"),
        *("--no-textconv", "-M", "-U3", fields[0], "--"),
        cwd=where,
        limit=BYTES,
    )
    parts = re.split(r"(?m)^diff --git ", told.decode("utf-8", "replace"))[1:]
    diffs = [code.patch(part, _path(part), LINES) for part in parts[:FILES]]
    author, subject = shown(fields[2], newlines=False), shown(fields[4], newlines=False)
    left, body = max(0, len(parts) - FILES), shown(fields[5]).strip()
    return Shown(fields[0], tuple(fields[1].split()), author, fields[3], subject, body, tuple(diffs), left, more)


def _path(part: str) -> str:
    """The path that a file's part of a diff is about: where it is now, else where it was."""
    head = part.partition("\n@@")[0]
    for mark in ("+++ b/", "rename to ", "--- a/"):
        for row in head.split("\n"):
            if row.startswith(mark):
                return row.removeprefix(mark).rstrip("\t")
    return head.split("\n")[0].rpartition(" b/")[2]


def graph_width(commits: Sequence[Commit]) -> int:
    """How many lanes the graph of a page has; those past LANES are drawn on the last."""
    return min(LANES, max((c.width for c in commits), default=1))


def by_commit(rows: Mapping[str, list[str]]) -> list[str]:
    """All session ids of a page, each once."""
    return list(dict.fromkeys(i for ids in rows.values() for i in ids))
