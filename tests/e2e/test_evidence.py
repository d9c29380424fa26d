"""Which session a commit belongs to: the best evidence wins, and without any there is no link."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from git_agent_session.agents import traces
from git_agent_session.agents.protocol import Capture
from git_agent_session.git.discover import Location
from git_agent_session.hooks import installer
from git_agent_session.ids import timestamp
from git_agent_session.store import evidence
from git_agent_session.store.seen import Seen
from tests.e2e.claude import Claude, free, until
from tests.harness import Repo


class Agent(Claude):
    """A Claude that writes files and runs commands in its shell."""

    @property
    def traces(self) -> Path:
        return self.repo.path / ".git" / "agent-session" / "traces"

    def write(self, name: str, text: str, n: int = 1) -> None:
        self.repo.write({name: text})
        given = {"file_path": str(self.repo.path / name), "content": text}
        self.call("PostToolUse", tool_name="Write", tool_use_id=f"w{name}{n}", tool_input=given, tool_response={})

    def links(self) -> list[tuple[str, str]]:
        return [(link.commit, link.via) for link in self.store().commits(self.id)]


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Agent]:
    installer.install(str(repo.path))
    repo.commit("init")
    found = Agent(repo, home)
    found.prompt()
    yield found
    until(lambda: free(found.shared, found.id), 5.0)


def by_hand(repo: Repo, *paths: str, message: str = "by hand") -> str:
    repo.git("add", "-A", "--", *paths)
    repo.git("commit", "-q", "-m", message)
    return repo.git("rev-parse", "HEAD")


def looked_at(agent: Agent, commit: str) -> None:
    """Wait until the process that post-commit started is through with a commit."""
    assert until(lambda: not (agent.traces / f"commit.{commit}").exists()), agent.log()


def note(repo: Repo, commit: str) -> str:
    return repo.git("notes", "--ref=agent-sessions", "show", commit, check=False)


# -- files


def test_a_person_commits_what_an_agent_wrote(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    commit = by_hand(agent.repo, "a.py")
    # nobody has to ask: git log shows it
    assert until(lambda: agent.id in note(agent.repo, commit)), agent.log()
    assert agent.links() == [(commit, "files")]


def test_an_edited_file_still_counts(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    agent.repo.write({"a.py": "print(2)\n"})
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert agent.links() == [(commit, "files")]


def test_what_the_agent_did_not_write_is_not_its_own(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    agent.repo.write({"b.py": "x\n"})
    commit = by_hand(agent.repo, "b.py")
    looked_at(agent, commit)
    assert agent.links() == [] and note(agent.repo, commit) == ""


def test_work_that_is_committed_is_no_evidence_for_the_next_commit(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    first = by_hand(agent.repo, "a.py")
    looked_at(agent, first)
    agent.repo.write({"a.py": "print(2)\n"})
    second = by_hand(agent.repo, "a.py")
    looked_at(agent, second)
    agent.repo.write({"a.py": "print(3)\n"})
    third = by_hand(agent.repo, "a.py")
    looked_at(agent, third)
    assert agent.links() == [(first, "files")]


def test_a_revert_that_brings_the_agents_work_back_is_a_persons(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    first = by_hand(agent.repo, "a.py")
    looked_at(agent, first)
    time.sleep(2.1)  # git tells times by the second
    agent.repo.write({"a.py": "print(2)\n"})
    second = by_hand(agent.repo, "a.py")
    looked_at(agent, second)
    agent.repo.git("revert", "--no-edit", second)
    looked_at(agent, agent.repo.git("rev-parse", "HEAD"))
    assert agent.links() == [(first, "files")]


def test_work_that_the_agent_committed_elsewhere_is_no_evidence_here(agent: Agent) -> None:
    agent.repo.commit("base", files={"a.py": "print(0)\n"})
    main = agent.repo.git("branch", "--show-current")
    agent.repo.git("checkout", "-q", "-b", "topic")
    agent.write("a.py", "print(1)\n")
    agent.repo.git("commit", "-q", "-am", "its own", env={"GIT_AGENT_SESSION": agent.id})
    agent.repo.git("checkout", "-q", main)
    agent.repo.write({"a.py": "print('typed by hand')\n"})
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert note(agent.repo, commit) == ""
    assert [via for _, via in agent.links()] == ["env"]


def test_what_is_drained_while_it_is_looked_for_is_found(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.settled()
    agent.write("a.py", "print(1)\n")
    agent.repo.git("add", "a.py")
    agent.repo.git("commit", "-q", "-m", "its own", env={"GIT_AGENT_SESSION": agent.id})
    store, load = agent.store(), Seen.load

    def loaded(*args: Any) -> Any:
        monkeypatch.setattr(Seen, "load", load)
        found = load(*args)
        store.drain(agent.id)
        return found

    monkeypatch.setattr(Seen, "load", loaded)
    (write,) = evidence._read(str(agent.traces / f"{evidence.TOUCHED}{agent.id}"), agent.id)
    assert evidence._committed_itself(store.repo, write)


def test_a_merge_by_hand_is_not_the_agents_whose_work_it_brings(agent: Agent) -> None:
    agent.repo.commit("base", files={"x": "0\n"})
    main = agent.repo.git("branch", "--show-current")
    agent.repo.git("checkout", "-q", "-b", "topic")
    agent.write("a.py", "print(1)\n")
    agent.repo.write({"x": "1\n"})
    first = by_hand(agent.repo, "a.py", "x")
    looked_at(agent, first)
    agent.repo.git("checkout", "-q", main)
    agent.repo.commit("theirs", files={"x": "2\n"})
    agent.repo.git("merge", "topic", check=False)
    agent.repo.write({"x": "3\n"})
    merge = by_hand(agent.repo, "x")
    looked_at(agent, merge)
    assert agent.links() == [(first, "files")]


def test_dates_are_no_evidence(agent: Agent) -> None:
    agent.write("a.py", "one\n")
    env = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
    agent.repo.write({"a.py": "one more\n"})
    agent.repo.git("add", "a.py")
    agent.repo.git("commit", "-q", "-m", "back-dated", env=env)
    agent.repo.write({"a.py": "mine\n"})
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert commit not in [c for c, _ in agent.links()]


def test_taking_a_file_away_is_not_the_agents_work(agent: Agent) -> None:
    agent.repo.commit("before", files={"a.py": "old\n"})
    agent.write("a.py", "print(1)\n")
    (agent.repo.path / "a.py").unlink()
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert agent.links() == []


def test_an_ended_session_counts_within_the_window(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    agent.end()
    agent.settled(lambda s: s.ended)
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert agent.links() == [(commit, "files")]


def test_a_session_that_ended_before_the_window_does_not_count(agent: Agent) -> None:
    agent.repo.git("config", "agentSession.fileWindow", "0s")
    agent.write("a.py", "print(1)\n")
    agent.end()
    agent.settled(lambda s: s.ended)
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert agent.links() == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("4h", 14400), ("90", 90), ("30m", 1800), ("2d", 172800), ("soon", 14400), ("", 14400)]
)
def test_the_window_is_a_number_with_a_unit(agent: Agent, text: str, seconds: int) -> None:
    agent.repo.git("config", "agentSession.fileWindow", text)
    assert evidence.window_seconds(agent.store().repo) == seconds


def test_two_agents_share_a_commit_of_what_both_wrote(agent: Agent, home: Path) -> None:
    other = Agent(agent.repo, home, "1f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    other.prompt()
    agent.write("a.py", "print(1)\n")
    other.write("b.py", "print(2)\n")
    other.write("c.py", "print(3)\n")
    commit = by_hand(agent.repo, ".")
    looked_at(agent, commit)
    assert agent.links() == other.links() == [(commit, "files")]
    assert [w.session.id for w in agent.store().which(commit)] == [other.id, agent.id]


def test_of_two_agents_the_one_whose_text_was_committed_counts(agent: Agent, home: Path) -> None:
    other = Agent(agent.repo, home, "1f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    other.prompt()
    agent.write("a.py", "print(1)\n")
    other.write("a.py", "print(2)\n")
    agent.repo.write({"a.py": "print(1)\n"})
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert (agent.links(), other.links()) == ([(commit, "files")], [])


def test_files_come_before_the_active_session(agent: Agent) -> None:
    mine = agent.store().start(goal="my own").id
    agent.write("a.py", "print(1)\n")
    commit = by_hand(agent.repo, "a.py")
    looked_at(agent, commit)
    assert agent.links() == [(commit, "files")]
    agent.repo.write({"mine.py": "x\n"})
    own = by_hand(agent.repo, "mine.py")
    looked_at(agent, own)
    assert [(k.commit, k.via) for k in agent.store().commits(mine)] == [(own, "active")]


def test_a_session_that_is_named_comes_before_files(agent: Agent) -> None:
    mine = agent.store().start(goal="my own", activate=False).id
    agent.write("a.py", "print(1)\n")
    agent.repo.git("add", "a.py")
    agent.repo.git("commit", "-q", "-m", "x", env={"GIT_AGENT_SESSION": mine})
    assert [k.via for k in agent.store().commits(mine)] == ["env"] and agent.links() == []
    agent.write("b.py", "x\n")
    agent.repo.git("add", "b.py")
    agent.repo.git("commit", "-q", "-m", "x", env={"GIT_AGENT_SESSION": "none"})
    assert agent.links() == []


def test_without_the_process_the_next_reader_finds_it(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    (agent.shared / "python").write_text("/nowhere/python\n/nowhere\n")
    commit = by_hand(agent.repo, "a.py")
    assert note(agent.repo, commit) == ""
    assert agent.links() == [(commit, "files")]
    assert agent.id in note(agent.repo, commit)


def test_traces_go_when_they_are_too_old(agent: Agent) -> None:
    agent.write("a.py", "print(1)\n")
    agent.end()
    agent.settled(lambda s: s.ended)
    long_ago = time.time() - 86400
    for path in agent.traces.iterdir():
        os.utime(path, (long_ago, long_ago))
    agent.store().list()
    assert not agent.traces.exists()


def test_a_file_outside_of_the_worktree_leaves_no_trace(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("x")
    given = {"file_path": str(tmp_path / "elsewhere.py")}
    agent.call("PostToolUse", tool_name="Write", tool_use_id="w1", tool_input=given, tool_response={})
    assert not agent.traces.exists()


# -- head

OFF = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": ""}


def moved(agent: Agent, before: str, after: str, *, said: str = "verb", off: bool = True) -> None:
    store = agent.store()
    evidence.moved(store.repo, agent.id, {"moved.1": f"{before} {after} {said}"}, hooks_off=off)


def unhooked(repo: Repo, *args: str, **files: str) -> str:
    if files:
        repo.write(files)
        repo.git("add", "--", *files)
    repo.git("commit", "-q", "--allow-empty", "-m", "x", *args, env=OFF)
    return repo.git("rev-parse", "HEAD")


def test_commits_without_hooks_are_found_by_the_reflog(agent: Agent) -> None:
    before = agent.repo.git("rev-parse", "HEAD")
    made = [unhooked(agent.repo, a="1\n"), unhooked(agent.repo, a="2\n")]
    moved(agent, before, made[-1])
    assert sorted(agent.links()) == sorted((c, "head") for c in made)


def test_without_a_reflog_the_way_from_head_to_head_counts(agent: Agent) -> None:
    before = agent.repo.git("rev-parse", "HEAD")
    made = unhooked(agent.repo, a="1\n")
    (agent.repo.path / ".git/logs/HEAD").unlink()
    moved(agent, before, made)
    assert agent.links() == [(made, "head")]


def test_what_head_did_after_the_command_is_somebody_elses(agent: Agent) -> None:
    before = agent.repo.git("rev-parse", "HEAD")
    made = unhooked(agent.repo, a="1\n")
    agent.repo.git("checkout", "-q", "-b", "topic", before)
    unhooked(agent.repo, b="1\n")
    agent.repo.git("checkout", "-q", "-")
    agent.repo.git("merge", "-q", "--no-ff", "-m", "by hand", "topic", env=OFF)
    moved(agent, before, made)
    assert agent.links() == [(made, "head")]


def test_a_command_that_says_nothing_of_a_commit_made_none(agent: Agent) -> None:
    before = agent.repo.git("rev-parse", "HEAD")
    made = unhooked(agent.repo, a="1\n")
    moved(agent, before, made, said="-")
    assert agent.links() == []
    moved(agent, before, made, said=f"- {made[:7]}")
    assert agent.links() == [(made, "head")]


def test_a_commit_for_which_git_ran_our_hook_is_not_one_of_an_agent_that_switches_hooks_off(agent: Agent) -> None:
    # a process that is at work still would look at the commit
    agent.settled()
    before = agent.repo.git("rev-parse", "HEAD")
    agent.traces.mkdir()
    (agent.traces / f"head.{agent.id}").write_text(f"{before}\n")
    (agent.shared / "python").write_text("/nowhere\n/nowhere\n")
    commit = agent.repo.commit("mine")
    assert (agent.traces / f"commit.{commit}").exists()
    moved(agent, before, commit)
    assert agent.links() == []
    (agent.traces / f"commit.{commit}").write_text("none \n")
    moved(agent, before, commit, off=False)
    assert agent.links() == [(commit, "head")]


def test_a_commit_that_is_linked_stays_with_its_session(agent: Agent) -> None:
    mine = agent.store().start(goal="my own").id
    before = agent.repo.git("rev-parse", "HEAD")
    commit = agent.repo.commit("mine")
    moved(agent, before, commit)
    assert agent.links() == [] and [k.commit for k in agent.store().commits(mine)] == [commit]


def test_a_checkout_is_no_commit(agent: Agent) -> None:
    agent.repo.git("branch", "other")
    agent.repo.commit("two")
    before = agent.repo.git("rev-parse", "HEAD")
    agent.repo.git("checkout", "-q", "other")
    moved(agent, before, agent.repo.git("rev-parse", "HEAD"))
    assert agent.links() == []


def test_an_amended_commit_takes_the_place_of_the_one_before(agent: Agent) -> None:
    before = agent.repo.git("rev-parse", "HEAD")
    first = unhooked(agent.repo, a="1\n")
    moved(agent, before, first)
    second = unhooked(agent.repo, "--amend", a="2\n")
    moved(agent, first, second)
    links: list[Any] = agent.store().commits(agent.id)
    assert [(k.commit, k.via, k.rewritten_from) for k in links] == [(second, "head", first)]


def command(agent: Agent, when: str, text: str, output: str = "") -> dict[str, str]:
    """What the hooks around a command of an agent's shell leave for the settle step."""
    capture = Capture(agent.sid, timestamp())
    capture.shell, capture.command, capture.output = when, text, output
    traces.leave(agent.store().repo.location, agent.id, capture)
    return capture.notes


