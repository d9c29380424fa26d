"""A team's week: two agents commit on a branch, history is rewritten here and on the server, and a fresh clone asks.

Agents' payloads go through the real hooks. Bob's clone and the server have nothing of ours, as a forge has not.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from git_agent_session.hooks import installer
from git_agent_session.store import links
from tests.e2e.claude import Claude
from tests.e2e.cli import Cli
from tests.harness import Repo

# with the other ways to rewrite history
pytestmark = pytest.mark.sync

ONE, TWO = "5d0e7c0a-4a53-4e37-8a3b-0c9d1d3e5f01", "5d0e7c0a-4a53-4e37-8a3b-0c9d1d3e5f02"
NONE = {"GIT_AGENT_SESSION": "none", "GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true"}


def at(seconds: int) -> dict[str, str]:
    """The environment of a commit that was made so many seconds ago."""
    stamp = f"{int(time.time()) - seconds} +0000"
    return {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}


def forge() -> dict[str, str]:
    """The environment of what a forge makes, a minute later: of the same second nobody could tell what came first."""
    stamp = f"{int(time.time()) + 60} +0000"
    return {"GIT_COMMITTER_NAME": "Forge", "GIT_COMMITTER_EMAIL": "noreply@forge.invalid", "GIT_COMMITTER_DATE": stamp}


@dataclass
class Story:
    """The server, Ada with her two agents, Bob without any of it; `whose` has the sessions by a commit's subject."""

    root: Path
    home: Path
    trailer: bool
    whose: dict[str, set[str]] = field(default_factory=dict)

    def begin(self) -> None:
        self.server = Repo.init(self.root / "server.git", "--bare")
        self.ada = self.clone("ada")
        self.ada.git("config", "agentSession.trailer", "true" if self.trailer else "false")
        self.ada.commit("base", files={"shared": "0\n"}, env={**NONE, **at(5000)})
        self.ada.git("push", "-q", "origin", "main", "main:stable", "main:release")
        installer.install(str(self.ada.path))
        self.bob = self.clone("bob")
        self.whose |= {"base": set(), "beside": set(), "by hand": set()}

    def clone(self, name: str) -> Repo:
        subprocess.run(
            ["git", "clone", "-q", str(self.server.path), str(self.root / name)],
            check=True,
            capture_output=True,
            timeout=60,
        )
        return Repo(self.root / name)

    def work(self) -> None:
        """Six commits of two agents on `topic`, one by hand between them, one of Bob's on main."""
        self.ada.git("checkout", "-q", "-b", "topic")
        self.agent(ONE, "abc", 3000)
        self.ada.commit("by hand", files={"hand": "1\n"}, env={**NONE, **at(2500)})
        self.agent(TWO, "def", 2000)
        self.bob.commit("beside", files={"other": "1\n"}, env=at(1500))
        self.bob.git("push", "-q", "origin", "main")

    def agent(self, native: str, names: str, ago: int) -> None:
        """A run of Claude Code that commits a file for each of `names` from its own shell."""
        claude = Claude(self.ada, self.home, native)
        claude.call("SessionStart", source="startup")
        claude.prompt(f"write {names}")
        for n, name in enumerate(names):
            self.ada.commit(f"{name}: work", files={name: f"{name}\n" * 9}, env={**claude.env, **at(ago - n)})
            claude.tool(n)
            self.whose[f"{name}: work"] = {claude.id}
        claude.stop()
        claude.end()
        claude.settled(lambda s: s.ended and s.counts.get("commits") == len(names))

    def rewrite(self) -> None:
        """Ada rebases, fixes a commit up, takes one to `release`, and pushes code and sessions."""
        ada = self.ada
        ada.git("fetch", "-q", env=NONE)
        ada.git("rebase", "-q", "origin/main", env=NONE)
        ada.write({"a": "better\n" * 9})
        ada.git("commit", "-q", "-a", "--fixup", ":/^a: work", env=NONE)
        ada.git("rebase", "-q", "-i", "--autosquash", "origin/main", env=NONE)
        ada.git("checkout", "-q", "-b", "release", "origin/release", env=NONE)
        ada.git("cherry-pick", "topic~4", env=NONE)
        ada.git("push", "-q", "origin", "topic", "release", env=NONE)
        ada.git("checkout", "-q", "main", env=NONE)
        ada.cli("sync", check=True)

    def squash(self) -> None:
        """What a forge makes of `squash and merge`: with the messages of all commits, or with a title of its own."""
        bob, title = self.bob, "The topic (#1)"
        bob.git("fetch", "-q")
        bob.git("checkout", "-q", "main")
        bob.git("merge", "-q", "--squash", "origin/topic")
        text = bob.git("log", "--format=* %B", "main..origin/topic") if self.trailer else ""
        bob.git("commit", "-q", "-m", f"{title}\n\n{text}", env=forge())
        bob.git("push", "-q", "origin", "main")
        self.whose[title] = set().union(*self.whose.values())

    def rebase_merge(self) -> None:
        """What a forge makes of `rebase and merge`: new commits, the author's name and time, its own as committer."""
        bob = self.bob
        bob.git("fetch", "-q")
        bob.git("checkout", "-q", "-B", "stable", "origin/stable")
        bob.git("cherry-pick", "origin/topic~7..origin/topic", env=forge())
        bob.git("push", "-q", "origin", "stable")

    def asked(self, clone: Repo) -> dict[str, set[str]]:
        """Assert that a clone's `which` and notes say of every commit of every branch what `whose` says."""
        commits = clone.lines("rev-list", "--remotes", "--branches")
        seen = {}
        for commit in commits:
            subject = clone.git("log", "-1", "--format=%s", commit)
            note = clone.git("log", "-1", "--format=%N", "--notes=agent-sessions", commit)
            told = Cli(clone)("which", "--json", commit).json
            seen[commit] = (subject, {link["session"] for link in told}, {n.session_id for n in links.parse(note)})
        wrong = {c: s for c, s in seen.items() if not s[1] == s[2] == self.whose[s[0]]}
        assert not wrong, wrong
        return {subject: ids for subject, ids, _ in seen.values()}


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Story:
    made = Story(tmp_path, home, bool(request.param))
    made.begin()
    made.work()
    made.rewrite()
    return made


