"""The report of a range of commits: Markdown that can do nothing, a page that stands alone, JSON."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

import git_agent_session
from git_agent_session.answers import pull_request
from git_agent_session.errors import CommitNotFound, UsageError
from git_agent_session.git.repository import SESSIONS
from git_agent_session.report import pull_request as report
from git_agent_session.store import archive
from git_agent_session.store.store import Store
from tests.e2e.cli import Cli
from tests.harness import Repo

EVIL = "<script>alert(1)</script> ![x](http://evil) @team #12 \x1b[31m \u202eevil | # head\n\n# Owned\n```\n</details>"
MARK = "Co-Authored-By: Claude <noreply@anthropic.com>"


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("base", files={"a.py": "1\n"})
    repo.git("branch", "base")
    return Cli(repo)


@pytest.fixture
def store(cli: Cli, repo: Repo) -> Store:
    return git_agent_session.open(str(repo.path))


def worked(
    store: Store, repo: Repo, *, goal: str = "Add a limit", prompt: str = "please add a limit", n: int = 2
) -> str:
    session = store.start(goal=goal, agent="codex", activate=False).id
    store.append(session, "message", {"role": "user", "text": prompt})
    store.append(session, "message", {"role": "assistant", "text": "done, and not in the report"})
    store.usage(session, input_tokens=1200, cost_usd=0.25)
    store.link(session, [repo.commit(f"change {k} {goal}", files={f"src/{k}.py": f"{goal}\n"}) for k in range(n)])
    return session


def test_a_report_has_sessions_prompts_cost_files_and_what_is_unlinked(cli: Cli, store: Store, repo: Repo) -> None:
    session = worked(store, repo)
    lost = repo.commit("by hand? no", "-m", MARK, files={"x": "1"})
    repo.commit("a person's", files={"y": "1"})
    out = cli("report", "base..HEAD").out
    assert out.startswith("## Agent sessions\n\n1 agent session made 2 of 4 commits, for $0.25 in all.")
    assert "### Add a limit\n" in out and session[:8] in out and "codex" in out and "1.2k in" in out
    assert "1. please add a limit\n" in out and "not in the report" not in out
    assert "- src/0.py\n- src/1.py\n" in out
    _, _, unlinked = out.partition("### Commits of agents without a session")
    assert lost in unlinked and "claude-code" in unlinked and "person" not in unlinked


def test_json_has_it_all(cli: Cli, store: Store, repo: Repo) -> None:
    session = worked(store, repo)
    store.link(session, ["base"])
    found = cli("report", "base..HEAD", "--json").json
    assert found == cli("report", "base..HEAD", "--format", "json").json
    (told,) = found["sessions"]
    assert (told["id"], told["prompts"], told["prompt_count"]) == (session, ["please add a limit"], 1)
    assert (len(told["commits"]), told["commits_elsewhere"], told["paths"]) == (2, 1, ["src/0.py", "src/1.py"])
    assert (found["linked"], found["cost_usd"], found["unlinked"]) == (2, 0.25, [])
    assert [c["sessions"] for c in found["commits"]] == [[session], [session]]


def test_the_default_is_what_is_not_upstream_yet(cli: Cli, store: Store, repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "topic")
    worked(store, repo, n=3)
    assert len(cli("report", "--json").json["commits"]) == 3


def test_a_session_that_is_not_here_is_named_as_such(cli: Cli, store: Store, repo: Repo) -> None:
    session = worked(store, repo)
    store.drain_all()
    store.repo.swap(SESSIONS + session, None, store.repo.tip(SESSIONS + session), "x")
    fresh = git_agent_session.open(str(repo.path))
    (told,) = pull_request.of(fresh, "base..HEAD").sessions
    assert (told.session, told.prompts, told.agent) == (None, (), "codex")
    assert "which is not in this repository" in "".join(report.markdown(report.gather(fresh, "base..HEAD")))


def test_an_archived_session_is_told(cli: Cli, store: Store, repo: Repo) -> None:
    session = worked(store, repo)
    store.end(session)
    assert archive.run(store, older_than=0)
    assert cli("report", "base..HEAD", "--json").json["sessions"][0]["prompts"]


def test_hostile_texts_do_nothing_in_markdown(cli: Cli, store: Store, repo: Repo) -> None:
    worked(store, repo, goal=EVIL, prompt=EVIL)
    out = cli("report", "base..HEAD").out
    assert not set("\x1b\u202e") & set(out)
    assert "<script" not in out.replace("\\<script", "") and "![" not in out.replace("!\\[", "").replace(
        "!\u200b\\[", ""
    )
    assert not re.search(r"@team|(?<!#)#12|\n# Owned|\n```", out)
    assert out.count("</details>") == out.count("<details>")


def test_addresses_are_no_links_in_markdown(cli: Cli, store: Store, repo: Repo) -> None:
    """A forge makes links of bare ones, and a reference of one to an issue."""
    address = "https://github.com/o/r/issues/3"
    worked(store, repo, goal=f"{address} now", prompt=f"({address}) HTTP://a.example xhttp://b.example www.c.example")
    out = cli("report", "base..HEAD").out
    assert "github.com/o/r/issues/3" in out
    assert not re.search(r"https?://|www\.", out, re.IGNORECASE)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_stands_alone_and_hostile_texts_do_nothing(cli: Cli, store: Store, repo: Repo) -> None:
    worked(store, repo, goal=EVIL, prompt=EVIL)
    out = cli("report", "base..HEAD", "--format", "html").out
    parser = _Tags()
    parser.feed(out)
    names = {tag for tag, _ in parser.tags}
    assert not names & {"script", "img", "a", "iframe", "link", "object", "form"}
    assert not any(name.startswith("on") or name in ("src", "href") for _, attrs in parser.tags for name in attrs)
    policies = [a for t, a in parser.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in (policies[0]["content"] or "")
    assert "&lt;script&gt;" in out and not set("\x1b\u202e") & set(out)


def test_a_report_fits_into_a_comment(cli: Cli, store: Store, repo: Repo) -> None:
    for n in range(4):
        worked(store, repo, goal=f"goal {n} " + "x" * 90, n=1)
    found = report.gather(store, "base..HEAD")
    whole = "".join(report.markdown(found))
    cut = "".join(report.markdown(found, limit=1500))
    assert len(cut) < 1500 < len(whole)
    assert "more session" in cut and cut.count("<details>") == cut.count("</details>")


def test_many_prompts_are_cut(store: Store, repo: Repo, cli: Cli) -> None:
    session = worked(store, repo, prompt="long " * 200)
    for n in range(20):
        store.append(session, "message", {"role": "user", "text": f"prompt {n}"})
    (told,) = pull_request.of(store, "base..HEAD").sessions
    assert (len(told.prompts), told.asked) == (pull_request.PROMPTS, 21)
    assert len(told.prompts[0]) == pull_request.PROMPT and told.prompts[0].endswith("…")
    assert "… and 11 more prompts" in cli("report", "base..HEAD").out


def test_an_empty_range_is_said(cli: Cli) -> None:
    assert "No commits in HEAD..HEAD" in cli("report", "HEAD..HEAD").out
    full = cli.repo.git("rev-parse", "HEAD")
    assert f"No commits in {full[:10]}..{full[:10]}." in cli("report", f"{full}..{full}").out
    assert cli("verify", f"{full}..{full}").out.startswith(f"0 commits in {full[:10]}..{full[:10]}, ")
    assert cli("report", "HEAD..HEAD", "--json").json["sessions"] == []


@pytest.mark.parametrize("revisions", ["nothing..HEAD", "--all", "-n1", "a\tb"])
def test_a_bad_range_is_refused(cli: Cli, store: Store, revisions: str) -> None:
    with pytest.raises((CommitNotFound, UsageError)):
        pull_request.of(store, revisions)
    cli.fails("report", "nothing..HEAD")


def test_a_broken_session_is_named_and_the_rest_is_there(cli: Cli, store: Store, repo: Repo) -> None:
    good, bad = worked(store, repo, goal="good"), worked(store, repo, goal="bad")
    store.drain_all()
    tip = store.repo.write_batch({"session.toml": b"no ="}, [], "x")
    store.repo.swap(SESSIONS + bad, tip, store.repo.tip(SESSIONS + bad), "x")
    done = cli("report", "base..HEAD", "--json")
    assert {told["id"]: told["present"] for told in done.json["sessions"]} == {good: True, bad: False}
    assert bad[:8] in done.err
