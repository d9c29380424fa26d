"""What an agent's tool calls wrote, as far as a transcript shows it: the files' paths, and their content where known.

Agents call their tools and arguments differently; the forms below are those of Claude Code, Codex, Gemini CLI, Copilot,
OpenCode, Droid and Pi. Content that is not known for sure is not known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from git_agent_session.agents import history, payload
from git_agent_session.git.discover import Location
from git_agent_session.model import Doc

CONTENT = ("content", "file_text", "contents")
_EDIT = (("old_string", "new_string"), ("oldString", "newString"), ("old_str", "new_str"), ("oldText", "newText"))
_ALL = ("replace_all", "replaceAll", "change_all")
# what is put into a file, where it cannot be told what the file then holds
_OTHER = ("new_source", "insert_text", "insert_line")
_COMMAND = ("command", "cmd", "script")
_PATCH = "*** Begin Patch"
# characters of file contents that are remembered, those of the last files
MOST = 16 * 1024 * 1024


class Folders:
    """Makes the paths of a session relative to the worktree that they lie in; `cwd` is where the agent was."""

    def __init__(self, location: Location, cwd: str) -> None:
        tops = history.worktrees(location)
        if cwd and not os.path.isdir(cwd) and not history.belongs(cwd, location):
            tops.append(cwd)  # a transcript from another machine
        self.tops = sorted(tops, key=lambda top: -len(top))
        self.cwd = cwd or (location.worktree or "")

    def relative(self, path: str) -> str:
        """`path` from the top of its worktree; outside of all of them as `payload.relative` gives it."""
        full = os.path.normpath(os.path.join(self.cwd, path))
        top = next((t for t in self.tops if full == t or full.startswith(t.rstrip(os.sep) + os.sep)), None)
        return payload.relative(full, top) if os.path.isabs(full) else path

    def inside(self, path: str) -> bool:
        """True for what `relative` has found in a worktree."""
        return not os.path.isabs(path) and not path.startswith("~/")


def paths(given: Mapping[str, Any], folders: Folders) -> list[str]:
    """The paths that a tool was given, those of a patch too, each once."""
    named = paths_named(given)
    for patch in patches_in(given):
        named += payload.patched(patch)
    return list(dict.fromkeys(payload.text(folders.relative(p), payload.PATH) for p in named if "\x00" not in p))


def paths_named(given: Mapping[str, Any]) -> list[str]:
    """The files that a tool's arguments name."""
    return [p for key in payload.PATH_KEYS if isinstance(p := given.get(key), str) and p]


def command(given: Mapping[str, Any]) -> str:
    """The command that a tool ran in a shell, "" for none."""
    for key in _COMMAND:
        value = given.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return " ".join(value)
    return ""


class Written:
    """Follows what a session writes from call to call."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self._texts: dict[str, str] = {}
        self._size = 0

    def by(self, given: Mapping[str, Any], record: Doc) -> Iterator[tuple[str, str]]:
        """The files that a call wrote, `record` being the one with its result: path and blob id, "" if not known."""
        changed = record.get("toolUseResult")
        told: Mapping[str, Any] = changed if isinstance(changed, dict) else {}
        for path, text in self._changes(given, told):
            path = self.folders.relative(path)
            if not self.folders.inside(path):
                continue
            # the user has changed what was to be written (Claude Code)
            text = None if told.get("userModified") is True else text
            self._remember(path, text)
            yield path, blob_id(text) if text is not None else ""

    def _changes(self, given: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        for patch in patches_in(given):
            yield from _patched(patch)
        named = paths_named(given)
        if not named:
            return
        path = named[0]
        content = next((c for k in CONTENT if isinstance(c := given.get(k), str)), None)
        if content is not None:
            yield path, content
        elif edits := list(edits_in(given)):
            before = told.get("originalFile")
            text = before if isinstance(before, str) else self._texts.get(self.folders.relative(path))
            yield path, _applied(text, edits)
        elif any(key in given for key in _OTHER):
            yield path, None

    def _remember(self, path: str, text: str | None) -> None:
        self._size -= len(self._texts.pop(path, ""))
        if text is not None and len(text) <= MOST // 4:
            self._texts[path] = text
            self._size += len(text)
        while self._size > MOST:
            self._size -= len(self._texts.pop(next(iter(self._texts))))


def blob_id(text: str) -> str:
    """The id that git gives a file with this content (git-hash-object(1), without filters)."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def edits_in(given: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """The texts that a tool was to replace: the old one, the new one, whether everywhere."""
    rows = given.get("edits")
    for row in [given, *(rows if isinstance(rows, list) else [])]:
        for old, new in _EDIT:
            if isinstance(row, dict) and isinstance(row.get(old), str) and isinstance(row.get(new), str):
                yield row[old], row[new], any(row.get(key) is True for key in _ALL)


def _applied(text: str | None, edits: list[tuple[str, str, bool]]) -> str | None:
    for old, new, everywhere in edits:
        if old == "" and not text:
            text = new  # how a file is made by an edit
        elif not old or text is None or (text.count(old) != 1 and not everywhere):
            return None
        else:
            text = text.replace(old, new)
    return text


def patches_in(given: Mapping[str, Any]) -> list[str]:
    """The patches among a tool's arguments, in the form of `*** Begin Patch`."""
    texts = [v for v in given.values() if isinstance(v, str)]
    texts += [v for values in given.values() if isinstance(values, list) for v in values if isinstance(v, str)]
    return [t for t in texts if _PATCH in t]


def _patched(patch: str) -> Iterator[tuple[str, str | None]]:
    """The files of a patch; what one holds is known only where the patch adds it."""
    added: dict[str, list[str]] = {}
    current = ""
    for line in patch.splitlines():
        if line.startswith("*** "):
            head, _, path = line.partition(": ")
            current = path.strip() if head == "*** Add File" else ""
            added.setdefault(current, [])
        elif current and line.startswith("+"):
            added[current].append(line[1:])
    for path in payload.patched(patch):
        yield path, "".join(f"{line}\n" for line in added[path]) if path in added else None