both = pytest.mark.parametrize("story", [True, False], ids=["trailer", "no-trailer"], indirect=True)


def fresh(story: Story) -> Repo:
    """Carol's clone, with the sessions fetched."""
    carol = story.clone("carol")
    carol.cli("fetch", check=True)
    return carol


@both
def test_a_fresh_clone_knows_the_sessions_of_every_commit_that_survived(story: Story) -> None:
    story.squash()
    carol = fresh(story)
    seen = story.asked(carol)
    assert set(seen) == set(story.whose)
    for native, names in ((ONE, "abc"), (TWO, "def")):
        events = json.loads(carol.cli("history", "--json", Claude(carol, story.home, native).id, check=True).stdout)
        assert [e["text"] for e in events if e["kind"] == "message" and e["role"] == "user"] == [f"write {names}"]


@pytest.mark.sync
@both
def test_what_a_forge_has_rebased_onto_a_branch_that_nobody_checks_out_is_found_by_a_fetch(story: Story) -> None:
    story.rebase_merge()
    carol = fresh(story)
    story.asked(carol)
    # what she found she shares, and Ada need not look for it
    carol.cli("sync", check=True)
    story.ada.cli("sync", check=True)
    story.ada.git("fetch", "-q", env=NONE)
    story.asked(story.ada)


@pytest.mark.sync
@both
def test_the_link_of_a_squash_goes_on_where_its_branch_is_deleted(story: Story) -> None:
    story.squash()
    story.bob.git("push", "-q", "origin", ":topic")
    story.ada.git("pull", "-q", "--ff-only", "--prune", env=NONE)
    story.ada.git("branch", "-q", "-D", "topic", env=NONE)
    story.ada.cli("sync", check=True)
    story.asked(fresh(story))
