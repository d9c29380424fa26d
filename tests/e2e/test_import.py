"""What agents did before the plugin was there becomes sessions: once, with its own times, and with proven commits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import Session, Store, progress
from git_agent_session.agents import transcripts
from git_agent_session.agents.importing import import_sessions
from git_agent_session.agents.importing_report import Report
from git_agent_session.git.repository import SESSIONS
from git_agent_session.ids import native_session_id
from tests.e2e.claude import Claude, until
from tests.e2e.cli import Cli
from tests.e2e.history import Past
from tests.harness import Repo

ONE = "1c0ffee0-0000-4000-8000-00000000000a"
TWO = "2c0ffee0-0000-4000-8000-00000000000b"
THREE = "3c0ffee0-0000-4000-8000-00000000000c"


def id_of(sid: str) -> str:
    return native_session_id("claude-code", sid)


def store(repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def take(repo: Repo, **options: object) -> Report:
    return import_sessions(store(repo).repo, "claude-code", **options)  # type: ignore[arg-type]


def outcomes(report: Report) -> dict[str, str]:
    return {row.native_id: row.outcome for row in report.rows}


def got(repo: Repo, sid: str) -> Session:
    return store(repo).get(id_of(sid))


def refs(repo: Repo) -> str:
    return repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/agent-sessions", "refs/notes")


def linked(repo: Repo, sid: str) -> dict[str, str]:
    return {link.commit: link.via for link in store(repo).commits(id_of(sid))}


def chunks(repo: Repo, sid: str) -> str:
    """All that the session's chain holds, as text."""
    found = []
    for batch in repo.lines("rev-list", SESSIONS + id_of(sid)):
        found += [
            repo.git("cat-file", "-p", f"{batch}:{name}") for name in repo.lines("ls-tree", "-r", "--name-only", batch)
        ]
    return "\n".join(found)


@pytest.fixture
def past(repo: Repo, home: Path) -> Past:
    repo.commit("init", env={"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"})
    return Past(home, repo, ONE)


@pytest.fixture
def simple(past: Past) -> Past:
    past.prompt("Add a greeting").answer("I look.").write("greet.py", "print('hi')\n").answer("It greets.", 20)
    return past.save()


# -- sessions


def test_a_session_comes_with_its_own_times_and_words(repo: Repo, simple: Past) -> None:
    report = take(repo)
    session = got(repo, ONE)
    assert outcomes(report) == {ONE: "imported"}
    assert (session.title, session.status) == ("Add a greeting", "completed")
    assert session.started_at == simple.records[0]["timestamp"]
    assert session.ended_at == session.updated_at == simple.records[-1]["timestamp"]
    assert session.agent.type == "claude-code" and session.agent.native_id == ONE
    assert session.agent.model == "claude-sonnet-4-5" and session.agent.version == "2.1.329"
    assert (session.user, session.project, session.goal) == ("Ada Tester <ada@example.org>", "repo", "")
    assert session.meta["source"] == "import"


def test_of_a_turn_the_last_answer_is_kept(repo: Repo, simple: Past) -> None:
    take(repo)
    events = store(repo).history(id_of(ONE))
    assert [(e.data["role"], e.data["text"]) for e in events if e.kind == "message"] == [
        ("user", "Add a greeting"),
        ("assistant", "It greets."),
    ]


def test_a_tool_event_has_the_path_in_the_worktree_and_how_it_went(repo: Repo, past: Past) -> None:
    past.prompt("go").write("src/a.py", "1\n").tool("Bash", {"command": "make test"}, "2 failed", error=True).save()
    take(repo)
    tools = store(repo).history(id_of(ONE), kinds=("tool",))
    assert [{k: e.data.get(k) for k in ("name", "paths", "outcome", "summary", "error")} for e in tools] == [
        {"name": "Write", "paths": ["src/a.py"], "outcome": "ok", "summary": None, "error": None},
        {"name": "Bash", "paths": None, "outcome": "error", "summary": "make test", "error": "2 failed"},
    ]
    assert [e.at for e in tools] == [r["timestamp"] for r in past.records if "tool_use_id" in json.dumps(r)]


