"""Several clones of one bare repository, and what they must agree on in the end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import git_agent_session
from git_agent_session import sync
from git_agent_session.git import notes
from git_agent_session.store import links
from git_agent_session.store.store import Store
from tests.harness import Repo

SESSIONS = "refs/agent-sessions/"
TRACKED = "refs/agent-sessions-remotes/origin/"


class Clone(Repo):
    """One person's clone, `origin` being the server."""

    @property
    def store(self) -> Store:
        """Opened anew each time, as a command would."""
        return git_agent_session.open(str(self.path))

    def sync(self, **options: Any) -> sync.Report:
        report = sync.sync(self.store, "origin", **options)
        assert report.ok, (report.errors, [r for r in report.latest() if r.bad])
        return report

    def tips(self, prefix: str = SESSIONS) -> dict[str, str]:
        rows = self.lines("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        return dict(row.split(" ", 1) for row in rows)

    def notes(self) -> dict[str, str]:
        """Commit -> its note, of all commits that have one, here or not."""
        if notes.REF not in self.tips("refs/notes/"):
            return {}
        found = {}
        for row in self.lines("ls-tree", "-r", notes.REF):
            _, _, blob, path = row.split(None, 3)
            found[path.replace("/", "")] = self.git("cat-file", "blob", blob)
        return found


class Team:
    """A bare repository and its clones."""

    def __init__(self, root: Path, server: Path | None = None, url: str = "") -> None:
        self.root = root
        self.server = Repo(server or root / "server.git")
        if not self.server.path.exists():
            Repo.init(self.server.path, "--bare")
        self.url = url or str(self.server.path)

    def clone(self, name: str) -> Clone:
        clone = Clone(self.root / name)
        Repo.init(clone.path)
        clone.git("remote", "add", "origin", self.url)
        clone.git("config", "user.name", name)
        clone.git("config", "user.email", f"{name}@example.org")
        return clone

    def raw(self, ref: str, oid: str) -> None:
        """Put anything under a ref of the server, as a hostile push would."""
        self.server.git("update-ref", ref, oid)

    def batch(self, state: str, events: str, *parents: str) -> str:
        """A commit of the server written by plain git; "" leaves a file out."""
        rows = []
        for name, text in (("events.toml", events), ("session.toml", state)):
            if text:
                rows.append(f"100644 blob {self.server.git('hash-object', '-w', '--stdin', input=text)}\t{name}\n")
        tree = self.server.git("mktree", input="".join(rows))
        given = [a for p in parents for a in ("-p", p)]
        return self.server.git("commit-tree", tree, *given, "-m", "x")


def content(clone: Clone) -> dict[str, tuple[str, list[str]]]:
    """Session id -> its state and its events, as they can be compared."""
    store = clone.store
    found = {}
    for session_id in sorted(store.ids()):
        events = [json.dumps(e.to_dict(), sort_keys=True) for e in store.history(session_id)]
        found[session_id] = (json.dumps(store.get(session_id).to_dict(), sort_keys=True), events)
    return found


def agree(clones: Iterable[Clone]) -> None:
    """Assert that all have the same refs, events, states and notes, and that the notes are those of the events."""
    first, *others = clones
    expected, noted = content(first), first.notes()
    tips = first.tips()
    for other in others:
        assert other.tips() == tips
        assert content(other) == expected
        assert other.notes() == noted
    assert noted_of(first) == {c: {n.session_id for n in links.parse(t)} for c, t in noted.items()}


def noted_of(clone: Clone) -> dict[str, set[str]]:
    """Commit -> the sessions whose events link it."""
    store = clone.store
    found: dict[str, set[str]] = {}
    for session_id in store.ids():
        for link in store.commits(session_id):
            found.setdefault(link.commit, set()).add(session_id)
    return found
