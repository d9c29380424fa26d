"""`verify`: which commits of a range say that an agent made them, and which of those belong to no session here.

An agent's marks are those of `unlinked`, and our own trailer. A session counts when it is here: a note or a trailer
that names another tells nothing about the commit. Reads only; what it found is written for people and for CI systems.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_agent_session import journal, term
from git_agent_session.errors import CommitNotFound, UsageError
from git_agent_session.git import notes
from git_agent_session.git.recent import Made
from git_agent_session.git.run import run
from git_agent_session.report import view as words
from git_agent_session.report.unlinked import looks_like
from git_agent_session.store import links

if TYPE_CHECKING:
    import subprocess

    from git_agent_session.model import Doc
    from git_agent_session.store.reader import Reader

_TRAILER = re.compile(
    r"^agent-session:[ \t]*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[ \t]*$", re.MULTILINE | re.IGNORECASE
)
# where a branch is likely to go, in the order in which it is asked for
_BASES = ("@{upstream}", "refs/remotes/origin/HEAD", "origin/main", "origin/master", "main", "master")


@dataclass(frozen=True, slots=True)
class Checked:
    """A commit with an agent's marks: the `agent` it names, the sessions that it belongs to, else what is wrong.

    `path` is the first that it changes, for systems that show findings by file.
    """

    commit: str
    agent: str
    subject: str
    author: str
    sessions: tuple[str, ...] = ()
    problem: str = ""
    path: str = ""

    @property
    def text(self) -> str:
        """What is wrong, in a line without control characters."""
        return term.clean(f"commit {self.commit[:10]} ({term.fit(term.clean(self.subject), 60)}) {self.problem}")

    def to_dict(self) -> Doc:
        """For `--json`; keys without a value are left out."""
        found = {"commit": self.commit, "agent": self.agent, "subject": self.subject, "author": self.author}
        more = {"sessions": list(self.sessions), "problem": self.problem, "path": self.path}
        return {**found, **{k: v for k, v in more.items() if v}}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at: the range as git took it, how many commits it has, and those with an agent's marks."""

    range: str
    commits: int
    marked: tuple[Checked, ...]

    @property
    def missing(self) -> tuple[Checked, ...]:
        """The commits that an agent made and that belong to no session here."""
        return tuple(c for c in self.marked if c.problem)

    def to_dict(self) -> Doc:
        """For `--json`."""
        return {
            "ok": not self.missing,
            "range": self.range,
            "commits": self.commits,
            "marked": len(self.marked),
            "missing": [c.to_dict() for c in self.missing],
        }


def verify(store: Reader, revisions: str = "", progress: Callable[[int, int], None] | None = None) -> Verified:
    """Look at the commits of `revisions` (as git-rev-list(1) takes them); default: those that are not upstream yet.

    `progress` is called with how many commits are done, and how many there are. Raises CommitNotFound when git does not
    know them, UsageError for an option.
    """
    store.settle()
    chosen = revisions or default_range(store)
    commits = _commits(store, chosen)
    known, late = set(store.ids()), journal.linked(store.shared)
    marked = []
    for done, commit in enumerate(commits, 1):
        if (found := _checked(store, commit, known, late)) is not None:
            marked.append(found)
        if progress is not None:
            progress(done, len(commits))
    return Verified(chosen, len(commits), tuple(marked))


def default_range(store: Reader) -> str:
    """From where HEAD left its upstream, else the remote's default branch, to HEAD; all of HEAD without either."""
    for base in _BASES:
        said = _git(store, "merge-base", base, "HEAD")
        if said.returncode == 0 and (commit := said.stdout.decode("ascii", "replace").strip()):
            return f"{commit}..HEAD"
    return "HEAD"


def _git(store: Reader, *args: str) -> subprocess.CompletedProcess[bytes]:
    location = store.repo.location
    return run(*args, cwd=location.git_dir, env={"GIT_DIR": location.git_dir}, check=False)


