"""Where a copy goes, and under which name a repository stands in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from dataclasses import dataclass

from git_agent_session import codec
from git_agent_session.errors import StorageError, UsageError
from git_agent_session.model import Doc
from git_agent_session.store.reader import Reader

KINDS = ("sqlite", "postgresql", "jsonl", "parquet")
FORMS = "sqlite:FILE, postgresql://…, jsonl:FILE, jsonl:- or parquet:DIR"

_SECRET = re.compile(r"//[^/@\s]*@")
# options may hold a password too, under names that a driver does not even know
_OPTIONS = re.compile(r"(://[^\s?]*\?)\S*")


@dataclass(frozen=True, slots=True)
class Place:
    """A target: its kind, one of KINDS, and the file, the folder or the URL."""

    kind: str
    where: str

    @classmethod
    def parse(cls, text: str, base: str = "") -> Place:
        """The place that `text` names; raises UsageError, which never repeats what may hold a password."""
        kind, colon, rest = text.partition(":")
        kind = {"postgres": "postgresql"}.get(kind, kind)
        if not colon or kind not in KINDS or not rest:
            raise UsageError(f"{shown(text)!r} is no place for a copy", hint=f"use {FORMS}")
        if kind == "postgresql":
            if not rest.startswith("//"):
                raise UsageError("a PostgreSQL database is named by a URL", hint="postgresql://user@host/database")
            return cls(kind, f"postgresql:{rest}")
        rest = rest.removeprefix("//") if kind == "sqlite" and rest.startswith("///") else rest
        return cls(kind, rest if rest == "-" else os.path.abspath(os.path.join(base, rest)))

    def __str__(self) -> str:
        """The place as it may be shown: without a password."""
        return shown(self.where) if self.kind == "postgresql" else f"{self.kind}:{self.where}"


def shown(text: str) -> str:
    """A URL without user, password and options."""
    return _OPTIONS.sub(r"\1***", _SECRET.sub("//***@", codec.clean(text, 500)))


@dataclass(frozen=True, slots=True)
class Identity:
    """A repository in a copy: its name, and the id of this clone of it, which says whose a row is."""

    name: str
    clone: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy took: how many sessions were written, how many deleted, and how many it holds of this repository."""

    to: str
    repository: str
    written: int
    deleted: int
    sessions: int

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        told = {"to": self.to, "repository": self.repository}
        return {**told, "written": self.written, "deleted": self.deleted, "sessions": self.sessions}


def identity(store: Reader, name: str = "") -> Identity:
    """Who this repository is: `name`, else the URL of its remote `origin`, else its folder and the clone's id."""
    clone = _clone_id(store.shared)
    given = codec.clean(name, 200).strip()
    if name and not given:
        raise UsageError("the name of a repository is empty", hint="give one, such as --as website")
    if given:
        return Identity(given, clone)
    remote = store.repo.config("remote.origin.url")
    if remote:
        return Identity(_plain(remote), clone)
    folder = os.path.basename(os.path.dirname(store.repo.location.common_dir.rstrip("/\\"))) or "repository"
    return Identity(f"{codec.clean(folder, 100)}-{clone[:8]}", clone)


def _plain(url: str) -> str:
    """A remote's URL without user, password and `.git`, so that clones over ssh and https are one repository."""
    bare = re.sub(r"^[a-z+]+://", "", codec.clean(url, 400).strip(), flags=re.I)
    bare = bare.rpartition("@")[2] if "@" in bare.partition("/")[0] else bare
    bare = re.sub(r"^([^/:\\]{2,}):(?!\d+/)", r"\1/", bare)
    return bare.rstrip("/").removesuffix(".git") or "repository"


def _clone_id(shared: str) -> str:
    """A random id that this clone keeps."""
    path = os.path.join(shared, "clone")
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as f:
        if re.fullmatch(r"[0-9a-f]{32}", found := f.read(40).strip()):
            return found
    try:
        os.makedirs(shared, mode=0o700, exist_ok=True)
        aside = f"{path}.{os.getpid()}"
        with open(aside, "w", encoding="ascii") as f:
            f.write(uuid.uuid4().hex + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        os.unlink(aside)
        with open(path, encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        # where nothing can be written, the place is as good
        return hashlib.sha256(os.path.realpath(shared).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def unwritable(path: str, error: OSError) -> StorageError:
    """The error for a file that cannot be written."""
    return StorageError(f"cannot write {path}: {error.strerror or error}", hint="name another place")
