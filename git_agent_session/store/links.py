"""Notes as a projection of links: the text of a note, and how it is brought in line with events.

A note has one line for each session, valid TOML with dotted keys (docs/format.md). Lines that are not ours are kept.
Writing goes by compare-and-swap and is retried; the events remain the truth whatever happens here.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.errors import StorageError
from git_agent_session.git import notes
from git_agent_session.git.repository import Moved, Repository

_LINE = re.compile(
    r"^sessions\.(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) = "
    r"\{(?: agent = \"(?P<agent>[a-z0-9._-]{1,64})\")?,?(?P<primary> primary = true)?.{0,200}\}$"
)
_AGENT = re.compile(r"[a-z0-9._-]{1,64}")
_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Noted:
    """One session in a note."""

    session_id: str
    agent: str
    primary: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """What a note must say of a session: present (with `agent`, first or not) or absent."""

    session_id: str
    present: bool
    agent: str = "unknown"
    primary: bool = False


def parse(text: str) -> list[Noted]:
    """The sessions in a note, each once; anything else in it is passed over."""
    found: dict[str, Noted] = {}
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match:
            before = found.get(match["id"])
            primary = bool(match["primary"]) or (before is not None and before.primary)
            found[match["id"]] = Noted(match["id"], match["agent"] or "unknown", primary)
    return list(found.values())


def line(noted: Noted) -> str:
    """The line for one session: the same on every commit, so that a union of lines stays right."""
    primary = ", primary = true" if noted.primary else ""
    return f'sessions.{noted.session_id} = {{ agent = "{noted.agent}"{primary} }}'


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The note `text` after `edits`; a commit's first session is its primary one, unless an edit says otherwise. Where
    it goes, the first of the others by id is: the same for whoever takes it out.
    """
    noted = {n.session_id: n for n in parse(text)}
    had = any(n.primary for n in noted.values())
    foreign = [ln for ln in text.splitlines() if ln.strip() and not _LINE.match(ln.strip())]
    for edit in edits:
        if not edit.present:
            noted.pop(edit.session_id, None)
            continue
        if edit.primary:
            noted = {i: Noted(i, n.agent, False) for i, n in noted.items()}
        before = noted.get(edit.session_id)
        first = edit.primary or not any(n.primary for n in noted.values())
        agent = before.agent if before else edit.agent if _AGENT.fullmatch(edit.agent) else "unknown"
        noted[edit.session_id] = Noted(edit.session_id, agent, first or (before is not None and before.primary))
    if had and noted and not any(n.primary for n in noted.values()):
        first_id = min(noted)
        noted[first_id] = Noted(first_id, noted[first_id].agent, True)
    return "\n".join([*dict.fromkeys(foreign), *(line(noted[i]) for i in sorted(noted))])


def project(repo: Repository, wanted: Mapping[str, Iterable[Edit]], reason: str) -> None:
    """Bring the notes of the commits in `wanted` in line, in one step; those that already are cost no write."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    changes = {commit: functools.partial(edited_where_needed, edits=tuple(edits)) for commit, edits in wanted.items()}
    while True:
        try:
            return notes.update(repo, changes, reason)
        except Moved as e:
            if time.monotonic() > deadline:
                raise StorageError("the notes are written by others again and again", hint="try again") from e
            import random

            time.sleep(random.random() * 0.02)


def edited_where_needed(text: str, edits: Sequence[Edit]) -> str:
    """`edited`, but a note that says all of it already stays as it is, to the byte."""
    return text if all(_holds(text, edit) for edit in edits) else edited(text, edits)


def _holds(text: str, edit: Edit) -> bool:
    noted = {n.session_id: n for n in parse(text)}.get(edit.session_id)
    if not edit.present:
        return noted is None
    if noted is None or not edit.primary:
        return noted is not None
    return noted.primary and sum(n.primary for n in parse(text)) == 1
