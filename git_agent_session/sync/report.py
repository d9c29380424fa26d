"""What became of each ref: the result of push, fetch and sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from git_agent_session.git.ref_files import SESSIONS
from git_agent_session.ids import is_session_id
from git_agent_session.sync.remote import Remote, without_password

RECEIVED, SENT = "received", "sent"
# statuses that mean that what is ours is not where it should be; what is broken of theirs hinders nobody
BAD = ("rejected", "failed")


@dataclass(frozen=True, slots=True)
class Result:
    """One ref: `direction` is received or sent; `status` is `new`, `updated`, `merged`, `up-to-date`, `rejected` (the
    remote's word), `broken` (theirs cannot be taken in) or `failed` (it could not be written here).
    """

    ref: str
    direction: str
    status: str
    reason: str = ""
    tip: str = ""

    @property
    def session(self) -> str:
        """The id of the session that the ref holds, "" for notes, archives and what is none."""
        name = self.ref.removeprefix(SESSIONS)
        return name if is_session_id(name) else ""

    @property
    def bad(self) -> bool:
        """Whether the ref is not where it should be."""
        return self.status in BAD

    @property
    def moved(self) -> bool:
        """Whether anything changed."""
        return self.status in ("new", "updated", "merged")

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        out = {"ref": self.ref, "direction": self.direction, "status": self.status}
        for key in ("session", "reason", "tip"):
            if value := getattr(self, key):
                out[key] = value
        return out


@dataclass(slots=True)
class Report:
    """All results with one remote, in the order they came. `errors` are what stopped it as a whole, a line each;
    `warnings` what somebody should know.
    """

    remote: Remote
    results: list[Result] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rounds: int = 0
    dry_run: bool = False
    # how many results there were when `latest` was made, and what it was
    _latest: tuple[int, Sequence[Result]] = field(default=(0, ()), repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether all is through."""
        return not self.errors and not any(r.bad for r in self.latest())

    def latest(self) -> Sequence[Result]:
        """The results without those that a later one of the same ref and direction replaces: the last word on each,
        and where it said up-to-date, what had been done before.
        """
        if self._latest[0] == len(self.results):
            return self._latest[1]
        last: dict[tuple[str, str], Result] = {}
        for result in self.results:
            before = last.get((result.ref, result.direction))
            if before is None or before.bad or result.status != "up-to-date":
                last[result.ref, result.direction] = result
        self._latest = (len(self.results), list(last.values()))
        return self._latest[1]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: everything but what was up to date in a long list is there all the same."""
        return {
            "remote": self.remote.shown,
            "url": without_password(self.remote.url),
            "ok": self.ok,
            "dry_run": self.dry_run,
            "results": [r.to_dict() for r in self.latest()],
            "errors": self.errors,
            "warnings": self.warnings,
        }
