"""Links that no git hook can make by itself: commits whose hooks were off, and commits of what an agent wrote.

`head`: HEAD moved between two hook calls of an agent around one command of its shell, and the command says so: by a
word that makes commits, or by the commit's id in what it printed. `files`: a commit without better evidence holds what
a session wrote in this worktree, by blob, or by path where nobody has committed that path since. What a git hook could
not tell lies in `<git dir>/agent-session/traces/commit.<id>` until it is looked at here. A doubt is no link.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from git_agent_session import journal, live
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import notes
from git_agent_session.git.discover import Location
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_object_id, is_session_id, timestamp
from git_agent_session.model import Doc, Event
from git_agent_session.store import drain as draining
from git_agent_session.store import links
from git_agent_session.store.seen import Seen

FOLDER = "traces"
TOUCHED, HEAD, COMMIT = "touched.", "head.", "commit."
WINDOW_SECONDS = 4 * 3600
# commits that one shell command can have made
MOST = 64
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def settle(repo: Repository) -> None:
    """Look at the commits that git hooks left without a session; drop traces that are too old to be evidence."""
    folder = os.path.join(repo.location.private, FOLDER)
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if not repo.config_bool("agentSession.enabled", True):
        return
    written = None
    for name in sorted(names):
        if name.startswith(COMMIT) and is_object_id(name[len(COMMIT) :]):
            written = _written(repo) if written is None else written
            with contextlib.suppress(AgentSessionError, OSError):
                _settle_one(repo, os.path.join(folder, name), name[len(COMMIT) :], written)
    _tidy(repo, folder)


def _settle_one(repo: Repository, path: str, commit: str, written: Mapping[str, list[_Write]]) -> None:
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            via, _, active = f.readline(100).strip().partition(" ")
    except FileNotFoundError:
        return
    found = [(s, "files") for s in _writers(repo, commit, written)]
    if not found and via == "active" and is_session_id(active) and live.is_open(repo.location.shared, active):
        found = [(active, via)]
    if not _is_linked(repo, commit):
        for session_id, how in found:
            _link(repo, session_id, commit, how)
    # only now: killed in between, the next one finds it again
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _link(repo: Repository, session_id: str, commit: str, via: str) -> None:
    facts = repo.commit_facts(commit)
    if facts:
        data: Doc = {"commit": commit, "tree": facts["tree"], "parents": facts["parents"], "via": via}
        journal.append(repo.location.shared, session_id, [Event(f"commit-{commit}", timestamp(), "commit", data)])
        draining.drain(repo, session_id)


def _is_linked(repo: Repository, commit: str) -> bool:
    if links.parse(notes.read(repo, commit)):
        return True
    try:
        return any(n.endswith(f".{commit}.toml") for n in os.listdir(journal.folder(repo.location.shared)))
    except OSError:
        return False


# -- files


@dataclass(frozen=True, slots=True)
class _Write:
    """A file that a session wrote: `at` in ns since 1970, `blob` "" where it is not known, `head` what was out then."""

    session_id: str
    path: str
    blob: str
    head: str
    at: int


def window_seconds(repo: Repository) -> int:
    """`agentSession.fileWindow` in seconds: a number with s, m, h, d or w behind it; default 4 h."""
    text = (repo.config("agentSession.fileWindow") or "").strip().lower()
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    return int(number) * _UNITS[unit] if number.isdecimal() and len(number) < 10 else WINDOW_SECONDS


def _written(repo: Repository) -> dict[str, list[_Write]]:
    """By path, what sessions that are open, or ended within the window, have written; the latest first."""
    folder = os.path.join(repo.location.private, FOLDER)
    since = time.time_ns() - window_seconds(repo) * 1_000_000_000
    found: dict[str, list[_Write]] = {}
    for name in os.listdir(folder):
        session_id = name[len(TOUCHED) :]
        if not name.startswith(TOUCHED) or not is_session_id(session_id):
            continue
        writes = _read(os.path.join(folder, name), session_id)
        if not live.is_open(repo.location.shared, session_id) and _ended(repo, session_id, writes) < since:
            continue
        for write in writes:
            found.setdefault(write.path, []).append(write)
    return {path: sorted(writes, key=lambda w: -w.at) for path, writes in found.items()}


def blobs(repo: Repository, session_id: str, path: str) -> set[str]:
    """The ids of what a file of this worktree held right after a session wrote it, while there are traces of it."""
    written = _read(os.path.join(repo.location.private, FOLDER, TOUCHED + session_id), session_id)
    return {write.blob for write in written if write.path == path and write.blob}


def _read(path: str, session_id: str) -> list[_Write]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            rows = [line.rstrip("\n").split(" ", 3) for line in f]
    except OSError:
        return []
    good = (row for row in rows if len(row) == 4 and row[0].isdecimal())
    return [_Write(session_id, path, "" if blob == "-" else blob, head, int(at)) for at, blob, head, path in good]


def _ended(repo: Repository, session_id: str, writes: Iterable[_Write]) -> int:
    """When a session ended, in ns; when it last wrote where that is not known."""
    from datetime import datetime

    try:
        tip = repo.tip(SESSIONS + session_id)
        doc = draining.read_state(repo, session_id, tip) if tip else {}
        return int(datetime.fromisoformat(str(doc["ended_at"])).timestamp() * 1_000_000_000)
    except (AgentSessionError, KeyError, ValueError):
        return max((w.at for w in writes), default=0)


def _writers(repo: Repository, commit: str, written: Mapping[str, list[_Write]]) -> list[str]:
    """The sessions whose work a commit holds, the one with the most files of it first."""
    facts = repo.commit_facts(commit)
    if not facts or not written:
        return []
    parents = facts["parents"]
    before = [str(p) for p in parents] if isinstance(parents, list) else []
    until = (int(str(facts["at"])) + 1) * 1_000_000_000
    tally: dict[str, int] = {}
    for path in repo.changed_paths(commit)[0]:
        writes = [w for w in written.get(path, ()) if w.at <= until]
        if writes and (session_id := _writer(repo, commit, before, path, writes)):
            tally[session_id] = tally.get(session_id, 0) + 1
    return sorted(tally, key=lambda s: (-tally[s], s))


def _writer(repo: Repository, commit: str, parents: list[str], path: str, writes: list[_Write]) -> str:
    """The session whose work the path is in this commit, "" for none; `writes` are those of the path, latest first."""
    blob = repo.blob_at(commit, path)
    if not blob:
        return ""  # a commit that takes a file away has nothing of what was written there
    if any(repo.blob_at(parent, path) == blob for parent in parents):
        return ""  # a merge that took it from one of its sides
    parent = parents[0] if parents else ""
    for write in writes:
        if write.blob and write.blob == blob:
            # what was committed before comes back by somebody's revert
            again = parent and _committed_since(repo, parent, path, write.head)
            return "" if again else write.session_id
    last = writes[0]
    # by path alone: somebody has edited what the session wrote, and it was in no commit before this one
    if last.at < time.time_ns() - window_seconds(repo) * 1_000_000_000:
        return ""
    if parent and (repo.blob_at(parent, path) == last.blob or _committed_since(repo, parent, path, last.head)):
        return ""
    return "" if _committed_itself(repo, last) else last.session_id


def _committed_itself(repo: Repository, write: _Write) -> bool:
    """True when a commit of the session's own, on whatever branch, has taken what it wrote."""
    shared, session_id = repo.location.shared, write.session_id
    # the journal first: what is drained meanwhile is below the tip then
    waiting = journal.read(shared, session_id).events
    stored = Seen.load(shared, repo, session_id, repo.tip(SESSIONS + session_id)).linking
    at = timestamp(write.at)
    for event in (*stored, *waiting):
        if event.kind == "commit" and event.at >= at:
            commit, paths = str(event.data.get("commit", "")), event.data.get("paths")
            if write.path in (paths if isinstance(paths, list) else repo.changed_paths(commit)[0]):
                return True
    return False


