"""`why` and the command lines of `why` and `blame`: what people and programs read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_agent_session import progress
from git_agent_session.answers import why
from git_agent_session.answers.options import Options
from git_agent_session.errors import CommitNotFound
from git_agent_session.hooks import installer
from tests.e2e.claude import free, until
from tests.e2e.cli import Cli
from tests.e2e.writing import Writer
from tests.harness import ROOT, Repo

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b5m\u202egnp.exe\x7f<script>alert(1)</script>"


@pytest.fixture
def agent(repo: Repo, home: Path) -> Iterator[Writer]:
    installer.install(str(repo.path))
    repo.commit("init", files={"old.py": "alpha = 1\nbeta = 2\n"})
    found = Writer(repo, home)
    yield found
    until(lambda: free(found.shared, found.id), 5.0)


@pytest.fixture
def work(agent: Writer) -> Writer:
    """Two prompts and two commits; in the first a person's line and another file."""
    agent.ask("Raise beta")
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.write("new.py", "x = 1\n")
    agent.person("old.py", "alpha = 1\nbeta = 20\nby_hand = 1\n")
    agent.commit(message="raise beta")
    agent.answer()
    agent.ask("Now alpha")
    agent.edit("old.py", "alpha = 1\n", "alpha = 10\n")
    agent.commit(message="raise alpha")
    agent.answer()
    return agent


@pytest.fixture
def cli(agent: Writer) -> Cli:
    return Cli(agent.repo)


# -- the API


def test_a_line_leads_to_its_prompt_and_answer(work: Writer) -> None:
    (found,) = why.of_lines(work.store(), "old.py", Options(("2,2",)))
    (behind,) = found.sessions
    assert (found.kind, found.ranges, found.subject) == ("agent", ((2, 2),), "raise beta")
    assert behind.prompt is not None and behind.answer is not None
    assert (behind.prompt.number, behind.prompt.text, behind.answer.text) == (1, "Raise beta", "Done 1.")
    assert (behind.session.id, behind.session.agent.type, behind.link.via) == (work.id, "claude-code", "env")


def test_a_line_leads_to_what_was_changed_with_it(work: Writer) -> None:
    (found,) = why.of_lines(work.store(), "old.py", Options(("2,2",)))
    (behind,) = found.sessions
    assert set(found.files) == {"old.py", "new.py"}
    assert (behind.before, behind.after) == ((), (work.repo.git("rev-parse", "HEAD"),))
    assert behind.lines == {"agent": 2, "human": 1}


def test_lines_of_several_commits_get_an_answer_each(work: Writer) -> None:
    found = why.of_lines(work.store(), "old.py")
    assert [(a.kind, a.ranges, [b.prompt.number for b in a.sessions if b.prompt]) for a in found] == [
        *(("agent", ((1, 1),), [2]), ("agent", ((2, 2),), [1]), ("human", ((3, 3),), [1])),
    ]


def test_a_commit_leads_to_its_session(work: Writer) -> None:
    found = why.of_commit(work.store(), "HEAD")
    (behind,) = found.sessions
    assert behind.prompt is not None and behind.prompt.text == "Now alpha"
    assert behind.before == (work.repo.git("rev-parse", "HEAD~"),)
    with pytest.raises(CommitNotFound):
        why.of_commit(work.store(), "nope")


def test_a_persons_line_has_no_session(agent: Writer) -> None:
    agent.ask("hello")
    agent.answer()
    (found,) = why.of_lines(agent.store(), "old.py")
    assert (found.kind, found.sessions) == ("human", ())


def test_a_rewritten_commit_leads_to_its_session(work: Writer) -> None:
    work.repo.git("commit", "-q", "--amend", "-m", "other words")
    (found,) = why.of_lines(work.store(), "old.py", Options(("1,1",)))
    (behind,) = found.sessions
    assert behind.link.rewritten_from and behind.prompt is not None and behind.prompt.number == 2


def test_a_line_that_is_in_no_commit_leads_to_the_session_at_work(agent: Writer) -> None:
    agent.ask("Raise beta")
    agent.edit("old.py", "beta = 2\n", "beta = 20\n")
    agent.answer()
    (found,) = why.of_lines(agent.store(), "old.py", Options(("2,2",)))
    assert (found.commit, found.kind) == ("", "agent")
    assert [b.prompt.text for b in found.sessions if b.prompt] == ["Raise beta"]


# -- the commands


def test_why_says_it_in_words(work: Writer, cli: Cli) -> None:
    said = cli("why", "old.py:2").out
    for part in ("old.py:2  written by the agent", "raise beta", "Raise beta", "Done 1.", "known by env", "new.py"):
        assert part in said
    assert "written by a person" in cli("why", "old.py:3").out
    assert "Now alpha" in cli("why", "HEAD").out
    assert cli("why", "old.py:1,3").out.count("commit ") == 3


def test_a_whole_file_is_answered_by_its_commits(work: Writer, cli: Cli) -> None:
    done = cli("why", "-n", "1", "old.py")
    assert done.out.count("commit ") == 1 and "2 more; -n 3 shows all" in done.err
    assert len(cli("why", "old.py", "--json").json) == 3


def test_a_file_without_lines_is_said_to_have_none(agent: Writer, cli: Cli) -> None:
    agent.repo.commit("empty", files={"empty.py": ""})
    found = cli("why", "empty.py")
    assert found.out == "" and found.err.startswith("empty.py has no lines; ")
    asked = cli("why", "--json", "empty.py")
    assert (asked.out, asked.err) == ("[]\n", "")


