"""What push, fetch and sync did, for a terminal: the refs that moved or did not, and one line that sums it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from git_agent_session import term
from git_agent_session.git.ref_files import NOTES

if TYPE_CHECKING:
    from git_agent_session.sync.report import Report, Result

# of refs with one and the same reason that many are named
_NAMED = 5


def lines(report: Report) -> Iterator[str]:
    """The summary, before it each ref that changed where there are few."""
    moved = [r for r in report.latest() if r.moved]
    if len(moved) <= 20:
        yield from (f"{_name(r)}  {r.status} ({r.direction})" for r in moved)
    yield _summary(report)


def problems(report: Report) -> Iterator[str]:
    """What did not go through, refs with the same reason together."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in report.latest():
        if result.bad or result.status in ("broken", "ignored"):
            # a reason that names its own session is one of its own
            groups.setdefault((result.status, result.direction, result.reason), []).append(result)
        elif result.reason:
            yield f"warning: {result.ref}: {result.reason}"
    for (status, _, reason), results in groups.items():
        named = ", ".join(_name(r) for r in results[:_NAMED])
        more = f" and {len(results) - _NAMED} more" if len(results) > _NAMED else ""
        level = "error" if results[0].bad else "warning"
        yield term.clean(f"{level}: {named}{more}: {status}: {reason}{_hint(status, reason)}")


def _hint(status: str, reason: str) -> str:
    if status != "rejected":
        return ""
    if "hidden" in reason:
        return "; this server takes no sessions: `git config agentSession.remote NAME` sends them to another"
    if "fetch first" in reason or "non-fast-forward" in reason:
        return "; `git agent-session sync` joins both sides"
    return "; the others went through where nothing else is said"


def _summary(report: Report) -> str:
    counts = Counter((r.direction, r.status) for r in report.latest() if r.moved and r.session)
    would = "would be " if report.dry_run else ""
    parts = []
    received = [f"{counts['received', s]} {s}" for s in ("new", "updated", "merged") if counts["received", s]]
    sent = counts["sent", "new"] + counts["sent", "updated"]
    if received:
        parts.append(f"{would}received: {', '.join(received)}")
    if sent:
        parts.append(f"{would}sent: {term.count(sent, 'session')}")
    others = {r.ref for r in report.latest() if r.moved and not r.session}
    if archives := len(others - {NOTES}):
        parts.append(term.count(archives, "archive"))
    if NOTES in others:
        parts.append("notes")
    if not parts:
        parts.append("nothing new" if report.ok else "not everything is through")
    return f"{report.remote.shown}: {'; '.join(parts)}"


def _name(result: Result) -> str:
    return result.session[:8] if result.session else term.clean(_short(result.ref))


def _short(ref: str) -> str:
    text = ref.removeprefix("refs/agent-sessions/").removeprefix("refs/")
    return text if len(text) <= 60 else f"{text[:60]}…"
