"""Secrets are taken out, and nothing else. No sample stands here whole, so that no scanner stops at this file."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session.redact import Redactor, build, engine, redact, redact_value, samples
from git_agent_session.redact.table import RULES
from tests.harness import ROOT

_, LOADED = build.load()
PLAIN = [rule for rule in LOADED if rule["group"] != "pii"]
SAMPLES = [(rule["name"], sample) for rule in PLAIN for sample in rule["samples"]]
ALNUM = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"
HEX = "3f2a9c1e5bb34e44aec85b7d00443063"
GITHUB = "ghp" + "_" + (ALNUM * 2)[:36]


def many(n: int, of: str = ALNUM) -> str:
    return (of * (n // len(of) + 1))[:n]


def filled(sample: str, seed: int = 7) -> tuple[str, str, str]:
    return samples.parts(samples.fill(sample, random.Random(seed)))


def test_the_table_is_what_the_rules_say() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "git_agent_session.redact.build", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_secret_is_replaced_and_nothing_around_it(name: str, sample: str) -> None:
    for seed in range(5):
        before, secret, after = filled(sample, seed)
        assert redact(before + secret + after) == f"{before}[redacted: {name}]{after}"


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_redacting_again_changes_nothing(name: str, sample: str) -> None:
    once = redact("".join(filled(sample)))
    assert redact(once) == once


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_a_secret_goes_from_json_within_json(name: str, sample: str) -> None:
    before, secret, after = filled(sample)
    inner = json.dumps({"stdout": f"ok\n{before}{secret}{after}"})
    text = redact(json.dumps({"line": inner}))
    core = max(secret.split("\n"), key=len)
    assert json.dumps(json.dumps(core)[1:-1])[1:-1] not in text


@pytest.mark.parametrize("rule", PLAIN, ids=lambda r: str(r["name"]))
def test_a_rule_leaves_alone_what_only_looks_like_its_secret(rule: dict[str, Any]) -> None:
    for text in rule.get("stays", []):
        whole = samples.fill(text, random.Random(3))
        assert redact(whole) == whole


HARMLESS = [
    "commit 5f4dcc3b5aa765d61d8327deb882cf99aabbccdd",
    "tree " + HEX * 2,
    "session 939cc486-5bb3-4e44-aec8-5b7d00443063 is active",
    '"integrity": "sha512-' + many(86) + '=="',
    "<img src='data:image/png;base64," + many(400) + "'>",
    'checksum = "' + HEX * 2 + '"',
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + many(43) + " ada@example",
    "Basic authorization: see the docs",
    "def f(token: str = '', *, key: bytes | None = None) -> None: ...",
    "the tokens are counted: input 12, output 345678",
    "monkey: keyboard=qwerty, keys = sorted(items)",
    "[redacted: github-token] and [redacted: password 12]",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_key_in_a_nested_value_condemns_what_it_names() -> None:
    given_ = {
        "env": [{"PASS" + "WORD": "hunter2", "n": 1}],
        "apiK" + "ey": HEX,
        "pass" + "words": "x",
        "client_sec" + "ret": [HEX, "none"],
        "max_tokens": "4096",
        "ok": True,
    }
    assert redact_value(given_) == {
        "env": [{"PASSWORD": "[redacted: password]", "n": 1}],
        "apiKey": "[redacted: secret]",
        "passwords": "x",
        "client_secret": ["[redacted: secret]", "none"],
        "max_tokens": "4096",
        "ok": True,
    }


def test_secrets_in_keys_go_and_no_entry_is_lost() -> None:
    one, two = "npm" + "_" + many(36), "npm" + "_" + many(36, HEX)
    assert redact_value({one: 1, two: 2}) == {"[redacted: npm-token]": 1, "[redacted: npm-token] 2": 2}


def test_a_value_nested_too_deep_is_dropped_and_does_not_raise() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    assert "nested-too-deep" in str(redact_value(deep))


def test_a_mark_with_a_number_stays_as_it_is() -> None:
    numbered = Redactor(name=lambda kind, secret: f"{kind} 12")
    text = "DB_PASS" + f"WORD=hunter2x and {GITHUB} and https://u" + ":hunter2@example.org"
    once = numbered.text(text)
    assert once.count(" 12]") == 3
    assert numbered.text(once) == once
    assert redact(once) == once


def test_a_rule_that_is_off_is_not_used() -> None:
    assert Redactor(off={"github-token"}).text(f"push {GITHUB}") == f"push {GITHUB}"
    assert Redactor(off={"password"}).value({"pass" + "word": "hunter2"}) == {"password": "hunter2"}


def test_a_value_that_is_allowed_stays() -> None:
    allowing = Redactor(allowed=lambda value: value == GITHUB)
    assert allowing.text(f"push {GITHUB}") == f"push {GITHUB}"
    assert allowing.text(f"push {GITHUB}x") == "push [redacted: github-token]"


PII = [(rule["name"], text) for rule in LOADED if rule["group"] == "pii" for text in rule["samples"]]


@pytest.mark.parametrize(("name", "sample"), PII)
def test_personal_data_goes_only_when_asked(name: str, sample: str) -> None:
    before, secret, after = filled(sample)
    asked = Redactor(pii=True)
    assert redact(before + secret + after) == before + secret + after
    assert asked.text(before + secret + after) == f"{before}[redacted: {name}]{after}"
    assert asked.text(asked.text(before + secret + after)) == asked.text(before + secret + after)


@pytest.mark.parametrize("rule", [r for r in LOADED if r["group"] == "pii"], ids=lambda r: str(r["name"]))
def test_what_is_no_personal_data_stays(rule: dict[str, Any]) -> None:
    for text in rule.get("stays", []):
        assert Redactor(pii=True).text(text) == text


# pieces of secrets glued in every order: what one rule takes out must not lay bare another's
PIECES = st.sampled_from(
    ["".join(filled(sample)[:2]) for _, sample in SAMPLES]
    + [filled(sample)[1] for _, sample in SAMPLES]
    + [marker for rule in RULES for marker in rule[4]]
    + ["[redacted: jwt]", "[redacted: jwt 2]", "[redacted: ", "]", "=", ": ", '"', "'", "@", "://", ":", "\\n", "\n"]
    + ["--", "-----", "$", "-u ", "\u0130", "\ud800"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_redact_is_idempotent_on_glued_secrets(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_redacting_personal_data_too_is_idempotent(text: str) -> None:
    asked = Redactor(pii=True)
    once = asked.text(text)
    assert asked.text(once) == once


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_redact_takes_any_text_and_leaves_what_has_no_marker(text: str) -> None:
    lower = text.lower()
    out = redact(text)
    assert redact(out) == out
    if not any(marker.lower() in lower for rule in RULES for marker in rule[4]):
        assert out == text


@settings(deadline=None)
@given(st.text(), st.text(), st.sampled_from([" ", "\n", "\u0130", '"', "=", ",", "\u00e9 ", "%3D", "\x1b[32m"]))
def test_a_planted_secret_goes_wherever_it_stands(before: str, after: str, between: str) -> None:
    assert GITHUB not in redact(f"{before}{between}{GITHUB}{between}{after}")


FIRSTS = [filled(rule["samples"][0]) for rule in PLAIN]
HOSTILE = sorted(
    {marker for rule in RULES for marker in rule[4]}
    | {(before + secret)[:200] for before, secret, _ in FIRSTS}
    | {before + secret[:-1] for before, secret, _ in FIRSTS}
    | {'token="', "password='", "token=x", "token=token=", "://a:", "://a:b@", "eyJa.", "-----BEGIN PRIVATE KEY-----\n"}
    | {"curl -u a", "--a-token ", "password: 'a", "a@a.", "+1 2", "curl ", "machine a login "}
)
EVERYTHING = Redactor(pii=True)


def _spent(text: str, rounds: int = 3) -> float:
    """Seconds of processor time, the best of some rounds: a busy machine only ever adds."""
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        EVERYTHING.text(text)
        found.append(time.process_time() - begun)
    return min(found)


@pytest.mark.large
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("after", ["a", pytest.param(" ", marks=pytest.mark.slow), ""])
def test_twice_the_hostile_text_takes_about_twice_the_time(after: str, part: int) -> None:
    found = {}
    for unit in HOSTILE[part::4]:
        size = 6_000 if after else 6_000 // len(unit)
        once, twice = (unit + after * size, unit + after * 2 * size) if after else (unit * size, unit * 2 * size)
        # what is fast at twice the size cannot be slow; a busy machine adds to one round more than to the best of three
        spent = _spent(twice, 1)
        if spent < 0.05 or spent <= 3 * _spent(once):
            continue
        if all(_spent(twice) > 3 * _spent(once) for _ in range(2)):
            found[unit[:60]] = spent
    assert found == {}


def test_a_harmless_text_compiles_no_rule_and_loads_no_module() -> None:
    code = (
        "import sys, git_agent_session\nbefore = set(sys.modules)\n"
        "from git_agent_session.redact import engine\n"
        "text = 'The function reads a file and returns what it found. ' * 40\n"
        "assert engine.redact(text) == text\n"
        "assert engine.redact_value({'a': [text, 1, '939cc486-5bb3-4e44-aec8-5b7d00443063']})\n"
        "print(engine._patterns, sorted(m for m in set(sys.modules) - before if 'redact' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{} []\n"


def test_what_is_remembered_holds_no_secret_and_has_an_end() -> None:
    asked = Redactor()
    for _ in range(2):
        assert asked.value({GITHUB: f"x {GITHUB}", "api_" + "key": "k3yThatIsLong9"}) == {
            "[redacted: github-token]": "x [redacted: github-token]",
            "api_key": "[redacted: secret]",
        }
    asked.value({f"a key of some length {n}": f"a text of some length {n}" for n in range(9000)})
    assert len(asked._keys) <= engine._KNOWN
    assert len(asked._clean) <= engine._KNOWN
    assert not any(GITHUB in text for text in (*asked._keys, *asked._clean))
