"""Search on the command line and by Python: queries, filters, what is shown, and texts that mean no good."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

import git_agent_session
from git_agent_session import answers, index
from git_agent_session.answers import search
from git_agent_session.errors import UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.store import archive
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

EVIL = "limiter \x1b[31mred\x1b[0m \x1b]0;title\x07 <script>alert(1)</script> \u202egnp.exe \x02fake\x03"


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("first", files={"src/limiter.py": "1\n"})
    return Cli(repo)


@pytest.fixture
def store(cli: Cli, repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def worked(store: Store, goal: str, text: str, *, agent: str = "codex", **more: object) -> str:
    session = store.start(goal=goal, agent=agent, activate=False, **more).id  # type: ignore[arg-type]
    store.append(session, "message", {"role": "user", "text": text})
    return session


@pytest.mark.parametrize(
    ("query", "words", "without", "filters"),
    [
        ("limiter bucket", "limiter bucket", (), {}),
        ('"token bucket" lim*', '"token bucket" lim*', (), {}),
        ('limiter -test -"two words"', "limiter", ("test", '"two words"'), {}),
        ('agent:codex file:"a b.py" x', "x", (), {"agent": "codex", "file": "a b.py"}),
        ("https://example.org a:b", "https://example.org a:b", (), {}),
        ('un"closed "', 'un"closed "', (), {}),
    ],
)
def test_a_query_is_words_exclusions_and_filters(
    query: str, words: str, without: tuple[str, ...], filters: dict[str, str]
) -> None:
    asked = search.parse(query)
    assert (asked.words, asked.without, dict(asked.filters)) == (words, without, filters)


@pytest.mark.parametrize("query", ["agent:", "tag:a tag:b x", "x" * 5000], ids=lambda q: q[:12])
def test_a_query_that_cannot_be_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        search.parse(query)


def test_words_phrases_beginnings_and_exclusions(store: Store) -> None:
    bucket = worked(store, "one", "a token bucket in the gateway")
    worked(store, "two", "a bucket token in the gateway")
    assert {h.session for h in search.search(store, '"token bucket"')} == {bucket}
    assert {h.session for h in search.search(store, "gate* bucket -two")} != set()
    assert len(search.search(store, "gateway")) == 2
    assert {h.session for h in search.search(store, 'gateway -"token bucket"')} != {bucket}
    assert len(search.search(store, 'gateway -"token bucket"')) == 1


def test_every_filter_narrows(store: Store, repo: Repo) -> None:
    mine = worked(store, "one", "limiter", tags=["api"], project="web", user="Ada <ada@example.org>")
    store.link(mine, ["HEAD"])
    store.end(mine, status="failed")
    other = worked(store, "two", "limiter", agent="gemini", user="Bo <bo@example.org>")
    assert {h.session for h in search.search(store, "limiter")} == {mine, other}
    for asked in (
        *("agent:codex", "tag:api", "project:web", "user:ADA@", "status:failed", "commit:HEAD", "file:src/limiter.py"),
        *("file:src/", "file:*.py", f"session:{mine[:8]}", "kind:message,start -two", "branch:main"),
    ):
        found = {h.session for h in search.search(store, f"limiter {asked}")}
        assert found == ({mine} if "kind" not in asked else {mine, other}), asked
    assert search.search(store, "limiter since:2999-01-01T00:00:00.000Z") == []
    assert search.search(store, "limiter", filters={"until": "2000-01-01T00:00:00.000Z"}) == []


def test_a_branch_is_a_range_too(store: Store, repo: Repo) -> None:
    before = worked(store, "one", "limiter")
    store.link(before, ["HEAD"])
    repo.git("checkout", "-q", "-b", "topic")
    topic = worked(store, "two", "limiter")
    store.link(topic, [repo.commit("second")])
    worked(store, "three", "limiter")
    for branch, sessions in (("main", {before}), ("topic", {before, topic}), ("main..topic", {topic})):
        assert {h.session for h in search.search(store, f"limiter branch:{branch}")} == sessions
    assert search.search(store, "limiter branch:topic..main") == []


def test_filters_alone_find_what_was_said_last(store: Store) -> None:
    mine = worked(store, "one", "a gate")
    store.append(mine, "decision", {"text": "kept the old one"})
    store.append(mine, "message", {"role": "assistant", "text": "a bucket " * 20})
    worked(store, "two", "a fence", agent="gemini")
    found = search.search(store, "agent:codex")
    assert [(h.session, h.kind) for h in found] == [(mine, "message")] * 2
    assert found[0].snippet.startswith("a bucket a bucket") and found[1].snippet == "a gate"
    assert [h.snippet for h in search.search(store, "kind:decision")] == ["kept the old one"]
    assert [h.snippet for h in search.search(store, "agent:codex -bucket")] == ["a gate"]
    assert len(search.search(store, "kind:message", limit=1)) == 1


def test_the_youngest_are_found_in_whatever_session(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_agent_session.index.search.SOME", 1)
    old = worked(store, "old", "first")
    store.append(old, "decision", {"text": "early"})
    for n in range(10):
        worked(store, f"n{n}", f"text {n}")
    time.sleep(0.002)  # what happened in one millisecond has no order
    store.append(old, "message", {"role": "assistant", "text": "late"})
    said = [h.snippet for h in search.search(store, "kind:message", limit=3)]
    assert said == ["late", "text 9", "text 8"]
    assert [h.snippet for h in search.search(store, "kind:decision")] == ["early"]
    assert len(search.search(store, "kind:message", limit=50)) == 12


def test_a_narrow_search_finds_what_a_frequent_word_hides(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_agent_session.index.search.CANDIDATES", 3)
    old = worked(store, "old", "frequent word", tags=["rare"])
    for n in range(6):
        worked(store, f"n{n}", "frequent word")
    assert {h.session for h in search.search(store, "frequent tag:rare")} == {old}
    assert len(search.search(store, "frequent")) == 3


def test_what_is_drained_archived_or_waits_is_found(store: Store) -> None:
    waits = worked(store, "waits", "the limiter")
    drained = worked(store, "drained", "the limiter")
    store.end(drained)
    store.drain_all()
    assert archive.run(store, older_than=0)
    assert {h.session for h in search.search(store, "limiter")} == {waits, drained}


def test_the_command_shows_each_session_with_its_hits(cli: Cli, store: Store) -> None:
    session = worked(store, "Add rate limiting", "please add a limiter to the gateway")
    store.append(session, "decision", {"text": "the limiter is a token bucket"})
    worked(store, "Other", "nothing of it")
    lines = cli("search", "limiter").out.splitlines()
    assert lines[0].startswith(session[:8]) and lines[0].endswith("Add rate limiting") and "codex" in lines[0]
    assert sorted(line.split()[0] for line in lines[1:]) == ["decision", "message"]
    (hit, *_) = cli("search", "limiter", "gateway", "--json").json
    assert (hit["session"], hit["kind"]) == (session, "message")
    assert hit["snippet"] == "please add a [limiter] to the [gateway]"


def test_the_files_of_a_tool_call_are_shown_as_names(cli: Cli, store: Store) -> None:
    session = worked(store, "one", "x")
    store.append(session, "tool", {"name": "Edit", "paths": ["src/a.py", "src/b.py"]})
    store.append(session, "tool", {"name": "Bash", "summary": 'jq .["src"]'})
    lines = sorted(line.strip() for line in cli("search", "src").out.splitlines()[1:])
    assert lines == ['tool  Bash jq .["src"]', "tool  Edit src/a.py, src/b.py"]


def test_filters_are_options_too_with_dates_of_git(cli: Cli, store: Store) -> None:
    session = worked(store, "one", "limiter", tags=["api"])
    worked(store, "two", "limiter")
    found = cli("search", "limiter", "--tag", "api", "--since", "yesterday", "--json").json
    assert {h["session"] for h in found} == {session}
    assert cli("search", "limiter", "until:2020-01-01", "--json").json == []
    assert len(cli("search", "limiter", "--limit", "1", "--json").json) == 1
    assert "agnet: is no filter: these are agent, file," in cli("search", "limiter", "agnet:codex").err
    assert cli("search", "--", "limiter", "-limiter").err == "nothing has all of that; fewer words find more\n"


def test_a_terminal_gets_colour_of_ours_and_no_escape_of_a_text(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    worked(store, "<b>goal</b> \x1b]8;;http://x\x07", EVIL)
    shown = cli("search", "limiter", tty=True, env={"TERM": "xterm", "PAGER": "cat"}).out
    assert "\x1b[1;31mlimiter\x1b[m" in shown
    plain = shown.replace("\x1b[1;31m", "").replace("\x1b[m", "").replace("\x1b[33m", "")
    plain = plain.replace("\x1b[2m", "").replace("\x1b[1m", "")
    assert not any(sign in plain for sign in "\x1b\x07\x02\x03\u202e")
    assert all(len(line) <= 70 for line in plain.splitlines())
    assert "\x1b" not in cli("search", "limiter", "--json").out


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("*",),
        ("-x",),
        ("agent:codex", "*"),
        ("branch:nothing",),
        ("--branch=--all",),
        ("x", "tag:"),
        ("x", "--tag", ""),
        ("x", "--status", "happy"),
        ("x", "--kind", "no kind"),
        ("x", "--since", "gibberish"),
        ("x", "--commit", "nothing"),
        ("x", "--session", "ffffffff"),
        ("x", "--files", "a"),
        ("x", "--follow"),
        ("--files", ""),
    ],
    ids=" ".join,
)
def test_a_bad_search_gives_one_line(cli: Cli, store: Store, args: tuple[str, ...]) -> None:
    worked(store, "one", "limiter")
    done = cli("search", *args, code=None)
    assert done.code in (1, 2) and done.out == ""
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and "SQL" not in done.err.upper()


@pytest.mark.parametrize("text", ["a AND", 'NEAR("x"', "x OR OR", '"""', "a:b^c", "(x", "col : x", "-x y", "é*\0"])
def test_no_text_is_an_error_of_the_database(store: Store, text: str) -> None:
    worked(store, "one", "limiter")
    try:
        search.search(store, text)
    except UsageError as e:
        assert "word" in e.message