def test_where_git_named_the_agents_commit_a_persons_is_not_linked(agent: Agent) -> None:
    command(agent, "before", "git commit -m x")
    agent.repo.write({"mine.txt": "x\n"})
    by_hand(agent.repo, "mine.txt")
    made = unhooked(agent.repo, a="1\n")
    notes = command(agent, "after", "git commit -m x", f"[main {made[:7]}] x\n 1 file changed\n")
    evidence.moved(agent.store().repo, agent.id, notes)
    assert agent.links() == [(made, "head")]


def test_a_commit_that_failed_does_not_take_a_persons(agent: Agent) -> None:
    command(agent, "before", "git commit -m x")
    agent.repo.write({"mine.txt": "x\n"})
    by_hand(agent.repo, "mine.txt")
    notes = command(agent, "after", "git commit -m x", "nothing to commit, working tree clean\n")
    evidence.moved(agent.store().repo, agent.id, notes)
    assert agent.links() == []


def test_two_agents_whose_commands_run_at_once_get_their_own(agent: Agent, home: Path) -> None:
    other = Agent(agent.repo, home, "1f4d1c1e-7a3b-4d57-9a60-2d7f0b1c9e02")
    other.prompt()
    for who in (agent, other):
        command(who, "before", "git commit -m x")
    made = [unhooked(agent.repo, a="1\n"), unhooked(agent.repo, b="1\n")]
    for who, commit in ((other, made[1]), (agent, made[0])):
        notes = command(who, "after", "git commit -m x", f"[main {commit[:7]}] x\n")
        evidence.moved(who.store().repo, who.id, notes)
    assert (agent.links(), other.links()) == ([(made[0], "head")], [(made[1], "head")])


