"""What git's configuration adds to the rules, and how secrets of one session are told apart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from git_agent_session.git import run as git_run
from git_agent_session.git.discover import Location, discover
from git_agent_session.redact import configured, user
from git_agent_session.redact.numbers import FILE_BYTES, SessionNames
from tests.harness import ROOT, Repo

SESSION = "939cc486-5bb3-4e44-aec8-5b7d00443063"
PASS = "DB_PASS" + "WORD="
GITHUB = "ghp" + "_" + "aB3dE6gH9" * 4


def place(repo: Repo) -> Location:
    found = discover(str(repo.path))
    assert found is not None
    return found


def redacted(repo: Repo, text: str) -> str:
    return configured.redactor(place(repo)).text(text)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that are run; each still runs."""
    calls: list[str] = []
    real = git_run.git

    def git(*args: str, **given: object) -> bytes:
        calls.append(args[0])
        return real(*args, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(git_run, "git", git)
    return calls


# -- rules, exceptions, personal data


def test_a_rule_of_the_users_takes_out_its_group_or_all(repo: Repo) -> None:
    repo.git("config", "--add", "agentSession.redact.rule", "acme=acme_[a-z0-9]{6,40}")
    repo.git("config", "--add", "agentSession.redact.rule", "pin=(?i)pin is ([0-9]{4})")
    assert redacted(repo, "acme_abc123, PIN is 1234!") == "[redacted: acme], PIN is [redacted: pin]!"


def test_a_rule_of_the_users_leaves_marks_alone(repo: Repo) -> None:
    repo.git("config", "agentSession.redact.rule", "all=[a-z]{3,20}.*")
    assert redacted(repo, f"[redacted: jwt 2] {GITHUB}") == "[redacted: jwt 2] [redacted: github-token]"


def test_a_value_that_is_allowed_stays(repo: Repo) -> None:
    repo.git("config", "--add", "agentSession.redact.allow", "hunter22")
    repo.git("config", "--add", "agentSession.redact.allow", "/dev-[0-9]+/")
    repo.git("config", "agentSession.redact.rule", "dev=(?:dev|prod)-[0-9]{3,6}")
    assert redacted(repo, f"{PASS}hunter22") == f"{PASS}hunter22"
    assert redacted(repo, f"{PASS}hunter22x dev-123 prod-123") == f"{PASS}[redacted: password] dev-123 [redacted: dev]"


def test_a_rule_can_be_turned_off(repo: Repo) -> None:
    repo.git("config", "agentSession.redact.disable", "github-token")
    assert redacted(repo, f"push {GITHUB}") == f"push {GITHUB}"


def test_personal_data_goes_when_git_config_says_so(repo: Repo) -> None:
    text = "ada.l@example.org in /home/ada/src"
    assert redacted(repo, text) == text
    repo.git("config", "agentSession.redact.pii", "true")
    assert redacted(repo, text) == "[redacted: email] in [redacted: home]/src"
    repo.git("config", "agentSession.redact.pii", "off")
    assert redacted(repo, text) == text


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(?:a{1,50}){1,50}$", "(a?){50}b", "x*", "(", ".*a.*b.*c", r"\s*=\s*(\w+)", "(a)(b)"],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(user.Refused):
        user.rule(f"x={pattern}")


@pytest.mark.parametrize(
    "pattern", ["acme_[a-z0-9]+", r"key:\s*(\S+)", "(?:[0-9]{4}-){3}[0-9]{4}", r"\b[0-9]{3}-[0-9]{2}\b", "tok-(?:a|b)c"]
)
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert user.rule(f"x={pattern}")[0] == "x"


def test_a_pattern_that_is_allowed_ends_soon_on_hostile_text() -> None:
    name, pattern = user.rule("x=a.*b.*c")
    rules = user.UserRules([(name, pattern)], None)
    begun = time.process_time()
    rules("ab" * 5_000, lambda kind, secret: kind)
    assert time.process_time() - begun < 20


def test_a_secret_across_the_pieces_of_a_long_line_is_taken_out_whole(repo: Repo) -> None:
    repo.git("config", "agentSession.redact.rule", "acme=acme_[a-z0-9]{20}")
    secret = "acme_" + "a1b2c" * 4
    for before in range(user.WINDOW - 30, user.WINDOW + 5):
        assert redacted(repo, "." * before + secret + "." * 50) == "." * before + "[redacted: acme]" + "." * 50


def test_a_bad_rule_is_complained_of_once_and_the_others_work(repo: Repo) -> None:
    repo.git("config", "--add", "agentSession.redact.rule", "bad=(a+)+")
    repo.git("config", "--add", "agentSession.redact.rule", "acme=acme_[a-z]{4}")
    said: list[str] = []
    for _ in range(3):
        assert configured.redactor(place(repo), complain=said.append).text("an acme_abcd") == "an [redacted: acme]"
    assert len(said) == 1
    assert "rule bad" in said[0] and "agentSession.redact.rule" in said[0]


# -- the settings are kept


def test_git_is_asked_once(repo: Repo, asked: list[str]) -> None:
    for _ in range(5):
        redacted(repo, "some text")
    assert asked == ["config"]


def test_nothing_heavy_is_loaded_once_the_settings_are_kept(repo: Repo) -> None:
    redacted(repo, "some text")
    code = (
        "import sys\nfrom git_agent_session.git.discover import discover\nbefore = set(sys.modules)\n"
        "from git_agent_session.redact import configured\n"
        f"r = configured.redactor(discover({str(repo.path)!r}), {SESSION!r})\n"
        "assert r.value({'text': 'The function reads a file. ' * 40})\n"
        "print(sorted(m for m in set(sys.modules) - before if 'git_agent_session' not in m))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"re", "json", "subprocess", "hashlib", "typing", "tomllib"} & set(done.stdout.split("'"))


def test_a_change_in_any_file_is_seen(repo: Repo, home: Path, tmp_path: Path) -> None:
    text = "ada.l@example.org"
    included = tmp_path / "included"
    assert redacted(repo, text) == text
    repo.git("config", "include.path", str(included))
    assert redacted(repo, text) == text
    included.write_text('[agentSession "redact"]\n\tpii = true\n')
    assert redacted(repo, text) == "[redacted: email]"
    included.unlink()
    assert redacted(repo, text) == text
    repo.git("config", "--global", "agentSession.redact.pii", "true")
    assert redacted(repo, text) == "[redacted: email]"
    repo.git("config", "agentSession.redact.pii", "false")
    assert redacted(repo, text) == text
    repo.git("config", "--unset", "agentSession.redact.pii")
    repo.git("config", "--global", "--unset", "agentSession.redact.pii")
    xdg = home / ".config" / "git" / "config"
    xdg.parent.mkdir(parents=True)
    xdg.write_text('[agentSession "redact"]\n\tpii\n')
    assert redacted(repo, text) == "[redacted: email]"


def test_the_environment_counts(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ada.l@example.org"
    assert redacted(repo, text) == text
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "agentSession.redact.pii")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert redacted(repo, text) == "[redacted: email]"
    monkeypatch.delenv("GIT_CONFIG_COUNT")
    assert redacted(repo, text) == text


def test_a_worktree_has_its_own_settings(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = Repo(tmp_path / "other")
    other.git("config", "--worktree", "agentSession.redact.pii", "true")
    assert redacted(repo, "ada.l@example.org") == "ada.l@example.org"
    assert redacted(other, "ada.l@example.org") == "[redacted: email]"


@pytest.mark.parametrize("damage", [b"", b"1 x\n", b"\xff\xfe", b"1 \nset pii zz\nend"])
def test_a_damaged_file_of_settings_is_written_anew(repo: Repo, damage: bytes) -> None:
    repo.git("config", "agentSession.redact.pii", "true")
    redacted(repo, "some text")
    kept = Path(place(repo).private, configured.CACHE)
    kept.write_bytes(damage)
    assert redacted(repo, "ada.l@example.org") == "[redacted: email]"
    assert kept.read_bytes().endswith(b"\nend")


def test_the_settings_hold_no_variable_of_the_environment(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"X: {GITHUB}")
    redacted(repo, "some text")
    kept = Path(place(repo).private, configured.CACHE).read_bytes()
    assert GITHUB.encode() not in kept and GITHUB.encode().hex().encode() not in kept


# -- the same secret reads the same


def test_secrets_of_one_kind_are_told_apart(repo: Repo) -> None:
    one, two = configured.redactor(place(repo), SESSION), configured.redactor(place(repo), SESSION)
    assert one.text(f"{PASS}first11") == f"{PASS}[redacted: password]"
    assert two.text(f"{PASS}second22 {GITHUB}") == f"{PASS}[redacted: password 2] [redacted: github-token]"
    assert one.text(f"{PASS}second22\n{PASS}first11") == f"{PASS}[redacted: password 2]\n{PASS}[redacted: password]"
    assert configured.redactor(place(repo), SESSION).value({"pass" + "word": "second22"}) == {
        "password": "[redacted: password 2]"
    }


def test_the_files_hold_no_secret_and_are_the_users_alone(repo: Repo) -> None:
    configured.redactor(place(repo), SESSION).text(f"{PASS}first11")
    shared = Path(place(repo).shared)
    files = [shared / "capture" / f"{SESSION}.secrets", shared / "redact.key"]
    assert b"first11" not in files[0].read_bytes()
    assert len(files[1].read_bytes()) == 32
    if os.name == "posix":
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


def test_another_repository_has_other_digests(repo: Repo, tmp_path: Path) -> None:
    other = Repo.init(tmp_path / "other")
    lines = []
    for each in (repo, other):
        configured.redactor(place(each), SESSION).text(f"{PASS}first11")
        lines.append(Path(place(each).shared, "capture", f"{SESSION}.secrets").read_text())
    assert lines[0] != lines[1]


def test_a_line_that_was_cut_short_is_passed_over(repo: Repo) -> None:
    redactor = configured.redactor(place(repo), SESSION)
    redactor.text(f"{PASS}first11")
    file = Path(place(repo).shared, "capture", f"{SESSION}.secrets")
    file.write_bytes(file.read_bytes() + b"password 1234")
    fresh = configured.redactor(place(repo), SESSION)
    assert fresh.text(f"{PASS}second22 {PASS}first11") == f"{PASS}[redacted: password 2] {PASS}[redacted: password]"


def test_where_nothing_can_be_written_there_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    names = SessionNames(str(tmp_path / "file" / "shared"), SESSION)
    assert [names("password", "a"), names("password", "b")] == ["password", "password"]


def test_a_file_that_is_full_grows_no_more(tmp_path: Path) -> None:
    file = tmp_path / "capture" / f"{SESSION}.secrets"
    file.parent.mkdir()
    file.write_bytes(b"\n" * FILE_BYTES)
    assert SessionNames(str(tmp_path), SESSION)("password", "a") == "password"
    assert file.stat().st_size == FILE_BYTES


def test_eight_writers_at_once_agree(repo: Repo) -> None:
    code = (
        "import random, sys\nfrom git_agent_session.git.discover import discover\n"
        "from git_agent_session.redact import configured\n"
        "values = [f'secret{n}x' for n in range(40)]\nrandom.Random(int(sys.argv[1])).shuffle(values)\n"
        f"r = configured.redactor(discover('.'), {SESSION!r})\n"
        f"print(sorted((v, r.text('{PASS}' + v)) for v in values))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=repo.path, stdout=subprocess.PIPE, text=True)
        for n in range(8)
    ]
    said = {writer.communicate(timeout=60)[0] for writer in writers}
    assert [writer.returncode for writer in writers] == [0] * 8
    assert len(said) == 1
    numbers = {f"{PASS}[redacted: password{'' if n == 1 else f' {n}'}]" for n in range(1, 41)}
    assert all(mark in said.copy().pop() for mark in numbers)


def test_a_text_full_of_secrets_takes_time_by_their_number_alone(tmp_path: Path) -> None:
    def took(count: int) -> float:
        names = SessionNames(str(tmp_path), f"00000000-0000-4000-8000-{count:012d}")
        began = time.perf_counter()
        for n in range(count):
            assert names("github-token", f"{count}-{n}") == (f"github-token {n + 1}" if n else "github-token")
        return time.perf_counter() - began

    took(10)
    # a file that was read anew for each made this 64 times as long
    assert took(4000) < 24 * max(took(500), 0.01)