def test_tokens_are_counted_and_priced(repo: Repo, simple: Past) -> None:
    take(repo)
    usage = got(repo, ONE).usage
    assert (usage["input_tokens"], usage["output_tokens"]) == (3, 40)
    assert usage["cost_usd"] > 0


def test_the_transcript_travels_with_the_session(repo: Repo, simple: Past) -> None:
    take(repo)
    events = store(repo).history(id_of(ONE), kinds=("transcript",))
    assert sum(e.data["records"] for e in events) == len(simple.records)
    assert "It greets." in chunks(repo, ONE)


def test_a_second_import_changes_nothing(repo: Repo, simple: Past) -> None:
    simple.commit("Greet")
    simple.save()
    take(repo)
    before = refs(repo)
    report = take(repo)
    assert outcomes(report) == {ONE: "known"} and report.linked == []
    assert refs(repo) == before


def test_a_second_import_changes_nothing_where_all_memory_is_lost(repo: Repo, simple: Past) -> None:
    simple.commit("Greet")
    simple.save()
    take(repo)
    before = refs(repo)
    for name in ("capture", "seen", "native"):
        repo.run("rm", "-r", str(repo.path / ".git" / "agent-session" / name), check=True)
    assert outcomes(take(repo)) == {ONE: "known"}
    assert refs(repo) == before


def test_of_a_grown_transcript_only_the_new_part_is_added(repo: Repo, simple: Past) -> None:
    take(repo)
    before = store(repo).history(id_of(ONE))
    simple.wait(hours=2).prompt("And a farewell").write("bye.py", "print('bye')\n").answer("It parts.", 5).save()
    assert outcomes(take(repo)) == {ONE: "grown"}
    after = store(repo).history(id_of(ONE))
    assert after[: len(before)] == before
    new = [(e.kind, e.data.get("text") or e.data.get("name")) for e in after[len(before) :]]
    assert [n for n in new if n[0] in ("message", "tool")] == [
        ("message", "And a farewell"),
        ("tool", "Write"),
        ("message", "It parts."),
    ]
    session = got(repo, ONE)
    assert (session.status, session.ended_at) == ("completed", simple.records[-1]["timestamp"])
    assert session.usage["output_tokens"] == 55
    assert [e.kind for e in after].count("end") == 2 and [e.kind for e in after].count("resume") == 1


