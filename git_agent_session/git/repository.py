"""The narrow door to git objects and refs: everything the store needs, and the only place that knows pygit2.

Refs move by compare-and-swap alone: under libgit2's own lock on the ref, its value is read again and must be the one
the caller built on. `git notes`, `create_note` and a forced reference lose updates when two write at once (see
docs/decisions.md). Paths and revisions are those of git; ids are full hexadecimal texts.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from git_agent_session.errors import CommitNotFound, NotARepository, StorageError
from git_agent_session.git.archives import Archives
from git_agent_session.git.discover import Location, discover
from git_agent_session.git.opening import one_line as one_line
from git_agent_session.git.opening import opened as opened
from git_agent_session.git.ref_files import SESSIONS as SESSIONS
from git_agent_session.git.writing import unwritable, written
from git_agent_session.ids import is_session_id

if TYPE_CHECKING:
    import pygit2
    from pygit2 import Commit, Oid
else:
    from git_agent_session.git.lazily import pygit2

# a ref's lock is held for milliseconds; one that is older than this was left by a process that died
STALE_LOCK_SECONDS = 30.0
WAIT_SECONDS = 10.0

# what `is_session_id` says, for thousands of refs at once
_SESSION = re.compile(re.escape(SESSIONS) + "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

FILE_MODE = 0o100644
TREE_MODE = 0o040000

Tip = str
Files = Mapping[str, bytes]


class Moved(Exception):
    """The ref is no longer where the caller built on: read again and retry."""


class Damaged(ValueError):
    """A git object is damaged or not there."""


class Repository:
    """An open repository. Not for use by several threads at once. `raw` is pygit2's, for this package only."""

    def __init__(self, location: Location, env: Mapping[str, str] | None = None) -> None:
        self.location = location
        self._env = env or {}
        self.raw = opened(location)
        self.archives = Archives(self)
        self._identity: tuple[str, str] | None = None

    @classmethod
    def find(cls, start: str | None = None, env: Mapping[str, str] | None = None) -> Repository:
        """The repository around `start` (default: the current folder; `env` as for `discover`).

        Raises NotARepository when there is none, UnsupportedRepository when libgit2 cannot open it.
        """
        location = discover(start, env)
        if location is None:
            where = os.path.abspath(start) if start else os.getcwd()
            raise NotARepository(f"not a git repository: {where}", hint="run this inside one, or `git init` first")
        return cls(location, env)

    # -- refs

    def tip(self, ref: str) -> Tip | None:
        """The id that `ref` points at, or None; a symbolic ref is none of ours.

        Where a session's ref is not there, what an archive says of it: nobody need know which of both it is.
        """
        found = self.pointed(ref)
        if found is None and ref.startswith(SESSIONS) and is_session_id(ref[len(SESSIONS) :]):
            return self.archives.tip(ref[len(SESSIONS) :])
        return found

    def pointed(self, ref: str) -> Tip | None:
        """The id that the ref itself points at, whatever archives say, or None."""
        try:
            target = self.raw.references[ref].target
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return None if isinstance(target, str) else str(target)

    def refs(self, prefix: str) -> dict[str, Tip]:
        """All direct refs whose name starts with `prefix`, and where they point."""
        found = {}
        for reference in self.raw.listall_reference_objects():
            name = reference.name
            if name.startswith(prefix) and not isinstance(target := reference.target, str):
                found[name] = str(target)
        return found

    def sessions(self, refs: Mapping[str, Tip] | None = None) -> dict[str, Tip]:
        """The tips of all sessions by id, those in archives too; `refs` is what `refs` said just now, where known."""
        cut = len(SESSIONS)
        seen = self.refs(SESSIONS) if refs is None else refs
        found = {n[cut:]: tip for n, tip in seen.items() if _SESSION.fullmatch(n)}
        # looked at last: what is being archived is in one of both then; what was reopened counts as it is now
        return {**self.archives.tips(), **found}

    def swap(self, ref: str, new: Tip | None, old: Tip | None, reason: str, *, wait: float = WAIT_SECONDS) -> None:
        """Move `ref` from `old` (None: it does not exist) to `new` (None: remove it), or raise Moved.

        `old` is what `tip` said: an archived session gets its ref back, and archives stay as they are. Waits up to
        `wait` seconds for another writer's lock, then raises StorageError.
        """
        deadline = time.monotonic() + wait
        while True:
            try:
                with self.raw.transaction() as transaction:
                    transaction.lock_ref(ref)
                    if self.tip(ref) != old:
                        raise Moved(ref)
                    if new is not None:
                        transaction.set_target(ref, new, message=f"agent-session: {reason}")
                    elif self.pointed(ref) is not None:
                        transaction.remove(ref)
                return
            except (pygit2.GitError, OSError, ValueError) as e:
                self._wait_for_lock(ref, deadline, e)

    def _wait_for_lock(self, ref: str, deadline: float, error: Exception) -> None:
        lock = os.path.join(self.location.common_dir, *ref.split("/")) + ".lock"
        if not os.path.exists(lock) and "lock" not in str(error):
            raise StorageError(
                f"cannot update {ref}: {one_line(error)}", hint="free disk space or make the repository writable"
            ) from error
        if _break_stale(lock):
            return
        if time.monotonic() >= deadline:
            raise StorageError(
                f"cannot lock {ref}: {lock} exists", hint="if no git process is running, remove that file"
            ) from error
        import random

        time.sleep(0.001 + random.random() * 0.01)

    # -- objects

    def write_batch(self, files: Files, parents: list[Tip], message: str) -> Tip:
        """Write a commit whose tree holds `files` (paths with at most one `/`) and return its id; no ref moves."""
        top: dict[str, tuple[Oid, int]] = {}
        folders: dict[str, dict[str, Oid]] = {}
        try:
            for path, content in files.items():
                folder, _, name = path.rpartition("/")
                blob = written(self.raw.create_blob, content)
                if folder:
                    folders.setdefault(folder, {})[name] = blob
                else:
                    top[name] = (blob, FILE_MODE)
            for folder, entries in folders.items():
                top[folder] = (self._write_tree({n: (o, FILE_MODE) for n, o in entries.items()}), TREE_MODE)
            return self.write_commit(self._write_tree(top), parents, message)
        except (pygit2.GitError, OSError) as e:
            raise unwritable(e) from e

    def _write_tree(self, entries: Mapping[str, tuple[Oid, int]]) -> Oid:
        builder = self.raw.TreeBuilder()
        for name, (oid, mode) in entries.items():
            builder.insert(name, oid, mode)
        return written(builder.write)

    def write_commit(self, tree: Oid, parents: list[Tip], message: str) -> Tip:
        """Write a commit of the user's and return its id; no ref moves."""
        who = self._signature()
        return str(written(self.raw.create_commit, None, who, who, message, tree, list(parents)))

    def files(self, tip: Tip, *names: str, limit: int = 32 * 1024 * 1024) -> dict[str, bytes]:
        """The named files of the batch `tip`, those that exist.

        Raises ValueError for one larger than `limit` bytes, and for objects that are damaged or not there.
        """
        found: dict[str, bytes] = {}
        with _readable():
            tree = self.commit_at(tip).tree
            for name in names:
                if name in tree and isinstance(entry := tree[name], pygit2.Blob):
                    if entry.size > limit:
                        raise ValueError(f"{name} holds {entry.size} bytes, more than {limit}")
                    found[name] = entry.data
        return found

    def texts(self, tip: Tip, names: Collection[str], limit: int) -> dict[str, bytes | None]:
        """The files among `names` that there are, of which there may be many; None for one larger than `limit` bytes.

        Raises ValueError for objects that are damaged or not there.
        """
        found: dict[str, bytes | None] = {}
        with _readable():
            root = self.commit_at(tip).tree
            # libgit2 keeps no large tree, and would read a folder of many notes for each
            folders: dict[str, object] = {"": root}
            for name in names:
                folder, _, file = name.partition("/") if "/" in name else ("", "", name)
                if folder not in folders and folder in root:
                    folders[folder] = root[folder]
                tree = folders.get(folder)
                if isinstance(tree, pygit2.Tree) and file in tree and isinstance(entry := tree[file], pygit2.Blob):
                    found[name] = entry.data if entry.size <= limit else None
        return found

    def names(self, tip: Tip, folder: str) -> list[str]:
        """The names in a folder of the batch `tip`; none where it has no such folder.

        Raises ValueError for objects that are damaged or not there.
        """
        with _readable():
            tree = self.commit_at(tip).tree
            if folder in tree and isinstance(held := tree[folder], pygit2.Tree):
                return [entry.name or "" for entry in held]
        return []

    def chain(self, tip: Tip, *, until: Tip | None = None) -> Iterator[Tip]:
        """The batches reachable from `tip`, children before their parents, without `until` and what it reaches.

        Raises ValueError where an object is damaged or not there.
        """
        from pygit2.enums import SortMode

        with _readable():
            self.commit_at(tip)
            walker = self.raw.walk(pygit2.Oid(hex=tip), SortMode.TOPOLOGICAL)
            if until is not None:
                walker.hide(pygit2.Oid(hex=until))
            batches = [str(commit.id) for commit in walker]
        yield from batches

    def descends(self, tip: Tip, ancestor: Tip) -> bool:
        """True when `ancestor` is `tip` or reachable from it."""
        try:
            return tip == ancestor or self.raw.descendant_of(tip, ancestor)
        except (pygit2.GitError, KeyError, ValueError):
            return False

    def commit_at(self, tip: Tip) -> Commit:
        """The commit `tip`; raises ValueError when it is none."""
        with _readable():
            found: object = self.raw.get(tip)
        if not isinstance(found, pygit2.Commit):
            raise ValueError("it does not point at a commit")
        return found

    # -- the project's own commits

    def resolve(self, revision: str) -> Tip:
        """The full id of the commit that `revision` names (gitrevisions(7)); raises CommitNotFound."""
        from pygit2.enums import ObjectType

        try:
            return str(self.raw.revparse_single(revision).peel(ObjectType.COMMIT).id)
        except (KeyError, ValueError, pygit2.GitError) as e:
            shown = revision.encode("utf-8", "backslashreplace").decode()
            raise CommitNotFound(f"no commit is named {shown!r}", hint="see `git log`") from e

    def head(self) -> Tip | None:
        """The commit that is checked out, or None before the first."""
        try:
            return str(self.raw.head.target)
        except (pygit2.GitError, KeyError):
            return None

    def commit_facts(self, commit: Tip) -> dict[str, object]:
        """Of a project commit: `subject`, `author`, `at` (epoch seconds), `parents`, `tree`; empty when it is gone."""
        found = self._project_commit(commit)
        if found is None:
            return {}
        return {
            "subject": (found.message or "").lstrip("\n").partition("\n")[0],
            "author": found.author.name,
            "at": found.commit_time,
            "authored_at": found.author.time,
            "parents": [str(p) for p in found.parent_ids],
            "tree": str(found.tree_id),
        }

    def changed_paths(self, commit: Tip, *, most: int = 500) -> tuple[list[str], str]:
        """The paths a commit changes against its first parent, and its patch id (git-patch-id(1), stable).

        A merge's are those against its first parent too. More than `most` paths are cut. There is no patch id for a
        merge, for more than `most` paths, and for binary files, of which git makes another one than libgit2.
        """
        found = self._project_commit(commit)
        if found is None:
            return [], ""
        try:
            before = found.parents[0].tree if found.parent_ids else None
            diff = before.diff_to_tree(found.tree) if before else found.tree.diff_to_tree(swap=True)
            raw = [d.new_file.raw_path or d.old_file.raw_path for d in diff.deltas]
            paths = [p.decode("utf-8", "backslashreplace") for p in raw]
            wanted = 0 < len(paths) <= most and len(found.parent_ids) < 2
            patch_id = str(diff.patchid) if wanted else ""
            if any(delta.is_binary for delta in diff.deltas):
                patch_id = ""
        except (pygit2.GitError, KeyError, ValueError, UnicodeError):
            return [], ""
        return paths[:most], patch_id

    def paths(self, commit: Tip, *, most: int = 500) -> list[str]:
        """The paths of `changed_paths` alone."""
        return self.changed_paths(commit, most=most)[0]

    def blob_at(self, commit: Tip, path: str) -> str:
        """The id of what stands at `path` in a project commit, "" for nothing."""
        found = self._project_commit(commit)
        try:
            return str(found.tree[path].id) if found is not None else ""
        except (KeyError, ValueError, UnicodeError, pygit2.GitError):
            return ""

    def _project_commit(self, commit: Tip) -> Commit | None:
        try:
            found: object = self.raw.get(commit)
        except (ValueError, UnicodeError):
            return None
        return found if isinstance(found, pygit2.Commit) else None

    # -- config and identity

    def config(self, key: str) -> str | None:
        """The effective value of a config key, or None."""
        try:
            return str(self.raw.config[key])
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def config_bool(self, key: str, default: bool) -> bool:
        """The effective value of a boolean config key; what is no boolean counts as `default`."""
        try:
            return self.raw.config.get_bool(key)
        except (KeyError, ValueError, pygit2.GitError):
            return default

    @property
    def identity(self) -> tuple[str, str]:
        """Name and mail of the user, as git itself finds an author's; a neutral pair where none is set."""
        if self._identity is None:
            name = self._env.get("GIT_AUTHOR_NAME") or self.config("author.name") or self.config("user.name")
            mail = self._env.get("GIT_AUTHOR_EMAIL") or self.config("author.email") or self.config("user.email")
            self._identity = (name or "git agent-session", mail or "agent-session@git.invalid")
        return self._identity

    def _signature(self) -> pygit2.Signature:
        name, mail = self.identity
        try:
            return pygit2.Signature(name, mail)
        except (ValueError, pygit2.GitError):
            return pygit2.Signature("git agent-session", "agent-session@git.invalid")


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (pygit2.GitError, KeyError, OSError) as e:
        raise Damaged(f"a git object is damaged or not there: {one_line(e)}") from e


def _break_stale(lock: str) -> bool:
    """Remove the lock file of a dead process; True when the caller should try again at once."""
    try:
        before = os.stat(lock)
        if time.time() - before.st_mtime < STALE_LOCK_SECONDS:
            return False
        # by renaming, so that of two who break it only one does, and a new holder's lock is put back
        aside = f"{lock}.stale-{os.getpid()}"
        os.rename(lock, aside)
        if os.stat(aside).st_ino != before.st_ino:
            os.link(aside, lock)
        os.unlink(aside)
    except OSError:
        return False
    return True
