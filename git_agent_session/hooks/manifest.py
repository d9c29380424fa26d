"""What an install writes down so that uninstall can put back every byte: `<common
dir>/agent-session/hooks/installed.json`.

It holds the configuration files as they were (with the permissions of the file, since they may hold credentials), a
hash of what they became, and hashes of the hook files put in place. It decides nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME = "installed.json"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A value that was put into a configuration file; `before` is what it replaced there, None for nothing."""

    key: str
    value: str
    before: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A configuration file that was changed; `file` is relative to the common folder, the user's is absolute.

    `before` is all it held, None once that can no longer be put back as a whole; `after` is the hash of what it became.
    """

    file: str
    before: bytes | None
    after: str
    keys: tuple[KeyChange, ...]

    def value_of(self, key: str) -> KeyChange | None:
        """The change to `key`, if there was one."""
        return next((k for k in self.keys if k.key == key), None)


def after_change(
    known: ConfigChange | None, file: str, now: bytes, data: bytes, keys: Sequence[KeyChange]
) -> ConfigChange:
    """What to write down of `file`, over what is `known` of it, when `keys` make `data` of the bytes `now`."""
    entry = known or ConfigChange(file, now, digest(now), ())
    replaced = {k.key for k in keys}
    # as it was before: an install that was killed has written down what it then did not do
    whole = entry.after == digest(now) or entry.before == now
    kept = (k for k in entry.keys if k.key not in replaced)
    return ConfigChange(file, entry.before if whole else None, digest(data), (*kept, *keys))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One installation: whether it made the hooks folder, the hashes of each hook put there, the configuration.

    `made` are the paths, deepest last, that did not exist before an install for all repositories.
    """

    made_hooks: bool = False
    files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    configs: tuple[ConfigChange, ...] = ()
    made: tuple[str, ...] = ()

    def hashes(self, name: str) -> tuple[str, ...]:
        """The hashes that the hook `name` had when it was put in place, newest first."""
        return dict(self.files).get(name, ())

    def config(self, file: str) -> ConfigChange | None:
        """What was done to `file`, if anything."""
        return next((c for c in self.configs if c.file == file), None)

    def to_bytes(self) -> bytes:
        """As JSON; bytes that are no UTF-8 in paths and values survive as escaped surrogates."""
        document: dict[str, Any] = {
            "version": 1,
            "made_hooks": self.made_hooks,
            "files": {name: list(hashes) for name, hashes in self.files},
            "configs": [
                {
                    "file": c.file,
                    "before": None if c.before is None else base64.b64encode(c.before).decode(),
                    "after": c.after,
                    "keys": [[k.key, k.value, k.before] for k in c.keys],
                }
                for c in self.configs
            ],
        }
        if self.made:
            document["made"] = list(self.made)
        return json.dumps(document, indent=1).encode() + b"\n"


def parse(data: bytes) -> Manifest | None:
    """The manifest in `data`; None when it is not one, which leaves uninstall with what it sees on disk."""
    try:
        document: dict[str, Any] = json.loads(data)
        return Manifest(
            bool(document["made_hooks"]),
            tuple((str(name), tuple(map(str, hashes))) for name, hashes in document["files"].items()),
            tuple(
                ConfigChange(
                    str(c["file"]),
                    None if c["before"] is None else base64.b64decode(c["before"]),
                    str(c["after"]),
                    tuple(KeyChange(str(k), str(v), None if b is None else str(b)) for k, v, b in c["keys"]),
                )
                for c in document["configs"]
            ),
            tuple(map(str, document.get("made", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def digest(data: bytes) -> str:
    """The hash by which a file is known again."""
    return hashlib.sha256(data).hexdigest()
