"""Lines that sessions added, and those of them that are still there at HEAD.

Added are the lines of a session's commits by git's diff against their first parent (git-diff-tree(1), --numstat),
merges left out. Alive are those lines at HEAD that `git blame` gives to these commits; how many of these an agent wrote
is what the sessions recorded (`answers.blame`), so a person's lines in the same commit are not the agent's.

Looked at are the files that were touched since the first of these commits: no other has their lines. Both take seconds
once: what was found is kept in `<common dir>/agent-session/alive.sqlite`, by commit and by file, and a file is blamed
again when it has changed since. Derived and disposable.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from git_agent_session.agents.authorship import AGENT, MIXED
from git_agent_session.answers import blame
from git_agent_session.answers.options import Options
from git_agent_session.errors import AgentSessionError
from git_agent_session.git.run import git, run
from git_agent_session.index.derived import Index
from git_agent_session.index.refresh import Progress
from git_agent_session.store.reader import Reader

NAME = "alive.sqlite"
VERSION = 1
# commits of a command line; and since the first of a session's, past which every file is looked at
CHUNK, MOST_COMMITS = 400, 20_000

# commit -> lines at HEAD, and how many of these an agent wrote
Counted = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines added by a session's commits, those that are at HEAD, and those of these that its agent wrote."""

    added: int = 0
    alive: int = 0
    by_agent: int = 0

    def __add__(self, other: Lines) -> Lines:
        return Lines(self.added + other.added, self.alive + other.alive, self.by_agent + other.by_agent)

    def to_dict(self) -> dict[str, int]:
        """As `--json` prints it."""
        return {"lines_added": self.added, "lines_alive": self.alive, "lines_alive_by_agent": self.by_agent}


def of_sessions(store: Reader, found: Index, progress: Progress | None = None) -> dict[str, Lines]:
    """The lines of each session that has commits, by id. A commit of several sessions counts for its main one.

    `progress` is called with how many files at HEAD are done, and how many there are.
    """
    links = found.query(
        "SELECT commit_id, session FROM commits WHERE replaced_by = '' ORDER BY is_primary, at DESC, session DESC"
    )
    owner: dict[str, str] = dict(links)
    head = store.repo.head()
    with contextlib.closing(_open(store.shared)) as db:
        added = _added(store, db, owner)
        alive = _alive(store, db, head, owner, progress) if head else {}
    out: dict[str, Lines] = {}
    for commit, session_id in owner.items():
        lines, by_agent = alive.get(commit, (0, 0))
        out[session_id] = out.get(session_id, Lines()) + Lines(added.get(commit, 0), lines, by_agent)
    return out


def _open(shared: str) -> sqlite3.Connection:
    """The cache; one in memory where no file can be written or the file is damaged."""
    path = os.path.join(shared, NAME)
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                raise sqlite3.DatabaseError("another version")
            return _prepared(db)
        except sqlite3.OperationalError:
            db.close()  # somebody is at work on it
        except sqlite3.DatabaseError:
            db.close()
            os.unlink(path)
    except OSError:
        pass
    return _prepared(sqlite3.connect(":memory:", isolation_level=None))


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    db.execute("CREATE TABLE IF NOT EXISTS added (commit_id TEXT PRIMARY KEY, lines INTEGER NOT NULL) WITHOUT ROWID")
    db.execute("CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, counted TEXT NOT NULL) WITHOUT ROWID")
    db.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    db.execute(f"PRAGMA user_version = {VERSION}")
    return db


def _added(store: Reader, db: sqlite3.Connection, commits: Collection[str]) -> dict[str, int]:
    known: dict[str, int] = dict(db.execute("SELECT commit_id, lines FROM added"))
    late = [c for c in commits if c not in known]
    if late:
        fresh = _numstat(store, late)
        db.execute("BEGIN")
        db.executemany("INSERT OR REPLACE INTO added VALUES (?, ?)", fresh.items())
        db.execute("COMMIT")
        known |= fresh
    return known


def _numstat(store: Reader, commits: Collection[str]) -> dict[str, int]:
    """The lines that commits add; those that are not here are left out."""
    said = _git(store, "cat-file", "--batch-check=%(objectname) %(objecttype)", input="\n".join(commits) + "\n")
    here = [line.split()[0] for line in said.splitlines() if line.endswith(" commit")]
    if not here:
        return {}
    text = "\n".join(here) + "\n"
    said = _git(store, "diff-tree", "--stdin", "--root", "-r", "--numstat", "--no-renames", input=text)
    # git says nothing of merges and of commits that change nothing
    added, commit = dict.fromkeys(here, 0), ""
    for line in said.splitlines():
        if line in added:
            commit = line
        elif (number := line.partition("\t")[0]).isdecimal():
            added[commit] += int(number)
    return added


