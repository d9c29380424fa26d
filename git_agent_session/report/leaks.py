"""Looks for secrets in what is stored: every batch of a session's chain, and its journal. Reads only.

What is stored has passed the redactor when it was written; a rule that came later, another tool or a person with git's
plumbing may have left more. Nothing found is ever shown, only where it is and which rule finds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from git_agent_session import codec, journal
from git_agent_session.git.repository import SESSIONS
from git_agent_session.redact.scan import Finding, Scanner

if TYPE_CHECKING:
    from git_agent_session.git.repository import Repository

# bytes; what is larger was not written by us
_LIMIT = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that is stored: in which session, where (`<batch>:<file>` or `journal`), by which rule, its head."""

    session: str
    where: str
    rule: str
    head: str

    def to_dict(self) -> dict[str, str]:
        """For `--json`; without a head where there is none to show."""
        out = {"session": self.session, "where": self.where, "rule": self.rule}
        return {**out, "head": self.head} if self.head else out


def leaks(repo: Repository, sessions: Iterable[str], scanner: Scanner) -> Iterator[Leak]:
    """What is found in these sessions, the oldest batch of each first. Raises ValueError for a damaged object."""
    for session_id in sessions:
        tip = repo.tip(SESSIONS + session_id)
        seen: set[object] = set()
        for batch in reversed(list(repo.chain(tip))) if tip else ():
            for path, number, data in _files(repo.commit_at(batch).tree):
                if number not in seen:
                    seen.add(number)
                    yield from _leaks(session_id, f"{batch[:10]}:{path}", _in_file(scanner, path, data))
        yield from _leaks(session_id, "journal", _in_journal(repo.location.shared, session_id, scanner))


def _leaks(session_id: str, where: str, found: Iterable[Finding]) -> Iterator[Leak]:
    return (Leak(session_id, where, finding.rule, finding.head) for finding in found)


def _files(tree: Any, folder: str = "", depth: int = 0) -> Iterator[tuple[str, object, bytes]]:
    """The files below a tree: path, id of the blob, content."""
    for entry in tree:
        path = f"{folder}{entry.name}"
        if entry.type_str == "tree" and depth < 4:
            yield from _files(entry, f"{path}/", depth + 1)
        elif entry.type_str == "blob":
            yield path, entry.id, entry.data[:_LIMIT]


def _in_file(scanner: Scanner, path: str, data: bytes) -> list[Finding]:
    text = data.decode("utf-8", "replace")
    if path.endswith(".jsonl"):
        return scanner.lines(text)
    try:
        return scanner.value(codec.loads(data) if path.endswith(".toml") else text)
    except ValueError:
        return scanner.text(text)


def _in_journal(shared: str, session_id: str, scanner: Scanner) -> list[Finding]:
    pending = journal.read(shared, session_id)
    torn = [path for path in journal.torn_files(shared) if os.path.basename(path).startswith(session_id)]
    found = [finding for event in pending.events for finding in scanner.value(dict(event.data))]
    for piece in (*pending.torn, *map(_content, torn)):
        found += scanner.text(piece.decode("utf-8", "replace"))
    return list(dict.fromkeys(found))


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as f:
            return f.read(_LIMIT)
    except OSError:
        return b""