def test_a_target_that_is_nothing_is_an_error(work: Writer, cli: Cli) -> None:
    assert "no file" in cli.fails("why", "nope")
    assert "no such path" in cli.fails("why", "none.py:3")
    assert "no such path" in cli.fails("why", "none.py")
    assert "has only 3 lines" in cli.fails("why", "old.py:9")
    cli.fails("why", "old.py:0", code=2)
    cli.fails("why", "old.py:3,1", code=2)
    cli.fails("why", "", code=2)


def test_bad_calls_of_blame_are_errors(work: Writer, cli: Cli) -> None:
    assert "no such path" in cli.fails("blame", "none.py")
    assert "has only 3 lines" in cli.fails("blame", "-L7,8", "old.py")
    assert cli("blame", "--porcelain", "--json", "old.py", code=2).out == ""
    cli.fails("blame", "HEAD", "old.py", "more", code=2)
    cli.fails("blame", "", code=2)
    cli.fails("blame", "nope", "old.py")


def test_blame_outside_of_a_repository_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    assert "not a git repository" in Cli(Repo(tmp_path / "bare")).fails("blame", "f")


def test_the_porcelain_is_gits_with_our_headers(work: Writer, cli: Cli) -> None:
    said = cli("blame", "--porcelain", "old.py").out
    without = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("agent-session-"))
    assert without == work.repo.git("blame", "--porcelain", "old.py") + "\n"
    blocks = re.findall(r"((?:agent-session-\S+(?: \S+)?\n)+)\t(.*)\n", said)
    assert [text for _, text in blocks] == ["alpha = 10", "beta = 20", "by_hand = 1"]
    of_agent = f"agent-session-kind agent\nagent-session-id {work.id}\nagent-session-agent claude-code\n"
    assert blocks[1][0] == f"{of_agent}agent-session-prompt 1\n"
    assert blocks[2][0].startswith("agent-session-kind human\n")


def test_blame_marks_each_line(work: Writer, cli: Cli) -> None:
    rows = cli("blame", "old.py").out.splitlines()
    assert [row.split()[1] for row in rows] == ["agent", "agent", "human"]
    assert "claude-code #2" in rows[0] and "Ada Tester" in rows[2] and rows[2].endswith("3) by_hand = 1")


def test_blame_takes_a_file_from_a_folder_below(work: Writer) -> None:
    work.repo.commit("below", files={"src/f.py": "x\n"})
    assert Cli(Repo(work.repo.path / "src"))("blame", "--json", "f.py").json[0]["path"] == "src/f.py"


def test_an_absent_session_comes_with_the_way_to_get_it(work: Writer, tmp_path: Path) -> None:
    clone = Repo(tmp_path / "clone")
    work.repo.git("clone", "-q", str(work.repo.path), str(clone.path))
    clone.git("fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
    cli = Cli(clone)
    done = cli("blame", "old.py")
    assert "(not here)" in done.out and "git agent-session fetch" in done.err
    assert "not in this repository" in cli("why", "old.py:1").out
    assert cli("blame", "--json", "old.py").json[0]["present"] is False


def test_hostile_texts_reach_no_terminal(agent: Writer, cli: Cli) -> None:
    agent.ask(HOSTILE)
    agent.write("f.py", f"x = '{HOSTILE}'\n")
    agent.commit(message=HOSTILE.replace("\x1b", "\x1b "))
    agent.answer()
    agent.repo.git("commit", "-q", "--amend", "--no-edit", "--author", "\x1b[31mEve\u202e <e@example.org>")
    agent.person("f.py", f"x = '{HOSTILE}'\ny = 1\n")
    agent.repo.git("commit", "-q", "-am", "more", "--author", "\x1b[31mEve\u202e <e@example.org>")
    for args in (("blame", "f.py"), ("why", "f.py"), ("why", "--full", "HEAD~"), ("blame", "--json", "f.py")):
        out = cli(*args).out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out), (args, out)


def test_a_record_that_anybody_may_have_written_is_bounded(agent: Writer, cli: Cli) -> None:
    agent.ask("go")
    agent.repo.write({"f.py": "x = 1\n"})
    commit = agent.commit()
    ranges = {"path": "f.py", "agent": "1-9999999 2-1@3 -1 x 1@99999999 " * 1000, "mixed": 7, "human": "0-40000"}
    rows = [ranges, 3, {"path": 4}]
    agent.store().append(agent.id, "lines", {"commit": commit, "files": rows, "prompt": "no"})
    assert cli("blame", "--json", "f.py").json[0]["kind"] in ("agent", "human", "unknown")


def test_a_long_look_at_many_sessions_shows_how_far_it_is(
    work: Writer, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Reading" not in cli("blame", "old.py", tty=True).err
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    assert "Reading sessions" in cli("blame", "old.py", tty=True, env={"GIT_PAGER": "cat"}).err
    assert "Reading" not in cli("blame", "old.py").err


# -- documents


def test_the_keys_are_documented(work: Writer, cli: Cli) -> None:
    text = (ROOT / "docs/json.md").read_text()
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    keys = {title: set(re.findall(r"^\| `([a-z_]+)` \|", body, re.M)) for title, body in sections.items()}
    for row in cli("blame", "--json", "old.py").json:
        assert set(row) <= keys["Blamed line"]
    for answer in cli("why", "--json", "old.py").json:
        assert set(answer) <= keys["Answer"]
        for session in answer["sessions"]:
            assert set(session) <= keys["Session behind a commit"]
