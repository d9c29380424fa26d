"""From what a user types to a session: full ids, abbreviations, `@`, `@{-N}`, and who is current here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping

from git_agent_session import live
from git_agent_session.errors import AmbiguousSession, SessionNotFound
from git_agent_session.git.discover import Location
from git_agent_session.ids import MIN_ABBREVIATION, is_abbreviation, is_session_id

VARIABLE = "GIT_AGENT_SESSION"


def expand(text: str, known: Iterable[str]) -> str:
    """The id among `known` that `text` is or starts. Raises SessionNotFound or AmbiguousSession."""
    text = text.strip().lower()
    shown = text.encode("ascii", "backslashreplace").decode()[:60]
    if not is_abbreviation(text):
        raise SessionNotFound(
            f"{shown!r} is no session id",
            hint=f"give a UUID, the first {MIN_ABBREVIATION} or more digits of it, @ or @{{-1}}",
        )
    found = sorted(i for i in known if i.startswith(text))
    if not found:
        raise SessionNotFound(f"no session {shown}", hint="see `git agent-session list`")
    if len(found) > 1:
        few = ", ".join(i[:13] for i in found[:4])
        raise AmbiguousSession(f"{shown} fits {len(found)} sessions: {few}", hint="give more digits")
    return found[0]


def previous(text: str, location: Location, current: str | None, exists: Callable[[str], bool]) -> str | None:
    """The id that `@{-N}` names in this worktree, or None when `text` is no such name."""
    match = re.fullmatch(r"@\{-(\d{1,3})\}", text)
    if not match:
        return None
    ids = [i for i in live.recent(location.private) if i != current and exists(i)]
    n = int(match[1])
    if not 1 <= n <= len(ids):
        raise SessionNotFound(f"this worktree has had no session {text}", hint="see `git agent-session list`")
    return ids[n - 1]


def current(
    location: Location, env: Mapping[str, str], known: Callable[[], Iterable[str]], exists: Callable[[str], bool]
) -> str | None:
    """The session a process here belongs to: its variable (`none`: to no session), else its agent's, else the
    worktree's active one, unless that was deleted elsewhere.
    """
    named = env.get(VARIABLE, "")
    if named == "none":
        return None
    if named:
        if is_session_id(named):
            return named
        try:
            return expand(named, known())
        except (SessionNotFound, AmbiguousSession) as e:
            raise type(e)(f"{VARIABLE}: {e.message}", hint=f"unset {VARIABLE} or set it to a session's id") from e
    found = live.of_agent(location.shared, env) or live.active(location.private)
    return found if found and exists(found) else None


def worktree_name(location: Location) -> str:
    """What a project is called when nobody says: the folder of its main worktree."""
    common = os.path.abspath(location.common_dir)
    folder = os.path.dirname(common) if os.path.basename(common) == ".git" else common
    return os.path.basename(folder).removesuffix(".git") or "repository"