def _commits(store: Reader, revisions: str) -> list[str]:
    if revisions.startswith("-"):
        raise UsageError(f"{revisions[:60]!r} is no range of commits", hint="give one such as main..HEAD")
    said = _git(store, "rev-list", "--reverse", revisions, "--")
    if said.returncode == 0:
        return said.stdout.decode("ascii").split()
    shallow = os.path.exists(os.path.join(store.repo.location.common_dir, "shallow"))
    raise CommitNotFound(
        f"git does not know the range {term.clean(revisions)[:100]!r}",
        hint="the history here is shallow: fetch all of it" if shallow else "see `git log`, or fetch the other branch",
    )


def _checked(store: Reader, commit: str, known: set[str], late: set[str]) -> Checked | None:
    made = Made(store.repo.commit_at(commit))
    trailers = _trailers(made.message)
    agent = looks_like(made)
    if not agent and not trailers:
        return None
    named = dict.fromkeys([*(n.session_id for n in links.parse(notes.read(store.repo, commit))), *trailers])
    sessions = tuple(i for i in named if i in known)
    author = made.makers[0].partition(" <")[0]
    found = Checked(commit, agent or "an agent", made.subject, author, sessions)
    if sessions or commit in late:
        return found
    paths, _ = store.repo.changed_paths(commit, most=1)
    return Checked(commit, found.agent, made.subject, author, (), _problem(found.agent, list(named)), "".join(paths))


def _trailers(message: str) -> list[str]:
    """The sessions that the last paragraph of a message names (git-interpret-trailers(1))."""
    last = message.replace("\r\n", "\n").rstrip().rpartition("\n\n")[2]
    return [m[1].lower() for m in _TRAILER.finditer(last)]


def _problem(agent: str, named: Sequence[str]) -> str:
    if named:
        return f"names session {named[0][:8]}, which is not here: was it pushed?"
    return f"was made by {agent} and belongs to no session"


# -- for people and machines


def text(found: Verified) -> list[str]:
    """Lines for people."""
    looked = f"{term.count(found.commits, 'commit')} in {words.revisions(found.range)}, {len(found.marked)} by agents"
    if not found.missing:
        return [f"{looked}: all of those have their session" if found.marked else looked]
    return [*(c.text for c in found.missing), f"{looked}, {len(found.missing)} without a session"]


def github(found: Verified, *, fails: bool) -> list[str]:
    """GitHub's workflow commands: an annotation for each commit without a session."""
    kind = "error" if fails else "warning"
    return [f"::{kind} title={_property('Commit without a session')}::{_data(c.text)}" for c in found.missing]


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def gitlab(found: Verified, *, fails: bool) -> list[Doc]:
    """GitLab's code quality report."""
    return [
        {
            "description": c.text,
            "check_name": "commit-without-session",
            "fingerprint": c.commit,
            "severity": "major" if fails else "info",
            "location": {"path": term.clean(c.path) or ".", "lines": {"begin": 1}},
        }
        for c in found.missing
    ]


def junit(found: Verified) -> str:
    """A JUnit report: a test case for each commit that an agent made."""
    from xml.sax.saxutils import quoteattr

    cases = []
    for c in found.marked:
        name = quoteattr(_xml(f"{c.commit[:10]} {c.subject}"))
        failure = f"<failure message={quoteattr(_xml(c.problem))}/>" if c.problem else ""
        cases.append(f"  <testcase classname={quoteattr(_xml(c.agent))} name={name}>{failure}</testcase>\n")
    counts = f'tests="{len(found.marked)}" failures="{len(found.missing)}"'
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="git agent-session verify" {counts}>\n'
    return head + "".join(cases) + "</testsuite>\n"


def _xml(value: str) -> str:
    # XML 1.0 has no way to write these
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", term.clean(value))


def exit_status(found: Verified, *, require: bool) -> int:
    """0, or 1 where sessions are required and missing."""
    return 1 if require and found.missing else 0


def lines(found: Verified, form: str, *, require: bool) -> Iterable[str]:
    """The report in one of the text forms: `text`, `github`, `junit`."""
    if form == "github":
        return github(found, fails=require)
    return junit(found).splitlines() if form == "junit" else text(found)