@pytest.mark.parametrize("text", ["git commit -qm x", "git commit -m x >/dev/null", "git commit --quiet -m x"])
def test_a_quiet_commit_counts_by_its_word(agent: Agent, text: str) -> None:
    command(agent, "before", text)
    made = unhooked(agent.repo, a="1\n")
    evidence.moved(agent.store().repo, agent.id, command(agent, "after", text, "Exit Code: 0\n"))
    assert agent.links() == [(made, "head")]


def test_without_a_reflog_what_a_merge_brought_is_not_the_agents(agent: Agent) -> None:
    main = agent.repo.git("branch", "--show-current")
    agent.repo.git("checkout", "-q", "-b", "topic")
    unhooked(agent.repo, h="h\n")
    agent.repo.git("checkout", "-q", main)
    agent.repo.git("config", "core.logAllRefUpdates", "false")
    (agent.repo.path / ".git/logs/HEAD").unlink()
    command(agent, "before", "git merge --ff-only topic")
    agent.repo.git("merge", "-q", "--ff-only", "topic")
    evidence.moved(agent.store().repo, agent.id, command(agent, "after", "git merge --ff-only topic", "Fast-forward\n"))
    assert agent.links() == []


def test_a_location_without_traces_is_quiet(agent: Agent) -> None:
    assert isinstance(agent.store().repo.location, Location)
    evidence.settle(agent.store().repo)
    assert agent.links() == []
