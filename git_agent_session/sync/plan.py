"""What is to be sent: which sessions were chosen, and which of those the remote does not have yet.

Nothing here talks to a remote; what it has is what its tracking refs say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_session_id
from git_agent_session.store.reader import Reader
from git_agent_session.sync.remote import Remote

_ARCHIVE = re.compile(r"archive/[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sessions to send; what is empty is not asked, and a session must fit all that is.

    `sessions` are full ids, `since` an RFC 3339 time that a session's last event must not be older than, `user` a part
    of name or mail.
    """

    sessions: Sequence[str] = ()
    since: str = ""
    user: str = ""
    status: Sequence[str] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was chosen."""
        return not (self.sessions or self.since or self.user or self.status)

    def ids(self, store: Reader) -> set[str] | None:
        """The ids that fit; None for all."""
        if self.everything:
            return None
        if not (self.since or self.user or self.status):
            return set(self.sessions)
        found = set()
        for session in store.list():
            if (
                (not self.sessions or session.id in self.sessions)
                and (not self.since or session.updated_at >= self.since)
                and (not self.user or self.user.lower() in session.user.lower())
                and (not self.status or session.status in self.status)
            ):
                found.add(session.id)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """`send`: ref -> tip to push. `same`: refs the remote has as they are. `apart`: ref -> the tip of theirs that is
    not in ours, and must be joined first.
    """

    send: Mapping[str, str]
    same: Sequence[str]
    apart: Mapping[str, str]


def outgoing(repo: Repository, remote: Remote, ids: set[str] | None, *, seen: bool = True) -> Plan:
    """What of the sessions `ids` (None: all), of the archives and of the notes the remote lacks.

    Without `seen` the tracking refs are not believed: all is offered, and the remote tells.
    """
    send: dict[str, str] = {}
    same: list[str] = []
    apart: dict[str, str] = {}
    theirs = repo.refs(remote.tracking) if seen else {}
    for ref, tip in _ours(repo, ids).items():
        known = repo.tip(remote.notes) if ref == notes.REF else theirs.get(remote.tracking + ref[len(SESSIONS) :])
        if seen and known == tip:
            same.append(ref)
        elif not seen or known is None or repo.descends(tip, known):
            send[ref] = tip
        elif repo.descends(known, tip):
            same.append(ref)
        else:
            apart[ref] = known
    return Plan(send, same, apart)


def _ours(repo: Repository, ids: set[str] | None) -> dict[str, str]:
    cut = len(SESSIONS)
    found = {}
    for ref, tip in repo.refs(SESSIONS).items():
        name = ref[cut:]
        if is_archive(name) or (is_session_id(name) and (ids is None or name in ids)):
            found[ref] = tip
    noted = repo.tip(notes.REF)
    if noted:
        found[notes.REF] = noted
    return found


def is_archive(name: str) -> bool:
    """Whether what stands below `refs/agent-sessions/` is a month's archive."""
    return _ARCHIVE.fullmatch(name) is not None
