"""What a list asks for. It looks at states as they are read: of thousands only those that fit become sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from git_agent_session.model import ACTIVE, Doc, Session


@dataclass(frozen=True, slots=True)
class Filter:
    """What `list` asks for; what is empty is not asked. Times are RFC 3339 and compare with `started_at`."""

    project: str = ""
    status: Sequence[str] = ()
    agent_type: str = ""
    user: str = ""
    tags: Sequence[str] = ()
    since: str = ""
    until: str = ""

    def takes(self, session: Session) -> bool:
        """True when a session fits; `user` is any part of name and mail, case aside."""
        return self.takes_doc(session.doc)

    def takes_doc(self, doc: Doc) -> bool:
        """The same of a session's state, as it is read: thousands are asked for the sake of a few."""
        started = doc.get("started_at", "")
        return (
            (not self.project or doc.get("project") == self.project)
            and (not self.status or (doc.get("status") or ACTIVE) in self.status)
            and (not self.agent_type or doc.get("agent", {}).get("type") == self.agent_type)
            and (not self.user or self.user.lower() in doc.get("user", "").lower())
            and (not self.tags or set(self.tags) <= set(doc.get("tags", ())))
            and (not self.since or started >= self.since)
            and (not self.until or started <= self.until)
        )