def test_files_lists_the_sessions_that_touched_a_file(cli: Cli, store: Store, repo: Repo) -> None:
    session = worked(store, "one", "x")
    store.link(session, ["HEAD"])
    worked(store, "two", "y")
    for path in ("src/limiter.py", "src", "./src/", "src/*.py", "*/limiter.[p]y"):
        assert [s["id"] for s in cli("search", "--files", path, "--json").json] == [session], path
    assert session[:8] in cli("search", "--files", "src").out
    assert cli("search", "--files", "nothing").out == ""
    repo.git("mv", "src/limiter.py", "src/bucket.py")
    repo.commit("renamed")
    assert cli("search", "--files", "src/bucket.py", "--json").json == []
    assert [s["id"] for s in cli("search", "--files", "src/bucket.py", "--follow", "--json").json] == [session]


def test_an_empty_repository_has_nothing_and_says_so(repo: Repo) -> None:
    done = Cli(repo)("search", "anything")
    assert done.out == "" and done.err.count("\n") == 1
    assert Cli(repo)("search", "anything", "--json").json == []


def test_a_broken_session_hides_no_other(cli: Cli, store: Store) -> None:
    session = worked(store, "one", "limiter")
    broken = "00000000-5bb3-4e44-aec8-5b7d00443063"
    store.repo.swap(SESSIONS + broken, store.repo.write_batch({"session.toml": b"no ="}, [], "x"), None, "x")
    assert {h["session"] for h in cli("search", "limiter", "--json").json} == {session}


