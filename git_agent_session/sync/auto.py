"""What the pre-push hook asks for: send the sessions of the commits that a `git push` is sending.

It has a time budget, says one line at most, and never fails: the user's push goes on whatever happens here. Nothing
is sent to an address that nobody has shared sessions with by hand (see `consent`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from git_agent_session import term
from git_agent_session.errors import AgentSessionError
from git_agent_session.git import notes
from git_agent_session.git.ref_files import TRACKING
from git_agent_session.git.repository import SESSIONS, Repository
from git_agent_session.git.run import run
from git_agent_session.ids import is_object_id
from git_agent_session.store import links
from git_agent_session.store.store import Store
from git_agent_session.sync import consent
from git_agent_session.sync.plan import Selection
from git_agent_session.sync.remote import Remote, find, folder, git_dir, names
from git_agent_session.sync.report import Report
from git_agent_session.sync.run import push, sync
from git_agent_session.sync.words import CONFIG

MODE, TIMEOUT = "agentSession.autoShare", "agentSession.shareTimeout"
NEVER, ASK, ALWAYS = "never", "ask", "always"
DEFAULT_SECONDS = 10.0
# commits of one push whose sessions are looked for
_MOST = 5000

# a question for a person, answered yes or no; None where there is nobody
Ask = Callable[[str], bool | None]


def mode(repo: Repository) -> str:
    """`agentSession.autoShare`; what is none of its words counts as never."""
    value = (repo.config(MODE) or NEVER).strip().lower()
    return value if value in (ASK, ALWAYS) else NEVER


def budget(repo: Repository) -> float:
    """`agentSession.shareTimeout` in seconds, from 1 to 600."""
    try:
        return min(600.0, max(1.0, float(repo.config(TIMEOUT) or DEFAULT_SECONDS)))
    except ValueError:
        return DEFAULT_SECONDS


def share(store: Store, given: str, lines: Iterable[str], ask: Ask) -> str:
    """Send the sessions of the commits in `lines` (githooks(5), pre-push) beside a push to the remote `given`.

    Returns what to tell the person, "" for nothing.
    """
    repo = store.repo
    how = mode(repo)
    if how == NEVER:
        return ""
    deadline = time.monotonic() + budget(repo)
    ids = sessions_of(repo, commits(repo, given, lines))
    if not ids:
        return ""
    remote = find(repo, repo.config(CONFIG) or given)
    if how == ASK:
        answer = ask(f"Send {term.count(len(ids), 'agent session')} of these commits to {remote.shown}? [y/N] ")
        if not answer:
            return "" if answer is False else _left(remote, "nobody could be asked")
        consent.confirm(repo.location.shared, remote)
        deadline = time.monotonic() + budget(repo)
    elif not consent.confirmed(repo.location.shared, remote):
        if not consent.first_time(repo.location.shared, "unconfirmed", remote):
            return ""
        return _left(remote, "nobody has shared sessions with it by hand yet")
    return _said(_shared(store, remote, ids, deadline))


def _shared(store: Store, remote: Remote, ids: set[str], deadline: float) -> Report:
    select = Selection(sessions=sorted(ids))
    report = push(store, remote.given, select=select, deadline=deadline, by_hand=False)
    if report.ok or report.errors:
        return report
    return sync(store, remote.given, select=select, deadline=deadline, by_hand=False, patience=0.0)


def commits(repo: Repository, given: str, lines: Iterable[str]) -> list[str]:
    """The commits that a push sends, by what the hook was told and what the remote is known to have."""
    new, old = [], []
    for line in lines:
        fields = line.split()
        if len(fields) == 4 and is_object_id(fields[1]) and fields[1].strip("0") and _of_the_code(fields[0]):
            new.append(fields[1])
            if fields[3].strip("0") and is_object_id(fields[3]) and repo.commit_facts(fields[3]):
                old.append(fields[3])
    if not new:
        return []
    of_remote = [f"--remotes={given}"] if given in names(repo) else []
    argv = ["rev-list", f"--max-count={_MOST}", "--ignore-missing", *new, "--not", *old, *of_remote]
    done = run(*argv, cwd=folder(repo), env=git_dir(repo), check=False)
    return done.stdout.decode("ascii", "replace").split()


def _of_the_code(ref: str) -> bool:
    return not ref.startswith((SESSIONS, "refs/notes/", TRACKING))


def sessions_of(repo: Repository, made: Iterable[str]) -> set[str]:
    """The sessions here whose links the notes of these commits are."""
    noted = {n.session_id for commit in made for n in links.parse(notes.read(repo, commit))}
    return {i for i in noted if repo.tip(SESSIONS + i) is not None}


def _left(remote: Remote, why: str) -> str:
    return f"sessions were not sent to {remote.shown}: {why}; `git agent-session push {remote.shown}` sends them"


def _said(report: Report) -> str:
    if report.ok:
        sent = {r.session for r in report.latest() if r.session and r.moved and r.direction == "sent"}
        return f"sent {term.count(len(sent), 'session')} to {report.remote.shown}" if sent else ""
    bad = [r.reason or r.status for r in report.latest() if r.bad]
    return f"sessions were not sent: {(report.errors or bad)[0]}"


def quietly(work: Callable[[], str]) -> str:
    """What `work` says, or the line of its error."""
    try:
        return work()
    except (AgentSessionError, OSError) as e:
        return f"sessions were not sent: {e.line() if isinstance(e, AgentSessionError) else e}"
