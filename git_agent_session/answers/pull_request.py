"""What agents did in a range of commits, as a pull request needs it: the sessions behind them, and commits without one.

    from git_agent_session.answers import pull_request

    found = pull_request.of(store, "main..HEAD")
    for told in found.sessions: print(told.session.about, len(told.commits), told.session.usage.get("cost_usd"))

A session's prompts, tokens and cost are those of the whole session, which may have made commits elsewhere too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from git_agent_session import term
from git_agent_session.answers.lines import Attribution
from git_agent_session.errors import AgentSessionError, BrokenSession, CommitNotFound, UsageError
from git_agent_session.git.run import run
from git_agent_session.ids import timestamp
from git_agent_session.model import Doc, Session
from git_agent_session.store.reader import Reader, duration_ms

# commits of a range: more is no pull request
MOST = 5_000
# of one session
PROMPTS = 10
PROMPT = 240
PATHS = 500


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the range: `sessions` are those it belongs to, the main one first; `says` the agent that it names
    itself, where it has no session."""

    id: str
    subject: str
    author: str
    at: str
    sessions: tuple[str, ...] = ()
    says: str = ""
    paths: tuple[str, ...] = ()

    def to_dict(self) -> Doc:
        """As `--json` prints it; keys without a value are left out."""
        told = {"commit": self.id, "subject": self.subject, "author": self.author, "date": self.at}
        return told | {k: v for k, v in (("sessions", list(self.sessions)), ("agent", self.says)) if v}


