"""Where this user has the plugin in use: a small list of repositories, so that all of them can be asked at once.

`<state folder>/git-agent-session/repositories.json` has their common git directories. It is a convenience and never
evidence: who reads it looks whether a repository is still there. What cannot be written is let go.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping

from git_agent_session import live, lock
from git_agent_session.errors import StorageError

NAME = "repositories.json"
# repositories, and bytes of the file
MOST, MAX_BYTES = 10_000, 1 << 22


def state_folder(env: Mapping[str, str]) -> str:
    """Where this user's state of ours is kept (XDG Base Directory Specification; Windows: `%LOCALAPPDATA%`)."""
    names = ("XDG_STATE_HOME", "LOCALAPPDATA") if sys.platform == "win32" else ("XDG_STATE_HOME",)
    # a path that is not absolute counts as unset
    said = next((env[name] for name in names if os.path.isabs(env.get(name, ""))), "")
    return os.path.join(said or os.path.join(os.path.expanduser("~"), ".local", "state"), "git-agent-session")


def listed(env: Mapping[str, str]) -> list[str]:
    """The common git directories on the list, in the order they came; whatever the file holds."""
    try:
        with open(os.path.join(state_folder(env), NAME), "rb") as f:
            doc = json.loads(f.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    found = doc.get("repositories") if isinstance(doc, dict) else None
    named = [p for p in found if isinstance(p, str) and os.path.isabs(p)] if isinstance(found, list) else []
    return list(dict.fromkeys(p for p in named if "\0" not in p))[:MOST]


def note(common_dir: str, env: Mapping[str, str]) -> None:
    """Put a repository on the list; where it is already, nothing is written."""
    path = os.path.realpath(common_dir)
    if path not in listed(env):
        _change(env, lambda before: [*(p for p in before if p != path), path])


def forget(common_dir: str, env: Mapping[str, str]) -> None:
    """Take a repository off the list."""
    path = os.path.realpath(common_dir)
    if path in listed(env):
        _change(env, lambda before: [p for p in before if p != path])


def _change(env: Mapping[str, str], change: Callable[[list[str]], list[str]]) -> None:
    folder = state_folder(env)
    with contextlib.suppress(OSError, StorageError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with lock.held(folder, "repositories", wait=2.0):
            path, now = os.path.join(folder, NAME), change(listed(env))[-MOST:]
            if not now:
                os.unlink(path)
                return
            # escaped, so that paths that are no text come back as they were
            live.replace(path, json.dumps({"repositories": now}, indent=1) + "\n")
