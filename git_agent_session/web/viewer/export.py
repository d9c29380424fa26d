"""The pages as static files: the same templates, followed from the first page along their own links.

What only a server can answer (search, filters, texts of any length, what is live) is left out, and so are pages past
the bounds below: their links are not there. The files need no server; a browser opens them from disk.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from git_agent_session import index
from git_agent_session.errors import AgentSessionError, StorageError, UsageError
from git_agent_session.ids import is_session_id
from git_agent_session.index.derived import Index
from git_agent_session.index.refresh import Progress
from git_agent_session.store.store import Store
from git_agent_session.web.viewer import lists, pages, site

# the youngest of each that get a page
SESSIONS, COMMITS, FILES = 2_000, 2_000, 1_000
# lists of commits
LISTS = 50
# names the files that an export wrote, so that the next one can take away what is gone
MARK = "agent-session-files.txt"
_OURS = re.compile(r"(?:[a-z]+/)?[a-z0-9-]+\.(?:html|css|js|svg)")

Wish = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Written:
    """What an export did: the first page's path, how many pages, and seconds."""

    path: str
    pages: int
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"path": self.path, "pages": self.pages, "seconds": round(self.seconds, 3)}


class Files:
    """Links to files; each page that is linked is wished for, and gets a name."""

    is_static = True

    def __init__(self, wanted: Mapping[str, frozenset[str]]) -> None:
        """`wanted`: the keys of the pages there may be, for kinds that are bounded."""
        self._wanted = wanted
        self._names: dict[Wish, str] = {}
        self._counts: dict[str, int] = {}
        self.waiting: deque[Wish] = deque()
        self.here = ""

    def page(self, name: str, key: str = "", **query: object) -> str:
        """The page's file, relative to the one that is being written; "" for one that there is not."""
        if name in ("live", "text", "counts", "lines") or query.get("show"):
            return ""
        if name in self._wanted and key not in self._wanted[name]:
            return ""
        given = {k.rstrip("_"): str(v) for k, v in query.items() if v not in ("", None, 0)}
        wish = (name, key, tuple(sorted(given.items())))
        if wish not in self._names:
            made = self._name(wish)
            if not made:
                return ""
            self._names[wish] = made
            self.waiting.append(wish)
        return self._relative(self._names[wish])

    def name(self, wish: Wish) -> str:
        """The file of a page that was wished for."""
        return self._names[wish]

    def asset(self, name: str) -> str:
        """The file of a script, a style or a picture."""
        return self._relative(f"assets/{name}")

    def _relative(self, name: str) -> str:
        return posixpath.relpath(name, posixpath.dirname(self.here) or ".")

    def _name(self, wish: Wish) -> str:
        name, key, query = wish
        if name in ("sessions", "commits") or not key:
            number = self._counts[name] = self._counts.get(name, 0) + 1
            first = {"sessions": "index"}.get(name, name)
            if number > {"sessions": SESSIONS // lists.PAGE, "commits": LISTS}.get(name, 1):
                return ""
            return f"{first}.html" if number == 1 else f"{name}-{number}.html"
        # an id of ours is a good name; a path or an id of others' might be none on some file system
        plain = key if name in ("session", "commit") else ""
        of = (
            plain or hashlib.sha256(f"{key} {dict(query).get('event', '')}".encode("utf-8", "replace")).hexdigest()[:20]
        )
        part = dict(query).get("from", "")
        return f"{name}/{of}-{part}.html" if part else f"{name}/{of}.html"


def write(store: Store, folder: str, progress: Progress | None = None) -> Written:
    """Write the pages of a repository into `folder`, which is new, empty, or of an earlier export.

    `progress` gets how many pages are done and how many are known of. Raises UsageError, StorageError.
    """
    begun = time.perf_counter()
    before = _before(folder)
    found = index.open(store)
    found.refresh()
    links = Files(_wanted(store, found))
    desk = pages.Desk(store, links)
    done: list[str] = []
    try:
        for name in site.ASSETS:
            _put(folder, f"assets/{name}", site.asset(name), done)
        links.page("sessions")
        while links.waiting:
            wish = links.waiting.popleft()
            links.here = links.name(wish)
            _put(folder, links.here, _page(desk, wish).encode("utf-8", "replace"), done)
            if progress is not None:
                progress(len(done) - len(site.ASSETS), len(done) - len(site.ASSETS) + len(links.waiting))
        for gone in before - set(done):
            os.unlink(os.path.join(folder, *gone.split("/")))
        _put(folder, MARK, "".join(f"{name}\n" for name in sorted(done)).encode(), [])
    except OSError as e:
        raise StorageError(f"cannot write to {folder}: {e.strerror}", hint="name a folder that can be written") from e
    return Written(os.path.join(folder, "index.html"), len(done) - len(site.ASSETS), time.perf_counter() - begun)


def _wanted(store: Store, found: Index) -> dict[str, frozenset[str]]:
    sessions = found.query("SELECT id FROM sessions ORDER BY started_at DESC, id DESC LIMIT ?", [SESSIONS])
    commits = found.query("SELECT commit_id FROM commits ORDER BY at DESC LIMIT ?", [COMMITS])
    query = "SELECT path, count(*) FROM files GROUP BY path ORDER BY count(*) DESC, path LIMIT ?"
    paths = {p for p, _ in found.query(query, [FILES]) if store.repo.blob_at(store.repo.head() or "", p)}
    folders = {"/".join(p.split("/")[:n]) for p in paths for n in range(p.count("/") + 1)}
    return {
        "session": frozenset(i for (i,) in sessions if is_session_id(i)),
        "commit": frozenset(c for (c,) in commits),
        "files": frozenset(paths | folders),
    }


def _page(desk: pages.Desk, wish: Wish) -> str:
    name, key, pairs = wish
    query = dict(pairs)
    try:
        if name == "sessions":
            return pages.sessions(desk, query)
        if name == "session":
            return pages.session(desk, key, query)
        if name == "context":
            return pages.context(desk, key, query.get("event", ""))
        if name == "commits":
            return pages.commits(desk, query.get("at", ""))
        if name == "commit":
            return pages.commit(desk, key)
        return pages.files_at(desk, key, query) if name == "files" else pages.stats(desk)
    except AgentSessionError as e:
        # one that cannot be read must not keep the others from being written
        return pages.trouble(desk, e)


def _before(folder: str) -> set[str]:
    """The files of an earlier export. Raises UsageError for a folder that holds anything else."""
    try:
        held = os.listdir(folder)
    except FileNotFoundError:
        return set()
    except OSError as e:
        raise UsageError(f"{folder} is no folder: {e.strerror}", hint="name one that does not exist yet") from e
    if not held:
        return set()
    if MARK not in held:
        raise UsageError(f"{folder} holds other files", hint="name a folder that does not exist yet")
    with open(os.path.join(folder, MARK), encoding="utf-8", errors="replace") as f:
        names = {line.strip() for line in f}
    return {n for n in names if _OURS.fullmatch(n) and os.path.isfile(os.path.join(folder, *n.split("/")))}


def _put(folder: str, name: str, data: bytes, done: list[str]) -> None:
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    done.append(name)