def test_a_session_that_may_still_run_is_not_ended_until_it_is_quiet(
    repo: Repo, simple: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = time.time
    monkeypatch.setattr(time, "time", lambda: simple.now.timestamp() + 60)
    take(repo)
    assert (got(repo, ONE).status, got(repo, ONE).ended_at) == ("active", "")
    assert "It greets." not in [e.data.get("text") for e in store(repo).history(id_of(ONE))]
    monkeypatch.setattr(time, "time", quiet)
    assert outcomes(take(repo)) == {ONE: "grown"}
    assert (got(repo, ONE).status, got(repo, ONE).ended_at) == ("completed", simple.records[-1]["timestamp"])
    assert "It greets." in [e.data.get("text") for e in store(repo).history(id_of(ONE))]


def test_no_imported_session_becomes_current_or_open(repo: Repo, simple: Past) -> None:
    take(repo)
    assert store(repo).current() is None
    assert os.listdir(repo.path / ".git" / "agent-session" / "live") == []


def test_a_session_without_a_word_is_left_out(repo: Repo, past: Past) -> None:
    past.record("system", subtype="local_command")
    past.save()
    assert outcomes(take(repo)) == {ONE: "empty"}
    assert refs(repo) == ""


def test_secrets_are_stored_nowhere(repo: Repo, past: Past) -> None:
    key = "ghp_" + "a1B2" * 9
    past.prompt(f"Use {key}").write("conf.py", f"key = '{key}'\n")
    past.tool("Bash", {"command": f"curl -H 'Authorization: {key}' && git commit -m '{key}'"}, f"[main 1234567] {key}")
    past.answer(f"{key} works").save()
    take(repo)
    assert key not in chunks(repo, ONE) and "[redacted: github-token" in chunks(repo, ONE)
    plugin = repo.path / ".git" / "agent-session"
    assert not [p for p in plugin.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]


def test_a_subagents_work_is_part_of_the_session(repo: Repo, simple: Past, home: Path) -> None:
    inner = Past(home, repo, "a01")
    inner.path = simple.path.with_suffix("") / "subagents" / "agent-a01.jsonl"
    inner.path.parent.mkdir(parents=True)
    inner.prompt("look closely").tool("Grep", {"pattern": "hi"}, "greet.py").answer("Found.").save()
    inner.path.with_suffix(".meta.json").write_text('{"agentType": "Explore"}')
    take(repo)
    events = store(repo).history(id_of(ONE))
    agents = [(e.data["action"], e.data["agent_id"], e.data["type"], e.at) for e in events if e.kind == "agent"]
    assert agents == [
        ("start", "a01", "Explore", inner.records[0]["timestamp"]),
        ("stop", "a01", "Explore", inner.records[-1]["timestamp"]),
    ]
    assert [e.data.get("agent_id") for e in events if e.kind == "tool"] == [None, "a01"]
    assert "look closely" not in [e.data.get("text") for e in events]


# -- which sessions


def test_sessions_of_other_folders_are_not_imported(repo: Repo, simple: Past, home: Path, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "repo-other")
    Past(home, other, TWO).prompt("elsewhere").save()
    # a folder of the same name in Claude's spelling
    twin = Past(home, repo, THREE)
    twin.cwd = tmp_path / "repo.other"
    twin.prompt("elsewhere, too").save()
    assert outcomes(take(repo)) == {ONE: "imported"}


def test_sessions_of_all_worktrees_are_imported_into_one_repository(repo: Repo, simple: Past, home: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(repo.path.parent / "side"))
    side = Past(home, repo, TWO, cwd=repo.path.parent / "side", minutes=60).prompt("beside").write("s.py", "s\n")
    commit = side.commit("Beside", shows=False, command="git commit -qm Beside")
    side.save()
    assert outcomes(take(repo)) == {ONE: "imported", TWO: "imported"}
    assert linked(repo, TWO) == {commit: "files"}
    assert store(repo).history(id_of(TWO), kinds=("tool",))[0].data["paths"] == ["s.py"]


def test_a_transcript_that_the_user_names_may_lie_anywhere(repo: Repo, simple: Past, tmp_path: Path) -> None:
    moved = tmp_path / "backup" / simple.path.name
    moved.parent.mkdir()
    simple.path.rename(moved)
    assert take(repo).rows == []
    assert outcomes(take(repo, paths=[str(moved)])) == {ONE: "imported"}


def test_a_named_transcript_of_another_repository_is_refused(
    repo: Repo, simple: Past, home: Path, tmp_path: Path
) -> None:
    other = Past(home, Repo.init(tmp_path / "elsewhere"), TWO).prompt("elsewhere").save()
    report = take(repo, paths=[str(other.path), str(tmp_path / "none.jsonl"), str(tmp_path)])
    assert [row.outcome for row in report.rows] == ["failed"] * 3
    said = "\n".join(row.error for row in report.rows)
    assert "another repository" in said and "no such file" in said and "is a folder" in said


def test_since_leaves_out_what_began_before(repo: Repo, simple: Past, home: Path) -> None:
    Past(home, repo, TWO, minutes=24 * 60).prompt("the day after").save()
    assert outcomes(take(repo, since="2026-03-03T00:00:00.000Z")) == {TWO: "imported"}


def test_a_session_that_hooks_have_recorded_is_left_alone(claude: Claude, home: Path) -> None:
    claude.call("SessionStart", source="startup")
    claude.prompt()
    claude.end()
    claude.settled(lambda s: s.ended)
    Past(home, claude.repo, claude.sid).prompt("go").answer("Done.").save()
    before = refs(claude.repo)
    assert outcomes(take(claude.repo)) == {claude.sid: "recorded"}
    assert refs(claude.repo) == before


def test_a_live_resume_goes_on_in_the_imported_session(claude: Claude, home: Path) -> None:
    past = Past(home, claude.repo, claude.sid).prompt("Begin").answer("Begun.", 7).save()
    take(claude.repo)
    claude.transcript = past.path
    claude.call("SessionStart", source="resume")
    claude.prompt("Go on", 2)
    past.wait(hours=3).prompt("Go on").answer("Gone on.", 5)
    past.save()
    claude.call("Stop", prompt_id="p2", last_assistant_message="Gone on.")
    session = claude.settled(lambda s: s.usage.get("output_tokens") == 12)
    assert (session.status, session.title) == ("active", "Begin")
    texts = [e.data["text"] for e in claude.store().history(claude.id, kinds=("message",))]
    assert texts == ["Begin", "Begun.", "Go on", "Gone on."]
    claude.end(2)
    claude.settled(lambda s: s.ended)
    assert chunks(claude.repo, claude.sid).count('"uuid":') == len(past.records)
    before = refs(claude.repo)
    assert outcomes(take(claude.repo)) == {claude.sid: "recorded"}
    assert refs(claude.repo) == before


def test_a_prompt_alone_goes_on_in_the_imported_session(claude: Claude, home: Path) -> None:
    past = Past(home, claude.repo, claude.sid).prompt("Begin").answer("Begun.").save()
    claude.transcript = past.path
    take(claude.repo)
    claude.prompt("Go on", 2)
    assert claude.settled().status == "active"


# -- forks


def test_what_a_fork_has_copied_is_not_imported_again(repo: Repo, simple: Past, home: Path) -> None:
    fork = simple.fork(home, TWO).prompt("Another way").answer("Differently.", 4).save()
    simple.wait(hours=5).prompt("Later").answer("Much later.", 3).save()
    fork.save()
    os.utime(simple.path, (1, 1))
    assert outcomes(take(repo)) == {ONE: "imported", TWO: "imported"}
    texts = [e.data["text"] for e in store(repo).history(id_of(TWO), kinds=("message",))]
    assert texts == ["Another way", "Differently."]
    session = got(repo, TWO)
    assert session.parent == id_of(ONE) and session.title == "Another way"
    assert session.usage["output_tokens"] == 4 and session.counts["tools"] == 0
    assert session.started_at > got(repo, ONE).started_at
    assert got(repo, ONE).usage["output_tokens"] == 43
    assert "It greets." not in chunks(repo, TWO)


def test_a_fork_of_a_session_that_is_stored_already(repo: Repo, simple: Past, home: Path) -> None:
    take(repo)
    simple.fork(home, TWO).prompt("Another way").save()
    now = time.time()
    os.utime(simple.path, (now, now))
    assert outcomes(take(repo))[TWO] == "imported"
    assert [e.data["text"] for e in store(repo).history(id_of(TWO), kinds=("message",))] == ["Another way"]


# -- commits


def test_a_commit_whose_id_git_printed_is_linked(repo: Repo, simple: Past) -> None:
    commit = simple.commit("Greet the world")
    simple.save()
    report = take(repo)
    assert report.linked == report.rows[0].commits == [commit]
    assert linked(repo, ONE) == {commit: "transcript"}
    assert [w.session.id for w in store(repo).which(commit)] == [id_of(ONE)]
    assert id_of(ONE) in repo.git("notes", "--ref=agent-sessions", "show", commit)


def test_a_printed_id_of_another_day_is_no_proof(repo: Repo, simple: Past) -> None:
    old = repo.commit(
        "Old",
        files={"x": "x"},
        env={"GIT_AUTHOR_DATE": "2026-02-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-02-01T00:00:00Z"},
    )
    simple.tool("Bash", {"command": "cat build.log"}, f"[main {old[:7]}] Old\n 1 file changed").save()
    assert take(repo).linked == []


def test_a_log_of_commits_is_no_proof(repo: Repo, simple: Past) -> None:
    (repo.path / "human.txt").write_text("mine\n")
    (repo.path / "greet.py").unlink()
    commit = simple.by_hand("By hand")
    simple.tool("Bash", {"command": "git log --oneline"}, f"{commit[:7]} By hand\ncommit {commit}").save()
    assert take(repo).linked == []


def test_a_commit_of_the_very_content_that_was_written_is_linked(repo: Repo, simple: Past) -> None:
    commit = simple.by_hand("Somebody commits it")
    simple.answer("Thanks.").save()
    take(repo)
    assert linked(repo, ONE) == {commit: "files"}


def test_an_edit_is_followed_to_its_content(repo: Repo, simple: Past) -> None:
    target = repo.path / "greet.py"
    target.write_text("print('hello')\n")
    simple.tool("Edit", {"file_path": str(target), "old_string": "'hi'", "new_string": "'hello'"}, "ok")
    commit = simple.by_hand("Say hello")
    simple.answer("Thanks.").save()
    take(repo)
    assert linked(repo, ONE) == {commit: "files"}


def test_content_that_somebody_changed_is_no_proof(repo: Repo, simple: Past) -> None:
    (repo.path / "greet.py").write_text("print('changed by hand')\n")
    simple.by_hand("Changed")
    simple.answer("Thanks.").save()
    assert take(repo).linked == []


def test_a_quiet_commit_of_a_formatted_file_is_proved_by_its_command(repo: Repo, simple: Past) -> None:
    (repo.path / "greet.py").write_text('print("hi")\n')
    commit = simple.commit("Greet in style", shows=False)
    simple.save()
    take(repo)
    assert linked(repo, ONE) == {commit: "transcript"}


def test_a_commit_outside_of_the_sessions_time_is_not_linked(repo: Repo, simple: Past) -> None:
    simple.save()
    simple.wait(hours=1).by_hand("Much later")
    assert take(repo).linked == []


def test_a_commit_that_two_sessions_can_claim_belongs_to_neither(repo: Repo, simple: Past, home: Path) -> None:
    other = Past(home, repo, TWO).prompt("the same").write("greet.py", "print('hi')\n")
    other.now = simple.now
    simple.by_hand("Whose?")
    for session in (simple, other):
        session.now = simple.now
        session.answer("Done.").save()
    assert take(repo).linked == []


def test_of_two_that_can_claim_a_commit_the_one_that_git_told_has_it(repo: Repo, simple: Past, home: Path) -> None:
    other = Past(home, repo, TWO).prompt("the same").write("greet.py", "print('hi')\n")
    commit = simple.commit("Mine")
    simple.save()
    other.now = simple.now
    other.answer("Done.").save()
    take(repo)
    assert (linked(repo, ONE), linked(repo, TWO)) == ({commit: "transcript"}, {})


def test_a_commit_that_was_amended_away_is_not_linked(repo: Repo, simple: Past) -> None:
    first = simple.commit("Frist")
    second = simple.commit("First", "--amend")
    simple.save()
    take(repo)
    assert first != second and linked(repo, ONE) == {second: "transcript"}


def test_a_commit_that_belongs_to_a_session_stays_with_it(repo: Repo, simple: Past) -> None:
    commit = simple.commit("Greet")
    simple.save()
    mine = store(repo).start(goal="mine")
    store(repo).link(mine.id, [commit])
    assert take(repo).linked == []
    assert linked(repo, ONE) == {}


def test_a_link_that_was_taken_back_does_not_return(repo: Repo, simple: Past) -> None:
    commit = simple.commit("Greet")
    simple.save()
    take(repo)
    store(repo).unlink(id_of(ONE), [commit])
    assert take(repo).linked == []
    assert linked(repo, ONE) == {}


def test_a_commit_that_comes_later_is_linked_by_the_next_import(repo: Repo, simple: Past) -> None:
    commit = simple.commit("Greet")
    simple.save()
    repo.git("update-ref", "refs/heads/main", f"{commit}~1")
    assert take(repo).linked == []
    repo.git("update-ref", "refs/heads/main", commit)
    assert take(repo).linked == [commit]


# -- a run of the command


def files(folder: Path) -> set[str]:
    return {str(p) for p in folder.rglob("*")}


def test_a_dry_run_writes_nothing_and_says_what_would_come(repo: Repo, simple: Past) -> None:
    commit = simple.commit("Greet")
    simple.save()
    before = files(repo.path)
    done = Cli(repo)("import", "claude-code", "--dry-run", "--json")
    row = done.json["sessions"][0]
    assert (row["session"], row["title"], row["commits"]) == (id_of(ONE), "Add a greeting", [commit])
    assert (row["prompts"], row["tools"], row["outcome"]) == (1, 2, "imported")
    assert (row["started_at"], row["ended_at"]) == (simple.records[0]["timestamp"], simple.records[-1]["timestamp"])
    text = Cli(repo)("import", "claude-code", "--dry-run").out
    assert "Add a greeting" in text and "1 session would be imported, 1 commit would be linked" in text
    assert files(repo.path) == before


def test_the_command_says_what_it_did(repo: Repo, simple: Past) -> None:
    simple.commit("Greet")
    simple.save()
    assert Cli(repo)("import", "claude-code").out == "1 session imported, 1 commit linked\n"
    assert Cli(repo)("import", "claude-code").out == "0 sessions imported (1 known already), 0 commits linked\n"


def test_all_agents_can_be_asked_at_once(repo: Repo, simple: Past) -> None:
    assert Cli(repo)("import", "--all").out == "1 session imported, 0 commits linked\n"


def test_progress_is_shown_on_a_terminal_alone_and_is_gone_at_the_end(
    repo: Repo, simple: Past, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    Past(home, repo, TWO, minutes=60).prompt("fine").save()
    assert Cli(repo)("import", "claude-code").err == ""
    said = Cli(repo)("import", "claude-code", tty=True, env={"TERM": "xterm"}).err
    assert "1 of 2 sessions" in said
    assert said.rstrip().endswith(("\033[K", "\r"))


def test_one_that_fails_does_not_stop_the_others(repo: Repo, simple: Past, home: Path) -> None:
    Past(home, repo, TWO, minutes=60).prompt("fine").save()
    take(repo)
    # a ref of this name that is no session
    repo.git("update-ref", SESSIONS + id_of(ONE), "HEAD")
    simple.wait(hours=1).prompt("more").save()
    Past(home, repo, THREE, minutes=120).prompt("fine, too").save()
    done = Cli(repo)("import", "claude-code", code=1)
    assert "1 session imported (1 known already, 1 failed)" in done.out
    assert done.err.startswith(f"error: session {id_of(ONE)[:8]}") and done.err.count("\n") == 1


@pytest.mark.parametrize("args", [(), ("nobody",), ("nobody", "--all"), ("claude-code", "--all", "x.jsonl")])
def test_a_call_that_makes_no_sense_is_refused(repo: Repo, simple: Past, args: tuple[str, ...]) -> None:
    Cli(repo).fails("import", *args, code=2)


# -- nothing is lost, nothing comes twice


def killed_when(code: str, holds: Callable[[], bool]) -> None:
    """Run Python code and kill it at once when something holds."""
    process = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: process.poll() is not None or holds())
    process.kill()
    assert process.wait() != 0, "it was done before it could be killed"


@pytest.mark.kills
def test_an_import_that_is_killed_is_completed_by_the_next(repo: Repo, past: Past, home: Path) -> None:
    text = "word " * 3000
    for n in range(120):
        past.prompt(f"prompt {n} {text}").tool("Bash", {"command": f"make {n}"}, text).answer(f"answer {n}")
    past.save()
    code = (
        "import sys, git_agent_session\n"
        "from git_agent_session.agents.importing import import_sessions\n"
        f"import_sessions(git_agent_session.open({str(repo.path)!r}).repo, 'claude-code')\n"
    )
    tips: list[str] = []
    for _ in range(4):
        killed_when(code, lambda: refs(repo) not in ["", *tips])
        tips.append(refs(repo))
    assert len(set(tips)) == 4 and got(repo, ONE).status == "active"
    take(repo)
    events = store(repo).history(id_of(ONE))
    said = [e.data["text"].split()[:2] for e in events if e.kind == "message"]
    assert said == [[w, str(n)] for n in range(120) for w in ("prompt", "answer")]
    assert [e.data["summary"] for e in events if e.kind == "tool"] == [f"make {n}" for n in range(120)]
    assert chunks(repo, ONE).count('"uuid":') == len(past.records)
    assert got(repo, ONE).usage["output_tokens"] == 120 * 20


def test_a_long_transcript_comes_in_bounded_parts(repo: Repo, past: Past) -> None:
    for n in range(40):
        past.prompt(f"prompt {n} " + "word " * 12_000)
    past.save()
    take(repo)
    sizes = [e.data["bytes"] for e in store(repo).history(id_of(ONE), kinds=("transcript",))]
    assert len(sizes) > 3 and max(sizes) < transcripts.CHUNK + transcripts.RECORD


def test_events_come_in_parts_where_no_transcript_is_kept(repo: Repo, past: Past) -> None:
    repo.git("config", "agentSession.transcript", "none")
    for n in range(700):
        past.tool("Bash", {"command": f"make {n}"})
    past.prompt("done").save()
    take(repo)
    events = store(repo).history(id_of(ONE))
    assert sum(e.kind == "tool" for e in events) == 700
    assert not [e for e in events if e.kind == "transcript"]


def test_an_older_copy_of_a_transcript_takes_nothing_back(repo: Repo, simple: Past, tmp_path: Path) -> None:
    take(repo)
    before = refs(repo)
    older = tmp_path / simple.path.name
    older.write_text("".join(simple.path.read_text().splitlines(keepends=True)[:2]))
    assert outcomes(take(repo, paths=[str(older)])) == {ONE: "known"}
    assert refs(repo) == before


def test_a_deleted_session_is_imported_anew(repo: Repo, simple: Past) -> None:
    take(repo)
    events = store(repo).history(id_of(ONE))
    store(repo).delete(id_of(ONE))
    assert outcomes(take(repo)) == {ONE: "imported"}
    assert [e.kind for e in store(repo).history(id_of(ONE))] == [e.kind for e in events]
    assert got(repo, ONE).usage["output_tokens"] == 40


@pytest.mark.slow
def test_memory_stays_flat(repo: Repo, past: Past) -> None:
    with past.path.open("w") as f:
        for n in range(1500):
            past.prompt(f"{n} " + "word " * 1000).tool("Read", {"file_path": f"f{n}"}, "text " * 1000)
            f.writelines(json.dumps(r) + "\n" for r in past.records)
            past.records.clear()
    take(repo, dry_run=True)  # what is loaded once is loaded
    tracemalloc.start()
    take(repo)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert past.path.stat().st_size > 15_000_000
    assert peak < 12_000_000
    assert got(repo, ONE).counts["tools"] == 1500
