"""Whether to go on with a session or to begin another: five criteria, and the first that is not met.

A session is resumed when it exists and is open, is marked ready, stands in a phase that work can be resumed in, had
its last event less than 30 minutes ago, and has had fewer than 3 errors. git's configuration changes the last three for
everything (`agentSession.resumePhases`, `resumeMinutes`, `resumeErrors`), a workflow's `[resume]` for itself; what the
user's configuration says comes first, since a workflow may come with the repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from git_agent_session import bounds, codec
from git_agent_session.errors import AgentSessionError, SessionNotFound, UsageError
from git_agent_session.model import Doc, Session
from git_agent_session.store.store import Store
from git_agent_session.work import workflows
from git_agent_session.work.workflows import Rules, Workflow

RESUMABLE = "session_resumable"
# criterion -> the word for it not being met
REASONS = {
    "exists": "session_not_found",
    "ready": "not_ready",
    "phase": "phase_not_resumable",
    "activity": "too_old",
    "errors": "too_many_errors",
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of the five: its name, whether it is met, and the fact that decided, in a few words."""

    name: str
    met: bool
    fact: str

    def to_dict(self) -> Doc:
        """The keys `name`, `met`, `fact`."""
        return {"name": self.name, "met": self.met, "fact": self.fact}


@dataclass(frozen=True, slots=True)
class Decision:
    """Resume or not. `failed` is the first criterion that is not met, "" for none; `reason` the word for the outcome.

    `session` is None where none was found; then the later criteria are not looked at.
    """

    resume: bool
    reason: str
    failed: str
    criteria: tuple[Criterion, ...]
    session: Session | None = None

    def to_dict(self) -> Doc:
        """The keys `resume, reason, failed, session, criteria`, those without a value left out."""
        out: Doc = {"resume": self.resume, "reason": self.reason}
        if self.failed:
            out["failed"] = self.failed
        if self.session is not None:
            out["session"] = self.session.id
        out["criteria"] = [c.to_dict() for c in self.criteria]
        return out


def should_resume(store: Store, session: str | None = None, *, now: datetime | None = None) -> Decision:
    """Decide about a session (default: the current one); reads only.

    `now` is the moment to compare with, by default the present. A session that is not here is no error; an id that
    fits several is one (AmbiguousSession), and so are a session that cannot be read (BrokenSession) and a setting that
    is no number (UsageError).
    """
    try:
        current = store.get(session)
    except SessionNotFound as e:
        return Decision(False, REASONS["exists"], "exists", (Criterion("exists", False, e.message),))
    return decide(current, rules(store, _workflow(store, current)), now or datetime.now(UTC))


def decide(session: Session, rules: Rules, now: datetime) -> Decision:
    """The decision about a session by these rules, at this moment."""
    idle = _minutes(session.updated_at, now)
    errors = session.counts.get("errors", 0)
    phase = codec.clean(session.phase, 60)
    over = f"the session has ended ({codec.clean(session.status, 40)})" if session.ended else ""
    criteria = (
        Criterion("exists", True, session.id),
        Criterion("ready", session.ready, "marked ready" if session.ready else "not marked ready"),
        Criterion(
            "phase",
            not over and session.phase in rules.phases,
            over or f"in phase {phase}" * bool(phase) or "in no phase",
        ),
        Criterion("activity", idle < rules.minutes, f"last event {idle:.0f} of {rules.minutes:g} minutes ago"),
        Criterion("errors", errors < rules.errors, f"{errors} of {rules.errors} errors"),
    )
    failed = next((c.name for c in criteria if not c.met), "")
    return Decision(not failed, REASONS.get(failed, RESUMABLE), failed, criteria, session)


def rules(store: Store, workflow: Workflow | None) -> Rules:
    """The rules for sessions of a workflow here. Raises UsageError for a setting that is no number above 0."""
    usual = workflow.rules if workflow is not None else Rules()
    minutes = store.repo.config("agentSession.resumeMinutes")
    errors = store.repo.config("agentSession.resumeErrors")
    return Rules(
        resumable(store, workflow),
        usual.minutes if minutes is None else _number("agentSession.resumeMinutes", minutes),
        usual.errors if errors is None else int(_number("agentSession.resumeErrors", errors)),
    )


def resumable(store: Store, workflow: Workflow | None) -> tuple[str, ...]:
    """The phases in which work on sessions of a workflow can be resumed here."""
    given = store.repo.config("agentSession.resumePhases")
    if given is not None:
        return tuple(given.replace(",", " ").split())
    return (workflow.rules if workflow is not None else Rules()).phases


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not bounds.is_finite(number) or number <= 0 or (key.endswith("Errors") and number % 1):
        raise UsageError(
            f"{key} is {codec.clean(text, 40)!r}", hint="set it to a number above 0, such as 30 minutes or 3 errors"
        )
    return number


def _workflow(store: Store, session: Session) -> Workflow | None:
    """The workflow of a session; where it is not here, the usual rules decide."""
    try:
        return workflows.load(store.repo, session.workflow) if session.workflow else None
    except AgentSessionError:
        return None


def _minutes(at: str, now: datetime) -> float:
    """Since the last event; a clock that was ahead counts as none."""
    try:
        return max((now - datetime.fromisoformat(at)).total_seconds() / 60, 0.0)
    except ValueError:
        return float("inf")
