"""What stood in a settings file before `enable`, kept so that `disable` can bring back every byte, or the absence."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from git_agent_session import live
from git_agent_session.git.discover import Location
from git_agent_session.store.register import state_folder

FOLDER = "enable"


@dataclass(frozen=True, slots=True)
class Kept:
    """`original` is what stood in `path` (None: nothing), `digest` that of what `enable` wrote there.

    `made` are the folders that were made for it, the innermost first.
    """

    path: str
    original: bytes | None
    digest: str
    made: tuple[str, ...] = ()

    def wrote(self, path: str, now: bytes | None) -> bool:
        """True when `now`, what stands in the file, is what `enable` wrote."""
        return self.path == path and now is not None and digest(now) == self.digest


class Backup:
    """`<common dir>/agent-session/enable/<agent>-<scope>-<worktree>.json`: each worktree has settings of its own.

    What is the user's is in the user's state folder, since no repository owns it.
    """

    def __init__(self, location: Location | None, name: str, scope: str, env: Mapping[str, str]) -> None:
        if location is None or scope == "user":
            self.path = os.path.join(state_folder(env), FOLDER, f"{name}-{scope}.json")
            return
        where = hashlib.sha1((location.worktree or "").encode("utf-8", "surrogateescape"), usedforsecurity=False)
        self.path = os.path.join(location.shared, FOLDER, f"{name}-{scope}-{where.hexdigest()[:10]}.json")

    def load(self) -> Kept | None:
        """What was kept, or None."""
        try:
            with open(self.path, encoding="utf-8") as f:
                doc = json.load(f)
            original = doc["original"]
            data = None if original is None else base64.b64decode(original)
            made = tuple(_path(text) for text in doc["made"])
            return Kept(_path(doc["path"]), data, doc["digest"], made)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, kept: Kept) -> None:
        """Keep it; this comes before the settings are touched."""
        doc = {
            "path": _text(kept.path),
            "original": None if kept.original is None else base64.b64encode(kept.original).decode(),
            "digest": kept.digest,
            "made": [_text(path) for path in kept.made],
        }
        live.replace(self.path, json.dumps(doc))

    def drop(self) -> None:
        """Forget it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.path))


def digest(data: bytes | None) -> str:
    """What tells one content from another."""
    return hashlib.sha256(data or b"").hexdigest()


def _text(path: str) -> str:
    return base64.b64encode(os.fsencode(path)).decode()


def _path(text: str) -> str:
    return os.fsdecode(base64.b64decode(text))
