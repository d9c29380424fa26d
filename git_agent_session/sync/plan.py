"""What is to be sent: which sessions were chosen, and which of those the remote does not have yet.

Nothing here talks to a remote; what it has is what its tracking refs say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from git_agent_session.git import notes
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.ids import is_session_id
from git_agent_session.store import purged
from git_agent_session.store.reader import Reader
from git_agent_session.sync.remote import Remote
from git_agent_session.sync.words import is_archive


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


def outgoing(
    repo: Repository, remote: Remote, ids: set[str] | None, refs: Mapping[str, str], *, seen: bool = True
) -> Plan:
    """What of the sessions `ids` (None: all), of the archives and of the notes the remote lacks.

    `refs` are our refs and the tracking refs as they are (`Repository.refs`).
    Without `seen` the tracking refs are not believed: all is offered, and the remote tells. Where sessions were chosen,
    only archives go whose sessions all were; of those asked for by name (not `seen`) one that is archived goes by a ref
    of its own. What was purged here goes nowhere.
    """
    send: dict[str, str] = {}
    same: list[str] = []
    apart: dict[str, str] = {}
    tracking = remote.tracking
    ours = _ours(repo, ids, refs)
    if ids is not None and not seen:
        ours |= _alone(repo, ids, ours)
    for ref, tip in ours.items():
        known = repo.tip(remote.notes) if ref == notes.REF else refs.get(tracking + ref[len(SESSIONS) :])
        if seen and known == tip:
            same.append(ref)
        elif not seen or known is None or repo.descends(tip, known):
            send[ref] = tip
        elif repo.descends(known, tip):
            same.append(ref)
        else:
            apart[ref] = known
    return Plan(send, same, apart)


def _ours(repo: Repository, ids: set[str] | None, refs: Mapping[str, str]) -> dict[str, str]:
    cut = len(SESSIONS)
    found = {}
    barred = purged.ids(repo.location.shared)
    for ref, tip in refs.items():
        name = ref[cut:]
        if not ref.startswith(SESSIONS):
            continue
        if is_archive(name):
            if ids is None or _named(repo, tip) <= ids:
                found[ref] = tip
        elif is_session_id(name) and (ids is None or name in ids) and name not in barred:
            found[ref] = tip
    noted = repo.tip(notes.REF)
    if noted:
        found[notes.REF] = noted
    return found


def _named(repo: Repository, tip: str) -> set[str]:
    try:
        return set(repo.archives.index(tip))
    except ValueError:
        # what cannot be read fits no choice
        return {""}


def _alone(repo: Repository, ids: set[str], ours: Mapping[str, str]) -> dict[str, str]:
    """The refs of chosen sessions that stand in an archive which does not go."""
    gone = {i for ref, tip in ours.items() if is_archive(ref[len(SESSIONS) :]) for i in _named(repo, tip)}
    left = ids - gone - {ref[len(SESSIONS) :] for ref in ours} - purged.ids(repo.location.shared)
    tips = {SESSIONS + i: repo.tip(SESSIONS + i) for i in sorted(left)}
    return {ref: tip for ref, tip in tips.items() if tip is not None}
