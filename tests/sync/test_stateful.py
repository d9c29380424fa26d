"""Six clones work, rewrite and archive at random, are killed at it, and agree in the end; nothing is missing.

`CLONES_EXAMPLES=200 CLONES_STEPS=100 pytest -n 0 -m slow tests/sync/test_stateful.py` runs it as long as one likes.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from git_agent_session import sync
from git_agent_session.git import joining, packing, repository
from git_agent_session.hooks import installer
from git_agent_session.model import Link
from git_agent_session.store import archive, checking, links
from git_agent_session.store.seen import Seen
from git_agent_session.sync import transfer
from tests.sync.team import SESSIONS, Clone, Team, content

pytestmark = [
    pytest.mark.sync,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="what is killed is forked"),
]

CLONES = 6
who = st.integers(0, CLONES - 1)
which = st.integers(0, 1000)


class Clones(RuleBasedStateMachine):
    """What six people do with their sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="clones-"))
        self.number = 0
        self.events: set[tuple[str, str]] = set()
        self.linked: set[tuple[str, str]] = set()
        self.unlinked: set[tuple[str, str]] = set()
        self.rewritten: dict[str, str] = {}

    @initialize()
    def begin(self) -> None:
        self.team = Team(self.root)
        self.clones = [self.team.clone(f"clone{n}") for n in range(CLONES)]
        for clone in self.clones:
            clone.commit("root", files={"f": "0\n"})
            installer.install(str(clone.path))

    def teardown(self) -> None:
        if hasattr(self, "clones"):
            self.finish()
        shutil.rmtree(self.root, ignore_errors=True)

    def finish(self) -> None:
        # what a killed one has started may still be at it
        time.sleep(0.2)
        for clone in self.clones:
            clone.sync()
        for clone in self.clones:
            clone.sync()
        first, *others = self.clones
        have, noted, tips = content(first), first.notes(), first.tips()
        for other in others:
            assert other.tips() == tips
            assert content(other) == have
            assert other.notes() == noted
        found = {(i, e.id) for i in have for e in first.store.history(i)}
        assert self.events <= found, self.events - found
        self.check_links(noted)
        done = self.team.server.run("git", "fsck", "--strict")
        assert done.returncode == 0, done.stderr

    def check_links(self, noted: dict[str, str]) -> None:
        """Every link stands where its commit has gone to, and every note says what the events do."""
        held = {i: everything(self.clones[0], i) for i in self.clones[0].store.ids()}
        for session_id, commit in self.linked:
            way = self.way(commit)
            if not any((session_id, c) in self.unlinked for c in way):
                assert commit in held[session_id], (session_id, way)
                link = held[session_id].get(way[-1])
                assert link is not None and not link.replaced_by, (session_id, way, link)
        said = {(n.session_id, commit) for commit, text in noted.items() for n in links.parse(text)}
        stand = {(i, c) for i, links_of in held.items() for c, link in links_of.items() if not link.replaced_by}
        assert stand <= said, stand - said
        assert said <= {(i, c) for i, links_of in held.items() for c in links_of}

    def way(self, commit: str) -> list[str]:
        """A commit and what it was rewritten to, the last one last."""
        way = [commit]
        while way[-1] in self.rewritten:
            way.append(self.rewritten[way[-1]])
        return way

    def known(self, clone: Clone, n: int) -> str | None:
        ids = sorted(clone.store.ids())
        return ids[n % len(ids)] if ids else None

    @rule(who=who)
    def start(self, who: int) -> None:
        self.clones[who].store.start(goal="g", agent="codex")

    @rule(who=who, n=st.integers(0, 2))
    def start_what_others_may_start_too(self, who: int, n: int) -> None:
        from git_agent_session.errors import SessionState
        from git_agent_session.model import Agent

        # the id of an agent's own session gives the same session on every machine
        try:
            self.clones[who].store.start(goal=f"by {who}", agent=Agent("codex", native_id=f"native-{n}"))
        except SessionState:
            pass

    @rule(who=who, n=which, same=st.booleans())
    def append(self, who: int, n: int, same: bool) -> None:
        clone = self.clones[who]
        if session_id := self.known(clone, n):
            self.number += 1
            # an import on two machines makes the same event on both, each with its own clock
            event_id = f"shared-{n % 3}" if same else f"e{self.number}"
            data = {"role": "user", "text": f"by {who}"}
            self.events.add((session_id, clone.store.append(session_id, "usage", {"input_tokens": 3}, id=event_id).id))
            self.events.add((session_id, clone.store.append(session_id, "message", data).id))

    @rule(who=who, n=which)
    def drain(self, who: int, n: int) -> None:
        if session_id := self.known(self.clones[who], n):
            self.clones[who].store.drain(session_id)

    @rule(who=who, n=which, old=st.booleans())
    def link(self, who: int, n: int, old: bool) -> None:
        clone = self.clones[who]
        if session_id := self.known(clone, n):
            commit = clone.git("rev-parse", "HEAD") if old else clone.commit(f"c{n}")
            clone.store.link(session_id, [commit])
            self.linked.add((session_id, commit))

    @rule(who=who, n=which)
    def unlink(self, who: int, n: int) -> None:
        clone = self.clones[who]
        if session_id := self.known(clone, n):
            here = set(clone.lines("rev-list", "HEAD"))
            for link in [k for k in clone.store.commits(session_id) if k.commit in here][:1]:
                clone.store.unlink(session_id, [link.commit])
                # somebody may link it again at the same time: then either is right, as long as all agree
                self.unlinked.add((session_id, link.commit))

    @rule(who=who, n=which)
    def end_or_resume(self, who: int, n: int) -> None:
        store = self.clones[who].store
        if session_id := self.known(self.clones[who], n):
            if store.get(session_id).ended:
                store.resume(session_id)
            else:
                store.end(session_id, status=random.Random(n).choice(["completed", "failed"]))

    @rule(who=who, onto=st.integers(1, 3), amend=st.booleans())
    def rewrite(self, who: int, onto: int, amend: bool) -> None:
        clone = self.clones[who]
        before = clone.lines("rev-list", "--first-parent", f"--max-count={1 if amend else onto}", "HEAD")
        self.number += 1
        env = {"GIT_COMMITTER_DATE": f"{int(time.time()) + self.number} +0000", "GIT_EDITOR": "true"}
        if amend:
            clone.git("commit", "-q", "--amend", "--allow-empty", "-m", f"amended {self.number}", env=env)
        elif len(before) == onto and clone.run("git", "rev-parse", "-q", "--verify", f"HEAD~{onto}").returncode == 0:
            clone.git("rebase", "-q", "--force-rebase", "--keep-empty", f"HEAD~{onto}", env=env)
        after = clone.lines("rev-list", "--first-parent", f"--max-count={len(before)}", "HEAD")
        self.rewritten |= {old: new for old, new in zip(before, after, strict=True) if old != new}

    @rule(who=who, days=st.sampled_from([0, 0, 90]))
    def archive(self, who: int, days: int) -> None:
        archive.run(self.clones[who].store, older_than=days)

    @rule(who=who, n=which)
    def go_on_with_an_archived_one(self, who: int, n: int) -> None:
        clone = self.clones[who]
        archived = sorted(clone.store.ids() - {ref.removeprefix(SESSIONS) for ref in clone.tips()})
        archived = [i for i in archived if clone.store.get(i).ended]
        if archived:
            session_id = archived[n % len(archived)]
            clone.store.resume(session_id, activate=False)
            self.events.add((session_id, clone.store.log(session_id, "note", "reopened").id))

    @rule(who=who)
    def push(self, who: int) -> None:
        assert not sync.push(self.clones[who].store, "origin").errors

    @rule(who=who)
    def fetch(self, who: int) -> None:
        report = sync.fetch(self.clones[who].store, "origin")
        assert not report.errors
        assert not [r for r in report.results if r.status in ("broken", "ignored")], report.results

    @rule(who=who)
    def sync(self, who: int) -> None:
        self.clones[who].sync()

    @precondition(lambda self: self.number > 0)
    @rule(who=who, after=st.floats(0, 0.4), alone=st.booleans())
    def killed_sync(self, who: int, after: float, alone: bool) -> None:
        killed(lambda: self.clones[who].sync(), after, alone=alone)
        if not alone:
            self.server_lives_on()

    def server_lives_on(self) -> None:
        """What a server's own process would have done: here it was the client's child, and died with it."""
        for lock in self.team.server.path.rglob("*.lock"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > 0.05:
                    lock.unlink()

    @rule(who=who, after=st.floats(0, 0.1), alone=st.booleans())
    def killed_archive(self, who: int, after: float, alone: bool) -> None:
        killed(lambda: archive.run(self.clones[who].store, older_than=0), after, alone=alone)


def killed(work: Callable[[], object], after: float, *, alone: bool) -> None:
    """A process that does `work` and is killed after so many seconds, `alone` or with all that it has started."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(after)
    try:
        if alone:
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # it has no group of its own yet
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    # a lock of the dead counts as left over after this (see below)
    time.sleep(0.06)


def everything(clone: Clone, session_id: str) -> dict[str, Link]:
    """All links of a session by commit, those that were replaced too."""
    repo = clone.store.repo
    tip = repo.tip(SESSIONS + session_id)
    return Seen.load(repo.location.shared, repo, session_id, tip).links()


def run(examples: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "STALE_LOCK_SECONDS", 0.05)
    run_state_machine_as_test(
        Clones,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("many", [joining.MANY, 2])
def test_six_clones_agree_after_some_hundred_steps(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    # as if each fetch brought hundreds: listed first, checked by one git, written into packed-refs
    monkeypatch.setattr(joining, "MANY", many)
    if many == 2:
        monkeypatch.setattr(transfer, "_MANY", 1)
        monkeypatch.setattr(checking, "FEW", 1)
        monkeypatch.setattr(packing, "_STALE_SECONDS", 0.05)
    run(4, 50, monkeypatch)


@pytest.mark.slow
def test_six_clones_agree_after_some_thousand_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run(int(os.environ.get("CLONES_EXAMPLES", "60")), int(os.environ.get("CLONES_STEPS", "80")), monkeypatch)
