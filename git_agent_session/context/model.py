"""What a context snapshot holds, and how it becomes plain values for TOML and comes back.

Reading is lenient, because a snapshot may have been pushed by anybody: a value of the wrong type counts as absent. It
neither asks git nor reads files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOKEN_METHOD = "estimate: characters of the rendered text / 4"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: full id, RFC 3339 author date, author's name, subject."""

    id: str
    date: str
    author: str
    subject: str

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "date": self.date, "author": self.author, "subject": self.subject}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Commit:
        return cls(_text(data, "id"), _text(data, "date"), _text(data, "author"), _text(data, "subject"))


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs from the head: `code` is git-status(1)'s XY, `??` if untracked; lines added and deleted."""

    path: str
    code: str
    added: int = 0
    deleted: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "code": self.code, "added": self.added, "deleted": self.deleted}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Change:
        return cls(_text(data, "path"), _text(data, "code"), _number(data, "added"), _number(data, "deleted"))


@dataclass(frozen=True, slots=True)
class Changes:
    """All that is uncommitted: how many paths of each kind, lines added and deleted, and the first of the paths."""

    staged: int = 0
    unstaged: int = 0
    untracked: int = 0
    conflicted: int = 0
    added: int = 0
    deleted: int = 0
    paths: tuple[Change, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "staged": self.staged,
            "unstaged": self.unstaged,
            "untracked": self.untracked,
            "conflicted": self.conflicted,
            "added": self.added,
            "deleted": self.deleted,
            "paths": [c.to_dict() for c in self.paths],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Changes:
        return cls(
            _number(data, "staged"),
            _number(data, "unstaged"),
            _number(data, "untracked"),
            _number(data, "conflicted"),
            _number(data, "added"),
            _number(data, "deleted"),
            tuple(map(Change.from_dict, _tables(data, "paths"))),
        )


@dataclass(frozen=True, slots=True)
class Language:
    """The tracked files of one language (or of one extension): how many, and their size in bytes."""

    name: str
    files: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "files": self.files, "bytes": self.bytes}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Language:
        return cls(_text(data, "name"), _number(data, "files"), _number(data, "bytes"))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder at the top level (`.`: the files that lie there) and how many tracked files it holds."""

    path: str
    files: int

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "files": self.files}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Folder:
        return cls(_text(data, "path"), _number(data, "files"))


@dataclass(frozen=True, slots=True)
class Document:
    """A file to read first: size in bytes, the head of its text, and a `note` where that is not all of it."""

    path: str
    bytes: int
    text: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "bytes": self.bytes, "text": self.text, "note": self.note}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Document:
        return cls(_text(data, "path"), _number(data, "bytes"), _text(data, "text"), _text(data, "note"))


@dataclass(frozen=True, slots=True)
class Task:
    """Something left to do: where it stands (`line` from 1) and what it says."""

    path: str
    line: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "line": self.line, "text": self.text}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        return cls(_text(data, "path"), _number(data, "line"), _text(data, "text"))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository as an agent should know it before it starts. `branch` is empty when the head is detached, `head`
    None before the first commit; `truncated` says what the budget (in tokens) and the other bounds left out."""

    taken_at: str = ""
    budget: int = 0
    branch: str = ""
    head: Commit | None = None
    bare: bool = False
    upstream: str = ""
    ahead: int = 0
    behind: int = 0
    file_count: int = 0
    byte_count: int = 0
    submodules: int = 0
    token_estimate: int = 0
    token_method: str = TOKEN_METHOD
    changes: Changes = field(default_factory=Changes)
    commits: tuple[Commit, ...] = ()
    languages: tuple[Language, ...] = ()
    folders: tuple[Folder, ...] = ()
    documents: tuple[Document, ...] = ()
    tasks: tuple[Task, ...] = ()
    truncated: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for TOML or JSON; `head` is left out before the first commit."""
        out: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        out["truncated"] = list(self.truncated)
        if self.head:
            out["head"] = self.head.to_dict()
        out["changes"] = self.changes.to_dict()
        out["commits"] = [c.to_dict() for c in self.commits]
        out["languages"] = [x.to_dict() for x in self.languages]
        out["folders"] = [f.to_dict() for f in self.folders]
        out["documents"] = [d.to_dict() for d in self.documents]
        out["tasks"] = [t.to_dict() for t in self.tasks]
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        """The snapshot that `to_dict` wrote; never raises on other content."""
        head = _table(data, "head")
        truncated = data.get("truncated")
        return cls(
            **{name: read(data, name) for name, read in _PLAIN.items()},
            head=Commit.from_dict(head) if head else None,
            changes=Changes.from_dict(_table(data, "changes")),
            commits=tuple(map(Commit.from_dict, _tables(data, "commits"))),
            languages=tuple(map(Language.from_dict, _tables(data, "languages"))),
            folders=tuple(map(Folder.from_dict, _tables(data, "folders"))),
            documents=tuple(map(Document.from_dict, _tables(data, "documents"))),
            tasks=tuple(map(Task.from_dict, _tables(data, "tasks"))),
            truncated=tuple(t for t in truncated if isinstance(t, str)) if isinstance(truncated, list) else (),
        )

    def to_markdown(self) -> str:
        """The snapshot as text for an agent to read."""
        from git_agent_session.context.markdown import render

        return render(self)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _number(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _flag(data: Mapping[str, Any], key: str) -> bool:
    return data.get(key) is True


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key)
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


_PLAIN: dict[str, Any] = {
    "taken_at": _text,
    "budget": _number,
    "branch": _text,
    "bare": _flag,
    "upstream": _text,
    "ahead": _number,
    "behind": _number,
    "file_count": _number,
    "byte_count": _number,
    "submodules": _number,
    "token_estimate": _number,
    "token_method": _text,
}
