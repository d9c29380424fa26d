"""`replay`: what happened, in its order, with the diffs; and the tree as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from git_agent_session.report import replay
from git_agent_session.store.store import Store
from git_agent_session.work import fork
from tests.e2e import kept as k
from tests.e2e.cli import Cli
from tests.e2e.kept import Kept
from tests.harness import Repo


@pytest.fixture
def work(hooked: Repo, store: Store, session: str) -> tuple[str, list[str]]:
    store.log(session, "user_message", "Add one", role="user")
    commits = [hooked.commit("one", files={"a": "first\n"}, env={"GIT_AGENT_SESSION": session})]
    store.append(session, "decision", {"text": "Keep it small"})
    commits.append(hooked.commit("two", files={"a": "second\n"}, env={"GIT_AGENT_SESSION": session}))
    store.end(session)
    return session, commits


def test_the_steps_come_in_order_and_commits_with_their_diffs(store: Store, work: tuple[str, list[str]]) -> None:
    found = list(replay.steps(store, work[0]))
    assert [s.kind for s in found] == ["start", "interaction", "commit", "decision", "commit", "end"]
    assert "+first" in found[2].patch and found[2].subject == "one"
    assert "-first\n+second" in found[4].patch


@pytest.mark.parametrize(("which", "last"), [(0, "one"), (1, "two")])
def test_until_a_commit_it_stops_there(store: Store, work: tuple[str, list[str]], which: int, last: str) -> None:
    assert list(replay.steps(store, work[0], until=work[1][which]))[-1].subject == last


def test_a_transcript_is_told_in_place_of_the_messages(repo: Repo) -> None:
    repo.commit("root")
    kept = Kept(repo)
    kept.store.append(kept.id, "message", {"role": "user", "text": "Limit it"})
    edit = {"file_path": "/x/a.py", "old_string": "1", "new_string": "2"}
    kept.chunk(
        k.prompt(1, "Limit it"), k.call(2, "Edit", edit), k.result(3, "t2", "done"), k.answer(4, "It is limited")
    )
    kept.store.append(kept.id, "decision", {"text": "five tries"})
    told = [(s.kind, s.entry is not None) for s in replay.steps(kept.store, kept.id)]
    assert told == [
        ("start", False),
        ("decision", False),
        ("prompt", True),
        ("call", True),
        ("result", True),
        ("answer", True),
    ]
    shown = Cli(repo)("replay", kept.id).out
    assert "old_string: 1" in shown and "It is limited" in shown and "decision" in shown


def test_an_event_cuts_the_transcript_at_its_time(repo: Repo) -> None:
    repo.commit("root")
    kept = Kept(repo)
    kept.chunk(k.prompt(1, "Later than everything"))
    note = kept.store.log(kept.id, "note", "now")
    assert [s.kind for s in replay.steps(kept.store, kept.id, until=note.id)] == ["start", "interaction"]
    assert "prompt" in [s.kind for s in replay.steps(kept.store, kept.id)]


def test_a_fork_is_told_from_its_beginning_where_asked(store: Store, work: tuple[str, list[str]]) -> None:
    made = fork.fork(store, work[0], at=work[1][0]).session.id
    assert [s.kind for s in replay.steps(store, made)] == ["start"]
    told = [(s.kind, s.session) for s in replay.steps(store, made, inherited=True)]
    assert told == [("start", work[0]), ("interaction", work[0]), ("commit", work[0]), ("start", made)]


def test_pauses_are_as_they_were_but_faster_and_never_long() -> None:
    times = ("2026-01-01T10:00:00.000Z", "2026-01-01T10:01:00.000Z", "2026-01-02T10:00:00.000Z", "", "nonsense")
    slept: list[float] = []
    found = [replay.Step("s", at) for at in times]
    assert list(replay.paced(found, 60, slept.append)) == found
    assert slept == [1.0, 3.0]
    assert list(replay.paced(found, 0, slept.append)) == found and len(slept) == 2


def test_each_step_is_a_line_of_json(hooked: Repo, work: tuple[str, list[str]]) -> None:
    rows = [json.loads(line) for line in Cli(hooked)("replay", work[0], "--json").out.splitlines()]
    assert [r["kind"] for r in rows] == ["start", "interaction", "commit", "decision", "commit", "end"]
    assert rows[2]["commit"] == work[1][0] and "+first" in rows[2]["patch"] and rows[2]["session"] == work[0]


def test_a_person_sees_the_words_and_the_diff(hooked: Repo, work: tuple[str, list[str]]) -> None:
    out = Cli(hooked)("replay", work[0]).out
    assert out.index("Add one") < out.index("+first") < out.index("Keep it small") < out.index("+second")


def test_what_others_wrote_steers_no_terminal(hooked: Repo, store: Store, session: str) -> None:
    store.append(session, "decision", {"text": "safe"})
    commit = hooked.commit("\x1b[31mred\x1b[0m \u202egnp", files={"f": "\x1b]0;title\x07text\u202e\n"})
    store.link(session, [commit])
    shown = Cli(hooked)("replay", session).out
    assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown and "text" in shown


def test_a_long_diff_is_cut_and_says_so(hooked: Repo, store: Store, session: str) -> None:
    commit = hooked.commit("long", files={"f": "line\n" * 200_000}, env={"GIT_AGENT_SESSION": session})
    step = next(s for s in replay.steps(store, session) if s.commit == commit)
    assert step.cut and len(step.patch) <= replay.MAX_PATCH
    assert f"the diff goes on: git show {commit[:10]}" in Cli(hooked)("replay", session).out


def test_a_commit_that_is_not_here_is_told_without_its_diff(hooked: Repo, store: Store, session: str) -> None:
    store.append(session, "commit", {"commit": "a" * 40, "via": "manual"})
    assert "(not in this repository)" in Cli(hooked)("replay", session).out


def test_no_program_of_the_users_takes_part_in_a_diff(
    hooked: Repo, store: Store, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    hooked.git("config", "diff.external", f"touch {tmp_path}/ran")
    hooked.git("config", "core.pager", f"touch {tmp_path}/ran")
    list(replay.steps(store, work[0]))
    assert not (tmp_path / "ran").exists()


# -- the tree


def test_the_tree_of_any_point_is_rebuilt_beside_the_users(
    hooked: Repo, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    hooked.write({"a": "not committed\n"})
    row = Cli(hooked)("replay", work[0], "--until", work[1][0], "--worktree", str(tmp_path / "then"), "--json").json
    assert row == {"session": work[0], "worktree": str(tmp_path / "then"), "commit": work[1][0]}
    assert (tmp_path / "then/a").read_text() == "first\n"
    assert (hooked.path / "a").read_text() == "not committed\n"
    assert Repo(tmp_path / "then").git("branch", "--show-current") == ""
    said = Cli(hooked)("replay", work[0], "--worktree", str(tmp_path / "now")).out
    assert said == f"Rebuilt the tree of commit {work[1][1][:10]} in {tmp_path / 'now'}\n"
    assert (tmp_path / "now/a").read_text() == "second\n"


def test_before_the_first_commit_it_is_what_that_was_made_on(
    hooked: Repo, store: Store, work: tuple[str, list[str]], tmp_path: Path
) -> None:
    start = store.history(work[0])[0].id
    Cli(hooked)("replay", work[0], "--until", start, "--worktree", str(tmp_path / "t"))
    assert (tmp_path / "t/f").exists() and not (tmp_path / "t/a").exists()


def test_a_folder_that_is_not_empty_is_refused(hooked: Repo, work: tuple[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    assert "is not empty" in Cli(hooked).fails("replay", work[0], "--worktree", str(tmp_path))
    assert "cannot make a worktree" in Cli(hooked).fails("replay", work[0], "--worktree", str(tmp_path / "f"))


def test_without_a_commit_there_is_no_tree(repo: Repo, tmp_path: Path) -> None:
    cli = Cli(repo)
    session = cli.start()
    assert "no commit was in force" in cli.fails("replay", session, "--worktree", str(tmp_path / "x"))


@pytest.mark.parametrize("until", ["nonsense", "zzzz", "0a1b2c3", "HEAD~2"])
def test_what_is_no_point_is_refused(hooked: Repo, work: tuple[str, list[str]], until: str) -> None:
    assert "no event and no commit of session" in Cli(hooked).fails("replay", work[0], "--until", until, code=2)


def test_a_date_is_read_as_git_reads_it(hooked: Repo, work: tuple[str, list[str]]) -> None:
    assert "end" in Cli(hooked)("replay", work[0], "--until", "now").out
    assert "began after" in Cli(hooked).fails("replay", work[0], "--until", "2001-01-01", code=2)
