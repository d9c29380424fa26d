"""Looks at everything that capture depends on here: git's hooks, each agent's settings and what was seen of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from git_agent_session import journal
from git_agent_session.agents import registry, settings, settings_trust
from git_agent_session.agents.recorder import LOG, LOG_BYTES
from git_agent_session.agents.settings_place import Place
from git_agent_session.errors import AgentSessionError
from git_agent_session.hooks import everywhere, installer
from git_agent_session.ids import timestamp
from git_agent_session.model import ACTIVE, Session
from git_agent_session.report.doctor import AgentState, Diagnosis, Finding
from git_agent_session.report.unlinked import in_use_since, unlinked

if TYPE_CHECKING:
    from git_agent_session.agents.settings import Look
    from git_agent_session.git.discover import Location
    from git_agent_session.store.repair import Repair
    from git_agent_session.store.store import Store

VERSION_SECONDS = 5
IDLE = timedelta(hours=24)
# agents look for a newer version of themselves when they start; not on our account
_QUIET = {
    "DISABLE_AUTOUPDATER": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "COPILOT_AUTO_UPDATE": "false",
    "NO_COLOR": "1",
}


def examine(
    store: Store | None,
    env: Mapping[str, str],
    start: str | None,
    *,
    limit: int,
    progress: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """What stands well and what does not; `store` is None outside a repository, `limit` how many commits to look at.

    `progress` is called with how many agents have answered, and how many there are.
    """
    location = store.repo.location if store is not None else None
    sessions = list(store.list()) if store is not None else []
    findings: list[Finding] = []
    agents = _agents(location, sessions, env, progress)
    used = bool(sessions) or any(agent.enabled for agent in agents)
    hooks = _hooks(start, findings, used=used) if store is not None else None
    found_everywhere = _everywhere(findings)
    findings += _advice(agents, inside=location is not None)
    if store is None or location is None:
        return Diagnosis(None, tuple(agents), tuple(findings), everywhere=found_everywhere)
    log = _log(location.shared)
    torn = journal.torn_files(location.shared)
    findings += [Finding(True, error.line()) for error in store.broken]
    if torn:
        findings.append(Finding(False, f"pieces of the journal that cannot be read are kept in {', '.join(torn)}"))
    idle = _idle(sessions)
    since = min([in_use_since(location.shared), *(_epoch(s.started_at) for s in sessions)])
    lost = tuple(unlinked(store, limit=limit, since=since))
    left = (log, tuple(torn), tuple(idle), lost)
    return Diagnosis(hooks, tuple(agents), tuple(findings), *left, everywhere=found_everywhere)


def mend(
    store: Store, start: str | None, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None
) -> list[Repair]:
    """Put right what can be put right without a question: git's hooks, then what `store.repair` knows."""
    from git_agent_session.store.repair import Repairs

    return [*_mended_hooks(start, dry_run=dry_run), *Repairs(store, dry_run=dry_run).run(progress)]


def _mended_hooks(start: str | None, *, dry_run: bool) -> list[Repair]:
    """The hooks that were changed since they were installed; where nobody has installed any, none are."""
    from git_agent_session.store.repair import Repair

    try:
        state = installer.status(start)
        if not state.problems or (
            state.mode is None and not state.everywhere and not _were_installed(state.repository)
        ):
            return []
        done = installer.install(start, dry_run=dry_run)
    except AgentSessionError as e:
        return [Repair("hooks", e.line(), False)]
    verb = "would be brought" if dry_run else "brought"
    return [Repair("hooks", f"git hooks {verb} up to date: {problem}", done.changed) for problem in state.problems]


def _were_installed(common_dir: str) -> bool:
    return os.path.exists(os.path.join(common_dir, "agent-session", "hooks", "installed.json"))


def _hooks(start: str | None, findings: list[Finding], *, used: bool) -> installer.Status | None:
    try:
        found = installer.status(start)
    except AgentSessionError as e:
        findings.append(Finding(True, e.line()))
        return None
    findings += [Finding(True, f"git hooks: {p}", "`git agent-session install`") for p in found.problems]
    if not found.installed and not found.problems:
        findings.append(Finding(used, "without git hooks commits are not linked", "`git agent-session install`"))
    return found