def _committed_since(repo: Repository, tip: str, path: str, head: str) -> bool:
    """True when a commit up to `tip` has changed the path since `head` was checked out. Dates anybody may set."""
    from git_agent_session.git.run import run  # readers need no process

    scope = [tip, f"^{head}"] if is_object_id(head) and repo.commit_facts(head) else [tip]
    args = ("rev-list", "-1", *scope, "--", f":(top,literal){path}")
    return run(*args, cwd=repo.location.worktree or repo.location.git_dir).stdout.strip() != b""


def _tidy(repo: Repository, folder: str) -> None:
    """Drop the traces of sessions that ended before the window, and the folder when nothing is left in it."""
    since = time.time() - max(window_seconds(repo), 60)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            session_id = name.partition(".")[2]
            if name.startswith((TOUCHED, HEAD)) and not live.is_open(repo.location.shared, session_id):
                if os.stat(path).st_mtime < since:
                    os.unlink(path)
            elif name.startswith(COMMIT) and os.stat(path).st_mtime < since - 30 * 86400:
                os.unlink(path)
        os.rmdir(folder)


# -- head


def moved(repo: Repository, session_id: str, told: Mapping[str, str], *, hooks_off: bool = False) -> None:
    """Link the commits that an agent's shell commands made: `told` has, under `moved.…`, what its hooks saw of HEAD.

    `hooks_off`: the agent switches git's hooks off, so a commit that they ran for is somebody else's.
    """
    for key in sorted(told):
        words = told[key].split(" ")
        if key.startswith("moved.") and len(words) > 2:
            before, after, verb, *ids = words
            said = verb in ("verb", "brings")
            for commit, was in _made(repo, before, after, brings=verb == "brings"):
                if (said or any(commit.startswith(i) for i in ids)) and not (hooks_off and _had_hooks(repo, commit)):
                    _link_moved(repo, session_id, commit, was)