def _alive(
    store: Reader, db: sqlite3.Connection, head: str, commits: Collection[str], progress: Progress | None
) -> Counted:
    """The lines at HEAD by commit, of all files that may have lines of `commits`."""
    meta: dict[str, str] = dict(db.execute("SELECT name, value FROM meta"))
    before, asked = meta.get("head", ""), _digest(commits)
    known: dict[str, str] = dict(db.execute("SELECT path, counted FROM files"))
    stale = _changed(store, before, head) if known else set()
    there = _paths(store, head)
    kept = before == head and meta.get("commits") == asked
    may = known.keys() if kept else _since(store, head, commits)
    paths = there if may is None else [path for path in there if path in may or (kept and blame.named(path) != path)]
    total: Counted = {}
    fresh: dict[str, Counted] = {}
    for number, path in enumerate(paths, 1):
        own: Mapping[str, tuple[int, int]]
        if path in known and stale is not None and path not in stale:
            own = {commit: (lines, mine) for commit, lines, mine in json.loads(known[path])}
        else:
            own = fresh[path] = _blamed(store, path, head)
        for commit, (lines, mine) in own.items():
            so_far = total.get(commit, (0, 0))
            total[commit] = (so_far[0] + lines, so_far[1] + mine)
        if progress is not None:
            progress(number, len(paths))
    if not kept or fresh:
        gone = known.keys() - set(there)
        # what was not looked at now would count as looked at
        gone |= known.keys() - set(paths) if stale is None else stale & known.keys()
        _keep(db, {"head": head, "commits": asked}, fresh, gone - fresh.keys())
    return total


def _digest(commits: Collection[str]) -> str:
    return hashlib.sha256("\n".join(sorted(commits)).encode()).hexdigest()


def _keep(db: sqlite3.Connection, meta: Mapping[str, str], fresh: Mapping[str, Counted], gone: Collection[str]) -> None:
    # SQLite takes no path that is not UTF-8
    named = [(path, own) for path, own in fresh.items() if blame.named(path) == path]
    rows = [(path, json.dumps([[c, *n] for c, n in own.items()])) for path, own in named]
    db.execute("BEGIN")
    db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", rows)
    db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
    db.execute("COMMIT")


def _changed(store: Reader, before: str, head: str) -> set[str] | None:
    """The files whose blame may differ since `before`; None for any."""
    if before == head:
        return set()
    # what is not above HEAD was rewritten: commits have other ids then
    if not before or not store.repo.descends(head, before):
        return None
    # all that commits in between touched, also where the end is as the beginning was
    said = _git(store, "log", "--format=", "--name-only", "--no-renames", "-m", "-z", f"{before}..{head}")
    return set(filter(None, said.replace("\n", "\0").split("\0")))


def _since(store: Reader, head: str, commits: Collection[str]) -> set[str] | None:
    """The files that were touched since the first of `commits`, by whatever name: no other has their lines. None for
    any file."""
    mine = set(_git(store, "rev-list", head, "--").split()).intersection(commits)
    if not mine:
        return set()
    range_ = f"{_base(store, mine)}..{head}"
    count = _git(store, "rev-list", "--count", range_, "--").strip()
    if range_[0] == "." or not count.isdecimal() or int(count) > MOST_COMMITS:
        return None
    said = _git(store, "log", "--format=", "--name-only", "--no-renames", "-m", "-z", range_)
    return set(filter(None, said.replace("\n", "\0").split("\0")))


def _base(store: Reader, commits: Collection[str]) -> str:
    """A commit that comes before each of `commits`, so that none of them comes before it; "" where there is none."""
    text = "\n".join(commits) + "\n"
    said = _git(store, "rev-list", "--no-walk=unsorted", "--parents", "--stdin", input=text)
    parents = sorted({line.partition(" ")[2].partition(" ")[0] for line in said.splitlines()})
    base = parents[0] if parents else ""
    for start in range(0, len(parents), CHUNK):
        base = base and _git(store, "merge-base", "--octopus", base, *parents[start : start + CHUNK]).strip()
    return base


def _paths(store: Reader, head: str) -> list[str]:
    """The files at HEAD; submodules and links are none."""
    rows = _git(store, "ls-tree", "-r", "-z", "--full-tree", head).split("\0")
    return [row.partition("\t")[2] for row in rows if row.startswith("100")]


def _blamed(store: Reader, path: str, head: str) -> Counted:
    counted: Counted = {}
    try:
        found = blame.blame(store, path, Options(revision=head))
        for line in found.lines():
            lines, mine = counted.get(line.commit, (0, 0))
            counted[line.commit] = (lines + 1, mine + (line.kind in (AGENT, MIXED)))
    except AgentSessionError:
        return {}
    return counted


def _git(store: Reader, *args: str, input: str = "") -> str:
    location = store.repo.location
    cwd, env = location.worktree or location.git_dir, {"GIT_DIR": location.git_dir}
    return git(*args, cwd=cwd, env=env, input=input.encode(), check=False).decode("utf-8", "surrogateescape")


def storage(store: Reader) -> dict[str, int]:
    """Bytes that sessions take: `objects` in git (git-rev-list(1), --disk-usage), `files` beside it: the index …"""
    refs = ("--glob=refs/agent-sessions/*", "--glob=refs/notes/agent-sessions")
    location = store.repo.location
    done = run(
        *("rev-list", "--objects", "--disk-usage", *refs),
        cwd=location.git_dir,
        env={"GIT_DIR": location.git_dir},
        check=False,
    )
    found = {"objects": int(done.stdout)} if done.returncode == 0 and done.stdout.strip().isdigit() else {}
    files = 0
    for folder, _, names in os.walk(store.shared):
        for name in names:
            with contextlib.suppress(OSError):
                files += os.lstat(os.path.join(folder, name)).st_size
    return found | {"files": files}
