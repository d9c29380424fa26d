"""What a rebase costs: git runs two hooks for every commit it picks.

All ways are measured in one repository, whose hooks and configuration change in between: on a disk two equal
repositories differ by a factor of two here, by where their files came to lie.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

from benchmarks.harness import Command, Failed, Row, Table, Target, Variant, measure
from benchmarks.world import Repo, World

_NONE, _EMPTY, _IDLE, _LIVE = "no hooks", "empty sh hooks", "our hooks, no session", "our hooks, in the session"


def rebase(world: World) -> Iterator[Table]:
    """A topic of many commits onto a main that has moved on by one, on the world's file system and in memory."""
    for root, kind in world.file_systems():
        yield _table(_Rebase(world.repo("rebase", root)), kind)


def _table(rebase: _Rebase, kind: str) -> Table:
    times = measure([rebase.variant(m) for m in (_NONE, _EMPTY, _IDLE, _LIVE)], rebase.scale.rebase_rounds, warm=1)
    plain, empty = times[_NONE], times[_EMPTY]
    why = f"Hooks that do nothing alone take {Row('', empty, '', plain).ratio:.2f} ×: two processes for every commit."
    found = [Row(_NONE, plain), Row(_EMPTY, empty, _NONE, plain)]
    found += [Row(m, times[m], _NONE, plain, Target(ratio=1.5), why) for m in (_IDLE, _LIVE)]
    found += [Row(f"{m}: the same beside empty hooks", times[m], _EMPTY, empty) for m in (_IDLE, _LIVE)]
    picks = rebase.scale.picks
    note = (
        f"`git rebase main` of {picks} commits of one changed file each, all made in the session. "
        "With our hooks every note must have followed afterwards, in a session or not."
    )
    return Table(f"A rebase of {picks} commits, on {kind}", note, found)


class _Rebase:
    """A repository with a topic to rebase, and its ways to be set up."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.scale = repo.world.scale
        self._git = repo.path / ".git"
        self._mode = _LIVE
        self._second = int(time.time())
        self._set_up()

    def _set_up(self) -> None:
        repo, git = self.repo, self._git
        shutil.copy(git / "config", git / "config.plain")
        shutil.rmtree(git / "hooks", ignore_errors=True)
        repo.install_empty()
        (git / "hooks").rename(git / "hooks.empty")
        (git / "hooks.none").mkdir()
        repo.install()
        self._session = repo.store().start(goal="The session that is measured", agent="claude-code").id
        repo.call("checkout", "-q", "-b", "topic")
        for n in range(self.scale.picks):
            repo.edit()
            repo.call("commit", "-q", "-m", f"Change {n}", "-m", "It has a body\nof two lines.")
        repo.call("tag", "made")
        repo.call("checkout", "-q", "main")
        (repo.path / "other.txt").write_text("main has moved on\n")
        repo.call("add", "other.txt")
        repo.call("commit", "-q", "-m", "Move on")

    def variant(self, mode: str) -> Variant:
        """The rebase with hooks and configuration of one mode."""
        command = Command(self.repo.path, self.repo.world.git, "rebase", "-q", "main")

        def before() -> None:
            self._enter(_NONE)
            self.repo.call("checkout", "-q", "-B", "topic", "made")
            self.repo.call("reset", "-q", "--hard")
            self._enter(mode)
            command.enter()
            # two rebases within one second would make the very same commits, notes and all
            self._second += 1
            command.env["GIT_COMMITTER_DATE"] = f"{self._second} +0000"

        return Variant(mode, command, before, self._check)

    def _enter(self, mode: str) -> None:
        from git_agent_session import live

        folders = {_NONE: "none", _EMPTY: "empty"}
        now, wanted = folders.get(self._mode, "ours"), folders.get(mode, "ours")
        if now != wanted:
            (self._git / "hooks").rename(self._git / f"hooks.{now}")
            (self._git / f"hooks.{wanted}").rename(self._git / "hooks")
        if (now == "ours") != (wanted == "ours"):
            ours, plain, config = (self._git / f"config{end}" for end in (".ours", ".plain", ""))
            config.rename(ours if now == "ours" else plain)
            (ours if wanted == "ours" else plain).rename(config)
        shared = str(self._git / "agent-session")
        if mode == _LIVE:
            live.set_open(shared, self._session, "claude-code")
        else:
            live.set_closed(shared, self._session)
        live.set_active(shared, self._session if mode == _LIVE else None)
        self._mode = mode

    def _check(self) -> None:
        picks = self.scale.picks
        wanted = picks if self._mode in (_IDLE, _LIVE) else 0
        shown = self.repo.call("log", "--notes=agent-sessions", "--format=%N", "main..topic").count("sessions.")
        if shown != wanted or self.repo.call("rev-list", "--count", "main..topic") != str(picks):
            raise Failed(f"{self._mode}: {shown} notes, not {wanted}, have followed the rebase in {self.repo.path}")