def _link_moved(repo: Repository, session_id: str, commit: str, amended: str) -> None:
    if amended and session_id in {noted.session_id for noted in links.parse(notes.read(repo, amended))}:
        # git has copied the note where it is set to; the link follows here
        data = {"old": amended, "new": commit}
        event = Event(f"rewrite-{amended[:16]}-{commit[:16]}", timestamp(), "rewrite", data)
        journal.append(repo.location.shared, session_id, [event])
        draining.drain(repo, session_id)
    elif not _is_linked(repo, commit):
        _link(repo, session_id, commit, "head")


def _had_hooks(repo: Repository, commit: str) -> bool:
    return os.path.exists(os.path.join(repo.location.private, FOLDER, COMMIT + commit))


def _made(repo: Repository, before: str, after: str, *, brings: bool = False) -> list[tuple[str, str]]:
    """The commits that were made while HEAD moved, each with the one that it amended or ""; the oldest first.

    `brings`: the command also brings commits of others, which only a reflog tells from those that were made.
    """
    steps = _between(_reflog(repo.location), before, after)
    if steps:
        return [(step.new, step.old if step.amends else "") for step in steps if step.is_commit][-MOST:]
    if brings or not is_object_id(after) or (is_object_id(before) and not repo.descends(after, before)):
        return []
    from git_agent_session.git.run import run

    scope = [after, f"^{before}"] if is_object_id(before) else [after]
    args = ("rev-list", "--first-parent", "--reverse", f"--max-count={MOST}", *scope, "--")
    return [(c, "") for c in run(*args, cwd=repo.location.git_dir).stdout.decode("ascii").split()]


def _between(steps: list[_Step], before: str, after: str) -> list[_Step]:
    """The way from `before` to `after`. What HEAD did since then is somebody else's, however soon it was.

    Not by time: it is the committer's, which anybody may set.
    """
    ends = [n for n, step in enumerate(steps, 1) if step.new == after]
    # a commit is made once, and may be checked out again at any time
    made = [n for n in ends if steps[n - 1].is_commit]
    for end in made[:1] or reversed(ends):
        begins = [n for n, step in enumerate(steps[:end], 1) if step.new == before] or [0] * (before == "none")
        if begins:
            return steps[begins[-1] : end]
    return []


@dataclass(frozen=True, slots=True)
class _Step:
    """A line of HEAD's reflog."""

    old: str
    new: str
    what: str

    @property
    def is_commit(self) -> bool:
        return self.what.startswith(("commit", "cherry-pick", "revert", "merge")) and "Fast-forward" not in self.what

    @property
    def amends(self) -> bool:
        return self.what.startswith("commit (amend)")


def _reflog(location: Location) -> list[_Step]:
    """The last lines of HEAD's reflog: `<old> <new> <name> <mail> <seconds> <zone>\\t<what>`."""
    try:
        with open(os.path.join(location.git_dir, "logs", "HEAD"), "rb") as f:
            f.seek(max(0, os.fstat(f.fileno()).st_size - 64 * 1024))
            lines = f.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return []
    steps = []
    for line in lines:
        head, _, what = line.partition("\t")
        words = head.split(" ")
        if len(words) >= 2 and is_object_id(words[0]) and is_object_id(words[1]):
            steps.append(_Step(words[0], words[1], what))
    return steps