@dataclass(frozen=True, slots=True)
class Told:
    """A session with its part in the range. `session` is None where it is not here, `elsewhere` how many commits it has
    that are not in the range, `prompts` its first ones in short, `asked` how many there are.
    """

    id: str
    agent: str
    session: Session | None
    commits: tuple[Commit, ...]
    prompts: tuple[str, ...] = ()
    asked: int = 0
    elsewhere: int = 0

    @property
    def paths(self) -> list[str]:
        """The files that its commits in the range change."""
        return sorted({path for commit in self.commits for path in commit.paths})

    @property
    def cost_usd(self) -> float:
        """What the session has cost, 0 where that is not known."""
        return float(self.session.usage.get("cost_usd", 0.0)) if self.session is not None else 0.0

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        told: Doc = {"id": self.id, "agent": self.agent, "present": self.session is not None}
        if self.session is not None:
            doc = self.session.doc
            told |= {
                k: doc[k] for k in ("goal", "title", "status", "user", "started_at", "ended_at", "usage") if doc.get(k)
            }
            told["model"] = self.session.agent.model
            told["duration_ms"] = duration_ms(self.session)
        told |= {"prompts": list(self.prompts), "prompt_count": self.asked, "commits": [c.id for c in self.commits]}
        return told | {"commits_elsewhere": self.elsewhere, "paths": self.paths}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The range as git took it, its commits, the oldest first, and the sessions, that with most commits first."""

    range: str
    commits: tuple[Commit, ...]
    sessions: tuple[Told, ...]
    broken: tuple[AgentSessionError, ...] = ()

    @property
    def linked(self) -> tuple[Commit, ...]:
        """The commits that belong to a session."""
        return tuple(c for c in self.commits if c.sessions)

    @property
    def unlinked(self) -> tuple[Commit, ...]:
        """The commits that say an agent made them and belong to no session."""
        return tuple(c for c in self.commits if c.says and not c.sessions)

    @property
    def cost_usd(self) -> float:
        """What the sessions have cost together."""
        return sum(told.cost_usd for told in self.sessions)

    def marked(self, agents: Mapping[str, str]) -> PullRequest:
        """The same, with the agent that commits without a session name (commit -> agent)."""
        commits = (replace(c, says="" if c.sessions else agents.get(c.id, "")) for c in self.commits)
        return replace(self, commits=tuple(commits))

    def to_dict(self) -> Doc:
        """As `--json` prints it."""
        return {
            "range": self.range,
            "commits": [c.to_dict() for c in self.commits],
            "sessions": [told.to_dict() for told in self.sessions],
            "linked": len(self.linked),
            "unlinked": [c.id for c in self.unlinked],
            "cost_usd": round(self.cost_usd, 6),
        }


def of(store: Reader, revisions: str) -> PullRequest:
    """What agents did in the commits of `revisions` (as git-rev-list(1) takes them).

    What commits say of themselves is not looked at: `report.pull_request.gather` does. Raises CommitNotFound when git
    does not know the range, UsageError for an option, or a range of more than MOST commits.
    """
    store.settle()
    ids = _ids(store, revisions)
    look = Attribution(store)
    commits = tuple(_commit(store, look, c) for c in ids)
    sessions: dict[str, list[Commit]] = {}
    agents: dict[str, str] = {}
    for commit in commits:
        for author in look.authors(commit.id):
            sessions.setdefault(author.session, []).append(commit)
            agents.setdefault(author.session, author.agent)
    broken: list[AgentSessionError] = []
    told = [_told(store, i, agents[i], tuple(own), broken) for i, own in sessions.items()]
    return PullRequest(revisions, commits, tuple(sorted(told, key=lambda t: (-len(t.commits), t.id))), tuple(broken))


def _ids(store: Reader, revisions: str) -> list[str]:
    shown = term.clean(revisions)[:100]
    if not revisions.strip() or revisions.startswith("-") or "\0" in revisions:
        raise UsageError(f"{shown!r} is no range of commits", hint="give one such as main..HEAD")
    location = store.repo.location
    args = ("rev-list", "--reverse", f"--max-count={MOST + 1}", revisions, "--")
    said = run(*args, cwd=location.git_dir, env={"GIT_DIR": location.git_dir}, check=False)
    if said.returncode != 0:
        raise CommitNotFound(f"git does not know the range {shown!r}", hint="see `git log`, or fetch the other branch")
    ids = said.stdout.decode("ascii", "replace").split()
    if len(ids) > MOST:
        raise UsageError(f"the range {shown!r} has more than {MOST:,} commits", hint="give a shorter one")
    return ids


def _commit(store: Reader, look: Attribution, commit: str) -> Commit:
    facts = store.repo.commit_facts(commit)
    at = facts.get("authored_at")
    date = timestamp(at * 1_000_000_000) if isinstance(at, int) else ""
    sessions = tuple(author.session for author in look.authors(commit))
    paths, _ = store.repo.changed_paths(commit, most=PATHS) if sessions else ([], "")
    subject, author = str(facts.get("subject", "")), str(facts.get("author", ""))
    return Commit(commit, subject, author, date, sessions, paths=tuple(paths))


def _told(
    store: Reader, session_id: str, agent: str, commits: tuple[Commit, ...], broken: list[AgentSessionError]
) -> Told:
    try:
        session = store.get(session_id)
        prompts = _prompts(store, session_id)
        made = {link.commit for link in store.commits(session_id)}
    except BrokenSession as e:
        broken.append(e)
        return Told(session_id, agent, None, commits)
    except AgentSessionError:
        return Told(session_id, agent, None, commits)
    first = tuple(" ".join(term.clean(text).split())[: PROMPT + 1] for text in prompts[:PROMPTS])
    shown = tuple(text if len(text) <= PROMPT else f"{text[: PROMPT - 1]}…" for text in first)
    elsewhere = len(made - {c.id for c in commits})
    return Told(session_id, session.agent.type or agent, session, commits, shown, len(prompts), elsewhere)


def _prompts(store: Reader, session_id: str) -> Sequence[str]:
    events = store.history(session_id, kinds=("message", "interaction"))
    texts = (e.data.get("text") for e in events if e.data.get("role") == "user")
    return [text for text in texts if isinstance(text, str) and text.strip()]
