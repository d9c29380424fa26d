"""`git agent-session redact`: what it says of a text, and what it finds in what is stored, without showing it."""

from __future__ import annotations

import pytest

import git_agent_session
from git_agent_session import journal
from tests.e2e.cli import Cli
from tests.harness import Repo

GITHUB = "ghp" + "_" + "aB3dE6gH9" * 4


@pytest.fixture
def cli(repo: Repo) -> Cli:
    repo.commit("one", files={"a": "1\n"})
    return Cli(repo)


def plant(repo: Repo, session: str, path: str, content: str) -> None:
    """A batch on the session's ref that no redactor has seen, by git's own plumbing."""
    ref = f"refs/agent-sessions/{session}"
    old = repo.git("rev-parse", ref)
    blob = repo.git("hash-object", "-w", "--stdin", input=content)
    folder, _, name = path.rpartition("/")
    tree = repo.git("mktree", input=f"100644 blob {blob}\t{name}\n")
    if folder:
        tree = repo.git("mktree", input=f"040000 tree {tree}\t{folder}\n")
    repo.git("update-ref", ref, repo.git("commit-tree", tree, "-p", old, "-m", "x"), old)


def test_what_was_stored_by_us_is_clean(cli: Cli) -> None:
    cli.start("--goal", f"use {GITHUB}")
    cli("log", "note", f"password: hunter2 and {GITHUB}")
    assert cli("redact", "--check").out == "No secret in 1 session\n"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("events.toml", f'[[event]]\nid = "x"\ntext = "push {GITHUB}"\n'),
        ("transcript/x.jsonl", f'{{"a": {{"b": ["push {GITHUB}"]}}}}\nno json {GITHUB}\n'),
        ("context/x.toml", f'a = "{GITHUB}"\n'),
        ("session.toml", f"not = toml {GITHUB}\n"),
    ],
)
def test_a_secret_planted_in_a_batch_is_found_and_not_shown(cli: Cli, path: str, content: str) -> None:
    clean, planted = cli.start(), cli.start()
    cli("drain")
    plant(cli.repo, planted, path, content)
    done = cli("redact", "--check", code=1)
    assert path in done.out and "github-token" in done.out and planted[:8] in done.out
    assert clean[:8] not in done.out
    assert GITHUB not in done.out + done.err and GITHUB[4:12] not in done.out + done.err
    assert cli("redact", "--check", clean).out == "No secret in 1 session\n"
    rows = cli("redact", "--check", planted, "--json", code=1).json
    assert [(r["session"], r["rule"]) for r in rows] == [(planted, "github-token")]


def test_a_secret_in_the_journal_is_found(cli: Cli) -> None:
    session = cli.start()
    store = git_agent_session.open(str(cli.repo.path))
    with open(f"{journal.folder(store.shared)}/{session}.toml", "ab") as f:
        f.write(f'\n[[event]]\nid = "y"\nat = "2026-01-02T03:04:05.000Z"\nkind = "note"\ntext = "{GITHUB}"\n'.encode())
    done = cli("redact", "--check", code=1)
    assert "journal" in done.out and "github-token" in done.out and GITHUB not in done.out


def test_a_rule_that_came_later_finds_what_is_stored(cli: Cli) -> None:
    cli.start("--goal", "use acme_12345678")
    assert cli("redact", "--check").code == 0
    cli.repo.git("config", "agentSession.redact.rule", "acme=acme_[0-9]{8}")
    assert "acme" in cli("redact", "--check", code=1).out


def test_dry_run_prints_the_text_as_it_would_be_stored(cli: Cli) -> None:
    assert cli("redact", "--dry-run", f"push {GITHUB}").out == "push [redacted: github-token]\n"
    assert cli("redact", "--dry-run", "-", input=f"a\n{GITHUB}\n".encode()).out == "a\n[redacted: github-token]\n"
    assert cli("redact", "--dry-run", "nothing", "--json").json == {"text": "nothing", "changed": False}


def test_the_list_names_each_rule_and_what_is_off(cli: Cli) -> None:
    cli.repo.git("config", "agentSession.redact.rule", "acme=acme_[0-9]{8}")
    cli.repo.git("config", "agentSession.redact.disable", "jwt")
    rows = {(r["name"], r["group"]): r["used"] for r in cli("redact", "--list", "--json").json}
    assert rows["github-token", "forge"] and rows["acme", "user"]
    assert not rows["jwt", "web"] and not rows["email", "pii"]
    assert "github-token" in cli("redact", "--list").out


def test_rules_that_cannot_be_used_are_named(cli: Cli) -> None:
    assert cli("redact", "--check-rules").out == "Every rule can be used\n"
    cli.repo.git("config", "--add", "agentSession.redact.rule", "bad=(a+)+")
    cli.repo.git("config", "--add", "agentSession.redact.disable", "no-such-rule")
    done = cli("redact", "--check-rules", code=1)
    assert "rule bad" in done.out and "no-such-rule" in done.out


def test_a_call_without_anything_to_do_is_refused(cli: Cli) -> None:
    assert "--check" in cli.fails("redact", code=2)
    assert "--list" in cli.fails("redact", "--list", "--check-rules", code=2)


def test_a_session_that_is_not_there_is_an_error(cli: Cli) -> None:
    assert "no session" in cli.fails("redact", "--check", "00000000-0000-4000-8000-000000000000")