def timeless(shown: str) -> list[list[str]]:
    """A list without the words for times, which pass."""
    return [re.sub(r"\d+ seconds? ago", "", line).split() for line in shown.splitlines()]


def test_a_list_with_an_index_is_the_list_without_one(cli: Cli, store: Store, repo: Repo) -> None:
    ids = [worked(store, f"goal {n}", "x", agent=("codex", "gemini")[n % 2], tags=["t"]) for n in range(5)]
    store.end(ids[0])
    calls = [
        (),
        ("--status", "active"),
        ("--agent-type", "gemini", "-n", "1"),
        ("--tag", "t", "--user", "ADA"),
        ("-n", "0"),
    ]
    before = [cli("list", "--json", *args).json for args in calls]
    shown = cli("list").out
    cli("index")
    assert [cli("list", "--json", *args).json for args in calls] == before
    assert timeless(cli("list").out) == timeless(shown)
    late = worked(store, "late", "x")
    assert cli("list", "--json", "-n", "1").json[0]["id"] == late
    twin = late[:10] + ("0" if late[10] != "0" else "1") + late[11:]
    store.drain(late)
    repo.git("update-ref", f"refs/agent-sessions/{twin}", f"refs/agent-sessions/{late}")
    done = cli("list", "-n", "1")
    assert len(done.out.splitlines()[1].split()[0]) == 11 and twin[:8] in done.err
    assert index.open(store).path and os.path.exists(index.open(store).path)


def test_the_package_says_how_to_ask() -> None:
    assert "sessions" in (answers.__doc__ or "") and Path(search.__file__).exists()
