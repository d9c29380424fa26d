"""What `doctor` says: the agents in columns, then what is broken, what can be done, and what is worth knowing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session import term
from git_agent_session.agents import settings
from git_agent_session.agents.codex_trust import TRUSTED

if TYPE_CHECKING:
    from git_agent_session.agents.settings import Look
    from git_agent_session.hooks.everywhere import Status as Everywhere
    from git_agent_session.hooks.installer import Status
    from git_agent_session.model import Doc, Session
    from git_agent_session.report.unlinked import Unlinked
    from git_agent_session.report.view import View
    from git_agent_session.store.repair import Repair

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it could be, and what to do about it; `broken` when something that is on does not work."""

    broken: bool
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.todo}" if self.todo else self.text


@dataclass(frozen=True, slots=True)
class AgentState:
    """An agent: its version ("" where it is not installed), what shows its use, its settings, when it was last seen."""

    name: str
    version: str
    signs: tuple[str, ...]
    looks: tuple[Look, ...]
    seen: str = ""

    @property
    def enabled(self) -> bool:
        """Whether its hooks are in any settings."""
        return any(look.state in (settings.ON, settings.OUTDATED) for look in self.looks)

    def to_dict(self) -> Doc:
        """For `--json`; keys without a value are left out."""
        looks = [
            {"scope": x.scope, "path": x.path, "state": x.state, "problem": x.problem, "trust": x.trust}
            for x in self.looks
        ]
        return {
            "agent": self.name,
            "installed": "installed" in self.signs,
            **({"version": self.version} if self.version else {}),
            "signs": list(self.signs),
            "settings": [{k: v for k, v in look.items() if v} for look in looks],
            **({"last_event_at": self.seen} if self.seen else {}),
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found; `hooks` is None outside a repository, and where git would not tell.

    `everywhere` is the install for all repositories of the user, None where git would not tell of it.
    """

    hooks: Status | None
    agents: tuple[AgentState, ...]
    findings: tuple[Finding, ...]
    log: tuple[int, str] = (0, "")
    torn: tuple[str, ...] = ()
    idle: tuple[Session, ...] = ()
    unlinked: tuple[Unlinked, ...] = ()
    everywhere: Everywhere | None = None

    @property
    def broken(self) -> bool:
        """Whether anything that is turned on does not work."""
        return any(finding.broken for finding in self.findings)

    def to_dict(self) -> Doc:
        """For `--json`."""
        return {
            "ok": not self.broken,
            "broken": [str(f) for f in self.findings if f.broken],
            "advice": [str(f) for f in self.findings if not f.broken],
            **({"hooks": self.hooks.to_dict()} if self.hooks is not None else {}),
            **({"everywhere": self.everywhere.to_dict()} if self.everywhere is not None else {}),
            "agents": [agent.to_dict() for agent in self.agents],
            "hook_log": {"lines": self.log[0], **({"last": self.log[1]} if self.log[1] else {})},
            "torn": list(self.torn),
            "idle": [session.id for session in self.idle],
            "unlinked": [commit.to_dict() for commit in self.unlinked],
        }


def lines(view: View, found: Diagnosis) -> list[str]:
    """The diagnosis for people."""
    out = [_hooks_line(view, found), *_everywhere_line(view, found), "", *_agents(view, found.agents)]
    for title, broken in (("Broken:", True), ("Could be better:", False)):
        told = [f for f in found.findings if f.broken is broken]
        texts = [line for f in told for line in (f.text, *([f"  ({f.todo})"] if f.todo else []))]
        out += _section(view, title, [term.clean(text) for text in texts])
    out += _section(view, "Worth knowing:", list(_known(view, found)))
    if not found.broken:
        out += ["", "Nothing is broken."]
    return out


def repaired(repairs: Iterable[Repair], *, dry_run: bool) -> list[str]:
    """What `--repair` did, a line each; what it leaves to people is marked."""
    out = [term.clean(f"{'  ' if r.done else '! '}{r.text}") for r in repairs]
    if not out:
        return ["Nothing to repair.", ""]
    return ["To be repaired:" if dry_run else "Repaired (! is left to you):", *out, ""]


def _section(view: View, title: str, texts: list[str]) -> list[str]:
    return ["", view.heading(title), *(f"  {text}" for text in texts)] if texts else []


def _hooks_line(view: View, found: Diagnosis) -> str:
    if found.hooks is None:
        return "Git hooks: not looked at, there is no repository here" if not found.broken else "Git hooks: unknown"
    if not found.hooks.installed:
        return f"Git hooks: {view.status('failed', 'not installed')}"
    if found.hooks.problems:
        return f"Git hooks: {view.status('failed', 'installed, but see below')}"
    return f"Git hooks: {view.status('active', 'installed')}"


def _everywhere_line(view: View, found: Diagnosis) -> Iterable[str]:
    """One line where `install --global` was run, whether or not it is in order."""
    state = found.everywhere
    if state is None or (state.mode is None and not state.problems):
        return
    if state.problems:
        yield f"For all repositories: {view.status('failed', 'installed, but see below')}"
    else:
        yield f"For all repositories: {view.status('active', 'installed')} ({state.mode})"


def _agents(view: View, agents: Iterable[AgentState]) -> list[str]:
    rows = [
        (
            agent.name,
            agent.version or ("installed" if "installed" in agent.signs else "-"),
            standing(agent.looks),
            view.ago(agent.seen) if agent.seen else "-",
        )
        for agent in sorted(agents, key=lambda a: (not a.enabled, not a.signs))
    ]

    def style(row: int, column: int, cell: str) -> str:
        if row < 0:
            return view.heading(cell)
        if column == 2 and rows[row][2].startswith(settings.ON):
            return view.status("active" if rows[row][2].startswith(f"{settings.ON} (") else "failed", cell)
        return view.dim(cell) if rows[row][1:3] == ("-", settings.OFF) else cell

    header = ("AGENT", "VERSION", "RECORDING", "LAST EVENT")
    return term.columns(rows, header=header, total=view.width, flexible=2, style=style)


def standing(looks: Iterable[Look]) -> str:
    """How the settings of an agent stand, in words: `enabled (project); out of date (user)`."""
    words: dict[str, list[str]] = {}
    for look in looks:
        if look.state != settings.OFF:
            state = f"{look.state}, {look.trust}" if look.trust not in ("", TRUSTED) else look.state
            words.setdefault(state, []).append(look.scope)
    return "; ".join(f"{state} ({', '.join(scopes)})" for state, scopes in words.items()) or settings.OFF


def _known(view: View, found: Diagnosis) -> Iterable[str]:
    count, last = found.log
    if count:
        yield f"{term.count(count, 'line')} in hook.log, the last: {term.fit(term.clean(last), 160)}"
    for session in found.idle[:SHOWN]:
        yield f"session {view.id(session.id)} is open, its last event was {view.ago(session.updated_at)}"
        yield f"  (`git agent-session end {session.id[:8]}` if nobody is at it)"
    if len(found.idle) > SHOWN:
        yield f"… and {term.count(len(found.idle) - SHOWN, 'more session')} like it"
    if found.unlinked:
        one = len(found.unlinked) == 1
        verb = "looks like an agent's and belongs" if one else "look like an agent's and belong"
        yield f"{term.count(len(found.unlinked), 'commit')} {verb} to no session; `link` adds what you know:"
    for commit in found.unlinked[:SHOWN]:
        yield f"  {view.commit(commit.commit)} {term.clean(commit.agent)}: {term.fit(term.clean(commit.subject), 60)}"
    if len(found.unlinked) > SHOWN:
        yield f"  … and {len(found.unlinked) - SHOWN} more"
