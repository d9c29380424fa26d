"""A repository for who reads a few objects and goes: by `git cat-file` and the files of refs, without libgit2.

Loading libgit2 takes longer than git does to find the commit of a line. What is not answered here (revisions, diffs of
texts, writing) is the full repository's, which is opened when first needed and answers the same in all else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from git_agent_session.git.archives import Archives
from git_agent_session.git.discover import Location, foreign_format
from git_agent_session.git.environment import clean_env, of_objects
from git_agent_session.git.objects import Entry, Head, Object, Tree, answer, head_of
from git_agent_session.git.repository import Damaged, Repository, Tip, opened
from git_agent_session.git.running import Running
from git_agent_session.ids import is_object_id

# refs that all worktrees share, and that are plain names
_OURS = ("refs/agent-sessions/", "refs/notes/", "refs/heads/")
# packed refs that are looked for one by one
_FEW = 8
# bytes of a file that holds a ref, or HEAD
_REF = 4096
# requests that git is given before its answers are read: they fit into a pipe
_AHEAD = 256
_TREE, _LINK, _KIND = 0o040000, 0o160000, 0o170000


class Light(Repository):
    """The same repository; `close` it. Raises UnsupportedRepository as the full one does."""

    def __init__(self, location: Location, env: Mapping[str, str] | None = None) -> None:
        self.location = location
        self._env = env or {}
        self._identity = None
        self.archives = Archives(self)
        self._git: Running | None = None
        self._settings: Running | None = None
        self._configured: dict[str, str] | None = None
        # how packed-refs looked, and what it held
        self._packed: tuple[tuple[int, int, int], bytes] = ((0, 0, 0), b"")
        self._tables: tuple[tuple[int, int, int], dict[bytes, Tip]] = ((0, 0, 0), {})
        self._asked = 0
        self._trees: dict[Tip, Tree] = {}
        self._heads: dict[Tip, Head | None] = {}
        if foreign_format(location.common_dir):
            opened(location)

    def __getattr__(self, name: str) -> object:
        if name != "raw":
            raise AttributeError(name)
        self.raw = opened(self.location)
        return self.raw

    @property
    def is_full(self) -> bool:
        """True once the full repository had to be opened."""
        return "raw" in self.__dict__

    def start(self) -> None:
        """Have git start, and read the configuration, meanwhile."""
        self._settings = self._settings or self._run("config", "--list", "-z")
        self._git = self._git or self._run("cat-file", "--batch", stdin=True)

    def close(self) -> None:
        """End what runs for it."""
        for running in (self._git, self._settings):
            if running is not None:
                running.close()
        self._git = self._settings = None

    def _run(self, *args: str, stdin: bool = False) -> Running:
        return Running(args, self.location.git_dir, clean_env(of_objects(self.location)), stdin=stdin)

    # -- refs, from their files

    def pointed(self, ref: str) -> Tip | None:
        """As the full repository's, where the files of refs say it."""
        if not ref.startswith(_OURS) or "\0" in ref or ".." in ref:
            return super().pointed(ref)
        said = _first_line(os.path.join(self.location.common_dir, *ref.split("/")))
        if said is None:
            return self._in_packed(ref)
        return said if is_object_id(said) else super().pointed(ref)

    def _in_packed(self, ref: str) -> Tip | None:
        path = os.path.join(self.location.common_dir, "packed-refs")
        try:
            stat = os.stat(path)
            look = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            # a ref that was packed a moment ago has no file of its own any more
            if look != self._packed[0]:
                with open(path, "rb") as f:
                    self._packed = look, b"\n" + f.read()
        except OSError:
            return None
        self._asked += 1
        if self._asked > _FEW:
            return self._table(look).get(os.fsencode(ref))
        data = self._packed[1]
        at = data.find(b" %s\n" % os.fsencode(ref))
        found = data[data.rfind(b"\n", 0, at) + 1 : at].decode("ascii", "replace") if at > 0 else ""
        return found if is_object_id(found) else None

    def _table(self, look: tuple[int, int, int]) -> dict[bytes, Tip]:
        """The packed refs of _OURS: for who asks for many, to go through the file each time takes longer."""
        if self._tables[0] != look:
            import re

            pairs = re.findall(rb"^([0-9a-f]{40}) (refs/(?:agent-sessions|notes|heads)/.*)$", self._packed[1], re.M)
            self._tables = look, {name: tip.decode("ascii") for tip, name in pairs}
        return self._tables[1]

    def head(self) -> Tip | None:
        """The commit that is checked out, or None before the first."""
        said = _first_line(os.path.join(self.location.git_dir, "HEAD")) or ""
        if is_object_id(said):
            return said
        ref = said.removeprefix("ref: ")
        found = self.pointed(ref) if ref.startswith("refs/heads/") else None
        return found or super().head()

    # -- objects

    def _objects(self, ids: Sequence[Tip]) -> list[Object | None]:
        """The objects of these ids, None for what is not there. Raises GitError."""
        git = self._git = self._git or self._run("cat-file", "--batch", stdin=True)
        stdin, stdout = git.stdin, git.stdout
        assert stdin is not None
        found: list[Object | None] = []
        for start in range(0, len(ids), _AHEAD):
            part = ids[start : start + _AHEAD]
            with contextlib.suppress(BrokenPipeError):
                stdin.write("".join(f"{i}\n" for i in part).encode())
                stdin.flush()
            found += [answer(stdout) for _ in part]
        return found

    def _object(self, id: Tip) -> Object | None:
        (found,) = self._objects([id])
        return found

    def _tree(self, id: Tip) -> Tree:
        """A tree. Raises Damaged."""
        if id not in self._trees:
            found = self._object(id)
            if found is None or found.kind != "tree":
                raise Damaged(f"a git object is damaged or not there: {id}")
            self._trees[id] = Tree(found.data, len(id) // 2)
        return self._trees[id]

    def _head(self, commit: Tip) -> Head | None:
        """The commit of this id; None where it is none, or none that is here."""
        if commit not in self._heads:
            found = self._object(commit) if is_object_id(commit) else None
            self._heads[commit] = head_of(found.data) if found is not None and found.kind == "commit" else None
        return self._heads[commit]

    def _root(self, tip: Tip) -> Tip:
        head = self._head(tip)
        if head is None:
            # with its own words where it is none
            return str(self.commit_at(tip).tree_id)
        return head.tree

    def _at(self, tree: Tip, path: str) -> Entry | None:
        folder, _, name = path.partition("/")
        found = self._tree(tree).get(folder)
        if not name or found is None:
            return found
        return self._at(found.id, name) if found.mode == _TREE else None

    def files(self, tip: Tip, *names: str, limit: int = 32 * 1024 * 1024) -> dict[str, bytes]:
        """As the full repository's."""
        found = self._blobs(self._root(tip), names)
        for name, data in found.items():
            if len(data) > limit:
                raise ValueError(f"{name} holds {len(data)} bytes, more than {limit}")
        return found

    def chain(self, tip: Tip, *, until: Tip | None = None) -> Iterator[Tip]:
        """As the full repository's: a chain without merges is read here."""
        batches: list[Tip] = []
        at = tip
        while at != until:
            head = self._head(at)
            if head is None or len(head.parents) > 1:
                yield from super().chain(tip, until=until)
                return
            batches.append(at)
            if not head.parents:
                if until is not None:
                    yield from super().chain(tip, until=until)
                    return
                break
            at = head.parents[0]
        yield from batches

    def texts(self, tip: Tip, names: Collection[str], limit: int) -> dict[str, bytes | None]:
        """As the full repository's."""
        root = self._root(tip)
        self._load_trees(root, {name[:2] for name in names if name[2:3] == "/"})
        blobs = self._blobs(root, names).items()
        return {name: data if len(data) <= limit else None for name, data in blobs}

    def _blobs(self, root: Tip, names: Collection[str]) -> dict[str, bytes]:
        """The contents of the files at those of the paths that there are."""
        entries = {name: self._at(root, name) for name in names}
        wanted = {name: e.id for name, e in entries.items() if e is not None and e.mode & _KIND not in (_TREE, _LINK)}
        found: dict[str, bytes] = {}
        for (name, id), blob in zip(wanted.items(), self._objects(list(wanted.values())), strict=True):
            if blob is None or blob.kind != "blob":
                raise Damaged(f"a git object is damaged or not there: {id}")
            found[name] = blob.data
        return found

    def _load_trees(self, root: Tip, folders: set[str]) -> None:
        known = self._tree(root)
        late = [e.id for f in folders if (e := known.get(f)) and e.mode == _TREE and e.id not in self._trees]
        for id, found in zip(late, self._objects(late), strict=True):
            if found is not None and found.kind == "tree":
                self._trees[id] = Tree(found.data, len(id) // 2)

    # -- the project's own commits

    def resolve(self, revision: str) -> Tip:
        """As the full repository's; a full id costs one look."""
        return revision if self._head(revision) is not None else super().resolve(revision)

    def commit_facts(self, commit: Tip) -> dict[str, object]:
        """As the full repository's."""
        head = self._head(commit)
        if head is None or head.author is None:
            return super().commit_facts(commit)
        name, written = head.author
        facts = {"subject": head.subject, "author": name, "at": head.at, "authored_at": written}
        return {**facts, "parents": list(head.parents), "tree": head.tree}

    def paths(self, commit: Tip, *, most: int = 500) -> list[str]:
        """As the full repository's."""
        head = self._head(commit)
        before = self._head(head.parents[0]) if head is not None and head.parents else None
        if head is None or (head.parents and before is None):
            return super().paths(commit, most=most)
        try:
            found = sorted(os.fsencode(p) for p in self._differing(before.tree if before else "", head.tree, ""))
        except (ValueError, RecursionError):
            return super().paths(commit, most=most)
        return [path.decode("utf-8", "backslashreplace") for path in found[:most]]

    def _differing(self, before: Tip, after: Tip, folder: str) -> Iterator[str]:
        """The paths below `folder` in which two trees differ ("" is an empty one), twice for one of another kind."""
        if before == after:
            return
        old = self._tree(before).entries if before else {}
        new = self._tree(after).entries if after else {}
        for name in old.keys() | new.keys():
            a, b = old.get(name), new.get(name)
            if a == b:
                continue
            trees = [e.id if e is not None and e.mode == _TREE else "" for e in (a, b)]
            leaves = [e for e in (a, b) if e is not None and e.mode != _TREE]
            if any(trees):
                yield from self._differing(trees[0], trees[1], f"{folder}{name}/")
            # libgit2 tells of a file that became a link, or anything else, as of two changes
            twice = len(leaves) == 2 and leaves[0].mode & _KIND != leaves[1].mode & _KIND
            yield from [folder + name] * (2 if twice else min(len(leaves), 1))

    # -- configuration

    def config(self, key: str) -> str | None:
        """The effective value of a key, as git itself says it."""
        if self._configured is None:
            self.start()
            assert self._settings is not None
            rows = self._settings.stdout.read().decode("utf-8", "surrogateescape").split("\0")
            if self._settings.wait() != 0:
                return super().config(key)
            pairs = (row.partition("\n") for row in rows if row)
            self._configured = {name: value if sep else "true" for name, sep, value in pairs}
        section, _, rest = key.partition(".")
        middle, dot, last = rest.rpartition(".")
        return self._configured.get(f"{section.lower()}.{middle}{dot}{last.lower()}")


def _first_line(path: str) -> str | None:
    """The first line of a small file, None where there is none."""
    try:
        with open(path, "rb") as f:
            return f.read(_REF).decode("ascii", "replace").partition("\n")[0].rstrip()
    except OSError:
        return None
