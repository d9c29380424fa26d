"""Secrets are taken out, and nothing else. No sample stands here whole, so that no scanner stops at this file."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_agent_session.redact import engine, redact, redact_value
from git_agent_session.redact.rules import RULES
from tests.harness import ROOT

ALNUM = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"
HEX = "3f2a9c1e5bb34e44aec85b7d00443063"
UPPER = "Q7RT2UVW3XYZ4ABC5DEF6GHI"
LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2


def many(n: int, of: str = ALNUM) -> str:
    return (of * (n // len(of) + 1))[:n]


def block(kind: str, body: str, end: str = "\n") -> str:
    return f"-----BEGIN {kind}" + f"PRIVATE KEY-----{end}{body}{end}-----END {kind}PRIVATE KEY-----"


# what the rule is called, what stands before the secret, the secret, what follows
SAMPLES = [
    ("private-key", "see ", block("", f"{LINE}\n{LINE}"), " done"),
    ("private-key", "", block("OPENSSH ", LINE), ""),
    ("private-key", '{"private_key": "', block("", LINE, "\\n"), '\\n"}'),
    ("private-key", "cut: ", "-----BEGIN RSA " + f"PRIVATE KEY-----\n{LINE}\n{LINE}", ""),
    ("private-key", "Private-" + "Lines: 2", f"\n{LINE}\n{LINE}", "\nPrivate-MAC: 1"),
    ("private-key", "", "AGE-SECRET-" + "KEY-1" + many(58, UPPER), ""),
    ("aws-access-key", "id ", "AKIA" + UPPER[:16], " end"),
    ("aws-access-key", "id\\n", "ASIA" + UPPER[:16], " end"),
    ("aws-secret-key", "aws_secret_access" + "_key = ", many(40), "\n"),
    ("google-api-key", "key=", "AIza" + many(35), "&x"),
    ("google-api-key", "", "AQ." + "Ab" + many(50), ""),
    ("gcp-oauth-token", "", "ya29" + "." + many(60), ""),
    ("gcp-client-secret", "", "GOCSPX" + "-" + many(28), ""),
    ("azure-storage-key", "AccountName=x;Account" + "Key=", many(86) + "==", ";x"),
    ("azure-sas-signature", "https://x.blob/y?sv=1&" + "sig=", many(43) + "%3D", ""),
    ("azure-client-secret", "", "abc8" + "Q~" + many(33), ""),
    ("azure-api-key", "", many(52) + "JQQ" + "J9" + many(27), ""),
    ("azure-devops-token", "", many(76) + "AZ" + "DO" + "ab12", ""),
    *(("github-token", "push with ", f"gh{c}" + "_" + many(36), " now") for c in "pousr"),
    ("github-token", "", "github_" + "pat_" + many(82), ""),
    ("gitlab-token", "", "glpat" + "-" + many(20), ""),
    ("gitlab-token", "", "GR1348" + "941" + many(20), ""),
    ("npm-token", "", "npm" + "_" + many(36), ""),
    ("pypi-token", "", "pypi" + "-AgE" + "IcHlwaS5vcmc" + many(60), ""),
    ("anthropic-api-key", "", "sk-" + "ant-api03-" + many(93), ""),
    ("openai-api-key", "", "sk-" + "proj-" + many(60), ""),
    ("openai-api-key", "", "sk-" + many(48), ""),
    ("huggingface-token", "", "hf" + "_" + many(34), ""),
    ("huggingface-token", "", "api" + "_org_" + many(34), ""),
    ("llm-api-key", "", "gsk" + "_" + many(52), ""),
    ("sendgrid-api-key", "", "SG" + "." + many(22) + "." + many(43), ""),
    ("slack-token", "", "xoxb" + "-1234567890-" + many(24), ""),
    ("slack-token", "", "xapp" + "-1-A012-" + many(30), ""),
    ("slack-webhook", "https://hooks.slack" + ".com/services/", "T0AB/B0CD/" + many(24), ""),
    ("discord-webhook", "https://discord.com/api" + "/webhooks/123456789012345678/", many(68), ""),
    ("discord-token", "discord: ", "M" + many(23) + "." + "Xy12_z" + "." + many(27), ""),
    ("telegram-token", "bot", "123456789" + ":AA" + many(33), ""),
    ("stripe-key", "", "sk" + "_live_" + many(24), ""),
    ("stripe-key", "", "wh" + "sec_" + many(32), ""),
    ("service-token", "", "dop" + "_v1_" + many(64, HEX), ""),
    ("jwt", "cookie=", "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + many(43), "; path=/"),
    ("jwt", '{"t": "a\\n', "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + many(43), '"}'),
    ("authorization", "-H 'Authoriz" + "ation: Bearer ", "abc.def-123", "'"),
    ("authorization", "Authoriz" + "ation: Basic ", "dXNlcjpwYXNz", "\r\n"),
    ("authorization", '{\\"Authoriz' + 'ation\\": \\"token ', HEX, '\\"}'),
    ("bearer-token", "a bear" + "er ", many(30), " is sent"),
    ("url-password", "git clone https://user" + ":", "hunter2", "@example.org/x.git"),
    ("url-password", "redis://" + ":", "p@ss", "@cache:6379/0"),
    ("curl-password", "curl -s -u bob" + ":", "hunter2", " http://example.org"),
    ("netrc-password", "machine example.org login bob pass" + "word ", "hunter2", "\n"),
    ("registry-auth", "_au" + "th=", "Ym9iOmh1bnRlcjI5OTk=", "\n"),
    ("registry-auth", '{"auths": {"x": {"au' + 'th": "', "Ym9iOmh1bnRlcjI5OTk=", '"}}}'),
    ("password", "DB_PASS" + "WORD=", "swordfish", "\n"),
    ("password", '{"pass' + 'word": "', "hunter2", '"}'),
    ("password", '{\\"pass' + 'word\\": \\"', "hunter2", '\\"}'),
    ("password", "pass" + "word: ", "hunter2", "\n"),
    ("password", "Server=x;Uid=bob;P" + "wd=", "hunter2", ";"),
    ("password", "pass" + 'word = "', "cut-off-7", ""),
    ("secret", "export APP_SEC" + "RET=", "abcdefgh", "\n"),
    ("secret", "API" + "_KEY='", HEX, "'"),
    ("secret", "//registry.example.org/:_auth" + "Token=", HEX, "\n"),
    ("secret", "run --tok" + "en ", HEX, " now"),
    ("secret", 'config["client_sec' + 'ret"] = "', HEX, '"'),
    ("secret", "GET /x?access_tok" + "en=", HEX, ""),
]


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_a_secret_is_replaced_and_nothing_around_it(name: str, before: str, secret: str, after: str) -> None:
    assert redact(before + secret + after) == f"{before}[redacted: {name}]{after}"


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_redacting_again_changes_nothing(name: str, before: str, secret: str, after: str) -> None:
    once = redact(f"{before}{secret}{after}")
    assert redact(once) == once


def test_every_rule_has_a_sample() -> None:
    unseen = [
        (rule.name, rule.markers)
        for rule in RULES
        if not any(rule.name == s[0] and any(m in "".join(s[1:]).lower() for m in rule.markers) for s in SAMPLES)
    ]
    assert unseen == []


HARMLESS = [
    "commit 5f4dcc3b5aa765d61d8327deb882cf99aabbccdd",
    "session 939cc486-5bb3-4e44-aec8-5b7d00443063 is active",
    '"integrity": "sha512-' + many(86) + '=="',
    "token = sha256-" + many(43) + "=",
    "<img src='data:image/png;base64," + many(400) + "'>",
    "//# sourceMappingURL=data:application/json;base64,eyJ" + many(200),
    "password = xxxxxxxx",
    "password: changeme",
    "DB_PASS" + "WORD=${DB_PASSWORD}",
    "DB_PASS" + "WORD=$(pass show db)",
    "API_KEY=<your key>",
    "token: <token>",
    'apiKey: "YOUR_API_KEY"',
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>",
    "Authorization: Bearer authentication is needed",
    "https://user:${PASSWORD}@example.org",
    "see https://example.org:8080/@scope/name and git@example.org:a/b.git",
    "PWD=/root/src/project2 OLDPWD=/home/ada",
    "password = get_password(user1)",
    "token = self.token2",
    "def login(password: str, token: Token | None = None) -> Secret: ...",
    'if password == other1: raise ValueError("password: must be at least 8 characters")',
    '{"input_tokens": 123456789, "cache_read_tokens": 12, "max_tokens": 4096000}',
    "secretary: Ada99999, tokenizer = cl100k_base_v2",
    "the private key is kept in the vault, -----BEGIN is where it starts",
    "a task-abcdefghijklmnopqrstuvwxyz0123456789abcd runs",
    "TOKEN_FILE=/run/secrets/token.txt",
    "secret_name = my-app-secret",
    "Basic authorization: see the docs",
    'FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"',
    "agg_auth = ConfigAggregationAuthorization(x)",
    '"fail_on_invalid_token": InvalidPaginationToken,',
    "arn:aws:secretsmanager:*:*:secret:db-2024x-custom1/*",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_key_in_a_nested_value_condemns_what_it_names() -> None:
    given_ = {"env": [{"PASS" + "WORD": "hunter2", "n": 1}], "apiK" + "ey": HEX, "max_tokens": "4096", "ok": True}
    assert redact_value(given_) == {
        "env": [{"PASSWORD": "[redacted: password]", "n": 1}],
        "apiKey": "[redacted: secret]",
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


# pieces of secrets glued in every order: what one rule takes out must not lay bare another's
PIECES = st.sampled_from(
    [s[1] + s[2] for s in SAMPLES]
    + [s[2] for s in SAMPLES]
    + [m for rule in RULES for m in rule.markers]
    + ["[redacted: jwt]", "[redacted: ", "]", "=", ": ", '"', "'", "@", "://", ":", "\\n", "\n", "--", "-----"]
    + ["$", "-u "]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_redact_is_idempotent_on_glued_secrets(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_redact_takes_any_text_and_leaves_what_has_no_marker(text: str) -> None:
    lower = text.lower()
    out = redact(text)
    assert redact(out) == out
    if not any(marker in lower for rule in RULES for marker in rule.markers):
        assert out == text


HOSTILE = sorted(
    {m for rule in RULES for m in rule.markers}
    | {s[1] + s[2][:40] for s in SAMPLES}
    | {s[1] + s[2][:-1] for s in SAMPLES}
    | {'token="', "password='", "token=x", "://a:", "://a:b@", "eyJa.", "-----BEGIN PRIVATE KEY-----\n", "curl -u a"}
    | {"--a-token "}
)


def test_no_rule_is_slow_on_hostile_text() -> None:
    slow = {}
    for unit in HOSTILE:
        for text in (unit * (30_000 // len(unit)), unit + "a" * 30_000, unit + " " * 30_000):
            start = time.perf_counter()
            redact(text)
            if (spent := time.perf_counter() - start) > 1:
                slow[text[:60]] = spent
    assert slow == {}


def test_a_harmless_text_compiles_no_rule_and_loads_no_module() -> None:
    code = (
        "import sys, git_agent_session\nbefore = set(sys.modules)\n"
        "from git_agent_session.redact import engine\n"
        "text = 'The function reads a file and returns what it found. ' * 40\n"
        "assert engine.redact(text) == text\n"
        "print(engine._patterns, sorted(m for m in set(sys.modules) - before if 'redact' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{} []\n"


def test_names_are_remembered_without_their_secrets_and_without_end() -> None:
    secret = "ghp_" + "a1B2" * 9
    for _ in range(2):
        assert redact_value({secret: "x", "api_key": "k3yThatIsLong9"}) == {
            "[redacted: github-token]": "x",
            "api_key": "[redacted: secret]",
        }
    redact_value({f"key{n}": "x" for n in range(5000)})
    assert len(engine._names) <= engine._NAMES
    assert not any(secret in name for name in engine._names)
