"""Six clones work at random and are killed while they sync; in the end they agree, and nothing is missing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from git_agent_session import sync
from git_agent_session.git import repository
from tests.sync.team import Clone, Team, agree, content

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
        self.linked: dict[tuple[str, str], bool] = {}

    @initialize()
    def begin(self) -> None:
        self.team = Team(self.root)
        self.clones = [self.team.clone(f"clone{n}") for n in range(CLONES)]
        for clone in self.clones:
            clone.commit("root")

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
        agree(self.clones)
        have = content(self.clones[0])
        found = {(i, e.id) for i in have for e in self.clones[0].store.history(i)}
        assert self.events <= found
        links = {(i, link.commit) for i in have for link in self.clones[0].store.commits(i)}
        assert {key for key, stands in self.linked.items() if stands} <= links
        done = self.team.server.run("git", "fsck", "--strict")
        assert done.returncode == 0, done.stderr

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
            self.linked.setdefault((session_id, commit), True)

    @rule(who=who, n=which)
    def unlink(self, who: int, n: int) -> None:
        clone = self.clones[who]
        if session_id := self.known(clone, n):
            here = set(clone.lines("rev-list", "HEAD"))
            for link in [k for k in clone.store.commits(session_id) if k.commit in here][:1]:
                clone.store.unlink(session_id, [link.commit])
                # somebody may link it again at the same time: then either is right, as long as all agree
                self.linked[session_id, link.commit] = False

    @rule(who=who, n=which)
    def end_or_resume(self, who: int, n: int) -> None:
        store = self.clones[who].store
        if session_id := self.known(self.clones[who], n):
            if store.get(session_id).ended:
                store.resume(session_id)
            else:
                store.end(session_id, status=random.Random(n).choice(["completed", "failed"]))

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
    @rule(who=who, after=st.floats(0, 0.15))
    def killed_sync(self, who: int, after: float) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                sync.sync(self.clones[who].store, "origin")
            finally:
                os._exit(0)
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        # a lock of the dead counts as left over after this (see below)
        time.sleep(0.06)


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


def test_six_clones_agree_after_some_hundred_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run(6, 50, monkeypatch)


@pytest.mark.slow
def test_six_clones_agree_after_some_thousand_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run(60, 80, monkeypatch)