def _everywhere(findings: list[Finding]) -> everywhere.Status | None:
    """How `install --global` stands; what is wrong with it is broken only where it was asked for."""
    try:
        found = everywhere.status()
    except AgentSessionError as e:
        findings.append(Finding(False, f"git hooks for all repositories: {e.line()}"))
        return None
    todo = "`git agent-session install --global`"
    findings += [Finding(True, f"git hooks for all repositories: {p}", todo) for p in found.problems]
    return found


# -- agents


def _agents(
    location: Location | None,
    sessions: Sequence[Session],
    env: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
) -> list[AgentState]:
    places = [settings.place(name, location, env) for name in registry.names()]
    # each is a process that takes up to seconds to say two words
    with ThreadPoolExecutor(max_workers=len(places) or 1) as pool:
        asked = [pool.submit(_version, place, env) for place in places]
        for number, _ in enumerate(as_completed(asked), 1):
            if progress is not None:
                progress(number, len(places))
        versions = [answer.result() for answer in asked]
    found = []
    for place, version in zip(places, versions, strict=True):
        seen = _seen(location, place.name, sessions)
        found.append(AgentState(place.name, version, place.signs(), tuple(settings.look(place)), seen))
    return found


def _version(place: Place, env: Mapping[str, str]) -> str:
    """What its package says, else `PROGRAM --version`; "" when it is not installed, does not answer or says none."""
    program = place.program()
    if program is None or (known := place.version()):
        return known if program is not None else ""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=False,
            cwd=os.path.expanduser("~"),
            env={**env, **_QUIET},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\d+\.\d+[0-9A-Za-z.+-]{0,40}", done.stdout[:4096].decode("utf-8", "replace"))
    return found[0] if found else ""


def _seen(location: Location | None, name: str, sessions: Iterable[Session]) -> str:
    """When the agent's hooks last said something here (RFC 3339), "" for never."""
    times = [s.updated_at for s in sessions if s.agent.type == name]
    if location is not None:
        try:
            with os.scandir(os.path.join(location.shared, "native", name)) as files:
                times += [timestamp(file.stat().st_mtime_ns) for file in files]
        except OSError:
            pass
    return max(times, default="")


def _advice(agents: Iterable[AgentState], *, inside: bool) -> list[Finding]:
    """What there is to do about the agents; what keeps one from being recorded although it is enabled is broken."""
    out, new, unseen = [], [], []
    for agent in agents:
        found = [finding for look in agent.looks if (finding := _about(agent, look)) is not None]
        out += found
        if agent.enabled and not found and not agent.seen and inside:
            unseen.append(agent.name)
        elif not agent.enabled and not found and "installed" in agent.signs:
            new.append(agent.name)
    if unseen:
        # some read a project's settings in the folder where they are started alone
        todo = "start a session at the top of the worktree, not in a folder below, then look again"
        out.append(Finding(False, f"nothing was seen yet of {', '.join(unseen)}", todo))
    if new:
        option = "" if inside else "--user "
        text = f"installed, and not recorded: {', '.join(new)}"
        out.append(Finding(False, text, f"`git agent-session enable {option}{' '.join(new)}`"))
    return out


def _about(agent: AgentState, look: Look) -> Finding | None:
    option = {"user": " --user", "local": " --local"}.get(look.scope, "")
    if look.state == settings.BROKEN:
        return Finding(True, f"{agent.name}: {look.problem}")
    if look.state == settings.OUTDATED:
        todo = f"`git agent-session enable {agent.name}{option}`"
        return Finding(True, f"{agent.name}: its hooks are out of date in {look.path}", todo)
    if look.state == settings.ON and look.trust and (hint := settings_trust.hint(look.trust)):
        return Finding("installed" in agent.signs, f"{agent.name}: its hooks do not run, {look.trust}", hint)
    return None


# -- what was left


def _log(shared: str) -> tuple[int, str]:
    """How many lines the log of hooks has, and the last one."""
    try:
        with open(os.path.join(shared, LOG), "rb") as f:
            lines = f.read(2 * LOG_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return 0, ""
    return len(lines), lines[-1] if lines else ""


def _idle(sessions: Iterable[Session]) -> list[Session]:
    """The sessions that are open although nothing has happened in them for a day."""
    limit = (datetime.now(UTC) - IDLE).timestamp()
    return [s for s in sessions if s.status == ACTIVE and _epoch(s.updated_at) < limit]


def _epoch(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
