"""Our entries in an agent's settings: put in, brought up to date, found, taken out. A function of the settings' text.

Entries of others are never touched: ours are known by the command that they run, a file of ours by the plugin's name in
it. The three forms a settings file can have are `setup.Setup`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from git_agent_session.agents.settings_jsonc import Document
from git_agent_session.agents.setup import COMMAND, MARK, Setup
from git_agent_session.errors import HookConflict

HINT = "correct it (or move it away), then try again"
# what tells a file of ours
PROGRAM = "git-agent-session"

Path = tuple[str | int, ...]


class Entries:
    """The entries of one agent. Texts that cannot be understood raise HookConflict."""

    def __init__(self, name: str, setup: Setup) -> None:
        self._setup = setup
        self._command = COMMAND.format(agent=name)
        self._ours = re.compile(rf"{re.escape(MARK)}{re.escape(name)}(?![\w-])")

    def is_ours(self, entry: object) -> bool:
        """True for an entry that runs our hook for this agent, whatever its version."""
        values = entry.values() if isinstance(entry, Mapping) else ()
        return any(isinstance(v, str) and self._ours.search(v) for v in values)

    def present(self, text: str) -> bool:
        """True when any entry of ours is in the settings."""
        if self._setup.form == "file":
            return PROGRAM in text
        return any(self.paths(_document(text)))

    def added(self, text: str) -> str:
        """The settings with our entries in them, up to date; what is up to date already comes back as it is."""
        if self._setup.form == "file":
            return self._content(text)
        doc = _document(text)
        self._check(doc)
        if "hooks" not in doc.value:
            doc.put(("hooks",), {event: [self._entry(event)] for event in self._setup.events})
        for event in self._setup.events:
            self._add(doc, event)
        for path in reversed([p for p in self.paths(doc) if p[1] not in self._setup.events]):
            _remove(doc, path)
        for key, value in self._setup.also.items():
            _complete(doc, key, value)
        return doc.text

    def removed(self, text: str, original: str | None = None) -> str | None:
        """The settings without our entries; None for a file in which nothing else is left.

        `original` is what was there before ours came, where that is known: what came along with them (`Setup.also`)
        goes as well if it was not there, unless hooks that others have added since may need it.
        """
        if self._setup.form == "file":
            return None if PROGRAM in text else text
        doc = _document(text)
        gone = any(self.paths(doc))
        self._take_out(doc)
        alone = all(doc.value[k] == self._setup.also.get(k) for k in doc.value)
        before = _document(original).value if original is not None else {}
        as_before = original is not None and ("hooks" in before or "hooks" not in doc.value)
        for key, value in self._setup.also.items() if gone and (alone or as_before) else ():
            if key not in before and doc.value.get(key) == value:
                doc.remove((key,))
        return None if gone and doc.is_bare() and not (original or "").strip() else doc.text

    def _content(self, text: str) -> str:
        if text.strip() and PROGRAM not in text:
            raise HookConflict("it is not ours", hint="move it away, then try again")
        assert self._setup.content is not None
        return self._setup.content(self._command)

    def _check(self, doc: Document) -> None:
        hooks = doc.value.get("hooks", {})
        if not isinstance(hooks, dict):
            raise HookConflict("its `hooks` is not a table", hint=HINT)
        for event in self._setup.events:
            if not isinstance(hooks.get(event, []), list):
                raise HookConflict(f"its `hooks.{event}` is not a list", hint=HINT)

    def _add(self, doc: Document, event: str) -> None:
        ours = [p for p in self.paths(doc) if p[1] == event]
        if not ours and event in doc.value["hooks"]:
            doc.append(("hooks", event), self._entry(event))
        elif not ours:
            doc.put(("hooks", event), [self._entry(event)])
        for twice in reversed(ours[1:]):
            _remove(doc, twice)
        for path in ours[:1]:
            if _at(doc.value, path) != self._handler(event):
                doc.put(path, self._handler(event))
            self._match(doc, path, event)

    def _handler(self, event: str) -> Mapping[str, Any]:
        assert self._setup.handler is not None
        return self._setup.handler(self._command, event)

    def _entry(self, event: str) -> Mapping[str, Any]:
        if self._setup.form == "list":
            return self._handler(event)
        matcher = self._setup.matchers.get(event)
        return {**({} if matcher is None else {"matcher": matcher}), "hooks": [self._handler(event)]}

    def _take_out(self, doc: Document) -> None:
        """Take out all of ours: at once what is ours as a whole, one by one what stands among others."""
        hooks = doc.value.get("hooks")
        events: list[Path] = [("hooks", event) for event in hooks] if isinstance(hooks, dict) else []
        whole = [path for path in events if self._is_whole(_at(doc.value, path)) and not doc.has_comments(path)]
        if whole and whole == events and not doc.has_comments(("hooks",)):
            whole = [("hooks",)]
        for path in whole:
            _remove(doc, path)
        while found := next(self.paths(doc), None):
            _remove(doc, found)

    def _is_whole(self, entries: object) -> bool:
        """True for the entries of an event when all of them are ours."""
        if not isinstance(entries, list) or not entries:
            return False
        if self._setup.form == "list":
            return all(self.is_ours(entry) for entry in entries)
        groups = [e for e in entries if isinstance(e, dict) and set(e) <= {"hooks", "matcher"}]
        handlers = [g["hooks"] for g in groups if isinstance(g.get("hooks"), list) and g["hooks"]]
        return len(handlers) == len(entries) and all(self.is_ours(h) for hs in handlers for h in hs)

    def _match(self, doc: Document, path: Path, event: str) -> None:
        """Bring the matcher of a group up to date that nobody else shares."""
        group = _at(doc.value, path[:3])
        wanted = self._setup.matchers.get(event)
        if len(path) > 3 and len(group["hooks"]) == 1 and wanted is not None and group.get("matcher") != wanted:
            doc.put((*path[:3], "matcher"), wanted)

    def paths(self, doc: Document) -> Iterator[Path]:
        """Where ours are, in the order of the text."""
        hooks = doc.value.get("hooks")
        for event, entries in hooks.items() if isinstance(hooks, dict) else ():
            for i, entry in enumerate(entries if isinstance(entries, list) else ()):
                if self._setup.form == "list":
                    if self.is_ours(entry):
                        yield ("hooks", event, i)
                    continue
                handlers = entry.get("hooks") if isinstance(entry, dict) else None
                for j, handler in enumerate(handlers if isinstance(handlers, list) else ()):
                    if self.is_ours(handler):
                        yield ("hooks", event, i, "hooks", j)


def handlers(text: str, entries: Entries) -> Iterator[tuple[str, int, int, Mapping[str, Any], str | None]]:
    """Ours in a settings file of the form `groups`: event, number of the group, place in it, entry, matcher."""
    doc = _document(text)
    for path in entries.paths(doc):
        group = _at(doc.value, path[:3])
        yield str(path[1]), int(path[2]), int(path[4]), _at(doc.value, path), group.get("matcher")


def _document(text: str) -> Document:
    try:
        return Document(text)
    except ValueError as e:
        if "stands twice" in str(e):
            raise HookConflict(str(e), hint="take one out, then try again") from e
        raise HookConflict(f"it is no JSON: {e}", hint=HINT) from e


def _at(value: Any, path: Path) -> Any:
    """What is at a path, None when there is nothing."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _remove(doc: Document, path: Path) -> None:
    """Take out an entry, and what is empty without it."""
    doc.remove(path)
    group = path[:3]
    if len(path) > 3 and doc.is_bare(path[:4]) and set(_at(doc.value, group)) <= {"hooks", "matcher"}:
        doc.remove(group)
    for parent in [p for p in (path[:2], path[:1]) if len(p) < len(path)]:
        if not doc.is_bare(parent):
            return
        doc.remove(parent)


def _complete(doc: Document, key: str, value: Any) -> None:
    """Set what is missing; what somebody has set otherwise stays."""
    there = doc.value.get(key)
    if key not in doc.value:
        doc.put((key,), value)
    elif isinstance(value, Mapping) and isinstance(there, dict):
        for inner in value:
            if inner not in there:
                doc.put((key, inner), value[inner])
